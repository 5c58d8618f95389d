"""The step of a clock: found as the widest even grid on which all times lie, at least half of it filled."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from dowgan.table import opening
from dowgan.table.calendar import DAY, UNITS, Step, fixed, ints, known, name
from dowgan.table.clock import Clock, _decimals

MOST_MISSING = 0.5  # share of the grid that may lack its row


@dataclass(frozen=True, eq=False)
class Grid:
    """A clock and, for each run, the steps [T] from its first time to each of its times."""

    clock: Clock
    steps: tuple[np.ndarray, ...]

    @property
    def missing(self) -> int:
        """Times of the grid that have no row."""
        return sum(int(steps[-1]) + 1 - len(steps) for steps in self.steps)

    @property
    def share(self) -> float:
        """Share of the grid that has no row."""
        return self.missing / sum(int(steps[-1]) + 1 for steps in self.steps)


def find(clock: Clock, runs: Sequence[pd.Index], hints: Sequence[str | int | float] = ()) -> Grid | None:
    """Find the step of a clock whose other fields are known.

    Args:
        clock: kind, column, time zone and so on; its step does not matter.
        runs: strictly rising times [T] of each run.
        hints: steps to be tried first; the first that leaves no time off the grid is taken.

    Returns:
        None if the times lie on no grid of which at least half is filled.
    """
    for hint in hints:
        if isinstance(hint, str) != (clock.kind == "datetime"):
            continue
        grid = fit(replace(clock, step=hint), runs)
        if grid is not None and grid.share <= MOST_MISSING:
            return grid
    candidates = {"datetime": _calendar, "integer": _integer, "float": _float}[clock.kind]
    best: Grid | None = None
    for trial in candidates(clock, runs):
        grid = fit(trial, runs)
        if grid is not None and (best is None or grid.share < best.share):
            best = grid
            if grid.missing == 0:
                break
    return best if best is not None and best.share <= MOST_MISSING else None


def fit(clock: Clock, runs: Sequence[pd.Index], together: bool | None = None) -> Grid | None:
    """The positions of all times on a clock, None if one is off its grid.

    Args:
        together: try whether all runs lie on one grid, on which they are placed in one go; None where that tells all.
    """
    together = clock.even if together is None else together
    alike: dict[object, list[int]] = {}
    for i, times in enumerate(runs):
        alike.setdefault(None if together else times[0], []).append(i)
    steps: list[np.ndarray] = [np.zeros(0, np.int64)] * len(runs)
    for members in alike.values():  # runs that are placed together are placed faster
        first, *rest = (runs[i] for i in members)
        positions = clock.positions(min(runs[i][0] for i in members), first.append(rest))
        if positions is None and together:
            return fit(clock, runs, together=False)
        if positions is None:
            return None
        ends = np.cumsum([len(runs[i]) for i in members])[:-1]
        for i, part in zip(members, np.split(positions, ends), strict=True):
            steps[i] = part - part[0]
    return Grid(clock, tuple(steps))


def _pooled(runs: Sequence[pd.Index], values: Callable[[pd.Index], np.ndarray]) -> np.ndarray:
    """Differences of neighbouring times within runs."""
    return np.concatenate([np.zeros(0, np.int64), *(np.diff(values(times)) for times in runs)])


def _gcd(steps: np.ndarray) -> int:
    return int(np.gcd.reduce(steps)) if len(steps) else 0


def _integer(clock: Clock, runs: Sequence[pd.Index]) -> Iterator[Clock]:
    step = _gcd(_pooled(runs, lambda times: np.asarray(times, np.int64)))
    yield replace(clock, step=step or 1)


def _float(clock: Clock, runs: Sequence[pd.Index]) -> Iterator[Clock]:
    """Steps that give back the very floats come first."""
    longest = max(runs, key=len)
    values = np.asarray(longest, float)
    gaps = np.diff(values)
    if not len(gaps):
        return
    smallest = float(np.min(gaps))
    mean = float((values[-1] - values[0]) / max(np.sum(np.rint(gaps / smallest)), 1))
    simple = float(Fraction(mean).limit_denominator(1000))
    trials = [
        simple,
        *(float(f"{mean:.{digits}g}") for digits in (3, 6, 9, 12)),
        smallest,
        float(gaps[0]),
        float(mean),
    ]
    exact = [replace(clock, step=step) for step in dict.fromkeys(trials) if step > 0]
    for trial in exact:
        grid = fit(trial, runs)
        if grid is not None and all(
            np.array_equal(np.asarray(trial.at(t[0], s)), np.asarray(t)) for t, s in zip(runs, grid.steps, strict=True)
        ):
            yield trial
            return
    yield from (replace(trial, decimals=_decimals(float(trial.step), clock.decimals or 0)) for trial in exact[::-1])


def _calendar(clock: Clock, runs: Sequence[pd.Index]) -> Iterator[Clock]:
    """Whole days of the wall clock, months, fixed times, business days; only those with a chance."""
    unit = clock.unit
    first = runs[0][0]
    wall = _pooled(runs, lambda times: ints(pd.DatetimeIndex(times).tz_localize(None), unit))
    days = DAY // UNITS[unit]
    if len(wall) and _gcd(wall) and _gcd(wall) % days == 0:
        yield replace(clock, step=name(Step("day", _gcd(wall) // days), first.weekday()))
    yield from (replace(clock, step=name(step)) for step in _month_steps(runs))
    ticks = _gcd(_pooled(runs, lambda times: ints(pd.DatetimeIndex(times), unit)))
    if ticks:
        yield replace(clock, step=name(Step("tick", ticks * UNITS[unit])))
    if all(np.all(pd.DatetimeIndex(times).day_of_week < 5) for times in runs):
        business = _gcd(_pooled(runs, _business_days))
        yield replace(clock, step=name(Step("business", business or 1)))
    step = (days if len(wall) and _gcd(wall) == days else ticks) * UNITS[unit]
    walls = [ints(pd.DatetimeIndex(times).tz_localize(None), unit) * UNITS[unit] for times in runs]
    for hours in opening.find(walls, step) if step else ():
        if not fixed(clock.tz) and opening.at_changes(step, hours):
            continue
        yield replace(clock, step=name(Step("open", step, hours=hours)))


def _business_days(times: pd.Index) -> np.ndarray:
    dates = pd.DatetimeIndex(times).tz_localize(None).to_numpy().astype("datetime64[D]")
    return np.busday_count(dates[0], dates)


def _month_numbers(times: pd.Index) -> np.ndarray:
    index = pd.DatetimeIndex(times)
    return np.asarray(index.year * 12 + index.month, np.int64)


def _month_steps(runs: Sequence[pd.Index]) -> Iterator[Step]:
    indices = [pd.DatetimeIndex(times) for times in runs]
    months = _gcd(_pooled(runs, _month_numbers))
    if not months:
        return
    if all(np.all(times.is_month_end) for times in indices):
        yield Step("month", months, end=True)
    else:
        yield Step("month", months)


def anchored(clock: Clock, first: Any) -> Clock:
    """The clock with a weekly step named after the weekday of the first time."""
    if clock.kind != "datetime":
        return clock
    return replace(clock, step=name(known(clock.step), pd.Timestamp(first).weekday()))
