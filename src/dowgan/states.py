"""States that last, such as a pump's on and off or the status of a line, found in a table.

A state is a column of its own, or whether a number, such as a flow, is at a value far from its others. What other
columns do depends on states, so they are drawn first, as stretches that followed one another in the table, and the rest
as under conditions that the user names.

Shapes: T rows, C columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dowgan.table.schema import Column, Run

MOST_LEVELS = 8  # of a number that is a state
FEW = 4  # values of a number that does not rest, but moves between them
MOST_TOGETHER = 16  # combinations of states
LASTS = 8.0  # rows of a mean stretch, at least
CHANGES = 4  # of a state, at least
SEEN = 20  # rows of each combination, at least
FEWEST_REST = 0.05  # share of the rows at which a number rests, and at which it does not
FAR = 0.5  # times the spread of the other values that they are away, but for very few
NEARLY_NONE = 0.02


@dataclass(frozen=True)
class Rest:
    """A number that is at one value for a while, and then far from it.

    Attributes:
        place: of the column.
        value: at which it rests.
        other: a usual value where it does not.
    """

    place: int
    value: float
    other: float

    def is_left(self, values: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """Return 1 where it is not at rest, 0 where it is, NaN where that is not known."""
        return np.where(np.isnan(values), np.nan, (values != self.value).astype(float))


def find_states(columns: Sequence[Column], runs: Sequence[Run]) -> tuple[tuple[int, ...], tuple[Rest, ...]]:
    """Return the columns of states that last and the numbers that rest, all combinations of which are seen often.

    Args:
        columns: of the table, with the number of each.
        runs: of the table.
    """
    found: list[int] = []
    rests: list[Rest] = []
    flags = np.empty((sum(len(run.values) for run in runs), 0))
    for place, column in enumerate(columns):
        if column.role != "value":
            continue
        parts = [run.values[:, place] for run in runs]
        together = _seen_with(flags, parts) if _is_state(column, parts) else None
        if together is not None:
            found.append(place)
        elif (rest := _rest(place, column, parts)) is not None:
            together = _seen_with(flags, [rest.is_left(part) for part in parts])
            rests += [] if together is None else [rest]
        flags = flags if together is None else together
    return (tuple(found), tuple(rests)) if len(found) < len(columns) else ((), ())


def _seen_with(
    flags: Float[np.ndarray, "N F"], parts: Sequence[Float[np.ndarray, " _T"]]
) -> Float[np.ndarray, "N G"] | None:
    """States so far and one more, None if it does not last or some combination is too rare."""
    if not _lasts(parts):
        return None
    out = np.column_stack([flags, np.concatenate(parts)])
    together, count = np.unique(out, axis=0, return_counts=True)
    return out if len(together) <= MOST_TOGETHER and count.min() >= SEEN else None


def _is_state(column: Column, parts: Sequence[Float[np.ndarray, " _T"]]) -> bool:
    return column.kind in ("category", "boolean") or len(np.unique(np.concatenate(parts))) <= MOST_LEVELS


def _lasts(parts: Sequence[Float[np.ndarray, " _T"]]) -> bool:
    """Whether states without gaps change, and last."""
    changes = sum(int(np.count_nonzero(np.diff(part))) for part in parts)
    rows = sum(map(len, parts))
    gaps = any(np.isnan(part).any() for part in parts)
    return not gaps and changes >= CHANGES and rows >= LASTS * (changes + len(parts))


def _rest(place: int, column: Column, parts: Sequence[Float[np.ndarray, " _T"]]) -> Rest | None:
    """Where a number rests, if that is far from its other values."""
    if column.kind not in ("float", "integer"):
        return None
    values, count = np.unique(np.concatenate(parts), return_counts=True)
    value = float(values[count.argmax()])
    others = np.concatenate([part[part != value] for part in parts])
    share = count.max() / count.sum()
    if len(values) <= FEW or np.isnan(others).any() or not FEWEST_REST < share < 1 - FEWEST_REST:
        return None
    low, middle, high = np.quantile(others, [0.1, 0.5, 0.9])
    far = np.quantile(np.abs(others - value), NEARLY_NONE) > FAR * (high - low)
    return Rest(place, value, float(middle)) if far else None
