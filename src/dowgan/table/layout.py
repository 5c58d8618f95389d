"""Rows put in order: by run, by time within a run, on an even grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from dowgan.errors import DataError
from dowgan.table.calendar import Step, ints, name
from dowgan.table.cells import Cells
from dowgan.table.clock import Clock
from dowgan.table.clocks import Times
from dowgan.table.grid import anchored, find

_MOST_KEYS = 1000  # distinct whole numbers that a column may have to tell runs apart
_MOST_KEY_COLUMNS = 10  # columns that are tried, with each other
_LEAST_BLOCKS = 3  # labels of a column that may tell runs apart which follow one another, and
_LEAST_ROWS = 3.0  # rows of each of them, in the mean
_UNITS = ("1D", "1h", "10min", "1min", "10s", "1s")
_ROUND = 0.02  # of a step, by which it is called a whole number of such
_JITTER = 0.2  # of a step, by which times may miss an even grid and be rounded to it


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each row belongs.

    Args:
        clock: complete, with its step.
        rows: for each run, row numbers of the table in the order of time.
        steps: for each run, the place on the grid of each of its rows, from 0.
        starts: clock value of the first row of each run.
        moved: whether rows had to be sorted by time.
        doubt: what could not be told for sure, in words.
    """

    clock: Clock
    rows: tuple[np.ndarray, ...]
    steps: tuple[np.ndarray, ...]
    starts: tuple[object, ...]
    moved: bool
    doubt: str = ""

    @property
    def filled(self) -> int:
        """Times of the grid that have no row."""
        return sum(int(steps[-1]) + 1 - len(steps) for steps in self.steps)

    @property
    def share(self) -> float:
        return self.filled / sum(int(steps[-1]) + 1 for steps in self.steps)


def groups(keys: Sequence[Cells], rows: int) -> tuple[np.ndarray, ...]:
    """Row numbers of each run, in the order in which the runs first appear."""
    if not keys:
        return (np.arange(rows),)
    frame = pd.DataFrame({i: cells.values for i, cells in enumerate(keys)})
    ids = frame.groupby(list(frame.columns), sort=False).ngroup().to_numpy()
    order = np.argsort(ids, kind="stable")
    return tuple(np.split(order, np.flatnonzero(np.diff(ids[order])) + 1))


def by_row(runs: Sequence[np.ndarray], start: int, step: int, in_index: bool) -> Layout:
    """The layout of a table without a clock."""
    clock = Clock("row", None, in_index, step=step)
    return Layout(clock, tuple(runs), tuple(np.arange(len(r)) for r in runs), (start,) * len(runs), False)


def by_time(
    times: Times,
    runs: Sequence[np.ndarray],
    columns: Sequence[Cells],
    hints: Sequence[str | int | float] = (),
) -> Layout:
    """Sort by time and find the step.

    Args:
        columns: those that may tell runs apart, for the advice in an error.
        hints: steps to be tried first.

    Raises:
        DataError: times occur twice in a run, or are not evenly spaced.
    """
    rank = pd.Index(times.values).argsort(kind="stable") if not times.values.is_monotonic_increasing else None
    ordered = [rows if rank is None else _sorted(times, rows) for rows in runs]
    _refuse_copies(times, ordered, columns)
    values = [times.values[rows] for rows in ordered]
    grid = find(times.clock, values, hints)
    if grid is None:
        raise _uneven(times, ordered, columns)
    starts = tuple(v[0] for v in values)
    moved = any(not np.array_equal(a, b) for a, b in zip(ordered, runs, strict=True))
    return Layout(anchored(grid.clock, min(starts)), tuple(ordered), grid.steps, starts, moved)


def _sorted(times: Times, rows: np.ndarray) -> np.ndarray:
    return rows[np.asarray(times.values[rows].argsort(kind="stable"))]


