"""Models on disk: arrays in safetensors, everything else as JSON in its header. No pickle anywhere.

Any tree of the dataclasses named in `KINDS`, tuples, lists, dicts, plain values and NumPy arrays can be written;
a file opens itself, since the recipe, the table's schema and the versions lie inside.
"""

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dowgan.errors import ModelError
from dowgan.files import write_whole

FORMAT = "dowgan-model"
VERSION = 1


def _pack(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """JSON for a value; its arrays are put aside under their path."""
    if isinstance(value, np.ndarray):
        arrays[path] = np.asarray(value, order="C")
        return {"$array": path}
    if is_dataclass(value) and not isinstance(value, type):
        inside = {f.name: _pack(getattr(value, f.name), f"{path}.{f.name}", arrays) for f in fields(value)}
        return {"$kind": type(value).__name__, **inside}
    if isinstance(value, tuple | list):
        items = [_pack(item, f"{path}.{i}", arrays) for i, item in enumerate(value)]
        return {"$tuple": items} if isinstance(value, tuple) else items
    if isinstance(value, dict):
        return {"$dict": [[k, _pack(v, f"{path}.{k}", arrays)] for k, v in value.items()]}
    if isinstance(value, np.generic):
        return value.item()
    assert value is None or isinstance(value, str | int | float | bool), f"{path}: {type(value)}"
    return value


def _unpack(value: Any, arrays: dict[str, np.ndarray], kinds: dict[str, type]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, arrays, kinds) for item in value]
    if not isinstance(value, dict):
        return value
    if "$array" in value:
        return arrays[value["$array"]]
    if "$tuple" in value:
        return tuple(_unpack(item, arrays, kinds) for item in value["$tuple"])
    if "$dict" in value:
        return {k: _unpack(v, arrays, kinds) for k, v in value["$dict"]}
    kind = kinds[value["$kind"]]
    return kind(**{k: _unpack(v, arrays, kinds) for k, v in value.items() if k != "$kind"})


def _in_order(raw: bytes) -> bytes:
    """The same file with its header in order, which safetensors leaves to chance: same model, same bytes."""
    size = int.from_bytes(raw[:8], "little")
    text = json.dumps(json.loads(raw[8 : 8 + size]), sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + raw[8 + size :]


def write_model(value: Any, path: str | Path, versions: dict[str, str]) -> None:
    """Write a tree of values whole or not at all.

    Raises:
        ModelError: the file cannot be written.
    """
    arrays: dict[str, np.ndarray] = {}
    tree = _pack(value, "model", arrays)
    header = {
        "format": FORMAT,
        "version": str(VERSION),
        "versions": json.dumps(versions),
        "tree": json.dumps(tree),
    }
    try:
        write_whole(path, _in_order(save(arrays, metadata=header)))
    except OSError as error:
        raise ModelError(
            f"Cannot write the model '{path}': {error.strerror or error}. Choose another place."
        ) from error


def read_model(path: str | Path, kinds: dict[str, type]) -> Any:
    """Read what `write_model` wrote.

    Args:
        path: the file.
        kinds: the dataclasses that may stand in it, by name.

    Raises:
        ModelError: no such file, not a model, cut short, or of another version.
    """
    if not Path(path).is_file():
        raise ModelError(f"There is no model file '{path}'. Make one with: dowgan fit DATA -o {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise ModelError(f"'{path}' is not a model of dowgan. Make one with: dowgan fit DATA -o MODEL")
            if header["version"] != str(VERSION):
                raise ModelError(
                    f"'{path}' is a model of format {header['version']}, this program reads format {VERSION}: "
                    "fit it again, or use the version of dowgan that wrote it."
                )
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return _value(header, arrays, kinds, path)
    except (SafetensorError, KeyError, json.JSONDecodeError, OSError) as error:
        raise ModelError(
            f"'{path}' is not a model of dowgan, or is cut short. Make one with: dowgan fit DATA -o MODEL"
        ) from error


def _value(header: dict[str, str], arrays: dict[str, np.ndarray], kinds: dict[str, type], path: str | Path) -> Any:
    tree, versions = json.loads(header["tree"]), json.loads(header["versions"])
    try:
        return _unpack(tree, arrays, kinds)
    except (KeyError, TypeError) as error:
        raise ModelError(
            f"'{path}' was written by another version of dowgan ({versions.get('dowgan', 'unknown')}), whose parts "
            "this one does not know: fit it again, or use that version."
        ) from error
