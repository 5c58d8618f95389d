"""Steps of the calendar and the arithmetic on them.

A step is one of five kinds: "tick" (a fixed time, on the absolute clock), "day" (whole days, on the wall clock,
so that a local midnight stays midnight when the clocks change), "month" (on the wall clock, by day of the month or
by its end), "business" (Monday to Friday) and "open" (a fixed time, counted over the opening hours of a week alone).
"""

import math
import re
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from dowgan.errors import OptionError
from dowgan.table import opening
from dowgan.table.clock import Clock
from dowgan.table.opening import WEEKDAYS, Hours

UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}  # nanoseconds
TICKS = {"h": 3600 * 10**9, "min": 60 * 10**9, **UNITS}  # from long to short
DAY = 24 * TICKS["h"]
YEAR_DAYS = 365.2425  # mean of the Gregorian calendar
_MONTHS = {"M": 1, "Q": 3, "Y": 12}
_WORDS = {  # what people also write
    "T": "min", "H": "h", "S": "s", "L": "ms", "U": "us", "N": "ns", "d": "D", "w": "W", "M": "MS", "Q": "QS",
    "Y": "YS", "A": "YS", "sec": "s", "second": "s", "minute": "min", "hour": "h", "day": "D", "week": "W",
    "month": "MS", "quarter": "QS", "year": "YS",
}  # fmt: skip
_STEP = re.compile(r"\s*(\d+(?:\.\d+)?)?\s*([A-Za-z]+)(?:-([A-Z]{3}))?\s*")


@dataclass(frozen=True)
class Step:
    """One step of a clock.

    Args:
        count: nanoseconds, days, months or business days, by kind.
        end: whether months are counted by their last day.
        hours: of the week that are open.
    """

    kind: Literal["tick", "day", "month", "business", "open"]
    count: int
    end: bool = False
    hours: Hours = ()


def parse(text: str) -> Step | None:
    """Read a step such as "10min", "2W-MON", "QS", "B", "1h MON-FRI 08:00-20:00"; None if it is none."""
    part, _, rest = text.strip().partition(" ")
    if rest and (hours := opening.parse(rest)) is not None:
        step = parse(part)
        kinds = ("tick", "day")
        return Step("open", step.count * _scale(step), hours=hours) if step is not None and step.kind in kinds else None
    match = _STEP.fullmatch(text)
    if match is None:
        return None
    number, word = float(match[1] or 1), match[2]
    word = _WORDS.get(word, _WORDS.get(word.removesuffix("s"), word)) if word not in TICKS else word
    if word in TICKS:
        count = number * TICKS[word]
        return Step("tick", round(count)) if count >= 1 and count == round(count) else None
    if number != int(number) or number < 1:
        return None
    if word in ("D", "W"):
        return Step("day", int(number) * (7 if word == "W" else 1))
    if word == "B":
        return Step("business", int(number))
    if len(word) == 2 and word[0] in _MONTHS and word[1] in "SE":
        return Step("month", int(number) * _MONTHS[word[0]], word[1] == "E")
    return None


