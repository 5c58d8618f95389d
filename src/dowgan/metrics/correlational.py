"""Correlational score of the published tables: are the channels tied to each other as in the real data?

Ni et al., "Conditional Sig-Wasserstein GANs", 2020, arXiv:2006.05421, section 5 (cross-correlation metric),
as Diffusion-TS scores it (Yuan and Qiao, ICLR 2024, arXiv:2403.01742): channels standardised over windows and
time together, lag-0 products averaged, and

    score = (1/10) sum over pairs i >= j |c_ij(real) - c_ij(fake)|        0: same (good); grows with C^2.

Each repeat compares a fifth of the windows (drawn with replacement), which is noise of its own: its floor is
well above zero.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dowgan.metrics.marginal import moments
from dowgan.metrics.metric import METRICS, Metric, Score
from dowgan.rng import Streams

Array = np.ndarray
SUBSETS = 5  # windows are compared in draws of N / SUBSETS
SCALE = 10.0


def correlations(windows: Float[Array, "N T C"]) -> Float[Array, "C C"]:
    """Lag-0 correlation of the channels over all windows and steps; NaN left out pair by pair.

    A constant channel correlates with nothing (0), and with itself (1).
    """
    rows = windows.reshape(-1, windows.shape[2])
    mean, scale = moments(rows)
    z = (rows - mean) / scale
    known = np.isfinite(z).astype(float)
    filled = np.nan_to_num(z)
    found = filled.T @ filled / np.maximum(known.T @ known, 1)
    np.fill_diagonal(found, 1.0)
    return found


def correlational(
    real: Float[Array, "N T C"], fake: Float[Array, "M T C"], seeds: Sequence[int] = (0, 1, 2, 3, 4)
) -> Float[Array, "R"]:
    """Return the published score on one random fifth of the windows per seed; lower is better.

    Args:
        real, fake: windows; the score does not depend on the scale of a channel.
        seeds: one repeat each.
    """
    found = []
    for seed in seeds:
        rng, size = Streams(seed).numpy("correlational"), max(len(real) // SUBSETS, 1)
        picked = real[rng.integers(0, len(real), size)], fake[rng.integers(0, len(fake), size)]
        off = np.abs(correlations(picked[0]) - correlations(picked[1]))
        found.append(np.tril(off).sum() / SCALE)
    return np.array(found)


def _measure(real: Array, fake: Array, seed: int) -> Score:
    return Score(float(correlational(real, fake, range(5 * seed, 5 * seed + 5)).mean()))


METRICS.add("correlational")(
    Metric(
        "correlational",
        "difference of the channels' correlations, as published",
        better="lower",
        needs="windows",
        cost="fast",
        measure=_measure,
    )
)
