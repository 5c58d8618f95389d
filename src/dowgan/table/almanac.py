"""Columns that the clock tells: a date, the hour, the weekday, a shift or a tariff that follows them.

They are not modelled. Like the clock itself they are built from the times of the rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from zoneinfo import available_timezones

import numpy as np
import pandas as pd

from dowgan.errors import DataError
from dowgan.table.cells import Cells
from dowgan.table.clocks import PARTS, day_formats
from dowgan.table.layout import Layout
from dowgan.table.schema import Column
from dowgan.table.stamps import render

Part = Callable[[pd.DatetimeIndex], np.ndarray]

DATE = "date"  # a column of times at midnight
NUMBERS: dict[str, Part] = {  # a column may be any of these, or as much more or less throughout (months from 0)
    "year": lambda times: times.year.to_numpy(),
    "quarter": lambda times: times.quarter.to_numpy(),
    "month": lambda times: times.month.to_numpy(),
    "week": lambda times: times.isocalendar()["week"].to_numpy(dtype=np.int64),
    "day of the year": lambda times: times.dayofyear.to_numpy(),
    "day": lambda times: times.day.to_numpy(),
    "weekday": lambda times: times.dayofweek.to_numpy(),
    "weekday from Sunday": lambda times: (times.dayofweek.to_numpy() + 1) % 7,
    "hour": lambda times: times.hour.to_numpy(),
    "minute": lambda times: times.minute.to_numpy(),
    "second": lambda times: times.second.to_numpy(),
}
CYCLES: dict[str, tuple[int, str, Part]] = {  # a column may follow any of these: how many, in what, each from 0 on
    "month": (12, "year", lambda times: NUMBERS["month"](times) - 1),
    "weekday": (7, "week", NUMBERS["weekday"]),
    "hour": (24, "day", NUMBERS["hour"]),
    "hour of the week": (168, "week", lambda times: 24 * NUMBERS["weekday"](times) + NUMBERS["hour"](times)),
    "minute of the day": (1440, "day", lambda times: 60 * NUMBERS["hour"](times) + NUMBERS["minute"](times)),
}
USUAL = ("Etc/UTC", "Europe/Berlin", "America/New_York", "America/Chicago", "America/Los_Angeles")  # tried first
CYCLES_SEEN = 3  # in which each hour, weekday and so on has the same value, before a column is taken to follow it
MOST_FOLLOWED = 12  # different values of such a column
MOST_HOURS = 3  # of one that is a schedule: on and off, three shifts
SEEN = 20  # rows of each of them, at least
LASTS = 3.0  # rows of a mean stretch of one of them, at least


def numbers(column: Column, times: pd.DatetimeIndex) -> np.ndarray:
    """The values [N] of a column that the clock tells, but for dates: numbers, or level numbers of a category."""
    times = local(times, column.zone)
    if column.codes:
        return np.array(column.codes)[CYCLES[column.told][2](times)]
    return NUMBERS[column.told](times) + float(column.value)  # type: ignore[arg-type]


def local(times: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """The times by which a column goes: those of a zone on its own clocks, or as they are for ""."""
    return _in_zone(times, zone).tz_localize(None) if zone else times


def _in_zone(times: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """Times in a zone; those of none are in UTC."""
    return (times if times.tz else times.tz_localize("UTC")).tz_convert(zone)


def is_text(column: Column) -> bool:
    """Whether the clock tells a column as a date, or as text in a format of its own."""
    return column.told == DATE or column.told.startswith("%")


def find(columns: Sequence[Cells], placed: Layout) -> dict[str, Column]:
    """Find columns that the clock tells, unless nothing that varies would be left beside them.

    Args:
        columns: those that are neither the clock, nor runs or conditions.
    """
    if placed.clock.kind != "datetime":
        return {}
    times = times_of(placed)
    found: dict[str, Column] = {}
    for zone in dict.fromkeys(("", _zone(columns, times))):
        told = {cells.name: _told(cells, local(times, zone)) for cells in columns}
        found |= {name: replace(column, zone=zone) for name, column in told.items() if column is not None}
    left = [c for c in columns if c.name not in found and c.form in ("number", "boolean")]
    if any(len(np.unique(cells.values[~np.isnan(cells.values)])) > 1 for cells in left):
        return found
    return {name: column for name, column in found.items() if name in placed.clock.parts}


def again(
    model: Sequence[Column], columns: Sequence[Cells], placed: Layout, lenient: bool
) -> tuple[dict[str, Column], list[str]]:
    """A model's columns that the clock tells, as another table holds them, and notes.

    Args:
        lenient: say where cells differ from what the clock tells, instead of raising.

    Raises:
        DataError: a cell differs.
    """
    told = {column.name: column for column in model if column.told}
    found, notes = {}, []
    times = times_of(placed) if told else pd.DatetimeIndex([])
    for cells in (c for c in columns if c.name in told):
        column = told[cells.name]
        wrong = np.flatnonzero(~_same(column, cells, times))
        if len(wrong):
            what = f"'{column.name}' follows the clock in the model's table and not in this one"
            if not lenient:
                raise DataError(f"{what}, first in row {wrong[0] + 1}: mend it, or fit a new model.")
            notes.append(f"{what}, in {len(wrong)} rows")
        found[column.name] = replace(column, dtype=cells.dtype)
    return found, notes


def times_of(placed: Layout) -> pd.DatetimeIndex:
    """The time of each row [N] in the order of the table."""
    parts = [placed.clock.at(start, steps) for start, steps in zip(placed.starts, placed.steps, strict=True)]
    times = pd.DatetimeIndex(parts[0].append(parts[1:]))
    return times[np.argsort(np.concatenate(placed.rows))]


def _told(cells: Cells, times: pd.DatetimeIndex) -> Column | None:
    """The column if the clock tells all of its cells."""
    if np.isnan(cells.values).any() or (cells.times is not None and cells.times.hasnans):
        return None
    kind = {"number": "integer" if cells.whole else "float", "boolean": "boolean"}.get(cells.form, "category")
    column = Column(
        cells.name, "value", kind, cells.dtype,  # type: ignore[arg-type]
        decimals=cells.decimals if cells.form == "number" else None,
        levels=cells.levels, ordered=cells.ordered, null=cells.null, level_dtype=cells.level_dtype,
    )  # fmt: skip
    if cells.form == "time":
        dated = replace(column, told=DATE)
        return dated if _same(dated, cells, times).all() else None
    if cells.form == "text":
        for text_format in day_formats(cells):
            dated = replace(column, told=text_format, levels=())
            if _same(dated, cells, times).all():
                return dated
    if cells.form == "number" and cells.whole:
        for name in NUMBERS:
            if _is_part(cells, name, times):
                return replace(column, told=name, value=float(cells.values[0] - NUMBERS[name](times[:1])[0]))
    return _following(column, cells.values, times)


def _zone(columns: Sequence[Cells], times: pd.DatetimeIndex) -> str:
    """The zone in which a column called hour is that of the times, "" if it is that already, or in none."""
    utc = _in_zone(times, "UTC")
    for cells in columns:
        if cells.form != "number" or not cells.whole or not _is_called(cells, "hour"):
            continue
        ahead = (cells.values - times.hour.to_numpy()) % 24
        if np.isnan(ahead).any() or not ahead.any() or len(np.unique(ahead)) > 2:
            continue
        few = np.unique([0, len(times) - 1, *np.flatnonzero(np.diff(ahead)), *np.flatnonzero(np.diff(ahead)) + 1])
        if len(few) == 2:  # no clocks changed
            east = round(float((cells.values - utc.hour.to_numpy())[0] + 11) % 24 - 11)
            return f"UTC{east:+03d}:00"
        known = (name for name in sorted(available_timezones()) if "/" in name and not name.startswith("Etc"))
        likely = (zone for zone in (*USUAL, *known) if np.all(utc[few].tz_convert(zone).hour == cells.values[few]))
        return next((zone for zone in likely if np.all(utc.tz_convert(zone).hour == cells.values)), "")
    return ""


def _same(column: Column, cells: Cells, times: pd.DatetimeIndex) -> np.ndarray:
    """Which cells [N] are missing, or as the clock tells them."""
    own = local(times, column.zone)
    if cells.form == "time" or column.told == DATE:
        if cells.times is None:
            return np.zeros(len(cells), bool)
        return np.asarray(cells.times.tz_localize(None) == own.tz_localize(None).normalize()) | cells.times.isna()
    missing = np.isnan(cells.values)
    if not is_text(column):
        due = numbers(column, times)
        if column.kind != "category":
            return missing | (due == cells.values)
        labels = np.array([str(level) for level in column.levels], dtype=object)[due.astype(np.int64)]
    else:
        labels = np.array(render(own, column.told), dtype=object)
    held = np.array([*map(str, cells.levels), ""], dtype=object)
    return missing | (held[np.where(missing, -1, cells.values).astype(np.int64)] == labels)


def _is_part(cells: Cells, name: str, times: pd.DatetimeIndex) -> bool:
    """Whether whole numbers are a part of the times, or as much more or less throughout.

    A part that never begins anew, such as a year or the days of a single year, might as well be counted on: it is
    taken for the part only if the column is called so.
    """
    part = NUMBERS[name](times)
    if np.any(cells.values - part != cells.values[0] - part[0]):
        return False
    return bool(np.any(np.diff(NUMBERS[name](times.unique().sort_values())) < 0)) or _is_called(cells, name)


def _is_called(cells: Cells, part: str) -> bool:
    """Whether a word of a column's name is one for a part of a time."""
    words = cells.name.lower().replace("_", " ").replace("-", " ").split()
    return any(word in PARTS.get(part, ()) for word in words)


