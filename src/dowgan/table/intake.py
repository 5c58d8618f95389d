"""Read a table: what a user has in, arrays by run out."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from dowgan.errors import DataError, OptionError, unknown
from dowgan.table import almanac
from dowgan.table.adopt import adopt
from dowgan.table.cells import Cells, from_text
from dowgan.table.clocks import surely_named
from dowgan.table.faults import faulty
from dowgan.table.frames import Parts, from_frame, from_parquet
from dowgan.table.kinds import fault_notes, step_notes, stray_notes, understand
from dowgan.table.layout import Layout
from dowgan.table.placing import Wish, place
from dowgan.table.schema import Column, Run, Schema, Source, Table
from dowgan.table.sniff import load, sniff

LEAST_ROWS = 8
SERIAL = (30_000, 60_000)  # days since 1899-12-30 from 1982 to 2064, as spreadsheets hold dates


def read(
    source: object,
    *,
    time: str | None = None,
    runs: str | Sequence[str] = (),
    conditions: str | Sequence[str] = (),
    missing: str | Sequence[str] = (),
    schema: Schema | None = None,
    judged: bool = False,
) -> Table:
    """Read a table and find out its separator, clock, step, kinds and rules.

    Args:
        source: a file (.csv, .csv.gz, .tsv, .txt, .parquet), "-" for a CSV on stdin, or a pandas frame.
        time: the time column; found by itself if None.
        runs: column or columns whose values tell runs apart.
        conditions: column or columns that are given rather than generated, where the user wants that.
        missing: numbers or words that stand for a missing number beside the usual ones, such as "-200".
        schema: a model's; the table is then read as that model's table, whose step it has, or a multiple of it.
        judged: it is only to be judged: columns that follow the clock in the model's table need not do so in it, and
            what the model's table never has is no error, but told in `Table.strange`.

    Raises:
        DataError: the table cannot be used as it is.
        OptionError: an option names a column that the table does not have, or one column twice.
    """
    if not isinstance(source, str | Path | pd.DataFrame):
        came = type(source).__name__
        cure = "use .to_frame()" if isinstance(source, pd.Series) else "make it a frame, such as pd.DataFrame(values)"
        raise DataError(f"A table is a pandas frame or the path of a file, and this is a {came}: {cure}.")
    wish = _wish(time, _names(runs), _names(conditions), schema)
    called = "The frame" if isinstance(source, pd.DataFrame) else f"'{source}'"
    codes = _names(missing) if schema is None else schema.source.codes
    parts = _open(source, wish, schema, codes)
    _check_names(parts, wish, schema, called, "the real table has" if judged else "the model knows")
    if schema is not None:
        parts = _only_known(parts, wish, schema)
    _check_rows(parts, 1 if schema is not None else LEAST_ROWS, called)
    parts = _without_empty_rows(parts, wish)
    _check_rows(parts, 1 if schema is not None else LEAST_ROWS, called)
    placed, notes = place(parts, wish, schema)
    return _table(parts, placed, wish, schema, judged, (*parts.notes, *notes))


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _wish(time: str | None, runs: tuple[str, ...], conditions: tuple[str, ...], schema: Schema | None) -> Wish:
    if schema is not None:
        own = None if schema.clock.in_index or schema.clock.kind == "row" else schema.clock.column
        return Wish(time or own, schema.run_names, schema.condition_names)
    asked = [name for name in (time, *runs, *conditions) if name is not None]
    twice = next((name for name in asked if asked.count(name) > 1), None)
    if twice is not None:
        raise OptionError(f"Column '{twice}' is named twice in --time, --run and --condition: it can be one of them.")
    return Wish(time, runs, conditions)


def opened(source: str | Path | pd.DataFrame, schema: Schema) -> Parts:
    """Take apart a table that has some of a model's columns.

    Raises:
        DataError: it is no table, or a column is mixed.
    """
    return _open(source, _wish(None, (), (), schema), schema, schema.source.codes)


def _open(source: str | Path | pd.DataFrame, wish: Wish, schema: Schema | None, codes: tuple[str, ...]) -> Parts:
    if isinstance(source, pd.DataFrame):
        _refuse_copies(tuple(map(str, source.columns)))
        return from_frame(source, Source("frame", codes=codes))
    path = str(source)
    raw = load(path)
    if raw[:4] == b"PAR1" or path.lower().endswith((".parquet", ".pq")):
        frame, held = from_parquet(raw, path)
        _refuse_copies(tuple(map(str, frame.columns)))
        return from_frame(frame, replace(held, codes=codes))
    sheet = sniff(raw, path)
    del raw
    _refuse_copies(sheet.names)
    labels = {*wish.runs, *wish.conditions}
    if schema is not None:
        labels |= {column.name for column in schema.columns if column.kind == "category"}
    columns = tuple(
        from_text(name, cells, sheet.source.decimal, quoted, name in labels, codes)
        for name, cells, quoted in zip(sheet.names, sheet.columns, sheet.quoted, strict=True)
    )
    texts = tuple(cells.text for cells in columns if cells.text is not None)
    return Parts(columns, None, None, replace(sheet.source, texts=texts, codes=codes), sheet.notes)


def _refuse_copies(names: tuple[str, ...]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"Two columns are called '{twice}': give each its own name.")


def _check_names(parts: Parts, wish: Wish, schema: Schema | None, called: str, other: str) -> None:
    names = [cells.name for cells in parts.columns]
    if schema is not None:
        for column in schema.columns:
            if column.name not in names and column.role != "time":
                raise DataError(f"{called} lacks column '{column.name}', which {other}: add it.")
    known = [*names, *([parts.index.name] if parts.index is not None and parts.index.name else [])]
    for name in (*wish.runs, *wish.conditions, *([wish.time] if schema is None and wish.time else [])):
        if name not in known:
            raise OptionError(unknown("column", name, known))


def _check_rows(parts: Parts, least: int, called: str) -> None:
    if not parts.columns:
        raise DataError(f"{called} has no columns: at least one column of numbers is needed.")
    rows = len(parts.columns[0])
    if rows < least:
        raise DataError(
            f"{called} has {rows} row{'' if rows == 1 else 's'}, and at least {least} are needed: add more."
        )


def _only_known(parts: Parts, wish: Wish, schema: Schema) -> Parts:
    """The parts without columns that the model does not know, in the model's order."""
    known = {column.name for column in schema.columns} | ({wish.time} if wish.time else set())
    extra = [cells.name for cells in parts.columns if cells.name not in known]
    may_be_clock = schema.clock.kind != "row" and not any(c.name == wish.time for c in parts.columns)
    extra = [] if may_be_clock and parts.index is None else extra
    notes = (f"columns that the model does not know are left out: {', '.join(extra)}",) if extra else ()
    kept = tuple(cells for cells in parts.columns if cells.name not in extra)
    return replace(parts, columns=kept, notes=(*parts.notes, *notes))


