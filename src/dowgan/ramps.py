"""Set-points that are driven from one setting to the next at a steady rate, such as a tenth of a bar a minute.

Where they go to jumps now and then and stands in between; that is drawn, and the way there follows from the rates.

Shapes: T rows, C columns of the table, K driven columns, M combinations of settings of G columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from dowgan.courses import resolution, rounded, tolerance_of
from dowgan.lengths import together
from dowgan.spells import Spells, find_spells, spells_of
from dowgan.stretch import MANY_RUNS, borders, times_at
from dowgan.succession import Timetable, find_timetable
from dowgan.table.schema import Column, Run

STANDS = 5  # rows of one value from which it is a setting and no part of a ramp
MOST_SETTINGS = 8
AT_THEM = 0.3  # share of the rows at settings, at least
RAMPS = 4  # from one setting to another, at least
LONG = 3  # rows of the usual ramp, at least
HIGH = 6.0  # times what rounding may make, that the usual ramp is high, at least
NEAR = 1.5  # times what rounding may make, that a row may be off its ramp
MOSTLY = 0.95  # share of the rows of ramps that must lie so near
TOGETHER = 0.6  # correlation of the rows in which two columns get another setting, from which they do so together
CONFINED = 0.05  # chance that all spells of a regime fall in those of one setting, below which it is no chance


@dataclass(frozen=True)
class Ramp:
    """How a column goes from one setting to the next.

    Attributes:
        place: of the column.
        settings: in order.
        up, down: by how much it changes in a row.
        decimals: that it has, None for all that a float has.
    """

    place: int
    settings: tuple[float, ...]
    up: float
    down: float
    decimals: int | None

    def aims(self, values: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """Return the setting at which each row stands or to which it goes.

        Args:
            values: of one run, NaN where missing: there it is as in the row before.
        """
        settings, known = np.array(self.settings), np.flatnonzero(~np.isnan(values))
        if not len(known):
            return np.full(len(values), settings[0])
        seen = values[known]
        nearest = settings[np.abs(seen[:, None] - settings).argmin(axis=1)]
        edges = borders(seen)
        stands = np.flatnonzero(np.repeat(np.diff(edges) >= STANDS, np.diff(edges)))
        out = nearest[np.append(stands, len(seen) - 1)[np.searchsorted(stands, np.arange(len(seen)))]]
        first = int(stands[-1]) + 1 if len(stands) else 0
        way = float(np.sign(seen[-1] - seen[max(first - 1, 0)]))
        ahead = settings[way * (settings - seen[-1]) >= 0]
        if first < len(seen) and way and len(ahead):  # a way that has no end yet
            out[first:] = ahead[np.abs(ahead - seen[-1]).argmin()]
        return out[np.clip(np.searchsorted(known, np.arange(len(values)), side="right") - 1, 0, None)]

    def course(self, aims: Float[np.ndarray, " T"], start: float) -> Float[np.ndarray, " T"]:
        """Return values that go to settings, from that of the row before on."""
        out = np.empty(len(aims))
        for first, last in pairwise(borders(aims).tolist() if len(aims) else ()):
            way = float(aims[first]) - start
            gone = (self.up if way > 0 else self.down) * np.arange(1, last - first + 1)
            out[first:last] = aims[first] - np.sign(way) * np.maximum(abs(way) - gone, 0.0)
            start = float(out[last - 1])
        return rounded(out, self.decimals)

    def along(self, aims: Float[np.ndarray, " T"], known: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """Return values of which some are known (NaN elsewhere): they go to settings behind the last of these, and on
        straight lines between them."""
        there = np.flatnonzero(~np.isnan(known))
        if not len(there):
            return self.course(aims, float(aims[0])) if len(aims) else aims
        last = int(there[-1])
        before = np.interp(np.arange(last + 1), there, known[there])
        return np.concatenate([before, self.course(aims[last + 1 :], float(known[last]))])


@dataclass(frozen=True)
class Driver:
    """What sets some columns together.

    Attributes:
        numbers: of the ramps, among all.
        settings: [M G] that the columns had together.
        share: [M] of the rows.
        follow: how they follow one another.
    """

    numbers: tuple[int, ...]
    settings: Float[np.ndarray, "M G"]
    share: Float[np.ndarray, " M"]
    follow: Spells | Timetable

    def nearest(self, aims: Float[np.ndarray, "T G"]) -> Int[np.ndarray, " T"]:
        """Return which combination is the nearest to some settings."""
        span = np.maximum(np.ptp(self.settings, axis=0), 1e-12)
        return np.abs((aims[:, None] - self.settings) / span).sum(axis=2).argmin(axis=1)


@dataclass(frozen=True)
class Driven:
    """All columns that are driven.

    Attributes:
        ramps: of the columns.
        drivers: what sets them.
    """

    ramps: tuple[Ramp, ...] = ()
    drivers: tuple[Driver, ...] = ()

    @property
    def columns(self) -> list[int]:
        return [ramp.place for ramp in self.ramps]

    def draw(
        self, rows: int, position: int, rng: np.random.Generator, so_far: Float[np.ndarray, "_ C"] | None = None
    ) -> Float[np.ndarray, "T K"]:
        """Draw the settings of rows.

        Args:
            position: of the first of them on the clock.
            rng: draws.
            so_far: rows of the table before them, None if nothing was before.
        """
        out = np.empty((rows, len(self.ramps)))
        for driver in self.drivers:
            if so_far is not None:
                aims = np.stack([self.ramps[n].aims(so_far[:, self.ramps[n].place]) for n in driver.numbers], axis=1)
                course = driver.follow.goes_on(driver.nearest(aims), rows, position, rng)
            elif isinstance(driver.follow, Spells):
                now = int(rng.choice(len(driver.share), p=driver.share)), 0
                course = driver.follow.draw(rows, position, rng, now)
            else:
                course = driver.follow.draw(rows, position, rng)
            out[:, list(driver.numbers)] = driver.settings[course]
        return out

    def along(self, aims: Float[np.ndarray, "T K"], known: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T K"]:
        """Return the values [T K] of rows that go to settings, of which some are known."""
        parts = [ramp.along(own, known[:, ramp.place]) for ramp, own in zip(self.ramps, aims.T, strict=True)]
        return np.stack(parts, axis=1) if parts else np.empty((len(aims), 0))

    def words(self, names: Sequence[str]) -> list[str]:
        """Say what is driven, and how."""
        return [
            f"'{names[ramp.place]}' is driven between {', '.join(f'{value:g}' for value in ramp.settings)}, "
            f"by {ramp.up:.3g} a row up and {ramp.down:.3g} down"
            for ramp in self.ramps
        ]


def find_driven(columns: Sequence[Column], runs: Sequence[Run], cycles: Sequence[int], places: Sequence[int]) -> Driven:
    """Find the columns that are driven.

    Args:
        columns: of the table.
        runs: of it; of many, each has trajectories of its own (`trajectories.py`).
        cycles: of the clock in rows.
        places: the columns that may be such.
    """
    if len(runs) >= MANY_RUNS:
        return Driven()
    found = (find_ramp(place, columns[place], [run.values[:, place] for run in runs]) for place in places)
    return _with_drivers([ramp for ramp in found if ramp is not None], runs, cycles)


def _with_drivers(ramps: Sequence[Ramp], runs: Sequence[Run], cycles: Sequence[int]) -> Driven:
    aims = [np.stack([ramp.aims(run.values[:, ramp.place]) for ramp in ramps], axis=1) for run in runs if ramps]
    marks = [np.diff(part, axis=0, prepend=part[:1]) != 0 for part in aims]
    drivers = []
    for numbers in together(marks, range(len(ramps)), TOGETHER):
        own = np.concatenate(aims)[:, list(numbers)]
        settings, codes, count = np.unique(own, axis=0, return_inverse=True, return_counts=True)
        parts = np.split(codes.reshape(-1), np.cumsum([len(part) for part in aims])[:-1])
        courses = list(zip([run.offset for run in runs], parts, strict=True))
        follow = find_timetable(courses, len(settings), cycles) or find_spells(
            [spells_of(part) for part in parts],
            np.ones(len(settings), dtype=bool),
            few=True,
        )
        drivers.append(Driver(numbers, settings, count / count.sum(), follow))
    return Driven(tuple(ramps), tuple(drivers))


def free_driven(
    driven: Driven, runs: Sequence[Run], regimes: Sequence[Int[np.ndarray, " _T"]], cycles: Sequence[int]
) -> Driven:
    """Return those of the columns that do not go by regimes: none of which keeps to one setting, but by chance.

    Args:
        driven: all of them.
        runs, regimes: of the table.
        cycles: of the clock in rows.
    """
    free = [ramp for ramp in driven.ramps if not _goes_by(ramp, runs, regimes)]
    return driven if len(free) == len(driven.ramps) else _with_drivers(free, runs, cycles)


def _goes_by(ramp: Ramp, runs: Sequence[Run], regimes: Sequence[Int[np.ndarray, " _T"]]) -> bool:
    aims = [ramp.aims(run.values[:, ramp.place]) for run in runs]
    every, regime = np.concatenate(aims), np.concatenate(list(regimes))
    for number in np.unique(regime).tolist():
        at, count = np.unique(every[regime == number], return_counts=True)
        share = float((every == at[count.argmax()]).mean())
        spells = times_at(regimes, number)
        if count.max() >= MOSTLY * count.sum() and share**spells < CONFINED:
            return True
    return False


def find_ramp(place: int, column: Column, parts: Sequence[Float[np.ndarray, " _T"]]) -> Ramp | None:
    """Return how a number goes from one setting to the next at steady rates, None for any other.

    Args:
        place: of the column.
        column: what is known of it.
        parts: its values in each run.
    """
    of_regimes = column.role == "condition" and column.levels
    if column.kind not in ("float", "integer") or of_regimes or any(np.isnan(part).any() for part in parts):
        return None
    stood: list[float] = []
    rows, ways = 0, []
    for part in parts:
        edges = borders(part)
        stands = np.flatnonzero(np.diff(edges) >= STANDS)
        stood += part[edges[stands]].tolist()
        rows += int(np.diff(edges)[stands].sum())
        ways += [(part, int(edges[a + 1]), int(edges[b])) for a, b in pairwise(stands.tolist()) if b > a + 1]
    settings = np.unique(stood)
    if not 2 <= len(settings) <= MOST_SETTINGS or rows < AT_THEM * sum(map(len, parts)):
        return None
    if len(ways) < RAMPS or np.median([last - first for _, first, last in ways]) < LONG:
        return None
    up = [(part, first, last) for part, first, last in ways if part[last] > part[first - 1]]
    down = [(part, first, last) for part, first, last in ways if part[last] < part[first - 1]]
    tolerance = tolerance_of(column, float(np.std(np.concatenate(parts))))
    if np.median([abs(part[last] - part[first - 1]) for part, first, last in ways]) < HIGH * tolerance:
        return None
    rates = _rate(up or ways, tolerance), _rate(down or ways, tolerance)
    found = Ramp(place, tuple(settings.tolist()), *rates, resolution(column))
    off = [np.abs(found.course(np.full(b - a, part[b]), float(part[a - 1])) - part[a:b]) for part, a, b in ways]
    return found if float((np.concatenate(off) <= NEAR * tolerance).mean()) >= MOSTLY else None


def _rate(ways: Sequence[tuple[Float[np.ndarray, " _T"], int, int]], unit: float) -> float:
    """By how much a number changes in a row on its ways: as in most rows, or in the mean where rounding to a unit hides
    that, as it does half of one at each end."""
    gone = [np.abs(part[first - 1 : last + 1] - part[first - 1]) for part, first, last in ways]
    steps = np.concatenate([np.diff(way) for way in gone])
    inner = sum(float(way[-1]) - unit for way in gone) / (len(steps) - len(gone))

    def off(rate: float) -> float:
        return sum(float(np.abs(np.minimum(rate * np.arange(len(way)), way[-1]) - way).sum()) for way in gone)

    return min((float(np.median(steps)), inner), key=off)
