"""Model files: what goes in comes out, whole or not at all, and nothing in them is run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dowgan.errors import ModelError
from dowgan.modelfile import VERSION, read_model, write_model


@dataclass(frozen=True)
class Leaf:
    """A dataclass of a model."""

    name: str
    values: np.ndarray
    size: float | None = None


@dataclass(frozen=True)
class Tree:
    """A dataclass that holds others."""

    leaves: tuple[Leaf, ...]
    rest: Any


KINDS = {"Leaf": Leaf, "Tree": Tree}


def same(a: Any, b: Any) -> bool:
    """Equal to the last bit and of the same kinds."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, Leaf | Tree):
        return type(a) is type(b) and all(same(getattr(a, n), getattr(b, n)) for n in a.__dataclass_fields__)
    if isinstance(a, tuple | list):
        return type(a) is type(b) and len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and (a == b or (a != a and b != b))


plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=8)
blocks = arrays(
    st.sampled_from([np.float64, np.float32, np.int64]), array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
)
trees = st.recursive(
    plain | blocks,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(st.builds(Leaf, st.text(max_size=6), blocks, st.none() | st.floats()), max_size=3), trees)
def test_any_tree_comes_back(leaves: list[Leaf], rest: Any) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.dowgan"
        tree = Tree(tuple(leaves), rest)
        write_model(tree, path, {"dowgan": "0"})
        assert same(read_model(path, KINDS), tree)


def test_a_model_of_another_version_with_other_parts(tmp_path: Path) -> None:
    path = tmp_path / "m.dowgan"
    write_model(Tree((), None), path, {"dowgan": "0.0.9"})
    with pytest.raises(ModelError) as error:
        read_model(path, {"Leaf": Leaf})
    assert str(error.value) == (
        f"'{path}' was written by another version of dowgan (0.0.9), whose parts this one does not know: fit it again, "
        "or use that version."
    )
    with pytest.raises(ModelError, match="was written by another version of dowgan"):
        read_model(path, {"Tree": Leaf})


def test_the_same_model_is_the_same_bytes(tmp_path: Path) -> None:
    tree = Tree((Leaf("a", np.arange(5.0)), Leaf("b", np.eye(2))), {"x": 1, 2: (3.0, None)})
    texts = []
    for number in range(3):
        path = tmp_path / f"{number}.dowgan"
        write_model(tree, path, {"dowgan": "0"})
        texts.append(path.read_bytes())
    assert texts[0] == texts[1] == texts[2]


def test_recipe_schema_and_versions_can_be_read_without_the_program(tmp_path: Path) -> None:
    path = tmp_path / "m.dowgan"
    write_model(Leaf("a", np.zeros(2)), path, {"dowgan": "0.1", "numpy": "2"})
    raw = path.read_bytes()
    head = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])["__metadata__"]
    assert head["format"] == "dowgan-model"
    assert head["version"] == str(VERSION)
    assert json.loads(head["versions"]) == {"dowgan": "0.1", "numpy": "2"}
    assert b"pickle" not in raw


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_a_truncated_file(share: float, tmp_path: Path) -> None:
    path = tmp_path / "m.dowgan"
    write_model(Leaf("a", np.arange(100.0)), path, {})
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(ModelError) as error:
        read_model(path, KINDS)
    text = f"'{path}' is not a model of dowgan, or is cut short. Make one with: dowgan fit DATA -o MODEL"
    assert str(error.value) == text


@pytest.mark.parametrize("flip", range(0, 60, 7))
def test_a_damaged_head_is_a_user_error_and_not_a_crash(flip: int, tmp_path: Path) -> None:
    path = tmp_path / "m.dowgan"
    write_model(Tree((Leaf("a", np.arange(9.0)),), {"k": [1]}), path, {})
    raw = bytearray(path.read_bytes())
    raw[flip] ^= 0x55
    path.write_bytes(bytes(raw))
    with pytest.raises(ModelError):
        read_model(path, KINDS)


def test_writing_fails_whole(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as error:
        write_model(Leaf("a", np.zeros(2)), tmp_path / "no" / "m.dowgan", {})
    assert "No such file or directory" in str(error.value)
    path = tmp_path / "m.dowgan"
    path.write_bytes(b"before")
    with pytest.raises(AssertionError):
        write_model(Leaf("a", object()), path, {})  # type: ignore[arg-type]
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
