"""What never changes within a run and tells how it goes: rich feed makes more, an older patient's pressure is higher.

How far a run is off the course of all runs is regressed on what is its own, with a ridge; where runs lie further
apart, as at the end of a growth, it counts for more. Of each channel this is kept only where it foretells runs that are
left out.

Shapes: R runs, T rows, P places of a run, K codes, C columns (the schema's channels), D channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dowgan.codes import ONE_HOT, Code, fit_code
from dowgan.known import beside_groups
from dowgan.profile import Places, Rests, along, at
from dowgan.stretch import MANY_RUNS
from dowgan.table.schema import Column, Run

LIKELIER = 6.0  # twice the log likelihood of runs that are left out, that an effect must gain
RIDGES = (0.3, 3.0, 30.0)
SMOOTH = 8  # parts of a run, over each of which the spread between runs is averaged
FEWEST_FIXED = 20  # rows beyond the first of their runs in which a column did not change, at least
LEAST = 0.1  # of the usual spread between runs, that is reckoned with at any place


@dataclass(frozen=True)
class Effects:
    """What the constants of runs do.

    Attributes:
        codes: of the constants.
        weights: [K D], zero for a channel that they do not tell.
        shape: [P D] how far runs lie apart at each place.
    """

    codes: tuple[Code, ...]
    weights: Float[np.ndarray, "K D"]
    shape: Float[np.ndarray, "P D"]

    def course(self, own: Float[np.ndarray, " C"]) -> Float[np.ndarray, "P D"]:
        """Return what the constants of a run add to its channels at each place; those unknown add nothing."""
        return self.shape * (_coded(self.codes, own[None]) @ self.weights)


def find_fixed(columns: Sequence[Column], runs: Sequence[Run], same: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return the columns that never change within a run and differ between runs.

    A value that is measured once in each run, such as a batch's purity at its end, is one of the run.

    Args:
        columns: the schema's channels.
        runs: of the table.
        same: (column, the earlier column that it equals); such follow it.
    """
    if len(runs) < 2:
        return ()
    known = [[column[~np.isnan(column)] for column in run.values.T] for run in runs]
    spans = np.array([[np.ptp(values) if len(values) else 0.0 for values in own] for own in known])
    seen = np.array([[max(len(values) - 1, 0) for values in own] for own in known]).sum(axis=0)
    first = np.array([[values[0] if len(values) else np.nan for values in own] for own in known])
    once = np.array([[len(values) == 1 for values in own] for own in known]).all(axis=0)
    longer = min(len(run.values) for run in runs) > 1
    steady = (spans == 0).all(axis=0) & ((seen >= FEWEST_FIXED) | (once & longer))
    return tuple(
        place
        for place, column in enumerate(columns)
        if steady[place] and place not in dict(same) and len(set(first[:, place])) > 1
    )


def no_effects(channels: int) -> Effects:
    """Return the effects of runs that have none."""
    return Effects((), np.empty((0, channels)), np.empty((0, channels)))


def fit_effects(
    constants: Sequence[tuple[int, Column]],
    own: Float[np.ndarray, "R C"],
    runs: Rests,
    regimes: Sequence[Int[np.ndarray, " _T"]],
    places: Places,
) -> Effects:
    """Fit the effects of the constants of runs.

    Args:
        constants: their numbers among the schema's channels, and the columns.
        own: of each run, NaN where a column is not known.
        runs: in channels of about unit spread.
        regimes, places: of their rows.
    """
    width = runs[0].shape[1]
    codes = tuple(
        fit_code(place, column, own[:, place])
        for place, column in constants
        if (column.kind != "category" or len(column.levels) <= ONE_HOT) and not np.isnan(own[:, place]).all()
    )
    if len(runs) < MANY_RUNS or not codes:
        return no_effects(width)
    rests = _beside_all(runs, regimes, places)
    total, count = along([rest**2 for rest in rests], places)
    shape = _even(np.sqrt(total / np.maximum(count, 1)))
    weighted = [
        (rest * at(shape, p), np.where(np.isnan(rest), np.nan, at(shape, p)) ** 2)
        for rest, p in zip(rests, places, strict=True)
    ]
    sizes = np.stack([np.nansum(up, axis=0) / np.maximum(np.nansum(down, axis=0), 1e-12) for up, down in weighted])
    weights = np.stack([_regressed(_coded(codes, own), sizes[:, channel]) for channel in range(width)], axis=1)
    return Effects(codes, weights, shape) if weights.any() else no_effects(width)


def _beside_all(
    runs: Rests, regimes: Sequence[Int[np.ndarray, " _T"]], places: Places
) -> list[Float[np.ndarray, "_T D"]]:
    """What runs are off the means of their regimes, and then of their places."""
    rests = beside_groups(runs, regimes)
    total, count = along(rests, places)
    course = total / np.maximum(count, 1)
    return [rest - at(course, place) for rest, place in zip(rests, places, strict=True)]


def _even(spread: Float[np.ndarray, "P D"]) -> Float[np.ndarray, "P D"]:
    """A spread by place without its chance, beside its mean square."""
    long = max(1, len(spread) // SMOOTH)
    weights = np.ones(long)
    count = np.convolve(np.ones(len(spread)), weights, mode="same")[:, None]
    square = np.stack([np.convolve(channel**2, weights, mode="same") for channel in spread.T], axis=1) / count
    beside = square / np.maximum(square.mean(axis=0), 1e-12)
    return np.sqrt(np.maximum(beside, LEAST**2))


def _coded(codes: Sequence[Code], own: Float[np.ndarray, "R C"]) -> Float[np.ndarray, "R K"]:
    coded = [code.forward(own[:, code.place]) for code in codes]
    return np.nan_to_num(np.concatenate([np.empty((len(own), 0)), *coded], axis=1))


def _regressed(known: Float[np.ndarray, "R K"], sizes: Float[np.ndarray, " R"]) -> Float[np.ndarray, " K"]:
    """Weights of a ridge regression, zero if it does not foretell runs that are left out (PRESS; Allen 1974)."""
    runs = len(sizes)
    alone = np.sum(((sizes - sizes.mean()) * runs / (runs - 1)) ** 2)
    mid = known - known.mean(axis=0)
    best, least = np.zeros(known.shape[1]), alone * np.exp(-LIKELIER / runs)
    for ridge in RIDGES:
        solve = np.linalg.solve(mid.T @ mid + ridge * np.eye(known.shape[1]), mid.T)
        weights = solve @ (sizes - sizes.mean())
        taken = np.einsum("rk,kr->r", mid, solve) + 1 / runs
        left = np.sum(((sizes - sizes.mean() - mid @ weights) / np.maximum(1 - taken, 1e-6)) ** 2)
        if left < least:
            best, least = weights, left
    return best
