"""Lagged cross-correlation: do the channels follow each other with the real delays?

For channels i, j and lag k (k > 0: j comes k steps later), standardised by each set's own mean and spread
over windows and time,

    c_ij(k) = mean over windows and t of z_i(t) z_j(t + k)        (Box and Jenkins 1970, section 11.1)

over all windows with both values known; i = j is the autocorrelation. Products do not cross the border of a
window. Difference:

    score = mean over i < j and |k| <= K of |c_ij(k; real) - c_ij(k; fake)|        0: same (good), at most 2.

K is a quarter of the window, and at most 24. Unlike the published correlational score this does not grow with
the number of channels.
"""

import numpy as np
from jaxtyping import Float

from dowgan.metrics.marginal import mean_score, moments
from dowgan.metrics.metric import METRICS, Metric, Score

Array = np.ndarray
MOST_LAGS = 24


def lags_for(steps: int) -> int:
    """The greatest lag that a window of that many steps is judged by."""
    return max(min(steps // 4, MOST_LAGS), 1)


def lagged(windows: Float[Array, "N T C"], lags: int) -> Float[Array, "L C C"]:
    """Correlation [k, i, j] of channel i at t with channel j at t + k, for k = 0 .. lags (L = lags + 1).

    Pairs with a NaN are left out; a constant channel correlates with nothing. The lag -k of (i, j) is [k, j,
    i].

    Args:
        windows: N = 1 for one series.
        lags: below T.
    """
    T, C = windows.shape[1:]
    assert 0 <= lags < T, f"{lags} lags in windows of {T} steps"
    mean, scale = moments(windows.reshape(-1, C))
    z = (windows - mean) / scale
    known, z = np.isfinite(z).astype(float), np.nan_to_num(z)
    return np.stack([_products(z, known, lag) for lag in range(lags + 1)])


def _products(z: Float[Array, "N T C"], known: Float[Array, "N T C"], lag: int) -> Float[Array, "C C"]:
    stop = z.shape[1] - lag
    pairs = _sums(known[:, :stop], known[:, lag:])
    return _sums(z[:, :stop], z[:, lag:]) / np.maximum(pairs, 1)


def _sums(early: Float[Array, "N S C"], late: Float[Array, "N S C"]) -> Float[Array, "C C"]:
    C = early.shape[2]
    return early.reshape(-1, C).T @ late.reshape(-1, C)


def crosscorrelation(
    real: Float[Array, "N T C"], fake: Float[Array, "M T C"], lags: int | None = None
) -> Float[Array, "C C"]:
    """Mean over the lags of the difference of the lagged correlations of each pair; symmetric, zero diagonal.

    Args:
        lags: both ways; None for `lags_for` of the window.
    """
    count = lags_for(real.shape[1]) if lags is None else lags
    off = np.abs(lagged(real, count) - lagged(fake, count))  # [L C C]
    both_ways = off.sum(0) + off[1:].sum(0).T
    found = (both_ways + both_ways.T) / (2 * (2 * count + 1))
    np.fill_diagonal(found, 0)
    return found


def _measure(real: Array, fake: Array, seed: int) -> Score:
    C = real.shape[2]
    if C == 1:
        return Score(float("nan"), (float("nan"),))
    return mean_score(crosscorrelation(real, fake).sum(1) / (C - 1))


METRICS.add("crosscorrelation")(
    Metric(
        "crosscorrelation",
        "correlation between channels, with lags",
        better="lower",
        needs="windows",
        cost="fast",
        measure=_measure,
    )
)
