"""Draw whole series from a model's priors and its generator, in channels.

A series is drawn in two passes. The first is the prior alone: a Gaussian process over long windows, so that slow
movements last as long as they should, with season and level put back. The second takes each short window of it to
the coordinates of the generator, through the generator and back, and joins the windows by conditioning each on the
end of the last.

Shapes: P paths, N rows, T steps of a window, D channels, U coordinates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.interpolate import interp1d
from scipy.ndimage import uniform_filter1d

from dowgan.complete import Draw, Frame, Regression, complete
from dowgan.coordinates import Coordinates
from dowgan.prior import Prior
from dowgan.rng import CHUNK, Streams
from dowgan.solver import Lots, Normals, Solver
from dowgan.transport import Transport

SMALL_SPREAD = 1e-9  # added to a spread before it divides
ALL_ALIKE = 1.1  # times that all movements of an epoch are made larger or smaller alike, at most
SLOW = 16  # parts of an epoch, whose means are its slow movements
MOST_SLOW = 4.0  # times that slow movements are made larger
HANDED_ON = 0.98  # of what a window misses the one before by, at most
WINDOWS = 256  # that go through the generator at once

Refine = Callable[[Float[np.ndarray, "B U"]], Float[np.ndarray, "B U"]]  # the generator, in coordinates


def identity(coordinates: Float[np.ndarray, "B U"]) -> Float[np.ndarray, "B U"]:
    """Return the coordinates as they are: the generator of a prior without a network."""
    return coordinates


@dataclass(frozen=True)
class Place:
    """Where the rows of one path lie: clock positions, regimes and places in the run, one for each row."""

    positions: Float[np.ndarray, " N"]
    regime: Int[np.ndarray, " N"]
    rows: Float[np.ndarray, " N"]

    def first(self, rows: int) -> "Place":
        """The first rows."""
        return Place(self.positions[:rows], self.regime[:rows], self.rows[:rows])

    def longer(self, steps: int) -> "Place":
        """The same with so many rows more."""
        if not steps:
            return self
        more, pace = 1 + np.arange(steps), float(np.diff(self.rows[-2:]).sum()) if len(self.rows) > 1 else 1.0
        parts = (
            (self.positions, self.positions[-1] + more),
            (self.regime, np.full(steps, self.regime[-1])),
            (self.rows, self.rows[-1] + pace * more),
        )
        return Place(*(np.concatenate(part) for part in parts))


class Sampler:
    """A prior, the coordinates of its short windows, a generator in them, and the calibration behind it.

    Args:
        epoch: rows of the fitted table. A single long series has over any so many rows about the mean and spread
            that the table has over all of its rows.
    """

    def __init__(
        self, prior: Prior, coordinates: Coordinates, refine: Refine, transport: Transport | None, epoch: int
    ) -> None:
        self.prior = prior
        self.coordinates = coordinates
        self.refine = refine
        self.transport = transport
        self.epoch = epoch
        self._solvers: dict[int, Solver] = {}

    @property
    def _short(self) -> Frame:
        """How short windows are laid over a series."""
        return Frame(self.coordinates.steps // 2, -(-self.coordinates.steps // 2), 0)

    @cached_property
    def _joint(self) -> Regression:
        """How short windows are joined: so that what one misses another by fades, and no long series runs away.

        Their covariance is measured on draws, and a season or a trend in it has roots of about one.
        """
        plain = Regression(self.coordinates.covariance, self.prior.channels)
        share = HANDED_ON / max(plain.handed_on(self._short), HANDED_ON)
        return Regression(plain.covariance, plain.channels, share) if share < 1 else plain

    @cached_property
    def _bases(self) -> list[Float[np.ndarray, "U _r"] | None]:
        return [] if self.transport is None else self.transport.bases(self.coordinates.value_directions)

    def windows(self, straight: Float[np.ndarray, "B U"]) -> Float[np.ndarray, "B T D"]:
        """Return windows of normal scores for coordinates of the prior's windows, in chunks of one size."""
        return np.concatenate([self._part(straight[i : i + WINDOWS]) for i in range(0, len(straight), WINDOWS)])

    def _part(self, straight: Float[np.ndarray, "B U"]) -> Float[np.ndarray, "B T D"]:
        refined = self.refine(_whole(straight))
        if self.transport is not None:
            refined = self.transport.apply(refined, self._bases)
        return self.coordinates.from_coordinates(refined)[: len(straight)]

    def paths(self, places: Sequence[Place], normals: Sequence[Normals]) -> Float[np.ndarray, "P N D"]:
        """Draw series of which nothing is known, one for each place, in channels.

        Args:
            places: of each path, all of N rows.
            normals: the randomness of each chunk of paths, one row per path.
        """
        rows = len(places[0].positions)
        more = self._short.windows(rows)[-1][0] + self._short.steps - rows  # that the last short window reaches beyond
        blank = np.full((rows + more, self.prior.channels), np.nan)
        slow = np.concatenate([self._solver(0).paths(blank, chunk) for chunk in normals])[: len(places)]
        return self._with_moves(self._finished(slow, [place.longer(more) for place in places], blank[:rows]), places)

    def series(
        self, place: Place, known: Float[np.ndarray, "N D"] | None, lots: Lots, hold: bool
    ) -> Float[np.ndarray, "N D"]:
        """Draw one series, in channels.

        Args:
            place: of its N rows.
            known: channels that are known in advance, NaN elsewhere.
            lots: the randomness.
            hold: hold mean and spread over each epoch, unless something is known.
        """
        rows, steps = len(place.positions), self.coordinates.steps
        if known is not None and not np.isnan(known).all():
            given = np.pad(known, ((0, steps), (0, 0)), constant_values=np.nan)
            longer = place.longer(steps)
            slow = self._solver(max(1, steps // 4)).paths(self._normal(given, longer), one_path(lots))
            return self._with_moves(self._finished(slow, [longer], known), [place])[0]
        used = self.epoch * (-(-rows // self.epoch) + 1) if hold else rows  # with the epoch beside the last
        slow = self._solver(0).series(used + steps + (self.epoch if hold else 0), lots)
        if hold:
            slow = level(slow, self.epoch)[:, : used + steps]
        blank = np.full((used, self.prior.channels), np.nan)
        out = self._finished(slow, [place.longer(used + steps - rows)], blank)
        if hold and self._changes:
            scores = self.coordinates.scores
            out = scores.from_normal(level(scores.to_normal(out), self.epoch))
        return self._with_moves(out[:, :rows], [place])[0]

    @property
    def _changes(self) -> bool:
        """Whether there is a second pass."""
        return self.transport is not None or self.refine is not identity

    def _finished(
        self, slow: Float[np.ndarray, "P M D"], places: Sequence[Place], known: Float[np.ndarray, "N D"]
    ) -> Float[np.ndarray, "P N D"]:
        """Put season and level back, but for what moves them, and take windows through the generator.

        The padding behind is cut off.
        """
        plain = self._channels(slow, places)
        if not self._changes:
            return plain[:, : len(known)]
        scores, place = self.coordinates.scores, places[0].first(len(known))
        aim = self.prior.season.without_moves(known, place.positions, place.regime, place.rows)
        return scores.from_normal(self._refined(scores.to_normal(aim), scores.to_normal(plain)))

    def _with_moves(self, paths: Float[np.ndarray, "P N D"], places: Sequence[Place]) -> Float[np.ndarray, "P N D"]:
        """Put back what regimes, trends and places in a run add."""
        parts = zip(paths, (place.first(paths.shape[1]) for place in places), strict=True)
        put = self.prior.season.with_moves
        return np.stack([put(path, place.positions, place.regime, place.rows) for path, place in parts])

    def _channels(self, normal: Float[np.ndarray, "P N D"], places: Sequence[Place]) -> Float[np.ndarray, "P N D"]:
        """Put season and level back, but for what moves them."""
        found = [self.prior.season.steady(place.positions, place.rows) for place in places]
        mean, spread = (np.stack(part) for part in zip(*found, strict=True))
        return self.prior.marginals.from_normal(normal) * spread + mean

    def _normal(self, channels: Float[np.ndarray, "N D"], place: Place) -> Float[np.ndarray, "N D"]:
        mean, spread = self.prior.season.mean_and_spread(place.positions, place.regime, place.rows, hold_trend=True)
        return self.prior.marginals.seen((channels - mean) / spread)

    def _solver(self, ahead: int) -> Solver:
        if ahead not in self._solvers:
            self._solvers[ahead] = Solver(self.prior.process, self.prior.frame(ahead))
        return self._solvers[ahead]

    def _refined(self, known: Float[np.ndarray, "N D"], slow: Float[np.ndarray, "P M D"]) -> Float[np.ndarray, "P N D"]:
        """The second pass: short windows of the slow paths through the generator, joined."""
        starts = [start for start, _, _ in self._short.windows(len(known))]  # the last one may reach past the rows
        if len(slow) == 1:
            return complete(known, self._short, self._joint, self._by_lots(slow[0], starts))
        cut = np.stack([slow[:, s : s + self._short.steps] for s in starts], axis=1)  # [P S T D]
        straight = self.coordinates.straight(cut.reshape(-1, *cut.shape[2:]))
        drawn = self.windows(straight).reshape(cut.shape)
        return complete(known, self._short, self._joint, lambda number: drawn[:, number])

    def _by_lots(self, slow: Float[np.ndarray, "M D"], starts: Sequence[int]) -> Draw:
        """The same for one long path, of which only WINDOWS windows are held at a time."""
        kept: dict[int, Float[np.ndarray, "B T D"]] = {}

        def draw(number: int) -> Float[np.ndarray, "1 T D"]:
            lot, place = divmod(number, WINDOWS)
            if lot not in kept:
                kept.clear()
                some = starts[lot * WINDOWS : (lot + 1) * WINDOWS]
                cut = np.stack([slow[s : s + self.coordinates.steps] for s in some])
                kept[lot] = self.windows(self.coordinates.straight(cut))
            return kept[lot][place][None]

        return draw


def level(paths: Float[np.ndarray, "P N D"], epoch: int) -> Float[np.ndarray, "P N D"]:
    """Hold the mean of normal scores at 0 and their spread at 1 over about every epoch.

    Season, level and quantiles were measured on a table of that length, so over it nothing is left of the mean of a
    normal score. What a spread lacks, or has too much, is mostly a matter of slow movements: they are made larger or
    smaller, and a series comes out no rougher. A row depends on the epoch that it lies in and on the one beside it.

    Args:
        paths: whole epochs, and perhaps the beginning of another.
        epoch: rows.
    """
    rows = paths.shape[1]
    bounds = [(first, min(first + epoch, rows)) for first in range(0, max(rows - epoch // 2, 1), epoch)]
    middles = np.array([(first + last) / 2 for first, last in bounds])
    if len(middles) == 1:  # between two alike nothing changes
        bounds, middles = bounds * 2, np.append(middles, middles[0] + epoch)

    def along(figures: Float[np.ndarray, "P E D"]) -> Float[np.ndarray, "P N D"]:
        """Figures of epochs, row by row."""
        return interp1d(middles, figures, axis=1)(np.clip(np.arange(rows), middles[0], middles[-1]))

    own = [paths[:, first:last] for first, last in bounds]  # figures of an epoch are those of its rows alone
    means = [part.mean(axis=1, keepdims=True) for part in own]
    even = [np.clip(1 / (part.std(axis=1, keepdims=True) + SMALL_SPREAD), 1 / ALL_ALIKE, ALL_ALIKE) for part in own]
    width = max(epoch // SLOW, 3)
    parts = [(part - mean) * every for part, mean, every in zip(own, means, even, strict=True)]
    factors = [_slow_factor(part, uniform_filter1d(part, width, axis=1, mode="nearest")) for part in parts]
    centred = (paths - along(np.concatenate(means, axis=1))) * along(np.concatenate(even, axis=1))
    slow = uniform_filter1d(centred, width, axis=1, mode="nearest")
    return centred + slow * (along(np.stack(factors, axis=1)) - 1)


def _slow_factor(whole: Float[np.ndarray, "P N D"], slow: Float[np.ndarray, "P N D"]) -> Float[np.ndarray, "P D"]:
    """The factor f of slow movements with which the variance, slow f^2 + both f + fast, is one."""
    moved, fast = slow.var(axis=1), (whole - slow).var(axis=1)
    both = whole.var(axis=1) - fast - moved  # twice their covariance
    inside = np.maximum(both**2 - 4 * moved * (fast - 1), 0.0)
    return np.clip((np.sqrt(inside) - both) / np.maximum(2 * moved, SMALL_SPREAD), 0.0, MOST_SLOW)


def _whole(rows: Float[np.ndarray, "B U"]) -> Float[np.ndarray, "Q U"]:
    """Pad to a whole part: products of one shape give a row the same bits whatever else is asked for."""
    return np.concatenate([rows, np.zeros((WINDOWS - len(rows), rows.shape[1]))])


def path_normals(streams: Streams, name: str, chunk: int) -> Normals:
    """Return the randomness of paths chunk * CHUNK and on; a path's own does not depend on how many there are."""

    def normals(number: int, width: int) -> Float[np.ndarray, "P W"]:
        return streams.normal(f"{name}/{number}", chunk * CHUNK, (chunk + 1) * CHUNK, width)

    return normals


def series_lots(streams: Streams, name: str) -> Lots:
    """Return the randomness of one long series: one row per window, drawn many windows at a time."""
    return lambda lot, width: streams.normal(f"{name}/{width}", lot * CHUNK, (lot + 1) * CHUNK, width)


def one_path(lots: Lots) -> Normals:
    """Return the randomness of a long series as that of a single path."""
    kept: dict[tuple[int, int], Float[np.ndarray, "B W"]] = {}

    def normals(number: int, width: int) -> Float[np.ndarray, "1 W"]:
        key = (number // CHUNK, width)
        if key not in kept:
            kept.clear()
            kept[key] = lots(*key)
        return kept[key][number % CHUNK][None]

    return normals
