"""Runs in model channels, and how they are split by time.

Shapes: T steps, D channels; positions are whole steps from the origin of the table's clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, Num

LASTS = 8.0  # rows of a mean stretch of a state, at least
HELD_OUT = 0.25  # share of the rows, the last ones, on which a part of a model must prove itself
MANY_RUNS = 8  # of which whole ones are held out


@runtime_checkable
class Pace(Protocol):
    """What tells the places of rows in a run."""

    def places(self, regime: Int[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """Return the place of each row of a run, from its first on, by their regimes."""

    def under_way(self) -> "Pace":
        """Return the same of a run of which it is not known how long it will be."""


@dataclass(frozen=True)
class Even:
    """Places that are as far apart throughout.

    Attributes:
        step: places from each row to the next; more than one in a short run where all go the same way.
    """

    step: float = 1.0

    def places(self, regime: Int[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        return self.step * np.arange(len(regime))

    def under_way(self) -> "Even":
        return Even()


@dataclass(frozen=True)
class Stretch:
    """One run, or the whole series, in model channels.

    Attributes:
        values: [T D], NaN where missing.
        position: steps from the clock's origin to its first row.
        regime: [T], the regime of each row; all zero where there are no conditions.
        pace: what tells the places of rows in a run.
    """

    values: Float[np.ndarray, "T D"]
    position: int
    regime: Int[np.ndarray, " T"]
    pace: Pace = Even()

    def rows(self, start: int, stop: int) -> "Stretch":
        return Stretch(self.values[start:stop], self.position + start, self.regime[start:stop], self.pace)

    @property
    def positions(self) -> Int[np.ndarray, " T"]:
        return self.position + np.arange(len(self.values))

    @property
    def places(self) -> Float[np.ndarray, " T"]:
        """Places of the rows in the run, the first of which is its first row."""
        return self.pace.places(self.regime)


def borders(course: Num[np.ndarray, " T"]) -> Int[np.ndarray, " B"]:
    """Return the first row of each stretch of one value, and the row behind the last."""
    return np.concatenate([[0], np.flatnonzero(np.diff(course)) + 1, [len(course)]])


def times_at(courses: Sequence[Num[np.ndarray, " _T"]], value: float | int) -> int:
    """Return how many stretches of a value there are in some courses."""
    return sum(int((course[borders(course)[:-1]] == value).sum()) for course in courses if len(course))


def stacked(
    stretches: Sequence[Stretch],
) -> tuple[Float[np.ndarray, "N D"], Int[np.ndarray, " N"], Int[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """All rows under each other: values, positions, regimes, places in the run."""
    return (
        np.concatenate([s.values for s in stretches]),
        np.concatenate([s.positions for s in stretches]),
        np.concatenate([s.regime for s in stretches]),
        np.concatenate([s.places for s in stretches]),
    )


def split(stretches: Sequence[Stretch], share: float = HELD_OUT) -> tuple[list[Stretch], list[Stretch]]:
    """Split by time: the last runs of many, the last rows of few."""
    if len(stretches) >= MANY_RUNS:
        cut = max(1, round(len(stretches) * (1 - share)))
        return list(stretches[:cut]), list(stretches[cut:])
    early, late = [], []
    for s in stretches:
        cut = round(len(s.values) * (1 - share))
        early.append(s.rows(0, cut))
        late.append(s.rows(cut, len(s.values)))
    return early, late
