"""What always held between two columns, and is kept: equal values, and one value never above another.

A price's low is never above its high, a total never below its part. What held in every row of the fitted table, and
would not have held by chance, holds in what is made.

Shapes: N rows, C columns (the schema's channels).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dowgan.table.schema import Column

FEWEST = 50  # rows in which both columns must be known
LOOK = 2_000  # rows, spread evenly, on which all pairs are tried first
CHANCE = 0.05  # share of the rows, put together at random, that must break a rule that does not hold by chance
EXPECTED = 30  # rows that must break it then
TRIED = 10_000  # rows put together at random


@dataclass(frozen=True)
class End:
    """A column that others never cross.

    Attributes:
        place: its number.
        others: those next to it.
        sign: 1 if it is never below them, -1 if it is never above.
    """

    place: int
    others: tuple[int, ...]
    sign: float

    def nearest(self, values: Float[np.ndarray, "N C"]) -> Float[np.ndarray, " N"]:
        """Return the nearest of the others, NaN where one is missing."""
        return self.sign * np.max(self.sign * values[:, list(self.others)], axis=1)


@dataclass(frozen=True)
class Relations:
    """Rules between columns, by their numbers.

    Attributes:
        same: (column, the earlier column that it equals).
        below: (lower, upper) column, sorted so that a chain comes from its lowest column on.
    """

    same: tuple[tuple[int, int], ...] = ()
    below: tuple[tuple[int, int], ...] = ()

    def keep(self, values: Float[np.ndarray, "N C"], given: Float[np.ndarray, "N C"]) -> Float[np.ndarray, "N C"]:
        """Return the values with what is given put in and the rules kept.

        Two values that break a rule meet half way. What is left, beside given values, follows from the lowest column up
        and then from the highest one down.

        Args:
            values: as they were made.
            given: what must stay as it is, NaN elsewhere.
        """
        known = ~np.isnan(given)
        out = np.where(known, given, values)
        for place, first in self.same:
            told = known[:, place] & ~known[:, first]
            out[told, first], known[told, first] = out[told, place], True
        for low, high in self.below:
            wrong = (out[:, low] > out[:, high]) & ~known[:, low] & ~known[:, high]
            out[wrong, low] = out[wrong, high] = (out[wrong, low] + out[wrong, high]) / 2
        for low, high in self.below:
            wrong = (out[:, low] > out[:, high]) & ~known[:, high]
            out[wrong, high] = out[wrong, low]
        for low, high in reversed(self.below):
            wrong = (out[:, low] > out[:, high]) & ~known[:, low]
            out[wrong, low] = out[wrong, high]
        for place, first in self.same:
            out[:, place] = np.where(known[:, place], given[:, place], out[:, first])
        return out

    def ends(self) -> tuple[End, ...]:
        """Return the columns that are only ever above others, and those only ever below such as are no ends."""
        lows, highs = {low for low, _ in self.below}, {high for _, high in self.below}
        tops = highs - lows
        above = [End(top, tuple(low for low, high in self.below if high == top), 1.0) for top in sorted(tops)]
        under = [End(b, tuple(high for low, high in self.below if low == b), -1.0) for b in sorted(lows - highs)]
        return (*above, *(end for end in under if not tops & set(end.others)))

    def words(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return one sentence for each rule."""
        return (
            *(f"'{names[place]}' always equals '{names[first]}', and is kept so" for place, first in self.same),
            *(f"'{names[low]}' is never above '{names[high]}', and is kept so" for low, high in self.below),
        )


def find_relations(columns: Sequence[Column], values: Float[np.ndarray, "N C"]) -> Relations:
    """Find the rules that hold in every row between numeric values of one kind.

    Args:
        columns: the schema's channels.
        values: in the user's units, NaN missing.
    """
    usable = [i for i, c in enumerate(columns) if c.role == "value" and c.kind in ("float", "integer") and not c.levels]
    some = values[:: max(1, len(values) // LOOK)]
    same = _same(columns, values, some, usable)
    copies = {place for place, _ in same}
    leaders = [i for i in usable if i not in copies]
    rng = np.random.default_rng(0)
    below = [
        (low, high)
        for low in leaders
        for high in leaders
        if low != high
        and _alike(columns[low], columns[high])
        and _never_above(some, low, high)
        and _never_above(values, low, high)
        and _by_more_than_chance(values[:, low], values[:, high], rng)
    ]
    return Relations(tuple(same), _in_order(below))


def _alike(one: Column, other: Column) -> bool:
    """Rounded alike, so that what holds before rounding holds after it."""
    return one.kind == other.kind and one.decimals == other.decimals


def _same(
    columns: Sequence[Column], values: Float[np.ndarray, "N C"], some: Float[np.ndarray, "M C"], usable: Sequence[int]
) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    leaders: list[int] = []
    for place in usable:
        alike = (first for first in leaders if _alike(columns[place], columns[first]))
        first = next((f for f in alike if all(_equal(x, place, f) for x in (some, values))), None)
        if first is None:
            leaders.append(place)
        else:
            out.append((place, first))
    return out


def _equal(values: Float[np.ndarray, "N C"], one: int, other: int) -> bool:
    return _never_above(values, one, other) and _never_above(values, other, one)


def _never_above(values: Float[np.ndarray, "N C"], low: int, high: int) -> bool:
    both = ~np.isnan(values[:, low]) & ~np.isnan(values[:, high])
    return bool(both.sum() >= FEWEST and np.all(values[both, low] <= values[both, high]))


def _by_more_than_chance(low: Float[np.ndarray, " N"], high: Float[np.ndarray, " N"], rng: np.random.Generator) -> bool:
    both = ~np.isnan(low) & ~np.isnan(high)
    broken = np.mean(rng.choice(low[both], TRIED) > rng.choice(high[both], TRIED))
    return bool(broken > CHANCE and broken * both.sum() > EXPECTED)


def _in_order(pairs: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Leave out what follows from other pairs, and sort by how many columns lie below the lower one."""
    found, between = set(pairs), {high for _, high in pairs}
    kept = [(a, c) for a, c in pairs if not any((a, b) in found and (b, c) in found for b in between)]
    under = {low: sum(high == low for _, high in pairs) for low, _ in kept}
    return tuple(sorted(kept, key=lambda pair: (under[pair[0]], pair)))
