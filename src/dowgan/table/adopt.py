"""A table read as a model's table: the model's kinds, levels and bounds, the table's own clock and text."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dowgan.errors import DataError
from dowgan.table.calendar import counted_like, known, name, ratio
from dowgan.table.cells import Cells
from dowgan.table.clock import Clock
from dowgan.table.faults import faulty, usual_beside
from dowgan.table.layout import Layout
from dowgan.table.schema import Column, Schema

WIDER = (12, 10, 8, 6, 5, 4, 3, 2)  # times a model's step, that are tried within its opening hours


def steps_of(clock: Clock) -> tuple[str | int | float, ...]:
    """The steps to be tried first on a table of a model with this clock; within opening hours wider ones too."""
    if clock.kind == "row" or clock.divide > 1:
        return ()
    step = known(clock.step) if clock.kind == "datetime" else None
    if step is None or step.kind != "open":
        return (clock.step,)
    return (clock.step, *(name(replace(step, count=k * step.count)) for k in WIDER))


def adopt(
    schema: Schema, columns: Sequence[Column], cells: dict[str, Cells], placed: Layout, judged: bool = False
) -> tuple[list[Column], dict[str, Cells], Layout, dict[str, str]]:
    """Columns in the model's order and with its kinds; cells with its category codes; and what is strange in columns.

    Args:
        judged: the table is only to be judged: what the model's table never has is told by column, and left out.

    Raises:
        DataError: a category that the model does not know, a constant of the model that varies, text in place
            of numbers, or a step that is no multiple of the model's.
    """
    own = {column.name: column for column in columns}
    adopted, coded, strange = [], {}, {}
    for column in schema.columns:
        if column.role == "time":
            continue
        if judged and (odd := _strange(column, own[column.name], cells[column.name])) is not None:
            strange[column.name], cells[column.name] = odd
            own[column.name] = replace(column, missing=float(np.isnan(cells[column.name].values).mean()))
        adopted.append(_column(column, own[column.name], cells[column.name]))
        coded[column.name] = _cells(adopted[-1], cells[column.name])
    times = [column for column in columns if column.role == "time"]
    place = next((i for i, c in enumerate(schema.columns) if c.role == "time"), 0)
    adopted[place:place] = times
    coded.update({column.name: cells[column.name] for column in times})
    return adopted, coded, replace(placed, clock=_clock(schema.clock, placed, judged)), strange


def _strange(model: Column, own: Column, cells: Cells) -> tuple[str, Cells] | None:
    """What a column has that the model's table never has, and the cells without it; None where there is nothing."""
    if model.role == "run" or model.told:
        return None
    if model.kind == "constant":
        alike = own.value == model.value or own.missing == model.missing == 1
        if own.kind == "constant" and alike:
            return None
        now, always = ("empty" if c.missing == 1 else c.value for c in (own, model))
        text = f"{'varies' if own.kind != 'constant' else f'is always {now}'}, and is always {always} in real rows"
        return text, replace(cells, values=np.full(len(cells), np.nan))
    if model.kind == "category" and cells.form == "text":
        rows = _unknown(model, cells)
        if rows.any():
            first = _label(cells.values[rows][0], cells)
            text = f"holds '{first}' in {rows.mean():.1%} of the rows, and real rows only hold {_some(model.levels)}"
            return text, replace(cells, values=np.where(rows, np.nan, cells.values))
    return None


def _some(levels: tuple[object, ...]) -> str:
    return ", ".join(map(str, levels[:10])) + " and more" * (len(levels) > 10)


def _clock(model: Clock, placed: Layout, judged: bool) -> Clock:
    clock = placed.clock
    if model.kind == clock.kind == "datetime":
        clock = replace(clock, step=counted_like(clock.step, model.step))
    if all(len(rows) == 1 for rows in placed.rows) and clock.kind == model.kind:
        return replace(clock, step=model.step, divide=model.divide)
    if judged and _opens(model) and (clock.kind, clock.divide) == ("datetime", 1) and known(clock.step).kind != "month":
        return model  # rows out of hours are judged as they follow one another
    if multiple(clock, model) is None:
        raise DataError(
            f"The step of the table is {clock.step}, and the model's is {_written(model)}: "
            "it must be the same or a multiple."
        )
    return clock


def _opens(clock: Clock) -> bool:
    """Whether a clock has opening hours."""
    return clock.kind == "datetime" and known(clock.step).kind == "open"


def _written(clock: Clock) -> str:
    return f"{clock.step}" + (f" / {clock.divide}" if clock.divide > 1 else "")


