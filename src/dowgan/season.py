"""The mean and spread that recur: by phase of the season, by regime, by position in a run, along a trend.

What is left after them is close to stationary, so one covariance over lags describes it (`prior.py`). Every part
is kept only if it lowers the error on rows that it was not fitted on.

Shapes: T steps, D channels; positions are whole steps from the origin of the table's clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Num
from scipy.interpolate import PchipInterpolator

from dowgan.known import mean_known
from dowgan.profile import at
from dowgan.response import Response
from dowgan.stretch import Stretch, stacked
from dowgan.waves import Span, waves


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
        apart: what recurs by the clock is kept out of windows too, as a phase of the day that hardly differs from day
            to day: what carries windows to the table's does not know the phase, and would blur it.
        off: of each period, the part of a week in which days go otherwise, see `waves`.
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
    apart: bool = False
    off: tuple[Span, ...] = ()

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
        """Return mean and spread but for what moves them: regimes, trends and, of longer runs, places in the run; and
        what recurs by the clock if it is kept apart."""
        if self.apart:
            mean, log_spread = (np.tile(row, (len(positions), 1)) for row in (self.level, self.spread[0]))
        else:
            mean, log_spread = self._recurring(positions)
        if self.whole:
            mean, log_spread = mean + at(self.profile, place), log_spread + at(self.log_profile, place)
        return mean, np.exp(log_spread)

    def _recurring(self, positions: Num[np.ndarray, " T"]) -> tuple[Float[np.ndarray, "T D"], Float[np.ndarray, "T D"]]:
        """Mean and logarithm of the spread by phase of the season, between whole steps without overshoot."""
        whole = np.arange(np.floor(positions.min()), np.ceil(positions.max()) + 2) if len(positions) else positions
        between = bool((positions % 1 != 0).any())
        design = waves(whole if between else positions, self.periods, self.harmonics, self.off)
        mean = self.level + design @ self.wave
        log_spread = self.spread[0] + design[:, : len(self.spread) - 1] @ self.spread[1:]
        if not between:
            return mean, log_spread
        return PchipInterpolator(whole, mean)(positions), PchipInterpolator(whole, log_spread)(positions)

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
        return len(self.regime_mean) > 1 or bool(self.trend.any()) or self.along or self.apart

    def _moving(
        self, positions: Num[np.ndarray, " T"], regime: Int[np.ndarray, " T"], place: Float[np.ndarray, " T"],
        hold_trend: bool,
    ) -> tuple[Float[np.ndarray, "T D"], Float[np.ndarray, "T D"]]:  # fmt: skip
        """What regimes, trends, places in a run and what is kept apart add to the mean, and to the logarithm of the
        spread."""
        step = float(positions[1] - positions[0]) if len(positions) > 1 else 1.0
        along = np.clip(positions, *self.span) if hold_trend else positions
        more = self.regime_mean[regime] + self.response.level(regime, step)
        log_factor = self.regime_log_spread[regime] + self.response.log_width(regime, step)
        if self.along:
            more, log_factor = more + at(self.profile, place), log_factor + at(self.log_profile, place)
        if self.apart:
            mean, log_spread = self._recurring(positions)
            more, log_factor = more + mean - self.level, log_factor + log_spread - self.spread[0]
        return more + np.outer(along - self.middle, self.trend), log_factor

    def told(self, stretches: Sequence[Stretch]) -> Float[np.ndarray, " D"]:
        """Return the share of each channel's variance that its waves tell."""
        values, positions, _, _ = stacked(stretches)
        mean = np.where(np.isnan(values), np.nan, self._recurring(positions)[0])
        whole, own = (mean_known((part - mean_known(part)) ** 2) for part in (values, mean))
        return own / np.maximum(whole, 1e-12)

    def remove(self, stretch: Stretch) -> Float[np.ndarray, "T D"]:
        """Return the standardised rest [T D] of a stretch that starts its run."""
        mean, spread = self.mean_and_spread(stretch.positions, stretch.regime, stretch.places)
        return (stretch.values - mean) / spread
