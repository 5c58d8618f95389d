"""The last touch on generated values: the marginals of every column, the distance to a column that it never crosses,
and the resolution of its sensor.

A long draw of the finished generator is set against the table, column by column, in the user's units. The
difference in quantiles is taken off; and where a column only ever holds few distinct numbers, evenly or not (a
sensor's resolution, a converter's steps), generated values are put on the nearest of them.

Shapes: N rows, C columns, K knots, B levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from dowgan.relations import End, Relations
from dowgan.table.schema import Column

KNOTS = 1001
MOST_LEVELS = 4_096  # distinct numbers of a column that are kept as its resolution
REPEATS = 4.0  # times that each number must occur on average
LEAST = 200  # rows from which a column's quantiles are corrected, and rows of each level of a distance
LEVELS = 8  # at most, at which a distance is corrected
GAP_KNOTS = 65
RARE = 0.05  # share of crossed rows up to which a distance is left as it is: each level's map bends a smooth column


@dataclass(frozen=True)
class Grid:
    """One column: quantiles from and to, and the numbers that it may hold (none for any number)."""

    own: Float[np.ndarray, " K"]
    wanted: Float[np.ndarray, " K"]
    numbers: Float[np.ndarray, " L"]

    def apply(self, values: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        """Return the column's values [N] with its quantiles corrected, each on the nearest number that it may hold."""
        if len(self.own):
            values = _carried(values, self.own, self.wanted)
        if not len(self.numbers):
            return values
        middles = (self.numbers[1:] + self.numbers[:-1]) / 2
        near = self.numbers[np.searchsorted(middles, values)]
        inside = (values >= self.numbers[0]) & (values <= self.numbers[-1])
        return np.where(inside, near, values)


def _carried(
    values: Float[np.ndarray, " N"], own: Float[np.ndarray, " K"], wanted: Float[np.ndarray, " K"]
) -> Float[np.ndarray, " N"]:
    """From quantiles to quantiles; beyond the outer ones as far off as they are moved."""
    shift = np.minimum(values - own[0], 0) + np.maximum(values - own[-1], 0)
    return np.interp(values, own, wanted) + shift


@dataclass(frozen=True)
class Gap:
    """Quantiles from and to of the distance of a column from those that it never crosses, by the level of these.

    Attributes:
        end: the column.
        edges: between the levels.
        own, wanted: quantiles at each level.
    """

    end: End
    edges: Float[np.ndarray, " E"]
    own: Float[np.ndarray, "B K"]
    wanted: Float[np.ndarray, "B K"]

    def apply(self, values: Float[np.ndarray, "N C"]) -> Float[np.ndarray, " N"]:
        """Return the column's values [N], as far from the others as in the table and never across them."""
        base = self.end.nearest(values)
        distance, level = self.end.sign * (values[:, self.end.place] - base), np.searchsorted(self.edges, base)
        for number, (own, wanted) in enumerate(zip(self.own, self.wanted, strict=True)):
            here = level == number
            distance[here] = _carried(distance[here], own, wanted)
        return base + self.end.sign * np.maximum(distance, 0.0)


@dataclass(frozen=True)
class Polish:
    """Grids of the columns, None where a column is left as it is, and distances between columns."""

    grids: tuple[Grid | None, ...]
    gaps: tuple[Gap, ...] = ()

    def apply(self, values: Float[np.ndarray, "N C"]) -> Float[np.ndarray, "N C"]:
        """Return generated rows [N C] in the user's units, column by column and then distance by distance."""
        out = values.copy()
        for column, grid in enumerate(self.grids):
            if grid is not None:
                out[:, column] = grid.apply(values[:, column])
        for gap in self.gaps:
            out[:, gap.end.place] = gap.apply(out)
        return out


def fit_resolution(columns: Sequence[Column], real: Float[np.ndarray, "N C"]) -> Polish:
    """Fit only what numbers columns may hold, where quantiles are no matter of the whole table."""
    none = np.empty(0)
    numbers = [_numbers(c, real[:, i]) for i, c in enumerate(columns)]
    return Polish(tuple(Grid(none, none, own) if len(own) else None for own in numbers))


def fit_polish(
    columns: Sequence[Column], relations: Relations, drawn: Float[np.ndarray, "M C"], real: Float[np.ndarray, "N C"]
) -> Polish:
    """Fit from a long draw and the table's rows, both in the user's units."""
    grids = Polish(tuple(_grid(c, drawn[:, i], real[:, i]) for i, c in enumerate(columns)))
    even = grids.apply(drawn)
    ends = [end for end in relations.ends() if (grid := grids.grids[end.place]) is None or not len(grid.numbers)]
    gaps = [_gap(end, even, real) for end in ends]
    return Polish(grids.grids, tuple(gap for gap in gaps if gap is not None))


def _gap(end: End, drawn: Float[np.ndarray, "M C"], real: Float[np.ndarray, "N C"]) -> Gap | None:
    base = end.nearest(real)
    wanted = end.sign * (real[:, end.place] - base)
    base, wanted = base[~np.isnan(wanted)], wanted[~np.isnan(wanted)]
    levels = min(len(wanted) // LEAST, LEVELS)
    if not levels:
        return None
    edges = np.quantile(base, np.arange(1, levels) / levels)
    drawn_base, shares = end.nearest(drawn), np.linspace(0, 1, GAP_KNOTS)
    own = end.sign * (drawn[:, end.place] - drawn_base)
    if np.mean(own < 0) < RARE:
        return None
    hair = 1e-9 * (wanted.std() + 1e-12) * np.arange(GAP_KNOTS)

    def by_level(values: Float[np.ndarray, " N"], at: Float[np.ndarray, " N"]) -> Float[np.ndarray, "B K"]:
        level = np.searchsorted(edges, at)
        parts = [values[level == number] for number in range(levels)]
        return np.stack([np.quantile(part if len(part) else values, shares) for part in parts])

    return Gap(end, edges, by_level(own, drawn_base) + hair, by_level(wanted, base))


def _grid(column: Column, drawn: Float[np.ndarray, " M"], real: Float[np.ndarray, " N"]) -> Grid | None:
    known = real[~np.isnan(real)]
    if not _usable(column, known):
        return None
    return replace(quantile_map(drawn, known, min(KNOTS, len(known))), numbers=_numbers(column, real))


def quantile_map(drawn: Float[np.ndarray, " M"], real: Float[np.ndarray, " N"], knots: int) -> Grid:
    """Return the map from quantiles of some values to those of others, NaN left out; onto any number."""
    levels = np.linspace(0, 1, knots)
    own, wanted = np.nanquantile(drawn, levels), np.nanquantile(real, levels)
    hair = 1e-9 * (np.nanstd(real) + 1e-12)  # ties stay strictly increasing
    return Grid(own + hair * np.arange(knots), wanted, np.empty(0))


def _usable(column: Column, known: Float[np.ndarray, " N"]) -> bool:
    return column.kind in ("float", "integer") and column.role != "condition" and len(known) >= LEAST


def _numbers(column: Column, real: Float[np.ndarray, " N"]) -> Float[np.ndarray, " L"]:
    """The numbers that a column holds again and again, none if it may hold any."""
    known = real[~np.isnan(real)]
    distinct = np.unique(known)
    coarse = len(distinct) <= min(MOST_LEVELS, len(known) / REPEATS) and column.kind == "float"
    return distinct if coarse and _usable(column, known) else np.empty(0)
