"""The course of runs: what the place in a run adds to mean and spread, row by row or in shares of the run.

It is kept only if it foretells runs that it was not fitted on.

Shapes: T steps, P places of a run, D channels.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Num

from dowgan.known import mean_known
from dowgan.rhythms import GAIN
from dowgan.stretch import HELD_OUT, MANY_RUNS
from dowgan.waves import mean_square

FEW_RUNS = 2.0  # runs at which a mean course weighs as much as none, at most
SHARES = (0.0, 0.3, 0.6, 1.0)  # of the course of a spread that are tried
LEAST_SHARE = 1e-6  # of the variance of all rows, that the rows at one place of a run have at least
APART = 0.05  # of the usual length: runs whose lengths differ less are told row by row
FASTER = 0.8  # share of what a course row by row leaves, below which a course in shares of the run must

Rests = Sequence[Float[np.ndarray, "_T D"]]
Places = Sequence[Float[np.ndarray, " _T"]]


def at(profile: Float[np.ndarray, "P D"], place: Num[np.ndarray, " T"]) -> Float[np.ndarray, "T D"]:
    """What a profile says of the rows at those places of a run, between two of its own in part; nothing if empty."""
    if not len(profile):
        return np.zeros((len(place), profile.shape[1]))
    inside = np.clip(place, 0, len(profile) - 1)
    low = inside.astype(int)
    share = (inside - low)[:, None]
    return (1 - share) * profile[low] + share * profile[np.minimum(low + 1, len(profile) - 1)]


def mean_profile(rests: Rests, places: Places) -> Float[np.ndarray, "P D"]:
    """Mean course along a run, drawn towards zero; empty if it does not predict other runs."""
    cut = _runs_apart(rests)
    if cut == len(rests):
        return np.empty((0, rests[0].shape[1]))
    before = _left(np.concatenate(rests[cut:]))
    after = _unforeseen(rests, places, cut)
    return _course(rests, places) if after < before - GAIN else np.empty((0, rests[0].shape[1]))


def _left(rest: Float[np.ndarray, "N D"]) -> float:
    """Mean squared rest over the known values."""
    return mean_square(rest**2)


def _course(rests: Rests, places: Places) -> Float[np.ndarray, "P D"]:
    """Mean at each place, drawn to zero as the runs are few and differ more by themselves than the places do."""
    total, count = along(rests, places)
    mean = total / np.maximum(count, 1)
    between = np.sum(count * mean**2, axis=0) / np.maximum(count.sum(axis=0), 1)
    within = np.maximum(mean_known(np.concatenate(list(rests)) ** 2) - between, 0.0)
    against = FEW_RUNS * np.minimum(within / np.maximum(between, 1e-12), 1.0)
    return total / np.maximum(count + against, 1e-12)


def unforeseen(rests: Rests, places: Places) -> float:
    """Return what the course of the first of many runs leaves of the others, by the places of their rows."""
    return _unforeseen(rests, places, _runs_apart(rests))


def _unforeseen(rests: Rests, places: Places, cut: int) -> float:
    """What the course of the first runs leaves of the others."""
    fitted = _course(rests[:cut], places[:cut])
    return _left(np.concatenate([r - at(fitted, p) for r, p in zip(rests[cut:], places[cut:], strict=True)]))


def typical_rows(runs: Rests) -> int:
    """Return the rows of a usual run where short runs go the same way as long ones, only faster; else zero.

    Args:
        runs: whole ones, in channels of about unit spread.
    """
    lengths, cut = np.array([len(run) for run in runs]), _runs_apart(runs)
    typical = int(np.median(lengths))
    if cut == len(runs) or np.ptp(lengths) < APART * typical or lengths.min() < 2:
        return 0
    paces = {"row by row": np.ones(len(runs)), "all the way": (typical - 1) / (lengths - 1)}
    left = {
        way: _unforeseen(runs, [p * np.arange(n) for p, n in zip(pace, lengths, strict=True)], cut)
        for way, pace in paces.items()
    }
    return typical if left["all the way"] < FASTER * left["row by row"] else 0


def spread_profile(rests: Rests, places: Places) -> Float[np.ndarray, "P D"]:
    """Log of the spread along runs, beside that of all rows: runs that begin alike part as they go on.

    It is taken as far as it makes other runs likelier, their values and their steps: what noise adds is not less where
    runs are close together. None of a channel, or empty, if it does not.
    """
    cut = _runs_apart(rests)
    late, channels = rests[cut:], rests[0].shape[1]
    if not late:
        return np.empty((0, channels))
    fitted = _log_course(rests[:cut], places[:cut])
    costs = np.stack([_cost(late, [share * at(fitted, p) for p in places[cut:]]) for share in SHARES])
    costs[0] -= GAIN
    share = np.array(SHARES)[costs.argmin(axis=0)]
    return share * _log_course(rests, places) if share.any() else np.empty((0, channels))


def _log_course(rests: Rests, places: Places) -> Float[np.ndarray, "P D"]:
    """Log of the spread at each place, drawn to none by as much of it as chance makes.

    The positive part of James and Stein (1961); the logarithm of a spread that n values tell has a variance of 1 / 2n.
    """
    overall = mean_known(np.concatenate(list(rests)) ** 2) + 1e-12
    total, count = along([r**2 / overall for r in rests], places)
    own = np.where(count > 0, 0.5 * np.log(np.maximum(total / np.maximum(count, 1), LEAST_SHARE)), 0.0)
    chance = mean_known(np.where(count > 0, 0.5 / np.maximum(count, 1), np.nan))
    return own * np.maximum(1 - chance / np.maximum(mean_known(own**2), 1e-12), 0.0)


def spreads_apart(rests: Rests, log_spread: Rests) -> Bool[np.ndarray, " D"]:
    """Say which channels are likelier with a spread that is told row by row than with one for all, values and steps."""
    return _cost(rests, log_spread) < _cost(rests, [np.zeros_like(told) for told in log_spread])


def _cost(rests: Rests, log_spread: Rests) -> Float[np.ndarray, " D"]:
    """Mean negative log density of each channel's values, as normal ones, and of its steps, as Laplace has it, where
    their spread is told beside the best common one.

    A slow channel whose spread is told to change at once would step where it does not. A few large steps, such as at a
    start, say little.
    """
    scaled = [r / np.exp(s) for r, s in zip(rests, log_spread, strict=True)]
    steps = np.abs(np.concatenate([np.diff(r, axis=0) for r in scaled]))
    sizes = log_rms(np.concatenate(scaled)) + np.log(mean_known(steps) + 1e-12)
    told = [np.where(np.isnan(r), np.nan, s) for r, s in zip(rests, log_spread, strict=True)]
    return sizes + 2 * mean_known(np.concatenate(told))


def _runs_apart(rests: Rests) -> int:
    """How many of many runs come first, before those on which a profile must prove itself: all of few."""
    return max(1, round(len(rests) * (1 - HELD_OUT))) if len(rests) >= MANY_RUNS else len(rests)


def along(runs: Rests, places: Places) -> tuple[Float[np.ndarray, "P D"], Float[np.ndarray, "P D"]]:
    """Sum and number of the known values at each place of a run of median length."""
    steps, channels = int(np.median([p[-1] for p in places])) + 1, runs[0].shape[1]
    total, count = np.zeros((steps, channels)), np.zeros((steps, channels))
    for run, place in zip(runs, places, strict=True):
        nearest = np.rint(place).astype(int)
        inside = nearest < steps
        np.add.at(total, nearest[inside], np.nan_to_num(run[inside]))
        np.add.at(count, nearest[inside], ~np.isnan(run[inside]))
    return total, count


def log_rms(rest: Float[np.ndarray, "N D"]) -> Float[np.ndarray, " D"]:
    """Logarithm of the root mean square of each channel."""
    return np.log(np.sqrt(mean_known(rest**2)) + 1e-12)