def _refuse_copies(times: Times, ordered: Sequence[np.ndarray], columns: Sequence[Cells]) -> None:
    copies: list[int] = []
    for rows in ordered:
        values = times.values[rows]
        if not values.is_unique:
            copies += rows[1:][np.asarray(values[1:] == values[:-1])].tolist()
    if not copies:
        return
    shown = list(dict.fromkeys(str(show(times, row)) for row in copies))
    found = telling_apart(times, columns) or _blocks_with(times, columns)
    advice = " ".join(f"--run {name}" for name in found)
    cure = f"if rows belong to several runs, use {advice}" if advice else "drop the copies"
    cure += _pivot(times, columns)
    if not advice and _clocks_went_back(times.values[copies]):
        cure = "if the clocks go back there, write the times in UTC or with their offset, such as 02:00+01:00"
    first = ", ".join(f"'{text}'" for text in shown[:3])
    if len(shown) == 1:
        raise DataError(f"1 time in {times.clock.called} occurs more than once ({first}): {cure}.")
    raise DataError(f"{len(shown)} times in {times.clock.called} occur more than once, first {first}: {cure}.")


def _clocks_went_back(copies: pd.Index) -> bool:
    """Whether all times that occur twice lie in the small hours of Sundays and have no time zone."""
    if not isinstance(copies, pd.DatetimeIndex) or copies.tz is not None:
        return False
    return bool(np.all((copies.day_of_week == 6) & (copies.hour <= 3)) and np.any(copies.hour > 0))


def _pivot(times: Times, columns: Sequence[Cells]) -> str:
    """What to do with a table of one row for each tag and time."""
    rest = [c for c in columns if c.name != times.cells.name]
    tags, values = ([c for c in rest if c.form == form] for form in ("text", "number"))
    if len(rest) != 2 or not tags or not values:
        return ""
    names = f"index='{times.cells.name}', columns='{tags[0].name}', values='{values[0].name}'"
    return f"; if '{tags[0].name}' names tags of one plant, give each a column first: frame.pivot({names})"


def show(times: Times, row: int) -> object:
    """A time as the user wrote it."""
    cells = times.cells
    if cells.form == "text":
        return cells.levels[int(cells.values[row])]
    if cells.form == "time":
        return times.values[row]
    return int(cells.values[row]) if cells.whole else float(cells.values[row])


def telling_apart(times: Times, columns: Sequence[Cells]) -> tuple[str, ...]:
    """The columns whose values together make each time occur once, with labels that go along; () if none."""
    ranks = pd.factorize(times.values)[0]
    if 2 * (ranks.max() + 1) > len(ranks):  # a few copies are mistakes, not runs
        return ()
    usable = [c for c in columns if c.name != times.cells.name and _may_be_key(c)][:_MOST_KEY_COLUMNS]
    frame = pd.DataFrame({"": ranks} | {c.name: c.values for c in usable})
    names = [c.name for c in sorted(usable, key=lambda c: c.form != "text")]
    for size in (1, 2, 3):
        for chosen in combinations(names, size):
            if not frame.duplicated(["", *chosen]).any():
                return _with_companions(frame, usable, chosen)
    return ()


def _blocks_with(times: Times, columns: Sequence[Cells]) -> tuple[str, ...]:
    """The column whose labels follow one another, and within each of which a time occurs once; () if none."""
    frame = pd.DataFrame({"": pd.factorize(times.values)[0]})
    usable = [c for c in columns if c.name != times.cells.name and _may_be_key(c)]
    found = (c for c in usable if _in_blocks(c.values) and not frame.assign(label=c.values).duplicated().any())
    return tuple(c.name for c in found)[:1]


def blocks(columns: Sequence[Cells], rows: np.ndarray, apart: np.ndarray | None = None) -> str:
    """Return the name of a column whose labels may be those of runs that follow one another; empty if there is none.

    Args:
        columns: to be tried: those of text, or of whole numbers.
        rows: of the table, in order.
        apart: which of them do not follow the row before; each must then begin a label. None if nothing is apart.
    """
    for cells in columns:
        values = cells.values[rows]
        if _may_be_key(cells) and _in_blocks(values):
            changes = np.append(False, np.diff(values) != 0)
            if apart is None or (apart.any() and not (apart & ~changes).any()):
                return cells.name
    return ""


def _in_blocks(values: np.ndarray) -> bool:
    """Whether rows with the same value stand together, and there are several such blocks."""
    count = 1 + int(np.count_nonzero(np.diff(values)))
    return count == len(np.unique(values)) and _LEAST_BLOCKS <= count <= len(values) / _LEAST_ROWS