def name(step: Step, weekday: int | None = None) -> str:
    """The shortest text for a step: "90min", "D", "W-MON" (weekday 0 = Monday), "QE", "B", "D MON-SAT"."""
    if step.kind == "open":
        return f"{'D' if step.count == DAY else name(Step('tick', step.count))} {opening.name(step.hours)}"
    if step.kind == "tick":
        unit = next(unit for unit, size in TICKS.items() if step.count % size == 0)
        return f"{step.count // TICKS[unit]}{unit}"
    if step.kind == "business":
        return _times(step.count, "B")
    if step.kind == "day":
        if step.count % 7 == 0 and weekday is not None:
            return _times(step.count // 7, f"W-{WEEKDAYS[weekday]}")
        return _times(step.count, "D")
    letter = next(letter for letter in "YQM" if step.count % _MONTHS[letter] == 0)
    return _times(step.count // _MONTHS[letter], letter + ("E" if step.end else "S"))


def _times(count: int, word: str) -> str:
    return word if count == 1 else f"{count}{word}"


def known(text: object) -> Step:
    """The step that a clock carries."""
    step = parse(str(text))
    assert step is not None, f"{text!r} is no step"
    return step


def at(text: object, divide: int, start: Any, steps: np.ndarray, unit: str) -> pd.DatetimeIndex:
    """The times at whole numbers of steps [N] from start, in the start's time zone.

    Raises:
        OptionError: a time would lie outside the years that the unit can hold.
    """
    step, start = known(text), pd.Timestamp(start)
    _in_range(step, start, steps / divide, unit)
    if divide == 1:
        return _whole(step, start, steps, unit)
    whole, part = np.divmod(steps, divide)
    left, right = _ends(step, start, whole, unit)
    return _absolute(left + (right - left) * part // divide, unit, start.tz)


def _whole(step: Step, start: pd.Timestamp, steps: np.ndarray, unit: str) -> pd.DatetimeIndex:
    one = pd.DatetimeIndex([start])
    if step.kind == "tick":
        values = ints(one, "ns" if step.count % UNITS[unit] else unit)
        return _absolute(values + steps * (step.count // UNITS[unit]), unit, start.tz)
    wall = ints(one.tz_localize(None), unit)
    day = DAY // UNITS[unit]
    if step.kind == "open":
        return _local(opening.at(step.count, step.hours, int(wall[0]), steps, UNITS[unit]), unit, start.tz)
    if step.kind == "day":
        return _local(wall + steps * step.count * day, unit, start.tz)
    date = (wall // day).astype("datetime64[D]")
    if step.kind == "business":
        dates = np.busday_offset(date, steps * step.count, roll="forward")
    else:
        dates = _months(date, steps * step.count, step.end)
    return _local(dates.astype(np.int64) * day + wall % day, unit, start.tz)


def _ends(step: Step, start: pd.Timestamp, whole: np.ndarray, unit: str) -> tuple[np.ndarray, np.ndarray]:
    """The times [N] at which whole steps begin and end: the last one of the day at closing time."""
    left = ints(_whole(step, start, whole, unit), unit)
    if step.kind == "open":
        return left, left + step.count // UNITS[unit]
    return left, ints(_whole(step, start, whole + 1, unit), unit)


def _months(date: np.ndarray, months: np.ndarray, end: bool) -> np.ndarray:
    month = date.astype("datetime64[M]")
    day = (date - month.astype("datetime64[D]")).astype(np.int64)  # [1] from 0
    months = month + months
    first = months.astype("datetime64[D]")
    last = ((months + 1).astype("datetime64[D]") - first).astype(np.int64) - 1
    return first + (last if end else np.minimum(day, last))


def _absolute(values: np.ndarray, unit: str, tz: Any) -> pd.DatetimeIndex:
    index = pd.DatetimeIndex(values.astype(f"datetime64[{unit}]"))
    return index if tz is None else index.tz_localize("UTC").tz_convert(tz)


def _local(values: np.ndarray, unit: str, tz: Any) -> pd.DatetimeIndex:
    """From wall-clock values; an hour that occurs twice is its first, one that does not occur moves forward."""
    index = pd.DatetimeIndex(values.astype(f"datetime64[{unit}]"))
    if tz is None:
        return index
    first = np.ones(len(index), bool)
    return index.tz_localize(tz, ambiguous=first, nonexistent="shift_forward")


def ints(index: pd.DatetimeIndex, unit: str) -> np.ndarray:
    """Absolute times [N] as int64 in a unit, from 1970 on; make the index naive first for the wall clock."""
    naive = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
    return naive.to_numpy().astype(f"datetime64[{unit}]").astype(np.int64)


def same(a: pd.Index, b: pd.Index, unit: str) -> bool:
    """Whether two series of times [N] are the same moments."""
    return np.array_equal(ints(pd.DatetimeIndex(a), unit), ints(pd.DatetimeIndex(b), unit))


def _in_range(step: Step, start: pd.Timestamp, steps: np.ndarray, unit: str) -> None:
    if not len(steps):
        return
    last = 2261 if unit == "ns" else 9999
    end = start.year + float(np.max(steps)) * years(step)
    if end > last or start.year + float(np.min(steps)) * years(step) < (1678 if unit == "ns" else 1):
        raise OptionError(
            f"{len(steps)} steps of {name(step)} from {start.date()} end in the year {end:.0f}, "
            f"and times end in {last}: ask for fewer rows."
        )


def years(step: Step) -> float:
    """Mean length of a step in years."""
    per_year = {"tick": DAY * YEAR_DAYS, "day": YEAR_DAYS, "month": 12.0, "business": 261.0}
    if step.kind == "open":
        return 7 / YEAR_DAYS / opening.per_week(step.count, step.hours)
    return step.count / per_year[step.kind]


def guess(text: object, divide: int, start: Any, times: pd.Index, unit: str) -> np.ndarray:
    """Whole numbers of steps [N] from start to each time, rounded down where a time is off the grid."""
    step, start, index = known(text), pd.Timestamp(start), pd.DatetimeIndex(times)
    whole = _whole_guess(step, start, index, unit)
    if divide == 1:
        return whole
    left, right = _ends(step, start, whole, unit)
    # a part is rounded down when it is built, so it is rounded up here
    return whole * divide - (-(ints(index, unit) - left) * divide // (right - left))


def _whole_guess(step: Step, start: pd.Timestamp, index: pd.DatetimeIndex, unit: str) -> np.ndarray:
    one = pd.DatetimeIndex([start])
    if step.kind == "tick":
        if step.count % UNITS[unit]:
            unit = "ns"
        return (ints(index, unit) - ints(one, unit)) // (step.count // UNITS[unit])
    day = DAY // UNITS[unit]
    wall, origin = ints(index.tz_localize(None), unit), ints(one.tz_localize(None), unit)
    if step.kind == "open":
        return opening.guess(step.count, step.hours, int(origin[0]), wall, UNITS[unit])
    if step.kind == "day":
        return (wall - origin) // (step.count * day)
    dates, date = (wall // day).astype("datetime64[D]"), (origin // day).astype("datetime64[D]")
    if step.kind == "business":
        count = np.busday_count(date, dates)
    else:
        count = (dates.astype("datetime64[M]") - date.astype("datetime64[M]")).astype(np.int64)
    steps = count // step.count
    late = ints(_whole(step, start, steps, unit), unit) > ints(index, unit)
    return steps - late


def finer(clock: Clock, factor: int) -> Clock:
    """A datetime clock with `factor` times as many steps; see Clock.finer."""
    step = known(clock.step)
    if clock.divide > 1:
        return replace(clock, divide=clock.divide * factor, freq=None)
    if step.kind in ("tick", "open") or (step.kind == "day" and fixed(clock.tz)):
        total = step.count * _scale(step)
        if total % factor == 0:
            part = total // factor
            if step.kind == "open":
                return _with_step(clock, replace(step, count=part))
            whole = step.kind == "day" and part % DAY == 0
            return _with_step(clock, Step("day", part // DAY) if whole else Step("tick", part))
        unit = "ns" if clock.unit == "ns" else "us"
        return replace(clock, divide=factor, unit=unit, freq=None)
    common = math.gcd(step.count, factor)
    clock = _with_step(clock, replace(step, count=step.count // common)) if common > 1 else clock
    if factor == common:
        return clock
    unit = "us" if clock.unit in ("s", "ms") else clock.unit
    return replace(clock, divide=factor // common, unit=unit, freq=None)


def _with_step(clock: Clock, step: Step) -> Clock:
    unit = clock.unit
    if step.kind in ("tick", "open"):
        fine = next(unit for unit, size in UNITS.items() if step.count % size == 0)
        unit = max(unit, fine, key=list(UNITS).index)
    text = name(step)
    return replace(clock, step=text, unit=unit, freq=text if clock.freq and not step.hours else None)


def fixed(tz: str | None) -> bool:
    """Whether a time zone never changes its clocks."""
    return tz is None or tz.startswith("UTC") or tz in ("GMT", "Etc/UTC")


def ratio(coarse: Step, fine: Step) -> int | None:
    """How many fine steps make a coarse one, None if that is no whole number."""
    kinds = {coarse.kind, fine.kind}
    if fine.kind == "open" and coarse.hours != fine.hours:
        return None
    if kinds in ({"tick", "day"}, {"tick", "open"}) or len(kinds) == 1:
        a, b = (s.count * (DAY if s.kind == "day" and "tick" in kinds else 1) for s in (coarse, fine))
        return a // b if a % b == 0 else None
    return None


def counted_like(text: object, model: object) -> str:
    """A step as a model counts it: whole weeks are five business days each where the model has these."""
    step, weekend = known(text), str(text).endswith(WEEKDAYS[5:])
    if step.kind == "day" and step.count % 7 == 0 and known(model).kind == "business" and not weekend:
        return name(Step("business", step.count // 7 * 5))
    return str(text)


def factor(text: object, divide: int, every: str) -> int:
    """How many steps of `every` make one step; see Clock.factor."""
    step, part = known(text), parse(every)
    if part is None:
        raise OptionError(f"'{every}' is no step of time; write a number and a unit, such as 10min, 1h, 1D, 1W or 1MS.")
    count = ratio(step, part) if divide == 1 else None
    if count is None:
        raise OptionError(
            f"'{every}' does not divide the step of {text} into equal parts; allowed are {_allowed(step)}."
        )
    return count


def _allowed(step: Step) -> str:
    if step.kind == "business":
        return "whole factors only: use --factor"
    counts = [k for k in (2, 3, 4, 5, 6, 7, 10, 12, 24) if (step.count * _scale(step)) % k == 0]
    parts = [name(_part(step, k)) for k in counts[:5]]
    return f"{', '.join(parts)} or another part" if parts else "whole factors only: use --factor"


def _scale(step: Step) -> int:
    return DAY if step.kind == "day" else 1


def _part(step: Step, k: int) -> Step:
    if step.kind == "month":
        return replace(step, count=step.count // k)
    total = step.count * _scale(step) // k
    return Step("day", total // DAY) if total % DAY == 0 else Step("tick", total)


def seasons(text: object, divide: int) -> tuple[float, ...]:
    """Calendar seasons in steps: day, week and year for ticks, week and year for days, the year else."""
    step = known(text)
    if step.kind == "business":
        return tuple(p * divide / step.count for p in (5.0, 261.0) if p / step.count > 1.5)
    if step.kind == "month":
        return (12.0 * divide / step.count,) if step.count < 12 else ()
    if step.kind == "open":
        day, week = opening.per_day(step.count, step.hours), float(opening.per_week(step.count, step.hours))
        turns = [n * divide for n in (day, week, week * YEAR_DAYS / 7) if n is not None]
        return tuple(float(f"{turn:.6g}") for turn in turns if 1.5 < turn <= 100_000)
    days = step.count / (DAY if step.kind == "tick" else 1) / divide  # days per step
    year = YEAR_DAYS if step.kind == "day" else 365.25
    lengths = [1 / 24, 1.0, 7.0, year] if days < 1 / 1440 else [1.0, 7.0, year]
    limits = {1.0: 100_000}
    found = (length / days for length in lengths if 1.5 < length / days <= limits.get(length, 20_000))
    return tuple(float(f"{period:.6g}") for period in found)


def stamp(value: Any, tz: str | None, unit: str) -> pd.Timestamp:
    """A time from text, in a time zone; text with an offset of its own is converted."""
    time = pd.Timestamp(value)
    if time is pd.NaT:
        raise ValueError("no time")
    if tz is not None:
        local = time.tz is None
        time = time.tz_localize(tz, True, "shift_forward") if local else time.tz_convert(tz)
    return time.as_unit(cast(Any, unit))
