"""Find the clock of a table and put each of its rows in its place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dowgan.errors import DataError
from dowgan.table import clocks, layout
from dowgan.table.adopt import steps_of
from dowgan.table.cells import Cells
from dowgan.table.frames import Parts
from dowgan.table.giving import told_values
from dowgan.table.layout import Layout
from dowgan.table.schema import Role, Schema


@dataclass(frozen=True)
class Wish:
    """What the user, or the model, says of the columns."""

    time: str | None
    runs: tuple[str, ...]
    conditions: tuple[str, ...]

    def role(self, name: str) -> Role:
        return "run" if name in self.runs else "condition" if name in self.conditions else "value"


def place(parts: Parts, wish: Wish, schema: Schema | None) -> tuple[Layout, tuple[str, ...]]:
    """Find the clock and put every row in its place."""
    by_name = {cells.name: cells for cells in parts.columns}
    keys = [by_name[name] for name in wish.runs]
    for cells in keys:
        _refuse_gaps(cells, "run column")
    runs = layout.groups(keys, len(parts.columns[0]))
    if schema is None and max(map(len, runs)) < 2:
        raise DataError("Every run has one row, which makes no series: use fewer --run columns.")
    hints = () if schema is None else steps_of(schema.clock)
    if schema is not None and schema.clock.parts:
        placed = _best(joined(parts.columns, schema), runs, parts, hints)
    elif schema is not None and schema.clock.kind == "row":
        placed = layout.by_row(runs, *parts.source.index, parts.source.kind == "frame")
    else:
        placed = _clock(parts, wish, runs, hints)
    return placed, _placing_notes(placed, parts)


def _refuse_gaps(cells: Cells, what: str) -> None:
    rows = np.flatnonzero(np.isnan(cells.values))
    if len(rows):
        named = f"{what} '{cells.name}'" if cells.name else f"the {what}"
        raise DataError(f"Row {rows[0] + 1} has nothing in {named} ({len(rows)} in all): fill it in.")


def _clock(parts: Parts, wish: Wish, runs: Sequence[np.ndarray], hints: tuple[str | int | float, ...]) -> Layout:
    rest = [cells for cells in parts.columns if wish.role(cells.name) == "value" or cells.name == wish.time]
    named = next((cells for cells in parts.columns if cells.name == wish.time), None)
    if named is not None:
        _refuse_gaps(named, "time column")
        return _best(clocks.asked(named), runs, parts, hints)
    if parts.index is not None:
        found = clocks.times_of(parts.index, in_index=True)
        if found and (parts.index.form != "number" or not any(c.form == "time" for c in rest)):
            _refuse_gaps(parts.index, "index")
            return _best(found, runs, parts, hints)
    failed: DataError | None = None
    for sure, found in clocks.candidates(rest):
        if failed is not None and found[0].clock.kind != "datetime":
            raise failed
        try:
            return _best(found, runs, parts, hints)
        except DataError as error:
            if sure and _must_be_clock(found[0], runs, parts):
                failed = error if failed is None or found[0].clock.parts else failed
    if failed is not None:
        raise failed
    _refuse_broken(rest)
    return layout.by_row(runs, *parts.source.index, parts.source.kind == "frame")


def joined(columns: Sequence[Cells], schema: Schema) -> tuple[clocks.Times, ...]:
    """Return the readings of the columns that hold a model's clock together.

    Raises:
        DataError: they do not hold times here.
    """
    clock = schema.clock
    hour = next((c.value for c in schema.columns if c.name in clock.parts and c.told == "hour"), None)
    assert hour is None or isinstance(hour, float)
    columns = [cells for cells in columns if cells.name in clock.parts]
    for cells in columns:
        _refuse_gaps(cells, "column of the clock")
    found = clocks.joined(columns, hour)
    if not found:
        raise DataError(f"The columns {clock.called} are the model's clock, and do not hold times here: mend them.")
    return tuple(times for times in found if _as_told(times, columns, schema)) or found


def _as_told(times: clocks.Times, columns: Sequence[Cells], schema: Schema) -> bool:
    """Whether a reading puts day and month of the first row in the order in which the model's table has them."""
    for cells in columns:
        column = schema.column(cells.name)
        if cells.form == "text" and "%" in column.told:
            first = told_values(column, schema.clock, times.values[:1])
            if str(next(iter(first))) != str(cells.levels[int(cells.values[0])]):
                return False
    return True


def _must_be_clock(times: clocks.Times, runs: Sequence[np.ndarray], parts: Parts) -> bool:
    """Whether a column named after time is one, although its times are not even: it always rises, or does so by run."""
    rising = all(times.values[rows].is_monotonic_increasing for rows in runs)
    return times.clock.kind == "datetime" or rising or bool(layout.telling_apart(times, parts.columns))


def _refuse_broken(columns: Sequence[Cells]) -> None:
    """Raise if a column would be the clock but for some cells."""
    for cells in columns:
        if cells.form == "text" and clocks.mostly_times(cells):
            _refuse_gaps(cells, "time column")
            clocks.asked(cells)


def _best(
    found: Sequence[clocks.Times],
    runs: Sequence[np.ndarray],
    parts: Parts,
    hints: tuple[str | int | float, ...],
) -> Layout:
    """The reading under which the times are in order and even; the first one's error if there is none."""
    layouts: list[Layout] = []
    failures: list[DataError] = []
    for times in found:
        try:
            layouts.append(layout.by_time(times, runs, parts.columns, hints))
        except DataError as error:
            failures.append(error)
    if not layouts:
        raise failures[0]
    best = min(layouts, key=_fit)
    clock = replace(best.clock, freq=parts.freq if best.clock.in_index else None)
    doubt = f"'{clock.column}' may have day and month the other way round; read as {clock.text_format}"
    equal = clock.kind == "datetime" and sum(_fit(other) == _fit(best) for other in layouts) > 1
    return replace(best, clock=clock, doubt=doubt if equal else "")


def _fit(placed: Layout) -> tuple[bool, float]:
    return placed.moved, placed.share


def _label_of_runs(placed: Layout, parts: Parts) -> str:
    """A column that may tell runs apart, where none was named: rows are numbered, or times missing between labels."""
    if len(placed.rows) > 1:
        return ""
    columns = [cells for cells in parts.columns if cells.name != placed.clock.column]
    apart = np.append(False, np.diff(placed.steps[0]) > 1)
    return layout.blocks(columns, placed.rows[0], None if placed.clock.kind == "row" else apart)


def _placing_notes(placed: Layout, parts: Parts) -> tuple[str, ...]:
    notes = [placed.doubt] if placed.doubt else []
    if placed.moved:
        notes.append("rows sorted by time")
    if placed.filled:
        notes.append(f"{placed.filled} missing times filled with empty rows")
    label = _label_of_runs(placed, parts)
    if label:
        notes.append(f"'{label}' has one value after another; if these are runs, say --run {label}")
    if parts.index is not None and (not placed.clock.in_index or placed.clock.kind == "row"):
        notes.append("the index of the frame is not the clock and is left out")
    for cells in parts.columns:
        if cells.bad:
            words = ", ".join(f"'{word}'" for word in dict.fromkeys(cells.bad))
            notes.append(f"{len(cells.bad)} cells of '{cells.name}' read as missing: {words}")
    return tuple(notes)
