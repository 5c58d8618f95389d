"""Which seasons there are, and with how many harmonics each foretells later rows best.

Shapes: T steps, N rows of all runs, L late ones, D channels, F waves.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Num

from dowgan.known import mean_known
from dowgan.stretch import Stretch, stacked
from dowgan.waves import DAYS, HARMONICS, Span, Waves, days_off, mean_square, no_waves, regress, waves

CYCLES = 2.2  # a season is looked for only if the rows it is fitted to hold as many cycles: of a year, three years do
CYCLES_UNASKED = 8  # the same of one that no clock suggests: a price seems to have a few of any length
GAIN = 0.01  # least drop of the mean squared error (standardised channels) for a part of a season to stay
SURE = 2.0  # standard errors of that drop: white noise gains more than GAIN by chance
GAIN_ALONE = 0.02  # the same for a channel that follows a season which all together do not
SURE_ALONE = 5.0
STANDS_OUT = 4.0  # times the power beside it, at which a season that the clock suggests is taken for one
SHORTEST = 2.5  # rows of a harmonic that is looked at
CLEAR = 4  # harmonics of a season that stand out together in a channel that has one without doubt
BESIDE = range(2, 10)  # how many cycles more or fewer in all rows are looked at beside it
SURE_BLOCKS = 8  # blocks of the late rows, whose means tell the standard error also where rows are alike
WHOLE = 200  # rows of a season of which all harmonics are tried
GAIN_WHOLE = 0.5  # of a channel's squared error, by which it must fall for all harmonics in place of the few


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
    first = CYCLES_UNASKED
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


def _off_centre(three: Float[np.ndarray, " K"]) -> float:
    """Where the peak of a parabola through three logarithms of power lies, in steps from the middle one.

    At the end of a spectrum there are but two, and the middle one is taken.
    """
    if len(three) < 3:
        return 0.0
    left, middle, right = np.log(three + 1e-300)
    bend = left - 2 * middle + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0


class _Chooser:
    """Takes season after season, if it predicts the late rows better.

    Args:
        early, late: rows that seasons are fitted to, and those that judge them.
    """

    def __init__(self, early: Sequence[Stretch], late: Sequence[Stretch]) -> None:
        self.stretches = [*early, *late]
        self.values, self.positions, _, _ = stacked(early)
        self.late_values, self.late_positions, _, _ = stacked(late)
        self.span = float(np.ptp(self.positions)) + 1
        self.every = np.ones(self.values.shape[1], dtype=bool)
        self.chosen = no_waves(len(self.every))
        self.best = self.squares(self.chosen)

    def rest(self, tried: Waves, late: bool) -> Float[np.ndarray, "L D"]:
        """Return what waves that are fitted to the early rows leave of the early or the late ones."""

        def design(positions: Num[np.ndarray, " T"]) -> Float[np.ndarray, "T F"]:
            return np.concatenate([np.ones((len(positions), 1)), tried.at(positions)], axis=1)

        used = np.concatenate([self.every[None], tried.used])
        fitted = regress(design(self.positions), self.values, used=used)
        values, positions = (self.late_values, self.late_positions) if late else (self.values, self.positions)
        return values - design(positions) @ fitted

    def squares(self, tried: Waves) -> Float[np.ndarray, "L D"]:
        """Return squared errors of the late rows; a shifted level is the trend's or the prior's matter."""
        rest = self.rest(tried, late=True)
        return (rest - mean_known(rest)) ** 2

    def take(self, period: float, options: Sequence[tuple[int, Span]]) -> None:
        """Take a season with the best of some numbers of harmonics and days off: for all channels if it helps them
        together, else for those that it helps without doubt."""
        tried = [self.squares(self.chosen.with_one(period, k, self.every, span)) for k, span in options]
        if not tried:
            return
        ranked = sorted(range(len(tried)), key=lambda number: mean_square(tried[number]))
        off = [number for number in ranked if options[number][1]]  # few harmonics may be sure where more are not yet
        together = next((number for number in (ranked[0], *off) if _gains(self.best, tried[number])), None)
        if together is not None:
            self._add(period, *options[together], self.every)
            return
        some = any((mean_known(self.best - after) > GAIN_ALONE).any() for after in tried)
        clear = _clear(self.stretches, period) if some else ~self.every
        alone = [_gain_alone(self.best, after, clear) for after in tried]
        most = int(np.argmax([gain.sum() for gain in alone]))
        if alone[most].any():
            self._add(period, *options[most], alone[most] > 0)

    def _add(self, period: float, most: int, span: Span, followed: Bool[np.ndarray, " D"]) -> None:
        self.chosen = self.chosen.with_one(period, most, followed, span)
        self.best = self.squares(self.chosen)

    def take_whole(self, period: float) -> None:
        """Let channels follow all harmonics of a season that do so far better."""
        finer = self.chosen.with_whole(period, self.every)
        follow = _gain_alone(self.best, self.squares(finer), ~self.every) > GAIN_WHOLE * mean_known(self.best)
        self.chosen = self.chosen.with_whole(period, follow) if follow.any() else self.chosen


def choose_waves(early: Sequence[Stretch], late: Sequence[Stretch], candidates: Sequence[float]) -> Waves:
    """Take season after season, each with the number of harmonics that predicts the late rows best.

    All channels follow a season that helps them taken together; else those do that it helps without doubt. Of a week
    that may be one in which a day or two go otherwise than the others.
    """
    choice = _Chooser(early, late)
    rows = len(choice.positions)
    for period in sorted(candidates):
        if choice.span < CYCLES * period or period < SHORTEST:
            continue
        counts = sorted({*HARMONICS, min(int(period / 2), HARMONICS[-1])})  # of a week all: a Sunday stands alone
        options: list[tuple[int, Span]] = [(k, ()) for k in counts if period / k >= 2 and 8 * k < rows]
        if period / DAYS in candidates and period / DAYS >= SHORTEST:
            off = days_off(choice.positions, choice.rest(choice.chosen, late=False), period)
            options += [(k, off) for k in HARMONICS if period / DAYS / k >= 2 and 8 * k < rows]
        choice.take(period, options)
    whole = [p for p in candidates if p <= WHOLE and choice.span >= CYCLES_UNASKED * p and 4 * p < rows]
    if whole and choice.chosen.periods:
        choice.take_whole(max(whole))
    return choice.chosen


def faint_waves(stretches: Sequence[Stretch], candidates: Sequence[float]) -> Waves:
    """Take the shortest season that stands out, for all channels: slow movements may hide a day in any few of them."""
    every = np.ones(stretches[0].values.shape[1], dtype=bool)
    found = ((period, _standing_out(stretches, period)) for period in sorted(candidates))
    none = no_waves(len(every))
    return next((none.with_one(period, most, every) for period, most in found if most), none)


def _standing_out(stretches: Sequence[Stretch], period: float) -> int:
    """Return how many harmonics of a period have more power than what is beside them, 0 where the first has not."""
    ratio = _beside_neighbours(stretches, period)
    if ratio is None:
        return 0
    found = 0
    for most in (k for k in HARMONICS if period / k > SHORTEST):
        if np.mean([ratio(harmonic) for harmonic in range(found + 1, most + 1)]) < STANDS_OUT:
            break
        found = most
    return found


def _clear(stretches: Sequence[Stretch], period: float) -> Bool[np.ndarray, " D"]:
    """Which channels' first harmonics of a period stand out, each by itself."""
    ratio = _beside_neighbours(stretches, period)
    if ratio is None or period / CLEAR <= SHORTEST:
        return np.zeros(stretches[0].values.shape[1], dtype=bool)
    means: np.ndarray = np.mean([ratio(harmonic) for harmonic in range(1, CLEAR + 1)], axis=0)
    return means >= STANDS_OUT


