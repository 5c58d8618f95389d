"""Densify and extend on arrays, by a prior: partly known series completed along many paths.

Shapes: P paths, N rows, K old rows, H new rows, T steps of a window, D channels, M ways to interpolate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from dowgan.complete import Draw, Frame, Regression, complete, conditional_mean
from dowgan.interpolation import WAYS, interpolate
from dowgan.prior import Prior
from dowgan.process import Process
from dowgan.rng import CHUNK
from dowgan.stretch import Stretch

CONTEXT = 2  # old steps behind each gap that are conditioned on in full
AHEAD = 4  # old steps ahead of each gap that are conditioned on
DENSE_WIDTH = 3000  # most values of a densifying window; longer factors are taken in stages

Lots = Callable[[int, int], Float[np.ndarray, "B W"]]  # (lot of CHUNK windows, width) -> a standard normal row each
Normals = Callable[[int, int], Float[np.ndarray, "P W"]]  # (number of the window, width) -> standard normal rows


@dataclass(frozen=True)
class Mixture:
    """How a densified value is put together for one factor.

    Attributes:
        weights: [1 + M D], of the prior's median and of each of `interpolation.WAYS`; columns sum to one.
        band: [D], factors on the deviation of a path from the median.
    """

    weights: Float[np.ndarray, "M D"]
    band: Float[np.ndarray, " D"]


@dataclass(frozen=True)
class Paths:
    """Completed series in channels.

    Attributes:
        middle: [N D] the best single estimate.
        paths: [P N D].
    """

    middle: Float[np.ndarray, "N D"]
    paths: Float[np.ndarray, "P N D"]


@dataclass(frozen=True)
class Rows:
    """Where rows lie: clock position, regime, and place in their own run."""

    positions: Float[np.ndarray, " N"]
    regime: Int[np.ndarray, " N"]
    place: Float[np.ndarray, " N"]

    def and_then(self, more: "Rows") -> "Rows":
        """These rows and those behind them."""
        pairs = ((self.positions, more.positions), (self.regime, more.regime), (self.place, more.place))
        return Rows(*(np.concatenate(pair) for pair in pairs))


def rows_of(stretch: Stretch) -> Rows:
    """Return where the rows of a stretch lie that starts its run."""
    return Rows(stretch.positions.astype(float), stretch.regime, stretch.places)


def rows_after(stretch: Stretch, regime: Int[np.ndarray, " H"]) -> Rows:
    """Return where the rows behind a stretch lie, given their regimes."""
    new = len(stretch.values) + np.arange(len(regime), dtype=float)
    return Rows(stretch.position + new, regime, stretch.pace * new)


class Solver:
    """A process and its windows, with all that can be computed once for them."""

    def __init__(self, process: Process, frame: Frame) -> None:
        self.process = process
        self.frame = frame

    @cached_property
    def regression(self) -> Regression:
        return Regression(self.process.covariance(self.frame.steps), self.process.channels)

    @cached_property
    def root(self) -> Float[np.ndarray, "TD TD"]:
        return np.linalg.cholesky(self.regression.covariance)

    def draw(self, normals: Normals) -> Draw:
        """Return draws of the process's windows for `complete`."""

        def draw(number: int) -> Float[np.ndarray, "P T D"]:
            z = normals(number, len(self.root))
            return (z @ self.root.T).reshape(len(z), self.frame.steps, self.process.channels)

        return draw

    def series(self, rows: int, lots: Lots) -> Float[np.ndarray, "1 N D"]:
        """Draw one long path of normal scores of which nothing is known, many windows at a time."""
        kept: dict[int, Float[np.ndarray, "B W"]] = {}

        def draw(number: int) -> Float[np.ndarray, "1 T D"]:
            lot, place = divmod(number, CHUNK)
            if lot not in kept:
                kept.clear()
                kept[lot] = lots(lot, len(self.root)) @ self.root.T
            return kept[lot][place].reshape(1, self.frame.steps, self.process.channels)

        return complete(np.full((rows, self.process.channels), np.nan), self.frame, self.regression, draw)

    def paths(self, known: Float[np.ndarray, "N D"], normals: Normals) -> Float[np.ndarray, "P N D"]:
        """Complete a series of normal scores along paths."""
        return complete(known, self.frame, self.regression, self.draw(normals))

    def solve(
        self, known: Float[np.ndarray, "N D"], normals: Normals | None, band: float | Float[np.ndarray, " D"]
    ) -> tuple[Float[np.ndarray, "N D"], Float[np.ndarray, "P N D"]]:
        """Return mean and paths of the completed series, the paths' deviation times the band factor."""
        mean = conditional_mean(known, self.frame, self.regression)
        if normals is None:
            return mean, np.empty((0, *mean.shape))
        return mean, mean + band * (self.paths(known, normals) - mean)


