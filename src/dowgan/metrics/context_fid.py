"""Context-FID: the Frechet distance between real and generated windows as TS2Vec sees them.

Jeha et al., "PSA-GAN: progressive self attention GANs for synthetic time series", ICLR 2022,
arXiv:2108.00981, section 4.2, with the encoder of the published tables (Yuan and Qiao, "Diffusion-TS", ICLR
2024, arXiv:2403.01742, appendix; see `ts2vec`): an encoder is trained on the real windows, both sets are
encoded, and two Gaussians fitted to the vectors are compared (Frechet 1957; Dowson and Landau 1982)

    FID = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))        0: same (good); no upper end.

The trace of the root is the sum of the roots of the eigenvalues of S1^(1/2) S2 S1^(1/2), which are those of
S1 S2: real, and steadier than a matrix root of nearly singular matrices. The distance is biased upward by few
windows (two samples of the same Gaussian are far apart if n is not well above the 320 dimensions): never
compare over different n, and put the floor, real against real of the same n, beside it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from dowgan.metrics.discriminative import minmax
from dowgan.metrics.metric import METRICS, Metric, Score
from dowgan.rng import Streams

if TYPE_CHECKING:
    from dowgan.metrics.ts2vec import Encoder

Array = np.ndarray


def frechet(first: Float[Array, "N W"], second: Float[Array, "M W"]) -> float:
    """Squared Frechet distance between the Gaussians fitted to two sets of vectors."""
    root = _root(np.cov(first.T))
    cross = np.linalg.eigvalsh(root @ np.cov(second.T) @ root)
    shift = first.mean(0) - second.mean(0)
    spread = first.var(0, ddof=1).sum() + second.var(0, ddof=1).sum()
    return float(shift @ shift + spread - 2 * np.sqrt(cross.clip(0)).sum())


def _root(matrix: Float[Array, "W W"]) -> Float[Array, "W W"]:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def encoder(real: Float[Array, "N T C"], seed: int, iterations: int | None = None) -> "Encoder":
    """Train the encoder of one repeat; it depends on real windows and seed only: keep it for many rivals.

    Args:
        real: windows, scaled by `minmax` for published figures.
        seed: of this repeat.
        iterations: None for the published number (200 or 600 by the size of the array).
    """
    from dowgan.metrics import ts2vec

    return ts2vec.train(real, Streams(seed).torch("context_fid"), iterations)


def context_fid(
    real: Float[Array, "N T C"],
    fake: Float[Array, "M T C"],
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    iterations: int | None = None,
) -> Float[Array, "R"]:
    """Return one Context-FID per seed, each with an encoder trained on the real windows; lower is better.

    Args:
        real, fake: windows, already scaled by `minmax` if they are to be compared with published figures.
        seeds: one repeat each.
        iterations: None for the published number (200 or 600 by the size of the array).
    """
    found = []
    for seed in seeds:
        eye = encoder(real, seed, iterations)
        found.append(frechet(eye(real), eye(fake)))
    return np.array(found)


def _measure(real: Array, fake: Array, seed: int) -> Score:
    return Score(float(context_fid(*minmax(real, fake), seeds=(seed,))[0]))


METRICS.add("context_fid")(
    Metric(
        "context_fid",
        "Frechet distance between learned descriptions of the windows",
        better="lower",
        needs="windows",
        cost="slow",
        measure=_measure,
    )
)
