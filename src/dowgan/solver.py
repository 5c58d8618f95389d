"""What a process says of rows beside known ones: their mean, and draws of them.

Shapes: P paths, N rows, D channels, T steps of a window, W = T x D.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from jaxtyping import Float

from dowgan.complete import Draw, Frame, Regression, complete, conditional_mean
from dowgan.covariances import rooted
from dowgan.process import Process
from dowgan.rng import CHUNK

Lots = Callable[[int, int], Float[np.ndarray, "B W"]]  # (lot of CHUNK windows, width) -> a standard normal row each
Normals = Callable[[int, int], Float[np.ndarray, "P W"]]  # (number of the window, width) -> standard normal rows


class Solver:
    """A process and its windows, with all that can be computed once for them."""

    def __init__(self, process: Process, frame: Frame) -> None:
        self.process = process
        self.frame = frame

    @cached_property
    def _rooted(self) -> tuple[Float[np.ndarray, "TD TD"], Float[np.ndarray, "TD TD"]]:
        return rooted(self.process.covariance(self.frame.steps))

    @cached_property
    def regression(self) -> Regression:
        return Regression(self._rooted[0], self.process.channels)

    @property
    def root(self) -> Float[np.ndarray, "TD TD"]:
        return self._rooted[1]

    def draw(self, normals: Normals, rows: int) -> Draw:
        """Return draws of the process's windows for `complete`; where one window holds all rows, zeros behind them."""
        width = (rows if len(self.frame.windows(rows)) == 1 else self.frame.steps) * self.process.channels

        def draw(number: int) -> Float[np.ndarray, "P T D"]:
            z = normals(number, len(self.root))
            out = np.zeros_like(z)
            np.matmul(z[:, :width], self.root[:width, :width].T, out=out[:, :width])
            return out.reshape(len(z), self.frame.steps, self.process.channels)

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
        return complete(known, self.frame, self.regression, self.draw(normals, len(known)))

    def solve(
        self, known: Float[np.ndarray, "N D"], normals: Normals | None, band: float | Float[np.ndarray, " D"]
    ) -> tuple[Float[np.ndarray, "N D"], Float[np.ndarray, "P N D"]]:
        """Return mean and paths of the completed series, the paths' deviation times the band factor."""
        mean = conditional_mean(known, self.frame, self.regression)
        if normals is None:
            return mean, np.empty((0, *mean.shape))
        return mean, mean + band * (self.paths(known, normals) - mean)
