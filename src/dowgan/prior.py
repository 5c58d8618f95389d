"""The part of a model that needs no training: season, marginals and a Gaussian process, one behind the other.

It serves the three verbs alone, in closed form, and is what the networks refine. Fitted in well under a second on
most tables.

Shapes: P paths, N rows, T steps, D channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from dowgan.complete import Frame
from dowgan.marginals import Marginals, fit_marginals
from dowgan.process import Process, fit_process
from dowgan.season import Season
from dowgan.seasonal import fit_season
from dowgan.stretch import Stretch, split

WIDTH = 2400  # most values of a window (steps times channels) that is conditioned at once
LONGEST = 192  # most steps of a window
JUDGE_STEPS = 24  # length of the windows on which covariances are judged
SMALL = 1000.0  # rows at which measured quantiles weigh as much as a normal distribution
CHANGED = 0.25  # logarithm of a spread, in the mean of regimes, from which they change it much


@dataclass(frozen=True)
class Prior:
    """Season, marginals and process of one table.

    Attributes:
        blend: which covariance structure won on held-out rows, in words.
    """

    season: Season
    marginals: Marginals
    process: Process
    blend: str

    @property
    def channels(self) -> int:
        return self.process.channels

    def to_normal(self, stretch: Stretch) -> Float[np.ndarray, "T D"]:
        """Return the normal scores of a stretch that starts its run."""
        return self.marginals.to_normal(self.season.remove(stretch))

    def from_normal(
        self,
        normal: Float[np.ndarray, "P N D"],
        positions: Float[np.ndarray, " N"],
        regime: Int[np.ndarray, " N"],
        place: Float[np.ndarray, " N"],
        hold_trend: bool = False,
    ) -> Float[np.ndarray, "P N D"]:
        """Return channels from normal scores at the given clock positions, regimes and places in the run."""
        mean, spread = self.season.mean_and_spread(positions, regime, place, hold_trend)
        return self.marginals.from_normal(normal) * spread + mean

    def frame(self, ahead: int = 0) -> Frame:
        """Return the longest windows that one solve should take; a quarter of each is new."""
        steps = int(np.clip(WIDTH // self.channels, 8, min(LONGEST, 2 * len(self.process.lagged))))
        hop = max(1, steps // 4)
        return Frame(max(1, steps - hop - ahead), hop, ahead)


def fit_prior(
    stretches: Sequence[Stretch],
    candidates: Sequence[float],
    regimes: int = 1,
    trend: Float[np.ndarray, " D"] | None = None,
    ahead: bool = False,
) -> Prior:
    """Fit season, marginals and process.

    Args:
        stretches: the runs, in channels of about unit spread.
        candidates: season lengths in steps that the clock suggests; () to look for them in the data.
        regimes: how many regimes there are.
        trend: share of its linear trend that each channel follows; None for none.
        ahead: it is to foretell from long histories, see `fit_process`.
    """
    season = fit_season(stretches, candidates, regimes, trend)
    seasons = [season] if ahead or regimes == 1 else [season, *_steadier(season)]
    priors = [_with_season(season, stretches, ahead) for season in seasons]
    if len(priors) == 1:
        return priors[0][0]
    return min(priors, key=lambda found: found[1] - drawn_out(found[0], stretches))[0]


def _steadier(season: Season) -> list[Season]:
    """The season with a spread that regimes change less: only of channels that they change much, or of none.

    What ties two channels, such as a temperature and the valve that holds it, is the same in all regimes, and no longer
    so where each regime evens each channel by a measurement of its own.
    """
    much = np.sqrt(np.mean(season.regime_log_spread**2, axis=0)) > CHANGED
    return [replace(season, regime_log_spread=season.regime_log_spread * kept) for kept in (much, np.zeros_like(much))]


def _with_season(season: Season, stretches: Sequence[Stretch], ahead: bool) -> tuple[Prior, float]:
    """A prior with a season, and the cost of late windows on the scale of scores, see `fit_process`."""
    rests = [season.remove(s) for s in stretches]
    rows = sum(len(r) for r in rests)
    marginals = fit_marginals(np.concatenate(rests), weight=rows / (rows + SMALL))
    scores = [replace(s, values=marginals.to_normal(r)) for s, r in zip(stretches, rests, strict=True)]
    early, late = split(scores)
    parts = [[s.values for s in part] for part in (early, late, scores)]
    process, blend, cost = fit_process(parts[0], parts[1], parts[2], JUDGE_STEPS, ahead)
    return Prior(season, marginals, process, blend), cost


def drawn_out(prior: Prior, stretches: Sequence[Stretch]) -> float:
    """How far channels are drawn out to scores: the mean logarithm of the slope at a known value."""
    season, rests = prior.season, [prior.season.remove(s) for s in stretches]
    widths = [season.mean_and_spread(s.positions.astype(float), s.regime, s.places)[1] for s in stretches]
    steep = [prior.marginals.log_slopes(rest) - np.log(width) for rest, width in zip(rests, widths, strict=True)]
    return float(np.concatenate(steep)[~np.isnan(np.concatenate(rests))].mean())
