"""What rests between two given rows: a pump that stands, a night without sun, a set-point until it is changed.

Shapes: K given rows, N rows of the finer series, C columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

FEWEST = 20  # pairs of neighbouring rows that tell whether a column rests
SWITCHES = 0.8  # share of pairs without a change, from which a column changes in jumps
USUAL = 0.05  # share of rows at a value that a column rests at
STAYS = 0.5  # share of those rows that the same value follows


@dataclass(frozen=True)
class Resting:
    """A column that rests.

    Attributes:
        column: its number.
        values: at which it rests, in order.
        switches: it rests at any value, and changes in jumps.
    """

    column: int
    values: Float[np.ndarray, " V"]
    switches: bool

    def between(self, given: Float[np.ndarray, "K C"], factor: int, fine: Float[np.ndarray, "N C"]) -> None:
        """Put what rests between given rows in place; a jump lies in the middle, as its time is not known."""
        before, after = given[:-1, self.column], given[1:, self.column]
        still = (before == after) & (self.switches | np.isin(before, self.values))
        jumps = self.switches & (before != after) & ~np.isnan(before + after)
        part = np.arange(1, factor)
        filled = np.where(part <= factor // 2, before[:, None], after[:, None])  # [K-1 factor-1]
        rows = np.arange(len(before))[:, None] * factor + part
        chosen = still | jumps
        fine[rows[chosen].ravel(), self.column] = filled[chosen].ravel()


def find_resting(runs: Sequence[Float[np.ndarray, "_K C"]]) -> list[Resting]:
    """Find the columns of given runs that rest."""
    out = []
    for column in range(runs[0].shape[1]):
        before, after = (np.concatenate([run[part, column] for run in runs]) for part in (slice(-1), slice(1, None)))
        known = ~np.isnan(before + after)
        before, same = before[known], (before == after)[known]
        if len(before) < FEWEST:
            continue
        values, place, count = np.unique(before, return_inverse=True, return_counts=True)
        stays = np.bincount(place, same) / count
        usual = values[(count >= USUAL * len(before)) & (stays >= STAYS)]
        switches = bool(same.mean() >= SWITCHES)
        if switches or len(usual):
            out.append(Resting(column, usual, switches))
    return out
