"""Columns that only fall within each run: a substrate that is used up, a charge that runs down.

A draw goes down with its ups and downs. Its values are put in order, so that they stay as they are distributed and come
as a falling course. (What only rises is a total: `totals.py` models what each row adds.)

Shapes: P paths, N rows, C columns, K given rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dowgan.courses import Course, numbers
from dowgan.table.schema import Column, Run

FALLS = 30  # rows in which it falls, at least
FEWEST_RUNS = 3  # of which each falls: one series may do so by chance of where it was cut
FAR = 4.0  # times the largest step that it falls in all, at least: a step down is no course


@dataclass(frozen=True)
class Falling(Course):
    """A column that never rises within a run.

    Attributes:
        columns: its number, alone.
    """

    columns: tuple[int]

    @property
    def by_chance(self) -> bool:
        return False

    def words(self, names: Sequence[str]) -> str:
        return f"'{names[self.columns[0]]}' never rises within a run"

    def apply(
        self, values: Float[np.ndarray, "P N C"], chance: Float[np.ndarray, "P N"], positions: Int[np.ndarray, " P"]
    ) -> None:
        column = values[:, :, self.columns[0]]
        values[:, :, self.columns[0]] = -np.sort(-column, axis=1)

    def go_on(self, values: Float[np.ndarray, "N C"], last: Float[np.ndarray, "2 C"], position: int) -> None:
        column = self.columns[0]
        values[:, column] = np.minimum(-np.sort(-values[:, column]), last[1, column])

    def fill(self, values: Float[np.ndarray, "N C"], coarse: Float[np.ndarray, "K C"], factor: int) -> None:
        """Keep the values between two given ones between them, and falling."""
        column = self.columns[0]
        given = coarse[:, column]
        known = np.flatnonzero(~np.isnan(given))
        if not len(known) or (np.diff(given[known]) > 0).any():
            return
        inside = np.arange(len(values)) / factor
        before = np.append(np.inf, given[known])[np.searchsorted(known, inside, side="right")]
        behind = np.append(given[known], -np.inf)[np.searchsorted(known, inside, side="left")]
        between = np.clip(values[:, column], behind, before)
        values[:, column] = -np.sort(-between)


def find_falling(columns: Sequence[Column], runs: Sequence[Run]) -> list[Falling]:
    """Find the numbers that fall within every run again and again, and never rise there."""
    if len(runs) < FEWEST_RUNS:
        return []
    out = []
    for place in numbers(columns):
        parts = [run.values[~np.isnan(run.values[:, place]), place] for run in runs]
        steps = [np.diff(part) for part in parts if len(part) > 1]
        if columns[place].levels or len(steps) < FEWEST_RUNS:
            continue
        every = np.concatenate(steps)
        if (every > 0).any() or (every < 0).sum() < FALLS:
            continue
        if all(step.sum() <= FAR * step.min() < 0 for step in steps):
            out.append(Falling((place,)))
    return out