def _may_be_key(cells: Cells) -> bool:
    if np.isnan(cells.values).any():
        return False
    if cells.form == "number":
        return cells.whole and len(np.unique(cells.values)) <= min(_MOST_KEYS, len(cells) / 2)
    return cells.form == "text" and 2 * len(cells.levels) <= max(len(cells), 16)


def _with_companions(frame: pd.DataFrame, usable: Sequence[Cells], chosen: tuple[str, ...]) -> tuple[str, ...]:
    constant = frame.groupby(list(chosen)).nunique().max()
    along = {c.name for c in usable if c.form == "text" and c.name not in chosen and constant[c.name] == 1}
    return tuple(c.name for c in usable if c.name in along or c.name in chosen)


def _uneven(times: Times, runs: Sequence[np.ndarray], columns: Sequence[Cells]) -> DataError:
    rows = max(runs, key=len)
    values = times.values[rows]
    gaps = values[1:] - values[:-1]
    usual = pd.Series(gaps).mode()[0]
    steps = (_about(times, runs), usual) if times.clock.kind == "datetime" else ()
    even = next((step for step in steps if _jittered(times, step, runs)), None)
    usual = usual if even is None else even
    odd = int(np.argmax(np.asarray(gaps != usual)))
    a, b = show(times, int(rows[odd])), show(times, int(rows[odd + 1]))
    apart = np.append(False, np.asarray(gaps != usual))
    label = blocks([c for c in columns if c.name != times.cells.name], rows, apart) if len(runs) == 1 else ""
    cure = f"if '{label}' tells runs apart, use --run {label}" if label else _cure(times, usual, runs, even is not None)
    return DataError(
        f"The times in {times.clock.called} are not evenly spaced: after '{a}' comes '{b}', and the usual step is "
        f"{step_text(usual)}. Up to half of the rows may be missing, but each time must lie on the grid: {cure}."
    )


def step_text(step: Any) -> str:
    """A step in words, as pandas writes it where it is a time; a text stays as it is."""
    if isinstance(step, str):
        return step
    return freq_text(pd.Timedelta(step)) if isinstance(step, pd.Timedelta | timedelta) else f"{step:g}"


def freq_text(step: pd.Timedelta) -> str:
    """A fixed step as pandas writes it: "15min"."""
    return name(Step("tick", step.value)) if step % pd.Timedelta("1D") else f"{step.days}D"


def _cure(times: Times, usual: Any, runs: Sequence[np.ndarray], jittered: bool) -> str:
    if any(np.any(np.diff(rows) > 1) for rows in runs):
        return "if a run comes back after others, use --condition in place of --run"
    if times.clock.kind != "datetime":
        return "bring the rows to an even step first"
    column, step = times.clock.column, freq_text(usual)
    if column and not times.clock.in_index and jittered:
        return f"round the times first, e.g. frame['{column}'] = frame['{column}'].dt.round('{step}')"
    return f"resample first, e.g. frame.resample('{step}').mean()"


def _about(times: Times, runs: Sequence[np.ndarray]) -> pd.Timedelta:
    """The step in whole days, hours and so on that half of the steps are nearest to."""
    steps = np.concatenate([np.diff(ints(pd.DatetimeIndex(times.values[rows]), "us")) for rows in runs])
    middle = pd.Timedelta(int(np.median(steps)), unit="us")
    for unit in _UNITS:
        whole = middle.round(unit)
        if whole and abs(whole - middle) <= _ROUND * middle:
            return whole
    return middle


def _jittered(times: Times, usual: pd.Timedelta, runs: Sequence[np.ndarray]) -> bool:
    """Whether times lie about an even grid, each nearest to another place of it."""
    own = [pd.DatetimeIndex(times.values[rows]) for rows in runs]
    own = [values if values.tz is None else values.tz_convert("UTC") for values in own]  # no hour is there twice
    rounded = [values.round(usual) for values in own]
    near = all(np.abs(a - b).max() <= usual * _JITTER for a, b in zip(own, rounded, strict=True))
    return near and all(values.is_unique for values in rounded) and find(times.clock, rounded) is not None
