"""Traits of a stretch of time, tag by tag: level, spread, memory, ties to other tags, relations.

Each trait is one number per block of time and channel, so that the blocks of real rows show by how much it varies
there; `dowgan.evaluate.findings` puts the blocks of generated rows beside them. Channels are taken as normal scores
among the real values, so heavy tails and units do not matter.

Shapes: T rows, C channels, K blocks, L lags.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

from dowgan.metrics.marginal import moments

Array = np.ndarray
GAP = 16  # unknown rows between two series, so that no lag reaches over a border
LAGS = (3, 8)  # of the memory
MOST_LATE = 12  # steps by which a tag may be late
CALMEST = 1e-3  # standard deviations that are taken as no change


def joined(series: Sequence[Float[Array, "_ C"]]) -> Float[Array, "T C"]:
    """All series as one, with unknown rows between them."""
    gap = np.full((GAP, series[0].shape[1]), np.nan)
    parts = [part for x in series for part in (x, gap)]
    return np.concatenate(parts[:-1])


def normal_places(real: Float[Array, "T C"], values: Float[Array, "S C"]) -> Float[Array, "S C"]:
    """Each value as the normal quantile of its place among the real values of its channel."""
    out = np.full(values.shape, np.nan)
    for channel in range(values.shape[1]):
        usual = np.sort(real[~np.isnan(real[:, channel]), channel])
        known = ~np.isnan(values[:, channel])
        here = values[known, channel]
        place = (np.searchsorted(usual, here, "left") + np.searchsorted(usual, here, "right")) / 2
        out[known, channel] = norm.ppf((place + 0.5) / (len(usual) + 1))
    return out


def mean_of(values: Float[Array, "T C"]) -> Float[Array, "C"]:
    """Mean of the known values of each channel, NaN where there are fewer than 4."""
    known = ~np.isnan(values)
    count = known.sum(0)
    return np.where(count >= 4, np.where(known, values, 0.0).sum(0) / np.maximum(count, 1), np.nan)


def _centred(block: Float[Array, "T C"]) -> Float[Array, "T C"]:
    return block - mean_of(block)


def _log(values: Float[Array, "C"]) -> Float[Array, "C"]:
    return 0.5 * np.log(np.where(values > 1e-9, values, np.nan))


def level(block: Float[Array, "T C"]) -> Float[Array, "C"]:
    """Mean."""
    return mean_of(block)


def spread(block: Float[Array, "T C"]) -> Float[Array, "C"]:
    """Logarithm of the standard deviation."""
    return _log(mean_of(_centred(block) ** 2))


def steps(block: Float[Array, "T C"]) -> Float[Array, "C"]:
    """Logarithm of the usual change from step to step."""
    return _log(mean_of(np.diff(block, axis=0) ** 2))


def memory(block: Float[Array, "T C"], lag: int) -> Float[Array, "C"]:
    """Logarithm of the usual change over `lag` steps (structure function, Kolmogorov 1941), great without memory."""
    return _log(mean_of((block[lag:] - block[:-lag]) ** 2))


def ties(block: Float[Array, "T C"]) -> Float[Array, "C C"]:
    """Correlation of each channel with each other one, nothing on the diagonal."""
    z = _centred(block)
    z = z / np.sqrt(np.maximum(mean_of(z**2), 1e-9))
    known, z = (~np.isnan(z)).astype(float), np.nan_to_num(z)
    found = z.T @ z / np.maximum(known.T @ known, 1.0)
    np.fill_diagonal(found, 0.0)
    return found


def lateness(
    series: Float[Array, "T C"], pattern: Float[Array, "C C"], blocks: int, most: int
) -> Float[Array, "K S C"]:
    """Mean product of each channel, s steps later, with its part in the other channels, for s from -most to most.

    Args:
        pattern: correlation of the channels in the real rows.
    """
    mean, scale = moments(series)
    z = (series - mean) / scale
    others = np.nan_to_num(z) @ pattern
    others = np.where(np.isnan(z), np.nan, others / moments(others)[1])
    out = []
    for s in range(-most, most + 1):
        moved = np.full(z.shape, np.nan)
        moved[max(-s, 0) : len(z) - max(s, 0)] = z[max(s, 0) : len(z) + min(s, 0)]
        out.append(np.stack([mean_of(x) for x in np.array_split(moved * others, blocks)]))
    return np.stack(out, axis=1)


def relations(real: Float[Array, "T C"]) -> Float[Array, "C C"]:
    """Weights by which the other channels tell each channel (ridge regression), column by column."""
    known = np.nan_to_num(real)
    covariance = known.T @ known / len(known)
    ridge = 0.5 * len(covariance) / len(known) * np.eye(len(covariance) - 1)
    out = np.zeros_like(covariance)
    for j in range(len(covariance)):
        rest = np.delete(np.arange(len(covariance)), j)
        out[rest, j] = np.linalg.solve(covariance[np.ix_(rest, rest)] + ridge, covariance[rest, j])
    return out


def calm(block: Float[Array, "T C"]) -> Float[Array, "C"]:
    """Logarithm of the smaller half of the changes, in which noise shows first."""
    change = np.sort(np.abs(np.diff(block, axis=0)), axis=0)  # unknown ones come last
    count = (~np.isnan(change)).sum(0)
    small = np.where(np.arange(len(change))[:, None] < (count + 1) // 2, change, np.nan)
    return np.log(mean_of(small) + CALMEST)


def quiet(block: Float[Array, "T C"], below: Float[Array, "C"]) -> Float[Array, "C"]:
    """Logarithm of the changes where the values are low: noise of one size shows where the process is at rest."""
    change = np.diff(block, axis=0)
    low = (block[1:] + block[:-1]) / 2 <= below
    return 0.5 * np.log(mean_of(np.where(low, change, np.nan) ** 2) + CALMEST**2)


Trait = Callable[[Float[Array, "T C"]], Float[Array, "C"]]
TRAITS: dict[str, Trait] = {
    "level": level,
    "spread": spread,
    "steps": steps,
    **{f"memory {h}": partial(memory, lag=h) for h in LAGS},
}
