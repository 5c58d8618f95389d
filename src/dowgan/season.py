"""The mean and spread that recur: by phase of the season, by regime, by position in a run, along a trend.

What is left after them is close to stationary, so one covariance over lags describes it (`prior.py`). Every part
is kept only if it lowers the error on rows that it was not fitted on.

Shapes: T steps, D channels; positions are whole steps from the origin of the table's clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int, Num

from dowgan.levels import mean_known
from dowgan.response import Response, fit_response, no_response, widened

HELD_OUT = 0.25  # share of the rows, the last ones, on which a part must prove itself
CYCLES = 2.5  # a season is looked for only if the fitted rows hold that many cycles
GAIN = 0.01  # least drop of the mean squared error (standardised channels) for a part to stay
SURE = 2.0  # standard errors of that drop, for a season: white noise gains more than GAIN by chance
SURE_BLOCKS = 8  # blocks of the late rows, whose means tell the standard error also where rows are alike
HARMONICS = (1, 2, 4, 8)
RIDGE = 1e-3
SCALE_FLOOR = 0.2  # a seasonal spread never falls below this share of the overall spread
LEAST_SHARE = 1e-6  # of the variance of all rows, that the rows at one place of a run have at least
REGIME_ROWS = 30.0  # rows at which a regime's own mean weighs as much as the common one
LITTLE = 0.05  # usual sizes, below which sizes count alike
RESPONSE_TURNS = 3  # in which levels of regimes and the response to their changes are fitted to one another
MIN_PROFILE_RUNS = 8
APART = 0.05  # of the usual length: runs whose lengths differ less are told row by row
FASTER = 0.8  # share of what a course row by row leaves, below which a course in shares of the run must
TREND_SHARES = (0.0, 0.5, 1.0)
TREND_SPLITS = (0.25, 0.4)


Rests = Sequence[Float[np.ndarray, "_T D"]]
Places = Sequence[Float[np.ndarray, " _T"]]


@dataclass(frozen=True)
class Stretch:
    """One run, or the whole series, in model channels.

    Attributes:
        values: [T D], NaN where missing.
        position: steps from the clock's origin to its first row.
        regime: [T], the regime of each row; all zero where there are no conditions.
        pace: places of a run from each row to the next; more than one in a short run where all go the same way.
    """

    values: Float[np.ndarray, "T D"]
    position: int
    regime: Int[np.ndarray, " T"]
    pace: float = 1.0

    def rows(self, start: int, stop: int) -> "Stretch":
        return Stretch(self.values[start:stop], self.position + start, self.regime[start:stop], self.pace)

    @property
    def positions(self) -> Int[np.ndarray, " T"]:
        return self.position + np.arange(len(self.values))

    @property
    def places(self) -> Float[np.ndarray, " T"]:
        """Places of the rows in the run, the first of which is its first row."""
        return self.pace * np.arange(len(self.values))


def waves(
    positions: Num[np.ndarray, " T"], periods: Sequence[float], harmonics: Sequence[int]
) -> Float[np.ndarray, "T F"]:
    """Cosine and sine of each harmonic of each period at the given positions (in steps)."""
    columns = [np.empty((len(positions), 0))]
    for period, most in zip(periods, harmonics, strict=True):
        angle = 2 * np.pi * np.outer(positions, np.arange(1, most + 1)) / period  # [T K]
        columns += [np.cos(angle), np.sin(angle)]
    return np.concatenate(columns, axis=1)


def regress(
    design: Float[np.ndarray, "T F"], values: Float[np.ndarray, "T D"], ridge: float = RIDGE
) -> Float[np.ndarray, "F D"]:
    """Ridge regression of every channel on the design, each over the rows where it is known."""
    known = ~np.isnan(values)
    out = np.zeros((design.shape[1], values.shape[1]))
    for channel in range(values.shape[1]):
        rows = design[known[:, channel]]
        if len(rows) > 0:
            gram = rows.T @ rows + ridge * max(len(rows), 1) * np.eye(rows.shape[1])
            out[:, channel] = np.linalg.solve(gram, rows.T @ values[known[:, channel], channel])
    return out


@dataclass(frozen=True)
class Season:
    """Mean and spread of each channel at a position of the clock, of a run, and in a regime.

    Attributes:
        periods: season lengths in steps.
        harmonics: how many harmonics of each.
        level: [D] mean over all rows.
        wave: [F D] coefficients of the harmonics.
        trend: [D] change per step, zero where a channel has none.
        middle: position at which the trend is zero.
        span: first and last fitted position; outside, a generated series holds the trend's end value.
        spread: [F+1 D] coefficients of the logarithm of the spread: constant, then the waves.
        regime_mean, regime_log_spread: [R D] what each regime adds.
        response: what changes of regime add to that.
        profile: [P D] what the position in the run adds (P may be 0); rows past P take the last.
        log_profile: [P D] what it adds to the logarithm of the spread, likewise.
        whole: windows are whole runs, so that they know their place; else what the place adds is kept out of them.
    """

    periods: tuple[float, ...]
    harmonics: tuple[int, ...]
    level: Float[np.ndarray, " D"]
    wave: Float[np.ndarray, "F D"]
    trend: Float[np.ndarray, " D"]
    middle: float
    span: tuple[float, float]
    spread: Float[np.ndarray, "G D"]
    regime_mean: Float[np.ndarray, "R D"]
    regime_log_spread: Float[np.ndarray, "R D"]
    response: Response
    profile: Float[np.ndarray, "P D"]
    log_profile: Float[np.ndarray, "Q D"]
    whole: bool = False

    def mean_and_spread(
        self,
        positions: Num[np.ndarray, " T"],
        regime: Int[np.ndarray, " T"],
        place: Float[np.ndarray, " T"],
        hold_trend: bool = False,
    ) -> tuple[Float[np.ndarray, "T D"], Float[np.ndarray, "T D"]]:
        """Return mean and spread at each row.

        Args:
            positions: steps from the clock's origin, evenly spaced; fractions are allowed.
            regime: regime of each row, from the start of the run, or from long enough before.
            place: steps from the start of the row's own run.
            hold_trend: keep the trend within the fitted span (for generated series of any length).
        """
        mean, spread = self.steady(positions, place)
        more, log_factor = self._moving(positions, regime, place, hold_trend)
        return mean + more, spread * np.exp(log_factor)

    def steady(
        self, positions: Num[np.ndarray, " T"], place: Float[np.ndarray, " T"]
    ) -> tuple[Float[np.ndarray, "T D"], Float[np.ndarray, "T D"]]:
        """Return mean and spread but for what moves them: regimes, trends and, of longer runs, places in the run."""
        design = waves(positions, self.periods, self.harmonics)
        mean = self.level + design @ self.wave
        log_spread = self.spread[0] + design[:, : len(self.spread) - 1] @ self.spread[1:]
        if self.whole:
            mean, log_spread = mean + at(self.profile, place), log_spread + at(self.log_profile, place)
        return mean, np.exp(log_spread)

    def without_moves(
        self, values: Float[np.ndarray, "T D"], positions: Num[np.ndarray, " T"], regime: Int[np.ndarray, " T"],
        place: Float[np.ndarray, " T"],
    ) -> Float[np.ndarray, "T D"]:  # fmt: skip
        """Return values of a generated series, or of a table's, without what moves them."""
        if not self._moves:
            return values
        mean, more, factor = self._moves_of(positions, regime, place)
        return (values - more - mean) / factor + mean

    def with_moves(
        self, values: Float[np.ndarray, "T D"], positions: Num[np.ndarray, " T"], regime: Int[np.ndarray, " T"],
        place: Float[np.ndarray, " T"],
    ) -> Float[np.ndarray, "T D"]:  # fmt: skip
        """Put back what `without_moves` takes away."""
        if not self._moves:
            return values
        mean, more, factor = self._moves_of(positions, regime, place)
        return (values - mean) * factor + mean + more

    def _moves_of(
        self, positions: Num[np.ndarray, " T"], regime: Int[np.ndarray, " T"], place: Float[np.ndarray, " T"]
    ) -> tuple[Float[np.ndarray, "T D"], Float[np.ndarray, "T D"], Float[np.ndarray, "T D"]]:
        """The steady mean, what moves add to it, and their factor on what strays from it, in a generated series."""
        more, log_factor = self._moving(positions, regime, place, hold_trend=True)
        return self.steady(positions, place)[0], more, np.exp(log_factor)

    @property
    def along(self) -> bool:
        """Whether a place in the run moves what windows do not know."""
        return len(self.profile) + len(self.log_profile) > 0 and not self.whole

    @property
    def _moves(self) -> bool:
        return len(self.regime_mean) > 1 or bool(self.trend.any()) or self.along

    def _moving(
        self, positions: Num[np.ndarray, " T"], regime: Int[np.ndarray, " T"], place: Float[np.ndarray, " T"],
        hold_trend: bool,
    ) -> tuple[Float[np.ndarray, "T D"], Float[np.ndarray, "T D"]]:  # fmt: skip
        """What regimes, trends and places in a run add to the mean, and to the logarithm of the spread."""
        step = float(positions[1] - positions[0]) if len(positions) > 1 else 1.0
        along = np.clip(positions, *self.span) if hold_trend else positions
        more = self.regime_mean[regime] + self.response.level(regime, step)
        log_factor = self.regime_log_spread[regime] + self.response.log_width(regime, step)
        if self.along:
            more, log_factor = more + at(self.profile, place), log_factor + at(self.log_profile, place)
        return more + np.outer(along - self.middle, self.trend), log_factor

    def remove(self, stretch: Stretch) -> Float[np.ndarray, "T D"]:
        """Return the standardised rest [T D] of a stretch that starts its run."""
        mean, spread = self.mean_and_spread(stretch.positions, stretch.regime, stretch.places)
        return (stretch.values - mean) / spread


