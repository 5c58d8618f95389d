"""Set-points that each run has of its own: one batch is heated to 80 degrees, another to 90, along straight lines.

Nothing of such a trajectory is noise, and what a batch is run at holds from its first row to its last. A generated run
follows that of the table's run whose length and regimes it has; one that is continued goes on as runs did that went as
it did so far.

Shapes: R runs, N rows of all of them, T rows of one, K columns that have trajectories, C columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.courses import tolerance_of
from dowgan.stretch import MANY_RUNS, borders
from dowgan.table.schema import Column, Run

MOST_ROWS = 200_000  # of all runs
BENDS = 0.15  # share of the rows in which a trajectory bends, at most
CLEARLY = 2.0  # resolutions: steps that rounding does not make
STEEP = 0.8  # share of the way that a trajectory goes in such steps
PULSES = 0.2  # share of its bends that lie in pulses of a row or two, at most
ALIKE = 0.02  # of the spread: how far runs are from one another that went alike so far, at least; and
NEAREST = 3  # so many of them are taken for such
FAR = 10.0  # spreads: how far one is that had other regimes


@dataclass(frozen=True)
class Part:
    """What follows a row of a run: its key, the regimes of all of its rows, and the first row of the part."""

    key: tuple[Any, ...]
    course: Int[np.ndarray, " _N"]
    first: int


@dataclass(frozen=True)
class Trajectories:
    """The trajectories of runs.

    Attributes:
        columns: that have them.
        keys: of the runs.
        rows: [R] of each.
        values: [N K] of all runs, one after another.
    """

    columns: tuple[int, ...]
    keys: tuple[tuple[Any, ...], ...]
    rows: Int[np.ndarray, " R"]
    values: Float[np.ndarray, "N K"]

    @cached_property
    def _by_key(self) -> Mapping[tuple[Any, ...], Float[np.ndarray, "_T K"]]:
        return dict(zip(self.keys, np.split(self.values, np.cumsum(self.rows)[:-1]), strict=True))

    def of(self, key: tuple[Any, ...], rows: int) -> Float[np.ndarray, "T K"]:
        """Return the first rows of the trajectories of a run."""
        return self._by_key[key][:rows]

    def like(
        self,
        others: Sequence[Part],
        so_far: Int[np.ndarray, " T"],
        values: Float[np.ndarray, "T C"],
        count: int,
        rng: np.random.Generator,
    ) -> list[Part]:
        """Draw some of other runs, those that did as this one did so far and were then where it is.

        Args:
            others: runs that went on.
            so_far: regimes of this one's rows.
            values: of its rows.
            count: how many to draw.
            rng: draws.

        Returns:
            The runs; none where no other went on.
        """
        if not self.columns or not others:
            return []
        own, spread = values[:, list(self.columns)], self.values.std(axis=0) + 1e-12
        off = np.stack([(self._along(part, so_far) - own) / spread for part in others])
        known = ~np.isnan(off)
        square = np.where(known, off, 0.0) ** 2
        size = np.sqrt(
            np.where(known.any(axis=2), square.sum(axis=2) / np.maximum(known.sum(axis=2), 1), FAR**2)
        )  # [P T]
        chance = _chance(np.sqrt((size**2).mean(axis=1))) * _chance(size[:, -1])
        return [others[i] for i in rng.choice(len(others), size=count, p=chance / chance.sum())]

    def going_on(
        self,
        part: Part,
        so_far: Int[np.ndarray, " T"],
        ahead: Int[np.ndarray, " H"],
        last: Float[np.ndarray, " K"],
    ) -> Float[np.ndarray, "H K"]:
        """Return how trajectories go on from `last` as another run's did, NaN where that has no such regimes.

        Args:
            part: of the other run.
            so_far, ahead: regimes of the rows before and behind the last one known.
            last: values in that row.
        """
        course, now = np.concatenate([so_far, ahead]), len(so_far)
        out = self._along(part, course)[now - 1 :]
        end = int(borders(course)[np.searchsorted(borders(course), now)]) - now + 1  # of the regime under way
        left = np.ones(end)
        if not np.isnan(out[0]).any() and np.ptp(out[:end], axis=0).any():
            left = 1 - np.arange(end) / max(end - 1, 1)  # what it is off is made up for until then
        out[:end] += np.outer(left, last - out[0])
        return out[1:]

    def _along(self, part: Part, course: Int[np.ndarray, " N"]) -> Float[np.ndarray, "N K"]:
        """The trajectories of a run along other regimes: each takes as long as it does there.

        The last one has no end in sight; it takes at least as long as that run's.
        """
        theirs, regimes = self._by_key[part.key][part.first :], part.course[part.first :]
        out, rows = np.full((len(course), len(self.columns)), np.nan), np.arange(len(theirs))
        for (start, stop), (first, end) in zip(pairwise(borders(course)), pairwise(borders(regimes)), strict=False):
            if course[start] != regimes[first]:
                break
            long = max(stop - start, end - first) if stop == len(course) else stop - start
            at = first + np.arange(stop - start) * (end - first - 1) / max(long - 1, 1)
            out[start:stop] = np.stack([np.interp(at, rows, column) for column in theirs.T], axis=1)
        return out


def _chance(far: Float[np.ndarray, " P"]) -> Float[np.ndarray, " P"]:
    """How likely runs are taken that are so far from one: as far as the nearest ones is near enough."""
    near = np.sort(far)[min(NEAREST, len(far)) - 1]
    return np.exp(-0.5 * (far / max(near, ALIKE)) ** 2)


def no_trajectories() -> Trajectories:
    """Return those of runs that have none."""
    return Trajectories((), (), np.empty(0, dtype=int), np.empty((0, 0)))


def fit_trajectories(columns: Sequence[Column], runs: Sequence[Run], places: Sequence[int]) -> Trajectories:
    """Find the columns whose course in each run is one of its own: of straight lines that seldom bend, without noise.

    Args:
        columns: the schema's channels.
        runs: of the table.
        places: of the columns that may be such, of floats or integers and no conditions.
    """
    rows = np.array([len(run.values) for run in runs])
    if len(runs) < MANY_RUNS or rows.sum() > MOST_ROWS:
        return no_trajectories()
    found = tuple(i for i in places if _is_one(columns[i], [run.values[:, i] for run in runs]))
    if not found:
        return no_trajectories()
    values = np.concatenate([run.values[:, list(found)] for run in runs])
    return Trajectories(found, tuple(run.key for run in runs), rows, values)


def _is_one(column: Column, parts: Sequence[Float[np.ndarray, "_T"]]) -> bool:
    """Whether a column is one, and differs between runs."""
    every = np.concatenate(parts)
    if np.isnan(every).any() or (every == every[0]).all():
        return False
    unit = tolerance_of(column, float(every.std()))
    steps = [np.abs(np.diff(part)) for part in parts]
    way = np.concatenate(steps)
    if way[way > CLEARLY * unit].sum() < STEEP * way.sum() or way.sum() == 0:
        return False
    bends = [np.abs(np.diff(part, 2)) > unit for part in parts]
    bent, pulses = (sum(int(part.sum()) for part in each) for each in (bends, map(_pulses, bends)))
    return bent <= BENDS * sum(map(len, bends)) and pulses <= PULSES * bent


def _pulses(bends: Bool[np.ndarray, " T"]) -> Bool[np.ndarray, " T"]:
    """Which bends are among three in succession: a ramp or a jump has two at most."""
    three = bends[:-2] & bends[1:-1] & bends[2:]
    out = np.zeros_like(bends)
    for shift in range(3):
        out[shift : len(bends) - 2 + shift] |= three
    return out
