"""When totals begin again: a meter of five digits at 0 behind 99999, a day's energy at midnight.

Shapes: K given rows, N rows of a finer series.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.table.schema import Run

RISES = 30  # rows in which a total rises, at least
FEW_RISES = 8  # the same of one that stands in most rows and never falls, such as a list of prices
RUNS = 2  # times that it is as high at the end as the largest rise, at least: a step up is no total
AGAIN = 1.5  # times the largest other rise, that what is added where a total begins again is at most
LIMITS = sorted([*(10.0**k for k in range(1, 13)), *(2.0**k for k in (8, 15, 16, 24, 31, 32))])  # of a counter
CYCLES = 4  # of the clock, in which a total begins again at the same phase, at least
MOST_PHASES = 6  # of a cycle, in which it does: three shifts a day
MOSTLY = 0.8  # share of the cycles in which it is seen to fall


@dataclass(frozen=True)
class Again:
    """When a total begins again at 0; never, if both are 0.

    Attributes:
        limit: what it never reaches.
        cycle: rows of the clock's day, week and so on.
        phases: of the rows in which it does, on the table's clock.
    """

    limit: float = 0.0
    cycle: int = 0
    phases: tuple[int, ...] = ()

    def words(self) -> str:
        if self.limit:
            return f"begins again at 0 behind {self.limit:,.15g}"
        often = "" if len(self.phases) == 1 else f"{len(self.phases)} times "
        return f"begins again {often}every {self.cycle} rows" if self.cycle else "never falls"

    def unwound(self, values: Float[np.ndarray, " K"]) -> Float[np.ndarray, " K"]:
        """Known values of a counter as if it went on."""
        falls = np.append(0, np.cumsum(np.diff(values) < 0)) if self.limit else 0
        return values + self.limit * falls

    def begins(self, position: int, rows: int) -> Bool[np.ndarray, " N"]:
        """In which rows from a position on it begins again by the clock."""
        if not self.cycle:
            return np.zeros(rows, dtype=bool)
        return np.isin((position + np.arange(rows)) % self.cycle, self.phases)

    def since(self, position: int) -> int:
        """Rows from the last one in which it began again by the clock up to a position, both counted."""
        return min((position - phase) % self.cycle for phase in self.phases) + 1


def begun_again(
    added: Float[np.ndarray, " N"],
    knots: Int[np.ndarray, " K"],
    given: Float[np.ndarray, " K"],
    begun: Bool[np.ndarray, " N"],
) -> Float[np.ndarray, " N"]:
    """Totals between given ones that begin again in some rows: as rows add, scaled to what is given behind."""
    out = np.empty(len(added))
    out[: knots[0] + 1], out[knots[-1] :] = given[0], given[-1]
    for first, last, left, right in zip(knots[:-1], knots[1:], given[:-1], given[1:], strict=True):
        rows = np.arange(first + 1, last + 1)
        starts = np.flatnonzero(begun[rows])
        if len(starts):
            open_rows, rest, base = rows[: starts[-1]], rows[starts[-1] :], 0.0
            so_far = left
            for row in open_rows:
                so_far = added[row] + (0.0 if begun[row] else so_far)
                out[row] = so_far
        else:
            rest, base = rows, left
        whole = added[rest].sum()
        share = np.cumsum(added[rest]) / whole if whole > 0 else np.arange(1, len(rest) + 1) / len(rest)
        out[rest] = base + share * (right - base)
    return out


def find_again(place: int, runs: Sequence[Run], cycles: Sequence[int]) -> Again | None:
    """When a column begins again if it is a total, None if it is none."""
    known = [np.flatnonzero(~np.isnan(run.values[:, place])) for run in runs]
    parts = [run.values[rows, place] for run, rows in zip(runs, known, strict=True)]
    steps, apart = (np.concatenate([np.diff(x) for x in every]) for every in (parts, known))
    rises, falls = steps[steps >= 0], steps < 0
    stands = not falls.any() and len(rises) > 0 and np.mean(rises == 0) > 0.5
    if (rises > 0).sum() < (FEW_RISES if stands else RISES):
        return None
    top = max(float(part.max()) for part in parts if len(part))
    if not falls.any():
        gained = max(float(np.ptp(part)) for part in parts if len(part))
        return Again() if gained > RUNS * rises.max() else None
    if top <= RUNS * rises.max() or min(float(part.min()) for part in parts if len(part)) < 0:
        return None
    limit = next((limit for limit in LIMITS if limit > top), 0.0)
    largest = float((rises / apart[~falls]).max())
    if limit and (limit + steps[falls] <= AGAIN * largest * apart[falls]).all():
        return Again(limit=limit)
    return next((again for cycle in cycles if (again := _by_clock(place, runs, cycle, largest))), None)


def _by_clock(place: int, runs: Sequence[Run], cycle: int, largest: float) -> Again | None:
    """When a column begins again by the clock: it falls at few phases only, in nearly every cycle."""
    phases, seen = [], 0
    for run in runs:
        values = run.values[:, place]
        falls = np.flatnonzero(np.diff(values) < 0) + 1
        if (values[falls] > AGAIN * largest).any():
            return None
        phases += ((run.offset + falls) % cycle).tolist()
        seen += len(values) // cycle
    found, often = np.unique(phases, return_counts=True)
    if seen < CYCLES or not 0 < len(found) <= MOST_PHASES or often.min() < MOSTLY * seen:
        return None
    return Again(cycle=cycle, phases=tuple(found.tolist()))
