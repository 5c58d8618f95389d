"""The last touch on generated values: the marginals of every column, and the resolution of its sensor.

A long draw of the finished generator is set against the table, column by column, in the user's units. The
difference in quantiles is taken off; and where a column only ever holds few distinct numbers, evenly or not (a
sensor's resolution, a converter's steps), generated values are put on the nearest of them.

Shapes: N rows, C columns, K knots.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dowgan.table.schema import Column

KNOTS = 1001
MOST_LEVELS = 4_096  # distinct numbers of a column that are kept as its resolution
REPEATS = 4.0  # times that each number must occur on average
LEAST = 200  # rows from which a column's quantiles are corrected


@dataclass(frozen=True)
class Grid:
    """One column: quantiles from and to, and the numbers that it may hold (none for any number)."""

    own: Float[np.ndarray, " K"]
    wanted: Float[np.ndarray, " K"]
    numbers: Float[np.ndarray, " L"]

    def apply(self, values: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        if len(self.own):
            shift = np.minimum(values - self.own[0], 0) + np.maximum(values - self.own[-1], 0)
            values = np.interp(values, self.own, self.wanted) + shift
        if not len(self.numbers):
            return values
        middles = (self.numbers[1:] + self.numbers[:-1]) / 2
        near = self.numbers[np.searchsorted(middles, values)]
        inside = (values >= self.numbers[0]) & (values <= self.numbers[-1])
        return np.where(inside, near, values)


@dataclass(frozen=True)
class Polish:
    """Grids of the columns, None where a column is left as it is."""

    grids: tuple[Grid | None, ...]

    def apply(self, values: Float[np.ndarray, "N C"]) -> Float[np.ndarray, "N C"]:
        out = values.copy()
        for column, grid in enumerate(self.grids):
            if grid is not None:
                out[:, column] = grid.apply(values[:, column])
        return out


def fit_polish(columns: Sequence[Column], drawn: Float[np.ndarray, "M C"], real: Float[np.ndarray, "N C"]) -> Polish:
    """Fit from a long draw and the table's rows, both in the user's units."""
    return Polish(tuple(_grid(c, drawn[:, i], real[:, i]) for i, c in enumerate(columns)))


def _grid(column: Column, drawn: Float[np.ndarray, " M"], real: Float[np.ndarray, " N"]) -> Grid | None:
    known = real[~np.isnan(real)]
    if column.kind not in ("float", "integer") or column.role == "condition" or len(known) < LEAST:
        return None
    distinct = np.unique(known)
    coarse = len(distinct) <= min(MOST_LEVELS, len(known) / REPEATS) and column.kind == "float"
    levels = np.linspace(0, 1, min(KNOTS, len(known)))
    own, wanted = np.quantile(drawn, levels), np.quantile(known, levels)
    spread = known.std() + 1e-12
    own = own + 1e-9 * spread * np.arange(len(own))
    return Grid(own, wanted, distinct if coarse else np.empty(0))
