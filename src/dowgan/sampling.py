"""Draw whole series from a model's priors and its generator, in channels.

A series is drawn in two passes. The first is the Gaussian process alone, over long windows, so that slow movements
last as long as they should. The second takes each short window of it to the coordinates of the generator, through
the generator and back, and joins the windows by conditioning each on the end of the last. Without a generator the
second pass only applies the quantiles of the coordinates.

Shapes: P paths, N rows, T steps of a window, D channels, U coordinates.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from dowgan.complete import Frame, Regression, complete
from dowgan.coordinates import Coordinates
from dowgan.prior import Prior
from dowgan.rng import CHUNK, Streams
from dowgan.transport import Transport
from dowgan.verbs import Normals, Solver

Refine = Callable[[Float[np.ndarray, "B U"]], Float[np.ndarray, "B U"]]  # the generator, in coordinates


def identity(coordinates: Float[np.ndarray, "B U"]) -> Float[np.ndarray, "B U"]:
    """Return the coordinates as they are: the generator of a prior without a network."""
    return coordinates


class Sampler:
    """A prior, the coordinates of its short windows, and a generator in them."""

    def __init__(self, prior: Prior, coordinates: Coordinates, refine: Refine, transport: Transport | None) -> None:
        self.prior = prior
        self.coordinates = coordinates
        self.refine = refine
        self.transport = transport
        self._solvers: dict[int, Solver] = {}

    @cached_property
    def _joint(self) -> Regression:
        """How short windows are joined."""
        return Regression(self.prior.process.covariance(self.coordinates.steps), self.prior.channels)

    def windows(self, straight: Float[np.ndarray, "B U"]) -> Float[np.ndarray, "B T D"]:
        """Return windows of normal scores for standard normal coordinates, in chunks of one size."""
        return np.concatenate([self._chunk(straight[i : i + CHUNK]) for i in range(0, len(straight), CHUNK)])

    def _chunk(self, straight: Float[np.ndarray, "B U"]) -> Float[np.ndarray, "B T D"]:
        refined = self.refine(_whole(straight))
        if self.transport is not None:
            refined = self.transport.apply(refined)
        return self.coordinates.from_coordinates(refined)[: len(straight)]

    def paths(self, known: Float[np.ndarray, "N D"], normals: Normals) -> Float[np.ndarray, "P N D"]:
        """Complete a partly known series of normal scores along paths.

        Args:
            known: NaN where unknown.
            normals: the randomness, one row per path.
        """
        rows, channels = known.shape
        steps = self.coordinates.steps
        padded = np.concatenate([known, np.full((steps, channels), np.nan)])
        ahead = bool(np.any(~np.isnan(known)))
        slow = self._solver(max(1, steps // 4) if ahead else 0).paths(padded, normals)
        return self._refined(padded, slow)[:, :rows]

    def _solver(self, ahead: int) -> Solver:
        if ahead not in self._solvers:
            self._solvers[ahead] = Solver(self.prior.process, self.prior.frame(ahead))
        return self._solvers[ahead]

    def _refined(self, known: Float[np.ndarray, "M D"], slow: Float[np.ndarray, "P M D"]) -> Float[np.ndarray, "P N D"]:
        """The second pass: short windows of the slow paths through the generator, joined."""
        steps = self.coordinates.steps
        short = Frame(steps // 2, steps - steps // 2, 0)
        rows = len(known) - steps  # the last window may reach into the padding
        starts = [start for start, _, _ in short.windows(rows)]
        cut = np.stack([slow[:, s : s + steps] for s in starts], axis=1)  # [P S T D]
        straight = self.coordinates.straight(cut.reshape(-1, *cut.shape[2:]))
        drawn = self.windows(straight).reshape(cut.shape)
        return complete(known[:rows], short, self._joint, lambda number: drawn[:, number])


def _whole(rows: Float[np.ndarray, "B U"]) -> Float[np.ndarray, "Q U"]:
    """Pad to a whole chunk: products of one shape give a row the same bits whatever else is asked for."""
    return np.concatenate([rows, np.zeros((CHUNK - len(rows), rows.shape[1]))])


@dataclass(frozen=True)
class Drawn:
    """Windows, and the state behind each from which the next goes on; None where windows do not depend on it."""

    windows: Float[np.ndarray, "B T K"]
    state: Float[np.ndarray, "B W"] | None


class WindowSampler:
    """Windows of a generator put one after another, as the founding system did; nothing mends the seams.

    Args:
        steps: T.
        draw: (told [CHUNK T R], state, torch generator) -> windows.
        begin: (streams, name, chunk) -> states from which series begin; None where windows are independent.
    """

    def __init__(self, steps: int, draw: Callable[..., Drawn], begin: Callable[..., np.ndarray] | None) -> None:
        self.steps = steps
        self.draw = draw
        self.begin = begin

    def series(self, told: Float[np.ndarray, "N R"], streams: Streams, name: str) -> Float[np.ndarray, "N K"]:
        """Return one long series, drawn many windows at a time where they are independent."""
        if self.begin is not None:
            return self.runs(told[None], streams, name, 0)[0]
        rows = len(told)
        padded = _padded(told[None], self.steps)[0]
        cut = padded.reshape(len(padded) // self.steps, self.steps, told.shape[1])  # [S T R]
        parts = []
        for first in range(0, len(cut), CHUNK):
            part = cut[first : first + CHUNK]
            drawn = self.draw(_filled_up(part), None, streams.torch(name, first // CHUNK))
            parts.append(drawn.windows[: len(part)])
        windows = np.concatenate(parts)
        return windows.reshape(-1, windows.shape[2])[:rows]

    def runs(
        self, told: Float[np.ndarray, "P N R"], streams: Streams, name: str, chunk: int
    ) -> Float[np.ndarray, "P N K"]:
        """Return at most CHUNK series beside each other, the chunk-th lot of them; window by window."""
        paths, rows, _ = told.shape
        padded = _filled_up(_padded(told, self.steps))
        state = None if self.begin is None else self.begin(streams, f"{name}/begin", chunk)
        parts = []
        for first in range(0, padded.shape[1], self.steps):
            window = padded[:, first : first + self.steps]
            drawn = self.draw(window, state, streams.torch(f"{name}/{first // self.steps}", chunk))
            state = drawn.state
            parts.append(drawn.windows[:paths])
        return np.concatenate(parts, axis=1)[:, :rows]


def _padded(told: Float[np.ndarray, "P N R"], steps: int) -> Float[np.ndarray, "P M R"]:
    """Go on with the last row to whole windows."""
    return np.concatenate([told, np.repeat(told[:, -1:], -told.shape[1] % steps, axis=1)], axis=1)


def _filled_up(rows: Float[np.ndarray, "P N R"]) -> Float[np.ndarray, "Q N R"]:
    """Go on with the last of the rows to a whole chunk: a row then has the same bits whatever else is asked for."""
    return np.concatenate([rows, np.repeat(rows[-1:], CHUNK - len(rows), axis=0)])


def path_normals(streams: Streams, name: str, chunk: int) -> Normals:
    """Return the randomness of paths chunk * CHUNK and on; a path's own does not depend on how many there are."""

    def normals(number: int, width: int) -> Float[np.ndarray, "P W"]:
        return streams.normal(f"{name}/{number}", chunk * CHUNK, (chunk + 1) * CHUNK, width)

    return normals


def series_normals(streams: Streams, name: str) -> Normals:
    """Return the randomness of one long series: one row per window, drawn many windows at a time."""
    kept: dict[tuple[int, int], Float[np.ndarray, "P W"]] = {}

    def normals(number: int, width: int) -> Float[np.ndarray, "P W"]:
        key = (number // CHUNK, width)
        if key not in kept:
            kept.clear()
            first = key[0] * CHUNK
            kept[key] = streams.normal(f"{name}/{width}", first, first + CHUNK, width)
        return kept[key][number % CHUNK][None]

    return normals
