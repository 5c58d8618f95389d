"""Autocorrelation: does each channel remember its past as the real one does?

The lagged correlation of a channel with itself (see `crosscorrelation`), lags 1 to K, K a quarter of the
window and at most 24:

    score = mean over lags of |r(k; real) - r(k; fake)|        0: same (good), at most 2

(Box and Jenkins 1970, section 2.1).
"""

import numpy as np
from jaxtyping import Float

from dowgan.metrics.crosscorrelation import lagged, lags_for
from dowgan.metrics.marginal import mean_score
from dowgan.metrics.metric import METRICS, Metric, Score

Array = np.ndarray


def autocorrelations(windows: Float[Array, "N T C"], lags: int) -> Float[Array, "L C"]:
    """Autocorrelation of each channel at lags 0 to `lags` (L = lags + 1) over all windows; NaN left out."""
    each = [lagged(windows[:, :, i : i + 1], lags)[:, 0, 0] for i in range(windows.shape[2])]
    return np.stack(each, 1)


def autocorrelation(
    real: Float[Array, "N T C"], fake: Float[Array, "M T C"], lags: int | None = None
) -> Float[Array, "C"]:
    """Mean absolute difference of the autocorrelations of each channel; lower is better.

    Args:
        lags: None for `lags_for` of the window.
    """
    count = lags_for(real.shape[1]) if lags is None else lags
    return np.abs(autocorrelations(real, count) - autocorrelations(fake, count))[1:].mean(0)


def _measure(real: Array, fake: Array, seed: int) -> Score:
    return mean_score(autocorrelation(real, fake))


METRICS.add("autocorrelation")(
    Metric(
        "autocorrelation",
        "memory of each channel",
        better="lower",
        needs="windows",
        cost="fast",
        measure=_measure,
    )
)
