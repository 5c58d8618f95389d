"""Clocks that stand at night or on some weekdays: the rows of a shop, of office hours, of a trading floor.

Such a clock has a step and the hours of the week in which it goes, from each opening on up to closing time. Times are
on the wall clock, and whole numbers of steps are counted over the open hours alone.

Shapes: N times, S steps of a week, K steps of a day.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Int

SECOND = 10**9  # nanoseconds
DAY = 86_400 * SECOND
WEEK = 7 * DAY
MONDAY = 4 * DAY  # the first one after the start of 1970
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
WEEKEND = 5  # first day of it
FEW_WEEKS = 3  # without a row of a weekday: fewer may be chance
FEW_DAYS = 5  # the same of an hour of the day
CLOSED = 0.1  # share of the times of day and night that are closed, at least
TOLD = 0.5  # share of the missing times that the closed ones are, at least
OWN_HOURS = 0.02  # share of the times that hours of each weekday's own leave out beside common ones, at least
MOST_RANGES = 4  # of a day
CHANGES = (3_600, 4 * 3_600)  # seconds of the day in which clocks are changed
MOST_STEPS = 604_800  # of a week: a second
MOST_TIMES = 100  # times of day and night for each row, beyond which there is no grid
_DAYS = re.compile(r"([A-Z]{3})(?:-([A-Z]{3}))?")
_RANGE = re.compile(r"(\d\d):(\d\d)(?::(\d\d))?-(\d\d):(\d\d)(?::(\d\d))?")

Hours = tuple[tuple[int, int], ...]  # ranges of the week in nanoseconds from Monday 00:00 on, each without its end


def parse(text: str) -> Hours | None:
    """Read hours such as "MON-FRI 08:00-12:00 13:00-17:00, SAT", where Saturday is open all day; None if it is none."""
    ranges: list[tuple[int, int]] = []
    for group in text.split(","):
        days, *spans = group.split() or [""]
        match = _DAYS.fullmatch(days)
        if match is None or not {*filter(None, match.groups())} <= {*WEEKDAYS}:
            return None
        first = WEEKDAYS.index(match[1])
        last = WEEKDAYS.index(match[2] or match[1])
        found = [_RANGE.fullmatch(span) for span in spans]
        if not all(found):
            return None
        ends = [[int(part or 0) for part in span.groups()] for span in found if span is not None]
        within = [(_clock(*end[:3]), _clock(*end[3:])) for end in ends] or [(0, DAY)]
        ranges += [(day * DAY + a, day * DAY + b) for day in range(first, last + 1) for a, b in within]
    return tuple(sorted(ranges))


def _clock(hours: int, minutes: int, seconds: int) -> int:
    return (hours * 3600 + minutes * 60 + seconds) * SECOND


def name(hours: Hours) -> str:
    """The shortest text for hours of the week."""
    by_day = [tuple((a % DAY, a % DAY + b - a) for a, b in hours if a // DAY == day) for day in range(7)]
    groups: list[str] = []
    day = 0
    while day < 7:
        last = day
        while last < 6 and by_day[last + 1] == by_day[day]:
            last += 1
        if by_day[day]:
            days = WEEKDAYS[day] if last == day else f"{WEEKDAYS[day]}-{WEEKDAYS[last]}"
            spans = [f"{_written(a)}-{_written(b)}" for a, b in by_day[day] if b - a < DAY or a]
            groups.append(" ".join((days, *spans)))
        day = last + 1
    return ", ".join(groups)


def _written(time: int) -> str:
    minutes, seconds = divmod(time // SECOND, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}" + (f":{seconds:02d}" if seconds else "")


@lru_cache(maxsize=64)
def _slots(step: int, hours: Hours, unit: int) -> Int[np.ndarray, " S"]:
    """The times of a week from Monday 00:00 on, in a unit of so many nanoseconds."""
    return np.concatenate([np.arange(a, b, step) for a, b in hours]) // unit


def per_week(step: int, hours: Hours) -> int:
    """Steps of a week."""
    return len(_slots(step, hours, 1))


def per_day(step: int, hours: Hours) -> float | None:
    """Steps of an open day, None if days differ."""
    days = np.unique(_slots(step, hours, 1) // DAY, return_counts=True)[1]
    return float(days[0]) if np.ptp(days) == 0 else None


def at_changes(step: int, hours: Hours) -> bool:
    """Whether a clock goes in the small hours, in which others are changed: one may be missing there, or come twice."""
    time = _slots(step, hours, SECOND) % 86_400
    return bool(np.any((time >= CHANGES[0]) & (time < CHANGES[1])))


def at(step: int, hours: Hours, start: int, steps: Int[np.ndarray, " N"], unit: int) -> Int[np.ndarray, " N"]:
    """The wall-clock times at whole numbers of steps from start, or from the next opening where it is closed then."""
    slots = _slots(step, hours, unit)
    week, place = np.divmod(_first(slots, start, unit) + steps, len(slots))
    return MONDAY // unit + week * (WEEK // unit) + slots[place]


def guess(step: int, hours: Hours, start: int, times: Int[np.ndarray, " N"], unit: int) -> Int[np.ndarray, " N"]:
    """Whole numbers of steps from start to wall-clock times, rounded down where one is off the grid or closed."""
    slots = _slots(step, hours, unit)
    week, within = np.divmod(times - MONDAY // unit, WEEK // unit)
    return week * len(slots) + np.searchsorted(slots, within, side="right") - 1 - _first(slots, start, unit)


def _first(slots: Int[np.ndarray, " S"], start: int, unit: int) -> int:
    """The number of the first time from start on, counted from the Monday."""
    week, within = divmod(start - MONDAY // unit, WEEK // unit)
    return week * len(slots) + int(np.searchsorted(slots, within))


def find(runs: Sequence[Int[np.ndarray, " _N"]], step: int) -> Iterator[Hours]:
    """The hours in which a clock goes: those that the same on all open days tell, and each weekday's own.

    Args:
        runs: wall-clock times of each run in nanoseconds, sorted.
        step: the widest on which all of them lie.
    """
    times = np.concatenate(list(runs))
    phase, total = int(times[0]) % step, sum(int(run[-1] - run[0]) // step + 1 for run in runs)
    longest = max(int(run[-1] - run[0]) for run in runs)
    if longest < FEW_DAYS * DAY or WEEK // step > MOST_STEPS or total > MOST_TIMES * len(times):
        return
    if DAY % step or phase % SECOND or np.any(times % step != phase):
        return
    numbers = (times - MONDAY - phase) // step
    seen = np.bincount(numbers % (WEEK // step), minlength=WEEK // step).reshape(7, -1)
    possible = _possible([((run[[0, -1]] - MONDAY - phase) // step).tolist() for run in runs], step)
    missing = total - len(times)
    weekday = (seen.sum(axis=1) > 0) | (possible.max(axis=1) < FEW_WEEKS)
    weekday[WEEKEND:] &= bool(seen[WEEKEND:].any()) or not possible[WEEKEND:].any()  # one without a row tells
    hour = (seen.sum(axis=0) > 0) | (possible[weekday].sum(axis=0) < FEW_DAYS)
    common = weekday[:, None] & hour
    own = (seen > 0) | (possible <= FEW_WEEKS)
    left = [int(possible[~open_].sum()) for open_ in (common, own)]
    for open_, closed, more in ((common, left[0], CLOSED), (own, left[1], max(CLOSED, left[0] / total + OWN_HOURS))):
        if closed >= more * total and closed >= TOLD * missing and _ranges(open_) <= MOST_RANGES:
            yield _hours(open_, step, phase)


def _possible(ends: Sequence[list[int]], step: int) -> Int[np.ndarray, "7 K"]:
    """How often each step of the week lies between the first and the last one of runs, both with it."""
    each = WEEK // step
    counts = np.zeros(each, dtype=np.int64)
    for first, last in ends:
        weeks, more = divmod(last - first + 1, each)
        counts += weeks
        counts[np.arange(first, first + more) % each] += 1
    return counts.reshape(7, -1)


def _ranges(open_: Bool[np.ndarray, "7 K"]) -> int:
    """The most ranges that a day has."""
    begun = open_ & ~np.hstack([np.zeros((7, 1), dtype=bool), open_[:, :-1]])
    return int(begun.sum(axis=1).max())


def _hours(open_: Bool[np.ndarray, "7 K"], step: int, phase: int) -> Hours:
    out = []
    for day, slots in enumerate(open_):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], slots, [False]]).astype(int)))
        out += [(day * DAY + int(a) * step + phase, day * DAY + int(b) * step + phase) for a, b in edges.reshape(-1, 2)]
    return tuple(out)
