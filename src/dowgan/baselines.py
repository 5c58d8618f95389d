"""Plain methods that every score is put beside: a model that beats none of them is not worth its training.

Generate: moving-block bootstrap. Densify: interpolation (see `interpolation`). Extend: last value, seasonal
naive, seasonal mean, each with sample paths for the scores of whole distributions.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from dowgan.interpolation import WAYS, interpolate

__all__ = [
    "WAYS",
    "block_bootstrap",
    "interpolate",
    "last_value",
    "last_value_paths",
    "seasonal_mean",
    "seasonal_mean_paths",
    "seasonal_naive",
    "seasonal_naive_paths",
]

Array = np.ndarray


def block_bootstrap(
    series: Sequence[Float[Array, "_ C"]], rows: int, block: int, rng: np.random.Generator
) -> Float[Array, "rows C"]:
    """Put together random blocks of the real series (moving-block bootstrap, Kuensch 1989).

    Every start at which a whole block fits into one of the series is as likely. The last block is cut. It
    copies, and it has seams: what it scores is what copying scores.

    Args:
        series: real series or runs, each `[T C]`; runs shorter than a block are used whole if none is longer.
        rows: to make.
        block: length of a block.
        rng: picks the blocks.
    """
    assert rows > 0, f"{rows} rows"
    assert block > 0, f"block of {block}"
    length = min(block, max(map(len, series)))
    starts = [(run, at) for run, x in enumerate(series) for at in range(len(x) - length + 1)]
    picked = rng.integers(0, len(starts), -(-rows // length))
    blocks = [series[starts[i][0]][starts[i][1] : starts[i][1] + length] for i in picked]
    return np.concatenate(blocks)[:rows]


def last_value(history: Float[Array, "T C"], steps: int) -> Float[Array, "steps C"]:
    """Repeat the last known value of each channel; NaN for a channel without one."""
    return np.tile(_last_known(history), (steps, 1))


def _last_known(history: Float[Array, "T C"]) -> Float[Array, "C"]:
    place = np.where(~np.isnan(history), np.arange(len(history))[:, None], -1).max(0)
    return np.where(place >= 0, history[place, np.arange(history.shape[1])], np.nan)


def last_value_paths(
    history: Float[Array, "T C"], steps: int, paths: int, rng: np.random.Generator
) -> Float[Array, "paths steps C"]:
    """Random walks from the last value, with the history's own changes drawn whole rows at a time.

    The walk that the last value is the best guess of (Hyndman and Athanasopoulos, Forecasting: principles and
    practice, 3rd ed., section 5.5, bootstrapped residuals). Changes are centred; a missing change counts as
    none.
    """
    change = _centred(np.diff(history, axis=0))
    drawn = change[rng.integers(0, len(change), (paths, steps))]
    return _last_known(history) + drawn.cumsum(1)


def _centred(errors: Float[Array, "K C"]) -> Float[Array, "K C"]:
    """Errors less their mean; missing ones are none."""
    known = ~np.isnan(errors)
    mean = np.where(known, errors, 0).sum(0) / np.maximum(known.sum(0), 1)
    return np.where(known, errors - mean, 0.0)


def _past_phases(history: Float[Array, "T C"], steps: int, period: float | int, end: int) -> Float[Array, "P steps C"]:
    """Values at the same phase of each past season for steps end .. end + steps, NaN where there are none.

    Only values before `end` are looked at. A period that is not whole (52.1775 weeks) is rounded after
    counting the seasons, so that it does not drift. Steps further ahead than a season use the season before
    the end.
    """
    step = np.arange(end, end + steps)
    seasons = max(int(end / period) + 1, 1)
    ahead = np.floor((step - end) / period)  # whole seasons ahead
    ahead += step - np.rint((1 + ahead) * period) >= end  # rounding left it in the future
    places = [(step - np.rint((back + ahead) * period)).astype(int) for back in range(1, seasons + 1)]
    return np.stack([_at(history, place, end) for place in places])


def _at(history: Float[Array, "T C"], place: Int[Array, "H"], end: int) -> Float[Array, "H C"]:
    inside = (place >= 0) & (place < min(end, len(history)))
    return np.where(inside[:, None], history[np.where(inside, place, 0)], np.nan)


def seasonal_naive(history: Float[Array, "T C"], steps: int, period: float | int) -> Float[Array, "steps C"]:
    """Repeat the last season: each step has the latest known value at the same phase.

    Where the same phase was never seen (a history shorter than a season) the last value is used.

    Args:
        history: NaN allowed.
        steps: to add.
        period: steps per season, not necessarily whole (52.1775 weeks).
    """
    return _seasonal_naive(history, steps, period, len(history))


def _seasonal_naive(history: Array, steps: int, period: float | int, end: int) -> Float[Array, "steps C"]:
    past = _past_phases(history, steps, period, end)
    first = np.isnan(past).argmin(0)[None]  # the latest season with a value
    found = np.take_along_axis(past, first, 0)[0]
    return np.where(np.isnan(found), _last_known(history[:end]), found)


def seasonal_mean(history: Float[Array, "T C"], steps: int, period: float | int) -> Float[Array, "steps C"]:
    """Each step has the mean of the known values at the same phase of all past seasons.

    Where the same phase was never seen the last value is used. Arguments as of `seasonal_naive`.
    """
    return _seasonal_mean(history, steps, period, len(history))


def _seasonal_mean(history: Array, steps: int, period: float | int, end: int) -> Float[Array, "steps C"]:
    past = _past_phases(history, steps, period, end)
    known = ~np.isnan(past)
    count = known.sum(0)
    mean = np.where(known, past, 0).sum(0) / np.maximum(count, 1)
    return np.where(count > 0, mean, _last_known(history[:end]))


def seasonal_naive_paths(
    history: Float[Array, "T C"], steps: int, period: float | int, paths: int, rng: np.random.Generator
) -> Float[Array, "paths steps C"]:
    """Seasonal naive with its own past errors added (residual bootstrap).

    The errors are those of repeating the season before, over the whole history; stretches of `steps` rows of
    them are drawn, so that they keep their memory and the ties between the channels (a stretch that does not
    fit goes on at the start). Each further season ahead adds another draw, since a seasonal walk's error
    grows (Hyndman and Athanasopoulos, Forecasting: principles and practice, 3rd ed., section 5.5).
    """
    lag = max(int(np.rint(period)), 1)
    errors = history[lag:] - history[:-lag] if len(history) > lag else np.diff(history, axis=0)
    centre = _seasonal_naive(history, steps, period, len(history))
    return centre + _seasonal_walk(_stretches(_centred(errors), steps, paths, rng), period)


def _seasonal_walk(errors: Float[Array, "paths steps C"], period: float | int) -> Float[Array, "paths steps C"]:
    lag, total = max(int(np.rint(period)), 1), errors.copy()
    for start in range(lag, total.shape[1], lag):
        stop = min(start + lag, total.shape[1])
        total[:, start:stop] += total[:, start - lag : stop - lag]
    return total


def seasonal_mean_paths(
    history: Float[Array, "T C"], steps: int, period: float | int, paths: int, rng: np.random.Generator
) -> Float[Array, "paths steps C"]:
    """Seasonal mean with its own past errors added (residual bootstrap).

    The errors are those of each past season against the mean of the seasons before it, in time order, so none
    has seen itself; with less than two seasons, the changes from step to step. Stretches as in
    `seasonal_naive_paths`.
    """
    centre = _seasonal_mean(history, steps, period, len(history))
    return centre + _stretches(_centred(_past_errors(history, period)), steps, paths, rng)


def _past_errors(history: Float[Array, "T C"], period: float | int) -> Float[Array, "K C"]:
    season = max(int(np.rint(period)), 1)
    if len(history) < 2 * season:
        return np.diff(history, axis=0)
    found = []
    for end in range(season, len(history), season):
        new = history[end : end + season]
        found.append(new - _seasonal_mean(history, len(new), period, end))
    return np.concatenate(found)


def _stretches(
    errors: Float[Array, "K C"], steps: int, paths: int, rng: np.random.Generator
) -> Float[Array, "paths steps C"]:
    start = rng.integers(0, len(errors), (paths, 1))
    return errors[(start + np.arange(steps)) % len(errors)]