def _beside_neighbours(stretches: Sequence[Stretch], period: float) -> Callable[[int], Float[np.ndarray, " D"]] | None:
    """Return what gives the power of a harmonic of a period beside that of what is near it, None for too few cycles.

    Of what is new in each row (a first-order autoregression's), whose spectrum is flat where that of rows is steep.
    """
    new = [_new_in_rows(s.values) for s in stretches]
    values, positions = np.concatenate(new), np.concatenate([s.positions[1:] for s in stretches])
    span = np.ptp(positions) + 1
    if span < CYCLES_UNASKED * period or len(values) < 4 * len(BESIDE):
        return None

    def power(frequency: float) -> Float[np.ndarray, " D"]:
        return np.sum(regress(waves(positions, (1 / frequency,), (1,)), values) ** 2, axis=0)

    def ratio(harmonic: int) -> Float[np.ndarray, " D"]:
        at = harmonic / period
        beside = [power(at + sign * step / span) for step in BESIDE for sign in (-1, 1) if at * span > step]
        return power(at) / (np.mean(beside, axis=0) + 1e-12)

    return ratio


def _new_in_rows(values: Float[np.ndarray, "T D"]) -> Float[np.ndarray, "T-1 D"]:
    """What each row but the first is beside what the row before foretells of it; NaN where one is missing."""
    rest = values - mean_known(values)
    memory = mean_known(rest[1:] * rest[:-1]) / np.maximum(mean_known(rest**2), 1e-12)
    return rest[1:] - np.nan_to_num(memory) * rest[:-1]


def _gains(before: Float[np.ndarray, "N D"], after: Float[np.ndarray, "N D"]) -> bool:
    """Say whether squared errors fall by more than they may by chance, which blocks of time tell."""
    blocks = np.array_split(np.nan_to_num(before - after).mean(axis=1), SURE_BLOCKS)
    means = np.array([block.mean() for block in blocks if len(block)])
    chance = float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else 0.0
    return mean_square(before) - mean_square(after) > max(GAIN, SURE * chance)


def _gain_alone(
    before: Float[np.ndarray, "N D"], after: Float[np.ndarray, "N D"], clear: Bool[np.ndarray, " D"]
) -> Float[np.ndarray, " D"]:
    """How far the squared errors of each channel fall, 0 where that is little or may be chance.

    Args:
        clear: which channels have such a season without doubt: slow movements hide what it tells of few weeks.
    """
    drop = before - after
    means = np.array([mean_known(block) for block in np.array_split(drop, SURE_BLOCKS) if len(block)])
    chance = means.std(axis=0, ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.full(drop.shape[1], np.inf)
    gain = mean_known(drop)
    return np.where(gain > np.maximum(GAIN_ALONE, np.where(clear, 0.0, SURE_ALONE * chance)), gain, 0.0)
