"""From a table to everything in a model but the network: channels, priors, calibration, coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dowgan.calibrate import Calibration, calibrate
from dowgan.channels import Channels, fit_channels
from dowgan.coordinates import Coordinates, fit_coordinates
from dowgan.errors import DataError
from dowgan.prior import Prior, fit_prior
from dowgan.process import cut_windows
from dowgan.rng import Streams
from dowgan.season import Stretch, fit_season, split, trending
from dowgan.table.schema import Run, Table

WINDOW = 24  # default steps of a window
WINDOW_WIDTH = 1200  # default most values of a window
SHORTEST = 4  # least steps of a window
DOMINANT = 0.05  # a generated series follows a trend that leaves less than this share of the variance
MOST_WINDOWS = 20_000  # windows that coordinates and networks are fitted on; of more, every n-th is taken
CLIP = 12.0  # channels are cut at so many standard deviations before they are fitted


@dataclass(frozen=True)
class Fitted:
    """The untrained part of a model, and the windows that a network trains on.

    Attributes:
        early_windows, late_windows: coordinates [B U] of the windows before and in the held-out block.
    """

    channels: Channels
    window: Prior
    path: Prior
    calibration: Calibration
    coordinates: Coordinates
    early_windows: Float[np.ndarray, "B U"]
    late_windows: Float[np.ndarray, "B U"]


def stretch_of(channels: Channels, run: Run) -> Stretch:
    """Return a run in channels."""
    return Stretch(channels.encode(run.values), run.offset, channels.regime(run.values))


def window_steps(runs: Sequence[Run], width: int, asked: int | None) -> int:
    """Return the steps of a window.

    Args:
        runs: of the table.
        width: channels.
        asked: what the user set, None for the default.

    Raises:
        DataError: there are fewer rows than two windows.
    """
    longest = max(len(run.values) for run in runs)
    steps = asked or int(np.clip(min(WINDOW, WINDOW_WIDTH // width, longest // 4), SHORTEST, WINDOW))
    if longest < 2 * steps:
        raise DataError(
            f"{longest} rows{' in the longest run' if len(runs) > 1 else ''} are fewer than two windows of {steps}; "
            f"give at least {2 * steps} rows{' or set a shorter window: --set window=N' if asked else ''}."
        )
    return steps


def dominant_trend(
    stretches: Sequence[Stretch], periods: Sequence[float], regimes: int
) -> Float[np.ndarray, " D"]:
    """Say which channels are little but a trend and a season, so that a generated series must follow it too."""
    width = stretches[0].values.shape[1]
    if len(stretches) > 1:
        return np.zeros(width)
    left = []
    for share in (0.0, 1.0):
        season = fit_season(stretches, periods, regimes, np.full(width, share))
        mean, _ = season.mean_and_spread(
            stretches[0].positions.astype(float), stretches[0].regime, np.arange(len(stretches[0].values), dtype=float)
        )
        rest = stretches[0].values - mean
        left.append(np.nanmean(np.where(np.isnan(rest), 0.0, rest) ** 2, axis=0))
    return (left[1] < DOMINANT * left[0]).astype(float)


def window_coordinates(
    prior: Prior, stretches: Sequence[Stretch], steps: int
) -> tuple[Coordinates, Float[np.ndarray, "B U"], Float[np.ndarray, "B U"]]:
    """Fit the coordinates of the windows of all runs; return them with the early and the late windows in them."""
    early, late = (
        [prior.marginals.to_normal(values) for values in part]
        for part in _split_rests(prior, stretches)
    )
    counted = sum(len(cut_windows(part, steps, 1)) for part in (early, late))
    hop = max(1, counted // MOST_WINDOWS)
    both = [_complete_windows(prior, part, steps, hop) for part in (early, late)]
    every = np.concatenate(both)
    rows = sum(len(s.values) for s in stretches)
    coordinates = fit_coordinates(prior.process, every, rows / steps)
    first, second = (coordinates.to_coordinates(part) for part in both)
    return coordinates, first, second


def _split_rests(
    prior: Prior, stretches: Sequence[Stretch]
) -> tuple[list[Float[np.ndarray, "T D"]], list[Float[np.ndarray, "T D"]]]:
    rests = [Stretch(prior.season.remove(s), s.position, s.regime) for s in stretches]
    early, late = split(rests)
    return [s.values for s in early], [s.values for s in late]


def _complete_windows(
    prior: Prior, rests: Sequence[Float[np.ndarray, "T D"]], steps: int, hop: int
) -> Float[np.ndarray, "B T D"]:
    """All windows; missing values are filled with zero, the mean of a normal score, where few are missing."""
    windows = [w for w in cut_windows(rests, steps, hop) if np.isnan(w).mean() < 0.3]
    empty = np.empty((0, steps, prior.channels))
    return np.nan_to_num(np.stack(windows)) if windows else empty


def fit_priors(table: Table, window: int | None, streams: Streams) -> Fitted:
    """Fit all that needs no training.

    Args:
        table: as read.
        window: steps of a window, None for the default.
        streams: randomness of the backtests.

    Raises:
        DataError: there are fewer rows than two windows.
        OptionError: every column is a condition.
    """
    channels = fit_channels(table.schema, table.runs)
    steps = window_steps(table.runs, channels.width, window)
    stretches = [_calm(stretch_of(channels, run)) for run in table.runs]
    periods, regimes = table.schema.clock.periods(), len(channels.regimes)
    follow = dominant_trend(stretches, periods, regimes)
    generated = fit_prior(stretches, periods, regimes, follow)
    trend = np.maximum(trending(stretches, periods, regimes), follow)
    early = fit_prior(split(stretches)[0], periods, regimes, trend)
    calibration = calibrate(early, stretches, streams)
    path = fit_prior(stretches, periods, regimes, trend)
    coordinates, first, second = window_coordinates(generated, stretches, steps)
    return Fitted(channels, generated, path, calibration, coordinates, first, second)


def _calm(stretch: Stretch) -> Stretch:
    return Stretch(np.clip(stretch.values, -CLIP, CLIP), stretch.position, stretch.regime)
