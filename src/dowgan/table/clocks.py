"""Which column is the clock, and how to read it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from dowgan.errors import DataError
from dowgan.table.cells import Cells
from dowgan.table.clock import Clock
from dowgan.table.stamps import readings

_HINTS = frozenset((
    "time", "date", "datetime", "timestamp", "ts", "ds", "t", "when", "year", "month", "day",
    "hour", "minute", "min", "second", "sec", "seconds", "s", "ms", "step", "index", "idx",
    "period", "elapsed", "zeit", "datum", "uhrzeit", "jahr", "fecha", "hora", "epoch", "unix", "unnamed",
))  # fmt: skip
_SURE = frozenset(("time", "date", "datetime", "timestamp", "elapsed", "zeit", "datum"))
_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  # whole numbers that are dates, by digits
_HOUR = re.compile(r"\s*\d{1,2}[:.]\d{2}(?:[:.]\d{2}(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?\s*")


@dataclass(frozen=True, eq=False)
class Times:
    """One way to read a column as the clock: the clock without its step, and its values [N]."""

    clock: Clock
    values: pd.Index
    cells: Cells


def named(name: str, words: frozenset[str] = _HINTS) -> bool:
    """Whether a column's name says time."""
    tokens = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    return any(token in words for token in tokens) or not name.strip()


def surely_named(name: str) -> bool:
    """Whether a column's name leaves no doubt that it is a time."""
    return bool(name.strip()) and named(name, _SURE)


def times_of(cells: Cells, in_index: bool = False) -> tuple[Times, ...]:
    """All ways in which a column without missing cells can be a clock, the likeliest first."""
    clock = Clock("datetime", cells.name, in_index, dtype=cells.dtype if in_index else "")
    if cells.form == "time":
        assert cells.times is not None
        tz = None if cells.times.tz is None else str(cells.times.tz)
        return (Times(replace(clock, tz=tz, unit=cells.times.unit), cells.times, cells),)
    if cells.form == "text":
        return tuple(_from_text(clock, cells))
    if cells.form == "number":
        return (*_from_digits(clock, cells), _from_number(clock, cells))
    return ()


def _from_text(clock: Clock, cells: Cells) -> Iterator[Times]:
    used, codes = np.unique(cells.values.astype(np.int64), return_inverse=True)
    texts = [cells.levels[i] for i in used]
    if not all(isinstance(text, str) for text in texts) or not readings([str(text) for text in texts[:1]]):
        return
    for reading in readings([str(text) for text in texts]):
        tz = None if reading.times.tz is None else str(reading.times.tz)
        stamped = replace(clock, tz=tz, unit=reading.times.unit, text_format=reading.text_format)
        yield Times(stamped, reading.times[codes], cells)


def _from_digits(clock: Clock, cells: Cells) -> Iterator[Times]:
    if not cells.whole or not len(cells):
        return
    low, high = (str(int(v)) for v in (np.min(cells.values), np.max(cells.values)))
    text_format = _COMPACT.get(len(low))
    if text_format is None or len(low) != len(high) or not 1500 <= int(low[:4]) <= int(high[:4]) <= 2300:
        return
    unique, codes = np.unique(cells.values.astype(np.int64), return_inverse=True)
    found = readings([str(v) for v in unique])
    if found:
        stamped = replace(clock, unit=found[0].times.unit, text_format=text_format)
        yield Times(stamped, found[0].times[codes], cells)


def _from_number(clock: Clock, cells: Cells) -> Times:
    if cells.whole:
        return Times(replace(clock, kind="integer", step=1), pd.Index(cells.values.astype(np.int64)), cells)
    return Times(replace(clock, kind="float", step=1.0, decimals=cells.decimals), pd.Index(cells.values), cells)


def asked(cells: Cells) -> tuple[Times, ...]:
    """The readings of the column that the user named as the clock.

    Raises:
        DataError: it is no clock; the text names the first cell that is no time.
    """
    found = times_of(cells)
    if found:
        return found
    first = next((i for i, level in enumerate(cells.levels) if not readings([str(level)])), 0)
    rows = np.flatnonzero(cells.values == first) if cells.form == "text" else np.zeros(1, int)
    shown = cells.levels[first] if cells.form == "text" else bool(cells.values[0])
    raise DataError(
        f"Column '{cells.name}' cannot be the clock: row {rows[0] + 1} holds '{shown}'. A clock holds times such as "
        "2024-01-31 08:00, all written alike, or evenly spaced numbers."
    )


def refuse_split(times: Times, columns: Sequence[Cells]) -> None:
    """Raise a DataError if the column holds dates and another one the time of day."""
    dates = times.values
    if not isinstance(dates, pd.DatetimeIndex) or not bool(np.all(dates == dates.normalize())):
        return
    hours = next((c for c in columns if c.form == "text" and all(map(_HOUR.fullmatch, map(str, c.levels)))), None)
    if hours is not None:
        raise DataError(
            f"Date and time of day stand in two columns, '{times.cells.name}' and '{hours.name}': join them into one, "
            "with times such as 2024-01-31 08:00."
        )


def mostly_times(cells: Cells) -> bool:
    """Whether most labels of a column of text are times."""
    few = [str(cells.levels[int(i)]) for i in np.linspace(0, len(cells.levels) - 1, min(len(cells.levels), 100))]
    return len(few) > 2 and sum(bool(readings([text])) for text in few) > 0.8 * len(few)


def candidates(columns: Sequence[Cells]) -> Iterator[tuple[bool, tuple[Times, ...]]]:
    """Columns that may be the clock, the likeliest first, and whether each must be it if it comes up."""
    full = [cells for cells in columns if len(cells) and not np.isnan(cells.values).any()]
    full.sort(key=lambda cells: not named(cells.name))  # stable: by name first, then by place
    for cells in full:
        if cells.form in ("time", "text"):
            found = times_of(cells)
            if found:
                yield True, found
    for cells in full:
        if cells.form == "number" and named(cells.name):
            yield surely_named(cells.name), times_of(cells)
    for cells in full:
        if cells.form == "number" and not named(cells.name):
            dates = tuple(_from_digits(Clock("datetime", cells.name), cells))
            if dates:
                yield False, dates
