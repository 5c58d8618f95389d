"""Two methods on the same rows: whether one errs less by more than noise.

The rows are cut into stretches of time. What counts is the mean difference of the errors over the stretches beside its
standard error, a paired t-test (Student 1908); neighbouring stretches may be alike, which widens the error. Of equal
methods two in a hundred are told apart, up to ten in a hundred where errors last about as long as what is scored.

Shapes: M rows, K stretches, C columns.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import t as student

from dowgan.evaluate.plain import known_mean, plain
from dowgan.evaluate.sides import FEWEST_BLOCKS, with_error

Array = np.ndarray
CHANCE = 0.02  # probability below which a difference is not put down to noise
MOST_STRETCHES = 16
SHORTEST_STRETCH = 4  # rows


def stretches(case: Int[Array, " M"]) -> list[Int[Array, " _"]]:
    """Places of the rows of each stretch; a stretch lies in one case.

    Args:
        case: number of the run or of the origin that each row belongs to.
    """
    out: list[Array] = []
    for number in np.unique(case):
        rows = np.flatnonzero(case == number)
        share = round(MOST_STRETCHES * len(rows) / len(case))
        out += np.array_split(rows, int(np.clip(share, 1, max(len(rows) // SHORTEST_STRETCH, 1))))
    return out


def contest(ours: Float[Array, "K C"], theirs: Float[Array, "K C"]) -> dict[str, float | None]:
    """Mean difference of the errors, ours less theirs, over all columns, its standard error and its probability.

    Returns:
        `difference`, `error` and `p`: the probability of as much between equal methods; None if stretches are too few.
    """
    each = np.array([known_mean(row) for row in ours - theirs])[:, None]
    known, mean, square = (float(x[0]) for x in with_error(each))
    if known < FEWEST_BLOCKS:
        return {"difference": None, "error": None, "p": None}
    error = float(np.sqrt(square))
    p = 2 * float(student.sf(abs(mean) / error, known - 1)) if error > 0 else float(mean == 0)
    return plain({"difference": mean, "error": error, "p": p})


def ahead(found: Mapping[str, float | None]) -> str:
    """Who errs less: "ours", "theirs", or "" where noise may have decided."""
    p, difference = found["p"], found["difference"]
    if p is None or difference is None or p >= CHANCE:
        return ""
    return "ours" if difference < 0 else "theirs"
