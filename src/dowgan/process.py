"""A stationary Gaussian process over lags and channels, as simple as held-out rows ask for.

Shapes: T steps, D channels, L lags.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator
from scipy.linalg import cho_factor, cho_solve

from dowgan.covariances import as_valid, parts_of, tapered

JITTER = 1e-6  # least variance of a whitened direction, relative to a channel's variance
LAGS = 512  # most lags kept, of twice as many that are measured
JUDGED = 192  # most lags on which a blend is judged
SCORE_WINDOWS = 200  # windows that judge a covariance
ORDERS = (2, 6, 12)  # of the filters that are tried
ALIKE = (1.0, 0.5, 0.0)  # how far the filters of all channels are drawn to a common one; the first with every order
CLEARLY = 0.01  # of the cost of a value, by which filters of its own must be better
MUCH = 0.1  # the same by which less between channels must be better than what is measured, in long tables
SHORT = 3_072  # rows below which what is measured of a table without filters is too rough
LONGEST_SHARE = 4  # rows for each lag that is measured with filters, at least
FEWEST_LAGS = 24


@dataclass(frozen=True)
class Process:
    """A stationary Gaussian process of D channels.

    Attributes:
        lagged: [L D D], lagged[h][a, b] = E x[t+h, a] x[t, b].
    """

    lagged: Float[np.ndarray, "L D D"]

    @property
    def channels(self) -> int:
        return self.lagged.shape[1]

    def covariance(self, steps: int) -> Float[np.ndarray, "TD TD"]:
        """Return the covariance of a flattened window of that many steps (block-Toeplitz)."""
        channels = self.channels
        lags = self.lagged[:steps]
        if len(lags) < steps:  # a window longer than the known lags: beyond them nothing is correlated
            lags = as_valid(np.concatenate([tapered(lags), np.zeros((steps - len(lags), channels, channels))]))
        both = np.concatenate([lags[:0:-1].transpose(0, 2, 1), lags])  # lags -(T-1) .. T-1
        index = np.arange(steps)[:, None] - np.arange(steps)[None] + steps - 1
        blocks = both[index]  # [T T D D]
        out = blocks.transpose(0, 2, 1, 3).reshape(steps * channels, steps * channels)
        return 0.5 * (out + out.T) + JITTER * np.eye(steps * channels)

    def every(self, step: int) -> "Process":
        """Return the process seen at every step-th step only."""
        return Process(self.lagged[::step])

    def finer(self, factor: int) -> "Process":
        """Return the process on a grid with factor times as many steps; between known lags it is interpolated."""
        lags = np.arange(len(self.lagged))
        fine = np.arange((len(lags) - 1) * factor + 1) / factor
        return Process(as_valid(tapered(PchipInterpolator(lags, self.lagged, axis=0)(fine))))


BLENDS = tuple(
    tuple(zip(("full", "components", "separable", "apart"), shares, strict=True))
    for shares in (
        (1.0, 0.0, 0.0, 0.0),
        (0.85, 0.15, 0.0, 0.0),
        (0.6, 0.4, 0.0, 0.0),
        (0.3, 0.6, 0.0, 0.1),
        (0.0, 0.9, 0.0, 0.1),
        (0.0, 0.5, 0.4, 0.1),
        (0.0, 0.0, 0.9, 0.1),
        (0.0, 0.0, 0.7, 0.3),
        (0.0, 0.0, 0.0, 1.0),
    )
)
STEADIEST = BLENDS[-3]  # where no rows are held out
OWN = tuple((("full", 1 - share), ("apart", share)) for share in (0.0, 0.1, 0.3, 0.6, 1.0))  # each keeps its own memory


@dataclass(frozen=True)
class Form:
    """How covariances are measured and simplified.

    Attributes:
        order: of the filters, 0 for none.
        alike: how far the filters of all channels are drawn to a common one.
        blend: share of each of the `structures`.
    """

    order: int
    alike: float
    blend: tuple[tuple[str, float], ...]

    @property
    def words(self) -> str:
        blend = " + ".join(f"{share:g} {name}" for name, share in self.blend if share)
        return f"{blend}, filters of order {self.order}" + f", {self.alike:.0%} alike" * (self.alike > 0)

    def process(self, parts: dict[str, Float[np.ndarray, "L D D"]]) -> Process:
        """Return the process of the blend of parts of that order."""
        lagged = sum((share * parts[name] for name, share in self.blend), np.zeros_like(parts["full"]))
        return Process(as_valid(tapered(lagged)))


def window_cost(process: Process, windows: Sequence[Float[np.ndarray, "_T D"]]) -> float:
    """Mean negative log density of windows per known value, without the constant."""
    covariance = process.covariance(len(windows[0]))
    complete = [w.ravel() for w in windows if not np.isnan(w).any()]
    total, count = 0.0, 0
    if complete:
        factor = cho_factor(covariance, lower=True)
        flat = np.stack(complete)
        fit = np.sum(flat * cho_solve(factor, flat.T).T)
        total += 0.5 * fit + len(flat) * np.log(np.diag(factor[0])).sum()
        count += flat.size
    gappy = [w.ravel() for w in windows if np.isnan(w).any() and not np.isnan(w).all()]
    for flat in gappy[: max(0, SCORE_WINDOWS // 5 - len(complete))]:
        known = np.flatnonzero(~np.isnan(flat))
        factor = cho_factor(covariance[np.ix_(known, known)], lower=True)
        total += 0.5 * flat[known] @ cho_solve(factor, flat[known]) + np.log(np.diag(factor[0])).sum()
        count += len(known)
    return total / max(count, 1)


def cut_windows(runs: Sequence[Float[np.ndarray, "_T D"]], steps: int, hop: int) -> list[Float[np.ndarray, "_T D"]]:
    """All windows of that many steps that start at every hop-th row of each run."""
    return [run[s : s + steps] for run in runs for s in range(0, len(run) - steps + 1, hop)]


def fit_process(
    early: Sequence[Float[np.ndarray, "_T D"]],
    late: Sequence[Float[np.ndarray, "_T D"]],
    everything: Sequence[Float[np.ndarray, "_T D"]],
    window: int,
    ahead: bool = False,
) -> tuple[Process, str, float]:
    """Choose on the late rows how far the early covariances are simplified, then fit all rows that way.

    Args:
        early, late, everything: runs.
        window: steps of the windows that judge.
        ahead: it is to foretell from long histories: what is measured without a filter would let every level return
            to the mean at once, since the rows of a table add up to their own mean. One filter for all channels is
            then the rule, since values are foretold and filled better by fewer numbers.

    Returns:
        The process, the blend that won, in words, and its cost on the late rows; NaN where there are none.
    """
    longest, rows = max(len(run) for run in everything), sum(len(run) for run in everything)
    filtered = ahead or rows < SHORT
    fitting = tuple(order for order in ORDERS if 2 * order < max(len(run) for run in early)) or ORDERS[:1]
    orders = fitting if filtered else (0,)
    most = max(rows // LONGEST_SHARE, FEWEST_LAGS) if filtered else 2 * LAGS
    lags = int(np.clip(longest - 1, 2, min(most, 2 * LAGS)))
    steps = max(2, min(window, max(len(run) for run in late)))
    windows = cut_windows(late, steps, max(1, steps // 2))
    stride = max(1, len(windows) // SCORE_WINDOWS)
    alike, *others = ALIKE if ahead else ALIKE[-1:]
    best, cost = Form(orders[0], alike, STEADIEST), np.nan
    if windows:
        judge = Judge(early, min(lags, JUDGED), windows[::stride])
        if not filtered:
            measured, *simpler = (Form(0, alike, blend) for blend in OWN)
            best = min(simpler, key=judge.cost)
            best = best if judge.cost(best) < judge.cost(measured) - MUCH else measured
        else:
            best = min((Form(order, alike, blend) for order in orders for blend in BLENDS), key=judge.cost)
        for other in (replace(best, alike=share) for share in others):
            best = other if judge.cost(other) < judge.cost(best) - CLEARLY else best
        cost = judge.cost(best)
    process = best.process(parts_of(everything, lags, best.order, best.alike))
    return Process(process.lagged[:LAGS]), best.words, float(cost)


class Judge:
    """Judges forms of covariances on windows that they were not measured on.

    Args:
        early: runs that covariances are measured on.
        lags: how many.
        windows: that judge.
    """

    def __init__(
        self, early: Sequence[Float[np.ndarray, "_T D"]], lags: int, windows: Sequence[Float[np.ndarray, "_T D"]]
    ) -> None:
        self.windows = windows
        self._parts = cache(lambda order, alike: parts_of(early, lags, order, alike))
        self.cost = cache(self._cost)

    def _cost(self, form: Form) -> float:
        """`window_cost`, infinite where the form gives no process."""
        try:
            return window_cost(form.process(self._parts(form.order, form.alike)), self.windows)
        except np.linalg.LinAlgError:
            return np.inf
