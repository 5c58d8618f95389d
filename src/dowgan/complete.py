"""Complete a partly known series, window by window: the one problem behind generate, densify and extend.

A window drawn without regard to what is known is corrected by the regression of its misfit, x + S_xo S_oo^-1
(known - x_o): Matheron's rule (Journel and Huijbregts 1978; Wilson et al. 2021, arXiv:2011.04026, eq. 9). For
Gaussian draws this is exact conditioning; for draws of a trained generator it keeps their shape and makes the
known values exact. Each window is conditioned on the end of what has been completed before it and on the known
values ahead, so there are no seams.

Shapes: P paths, N rows, T steps of a window, D channels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import cho_factor, cho_solve

Draw = Callable[[int], Float[np.ndarray, "P T D"]]  # the draws for the window of that number, one per path

CACHED = 64  # patterns of known values whose weights are kept
NOISE = 1e-6  # variance added to known values so that equal channels do no harm
SQUARINGS = 10  # of weights, whose power tells what is left after so many windows


@dataclass(frozen=True)
class Frame:
    """How windows are laid over a series.

    Attributes:
        context: rows already completed at the head of each window.
        hop: rows that a window completes.
        ahead: rows behind them whose known values are taken into account.
    """

    context: int
    hop: int
    ahead: int

    @property
    def steps(self) -> int:
        return self.context + self.hop + self.ahead

    def windows(self, rows: int) -> list[tuple[int, int, int]]:
        """Return (first row of the window, first and last + 1 row that it completes), in order."""
        first = min(self.context + self.hop, rows)
        out = [(0, 0, first)]
        for start in range(first, rows, self.hop):
            out.append((start - self.context, start, min(start + self.hop, rows)))
        return out


class Regression:
    """The weights of the known values of a window for its unknown ones, kept by pattern.

    Args:
        covariance: of a window's values.
        channels: D.
        share: of the weights that is taken.
    """

    def __init__(self, covariance: Float[np.ndarray, "TD TD"], channels: int, share: float = 1.0) -> None:
        self.covariance = covariance
        self.channels = channels
        self.share = share
        self._weights: dict[bytes, Float[np.ndarray, "X O"]] = {}

    def weights(self, known: Bool[np.ndarray, "T D"], wanted: Bool[np.ndarray, "T D"]) -> Float[np.ndarray, "X O"]:
        """Return S_xo S_oo^-1 for the wanted (x) given the known (o) entries of a window."""
        key = known.tobytes() + wanted.tobytes()
        if key not in self._weights:
            if len(self._weights) >= CACHED:
                self._weights.pop(next(iter(self._weights)))
            o, x = np.flatnonzero(known), np.flatnonzero(wanted)
            within = self.covariance[np.ix_(o, o)] + NOISE * np.eye(len(o))
            across = self.covariance[np.ix_(o, x)]
            self._weights[key] = self.share * cho_solve(cho_factor(within, lower=True), across).T
        return self._weights[key]

    def handed_on(self, frame: Frame) -> float:
        """How much of what a window misses the one before by is left after the next, in a long series.

        The spectral radius of the weights, by the norm of a high power (Gelfand 1941); of windows without look-ahead.
        """
        assert frame.ahead == 0, f"{frame} looks ahead"
        rows = np.repeat(np.arange(frame.steps)[:, None], self.channels, axis=1)
        power = self.weights(rows < frame.context, rows >= frame.context)[-frame.context * self.channels :]
        log = 0.0
        for _ in range(SQUARINGS):
            size = float(np.linalg.norm(power)) + 1e-300
            power, log = (power / size) @ (power / size), 2 * (log + np.log(size))
        return float(np.exp((log + np.log(np.linalg.norm(power) + 1e-300)) / 2**SQUARINGS))


def complete(
    known: Float[np.ndarray, "N D"], frame: Frame, regression: Regression, draw: Draw
) -> Float[np.ndarray, "P N D"]:
    """Fill the unknown entries of a series along every path.

    Args:
        known: the series in normal scores, NaN where unknown.
        frame: how windows are laid over it.
        regression: of the process that the draws follow, for windows of `frame.steps`.
        draw: gives unconditional windows, one per path.

    Returns:
        All paths; known entries are as they came.
    """
    rows, channels = known.shape
    out = np.empty((0, 0, 0))
    padded = np.concatenate([known, np.full((frame.steps, channels), np.nan)])
    for number, (start, first, last) in enumerate(frame.windows(rows)):
        window = draw(number)  # [P T D]
        paths = len(window)
        if not out.size:
            out = np.repeat(padded[None], paths, axis=0)
        seen = ~np.isnan(padded[start : start + frame.steps])
        seen[: first - start] = True
        wanted = np.zeros_like(seen)
        wanted[first - start : last - start] = ~seen[first - start : last - start]
        if not wanted.any():
            continue
        values = window.reshape(paths, -1)
        filled = values[:, wanted.ravel()]
        if seen.any():
            now = out[:, start : start + frame.steps].reshape(paths, -1)[:, seen.ravel()]
            misfit = now - values[:, seen.ravel()]
            filled = filled + misfit @ regression.weights(seen, wanted).T
        target = out[:, first:last]  # a view
        target[:, wanted[first - start : last - start]] = filled
    return out[:, :rows]


def conditional_mean(known: Float[np.ndarray, "N D"], frame: Frame, regression: Regression) -> Float[np.ndarray, "N D"]:
    """Return the mean of all completions: the same windows with draws of zero."""
    zero = np.zeros((1, frame.steps, known.shape[1]))
    return complete(known, frame, regression, lambda number: zero)[0]
