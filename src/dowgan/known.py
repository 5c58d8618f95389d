"""What is known of columns with gaps.

Shapes: T rows, N rows, C columns, D channels.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int


def last_known(values: Float[np.ndarray, "T C"]) -> Float[np.ndarray, " C"]:
    """Return the last known value of each column, zero where none is known."""
    known = ~np.isnan(values)
    last = len(values) - 1 - np.argmax(known[::-1], axis=0)
    return np.where(known.any(axis=0), values[last, np.arange(values.shape[1])], 0.0)


def mean_known(values: Float[np.ndarray, "N D"]) -> Float[np.ndarray, " D"]:
    """Mean of the known values of each channel, zero where none is known."""
    return np.nansum(values, axis=0) / np.maximum(np.sum(~np.isnan(values), axis=0), 1)


def beside_groups(
    runs: Sequence[Float[np.ndarray, "_T D"]], groups: Sequence[Int[np.ndarray, " _T"]]
) -> list[Float[np.ndarray, "_T D"]]:
    """Return runs without the means of the groups of their rows, such as regimes."""
    values, group = np.concatenate(list(runs)), np.concatenate(list(groups))
    means = np.stack([mean_known(values[group == number]) for number in range(int(group.max()) + 1)])
    return [run - means[own] for run, own in zip(runs, groups, strict=True)]


def first_or_none(values: Float[np.ndarray, "T C"]) -> Float[np.ndarray, " C"]:
    """Return the first known value of each column, NaN where none is known."""
    known = ~np.isnan(values)
    return np.where(known.any(axis=0), values[np.argmax(known, axis=0), np.arange(values.shape[1])], np.nan)


def ends_of(values: Float[np.ndarray, "N C"]) -> Float[np.ndarray, "2 C"]:
    """Return the least and the greatest known value of each column, the endless ones where none is known."""
    known = ~np.isnan(values)
    return np.stack(
        [np.min(values, axis=0, initial=np.inf, where=known), np.max(values, axis=0, initial=-np.inf, where=known)]
    )
