"""Straight lines: hourly weather in a table of ten minutes, a historian that keeps corner points, a ramp.

What a generator draws bends in every row. Where the values of a column lie on straight lines in most rows, and those of
a draw do not, drawn values are kept at the corners only and joined by straight lines, as long as the table's.

Shapes: P paths, N rows, C columns, K corners.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.courses import Course, numbers, tolerance_of, written
from dowgan.lengths import Lengths, fit_lengths, measure, together
from dowgan.polish import Map, quantile_map
from dowgan.table.schema import Column, Run

STRAIGHT = 0.5  # share of the rows that move in which a column does not bend, from which it consists of lines
MORE = 0.25  # and so much more than in the draw
TOGETHER = 0.6  # correlation of the rows in which two columns bend, from which they bend together
CLEARLY = 2.0  # times the tolerance of a bend, beyond which a column moves
MOST_DECIMALS = 6  # of corners
KNOTS = 101  # of the quantiles of corners
MOSTLY = 0.95  # share of the corners that have no more decimals


@dataclass(frozen=True)
class Lines(Course):
    """Columns that run along straight lines, and bend together.

    Attributes:
        columns: their numbers; lengths go by the level of the first.
        decimals: of each one's corners, None for all that a float has.
        maps: from the quantiles of all rows to those of the corners, which lie further out than the lines between.
        lengths: rows from corner to corner.
    """

    columns: tuple[int, ...]
    decimals: tuple[int | None, ...]
    maps: tuple[Map, ...]
    lengths: Lengths

    @property
    def by_chance(self) -> bool:
        return False  # a line that is under way is no matter of chance, and what follows it is left as it is

    def apply(
        self, values: Float[np.ndarray, "P N C"], chance: Float[np.ndarray, "P N"], positions: Int[np.ndarray, " P"]
    ) -> None:
        """Join corners, as far apart as the table's, by straight lines."""
        rows = values.shape[1]
        length, gone = self.lengths.draw(values[:, :, self.columns[0]], chance, positions)
        for path, long, before in zip(values, length.tolist(), gone.tolist(), strict=True):
            corners = [long[0]]  # the first one lies behind the first row
            while corners[-1] < rows - 1:
                corners.append(corners[-1] + long[corners[-1]])
            at = np.array([-before, *corners])
            for column, decimals, own in zip(self.columns, self.decimals, self.maps, strict=True):
                path[:, column] = _joined(path[:, column], at, decimals, own)

    def go_on(self, values: Float[np.ndarray, "N C"], last: Float[np.ndarray, "2 C"], position: int) -> None:
        """Join the corners that the clock tells, from the table's last value on."""
        if self.lengths.every == 1:
            return
        rows = len(values)
        corners = self.lengths.beats(position, rows)
        at = np.unique(np.concatenate([corners, [rows - 1]]))
        under_way = (position - 1 - self.lengths.phase) % self.lengths.every > 0  # the table ends within a line
        for column, decimals in zip(self.columns, self.decimals, strict=True):
            found = values[at, column]
            if under_way:
                found[0] = last[1, column] + (at[0] + 1) * (last[1, column] - last[0, column])
            if decimals is not None:
                found = np.where(np.isin(at, corners), np.round(found, decimals), found)
            values[:, column] = np.interp(np.arange(rows), np.append(-1, at), np.append(last[1, column], found))

    def between(
        self, coarse: Float[np.ndarray, " K"], factor: int, position: int, ratio: int
    ) -> Float[np.ndarray, "K r"]:
        share, step = np.arange(factor) / factor, np.append(np.diff(coarse), np.nan)[:, None]
        inner = np.any(self.lengths.begun(len(coarse), ratio, position, ratio)[:, :-1], axis=1)  # corners within a gap
        return np.where(inner[:, None], np.nan, coarse[:, None] + share * step)