def at(profile: Float[np.ndarray, "P D"], place: Num[np.ndarray, " T"]) -> Float[np.ndarray, "T D"]:
    """What a profile says of the rows at those places of a run, between two of its own in part; nothing if empty."""
    if not len(profile):
        return np.zeros((len(place), profile.shape[1]))
    inside = np.clip(place, 0, len(profile) - 1)
    low = inside.astype(int)
    share = (inside - low)[:, None]
    return (1 - share) * profile[low] + share * profile[np.minimum(low + 1, len(profile) - 1)]


def _stack(
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
    if len(stretches) >= MIN_PROFILE_RUNS:
        cut = max(1, round(len(stretches) * (1 - share)))
        return list(stretches[:cut]), list(stretches[cut:])
    early, late = [], []
    for s in stretches:
        cut = round(len(s.values) * (1 - share))
        early.append(s.rows(0, cut))
        late.append(s.rows(cut, len(s.values)))
    return early, late


def _error(rest: Float[np.ndarray, "N D"]) -> float:
    """Mean squared rest over the known values."""
    return _mean(rest**2)


def peaks(stretches: Sequence[Stretch], most: int = 2) -> tuple[float, ...]:
    """Periods of the strongest peaks of the averaged periodogram of the longest stretch, in steps."""
    longest = max(stretches, key=lambda s: len(s.values)).values
    steps = len(longest)
    if steps < 24:
        return ()
    filled = np.where(np.isnan(longest), 0.0, longest)
    line = np.stack([np.ones(steps), np.linspace(-1, 1, steps)], axis=1)
    filled = filled - line @ np.linalg.lstsq(line, filled, rcond=None)[0]
    filled = filled / (filled.std(axis=0) + 1e-12)
    power = np.mean(np.abs(np.fft.rfft(filled * np.hanning(steps)[:, None], axis=0)) ** 2, axis=1)
    first = int(np.ceil(CYCLES * 1.6))
    if len(power) <= first + 2:
        return ()
    found: list[float] = []
    for index in np.argsort(power[first:])[::-1] + first:
        period = steps / (index + _off_centre(power[index - 1 : index + 2]))
        local = np.median(power[max(first, index // 2) : 2 * index + 2])
        if period < 3 or power[index] < 8 * local or len(found) == most:
            break
        if all(abs(period / other - 1) > 0.2 for other in found):
            found.append(float(period))
    return tuple(found)


def _alike(stretches: Sequence[Stretch]) -> bool:
    """Whether many runs begin at the same position: what recurs in them is told by their profile, row by row."""
    return len(stretches) >= MIN_PROFILE_RUNS and len({s.position for s in stretches}) == 1


def _off_centre(three: Float[np.ndarray, " K"]) -> float:
    """Where the peak of a parabola through three logarithms of power lies, in steps from the middle one.

    At the end of a spectrum there are but two, and the middle one is taken.
    """
    if len(three) < 3:
        return 0.0
    left, middle, right = np.log(three + 1e-300)
    bend = left - 2 * middle + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0


def _choose_waves(
    early: Sequence[Stretch], late: Sequence[Stretch], candidates: Sequence[float]
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Take season after season, each with the number of harmonics that predicts the late rows best."""
    values, positions, _, _ = _stack(early)
    late_values, late_positions, _, _ = _stack(late)
    span = np.ptp(positions) + 1
    periods: tuple[float, ...] = ()
    harmonics: tuple[int, ...] = ()

    def squares(periods: tuple[float, ...], harmonics: tuple[int, ...]) -> Float[np.ndarray, "L D"]:
        design = np.concatenate([np.ones((len(positions), 1)), waves(positions, periods, harmonics)], axis=1)
        late_design = np.concatenate(
            [np.ones((len(late_positions), 1)), waves(late_positions, periods, harmonics)], axis=1
        )
        rest = late_values - late_design @ regress(design, values)
        return (rest - mean_known(rest)) ** 2  # a shifted level is the trend's or the prior's matter

    best = squares(periods, harmonics)
    for period in sorted(candidates):
        if span < CYCLES * period or period < 2.5:
            continue
        tries = [k for k in HARMONICS if period / k > 2.5 and 2 * k * 4 < len(positions)]
        tried = {k: squares((*periods, period), (*harmonics, k)) for k in tries}
        if tried:
            most = min(tried, key=lambda k: _mean(tried[k]))
            if _gains(best, tried[most]):
                best, periods, harmonics = tried[most], (*periods, period), (*harmonics, most)
    return periods, harmonics


def _mean(squares: Float[np.ndarray, "N D"]) -> float:
    """Mean over the known values, infinite where none is known."""
    known = squares[~np.isnan(squares)]
    return float(known.mean()) if known.size else np.inf


def _gains(before: Float[np.ndarray, "N D"], after: Float[np.ndarray, "N D"]) -> bool:
    """Say whether squared errors fall by more than they may by chance, which blocks of time tell."""
    blocks = np.array_split(np.nan_to_num(before - after).mean(axis=1), SURE_BLOCKS)
    means = np.array([block.mean() for block in blocks if len(block)])
    chance = float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else 0.0
    return _mean(before) - _mean(after) > max(GAIN, SURE * chance)


def _regime_means(
    rest: Float[np.ndarray, "N D"], regime: Int[np.ndarray, " N"], regimes: int
) -> Float[np.ndarray, "R D"]:
    """Mean of the rest in each regime, drawn towards zero where a regime has few rows."""
    out = np.zeros((regimes, rest.shape[1]))
    for index in range(regimes if regimes > 1 else 0):
        rows = rest[regime == index]
        count = np.sum(~np.isnan(rows), axis=0)
        out[index] = np.nansum(rows, axis=0) / (count + REGIME_ROWS)
    return out


def _regime_levels(
    rests: Sequence[Float[np.ndarray, "_T D"]], regimes: Sequence[Int[np.ndarray, " _T"]], count: int
) -> tuple[Float[np.ndarray, "R D"], Response, Float[np.ndarray, "N D"]]:
    """Levels of the regimes, the response to their changes, and the rest. Each is fitted to what the other leaves."""
    rows, regime = np.concatenate(list(rests)), np.concatenate(list(regimes))
    ends, added = np.cumsum([len(r) for r in rests])[:-1], np.zeros_like(rows)
    levels, response = _regime_means(rows, regime, count), no_response(count, rows.shape[1])
    for _ in range(RESPONSE_TURNS if count > 1 else 0):
        levels = _regime_means(rows - added, regime, count)
        response = fit_response(np.split(rows - levels[regime], ends), regimes, levels)
        added = np.concatenate([response.level(r, 1.0) for r in regimes])
    return levels, response, rows - levels[regime] - added


def _profile(rests: Rests, places: Places) -> Float[np.ndarray, "P D"]:
    """Mean course along a run, drawn towards zero; empty if it does not predict other runs."""
    cut = _runs_apart(rests)
    if cut == len(rests):
        return np.empty((0, rests[0].shape[1]))
    before = _error(np.concatenate(rests[cut:]))
    after = _unforeseen(rests, places, cut)
    return _course(rests, places) if after < before - GAIN else np.empty((0, rests[0].shape[1]))


def _course(rests: Rests, places: Places) -> Float[np.ndarray, "P D"]:
    total, count = _along(rests, places)
    return total / (count + 2.0)


def _unforeseen(rests: Rests, places: Places, cut: int) -> float:
    """What the course of the first runs leaves of the others."""
    fitted = _course(rests[:cut], places[:cut])
    return _error(np.concatenate([r - at(fitted, p) for r, p in zip(rests[cut:], places[cut:], strict=True)]))


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


def _log_profile(rests: Rests, places: Places) -> Float[np.ndarray, "P D"]:
    """Log of the spread along runs, beside that of all rows: runs that begin alike part as they go on.

    It is drawn towards zero where few runs tell it; empty if it does not make other runs likelier.
    """

    def course(runs: Rests, places: Places) -> Float[np.ndarray, "P D"]:
        overall = mean_known(np.concatenate(list(runs)) ** 2) + 1e-12
        total, count = _along([r**2 / overall for r in runs], places)
        own = np.log(np.maximum(total / np.maximum(count, 1), LEAST_SHARE))
        return 0.5 * own * count / (count + REGIME_ROWS)

    def cost(runs: Sequence[Float[np.ndarray, "_T D"]], log_spread: Sequence[Float[np.ndarray, "_T D"]]) -> float:
        """Mean negative log density of normal values, the best common spread taken."""
        scaled = np.concatenate([r / np.exp(s) for r, s in zip(runs, log_spread, strict=True)])
        return float((_log_size(scaled) + mean_known(np.concatenate(list(log_spread)))).mean())

    cut = _runs_apart(rests)
    late = rests[cut:]
    if not late:
        return np.empty((0, rests[0].shape[1]))
    fitted = course(rests[:cut], places[:cut])
    before = cost(late, [np.zeros_like(r) for r in late])
    after = cost(late, [at(fitted, p) for p in places[cut:]])
    return course(rests, places) if after < before - GAIN else np.empty((0, rests[0].shape[1]))


def _runs_apart(rests: Rests) -> int:
    """How many of many runs come first, before those on which a profile must prove itself: all of few."""
    return max(1, round(len(rests) * (1 - HELD_OUT))) if len(rests) >= MIN_PROFILE_RUNS else len(rests)


def _along(runs: Rests, places: Places) -> tuple[Float[np.ndarray, "P D"], Float[np.ndarray, "P D"]]:
    """Sum and number of the known values at each place of a run of median length."""
    steps, channels = int(np.median([p[-1] for p in places])) + 1, runs[0].shape[1]
    total, count = np.zeros((steps, channels)), np.zeros((steps, channels))
    for run, place in zip(runs, places, strict=True):
        nearest = np.rint(place).astype(int)
        inside = nearest < steps
        np.add.at(total, nearest[inside], np.nan_to_num(run[inside]))
        np.add.at(count, nearest[inside], ~np.isnan(run[inside]))
    return total, count


def _log_size(rest: Float[np.ndarray, "N D"]) -> Float[np.ndarray, " D"]:
    return np.log(np.sqrt(mean_known(rest**2)) + 1e-12)


def _log_spread(rest: Float[np.ndarray, "N D"], design: Float[np.ndarray, "N F"], cut: int) -> Float[np.ndarray, "G D"]:
    """Coefficients of the log spread on the waves; only the constant if the waves do not help.

    E log|x| of a normal variable is log sigma - 0.635 (Harvey, Ruiz and Shephard 1994, eq. 5, halved).
    """
    overall = _log_size(rest)
    constant = overall[None]
    if design.shape[1] == 0:
        return constant
    few = design[:, : min(design.shape[1], 4)]
    full = np.concatenate([np.ones((len(few), 1)), few], axis=1)
    log_size = np.log(np.abs(rest) + SCALE_FLOOR / 2 * np.exp(overall))

    def cost(coefficients: Float[np.ndarray, "G D"], rows: slice) -> float:
        log_scale = full[rows, : len(coefficients)] @ coefficients
        return float(mean_known(log_scale + 0.5 * (rest[rows] / np.exp(log_scale)) ** 2).mean())

    def fit(rows: slice) -> Float[np.ndarray, "G D"]:
        coefficients = regress(full[rows], log_size[rows], ridge=1e-2)
        scaled = rest[rows] / np.exp(full[rows] @ coefficients)
        coefficients[0] += _log_size(scaled)
        return coefficients

    early, late = slice(0, cut), slice(cut, None)
    fitted = fit(early)
    early_constant = _log_size(rest[early])[None]
    return fit(slice(None)) if cost(fitted, late) < cost(early_constant, late) - GAIN else constant


def fit_season(
    stretches: Sequence[Stretch],
    candidates: Sequence[float],
    regimes: int = 1,
    trend: Float[np.ndarray, " D"] | None = None,
) -> Season:
    """Fit the recurring mean and spread.

    Args:
        stretches: the runs, in channels of about unit spread.
        candidates: season lengths in steps that the clock suggests.
        regimes: how many regimes there are.
        trend: share of its linear trend that each channel follows, 0 to 1; None for none.
    """
    channels = stretches[0].values.shape[1]
    early, late = split(stretches)
    found = () if candidates or _alike(stretches) else peaks(stretches)
    periods, harmonics = _choose_waves(early, late, tuple(candidates) + found)
    values, positions, _, places = _stack(stretches)
    middle = float(positions.mean())
    follow = np.zeros(channels) if trend is None else trend
    half = max(float(np.ptp(positions)) / 2, 1.0)
    design = np.concatenate(
        [
            np.ones((len(positions), 1)),
            ((positions - middle) / half)[:, None],
            waves(positions, periods, harmonics),
        ],
        axis=1,
    )
    flat = np.delete(design, 1, axis=1)
    with_trend, without = regress(design, values, 1e-5), regress(flat, values, 1e-5)
    chosen = np.where(follow > 0, with_trend, np.insert(without, 1, 0.0, axis=0))
    chosen[1] *= follow
    rest = values - design @ chosen
    ends = np.cumsum([len(s.values) for s in stretches])[:-1]
    regime_mean, response, rest = _regime_levels(np.split(rest, ends), [s.regime for s in stretches], regimes)
    along = [s.places for s in stretches]
    profile = _profile(np.split(rest, ends), along)
    rest = rest - at(profile, places)
    response = widened(response, np.split(rest, ends), [s.regime for s in stretches])
    rest = rest / np.exp(np.concatenate([response.log_width(s.regime, 1.0) for s in stretches]))
    log_profile = _log_profile(np.split(rest, ends), along)
    rest = rest / np.exp(at(log_profile, places))
    spread = _log_spread(rest, design[:, 2:], round(len(rest) * (1 - HELD_OUT)))
    season = Season(
        periods=periods,
        harmonics=harmonics,
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
    )
    return replace(season, regime_log_spread=_regime_spreads(season, stretches, regimes))


def _regime_spreads(season: Season, stretches: Sequence[Stretch], regimes: int) -> Float[np.ndarray, "R D"]:
    """Log of each regime's spread beside that of all rows, drawn towards zero where it has few rows.

    Measured by the mean logarithm of sizes, which a start-up among its rows hardly moves.
    """
    rest = np.concatenate([season.remove(s) for s in stretches])
    regime = np.concatenate([s.regime for s in stretches])
    usual = np.nan_to_num(np.nanmedian(np.abs(rest), axis=0)) + 1e-9
    size = np.log(np.abs(rest) + LITTLE * usual)
    size = size - mean_known(size)
    return _regime_means(size, regime, regimes)


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
