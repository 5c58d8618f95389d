"""Counters and totals that never fall, such as an energy meter: what is modelled is what is added in each row.

Shapes: T rows, C columns (the schema's channels).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.interpolate import PchipInterpolator

from dowgan.courses import numbers, resolution
from dowgan.table.schema import Column, Run, Schema

RISES = 30  # rows in which a total rises, at least
RUNS = 2  # times that it is as high at the end as the largest rise, at least: a step up is no total


@dataclass(frozen=True)
class Totals:
    """The columns that are totals, and how they are written.

    Attributes:
        columns: their numbers.
        decimals: of each, None for all that a float has.
    """

    columns: tuple[int, ...] = ()
    decimals: tuple[int | None, ...] = ()

    def rises(self, run: Run) -> Run:
        """Return a run with what each row adds in place of totals, missing in the first row."""
        return replace(run, values=self.added(run.values)) if self.columns else run

    def added(self, values: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T C"]:
        """Return what each row adds to totals; over missing rows it is spread evenly."""
        out = values.copy()
        for column in self.columns:
            known = np.flatnonzero(~np.isnan(values[:, column]))
            out[:, column] = np.nan
            if len(known) > 1:
                inside = np.arange(known[0], known[-1] + 1)
                out[inside[1:], column] = np.diff(np.interp(inside, known, values[known, column]))
        return out

    def never_falling(self, parts: Sequence[Float[np.ndarray, "_T C"]]) -> "Totals":
        """Return those of the totals that fall in none of the parts."""
        falls = np.zeros(parts[0].shape[1], dtype=bool)
        for column in self.columns:
            falls[column] = any((np.diff(v[~np.isnan(v[:, column]), column]) < 0).any() for v in parts)
        kept = [(c, d) for c, d in zip(self.columns, self.decimals, strict=True) if not falls[c]]
        return Totals(tuple(c for c, _ in kept), tuple(d for _, d in kept))

    def blank(self, run: Run) -> Run:
        """Return a run without totals."""
        values = run.values.copy()
        values[:, list(self.columns)] = np.nan
        return replace(run, values=values)

    def words(self, names: Sequence[str]) -> list[str]:
        """Say which columns are totals."""
        return [f"'{names[column]}' never falls: what each row adds is modelled" for column in self.columns]

    def summed(self, values: Float[np.ndarray, "T C"], before: Float[np.ndarray, " C"]) -> Float[np.ndarray, "T C"]:
        """Return totals in place of what rows add, from those before the first row on."""
        out = values.copy()
        for column, decimals in zip(self.columns, self.decimals, strict=True):
            rises = np.maximum(values[:, column], 0.0)
            out[:, column] = before[column] + np.cumsum(rises if decimals is None else np.round(rises, decimals))
        return out

    def between(
        self, coarse: Float[np.ndarray, "K C"], factor: int, fine: Float[np.ndarray, "N C"], drawn: bool = False
    ) -> None:
        """Put totals between given ones in place.

        Args:
            coarse: the given rows.
            factor: new rows per old row.
            fine: rows whose totals are put in place.
            drawn: whether these rows are one path among many: a total then rises as what the path adds in each row,
                scaled to what is added in all; else smoothly, and never falling (Fritsch and Carlson 1980).
        """
        for column in self.columns:
            known = np.flatnonzero(~np.isnan(coarse[:, column]))
            if len(known) < 2:
                fine[:, column] = coarse[known, column].sum() if len(known) else 0.0
                continue
            given = coarse[known, column]
            inside = np.clip(np.arange(len(fine)) / factor, known[0], known[-1])
            values = PchipInterpolator(known, given)(inside)
            if drawn:
                values = _shared(np.maximum(fine[:, column], 0.0), known * factor, given, values)
            values[known * factor] = given  # bit for bit
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


def find_totals(columns: Sequence[Column], runs: Sequence[Run]) -> Totals:
    """Find the numbers that never fall within a run, and rise again and again."""
    found = []
    for place in numbers(columns):
        if columns[place].levels:
            continue
        parts = [run.values[~np.isnan(run.values[:, place]), place] for run in runs]
        rises = np.concatenate([np.diff(part) for part in parts])
        gained = max((float(np.ptp(part)) for part in parts if len(part)), default=0.0)
        if (rises > 0).sum() >= RISES and (rises >= 0).all() and gained > RUNS * rises.max():
            found.append(place)
    return Totals(tuple(found), tuple(resolution(columns[place]) for place in found))
