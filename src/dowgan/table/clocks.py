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
_RISING = 0.9  # share of the rows that are above the one before
_SINCE = frozenset(("hours", "days", "minutes", "weeks"))  # of a run so far, if they rise; else they may be anything
_SURE = frozenset(("time", "date", "datetime", "timestamp", "elapsed", "zeit", "datum"))
PARTS = {  # what columns that hold parts of a time are called
    "year": ("year", "yr", "yyyy", "jahr"),
    "quarter": ("quarter", "qtr", "quartal"),
    "month": ("month", "mnth", "mon", "mo", "monat"),
    "week": ("week", "kw", "isoweek"),
    "day of the year": ("doy", "yday", "dayofyear", "day_of_year"),
    "day": ("day", "dy", "mday", "dom", "tag"),
    "weekday": ("weekday", "wday", "dow", "dayofweek", "day_of_week", "wochentag"),
    "hour": ("hour", "hr", "hh", "stunde", "hour ending", "hour_ending", "hourending", "he"),
    "minute": ("minute", "min"),
    "second": ("second", "sec"),
}
LEAP = 2000  # a leap year, behind which three follow that are none
MOST_DAY_OF_FEBRUARY = 29
_JOINED = ("year", "quarter", "month", "day of the year", "day", "hour", "minute", "second")  # in this order
MOST_HOUR = 23
_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  # whole numbers that are dates, by digits
_HOUR = re.compile(r"\s*\d{1,2}[:.]\d{2}(?:[:.]\d{2}(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?\s*")


@dataclass(frozen=True, eq=False)
class Times:
    """One way to read a column as the clock: the clock without its step, its values [N], and how they stand there."""

    clock: Clock
    values: pd.Index
    cells: Cells


def named(name: str, words: frozenset[str] = _HINTS) -> bool:
    """Whether a column's name says time."""
    tokens = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    return any(token in words for token in tokens) or not name.strip()


def _counts_up(cells: Cells) -> bool:
    """Whether a column counts hours, days and so on: it rises from row to row, but where another run begins."""
    return named(cells.name, _SINCE) and float(np.mean(np.diff(cells.values) > 0)) > _RISING


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


def joined(columns: Sequence[Cells], first_hour: float | None = None) -> tuple[Times, ...]:
    """The readings of columns that hold a clock together, none of them missing a cell.

    Args:
        first_hour: the number of the hour after midnight; None to find it out.
    """
    return _from_halves(columns) or _from_dates(columns, first_hour) or _from_parts(columns, first_hour)


def _from_halves(columns: Sequence[Cells]) -> tuple[Times, ...]:
    """The readings of dates in one column and times of day in another."""
    hours = next((c for c in columns if c.form == "text" and all(map(_HOUR.fullmatch, map(str, c.levels)))), None)
    dates = next((c for c in columns if c.form == "text" and c is not hours and _is_date(c)), None)
    if hours is None or dates is None:
        return ()
    rows = zip(dates.values.astype(int), hours.values.astype(int), strict=True)
    found = readings([f"{dates.levels[day]} {str(hours.levels[hour]).strip()}" for day, hour in rows])
    return tuple(_together((dates.name, hours.name), reading.times) for reading in found)


def _from_dates(columns: Sequence[Cells], first_hour: float | None = None) -> tuple[Times, ...]:
    """The readings of dates in one column and the number of the hour in another, as markets of power write them."""
    hours = next((cells for cells in columns if _is_part(cells, "hour")), None)
    dates = next((cells for cells in columns if cells.form == "text" and _is_date(cells)), None)
    if hours is None or dates is None:
        return ()
    values = _from_midnight(hours.values, first_hour)
    if values.min() < 0 or values.max() > MOST_HOUR:
        return ()
    past = pd.to_timedelta(values, unit="h")
    found = readings([str(level) for level in dates.levels])
    days = (reading.times[dates.values.astype(int)] for reading in found)
    return tuple(_together((dates.name, hours.name), day + past) for day in days if day.tz is None)


