"""What rests between two given rows: a pump that stands, a night without sun, a set-point until it is changed.

Shapes: K given rows, r steps of the finer series in one of theirs, C columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

FEWEST = 20  # pairs of neighbouring rows that tell whether a column rests
SWITCHES = 0.8  # share of pairs without a change, from which a column changes in jumps
USUAL = 0.05  # share of rows at a value that a column rests at
MOSTLY = 0.5  # share of the changes that follow others in their direction, of a column that ramps
STAYS = 0.5  # share of those rows that the same value follows


@dataclass(frozen=True)
class Resting:
    """A column that rests.

    Attributes:
        columns: its number, alone.
        values: at which it rests, in order.
        switches: it rests at any value, and changes in jumps.
        ramps: most changes follow others in the same direction: then those lie on a line, as of a set-point that is
            driven up by a tenth a minute.
    """

    columns: tuple[int]
    values: Float[np.ndarray, " V"]
    switches: bool
    ramps: bool = False

    def between(
        self, coarse: Float[np.ndarray, " K"], factor: int, position: int, ratio: int
    ) -> Float[np.ndarray, "K r"]:
        """Do what `Course.between` does; a jump lies in the middle, as its time is not known."""
        before, after = coarse[:-1], coarse[1:]
        still = (before == after) & (self.switches | np.isin(before, self.values))
        jumps = self.switches & (before != after) & ~np.isnan(before + after)
        out = np.full((len(coarse), factor), np.nan)
        filled = np.where(np.arange(factor) <= factor // 2, before[:, None], after[:, None])
        out[:-1] = np.where((still | jumps)[:, None], filled, np.nan)
        along = jumps & self.ramps & _goes_on(coarse)
        out[:-1][along] = (before[:, None] + np.arange(factor) / factor * (after - before)[:, None])[along]
        return out


def _goes_on(values: Float[np.ndarray, " K"]) -> Bool[np.ndarray, " _K"]:
    """Which changes have one in the same direction right before or behind them."""
    step = np.sign(np.nan_to_num(np.diff(values)))
    beside = np.pad(step, 1)
    return (step != 0) & ((beside[:-2] == step) | (beside[2:] == step))


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
            going = sum(int(_goes_on(run[:, column]).sum()) for run in runs)
            ramps = switches and going >= MOSTLY * int((~same).sum()) > 0
            out.append(Resting((column,), usual, switches, ramps))
    return out
