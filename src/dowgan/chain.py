"""Draw series from a generator without coordinates of a prior: window by window, or behind a beginning that it is told.

Shapes: P series, N rows, T steps of a window, R what is told of each row, K channels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dowgan.rng import CHUNK, Streams


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
