"""Hours in which a column always stands at the same value: a night without sun, a Sunday on which nothing is sold.

Shapes: P paths, N rows, C columns, F phases of the clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.courses import Course, numbers
from dowgan.table.schema import Column, Run

FEWEST = 8  # rows of a phase, at least
ALWAYS = 0.98  # share of them that stand at the value
SOME = 0.05  # share of all rows in such phases, at least


@dataclass(frozen=True)
class Idle(Course):
    """A column that stands at a value in some phases of the clock.

    Attributes:
        columns: its number, alone.
        value: at which it stands.
        phases: [F] whether it does in each phase.
    """

    columns: tuple[int]
    value: float
    phases: Bool[np.ndarray, " F"]

    @property
    def by_chance(self) -> bool:
        return False

    @property
    def by_clock(self) -> bool:
        return True

    def _stands(self, position: int, rows: int) -> Bool[np.ndarray, " N"]:
        return self.phases[(position + np.arange(rows)) % len(self.phases)]

    def apply(
        self, values: Float[np.ndarray, "P N C"], chance: Float[np.ndarray, "P N"], positions: Int[np.ndarray, " P"]
    ) -> None:
        for path, position in zip(values, positions, strict=True):  # nothing is left to chance
            path[self._stands(int(position), len(path)), self.columns[0]] = self.value

    def go_on(self, values: Float[np.ndarray, "N C"], last: Float[np.ndarray, "2 C"], position: int) -> None:
        values[self._stands(position, len(values)), self.columns[0]] = self.value


def find_idle(columns: Sequence[Column], runs: Sequence[Run], cycles: Sequence[int]) -> list[Idle]:
    """Find the columns that stand at their most frequent value in some phases of the day or week, and move in others.

    Args:
        columns: the schema's channels.
        runs: of the table.
        cycles: of the clock in rows, see `Clock.cycles`; the shortest that tells phases is taken.
    """
    out = []
    positions = np.concatenate([run.offset + np.arange(len(run.values)) for run in runs])
    values = np.concatenate([run.values for run in runs])
    for place in numbers(columns):
        known = ~np.isnan(values[:, place])
        levels, count = np.unique(values[known, place], return_counts=True)
        if len(levels) < 2:
            continue
        value = float(levels[count.argmax()])
        for period in (c for c in cycles if FEWEST * c <= len(values)):
            phase = positions[known] % period
            rows = np.bincount(phase, minlength=period)
            stood = np.bincount(phase, values[known, place] == value, minlength=period)
            idle = (rows >= FEWEST) & (stood >= ALWAYS * rows)
            if not idle.all() and rows[idle].sum() >= SOME * rows.sum():
                out.append(Idle((place,), value, idle))
                break
    return out
