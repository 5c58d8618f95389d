"""How well the other tags tell each tag, straight or not, and how well the clock does: a power by the wind, a shift.

Boosted trees learn it from one half of the real rows in time and are tested on the other half, so that what changes
between real halves is no alarm; of generated rows both tell the tag. Trees know nothing beyond what they have seen:
rows in which another tag lies further out are left out, unless most do.

Shapes: T and S rows, C channels, D inputs, K and M blocks.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from dowgan.evaluate.sides import Finding, Sides, sides_of, welch, with_error
from dowgan.evaluate.traits import joined
from dowgan.known import mean_known
from dowgan.metrics.threads import one_thread

Array = np.ndarray
RARE = 0.0005  # probability below which a tag strays, corrected for all tags
MOST_TAGS = 64
MOST_ROWS = 3_000  # of a half, to learn from
FEWEST = 100  # known rows of a half
ROUNDS = 60
OFTEN = 0.05  # share of the rows in which a tag is at its most frequent value, and in which it is not
TOLD = 0.7  # of a tag's spread, that is left in real rows at most where the others tell it
MOST = 0.5  # share of the rows
HALF = 0.5  # of the way from not being there to being there
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
    found = []
    for tag in range(sides.raw[0].shape[1]):
        others = [channel for channel in range(sides.raw[0].shape[1]) if channel != tag]
        inputs = sides.normal[0][:, others], sides.normal[1][:, others]
        found += _strayed("told", sides, tag, inputs)
    return found


def off_the_clock(
    real: Sequence[Float[np.ndarray, "_ C"]],
    fake: Sequence[Float[np.ndarray, "_ C"]],
    begun: tuple[Sequence[int], Sequence[int]],
    cycles: Sequence[int],
) -> list[Finding]:
    """Return each tag that strays further from where the hours of the clock put it than in real rows.

    Args:
        real, fake: series of numbers and of level numbers, each in the order of time.
        begun: the clock's position of the first row of each of them.
        cycles: rows of a day, a week and so on.
    """
    sides, seen = sides_of(joined(real), joined(fake)), [n for n in cycles if 2 * n <= max(map(len, real))]
    if sides is None or not seen or sides.raw[0].shape[1] > MOST_TAGS:
        return []
    rows = [
        joined([(at + np.arange(len(part), dtype=float))[:, None] for at, part in zip(first, side, strict=True)])
        for first, side in zip(begun, (real, fake), strict=True)
    ]
    phases = rows[0] % np.array(seen), rows[1] % np.array(seen)
    found = []
    for tag in range(sides.raw[0].shape[1]):
        rests = _at_rest(*(side[:, tag] for side in sides.normal))
        found += (
            _strayed("clock", sides, tag, phases) if rests is None else _strayed("hours", sides, tag, phases, rests)
        )
    return found


def _at_rest(real: Float[Array, " T"], fake: Float[Array, " S"]) -> tuple[Array, Array] | None:
    """Whether a tag is at its most frequent value in each row of both sides, as 0 and 1; None if it seldom is."""
    values, count = np.unique(real[~np.isnan(real)], return_counts=True)
    if not len(count) or not OFTEN < count.max() / count.sum() < 1 - OFTEN:
        return None
    usual = values[count.argmax()]
    first, second = (np.where(np.isnan(x), np.nan, (x == usual).astype(float)) for x in (real, fake))
    return first, second


def _strayed(
    kind: str,
    sides: Sides,
    tag: int,
    inputs: tuple[Float[Array, "T D"], Float[Array, "S D"]],
    values: tuple[Float[Array, " T"], Float[Array, " S"]] | None = None,
) -> list[Finding]:
    """A tag that strays further from where some inputs put it than in real rows, as a finding; none if it does not.

    Args:
        values: what is told of it in each row of both sides, 0 or 1; None for its own values.
    """
    own, made = (side[:, tag] for side in sides.normal)
    off, tags = _left(values or (own, made), inputs), sides.raw[0].shape[1]
    if off is None:
        return []
    blocks = [_by_block(part, len(sides.blocks[0][0])) for part in off]
    p, (usual, found) = float(welch(*blocks)[1][0]), (with_error(part)[1][0] for part in blocks)
    if p * tags > RARE or found - usual < FURTHER:
        return []
    if values is not None:  # how many rows are told wrong
        usual, found = (np.nanmean(np.abs(part) > HALF) for part in off)
    return [Finding(kind, tag, p * tags, float(usual), float(found))]


def _left(
    values: tuple[Float[Array, " T"], Float[Array, " S"]], inputs: tuple[Float[Array, "T D"], Float[Array, "S D"]]
) -> tuple[Array, Array] | None:
    """What is left of a tag in each row of both sides, NaN where it is unknown; None if the inputs do not tell it."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    (real, fake), (known_by, made_by) = values, inputs
    half = len(real) // 2
    parts = (np.arange(half), np.arange(half, len(real)))
    left, guesses = np.full(len(real), np.nan), []
    for learn, test in (parts, parts[::-1]):
        known = learn[~np.isnan(real[learn])]
        if len(known) < FEWEST:
            return None
        known = known[np.linspace(0, len(known) - 1, min(len(known), MOST_ROWS)).round().astype(int)]
        trees = HistGradientBoostingRegressor(
            max_iter=ROUNDS, learning_rate=0.15, max_leaf_nodes=15, early_stopping=False, random_state=0
        )
        some = ~np.isnan(known_by[known]).all(axis=0)
        if not some.any():
            return None
        seen = known_by[known][:, some]
        with one_thread():
            trees.fit(seen, real[known])
            left[test] = real[test] - _guess(trees.predict, known_by[test][:, some], seen)
            guesses.append(_guess(trees.predict, made_by[:, some], seen))
    told = np.nanmean(left**2) < TOLD**2 * np.nanvar(real[~np.isnan(left)])
    made = np.where(np.isnan(guesses).all(axis=0), np.nan, mean_known(np.stack(guesses)))
    return (left, fake - made) if told else None


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
