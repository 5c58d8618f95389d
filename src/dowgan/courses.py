"""What columns do that no draw does by itself: one interface for values that stand and for straight lines.

Shapes: P paths, N rows, C columns.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from dowgan.table.schema import Column

EXACT = 1e-6  # of the spread: a bend of a column of all decimals


class Course(ABC):
    """A course that some columns take.

    Attributes:
        columns: their numbers.
    """

    columns: tuple[int, ...]

    @property
    def by_chance(self) -> bool:
        """Whether it is a matter of chance how a table goes on: each path is then brought onto its own course."""
        return True

    @property
    def by_clock(self) -> bool:
        """Whether the clock alone tells it: it needs no last rows, and what stands so is no part of how values move."""
        return False

    @abstractmethod
    def apply(
        self, values: Float[np.ndarray, "P N C"], chance: Float[np.ndarray, "P N"], positions: Int[np.ndarray, " P"]
    ) -> None:
        """Bring a draw onto the course, in place.

        Args:
            values: in the user's units.
            chance: uniform between 0 and 1.
            positions: of the first rows, on the table's clock.
        """

    @property
    def to_the_beat(self) -> bool:
        """Whether a value stands until the clock's next beat."""
        return False

    def go_on(self, values: Float[np.ndarray, "N C"], last: Float[np.ndarray, "2 C"], position: int) -> None:
        """Bring rows that follow a table onto the course, in place; only asked where that is no matter of chance.

        Args:
            values: in the user's units.
            last: the table's last two rows.
            position: of the first row, on the table's clock.
        """
        return

    def fill(self, values: Float[np.ndarray, "N C"], coarse: Float[np.ndarray, "K C"], factor: int) -> None:
        """Bring rows between given ones onto the course, in place, beyond what `between` says.

        Args:
            values: from the first given row to the last.
            coarse: the given rows, NaN where missing.
            factor: new steps per old step.
        """
        return

    def between(
        self, coarse: Float[np.ndarray, " K"], factor: int, position: int, ratio: int
    ) -> Float[np.ndarray, "K r"]:
        """Return what must stand from each known value of a column up to the next, NaN where that is open.

        Args:
            coarse: known values, NaN where missing.
            factor: r, new steps per old step.
            position: of the first of them, on the table's clock.
            ratio: steps of the table from each to the next.
        """
        return np.full((len(coarse), factor), np.nan)


def resolution(column: Column) -> int | None:
    """Return how many decimals a column is written with, None for all that a float has."""
    return 0 if column.kind == "integer" else column.decimals


def rounded(
    values: Float[np.ndarray, "*N"], decimals: int | None, step: float | None = None
) -> Float[np.ndarray, "*N"]:
    """Return values as multiples of a step and with so many decimals; as they are where there is neither."""
    values = values if step is None else np.round(values / step) * step
    return values if decimals is None else np.round(values, decimals)


def numbers(columns: Sequence[Column]) -> list[int]:
    """Return which columns hold numbers that may take a course."""
    return [i for i, c in enumerate(columns) if c.role == "value" and c.kind in ("float", "integer")]


def free_numbers(columns: Sequence[Column]) -> list[int]:
    """Return those of them that do not keep to a few levels."""
    return [place for place in numbers(columns) if not columns[place].levels]


def tolerance_of(column: Column, spread: float) -> float:
    """The largest second difference of a straight line whose values are rounded as the column's are."""
    decimals = resolution(column)
    return EXACT * spread if decimals is None else 1.01 * 10.0**-decimals


def written(columns: Sequence[Column], values: Float[np.ndarray, "N C"]) -> Float[np.ndarray, "N C"]:
    """Return rows with the decimals that they are written with."""
    out = values.copy()
    for i, column in enumerate(columns):
        out[:, i] = rounded(out[:, i], resolution(column))
    return out
