"""For how many rows something in a column goes on: a value that stands, a straight line.

Shapes: P paths, N rows, C columns, B levels, K lengths.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.table.schema import Run

FEWEST = 30  # lengths above one that are enough to measure
FEW = 10  # that are enough where most rows only go on
LEVELS = 8  # at most, at which lengths are measured
EACH = 100  # lengths of a level
MANY = 8  # runs from which on the first length of a run has a distribution of its own
REGULAR = 0.99  # share of the lengths that are multiples of one, from which the others are left out


@dataclass(frozen=True)
class Lengths:
    """Lengths by the level of a column.

    Attributes:
        edges: between the levels.
        rows: the lengths, in order.
        shares: how many of those at each level are no longer.
        first: the same of the first one of a run; empty if a run may begin anywhere within.
        every: rows of which all lengths are multiples, 1 for none.
        phase: position on the table's clock, modulo `every`, at which one begins.
    """

    edges: Float[np.ndarray, " E"]
    rows: Int[np.ndarray, " K"]
    shares: Float[np.ndarray, "B K"]
    first: Float[np.ndarray, " _K"]
    every: int
    phase: int

    def draw(
        self, level: Float[np.ndarray, "P N"], chance: Float[np.ndarray, "P N"], positions: Int[np.ndarray, " P"]
    ) -> tuple[Int[np.ndarray, "P N"], Int[np.ndarray, " P"]]:
        """Draw how long what begins in a row goes on, and what of the first one lies before the first row.

        Args:
            level: the column's values.
            chance: uniform between 0 and 1.
            positions: of the first rows, on the table's clock.
        """
        place = np.searchsorted(self.edges, level)
        length = np.empty(level.shape, dtype=np.int64)
        for number, shares in enumerate(self.shares):
            here = place == number
            length[here] = self.rows[np.searchsorted(shares, chance[here])]
        begun = zip(place[:, 0].tolist(), chance[:, 0].tolist(), positions.tolist(), strict=True)
        whole, left = np.array([self._begun(*path) for path in begun], dtype=np.int64).T
        length[:, 0] = left
        return length, whole - left

    def begun(self, rows: int, factor: int, position: int, ratio: int) -> Int[np.ndarray, "K R"]:
        """Return how often something begins behind each of some rows, up to each finer row and up to the next one.

        Args:
            rows: K, `ratio` steps of the table's clock apart, the first at `position`.
            factor: R - 1, finer rows from each on.
        """
        first = position + ratio * np.arange(rows)
        passed = (factor * (first[:, None] - self.phase) + ratio * np.arange(factor + 1)) // (factor * self.every)
        return passed - passed[:, :1]

    def beats(self, position: int, rows: int) -> Int[np.ndarray, " M"]:
        """Return in which of so many rows from that position on something begins."""
        return np.flatnonzero((position + np.arange(rows)) % self.every == self.phase)

    def _begun(self, level: int, chance: float, position: int) -> tuple[int, int]:
        """The first length of a run, and what is left of it: all, or from any row within."""
        if len(self.first):
            whole = int(self.rows[np.searchsorted(self.first, chance)])
            return whole, whole
        sums = np.cumsum(np.diff(self.shares[level], prepend=0.0) * self.rows)
        which = int(np.searchsorted(sums, chance * sums[-1]))
        whole, part = int(self.rows[which]), np.diff(sums, prepend=0.0)[which]
        left = int(np.ceil((sums[which] - chance * sums[-1]) / part * whole)) or 1
        if self.every > 1:
            left = (left - 1) // self.every * self.every + ((self.phase - position) % self.every or self.every)
        return whole, left


def measure(
    lead: int, runs: Sequence[Run], marks: Sequence[Int[np.ndarray, " _M"]], ends: Sequence[Int[np.ndarray, " _M"]]
) -> tuple[
    Float[np.ndarray, " M"], Int[np.ndarray, " M"], Int[np.ndarray, " M"], Int[np.ndarray, " F"],
    Bool[np.ndarray, " M"],
]:  # fmt: skip
    """Return the level, length and position of everything that has begun and ended, the first length of each run, and
    which lengths are whole: those beside missing rows may be but a part.

    Args:
        lead: the column by whose level lengths go.
        runs: of the table.
        marks: rows of each run in which something begins.
        ends: last row of each but the last, of which it is not known.
    """
    levels, lengths, places, firsts = [np.empty(0)], [np.empty(0, int)], [np.empty(0, int)], [np.empty(0, int)]
    wholes = [np.empty(0, dtype=bool)]
    for run, mark, end in zip(runs, marks, ends, strict=True):
        begin = mark[:-1]
        lengths.append(end - begin + 1)
        levels.append(run.values[begin, lead])
        places.append(run.offset + begin)
        firsts.append(lengths[-1][:1])
        there = ~np.isnan(run.values[:, lead])
        wholes.append(((begin == 0) | there[begin - 1]) & there[end + 1])
    level, length, place, first, whole = (np.concatenate(part) for part in (levels, lengths, places, firsts, wholes))
    known = ~np.isnan(level)
    return level[known], length[known], place[known], first, whole[known]


def fit_lengths(
    level: Float[np.ndarray, " M"],
    length: Int[np.ndarray, " M"],
    place: Int[np.ndarray, " M"],
    first: Int[np.ndarray, " F"],
    whole: Bool[np.ndarray, " M"],
    by_chance: float,
) -> Lengths | None:
    """Fit the lengths of what was measured, None if they are too few.

    Args:
        level, length, place: of each.
        first: the first length of each run.
        whole: which lengths surely are.
        by_chance: of those that last one row, a share that lasts longer by chance in any draw.
    """
    mostly = (length - 1).sum() > length.sum() / 2
    if (length > 1).sum() < (FEW if mostly else FEWEST):
        return None
    every, phase = 1, 0
    if len(first) < MANY:
        every, phase, kept = _beat(length, place, whole)
        level, length = level[kept], length[kept]
    count = int(np.clip(len(length) // EACH, 1, LEVELS))
    edges = np.unique(np.quantile(level, np.arange(1, count) / count))
    at = np.searchsorted(edges, level)
    parts = [_without_chance(length[at == number], by_chance) for number in range(len(edges) + 1)]
    own = first if len(first) >= MANY else first[:0]
    every_part = np.concatenate(parts)
    rows = np.unique(np.concatenate([every_part, own]))
    if rows[-1] == 1:
        return None

    def shares(part: Int[np.ndarray, " L"]) -> Float[np.ndarray, " K"]:
        return np.searchsorted(np.sort(part), rows, side="right") / len(part)

    by_level = np.stack([shares(part if len(part) else every_part) for part in parts])
    return Lengths(edges, rows, by_level, shares(own) if len(own) else np.empty(0), every, phase)


def _beat(
    length: Int[np.ndarray, " M"], place: Int[np.ndarray, " M"], whole: Bool[np.ndarray, " M"]
) -> tuple[int, int, Bool[np.ndarray, " M"]]:
    """The rows of which nearly all whole lengths are multiples, where on the clock they begin, and those that keep to
    it."""
    if whole.sum() < FEWEST:
        return 1, 0, np.ones(len(length), dtype=bool)
    every = int(np.bincount(length[whole]).argmax())
    phase = int(np.bincount(place[whole] % every).argmax())
    kept = (length % every == 0) & (place % every == phase)
    if every == 1 or kept[whole].mean() < REGULAR:
        return 1, 0, np.ones(len(length), dtype=bool)
    return every, phase, kept


def _without_chance(lengths: Int[np.ndarray, " L"], by_chance: float) -> Int[np.ndarray, " L"]:
    ordered = np.sort(lengths)
    once = np.searchsorted(ordered, 1, side="right")
    ordered[: once + round(once * by_chance / (1 - by_chance))] = 1
    return ordered


def together(marked: Sequence[Bool[np.ndarray, "_N C"]], places: Sequence[int], alike: float) -> list[tuple[int, ...]]:
    """Group columns that are marked in the same rows: each with the first one that it goes along with.

    Args:
        marked: rows of each run in which something begins.
        places: the columns.
        alike: correlation of the marks.
    """
    if not places:
        return []
    rows = np.concatenate(marked)[:, list(places)]
    with np.errstate(invalid="ignore", divide="ignore"):  # one that is marked nowhere is like none
        likeness = np.corrcoef(rows, rowvar=False) if len(places) > 1 else np.ones((1, 1))
    groups: list[list[int]] = []
    for number, place in enumerate(places):
        beside = (group for group in groups if likeness[number, places.index(group[0])] > alike)
        group = next(beside, None)
        if group is None:
            groups.append([place])
        else:
            group.append(place)
    return [tuple(group) for group in groups]