def _is_part(cells: Cells, part: str) -> bool:
    """Whether a column of whole numbers is called as such a part of a time."""
    return cells.form == "number" and cells.whole and cells.name.strip().lower() in PARTS[part]


def _from_midnight(hours: np.ndarray, first_hour: float | None) -> np.ndarray:
    """Hours [N] from midnight on; they may go from 1 to 24."""
    late = hours.max() == MOST_HOUR + 1 and hours.min() >= 1
    return hours - (float(late) if first_hour is None else first_hour)


def _is_date(cells: Cells) -> bool:
    return bool(readings([str(level) for level in cells.levels[:1]])) and ":" not in str(cells.levels[0])


def _together(names: tuple[str, ...], times: pd.DatetimeIndex) -> Times:
    cells = Cells("", "time", np.zeros(len(times)), str(times.dtype), times=times)
    return Times(Clock("datetime", unit=times.unit, parts=names), times, cells)


def _from_parts(columns: Sequence[Cells], first_hour: float | None = None) -> tuple[Times, ...]:
    """The reading of whole years and what divides them, each in a column of its own; hours may go from 1 to 24.

    Where month and day stand alone, some year is taken.
    """
    found = {part: cells for part in PARTS for cells in columns if part in _JOINED and _is_part(cells, part)}
    held = {part: cells.values for part, cells in found.items()}
    if "year" not in found and {"month", "day"} <= set(found):
        held["year"] = _some_years(held["month"], held["day"])
    if "year" not in held or not {"month", "day of the year", "quarter"} & set(found):
        return ()
    if "hour" in held:
        held["hour"] = _from_midnight(held["hour"], first_hour)
    first = np.ones(len(held["year"]))
    month = held.get("month", 3 * held.get("quarter", first) - 2)
    frame = pd.DataFrame({"year": held["year"], "month": month, "day": held.get("day", first)})
    dates = pd.to_datetime(frame, errors="coerce")
    if "month" not in held and "day of the year" in held:
        dates += pd.to_timedelta(held["day of the year"] - 1, unit="D")
    seconds = np.zeros(len(first))
    for part, most, size in (("hour", MOST_HOUR, 3600), ("minute", 59, 60), ("second", 59, 1)):
        values = held.get(part, 0 * first)
        if values.min() < 0 or values.max() > most:
            return ()
        seconds += values * size
    times = pd.DatetimeIndex(dates + pd.to_timedelta(seconds, unit="s")).as_unit("us")
    return () if times.hasnans else (_together(tuple(found[part].name for part in _JOINED if part in found), times),)


def _some_years(month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """A year for each row [N]: one more where months begin anew, and a leap year for a 29th of February."""
    passed = np.cumsum(np.append(0, np.diff(month) < 0))
    leap = passed[(month == 2) & (day == MOST_DAY_OF_FEBRUARY)]
    return passed + (LEAP - leap[0] if len(leap) else LEAP + 1)


def day_formats(cells: Cells) -> Iterator[str]:
    """The formats in which labels may be dates, times, or times of day alone."""
    levels = [str(level) for level in cells.levels]
    for day in ("", "2000-01-01 "):
        if readings([day + text for text in levels[:1]]):
            for reading in readings([day + text for text in levels]):
                yield reading.text_format.removeprefix("%Y-%m-%d ") if day else reading.text_format


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
    for sure, together in ((True, _from_halves(full)), (False, _from_dates(full)), (False, _from_parts(full))):
        if together:
            yield sure, together
    for cells in full:
        if cells.form == "number" and (named(cells.name) or _counts_up(cells)):
            yield surely_named(cells.name), times_of(cells)
    for cells in full:
        if cells.form == "number" and not named(cells.name):
            dates = tuple(_from_digits(Clock("datetime", cells.name), cells))
            if dates:
                yield False, dates