def _without_empty_rows(parts: Parts, wish: Wish) -> Parts:
    """The parts without rows in which the time and everything else is missing.

    Raises:
        DataError: a row has values but no time, or none in a run column.
    """
    empty = np.all([np.isnan(cells.values) for cells in parts.columns], axis=0)
    if not empty.any() or parts.index is not None or not any(c.form in ("time", "text") for c in parts.columns):
        return parts
    kept = np.flatnonzero(~empty)
    note = f"{int(empty.sum())} empty rows are left out"
    return replace(parts, columns=tuple(c.take(kept) for c in parts.columns), notes=(*parts.notes, note))


def _table(
    parts: Parts, placed: Layout, wish: Wish, schema: Schema | None, judged: bool, notes: tuple[str, ...]
) -> Table:
    timed = None if placed.clock.in_index else placed.clock.column
    if schema is None:
        free = [c for c in parts.columns if c.name != timed and wish.role(c.name) == "value"]
        told = almanac.find(free, placed)
    else:
        told, said = almanac.again(schema.columns, parts.columns, placed, judged)
        notes = (*notes, *said)
    rest = [c for c in parts.columns if c.name not in told]
    found = {c.name: understand(c, "time" if c.name == timed else wish.role(c.name), placed.rows) for c in rest}
    found = {
        name: _timed(c, placed, parts.source) if c.role == "time" else _promoted(c, placed.filled)
        for name, c in found.items()
    }
    columns = [(found | told)[cells.name] for cells in parts.columns]
    cells = {c.name: c for c in parts.columns}
    strange: dict[str, str] = {}
    if schema is not None:
        columns, cells, placed, strange = adopt(schema, columns, cells, placed, judged)
    else:
        notes = (*notes, *stray_notes(list(found.values()), cells), *_serial_note(placed))
    source, regrouped = _order(parts.source, placed)
    whole = Schema(tuple(columns), placed.clock, source)
    _check_content(whole, cells)
    notes = notes if judged else (*notes, *fault_notes(whole.channels, cells))
    runs = _runs(whole, placed, cells, judged)
    notes = (*notes, *regrouped, *(step_notes(whole, runs) if schema is None else ()))
    return Table(whole, runs, _digest(whole, runs), notes, strange)


def _serial_note(placed: Layout) -> tuple[str, ...]:
    """A sentence on a clock of numbers that may be the dates of a spreadsheet."""
    clock = placed.clock
    if clock.kind not in ("integer", "float") or not clock.column or not surely_named(clock.column):
        return ()
    first = float(np.array(placed.starts, dtype=float).min())
    if not SERIAL[0] <= first <= SERIAL[1]:
        return ()
    day = pd.Timestamp("1899-12-30") + pd.Timedelta(days=int(first))
    return (
        f"'{clock.column}' is a clock of numbers; if {first:g} is a spreadsheet's {day.date()}, write dates, so that "
        "days and weeks are known",
    )


