"""Counters and totals that never fall, such as an energy meter: what is modelled is what is added in each row.

Some begin again, see `again.py`.

Shapes: T rows, C columns (the schema's channels), K given rows, N rows of a finer series.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.interpolate import PchipInterpolator

from dowgan.again import Again, begun_again, find_again
from dowgan.courses import free_numbers, numbers, resolution, rounded
from dowgan.relations import holding
from dowgan.sums import Sum, find_sums
from dowgan.table.schema import Column, Run, Schema


@dataclass(frozen=True)
class Totals:
    """The columns that are totals, and how they are written.

    Attributes:
        columns: their numbers.
        decimals: of each, None for all that a float has.
        again: when each begins again.
        sums: that they are part of, beside each other or beside columns that are none.
    """

    columns: tuple[int, ...] = ()
    decimals: tuple[int | None, ...] = ()
    again: tuple[Again, ...] = ()
    sums: tuple[Sum, ...] = ()

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
        each = [f"'{names[column]}' {again.words()}: what each row adds is modelled" for column, again in pairs]
        return [*each, *(f"{rule.words(names)}, and is kept so" for rule in self.sums)]

    def with_sums(self, columns: Sequence[Column], runs: Sequence[Run]) -> "Totals":
        """Return them with the sums of a table that they are part of."""
        if not self.columns:
            return self
        sums = find_sums(columns, np.concatenate([run.values for run in runs]), free_numbers(columns))
        return replace(self, sums=tuple(rule for rule in sums if rule.members & set(self.columns)))

    def unbroken(self, values: Float[np.ndarray, "T C"]) -> "Totals":
        """Return them with the sums that hold in other rows too."""
        return replace(self, sums=holding(self.sums, values))

    def add_up(self, values: Float[np.ndarray, "N C"], known: Bool[np.ndarray, "N C"]) -> None:
        """Make sums of totals that were put in hold, in place: what is no total makes up, or the total of all of them.

        Args:
            known: what must stay as it is.
        """
        for column, decimals in zip(self.columns, self.decimals, strict=True) if self.sums else ():
            values[:, column] = np.where(known[:, column], values[:, column], rounded(values[:, column], decimals))
        for rule in self.sums:
            sure = known.copy()
            sure[:, [column for column in self.columns if column in rule.members and column != rule.total]] = True
            rule.keep(values, sure)

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
            so_far = before[column] + np.cumsum(rounded(rises, decimals))
            if again.limit:
                so_far = so_far % again.limit
            starts = np.flatnonzero(again.begins(position, len(values)))
            if len(starts):
                last = np.searchsorted(starts, np.arange(len(values)), side="right") - 1
                gone = np.append(before[column], so_far)[starts][np.maximum(last, 0)]  # before the row that begins
                so_far = np.where(last >= 0, so_far - gone, so_far)
            out[:, column] = rounded(so_far, decimals)
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
                out[column] = np.maximum(added[:, column], 0.0).mean() * again.since(position)
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
                every = again.begins(int(steps[0]), int(steps[-1] - steps[0]) + 1).cumsum()[steps - steps[0]]
                begun = np.append(False, np.diff(every) > 0)
                values = begun_again(added * ratio / factor, known * factor, given, begun)
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


def find_totals(columns: Sequence[Column], runs: Sequence[Run], cycles: Sequence[int] = ()) -> Totals:
    """Find the numbers that never fall within a run but where they begin again, and rise again and again.

    Args:
        columns: the schema's channels.
        runs: of the table.
        cycles: of the clock in rows, see `Clock.cycles`.
    """
    found = []
    for place in numbers(columns):
        again = None if columns[place].levels else find_again(place, runs, cycles)
        if again is not None:
            found.append((place, again))
    places, again_of = tuple(place for place, _ in found), tuple(again for _, again in found)
    return Totals(places, tuple(resolution(columns[place]) for place in places), again_of)
