"""Two channels that have changed places: generated rows are likelier with them changed back, real rows are not.

Shapes: T rows, C channels, P pairs, K blocks.
"""

from collections.abc import Collection, Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float

from dowgan.evaluate.sides import Finding, Sides, welch

Array = np.ndarray
RARE = 0.0005  # probability below which two are swapped, corrected for all pairs
MOST_SHRUNK = 0.5  # of the correlations
SHRUNK = 5.0  # channels by rows of it


def swapped(sides: Sides, suspects: Collection[int]) -> list[Finding]:
    """Return the pair that was most certainly swapped, one finding for each of both.

    Args:
        suspects: channels of which something else is off too; one of both is among them.
    """
    channels = sides.raw[0].shape[1]
    every = list(combinations(range(channels), 2))
    pairs = [pair for pair in every if set(pair) & set(suspects)]
    if not pairs:
        return []
    precision = _precision(sides.raw[0])
    own, made = sides.of_blocks(lambda block: _gains(block, pairs, precision, sides.units))
    p = np.where((made.mean(0) > 0) & (own.mean(0) < 0), welch(own, made)[1] * len(every), 1.0)
    best = int(p.argmin())
    if p[best] >= RARE:
        return []
    first, second = pairs[best]
    return [Finding("swapped", a, float(p[best]), 0.0, 0.0, b) for a, b in ((first, second), (second, first))]


def _precision(real: Float[Array, "T C"]) -> Float[Array, "C C"]:
    """Inverse of the covariance of the real rows, drawn to none as they are few."""
    known = np.nan_to_num(real)
    covariance = known.T @ known / len(known)
    share = min(MOST_SHRUNK, SHRUNK * len(covariance) / len(known))
    return np.linalg.inv((1 - share) * covariance + share * np.eye(len(covariance)))


def _gains(
    block: Float[Array, "T C"],
    pairs: Sequence[tuple[int, int]],
    precision: Float[Array, "C C"],
    units: tuple[Float[Array, " C"], Float[Array, " C"]],
) -> Float[Array, " P"]:
    """By how much normal log likelihood gains row by row, between -1 and 1, if the channels of a pair are changed."""
    mean, scale = units
    z = np.nan_to_num(block)
    values, pull = z * scale + mean, z @ precision
    out = np.empty(len(pairs))
    for place, (i, j) in enumerate(pairs):
        first = (values[:, j] - mean[i]) / scale[i] - z[:, i]
        second = (values[:, i] - mean[j]) / scale[j] - z[:, j]
        more = 2 * (first * pull[:, i] + second * pull[:, j] + first * second * precision[i, j])
        more += first**2 * precision[i, i] + second**2 * precision[j, j]
        out[place] = np.tanh(-more / 2).mean()
    return out
