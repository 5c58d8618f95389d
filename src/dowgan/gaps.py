"""Which cells of a table are empty, laid over what is made on request: a laboratory's rhythm, hours without a sensor.

Shapes: N rows of all runs, T rows of one, K columns that have empty cells.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, UInt8

from dowgan.table.schema import Run, Schema

SPARSE = 0.5  # share of empty cells from which a column may have a rhythm
FEWEST = 8  # known cells of such a column
STEADY = 0.8  # share of them that follow the one before at the usual distance
CLEARLY = 0.3  # share of the unlike cells that a longer cycle leaves at most
RECURS = 4  # times that a rhythm comes back at least, in the longest run


@dataclass(frozen=True)
class Gaps:
    """The empty cells of the fitted table.

    Attributes:
        columns: numbers of those that have any.
        rows: of each run.
        offsets: clock steps from the table's origin to the first row of each run.
        period: rows after which the pattern comes back, 1 for none.
        bits: the empty cells of all rows, row by row, eight to a byte.
    """

    columns: tuple[int, ...]
    rows: tuple[int, ...]
    offsets: tuple[int, ...]
    period: int
    bits: UInt8[np.ndarray, " B"]

    def of(self, run: int, rows: int, position: int, rng: np.random.Generator) -> Bool[np.ndarray, "T K"]:
        """Return which cells of a run are empty.

        Batches of another length have the gaps of the beginning and of the end where these are; a long series has those
        of a piece of the table's run that begins in the same phase, and goes on with another piece.

        Args:
            run: number of the table's run that it is like.
            rows: its length.
            position: clock steps from the table's origin to its first row.
            rng: chooses the pieces.
        """
        whole = self._runs[run]
        count = len(whole)
        if len(set(self.rows)) > 1 and rows <= 2 * count:
            at = np.arange(rows)
            return whole[np.where(2 * at < rows, at, count - rows + at)]
        parts, done = list[np.ndarray](), 0
        while done < rows:
            phase = (position + done - self.offsets[run]) % min(self.period, count)
            start = int(rng.choice(np.arange(phase, count, min(self.period, count))))
            parts.append(whole[start : start + rows - done])
            done += len(parts[-1])
        return np.concatenate(parts)

    @cached_property
    def _runs(self) -> list[np.ndarray]:
        shape = sum(self.rows), len(self.columns)
        every = np.unpackbits(self.bits, count=math.prod(shape)).astype(bool).reshape(shape)
        return np.split(every, np.cumsum(self.rows)[:-1])


def find_gaps(schema: Schema, runs: Sequence[Run]) -> Gaps:
    """Return the empty cells of a table's measured columns."""
    places = [i for i, column in enumerate(schema.channels) if column.role == "value" and column.kind != "constant"]
    empty = [np.isnan(run.values)[:, places] for run in runs]
    for part, run in zip(empty, runs, strict=True):
        for row, place, _ in run.faults:  # was no empty cell
            part[row, places.index(place)] = False
    some = np.any([part.any(axis=0) for part in empty], axis=0)
    kept = [part[:, some] for part in empty]
    columns = tuple(place for place, any_ in zip(places, some, strict=True) if any_)
    return Gaps(
        columns=columns,
        rows=tuple(len(part) for part in kept),
        offsets=tuple(run.offset for run in runs),
        period=_period(max(kept, key=len), schema.clock.cycles()),
        bits=np.packbits(np.concatenate(kept)),
    )


def _period(empty: Bool[np.ndarray, "T K"], cycles: Sequence[int]) -> int:
    """The rhythm of sparse columns, the shortest cycle of the clock as far as there is room for both, and any longer
    cycle that a column keeps to far better: no sample is taken on a Sunday."""
    found = 1
    for column in empty.T:
        known = np.flatnonzero(~column)
        if column.mean() < SPARSE or len(known) < FEWEST:
            continue
        distances, counts = np.unique(np.diff(known), return_counts=True)
        if counts.max() >= STEADY * (len(known) - 1):
            found = _with(found, int(distances[np.argmax(counts)]), len(empty))
    for number, cycle in enumerate(cycles):
        longer = _with(found, cycle, len(empty))
        if longer != found and (number == 0 or (_unlike(empty, longer) < CLEARLY * _unlike(empty, found)).any()):
            found = longer
    return found


def _with(period: int, other: int, rows: int) -> int:
    both = math.lcm(period, other)
    return both if RECURS * both <= rows else period


def _unlike(empty: Bool[np.ndarray, "T K"], period: int) -> Float[np.ndarray, " K"]:
    """Share of each column's cells of which one is empty and the one a period later is not, or the other way round."""
    return np.mean(empty[period:] != empty[:-period], axis=0)
