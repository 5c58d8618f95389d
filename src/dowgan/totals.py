"""Counters and totals that never fall, such as an energy meter: what is modelled is what is added in each row.

Some begin again: a meter of five digits at 0 behind 99999, a day's total at midnight.

Shapes: T rows, C columns (the schema's channels), K given rows, N rows of a finer series.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.interpolate import PchipInterpolator

from dowgan.courses import numbers, resolution
from dowgan.table.schema import Column, Run, Schema

RISES = 30  # rows in which a total rises, at least
RUNS = 2  # times that it is as high at the end as the largest rise, at least: a step up is no total


AGAIN = 1.5  # times the largest other rise, that what is added where a total begins again is at most
LIMITS = sorted([*(10.0**k for k in range(1, 13)), *(2.0**k for k in (8, 15, 16, 24, 31, 32))])  # of a counter
CYCLES = 4  # of the clock, in which a total begins again at the same phase, at least
MOSTLY = 0.8  # share of the cycles in which it is seen to fall


@dataclass(frozen=True)
class Again:
    """When a total begins again at 0; never, if both are 0.

    Attributes:
        limit: what it never reaches.
        cycle: rows of the clock's day, week and so on.
        phase: of the first row of each, on the table's clock.
    """

    limit: float = 0.0
    cycle: int = 0
    phase: int = 0

    def words(self) -> str:
        if self.limit:
            return f"begins again at 0 behind {self.limit:,.15g}"
        return f"begins again every {self.cycle} rows" if self.cycle else "never falls"

    def unwound(self, values: Float[np.ndarray, " K"]) -> Float[np.ndarray, " K"]:
        """Known values of a counter as if it went on."""
        falls = np.append(0, np.cumsum(np.diff(values) < 0)) if self.limit else 0
        return values + self.limit * falls

    def begins(self, position: int, rows: int) -> Bool[np.ndarray, " N"]:
        """In which rows from a position on it begins again by the clock."""
        if not self.cycle:
            return np.zeros(rows, dtype=bool)
        return (position + np.arange(rows) - self.phase) % self.cycle == 0


@dataclass(frozen=True)
class Totals:
    """The columns that are totals, and how they are written.

    Attributes:
        columns: their numbers.
        decimals: of each, None for all that a float has.
        again: when each begins again.
    """

    columns: tuple[int, ...] = ()
    decimals: tuple[int | None, ...] = ()
    again: tuple[Again, ...] = ()

    def rises(self, run: Run) -> Run:
        """Return a run with what each row adds in place of totals, missing in the first row."""
        return replace(run, values=self.added(run.values)) if self.columns else run

    def added(self, values: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T C"]:
        """Return what each row adds to totals; over missing rows it is spread evenly, or unknown if it began again."""
        out = values.copy()
        for column, again in zip(self.columns, self.again, strict=True):
            known = np.flatnonzero(~np.isnan(values[:, column]))
            out[:, column] = np.nan
            if len(known) > 1:
                inside = np.arange(known[0], known[-1] + 1)
                own = again.unwound(values[known, column])
                out[inside[1:], column] = np.diff(np.interp(inside, known, own))
                for fall in np.flatnonzero(np.diff(own) < 0).tolist():  # where it began again by the clock
                    first, last = known[fall], known[fall + 1]
                    out[first + 1 : last + 1, column] = values[last, column] if last == first + 1 else np.nan
        return out

    def never_falling(self, parts: Sequence[Float[np.ndarray, "_T C"]]) -> "Totals":
        """Return those of the totals that fall in none of the parts."""
        falls = np.zeros(parts[0].shape[1], dtype=bool)
        for column in self.columns:
            falls[column] = any((np.diff(v[~np.isnan(v[:, column]), column]) < 0).any() for v in parts)
        every = zip(self.columns, self.decimals, self.again, strict=True)
        kept = [(c, d, again) for c, d, again in every if not falls[c]]
        return Totals(tuple(c for c, _, _ in kept), tuple(d for _, d, _ in kept), tuple(a for _, _, a in kept))

    def blank(self, run: Run) -> Run:
        """Return a run without totals."""
        values = run.values.copy()
        values[:, list(self.columns)] = np.nan
        return replace(run, values=values)

    def words(self, names: Sequence[str]) -> list[str]:
        """Say which columns are totals."""
        pairs = zip(self.columns, self.again, strict=True)
        return [f"'{names[column]}' {again.words()}: what each row adds is modelled" for column, again in pairs]

    def summed(
        self, values: Float[np.ndarray, "T C"], before: Float[np.ndarray, " C"], position: int
    ) -> Float[np.ndarray, "T C"]:
        """Return totals in place of what rows add, from those before the first row on.

        Args:
            values: what rows add.
            before: totals before the first row.
            position: of the first row on the table's clock.
        """
        out = values.copy()
        for column, decimals, again in zip(self.columns, self.decimals, self.again, strict=True):
            rises = np.maximum(values[:, column], 0.0)
            so_far = before[column] + np.cumsum(rises if decimals is None else np.round(rises, decimals))
            if again.limit:
                so_far = so_far % again.limit
            starts = np.flatnonzero(again.begins(position, len(values)))
            if len(starts):
                last = np.searchsorted(starts, np.arange(len(values)), side="right") - 1
                gone = np.append(before[column], so_far)[starts][np.maximum(last, 0)]  # before the row that begins
                so_far = np.where(last >= 0, so_far - gone, so_far)
            out[:, column] = so_far if decimals is None else np.round(so_far, decimals)
        return out

    def beginning(self, position: int) -> list[bool]:
        """Which totals begin again by the clock in the row at a position."""
        return [bool(again.begins(position, 1)[0]) for again in self.again]

    def begun(
        self, first: Float[np.ndarray, " C"], added: Float[np.ndarray, "T C"], later: int, position: int
    ) -> Float[np.ndarray, " C"]:
        """Return totals in the first row of a generated series: the table's, or at another phase what is usual there.

        Args:
            first: those of the table.
            added: what rows of the series add.
            later: rows that the series begins later than the table.
            position: of its first row.
        """
        out = first.copy()
        for column, again in zip(self.columns, self.again, strict=True):
            if again.cycle and later % again.cycle:
                out[column] = np.maximum(added[:, column], 0.0).mean() * ((position - again.phase) % again.cycle + 1)
        return out

    def between(
        self,
        coarse: Float[np.ndarray, "K C"],
        factor: int,
        fine: Float[np.ndarray, "N C"],
        position: int,
        ratio: int,
        drawn: bool = False,
    ) -> None:
        """Put totals between given ones in place.

        Args:
            coarse: the given rows.
            factor: new rows per old row.
            fine: rows whose totals are put in place.
            position: of the first row on the table's clock.
            ratio: rows of the table from one given row to the next.
            drawn: whether these rows are one path among many: a total then rises as what the path adds in each row,
                scaled to what is added in all; else smoothly, and never falling (Fritsch and Carlson 1980).
        """
        for column, again in zip(self.columns, self.again, strict=True):
            known = np.flatnonzero(~np.isnan(coarse[:, column]))
            if len(known) < 2:
                fine[:, column] = coarse[known, column].sum() if len(known) else 0.0
                continue
            given = again.unwound(coarse[known, column])
            added = np.maximum(fine[:, column], 0.0)
            if again.cycle:
                steps = np.floor(position + np.arange(len(fine)) * ratio / factor).astype(int)
                begun = np.append(False, np.diff((steps - again.phase) // again.cycle) > 0)
                values = _begun_again(added * ratio / factor, known * factor, given, begun)
            else:
                inside = np.clip(np.arange(len(fine)) / factor, known[0], known[-1])
                values = PchipInterpolator(known, given)(inside)
                if drawn:
                    values = _shared(added, known * factor, given, values)
                values = values % again.limit if again.limit else values
            values[known * factor] = coarse[known, column]  # bit for bit
            fine[:, column] = values

    def open(self, schema: Schema) -> Schema:
        """Return the schema without bounds above totals: where a table ends they go on."""
        for place in self.columns:
            schema = schema.with_column(replace(schema.channels[place], upper=None))
        return schema


def _shared(
    added: Float[np.ndarray, " N"],
    knots: Int[np.ndarray, " K"],
    given: Float[np.ndarray, " K"],
    smooth: Float[np.ndarray, " N"],
) -> Float[np.ndarray, " N"]:
    """Share what is added between given totals among the rows as `added` says; smoothly where it adds nothing."""
    so_far = np.cumsum(added)
    rows = np.arange(len(added))
    gap = np.clip(np.searchsorted(knots, rows, side="right") - 1, 0, len(knots) - 2)
    whole = (so_far[knots[1:]] - so_far[knots[:-1]])[gap]
    share = np.clip((so_far - so_far[knots[gap]]) / np.where(whole > 0, whole, 1.0), 0.0, 1.0)
    return np.where(whole > 0, given[gap] + share * np.diff(given)[gap], smooth)


def _begun_again(
    added: Float[np.ndarray, " N"],
    knots: Int[np.ndarray, " K"],
    given: Float[np.ndarray, " K"],
    begun: Bool[np.ndarray, " N"],
) -> Float[np.ndarray, " N"]:
    """Totals between given ones that begin again in some rows: as rows add, scaled to what is given behind."""
    out = np.empty(len(added))
    out[: knots[0] + 1], out[knots[-1] :] = given[0], given[-1]
    for first, last, left, right in zip(knots[:-1], knots[1:], given[:-1], given[1:], strict=True):
        rows = np.arange(first + 1, last + 1)
        starts = np.flatnonzero(begun[rows])
        if len(starts):
            open_rows, rest, base = rows[: starts[-1]], rows[starts[-1] :], 0.0
            so_far = left
            for row in open_rows:
                so_far = added[row] + (0.0 if begun[row] else so_far)
                out[row] = so_far
        else:
            rest, base = rows, left
        whole = added[rest].sum()
        share = np.cumsum(added[rest]) / whole if whole > 0 else np.arange(1, len(rest) + 1) / len(rest)
        out[rest] = base + share * (right - base)
    return out


def find_totals(columns: Sequence[Column], runs: Sequence[Run], cycles: Sequence[int] = ()) -> Totals:
    """Find the numbers that never fall within a run but where they begin again, and rise again and again.

    Args:
        columns: the schema's channels.
        runs: of the table.
        cycles: of the clock in rows, see `Clock.cycles`.
    """
    found = []
    for place in numbers(columns):
        again = None if columns[place].levels else _again(place, runs, cycles)
        if again is not None:
            found.append((place, again))
    places, again_of = tuple(place for place, _ in found), tuple(again for _, again in found)
    return Totals(places, tuple(resolution(columns[place]) for place in places), again_of)


def _again(place: int, runs: Sequence[Run], cycles: Sequence[int]) -> Again | None:
    """When a column begins again if it is a total, None if it is none."""
    known = [np.flatnonzero(~np.isnan(run.values[:, place])) for run in runs]
    parts = [run.values[rows, place] for run, rows in zip(runs, known, strict=True)]
    steps, apart = (np.concatenate([np.diff(x) for x in every]) for every in (parts, known))
    rises, falls = steps[steps >= 0], steps < 0
    if (rises > 0).sum() < RISES:
        return None
    top = max(float(part.max()) for part in parts if len(part))
    if not falls.any():
        gained = max(float(np.ptp(part)) for part in parts if len(part))
        return Again() if gained > RUNS * rises.max() else None
    if top <= RUNS * rises.max() or min(float(part.min()) for part in parts if len(part)) < 0:
        return None
    limit = next((limit for limit in LIMITS if limit > top), 0.0)
    largest = float((rises / apart[~falls]).max())
    if limit and (limit + steps[falls] <= AGAIN * largest * apart[falls]).all():
        return Again(limit=limit)
    return next((again for cycle in cycles if (again := _by_clock(place, runs, cycle, largest))), None)


def _by_clock(place: int, runs: Sequence[Run], cycle: int, largest: float) -> Again | None:
    """When a column begins again by the clock: it falls at one phase only, in nearly every cycle."""
    phases, seen = [], 0
    for run in runs:
        values = run.values[:, place]
        falls = np.flatnonzero(np.diff(values) < 0) + 1
        if (values[falls] > AGAIN * largest).any():
            return None
        phases += ((run.offset + falls) % cycle).tolist()
        seen += len(values) // cycle
    if seen < CYCLES or len(set(phases)) != 1 or len(phases) < MOSTLY * seen:
        return None
    return Again(cycle=cycle, phase=phases[0])
