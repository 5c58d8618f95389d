"""How well the other tags tell each tag, straight or not: a power by the wind, a speed by the product.

Boosted trees learn it from one half of the real rows in time and are tested on the other half, so that what changes
between real halves is no alarm; of generated rows both tell the tag. Trees know nothing beyond what they have seen:
rows in which another tag lies further out are left out, unless most do.

Shapes: T and S rows, C channels, K and M blocks.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from dowgan.evaluate.sides import Finding, sides_of, welch, with_error
from dowgan.evaluate.traits import joined
from dowgan.known import mean_known
from dowgan.metrics.threads import one_thread

Array = np.ndarray
RARE = 0.0005  # probability below which a tag strays, corrected for all tags
MOST_TAGS = 64
MOST_ROWS = 3_000  # of a half, to learn from
FEWEST = 100  # known rows of a half
ROUNDS = 60
TOLD = 0.7  # of a tag's spread, that is left in real rows at most where the others tell it
MOST = 0.5  # share of the rows
FURTHER = 0.3  # logarithm of how many times as much is left of generated rows, at least
LEAST = 0.01  # normal scores


def untold(real: Sequence[Float[Array, "_ C"]], fake: Sequence[Float[Array, "_ C"]]) -> list[Finding]:
    """Return each tag that strays further from where the others put it than in real rows.

    Args:
        real, fake: series of numbers and of level numbers, each in the order of time.
    """
    sides = sides_of(joined(real), joined(fake))
    if sides is None or not 2 <= sides.raw[0].shape[1] <= MOST_TAGS:
        return []
    (own, made), length, out = sides.normal, len(sides.blocks[0][0]), []
    for tag in range(own.shape[1]):
        off = _left(own, made, tag)
        if off is None:
            continue
        blocks = [_by_block(part, length) for part in off]
        p, (usual, found) = float(welch(*blocks)[1][0]), (with_error(part)[1][0] for part in blocks)
        if p * own.shape[1] < RARE and found - usual > FURTHER:
            out.append(Finding("told", tag, p * own.shape[1], float(usual), float(found)))
    return out


def _left(real: Float[Array, "T C"], fake: Float[Array, "S C"], tag: int) -> tuple[Array, Array] | None:
    """What is left of a tag in each row of both, NaN where it is unknown; None if the others do not tell it."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    others = [channel for channel in range(real.shape[1]) if channel != tag]
    half = len(real) // 2
    parts = (np.arange(half), np.arange(half, len(real)))
    left, guesses = np.full(len(real), np.nan), []
    for learn, test in (parts, parts[::-1]):
        known = learn[~np.isnan(real[learn, tag])]
        if len(known) < FEWEST:
            return None
        known = known[np.linspace(0, len(known) - 1, min(len(known), MOST_ROWS)).round().astype(int)]
        trees = HistGradientBoostingRegressor(
            max_iter=ROUNDS, learning_rate=0.15, max_leaf_nodes=15, early_stopping=False, random_state=0
        )
        seen = real[known]
        some = [channel for channel in others if not np.isnan(seen[:, channel]).all()]
        if not some:
            return None
        with one_thread():
            trees.fit(seen[:, some], seen[:, tag])
            left[test] = real[test, tag] - _guess(trees.predict, real[test][:, some], seen[:, some])
            guesses.append(_guess(trees.predict, fake[:, some], seen[:, some]))
    told = np.nanmean(left**2) < TOLD**2 * np.nanvar(real[~np.isnan(left), tag])
    made = np.where(np.isnan(guesses).all(axis=0), np.nan, mean_known(np.stack(guesses)))
    return (left, fake[:, tag] - made) if told else None


def _guess(
    predict: Callable[[Array], Array], rows: Float[Array, "N D"], seen: Float[Array, "L D"]
) -> Float[Array, " N"]:
    """What is told of each row, NaN where one of its values lies beyond those that were seen, unless most rows do."""
    beyond = ((rows < np.nanmin(seen, axis=0)) | (rows > np.nanmax(seen, axis=0))).any(axis=1)
    return np.where(beyond & (beyond.mean() < MOST), np.nan, predict(rows))


def _by_block(left: Float[Array, " T"], length: int) -> Float[Array, "K 1"]:
    """Logarithm of the mean size in each block."""
    blocks = [left[i : i + length] for i in range(0, len(left) - length + 1, length)]
    means = [np.nanmean(np.abs(block)) if not np.isnan(block).all() else np.nan for block in blocks]
    return np.log(np.array(means)[:, None] + LEAST)