def extend(
    prior: Prior,
    solver: Solver,
    history: Stretch,
    future: Float[np.ndarray, "H D"],
    rows: Rows,
    normals: Normals,
    band: float | Float[np.ndarray, " D"],
) -> Paths:
    """Continue a series.

    Args:
        prior: season and marginals of series of the same step.
        solver: of the prior's process and `prior.frame()`.
        history: the series so far, from the start of its run, in channels.
        future: NaN, or values known in advance (set-points, conditions).
        rows: where the new rows lie.
        normals: the randomness, one row per path.
        band: factor on the deviation of a path from the median, or one of each channel.
    """
    context = solver.frame.context
    old = rows_of(history)
    tail = slice(max(0, len(history.values) - context), len(history.values))
    every = old.and_then(rows)  # in one go: a change of regime is felt later
    means, spreads = prior.season.mean_and_spread(every.positions, every.regime, every.place)
    new = slice(len(history.values), None)
    (old_mean, mean), (old_spread, spread) = ((part[tail], part[new]) for part in (means, spreads))
    to_normal, back = prior.marginals.to_normal, prior.marginals.from_normal
    before = np.full((context, solver.process.channels), np.nan)
    before[context - len(old_mean) :] = to_normal((history.values[tail] - old_mean) / old_spread)
    known = np.concatenate([before, to_normal((future - mean) / spread)])
    middle, paths = solver.solve(known, normals, band)
    return Paths(back(middle[context:]) * spread + mean, back(paths[:, context:]) * spread + mean)


def dense_frame(factor: int) -> Frame:
    """Return the windows that fill gaps of factor - 1 rows, one gap each."""
    return Frame(CONTEXT * factor, factor, AHEAD * factor + 1)


def stages(factor: int, channels: int) -> tuple[int, ...]:
    """Split a factor into the factors of consecutive passes, each small enough for one window."""
    room = max(2, DENSE_WIDTH // (channels * (CONTEXT + AHEAD + 1)))
    if factor <= room:
        return (factor,)
    for last in range(room, 1, -1):
        if factor % last == 0:
            return (*stages(factor // last, channels), last)
    return (factor,)


def densify(
    prior: Prior,
    process: Process,
    coarse: Float[np.ndarray, "K D"],
    factor: int,
    rows: Rows,
    normals: Normals | None,
    mixture: Mixture,
) -> Paths:
    """Fill factor - 1 new rows between any two old ones.

    Args:
        prior: season and marginals of the series.
        process: covariances on the fine grid.
        coarse: the old rows in channels, NaN where missing (they are filled too).
        factor: new steps per old step.
        rows: where all rows of the fine grid lie, (K - 1) * factor + 1 of them.
        normals: the randomness, one row per path; None for no paths.
        mixture: how the prior's median and plain interpolation are weighed.
    """
    mean, spread = prior.season.mean_and_spread(rows.positions, rows.regime, rows.place)
    to_normal, back = prior.marginals.to_normal, prior.marginals.from_normal
    known = np.full((len(rows.positions), process.channels), np.nan)
    known[::factor] = to_normal((coarse - mean[::factor]) / spread[::factor])
    step = factor
    for part in stages(factor, process.channels):  # a later stage goes on from the median of the one before
        step //= part
        solver = Solver(process.every(step), dense_frame(part))
        middle, paths = solver.solve(known[::step], normals, mixture.band)
        known[::step] = middle
    best = back(middle) * spread + mean
    ways = [interpolate(coarse, factor, way) for way in WAYS]
    switched = np.append(np.repeat(np.diff(rows.regime[::factor]) != 0, factor), False)
    plain = ways[WAYS.index("linear")]
    mixed = sum(
        (w * np.where(np.isnan(guess), best, guess) for w, guess in zip(mixture.weights, [best, *ways], strict=True)),
        np.zeros_like(best),
    )
    # when within a gap the regime has changed is not known
    mixed = np.where(switched[:, None] & ~np.isnan(plain), plain, mixed)
    return Paths(mixed, back(paths) * spread + mean + (mixed - best))