def multiple(clock: Clock, model: Clock) -> int | None:
    """How many of the model's steps make one of this clock's; None if that is no whole number."""
    if clock.kind == "datetime" and model.kind == "datetime":
        if (clock.divide, name(known(clock.step))) == (model.divide, name(known(model.step))):
            return 1
        if _opens(clock) != _opens(model) or not clock.divide == model.divide == 1:
            return None  # rows that follow one another here have a night between them there
        return ratio(known(clock.step), known(model.step))
    if "datetime" in (clock.kind, model.kind) or (clock.kind == "row") != (model.kind == "row"):
        return None
    count = float(clock.step) / float(model.step) if clock.kind != "row" else 1.0
    return round(count) if round(count) >= 1 and abs(count - round(count)) < 1e-6 else None


def _column(model: Column, own: Column, cells: Cells) -> Column:
    """The table's dtype and text with the model's kind and rules, widened so that no known value is changed."""
    if model.role == "run" or model.told:
        return own
    if model.kind == "constant":
        if own.kind != "constant":
            raise DataError(
                f"Column '{own.name}' was constant ({model.value}) when the model was fitted, and varies here: fit a "
                "new model on a table in which it varies."
            )
        return own
    if (model.kind == "category") != (cells.form == "text") and own.missing < 1 and not _as_label(model, cells):
        kinds = ("text", "numbers") if cells.form == "text" else ("numbers", "text")
        raise DataError(f"Column '{own.name}' holds {kinds[0]} here and {kinds[1]} in the model: make it {kinds[1]}.")
    odd = cells.values[~np.isnan(cells.values) & (model.kind == "boolean") & ~np.isin(cells.values, (0, 1))]
    if len(odd):
        raise DataError(f"Column '{own.name}' holds {odd[0]:g} here and only true or false in the model: make it so.")
    if model.labelled:
        return replace(model, dtype=own.dtype if own.missing < 1 else model.dtype, missing=own.missing, null=own.null)
    usual = own.usual or usual_beside(cells.values, model.usual)
    known = ~np.isnan(cells.values) & ~faulty(cells.values, usual)
    return replace(_wider(model, own, cells.values[known]), usual=usual)


def _as_label(model: Column, cells: Cells) -> bool:
    """Whether numbers stand for labels, such as the levels 1, 2, 3 of a category."""
    return model.kind == "category" and not _unknown(model, cells).any()


def _unknown(model: Column, cells: Cells) -> np.ndarray:
    """Which rows hold a label that a category does not have."""
    known = {str(level) for level in model.levels}
    used = np.unique(cells.values[~np.isnan(cells.values)])
    return np.isin(cells.values, [value for value in used if _label(value, cells) not in known])


def _label(value: float, cells: Cells) -> str:
    return str(cells.levels[int(value)]) if cells.form == "text" else str(int(value) if cells.whole else value)


def _wider(model: Column, own: Column, values: np.ndarray) -> Column:
    whole = bool(np.all(values == np.rint(values)))
    decimals = model.decimals
    if own.decimals is None and len(values) and not whole:
        decimals = None
    elif decimals is not None and own.decimals is not None:
        decimals = max(decimals, own.decimals)
    low, high = (float(values.min()), float(values.max())) if len(values) else (np.inf, -np.inf)
    levels = model.levels if set(values.tolist()) <= {float(v) for v in model.levels} else ()  # type: ignore[arg-type]
    return replace(
        model,
        step=model.step if model.in_steps(values) else None,
        digits=None if model.digits is None or own.digits is None else max(model.digits, own.digits),
        kind=model.kind if whole else "float",
        dtype=own.dtype if (own.missing < 1 and own.kind != "constant") or own.dtype == model.dtype else model.dtype,
        decimals=decimals,
        lower=None if model.lower is None else min(model.lower, low),
        upper=None if model.upper is None else max(model.upper, high),
        levels=levels,
        missing=own.missing,
        null=own.null,
    )


def _cells(column: Column, cells: Cells) -> Cells:
    """The cells with codes into the model's levels."""
    if column.kind != "category" or (column.told and not column.schedule):
        return cells
    odd = _unknown(column, cells)
    if odd.any():
        first, shown = _label(cells.values[odd].min(), cells), _some(column.levels)
        raise DataError(f"Column '{column.name}' holds '{first}', which the model does not know: it knows {shown}.")
    place = {str(level): i for i, level in enumerate(column.levels)}
    codes = np.full(len(cells), np.nan)
    for value in np.unique(cells.values[~np.isnan(cells.values)]):
        codes[cells.values == value] = place[_label(value, cells)]
    return replace(cells, form="text", values=codes, levels=column.levels)
