"""What a user calls the levels of conditions, and which regimes `--where` allows.

Shapes: R regimes.
"""

from contextlib import suppress

import numpy as np
from jaxtyping import Bool

from dowgan.errors import OptionError
from dowgan.model import Model
from dowgan.table.schema import Column, Schema


def _level_texts(column: Column) -> dict[str, float]:
    """What a user calls the levels of a condition, and how a regime holds them."""
    if column.kind in ("float", "integer"):
        return {f"{level:.15g}": float(level) for level in column.levels}  # type: ignore[arg-type]
    return {text: float(i) for i, text in enumerate(column.labels)}


def level_of(column: Column, text: str) -> float:
    """Return how a regime holds a level of a condition.

    Raises:
        OptionError: the column has no such level.
    """
    texts = _level_texts(column)
    with suppress(ValueError):
        text = f"{float(text):.15g}" if column.kind in ("float", "integer") else text
    if text not in texts:
        raise OptionError(f"'{column.name}' has no value '{text}'. Known: {', '.join(texts)}.")
    return texts[text]


def level_text(column: Column, level: float) -> str:
    """Return what a user calls a level of a condition."""
    return next(text for text, value in _level_texts(column).items() if value == level)


def named_conditions(model: Model, schema: Schema) -> list[str]:
    """Return the conditions that the user named; states that were found are columns like others."""
    columns = [schema.channels[place] for place in model.channels.regimes.conditions]
    return [column.name for column in columns if column.role == "condition"]


def chosen_regimes(model: Model, schema: Schema, where: dict[str, str]) -> Bool[np.ndarray, " R"]:
    """Say which regimes agree with `--where`.

    Raises:
        OptionError: a value that the column does not have, or a combination that the model has not seen.
    """
    levels = model.channels.regimes.levels
    allowed = np.ones(len(levels), dtype=bool)
    names = named_conditions(model, schema)
    for name, text in where.items():
        if name not in names:
            continue
        allowed &= levels[:, names.index(name)] == level_of(schema.column(name), text)
    if not allowed.any():
        raise OptionError(f"The model has not seen {', '.join(f'{k}={v}' for k, v in where.items())} together.")
    return allowed


def going_on(model: Model, schema: Schema, where: dict[str, str], now: int) -> int:
    """Return the regime that follows regime `now` when some conditions are to be held.

    The other categories stay; a set-point moves to the nearest one that the model has seen with them.

    Raises:
        OptionError: a value that a column does not have, or a combination that the model has not seen.
    """
    regimes = model.channels.regimes
    columns = [schema.channels[place] for place in regimes.conditions]
    own = slice(len(columns))  # states that numbers tell come behind them
    stays = {
        column.name: level_text(column, float(level))
        for column, level, counted in zip(columns, regimes.levels[now, own], regimes.counted[own], strict=True)
        if not counted
    }
    asked = {column.name: where[column.name] for column in columns if column.name in where}
    allowed = np.flatnonzero(chosen_regimes(model, schema, stays | asked))
    spans = np.ptp(regimes.levels, axis=0)
    off = np.abs(regimes.levels[allowed] - regimes.levels[now]) / np.where(spans > 0, spans, 1.0)
    return int(allowed[np.argmin(off[:, np.array(regimes.counted)].sum(axis=1))])
