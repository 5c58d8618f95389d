"""From a table to everything in a model but the network: channels, priors, calibration, coordinates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from dowgan.calibrate import Calibration, calibrate
from dowgan.channels import Channels, fit_channels, with_effects
from dowgan.coordinates import Coordinates
from dowgan.encoding import calm, stretch_of, unflagged, unheld
from dowgan.holds import find_beats
from dowgan.interpolation import interpolate
from dowgan.known import beside_groups
from dowgan.prior import Prior, fit_prior
from dowgan.profile import FASTER, typical_rows, unforeseen
from dowgan.relations import Relations, find_relations
from dowgan.rng import Streams
from dowgan.seasonal import fit_season, trending
from dowgan.stages import find_stages
from dowgan.states import find_switches
from dowgan.stocks import Stock
from dowgan.stretch import MANY_RUNS, Stretch, split
from dowgan.table.schema import Run, Table
from dowgan.windows import drawn_windows, prior_windows, whole_series, window_coordinates, window_steps

DOMINANT = 0.06  # a generated series follows a trend that leaves less than this share of the variance; Stocks has .10
BY_THE_CLOCK = 0.8  # share of a channel's variance that the clock tells, from which that is kept out of windows
SHORT_GAP = 8  # rows of a gap that is filled before anything is measured
FILLINGS = 2  # times that it is
NARROWED = "window: {asked} rows of {width} channels are too many values; {steps} rows are fitted at once, and joined"


@dataclass(frozen=True)
class Fitted:
    """The untrained part of a model, and the windows that a network trains on.

    Attributes:
        windows: coordinates [B U] of the windows of the table.
        sided: which of them reach across no border of a held-out block.
        held_out: which of them lie in one.
        notes: what a user has to know of how it was fitted.
    """

    relations: Relations
    channels: Channels
    window: Prior
    path: Prior
    calibration: Calibration
    coordinates: Coordinates
    windows: Float[np.ndarray, "B U"]
    sided: Bool[np.ndarray, " B"]
    held_out: Bool[np.ndarray, " B"]
    notes: tuple[str, ...] = ()


def dominant_trend(stretches: Sequence[Stretch], periods: Sequence[float], regimes: int) -> Float[np.ndarray, " D"]:
    """Say which channels are little but a trend and a season, so that a generated series must follow it too."""
    width = stretches[0].values.shape[1]
    if len(stretches) > 1:
        return np.zeros(width)
    left = []
    for share in (0.0, 1.0):
        season = fit_season(stretches, periods, regimes, np.full(width, share))
        mean, _ = season.mean_and_spread(
            stretches[0].positions.astype(float),
            stretches[0].regime,
            stretches[0].places,
        )
        rest = stretches[0].values - mean
        left.append(np.nanmean(np.where(np.isnan(rest), 0.0, rest) ** 2, axis=0))
    return (left[1] < DOMINANT * left[0]).astype(float)


def drawn_coordinates(fitted: Fitted, runs: Sequence[Run], rng: np.random.Generator) -> Float[np.ndarray, "M U"]:
    """Draw windows of the prior as a generator gets them: what it is trained and calibrated on."""
    coordinates, count = fitted.coordinates, drawn_windows(*fitted.windows.shape)
    stretches = [stretch_of(fitted.channels, run) for run in runs]
    windows = prior_windows(fitted.window, stretches, coordinates.steps, count, rng)
    return coordinates.straight(coordinates.scores.to_normal(windows))


def fit_priors(table: Table, window: int | None, streams: Streams, stocks: Sequence[Stock] = ()) -> Fitted:
    """Fit all that needs no training.

    Args:
        table: as read.
        window: steps of a window, None for the default.
        streams: randomness of the backtests.
        stocks: columns that flows add up to.

    Raises:
        DataError: there are fewer rows than two windows.
        OptionError: every column is a condition.
    """
    units = [table.schema.unit(column.name) for column in table.schema.channels]
    states = find_switches(table.schema.channels, table.runs, table.schema.clock.cycles())
    values = np.concatenate([run.values for run in table.runs])
    relations = find_relations(table.schema.channels, values, units, states)
    relations = relations.without([stock.column for stock in stocks])
    limited = [alarm.place for alarm in relations.alarms]
    channels = fit_channels(table.schema, table.runs, relations.same, stocks, limited)
    relations = relations.without(channels.fixed)
    steps = window_steps(table.runs, channels.width, window)
    channels = _paced(channels, table.runs)
    channels = with_effects(channels, table.schema, table.runs)
    stretches = [calm(stretch_of(channels, run)) for run in table.runs]
    periods, regimes = table.schema.clock.periods(), len(channels.regimes)
    stretches = _without_short_gaps(stretches, lambda parts: fit_prior(parts, periods, regimes), streams)
    follow = dominant_trend(stretches, periods, regimes)
    generated = fit_prior(stretches, periods, regimes, follow)
    whole = max(len(s.values) for s in stretches) <= steps
    apart = bool((generated.season.told(stretches) > BY_THE_CLOCK).any())
    generated = replace(generated, season=replace(generated.season, whole=whole, apart=apart))
    trend = np.maximum(trending(stretches, periods, regimes), follow)

    def refit(parts: Sequence[Stretch]) -> Prior:
        return fit_prior(parts, periods, regimes, trend, ahead=True)

    calibration = calibrate(refit(split(stretches)[0]), stretches, refit, streams)
    path = refit(stretches)
    beats = find_beats(table.schema.channels, table.runs)
    sampled = unflagged([unheld(channels, beats, stretch) for stretch in stretches])
    coordinates, windows, sided, held = window_coordinates(generated, stretches, sampled, steps, streams)
    notes = () if steps >= (window or steps) else (NARROWED.format(asked=window, steps=steps, width=channels.width),)
    return Fitted(relations, channels, generated, path, calibration, coordinates, windows, sided, held, notes)


def _paced(channels: Channels, runs: Sequence[Run]) -> Channels:
    """The channels with what tells the places of runs: their rows, shares of a run, or stages that all go through."""
    stretches = [stretch_of(channels, run) for run in runs]
    values = [stretch.values for stretch in stretches]
    channels = replace(channels, typical=typical_rows(values))
    courses = [stretch.regime for stretch in stretches]
    stages = find_stages(courses, channels.regimes.steps) if len(runs) >= MANY_RUNS else None
    if stages is None:
        return channels
    beside = beside_groups(values, courses)
    ways = [[channels.pace(len(course)).places(course), stages.places(course)] for course in courses]
    even, staged = (unforeseen(beside, places) for places in zip(*ways, strict=True))
    return replace(channels, stages=stages) if staged < FASTER * even else channels


def _without_short_gaps(
    stretches: Sequence[Stretch], fit: Callable[[Sequence[Stretch]], Prior], streams: Streams
) -> list[Stretch]:
    """Fill gaps of a few rows by draws of the prior, which is fitted to what was filled before (Wei and Tanner 1990).

    Covariances of pairs that happen to be known err differently at every lag, which makes smooth series rough; those of
    a whole series do not.
    """
    short = [_short_gaps(np.isnan(s.values)) for s in stretches]
    if not any(gaps.any() for gaps in short):
        return list(stretches)
    filled = [
        np.where(gaps, interpolate(s.values, 1, "linear"), s.values) for s, gaps in zip(stretches, short, strict=True)
    ]
    for _ in range(FILLINGS):
        whole = [replace(s, values=values) for s, values in zip(stretches, filled, strict=True)]
        drawn = whole_series(fit(whole), stretches, streams)
        filled = [np.where(gaps, d, s.values) for s, gaps, d in zip(stretches, short, drawn, strict=True)]
    return [replace(s, values=values) for s, values in zip(stretches, filled, strict=True)]


def _short_gaps(missing: Bool[np.ndarray, "T D"]) -> Bool[np.ndarray, "T D"]:
    """The missing values whose gap is short and has known values on both sides."""
    out = np.zeros_like(missing)
    for channel in range(missing.shape[1]):
        edges = np.flatnonzero(np.diff(missing[:, channel], prepend=False, append=False))
        for start, stop in edges.reshape(-1, 2):
            out[start:stop, channel] = stop - start <= SHORT_GAP and start > 0 and stop < len(missing)
    return out
