"""What the report says of the model, the table and the commands behind it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dowgan.config import Config, resolve
from dowgan.errors import OptionError
from dowgan.table import Table

if TYPE_CHECKING:
    from pandas import DataFrame

    from dowgan.synthesizer import Synthesizer


def named(data: DataFrame | str | Path, otherwise: str) -> str:
    return shlex.quote(str(data)) if isinstance(data, str | Path) else otherwise


def about_model(synthesizer: Synthesizer, data: DataFrame | str | Path) -> dict[str, Any]:
    """Say which model is judged, and by which commands that is done again."""
    model, schema = synthesizer.model_, synthesizer.schema
    config = Config.model_validate_json(model.recipe)
    options = [f"--recipe {shlex.quote(config.recipe)}", f"--seed {model.seed}"]
    options += [f"--from {shlex.quote(model.training.start)}"] if model.training.start else []
    timed = [c.name for c in schema.columns if c.role == "time"]
    options += [f"--time {shlex.quote(n)}" for n in timed[:1] if not schema.clock.parts]
    options += [f"--run {shlex.quote(n)}" for n in schema.run_names]
    options += [f"--condition {shlex.quote(n)}" for n in schema.condition_names]
    options += [f"--missing {shlex.quote(code)}" for code in schema.source.codes]
    options += [f"--set {shlex.quote(text)}" for text in _settings(config)]
    name = named(data, "DATA")
    return {
        "command": f"dowgan fit {name} -o model.dowgan {' '.join(options)} && "
        f"dowgan report model.dowgan {name} -o report.html",
        "recipe": config.recipe,
        "seed": model.seed,
        "model_digest": model.digest,
        "training": model.training.stopped,
        "model_notes": list(model.notes),
        "versions": model.versions,
    }


def _settings(config: Config) -> list[str]:
    """What was set on top of the recipe, as the command line takes it; nothing if the recipe is not at hand."""
    try:
        plain = resolve(config.recipe)
    except OptionError:
        return []
    before, now = (_flat(c.model_dump()) for c in (plain, config))
    return [f"{key}={value}" for key, value in now.items() if value != before.get(key) and value is not None]


def _flat(raw: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in raw.items():
        out |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return out


def about_table(table: Table, notes: Sequence[str]) -> dict[str, Any]:
    """Say how large a table is, and what was inferred of it."""
    runs, tags = len(table.runs), len(table.schema.channels)
    return {"digest": table.digest, "rows": table.rows, "runs": runs, "tags": tags, "notes": list(notes)}
