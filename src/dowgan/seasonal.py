"""Fit what recurs: which seasons there are, and how much of a trend is followed.

Shapes: N rows, D channels, F waves, G coefficients.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.known import mean_known
from dowgan.profile import at, log_rms, mean_profile, spread_profile, spreads_apart
from dowgan.response import Response, fit_response, no_response, widened
from dowgan.rhythms import CYCLES, GAIN, choose_waves, faint_waves, peaks
from dowgan.season import Season
from dowgan.stretch import HELD_OUT, MANY_RUNS, Even, Stretch, split, stacked
from dowgan.waves import regress

FEW_WAVES = 4  # of a seasonal spread, that are tried before all
SCALE_FLOOR = 0.2  # a seasonal spread never falls below this share of the overall spread
REGIME_ROWS = 30.0  # rows at which a regime's own mean weighs as much as the common one, at most
LITTLE = 0.05  # usual sizes, below which sizes count alike
RESPONSE_TURNS = 3  # in which levels of regimes and the response to their changes are fitted to one another
SAME_PHASE = 0.9  # how closely the phases at which runs begin lie together (mean resultant length), to be the same
TREND_SHARES = (0.0, 0.5, 1.0)
TREND_SPLITS = (0.25, 0.4)


def _alike(stretches: Sequence[Stretch]) -> bool:
    """Whether many runs begin at the same position: what recurs in them is told by their profile, row by row."""
    return len(stretches) >= MANY_RUNS and len({s.position for s in stretches}) == 1


def _apart(stretches: Sequence[Stretch], periods: Sequence[float]) -> list[float]:
    """Those of the periods that can be told from the place in a run: not a day of batches that all begin at seven."""
    if len(stretches) < MANY_RUNS:
        return list(periods)
    starts = np.array([s.position for s in stretches], dtype=float)
    usual = float(np.median([len(s.values) for s in stretches]))
    phases = [np.exp(2j * np.pi * starts / period).mean() for period in periods]
    return [p for p, phase in zip(periods, phases, strict=True) if usual > CYCLES * p or abs(phase) < SAME_PHASE]


def _regime_means(
    rest: Float[np.ndarray, "N D"], regime: Int[np.ndarray, " N"], regimes: int
) -> Float[np.ndarray, "R D"]:
    """Mean of the rest in each regime, drawn towards zero where it has few rows and regimes differ little.

    As many rows as weigh against the common mean are as many more as the rest within regimes varies more than their
    means do (James and Stein 1961).
    """
    out, count = np.zeros((2, regimes, rest.shape[1]))
    for index in range(regimes if regimes > 1 else 0):
        rows = rest[regime == index]
        count[index] = np.sum(~np.isnan(rows), axis=0)
        out[index] = np.nansum(rows, axis=0) / np.maximum(count[index], 1)
    between = np.sum(count * out**2, axis=0) / np.maximum(count.sum(axis=0), 1)
    within = np.maximum(mean_known(rest**2) - between, 0.0)
    against = REGIME_ROWS * np.minimum(within / np.maximum(between, 1e-12), 1.0)
    return out * count / np.maximum(count + against, 1e-12)


def _regime_levels(
    rests: Sequence[Float[np.ndarray, "_T D"]], regimes: Sequence[Int[np.ndarray, " _T"]], count: int, responds: bool
) -> tuple[Float[np.ndarray, "R D"], Response, Float[np.ndarray, "N D"]]:
    """Levels of the regimes, the response to their changes, and the rest. Each is fitted to what the other leaves.

    A channel that strays further from both than from levels of its own has no response: it is at its level at once.

    Args:
        responds: whether there may be one: where all runs go through the same stages, places tell it.
    """
    rows, regime = np.concatenate(list(rests)), np.concatenate(list(regimes))
    ends, added = np.cumsum([len(r) for r in rests])[:-1], np.zeros_like(rows)
    plain = levels = _regime_means(rows, regime, count)
    response = no_response(count, rows.shape[1])
    for _ in range(RESPONSE_TURNS if count > 1 and responds else 0):
        levels = _regime_means(rows - added, regime, count)
        response = fit_response(np.split(rows - levels[regime], ends), regimes, levels)
        added = np.concatenate([response.level(r, 1.0) for r in regimes])
    slow = mean_known((rows - levels[regime] - added) ** 2) <= mean_known((rows - plain[regime]) ** 2)
    levels, response = np.where(slow, levels, plain), replace(response, weights=np.where(slow, response.weights, 0.0))
    return levels, response, rows - levels[regime] - np.where(slow, added, 0.0)


def _log_spread(rest: Float[np.ndarray, "N D"], design: Float[np.ndarray, "N F"], cut: int) -> Float[np.ndarray, "G D"]:
    """Coefficients of the log spread on the first waves, on all, or on none: what makes later rows likeliest.

    E log|x| of a normal variable is log sigma - 0.635 (Harvey, Ruiz and Shephard 1994, eq. 5, halved).
    """
    overall = log_rms(rest)
    full = np.concatenate([np.ones((len(design), 1)), design], axis=1)
    log_size = np.log(np.abs(rest) + SCALE_FLOOR / 2 * np.exp(overall))

    def cost(coefficients: Float[np.ndarray, "G D"], rows: slice) -> float:
        log_scale = full[rows, : len(coefficients)] @ coefficients
        return float(mean_known(log_scale + 0.5 * (rest[rows] / np.exp(log_scale)) ** 2).mean())

    def fit(rows: slice, count: int) -> Float[np.ndarray, "G D"]:
        some = full[rows, :count]
        coefficients = regress(some, log_size[rows], ridge=1e-2)
        coefficients[0] += log_rms(rest[rows] / np.exp(some @ coefficients))
        return coefficients

    best, least = 1, cost(log_rms(rest[:cut])[None], slice(cut, None))
    for count in sorted({min(full.shape[1], 1 + FEW_WAVES), full.shape[1]} - {1}):
        tried = cost(fit(slice(0, cut), count), slice(cut, None))
        if tried < least - GAIN:
            best, least = count, tried
    return fit(slice(None), best) if best > 1 else overall[None]


def fit_season(
    stretches: Sequence[Stretch],
    candidates: Sequence[float],
    regimes: int = 1,
    trend: Float[np.ndarray, " D"] | None = None,
) -> Season:
    """Fit the recurring mean and spread.

    Args:
        stretches: the runs, in channels of about unit spread.
        candidates: season lengths in steps that the clock suggests; where there are none of these, nor regimes that
            may tell what recurs, others are looked for.
        regimes: how many regimes there are.
        trend: share of its linear trend that each channel follows, 0 to 1; None for none.
    """
    channels = stretches[0].values.shape[1]
    early, late = split(stretches)
    candidates = _apart(stretches, candidates)
    found = choose_waves(early, late, candidates)
    if not found.periods and not _alike(stretches) and (regimes == 1 or not candidates):  # a machine has its own beat
        found = choose_waves(early, late, peaks(stretches))
    if not found.periods and not _alike(stretches):
        found = faint_waves(stretches, candidates)
    values, positions, _, places = stacked(stretches)
    middle, half = float(positions.mean()), max(float(np.ptp(positions)) / 2, 1.0)
    line, wave = ((positions - middle) / half)[:, None], found.at(positions)
    beside = _beside(np.concatenate([s.regime for s in stretches]), regimes if found.periods else 1)
    chosen = _level_and_waves(values, line, wave, found.used, np.zeros(channels) if trend is None else trend, beside)
    rest = values - np.concatenate([np.ones_like(line), line, wave], axis=1) @ chosen
    ends = np.cumsum([len(s.values) for s in stretches])[:-1]
    courses, staged = [s.regime for s in stretches], not isinstance(stretches[0].pace, Even)
    regime_mean, response, rest = _regime_levels(np.split(rest, ends), courses, regimes, not staged)
    along = [s.places for s in stretches]
    profile = mean_profile(np.split(rest, ends), along)
    rest = rest - at(profile, places)
    if not staged:
        response = _widened(response, np.split(rest, ends), courses)
    rest = rest / np.exp(np.concatenate([response.log_width(s.regime, 1.0) for s in stretches]))
    log_profile = spread_profile(np.split(rest, ends), along)
    rest = rest / np.exp(at(log_profile, places))
    spread = _log_spread(rest, wave[:, : found.few], round(len(rest) * (1 - HELD_OUT)))
    season = Season(
        periods=found.periods,
        harmonics=found.harmonics,
        level=chosen[0],
        wave=chosen[2:],
        trend=chosen[1] / half,
        middle=middle,
        span=(float(positions.min()), float(positions.max())),
        spread=spread,
        regime_mean=regime_mean,
        regime_log_spread=np.zeros_like(regime_mean),
        response=response,
        profile=profile,
        log_profile=log_profile,
        off=found.off,
    )
    return _with_regime_spreads(season, stretches, regimes)


def _level_and_waves(
    values: Float[np.ndarray, "N D"],
    line: Float[np.ndarray, "N 1"],
    wave: Float[np.ndarray, "N F"],
    used: Bool[np.ndarray, "F D"],
    follow: Float[np.ndarray, " D"],
    beside: Float[np.ndarray, "N B"],
) -> Float[np.ndarray, "G D"]:
    """Level, slope along the line and coefficients of the waves; the slope as far as each channel follows it.

    What is beside them is told together with them, and left: a shift's hours are no season of what goes by the shift.
    """
    ones, every = np.ones_like(line), np.ones((1, len(follow)), dtype=bool)
    left = np.ones((beside.shape[1], len(follow)), dtype=bool)
    parts = np.concatenate([ones, wave, beside], axis=1)
    with_trend = regress(np.insert(parts, 1, line[:, 0], axis=1), values, 1e-5, np.vstack([every, every, used, left]))
    without = regress(parts, values, 1e-5, np.vstack([every, used, left]))
    chosen = np.where(follow > 0, with_trend, np.insert(without, 1, 0.0, axis=0))[: 2 + wave.shape[1]]
    chosen[1] *= follow
    return chosen


def _beside(regime: Int[np.ndarray, " N"], regimes: int) -> Float[np.ndarray, "N B"]:
    """Which regime each row has, beside how often it is; nothing where there is but one."""
    if regimes == 1:
        return np.empty((len(regime), 0))
    each = np.eye(regimes)[regime][:, 1:]
    return each - each.mean(axis=0)


def _widened(
    response: Response, rests: Sequence[Float[np.ndarray, "_T D"]], regimes: Sequence[Int[np.ndarray, " _T"]]
) -> Response:
    """The response with its widening, but of channels that it would make step."""
    wide = widened(response, rests, regimes)
    if not wide.widening.any():
        return wide
    likelier = spreads_apart(rests, [wide.log_width(regime, 1.0) for regime in regimes])
    return replace(wide, widening=wide.widening * likelier)


def _with_regime_spreads(season: Season, stretches: Sequence[Stretch], regimes: int) -> Season:
    """The season with the log of each regime's spread beside that of all rows, drawn towards zero where it has few.

    Measured by the mean logarithm of sizes, which a start-up among its rows hardly moves. None for a channel that it
    would make step.
    """
    if regimes == 1:
        return season
    rests = [season.remove(s) for s in stretches]
    rest, regime = np.concatenate(rests), np.concatenate([s.regime for s in stretches])
    usual = np.nan_to_num(np.nanmedian(np.abs(rest), axis=0)) + 1e-9
    size = np.log(np.abs(rest) + LITTLE * usual)
    found = _regime_means(size - mean_known(size), regime, regimes)
    return replace(season, regime_log_spread=found * spreads_apart(rests, [found[s.regime] for s in stretches]))


def trending(stretches: Sequence[Stretch], candidates: Sequence[float], regimes: int) -> Float[np.ndarray, " D"]:
    """Say how far a linear trend helps to predict past the fitted rows: 0 not at all, 1 in full.

    The early rows are fitted, the late rows judge, at two splits. All channels take the share that is best for
    them together; a channel leaves it only where both splits say so clearly. Several stretches have no common
    trend.
    """
    channels = stretches[0].values.shape[1]
    if len(stretches) > 1 or len(stretches[0].values) < 32:
        return np.zeros(channels)
    errors = np.empty((len(TREND_SHARES), len(TREND_SPLITS), channels))
    for j, split_share in enumerate(TREND_SPLITS):
        early, late = split(stretches, split_share)
        for i, share in enumerate(TREND_SHARES):
            season = fit_season(early, candidates, regimes, np.full(channels, share))
            mean, _ = season.mean_and_spread(late[0].positions, late[0].regime, np.zeros(len(late[0].values)))
            errors[i, j] = mean_known(np.abs(late[0].values - mean))
    common = int(np.argmin(errors.mean(axis=(1, 2))))
    own = np.argmin(errors.mean(axis=1), axis=0)  # [D]
    clear = np.all(np.take_along_axis(errors, own[None, None], axis=0)[0] < 0.85 * errors[common], axis=0)
    return np.asarray(TREND_SHARES)[np.where(clear, own, common)]
