"""Splits by blocks of time: a judge may not be tested on windows that overlap those that it learned from.

Windows of one series lie on a single curve, so a random split rewards copying. Here windows come in the order
of time and are cut into blocks; whole blocks are tested, and windows that overlap a tested block are not
learned from.
"""

import numpy as np
from jaxtyping import Int

Array = np.ndarray
BLOCKS = 40  # at most; many, so that every era has blocks on both sides
TEST_EVERY = 4  # of the blocks


def by_time(count: int, steps: int, stride: int = 1) -> tuple[Int[Array, "A"], Int[Array, "B"]]:
    """Return the windows to learn from and the windows to test on.

    Blocks are at least as long as a window where that leaves two of them to test and to learn from.

    Args:
        count: number of windows, in the order of time.
        steps: length of a window.
        stride: steps between the starts of neighbouring windows.
    """
    reach = -(-steps // stride)  # windows i and i + reach share no step
    blocks = int(np.clip(count // (3 * reach), 2, BLOCKS))
    block = np.arange(count) * blocks // count
    tested = block % min(TEST_EVERY, blocks) == min(TEST_EVERY, blocks) // 2
    return np.flatnonzero(~_near(tested, reach - 1)), np.flatnonzero(tested)


def by_group(groups: Int[Array, "N"]) -> tuple[Int[Array, "A"], Int[Array, "B"]]:
    """Return the windows to learn from and to test on, whole groups (runs, entities) in one of the two.

    Args:
        groups: the group of each window; at least two different ones.
    """
    names = np.unique(groups)
    assert len(names) > 1, "one group cannot be split"
    tested = np.isin(groups, names[1 :: min(TEST_EVERY, len(names))])
    return np.flatnonzero(~tested), np.flatnonzero(tested)


def _near(marked: Array, reach: int) -> Array:
    """Mark also what lies within `reach` places of a marked place."""
    total = np.concatenate([[0], np.cumsum(marked)])
    place = np.arange(len(marked))
    after, before = np.minimum(place + reach + 1, len(marked)), np.maximum(place - reach, 0)
    return total[after] > total[before]
