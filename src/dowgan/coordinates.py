"""The coordinates in which networks and the closed-form calibration work: whole windows, whitened by the prior.

A window is taken as the table has it, its season and its level included. Each channel goes to scores on which it is
about normal and moves about as much from step to step at every level; the window is whitened by the covariance of
windows that the prior draws, and each coordinate is made normal by its own quantiles. In them the prior is about
N(0, I), so a network that starts from the identity starts from the prior. One round of rotation-based iterative
Gaussianisation (Laparra, Camps-Valls and Malo 2011, IEEE TNN 22:537).

Shapes: B windows, T steps, D channels, U = T * D coordinates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.marginals import Marginals, fit_marginals, line_through

FEW = 60.0  # independent windows at which measured quantiles weigh as much as a normal distribution
FLOOR = 1e-6  # least variance of a coordinate, as a share of the mean variance
LEVELS = 12  # levels of a channel, evenly filled, at which its movement is measured
STILL = 200.0  # rows of a level at which its own movement weighs as much as that of all
MOST = 1.5  # times that scores are stretched or pressed at most
RESTS = 0.5  # share of the steps of a level in which nothing moves, from which a channel is left as it is
BLOCKS = 5  # of held-out windows, in which a stretch must make the movement likelier
SURE = 1.5  # times the standard error of their mean
JUDGED = 2_000  # windows on which it is judged whether scores are crooked
CROOKED = 2.0  # log density per value that windows lose by that
SHARPEST = 1e-9  # variance that a window's covariance is taken to have in every direction
APART = 1.5  # windows for each independent one, up to which they hardly share a row, as whole runs do
ENOUGH = 4  # such windows for each value of one, from which their own covariance is taken for the prior's
LEAST = 1e-10  # variance that a covariance's root and its inverse go down to
SAME = 48  # windows that share a row, beyond which fewer tell as much
FINE = 400  # places between the outer knots, at which scores are stretched


@dataclass(frozen=True)
class Coordinates:
    """Windows of scores to coordinates and back.

    Attributes:
        steps: T.
        scores: channels to scores, season and all.
        centre: [TD] mean of the scores of a window.
        whiten: [TD U], columns are eigenvectors over the root of their variance.
        colour: [U TD], the inverse.
        marginals: quantiles of each coordinate.
        carried: [1 + TD U] where windows of the prior have another mean and covariance: their mean's coordinates, and
            what whitens them; empty where they have the same.
    """

    steps: int
    scores: Marginals
    centre: Float[np.ndarray, " TD"]
    whiten: Float[np.ndarray, "TD U"]
    colour: Float[np.ndarray, "U TD"]
    marginals: Marginals
    carried: Float[np.ndarray, "E U"]

    @property
    def covariance(self) -> Float[np.ndarray, "TD TD"]:
        """Covariance of the scores of a window."""
        return self.colour.T @ self.colour

    @property
    def value_directions(self) -> Float[np.ndarray, "T D U"]:
        """How each value of a window changes with the coordinates."""
        return self.colour.T.reshape(self.steps, -1, len(self.colour))

    def to_coordinates(self, windows: Float[np.ndarray, "B T D"]) -> Float[np.ndarray, "B U"]:
        return self.marginals.to_normal(self._white(windows))

    def from_coordinates(self, coordinates: Float[np.ndarray, "B U"]) -> Float[np.ndarray, "B T D"]:
        flat = self.marginals.from_normal(coordinates) @ self.colour + self.centre
        return flat.reshape(len(flat), self.steps, -1)

    def straight(self, windows: Float[np.ndarray, "B T D"]) -> Float[np.ndarray, "B U"]:
        """Return windows of the prior whitened, without the quantile maps: mean 0, covariance I."""
        if not len(self.carried):
            return self._white(windows)
        return windows.reshape(len(windows), -1) @ self.carried[1:] - self.carried[0]

    def _white(self, windows: Float[np.ndarray, "B T D"]) -> Float[np.ndarray, "B U"]:
        return (windows.reshape(len(windows), -1) - self.centre) @ self.whiten


def even_scores(
    scores: Marginals, windows: Float[np.ndarray, "B T D"], rows: float, held: Bool[np.ndarray, " B"]
) -> Marginals:
    """Stretch normal scores where a channel moves little and press them where it moves much.

    A price moves more when it is high, a flow when the valve is open. In the stretched scores the movement is alike
    everywhere, as in a stationary process (variance-stabilising transform, Bartlett 1947). Some stay as they are: those
    of a Gaussian process, where the middle of two neighbouring values tells nothing of their difference; those of a
    channel that rests at a level, such as a lamp that is off; and those whose stretch does not hold in blocks of
    windows that it was not measured on: there the level was the matter of an episode.

    Args:
        scores: channels to normal scores.
        windows: in channels, in the order of time.
        rows: about how many rows they hold.
        held: which windows lie in blocks on which a stretch, measured on the others, must prove itself.
    """
    if np.sum(~held) * (windows.shape[1] - 1) < LEVELS:
        return scores
    normal = scores.to_normal(windows)
    middle, change = (normal[:, 1:] + normal[:, :-1]) / 2, np.abs(np.diff(normal, axis=1))
    still = np.diff(windows, axis=1) == 0
    grid = np.linspace(scores.scores[0], scores.scores[-1], FINE)
    places = np.repeat(scores.scores[:, None], windows.shape[2], axis=1)  # normal scores of the stretched knots
    weight = rows / LEVELS / (rows / LEVELS + STILL)
    for channel in range(windows.shape[2]):
        level, size = middle[:, :, channel], change[:, :, channel]
        parts = _levels(level)
        rests = max(still[:, :, channel].ravel()[part].mean() for part in parts) > RESTS
        if rests or not _proven(level, size, weight, held):
            continue
        slope = np.interp(grid, *_stretch(level, size, weight, parts))
        stretched = np.concatenate([[0.0], np.cumsum((slope[1:] + slope[:-1]) / 2 * np.diff(grid))])
        own = np.interp(normal[:, :, channel], grid, stretched)
        places[:, channel] = line_through(scores.scores, (stretched - own.mean()) / (own.std() + 1e-12), grid)
    return Marginals(scores.scores, scores.from_normal(places))


def _levels(level: Float[np.ndarray, "B S"]) -> list[Int[np.ndarray, " _P"]]:
    """The steps at each level, from the lowest on."""
    return np.array_split(np.argsort(level, axis=None), LEVELS)


def _stretch(
    level: Float[np.ndarray, "B S"],
    size: Float[np.ndarray, "B S"],
    weight: float,
    parts: Sequence[Int[np.ndarray, " _P"]],
) -> tuple[Float[np.ndarray, " L"], Float[np.ndarray, " L"]]:
    """Levels, and how far the scores are stretched at each."""
    squares = size.ravel() ** 2
    centres, moved = (np.array([of[part].mean() for part in parts]) for of in (level.ravel(), squares))
    even = weight * moved / (squares.mean() + 1e-12) + (1 - weight)
    return centres, np.clip(1 / np.sqrt(even), 1 / MOST, MOST)


def _proven(
    level: Float[np.ndarray, "B S"], size: Float[np.ndarray, "B S"], weight: float, held: Bool[np.ndarray, " B"]
) -> bool:
    """Whether the stretch makes the movement of held-out blocks likelier, as Laplace has it: spikes say little."""
    if held.sum() < BLOCKS:
        return False
    known = ~held
    line = _stretch(level[known], size[known], weight, _levels(level[known]))
    usual, evened = size[known].mean() + 1e-12, (size * np.interp(level, *line))[known].mean() + 1e-12
    slope = np.interp(level[held], *line)
    gain = size[held] / usual - size[held] * slope / evened + np.log(slope * usual / evened)
    blocks = np.array([block.mean() for block in np.array_split(gain, BLOCKS)])
    return bool(blocks.mean() > SURE * blocks.std(ddof=1) / np.sqrt(BLOCKS))


def fit_coordinates(
    drawn: Float[np.ndarray, "M T D"],
    windows: Float[np.ndarray, "B T D"],
    independent: float,
    held: Bool[np.ndarray, " B"],
) -> Coordinates:
    """Fit the coordinates of windows.

    Args:
        drawn: many windows of the prior, in channels.
        windows: real ones, in channels, without missing values.
        independent: about how many of them do not overlap.
        held: which of them lie in the held-out blocks.
    """
    steps, channels = windows.shape[1:]
    weight = independent / (independent + FEW)
    hop = max(1, steps // SAME)
    some, rows = windows[::hop], windows[::hop].reshape(-1, channels)
    scores = even_scores(fit_marginals(rows, weight), some, independent * steps, held[::hop])
    scores = _not_crooked(scores, fit_marginals(rows, 0.0), windows)
    own, real = (scores.to_normal(x).reshape(len(x), -1) for x in (drawn, windows))
    mean, covariance = own.mean(axis=0), np.atleast_2d(np.cov(own, rowvar=False))
    apart = len(windows) < APART * independent and len(windows) >= ENOUGH * real.shape[1]
    centre, wanted = (real.mean(axis=0), np.atleast_2d(np.cov(real, rowvar=False))) if apart else (mean, covariance)
    variance, vectors = np.linalg.eigh(wanted)
    variance, vectors = variance[::-1], vectors[:, ::-1]  # largest first
    root = np.sqrt(np.maximum(variance, FLOOR * variance.mean()))
    whiten, carried = vectors / root, np.empty((0, len(root)))
    if apart:
        turn = optimal_map(covariance, wanted) @ whiten
        carried = np.concatenate([(mean @ turn)[None], turn])
    straight = (real - centre) @ whiten
    return Coordinates(steps, scores, centre, whiten, (vectors * root).T, fit_marginals(straight, weight), carried)


def _not_crooked(scores: Marginals, line: Marginals, windows: Float[np.ndarray, "B T D"]) -> Marginals:
    """Take channels as they are where scores would make their windows far less likely.

    Smooth curves, such as parts of a sine, have sharp covariances, which the bends of a quantile map would blur.
    """
    some = windows[:: max(1, len(windows) // JUDGED)]
    crooked = _log_density(line, some) - _log_density(scores, some) > CROOKED
    return Marginals(scores.scores, np.where(crooked, line.quantiles, scores.quantiles))


def _log_density(scores: Marginals, windows: Float[np.ndarray, "B T D"]) -> Float[np.ndarray, " D"]:
    """Mean log density per value of each channel's windows whose scores are jointly normal, without the constant."""
    steps = windows.shape[1]
    covariances = [np.atleast_2d(np.cov(x, rowvar=False)) for x in np.moveaxis(scores.to_normal(windows), 2, 0)]
    sizes = [np.linalg.slogdet(c + SHARPEST * np.eye(steps))[1] / steps for c in covariances]
    return scores.log_slopes(windows).mean(axis=(0, 1)) - 0.5 * np.array(sizes)


def optimal_map(own: Float[np.ndarray, "U U"], wanted: Float[np.ndarray, "U U"]) -> Float[np.ndarray, "U U"]:
    """Return the optimal map between two centred Gaussians (Peyre and Cuturi 2019, arXiv:1803.00567, remark 2.31)."""
    root, inverse = _powers(own, 0.5, -0.5)
    return inverse @ _powers(root @ wanted @ root, 0.5)[0] @ inverse


def _powers(covariance: Float[np.ndarray, "U U"], *exponents: float) -> list[Float[np.ndarray, "U U"]]:
    variance, vectors = np.linalg.eigh(covariance)
    return [(vectors * np.maximum(variance, LEAST) ** exponent) @ vectors.T for exponent in exponents]
