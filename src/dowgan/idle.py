"""Hours in which a column always stands at the same value: a night without sun, a Sunday on which nothing is sold.

Shapes: P paths, N rows, C columns, F phases of the clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.courses import Course, numbers
from dowgan.stretch import borders
from dowgan.table.schema import Column, Run

FEWEST = 8  # rows of a phase, at least
ALWAYS = 0.98  # share of them that stand at the value
CYCLES = 3  # in each of which a column stands once, for as long and at the same phase, where phases have fewer rows
SHUFFLES = 99  # of the stretches in which a column moves
SURE = 7.0  # minus the logarithm of the chance that a further column has one value meanwhile
RARE = 1e-3  # least share of its other rows that have it
SOME = 0.05  # share of all rows in such phases, at least


@dataclass(frozen=True)
class Idle(Course):
    """A column that stands at a value in some phases of the clock.

    Attributes:
        columns: its number, alone.
        value: at which it stands.
        phases: [F] whether it does in each phase.
    """

    columns: tuple[int]
    value: float
    phases: Bool[np.ndarray, " F"]

    @property
    def by_chance(self) -> bool:
        return False

    @property
    def by_clock(self) -> bool:
        return True

    def _stands(self, position: int, rows: int) -> Bool[np.ndarray, " N"]:
        return self.phases[(position + np.arange(rows)) % len(self.phases)]

    def apply(
        self, values: Float[np.ndarray, "P N C"], chance: Float[np.ndarray, "P N"], positions: Int[np.ndarray, " P"]
    ) -> None:
        for path, position in zip(values, positions, strict=True):  # nothing is left to chance
            path[self._stands(int(position), len(path)), self.columns[0]] = self.value

    def go_on(self, values: Float[np.ndarray, "N C"], last: Float[np.ndarray, "2 C"], position: int) -> None:
        values[self._stands(position, len(values)), self.columns[0]] = self.value


def find_idle(columns: Sequence[Column], runs: Sequence[Run], cycles: Sequence[int]) -> list[Idle]:
    """Find the columns that stand at one value in some phases of the day or week, and move in others.

    It is their most frequent value, or the least one, at which they stand once in each cycle, as the calls of a web
    site do that is down for an hour each Sunday; what always has one value meanwhile does so too.

    Args:
        columns: the schema's channels.
        runs: of the table.
        cycles: of the clock in rows, see `Clock.cycles`; the shortest that tells phases is taken.
    """
    out, once = list[Idle](), list[Idle]()
    positions = np.concatenate([run.offset + np.arange(len(run.values)) for run in runs])
    values = np.concatenate([run.values for run in runs])
    for place in numbers(columns):
        known = ~np.isnan(values[:, place])
        levels, count = np.unique(values[known, place], return_counts=True)
        if len(levels) < 2:
            continue
        value = float(levels[count.argmax()])
        for period in (c for c in cycles if FEWEST * c <= len(values)):
            phase = positions[known] % period
            rows = np.bincount(phase, minlength=period)
            stood = np.bincount(phase, values[known, place] == value, minlength=period)
            idle = (rows >= FEWEST) & (stood >= ALWAYS * rows)
            moved = [(run.values[:, place] != value) & ~np.isnan(run.values[:, place]) for run in runs]
            if not idle.all() and rows[idle].sum() >= SOME * rows.sum() and _by_clock(moved, rows, int(idle.sum())):
                out.append(Idle((place,), value, idle))
                break
        else:
            found = (_once_a_cycle(place, float(levels[0]), runs, period) for period in cycles)
            once += islice((idle for idle in found if idle is not None), 1)
    free = [place for place in numbers(columns) if all(place not in idle.columns for idle in (*out, *once))]
    return [*out, *once, *_meanwhile(free, values, positions, once)]


def _meanwhile(
    places: Sequence[int], values: Float[np.ndarray, "N C"], positions: Int[np.ndarray, " N"], found: Sequence[Idle]
) -> list[Idle]:
    """Which of some columns have one value in all rows in which another stands, more often than by chance."""
    out: dict[int, Idle] = {}
    for idle in found:
        stands = idle.phases[positions % len(idle.phases)]
        for place in places:
            inside, outside = (x[~np.isnan(x)] for x in (values[stands, place], values[~stands, place]))
            if not len(inside) or np.ptp(inside) > 0:
                continue
            if -len(inside) * np.log(max(np.mean(outside == inside[0]), RARE)) > SURE:
                out.setdefault(place, Idle((place,), float(inside[0]), idle.phases))
    return list(out.values())


def _once_a_cycle(place: int, value: float, runs: Sequence[Run], period: int) -> Idle | None:
    """A column that stands at a value once in each cycle, for more than a row and never else; None if it does not."""
    begun, ended, cycles = list[int](), list[int](), set[int]()
    for run in runs:
        stands = (run.values[:, place] == value).astype(int)
        edges = run.offset + borders(stands)
        for first, last in pairwise(edges.tolist()):
            if stands[first - run.offset]:
                begun.append(first % period)
                ended.append(first % period + last - first)
                cycles.add(first // period)
    whole = sum(len(run.values) // period for run in runs)
    if len(begun) < CYCLES or len(cycles) < max(len(begun), whole) or np.ptp(begun) > 1 or np.ptp(ended) > 1:
        return None
    first, last = max(begun), min(ended)
    phases = np.isin(np.arange(period), np.arange(first, last) % period)
    return Idle((place,), value, phases) if 1 < last - first < period else None


def _by_clock(moved: Sequence[Bool[np.ndarray, " _T"]], rows: Int[np.ndarray, " F"], idle: int) -> bool:
    """Whether more phases are idle than when the stretches in which a column moves begin at any phase: a few outages
    leave most hours alone without going by the clock.

    Args:
        moved: in which rows of each run it moves.
        rows: of each phase.
        idle: phases in which it hardly does.
    """
    period, rng = len(rows), np.random.default_rng(0)
    edges = [borders(run.astype(int)) for run in moved]
    lengths = np.concatenate([np.diff(e)[run[e[:-1]]] for e, run in zip(edges, moved, strict=True)])
    whole, rest = np.divmod(lengths, period)
    for _ in range(SHUFFLES):
        begun = rng.integers(period, size=len(lengths))
        change = np.bincount(begun, minlength=2 * period + 1) - np.bincount(begun + rest, minlength=2 * period + 1)
        touched = whole.sum() + np.cumsum(change)[:-1].reshape(2, period).sum(axis=0)
        if ((rows >= FEWEST) & (touched <= (1 - ALWAYS) * rows)).sum() >= idle:
            return False
    return True
