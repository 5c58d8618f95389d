"""Runs that lie at levels of their own: one region sells fifty, another four hundred, and neither comes near the other.

Where what a run had at first tells far better where it will lie than the mean of all runs does, its level is taken off
before anything is fitted and put back on what is made, and so is how far it strays from it. A run that the table does
not have lies where its own values do.

Shapes: R runs, T rows, D channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from dowgan.known import mean_known
from dowgan.profile import at

EARLY = 0.6  # share of a run's rows that tell where the others will lie
LEAST = 10  # rows of a run that has a level; of shorter ones nothing proves it
RUNS = (3, 400)  # fewest and most runs that have one; of more, each is one of a kind
DRAWN = 30.0  # rows of a run at which its own spread weighs as much as that of all
TINY = 1e-12  # a variance
SHARE = 0.3  # of the squares of later levels about the mean of all runs, below which those about own levels must fall


@dataclass(frozen=True)
class Levels:
    """Levels of runs, beside that of all.

    Attributes:
        keys: of the runs; none where runs have no levels of their own.
        offsets: [R D], zero for a channel whose runs have none.
        spreads: [R D], beside that of all; one for such a channel.
    """

    keys: tuple[tuple[Any, ...], ...]
    offsets: Float[np.ndarray, "R D"]
    spreads: Float[np.ndarray, "R D"]

    def of(self, key: tuple[Any, ...], values: Float[np.ndarray, "T D"]) -> "Level":
        """Return the level of a run: as it was fitted, or of a run that was not there, of its values."""
        none = np.empty((0, values.shape[1]))
        if key in self.keys:
            place = self.keys.index(key)
            return Level(self.offsets[place], self.spreads[place], none)
        apart = self.offsets.any(axis=0) & (~np.isnan(values)).any(axis=0)
        out = np.zeros(len(apart))
        out[apart] = np.nanmean(values[:, apart], axis=0)
        return Level(out, np.ones(len(apart)), none)


@dataclass(frozen=True)
class Level:
    """Where one run lies, and how far it strays, in channels.

    Attributes:
        offset, spread: [D].
        course: [P D] what is added at each place of the run; none if P is 0.
    """

    offset: Float[np.ndarray, " D"]
    spread: Float[np.ndarray, " D"]
    course: Float[np.ndarray, "P D"]

    def off(self, values: Float[np.ndarray, "T D"], places: Float[np.ndarray, " T"]) -> Float[np.ndarray, "T D"]:
        """Take the level off rows at those places of the run."""
        return (values - at(self.course, places) - self.offset) / self.spread

    def on(self, values: Float[np.ndarray, "T D"], places: Float[np.ndarray, " T"]) -> Float[np.ndarray, "T D"]:
        """Put it back."""
        return values * self.spread + self.offset + at(self.course, places)


def no_levels(channels: int) -> Levels:
    """Return the levels of runs that have none."""
    return Levels((), np.empty((0, channels)), np.empty((0, channels)))


def fit_levels(keys: Sequence[tuple[Any, ...]], runs: Sequence[Float[np.ndarray, "_T D"]]) -> Levels:
    """Fit the levels of runs, for each channel in which they prove themselves.

    Args:
        keys: of the runs.
        runs: in channels, whose mean over all rows is zero.
    """
    channels = runs[0].shape[1]
    long = [run for run in runs if len(run) >= LEAST]
    if not RUNS[0] <= len(runs) <= RUNS[1] or len(long) < len(runs):
        return no_levels(channels)
    cuts = [round(EARLY * len(run)) for run in runs]
    early = np.stack([mean_known(run[:cut]) for run, cut in zip(runs, cuts, strict=True)])
    late = np.stack([mean_known(run[cut:]) for run, cut in zip(runs, cuts, strict=True)])
    common = mean_known(np.concatenate([run[:cut] for run, cut in zip(runs, cuts, strict=True)]))
    apart = np.sum((late - early) ** 2, axis=0) < SHARE * np.sum((late - common) ** 2, axis=0)
    if not apart.any():
        return no_levels(channels)
    offsets = np.stack([mean_known(run) for run in runs]) * apart
    return Levels(tuple(keys), offsets, np.where(apart, _spreads(runs, offsets), 1.0))


def _spreads(runs: Sequence[Float[np.ndarray, "_T D"]], offsets: Float[np.ndarray, "R D"]) -> Float[np.ndarray, "R D"]:
    """How far each run strays beside all, drawn to one where it has few rows."""
    squares = np.stack([mean_known((run - level) ** 2) for run, level in zip(runs, offsets, strict=True)]) + TINY
    rows = np.stack([(~np.isnan(run)).sum(axis=0) for run in runs])
    return np.exp(0.5 * (np.log(squares) - np.log(squares.mean(axis=0))) * rows / (rows + DRAWN))
