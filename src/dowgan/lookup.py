"""A column that another one tells exactly along a curve of any form: a discharge by the level, a resistance by the
temperature.

Where rows with one value of a column always have one value of another, the table itself says what each means; between
two values the other lies on the line between theirs.

Shapes: N rows, C columns (the schema's channels), K different values.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dowgan.courses import resolution, rounded
from dowgan.table.schema import Column

AGAIN = 100  # rows with a value that another row has too, at least
DISTINCT = 50  # different values of either column, at least
MOST_COLUMNS = 40  # of which every pair is looked at
SMOOTH = 0.02  # of the range of a column, that a value may be off the line between its neighbours,
MOSTLY = 0.99  # in this share of the values
APART = 0.05  # of the range between the knots that tell how a curve goes on beyond them


def ahead(knots: Float[np.ndarray, " K"], middle: Float[np.ndarray, " K"], x: float) -> float:
    """Return the value at a place ahead of the first knot, on the line from one a little behind it."""
    far = np.abs(knots - knots[0]) >= APART * abs(float(np.ptp(knots)))
    behind = int(np.argmax(far))
    return float(middle[0] + (x - knots[0]) * (middle[behind] - middle[0]) / (knots[behind] - knots[0]))


@dataclass(frozen=True)
class Lookup:
    """A column that another one tells.

    Attributes:
        place, of: the numbers of both.
        knots: the values of the other, rising.
        told: those of the column there.
        digits: decimals of the column and of the other, None for all that a float has.
    """

    place: int
    of: int
    knots: Float[np.ndarray, " K"]
    told: Float[np.ndarray, " K"]
    digits: tuple[int | None, int | None]

    @property
    def members(self) -> set[int]:
        """Both columns."""
        return {self.place, self.of}

    @property
    def _turns(self) -> bool:
        """Whether the column tells the other one too."""
        steps = np.diff(self.told)
        return bool((steps >= 0).all() or (steps <= 0).all())

    def at(self, values: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        """Return the column, unrounded, at values of the other one."""
        low, high = self.knots[[0, -1]] + np.array([-1, 1]) * np.ptp(self.knots)
        first = ahead(self.knots, self.told, float(low))
        last = ahead(self.knots[::-1], self.told[::-1], float(high))
        return np.interp(values, [low, *self.knots, high], [first, *self.told, last])

    def misses(self, values: Float[np.ndarray, "N C"]) -> Bool[np.ndarray, " N"]:
        """Return which rows have another value than the table's at the same value of the other column."""
        x, y = values[:, self.of], values[:, self.place]
        at = np.clip(np.searchsorted(self.knots, x), 0, len(self.knots) - 1)
        out: np.ndarray = (self.knots[at] == x) & (self.told[at] != y) & ~np.isnan(y)
        return out

    def keep(self, values: Float[np.ndarray, "N C"], known: Bool[np.ndarray, "N C"]) -> None:
        """Look the column up where it is not known, in place, and the other one where that is not."""
        free = ~known[:, self.of]
        back = free & known[:, self.place] & self._turns
        order = np.argsort(self.told)
        values[back, self.of] = np.interp(values[back, self.place], self.told[order], self.knots[order])
        values[free, self.of] = rounded(values[free, self.of], self.digits[1])
        rows = ~known[:, self.place] & ~np.isnan(values[:, self.of])
        values[rows, self.place] = rounded(self.at(values[rows, self.of]), self.digits[0])

    def words(self, names: Sequence[str]) -> str:
        """Say what tells what."""
        return f"'{names[self.of]}' tells '{names[self.place]}' along a curve"


def find_lookups(
    columns: Sequence[Column], values: Float[np.ndarray, "N C"], places: Sequence[int], but: Sequence[set[int]] = ()
) -> tuple[Lookup, ...]:
    """Find columns that another one tells exactly along a smooth curve; none of them tells one itself.

    Args:
        columns: the schema's channels.
        values: in the user's units, NaN missing.
        places: of the numbers that may be such.
        but: columns that other rules tie already.
    """
    tied = {place for members in but for place in members}
    free = [place for place in places if place not in tied][:MOST_COLUMNS]
    out: list[Lookup] = []
    for place in reversed(free):
        if any(place in found.members for found in out):
            continue
        for other in (x for x in free if x != place and all(x != found.place for found in out)):
            found = _lookup(columns, values, place, other)
            if found is not None:
                out.append(found)
                break
    return tuple(reversed(out))


def _lookup(columns: Sequence[Column], values: Float[np.ndarray, "N C"], place: int, of: int) -> Lookup | None:
    both = values[:, [of, place]]
    both = both[~np.isnan(both).any(axis=1)]
    pairs = np.unique(both, axis=0)
    knots, told = pairs.T
    if len(both) - len(pairs) < AGAIN or len(pairs) < DISTINCT or not (np.diff(knots) > 0).all():
        return None
    if len(np.unique(told)) < DISTINCT:
        return None
    share = (knots[1:-1] - knots[:-2]) / (knots[2:] - knots[:-2])
    line = told[:-2] + share * (told[2:] - told[:-2])
    if np.mean(np.abs(told[1:-1] - line) <= SMOOTH * np.ptp(told)) < MOSTLY:
        return None
    return Lookup(place, of, knots, told, (resolution(columns[place]), resolution(columns[of])))