def _following(column: Column, values: np.ndarray, times: pd.DatetimeIndex) -> Column | None:
    """The column if its values are always the same in the same hour, weekday or the like."""
    if not 1 < len(np.unique(values)) <= MOST_FOLLOWED:
        return None
    days = (times.tz_localize(None).normalize() - pd.Timestamp("1900-01-01")).days.to_numpy()  # that was a Monday
    cycle = {"year": times.year.to_numpy(), "week": days // 7, "day": days}
    for name, (count, within, part) in CYCLES.items():
        codes = part(times)
        first = np.full(count, np.nan)
        first[codes[::-1]] = values[::-1]
        if np.any(first[codes] != values):
            continue
        seen = np.bincount(np.unique(np.stack([codes, cycle[within]]), axis=1)[0], minlength=count)
        if seen[seen > 0].min() >= CYCLES_SEEN:
            known = np.flatnonzero(seen)
            before = known[np.searchsorted(known, np.arange(count), side="right") - 1]  # of hours that do not occur
            return replace(
                column, told=name, codes=tuple(first[before].tolist()), schedule=_is_schedule(values[np.argsort(times)])
            )
    return None


def _is_schedule(values: np.ndarray) -> bool:
    """Whether few values, in the order of time, last, and each is seen often."""
    seen, changes = np.unique(values, return_counts=True)[1], int(np.count_nonzero(np.diff(values)))
    return len(seen) <= MOST_HOURS and seen.min() >= SEEN and len(values) >= LASTS * (changes + 1)