def _timed(column: Column, placed: Layout, source: Source) -> Column:
    """The time column; the text of a CSV becomes times, what a frame holds stays what it is."""
    clock = placed.clock
    zone = f", {clock.tz}" if clock.tz else ""
    dtype = f"datetime64[{clock.unit}{zone}]" if clock.kind == "datetime" and source.kind == "csv" else column.dtype
    return replace(column, kind="integer" if clock.kind == "integer" else "float", dtype=dtype)


def _promoted(column: Column, filled: int) -> Column:
    """The column with a dtype that has room for missing values, if rows are filled in."""
    if not filled or column.kind == "constant" or column.role == "run":
        return column
    if column.dtype == "bool":
        return replace(column, dtype="boolean", null="NA")
    plain = column.dtype.startswith(("int", "uint")) and not column.dtype.endswith("]")
    return replace(column, dtype="float64") if plain else column


def _order(source: Source, placed: Layout) -> tuple[Source, tuple[str, ...]]:
    """Whether the runs take turns in the table; if they are mixed in another way they are grouped, and that is said."""
    order = np.concatenate(placed.rows)
    if placed.moved or np.array_equal(order, np.arange(len(order))):
        return source, ()
    if placed.clock.kind == "row":
        keys = pd.Index(np.concatenate(placed.steps))
    else:
        parts = [placed.clock.at(start, steps) for start, steps in zip(placed.starts, placed.steps, strict=True)]
        keys = parts[0].append(parts[1:])
    turns = np.argsort(keys, kind="stable")
    if np.array_equal(order[np.asarray(turns)], np.arange(len(order))):
        return replace(source, interleaved=True), ()
    return source, ("rows grouped by run",)


def _check_content(schema: Schema, cells: dict[str, Cells]) -> None:
    values = [column for column in schema.columns if column.role == "value" and not column.told]
    if not any(cells[column.name].form in ("number", "boolean") for column in values):
        raise DataError("No column of numbers is left beside the clock, runs and conditions: at least one is needed.")
    if not any(column.kind != "constant" for column in values):
        raise DataError("Every column is constant or empty, so there is nothing to learn: at least one must vary.")


def _runs(schema: Schema, placed: Layout, cells: dict[str, Cells], judged: bool) -> tuple[Run, ...]:
    channels = [cells[column.name].values for column in schema.channels]
    matrix = np.column_stack(channels) if channels else np.zeros((len(next(iter(cells.values()))), 0))
    offsets = _offsets(placed)
    runs = []
    for rows, steps, start, offset in zip(placed.rows, placed.steps, placed.starts, offsets, strict=True):
        values = np.full((int(steps[-1]) + 1, len(channels)), np.nan)  # [T C]
        values[steps] = matrix[rows]
        faults = () if judged else _take_faults(schema, values)
        runs.append(Run(_key(schema, cells, int(rows[0])), start, offset, values, faults))
    return tuple(runs)


def _take_faults(schema: Schema, values: np.ndarray) -> tuple[tuple[int, int, float], ...]:
    """Take faults of a measurement out of the values [T C] of a run; return where they stood."""
    found = np.stack([faulty(own, c.usual) for own, c in zip(values.T, schema.channels, strict=True)], axis=1)
    taken = tuple((int(row), int(place), float(values[row, place])) for row, place in np.argwhere(found))
    values[found] = np.nan
    return taken


def _offsets(placed: Layout) -> list[int]:
    """Steps of each run's start from the first time of the table."""
    if placed.clock.kind == "row":
        return [0] * len(placed.starts)
    starts = pd.Index(placed.starts)
    return [int(steps) for steps in placed.clock.whole_steps(starts.min(), starts)]


def _key(schema: Schema, cells: dict[str, Cells], row: int) -> tuple[object, ...]:
    return tuple(_scalar(cells[name], row) for name in schema.run_names)


def _scalar(cells: Cells, row: int) -> object:
    value = cells.values[row]
    if cells.form == "text":
        return cells.levels[int(value)]
    if cells.form == "boolean":
        return bool(value)
    return int(value) if cells.whole else float(value)


def _digest(schema: Schema, runs: Sequence[Run]) -> str:
    digest = hashlib.sha256("\0".join(column.name for column in schema.columns).encode())
    for run in runs:
        digest.update(repr((run.key, schema.clock.encode(run.start), run.values.shape)).encode())
        digest.update(np.ascontiguousarray(run.values, dtype="<f8").tobytes())
    return digest.hexdigest()
