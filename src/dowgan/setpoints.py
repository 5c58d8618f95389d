"""Set-points that the regimes tell, and what follows them.

In a steady state of a grade the set-point has one value; in the transition to another grade it runs along a straight
line to that grade's. Nothing of that is left to chance where the regimes are known, nor is what each run has of its
own (`trajectories.py`), or what is driven from one setting to the next (`ramps.py`). A measurement that differs from
its set-point by little but noise is modelled as that difference: it then moves along as smoothly as the set-point does.

Shapes: T rows, C columns (the schema's channels), R regimes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.known import beside_groups, mean_known

SETTLED = 50  # rows of a regime in which a column must have had one value
MOSTLY = 0.5  # share of the rows in which it has, for a column that the regimes tell
BENT = 0.06  # of the way that a line goes: how far from it values may lie
STRAIGHT = 0.95  # share of the rows between settled ones that must lie so near
LINES = 3  # fewest of these lines
NEAR = 0.5  # share of the squares about the means of regimes, below which squares of differences must be

Runs = Sequence[tuple[Float[np.ndarray, "_T C"], Int[np.ndarray, " _T"]]]  # values and regimes


@dataclass(frozen=True)
class Setpoints:
    """What the regimes tell of columns.

    Attributes:
        settled: [R C] the value that a column had in every row of a regime, NaN for any other.
        usual: [R C] mean of each column in each regime.
        columns: those that are settled or on the way from one settled value to the next, and those that have a course
            of their own (`trajectories.py`, `ramps.py`), which is then among what is known.
        followers: (column, the one of `columns` from whose multiple it differs by little but noise, that multiple).
    """

    settled: Float[np.ndarray, "R C"]
    usual: Float[np.ndarray, "R C"]
    columns: tuple[int, ...] = ()
    followers: tuple[tuple[int, int, float], ...] = ()

    def told(
        self, regime: Int[np.ndarray, " T"], known: Float[np.ndarray, "T C"] | None = None
    ) -> Float[np.ndarray, "T C"]:
        """Return what the regimes of one run tell, NaN for what they leave open.

        Args:
            regime: of each row.
            known: values that are known of `columns`, NaN elsewhere. The lines go through them, and between two known
                rows only they count.
        """
        out = self.settled[regime]
        rows = np.arange(len(regime))
        for column in self.columns:
            sure = ~np.isnan(out[:, column])
            if known is not None:
                there = ~np.isnan(known[:, column])
                out[there, column] = known[there, column]
                if there.any():
                    first, last = np.flatnonzero(there)[[0, -1]]
                    sure = there | (sure & ((rows < first) | (rows > last)))
            if sure.any():
                out[:, column] = np.interp(rows, rows[sure], out[sure, column])
            else:
                out[:, column] = self.usual[regime, column]
        return out

    def led(self, course: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T C"]:
        """Return what is to be taken off followers, zero for other columns."""
        out = np.zeros_like(course)
        for column, leader, multiple in self.followers:
            out[:, column] = multiple * course[:, leader]
        return out


def fit_setpoints(numbers: Sequence[int], runs: Runs, regimes: int, own: Sequence[int] = ()) -> Setpoints:
    """Find what the regimes tell.

    Args:
        numbers: the columns that may be told, of floats or integers and no conditions.
        runs: values, NaN where missing, and regimes of each run.
        regimes: how many there are.
        own: those of them that have a course of their own.
    """
    values, regime = (np.concatenate(part) for part in zip(*runs, strict=True))
    settled, usual = np.full((2, regimes, values.shape[1]), np.nan)
    for number in range(regimes if regimes > 1 else 0):
        rows = values[regime == number]
        for column in numbers:
            known = rows[~np.isnan(rows[:, column]), column]
            usual[number, column] = known.mean() if len(known) else np.nan
            if len(known) >= SETTLED and (known == known[0]).all() and column not in own:
                settled[number, column] = known[0]
    plain = Setpoints(settled, usual)
    told = (*(column for column in numbers if column not in own and _is_told(settled, runs, column)), *own)
    if not told:
        return plain
    usual = np.where(np.isnan(usual), mean_known(values), usual)
    return _with_followers(Setpoints(settled, usual, told), numbers, runs, own)


def _is_told(settled: Float[np.ndarray, "R C"], runs: Runs, column: int) -> bool:
    """Whether a column is settled in most rows, and on straight lines in the others."""
    at_rest = np.concatenate([~np.isnan(settled[regime, column]) for _, regime in runs])
    if at_rest.all() or at_rest.mean() < MOSTLY:
        return False
    near, lines = [], 0
    for values, regime in runs:
        for first, last in _between(~np.isnan(settled[regime, column])):
            ends = settled[regime[[first - 1, last]], column]
            way = np.interp(np.arange(first, last), [first - 1, last], ends)
            off = np.abs(values[first:last, column] - way)
            near.append(off[~np.isnan(off)] <= BENT * abs(ends[1] - ends[0]) + 1e-9 * abs(ends[0]))
            lines += 1
    return lines >= LINES and float(np.concatenate(near).mean()) > STRAIGHT


def _between(sure: Bool[np.ndarray, " T"]) -> list[tuple[int, int]]:
    """The first row, and the one behind the last, of each stretch of other rows between two sure ones."""
    edges = np.flatnonzero(np.diff(~sure, prepend=False, append=False)).reshape(-1, 2)
    return [(first, last) for first, last in edges.tolist() if first > 0 and last < len(sure)]


def _with_followers(found: Setpoints, numbers: Sequence[int], runs: Runs, own: Sequence[int]) -> Setpoints:
    """Set-points with what follows them: their own measurement, or else a multiple of a course of its own."""
    values, regime = (np.concatenate(part) for part in zip(*runs, strict=True))
    course = np.concatenate([found.told(regimes, known) for known, regimes in runs])
    followers = []
    for column in numbers:
        if column in found.columns:
            continue
        alone = _squares(values[:, column], regime)
        beside = {leader: _squares(values[:, column] - course[:, leader], regime) for leader in found.columns}
        best, multiple = min(beside, key=lambda leader: beside[leader]), 1.0
        left = beside[best]
        for leader in own if left >= NEAR * alone else ():
            slope = _slope(values[:, column], course[:, leader], regime)
            squares = _squares(values[:, column] - slope * course[:, leader], regime)
            if squares < left:
                best, multiple, left = leader, slope, squares
        if left < NEAR * alone:
            followers.append((column, best, multiple))
    return Setpoints(found.settled, found.usual, found.columns, tuple(followers))


def _about(values: Float[np.ndarray, " N"], regime: Int[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """Values about the means of their regimes."""
    return beside_groups([values[:, None]], [regime])[0][:, 0]


def _squares(values: Float[np.ndarray, " N"], regime: Int[np.ndarray, " N"]) -> float:
    """Sum of the squares of known values about the means of their regimes."""
    return float(np.nansum(_about(values, regime) ** 2))


def _slope(values: Float[np.ndarray, " N"], course: Float[np.ndarray, " N"], regime: Int[np.ndarray, " N"]) -> float:
    """By how much values change with a course, both about the means of their regimes."""
    known = ~np.isnan(values)
    off, along = (_about(part[known], regime[known]) for part in (values, course))
    return float(off @ along / max(along @ along, 1e-12))