def _joined(
    values: Float[np.ndarray, " N"], at: Int[np.ndarray, " K"], decimals: int | None, own: Map
) -> Float[np.ndarray, " N"]:
    """Join values at corners by straight lines; of the corners, the first and the last may lie outside of the rows."""
    last = len(values) - 1
    if last < 1:
        return values
    places = np.concatenate([[0], at[1:-1], [last]])
    found = values[places]
    slope = np.diff(found) / np.diff(places)
    corners = own.apply(found) if len(places) > 2 else found.copy()
    first, end = corners[1] - slope[0] * (places[1] - at[0]), corners[-2] + slope[-1] * (at[-1] - places[-2])
    corners[[0, -1]] = first, end
    corners = np.clip(corners, own.wanted[0], own.wanted[-1])
    if decimals is not None:
        corners = np.round(corners, decimals)
    return np.interp(np.arange(len(values)), [at[0], *places[1:-1], at[-1]], corners)


def _bends(values: Float[np.ndarray, "N C"], tolerance: Float[np.ndarray, " C"]) -> Bool[np.ndarray, "N C"]:
    """Where a column's slope changes; never in the first and the last row."""
    out = np.zeros(values.shape, dtype=bool)
    out[1:-1] = np.abs(np.diff(values, 2, axis=0)) > tolerance
    return out


def straight_shares(runs: Sequence[Run], tolerance: Float[np.ndarray, " C"]) -> Float[np.ndarray, " C"]:
    """Return in what share of the rows in which a column moves it does not bend.

    Moves that rounding may have made tell nothing: a count that goes up and down by one would hardly ever bend.
    """
    straight, moving = np.zeros(len(tolerance)), np.zeros(len(tolerance))
    for run in runs:
        steps = np.diff(run.values, axis=0)
        moves = (np.abs(steps[1:]) > CLEARLY * tolerance) & ~np.isnan(steps[:-1])
        moving += moves.sum(axis=0)
        straight += (moves & ~_bends(run.values, tolerance)[1:-1]).sum(axis=0)
    return straight / np.maximum(moving, 1)


def find_lines(
    columns: Sequence[Column], runs: Sequence[Run], drawn: Sequence[Run], but: Collection[int] = ()
) -> tuple[Lines, ...]:
    """Find the columns that run along straight lines where a draw does not.

    Args:
        columns: the schema's channels.
        runs: the table's, in the user's units.
        drawn: generated ones.
        but: columns that are told by others.
    """
    every = np.concatenate([run.values for run in runs])
    tolerance = np.array([tolerance_of(c, float(s)) for c, s in zip(columns, np.nanstd(every, axis=0), strict=True)])
    real = straight_shares(runs, tolerance)
    own = straight_shares([replace(run, values=written(columns, run.values)) for run in drawn], tolerance)
    straight = [place for place in numbers(columns) if real[place] > max(STRAIGHT, own[place] + MORE)]
    # a number of few settings jumps between them
    places = [place for place in straight if not columns[place].levels and place not in but]
    bends, out = [_bends(run.values, tolerance) for run in runs], []
    for group in together(bends, places, TOGETHER):
        marks = [np.flatnonzero(bend[:, list(group)].any(axis=1)) for bend in bends]
        lengths = fit_lengths(*measure(group[0], runs, marks, [mark[1:] - 1 for mark in marks]), 0.0)
        if lengths is not None:
            corners = np.concatenate([run.values[mark] for run, mark in zip(runs, marks, strict=True)])
            decimals = tuple(_decimals(corners[:, i]) for i in group)
            maps = tuple(quantile_map(every[:, i], corners[:, i], KNOTS) for i in group)
            out.append(Lines(group, decimals, maps, lengths))
    return tuple(out)


def _decimals(corners: Float[np.ndarray, " M"]) -> int | None:
    """Decimals that nearly all corners have at most."""
    known = corners[~np.isnan(corners)]
    for decimals in range(MOST_DECIMALS + 1):
        if np.mean(np.isclose(known, np.round(known, decimals), rtol=0, atol=1e-9)) > MOSTLY:
            return decimals
    return None
