"""Columns that do not move while a state lasts, wherever they are: a valve that is held by hand, a counter of a machine
that stands.

Shapes: P paths, N rows, C columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.courses import Course, numbers
from dowgan.stretch import times_at
from dowgan.table.schema import Column, Run

FEWEST = 30  # steps within spells of a state
SPELLS = 3
STILL = 0.98  # share of them without a change, at least
MOVES = 0.3  # share of the other steps with one, at least


@dataclass(frozen=True)
class Standing(Course):
    """A column that stands while a state has some of its levels.

    Attributes:
        columns: its number, alone.
        state: number of the state's column.
        levels: in which it stands, from the first row of a spell on.
    """

    columns: tuple[int]
    state: int
    levels: tuple[float, ...]

    def apply(
        self, values: Float[np.ndarray, "P N C"], chance: Float[np.ndarray, "P N"], positions: Int[np.ndarray, " P"]
    ) -> None:
        """Hold the value of the first row of each spell."""
        (column,) = self.columns
        for path in values:  # nothing is left to chance
            path[:, column] = path[self._begun(path), column]

    def _begun(self, path: Float[np.ndarray, "N C"]) -> Int[np.ndarray, " N"]:
        """The row from which each row's value is held: its own where it moves."""
        rows, state = np.arange(len(path)), path[:, self.state]
        goes_on = np.append(False, (state[1:] == state[:-1]) & np.isin(state[1:], self.levels))
        return np.maximum.accumulate(np.where(goes_on, 0, rows))


def find_standing(
    columns: Sequence[Column], runs: Sequence[Run], states: Sequence[int], told: Sequence[int]
) -> tuple[Standing, ...]:
    """Find the columns that stand in some states and move in others, each with the first of such.

    Args:
        columns: the schema's channels.
        runs: the table's, in the user's units.
        states: numbers of the columns that are states.
        told: columns that states tell.
    """
    out = []
    for place in (place for place in numbers(columns) if place not in (*states, *told)):
        steps = [np.diff(run.values[:, place]) for run in runs]
        for state in states:
            levels = _levels(steps, [run.values[:, state] for run in runs])
            if levels:
                out.append(Standing((place,), state, levels))
                break
    return tuple(out)


def _levels(steps: Sequence[Float[np.ndarray, " _S"]], states: Sequence[Float[np.ndarray, " _T"]]) -> tuple[float, ...]:
    """The levels of a state in which a column does not move; none if it hardly does in the others."""
    step = np.concatenate(list(steps))
    before, behind = (np.concatenate([s[part] for s in states]) for part in (slice(-1), slice(1, None)))
    known, within = ~np.isnan(step), before == behind

    def still(level: float) -> bool:
        inside = within & (behind == level)
        own = step[inside & known]
        return len(own) >= FEWEST and times_at(states, level) >= SPELLS and bool((own == 0).mean() >= STILL)

    found = tuple(level for level in np.unique(behind[~np.isnan(behind)]).tolist() if still(level))
    others: Bool[np.ndarray, " _S"] = known & within & ~np.isin(behind, found)
    return found if found and others.sum() >= FEWEST and (step[others] != 0).mean() >= MOVES else ()
