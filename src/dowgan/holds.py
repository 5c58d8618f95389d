"""Values that stand: a laboratory's until its next sample, an analyser's for five rows, a sensor's that sends changes.

What a generator draws moves in every row. Where a column of the table repeats its last value more often than the draw
does, drawn values are held for as long as the table's were at about that level. A value begins to be held wherever
the one before ends, so that its level, its season and what it has in common with other columns remain.

Shapes: P paths, N rows, C columns, B levels, K lengths, H holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.table.schema import Column, Run

MORE = 0.03  # share of rows that repeat the last value in the table, beyond those of the draw
FEWEST = 30  # lengths above one that a hold is measured on
TOGETHER = 0.8  # correlation of the rows in which two columns change, from which they change together
LEVELS = 8  # at most, at which lengths are measured
EACH = 100  # lengths of a level
MANY = 8  # runs from which on the first value of a run has lengths of its own


@dataclass(frozen=True)
class Hold:
    """Columns whose values stand for some rows, and change together.

    Attributes:
        columns: their numbers; lengths go by the level of the first.
        decimals: of the first, None for all that a float has.
        edges: between its levels.
        lengths: rows for which a value may stand, in order.
        shares: how many of the values stand no longer, at each level.
        first: the same for the first value of a run; empty if a run may begin anywhere within.
    """

    columns: tuple[int, ...]
    decimals: int | None
    edges: Float[np.ndarray, " E"]
    lengths: Int[np.ndarray, " K"]
    shares: Float[np.ndarray, "B K"]
    first: Float[np.ndarray, " _K"]

    def apply(self, values: Float[np.ndarray, "P N C"], chance: Float[np.ndarray, "P N"]) -> None:
        """Hold the columns' values in place.

        Args:
            values: in the user's units.
            chance: uniform between 0 and 1.
        """
        lead = values[:, :, self.columns[0]]
        level = np.searchsorted(self.edges, lead)
        length = np.empty(lead.shape, dtype=np.int64)
        for number, shares in enumerate(self.shares):
            here = level == number
            length[here] = self.lengths[np.searchsorted(shares, chance[here])]
        length[:, 0] = [self._left(*p) for p in zip(level[:, 0].tolist(), chance[:, 0].tolist(), strict=True)]
        held = _starts(_rounded(lead, self.decimals), length)
        for column in self.columns:
            values[:, :, column] = np.take_along_axis(values[:, :, column], held, axis=1)

    def _left(self, level: int, chance: float) -> int:
        """How long the first value of a run stands: from its beginning on, or what is left from any row within."""
        if len(self.first):
            return int(self.lengths[np.searchsorted(self.first, chance)])
        rows = np.cumsum(np.diff(self.shares[level], prepend=0.0) * self.lengths)
        which = int(np.searchsorted(rows, chance * rows[-1]))
        part = np.diff(rows, prepend=0.0)[which]
        return int(np.ceil((rows[which] - chance * rows[-1]) / part * self.lengths[which])) or 1


def _starts(values: Float[np.ndarray, "P N"], length: Int[np.ndarray, "P N"]) -> Int[np.ndarray, "P N"]:
    """The row from which each row's value is held.

    A value begins to be held so many rows behind the last one, or where the draw next to that row has another value.
    """
    paths, rows = values.shape
    place = np.arange(paths * rows).reshape(paths, rows)
    new = np.ones((paths, rows), dtype=bool)
    new[:, 1:] = values[:, 1:] != values[:, :-1]
    begin = np.maximum.accumulate(np.where(new, place, 0).ravel())
    end = np.append(np.flatnonzero(new), new.size)[np.cumsum(new)]
    last = np.repeat(place[:, -1] + 1, rows)  # the row behind the path
    following = np.minimum(place.ravel() + length.ravel(), last)
    flat, marked, now = values.ravel(), np.zeros(new.size, dtype=bool), 0
    while now < new.size:  # item by item: lists of a million rows would take more room than the rows
        marked[now] = True
        then = following.item(now)
        if then < last.item(now) and flat.item(then) == flat.item(now):
            before, after = begin.item(then) - 1, end.item(then)
            then = before if before > now and then - before < after - then else after
        now = then
    return np.maximum.accumulate(np.where(marked.reshape(paths, rows), np.arange(rows), 0), axis=1)


def _rounded(values: Float[np.ndarray, "*N"], decimals: int | None) -> Float[np.ndarray, "*N"]:
    return values if decimals is None else np.round(values, decimals)


def _changes(values: Float[np.ndarray, "N C"]) -> Bool[np.ndarray, "N C"]:
    """Where a value is known and not the last known one; true in the first row."""
    known = ~np.isnan(values)
    place = np.maximum.accumulate(np.where(known, np.arange(len(values))[:, None], 0), axis=0)
    filled = np.take_along_axis(values, place, axis=0)
    out = np.ones(values.shape, dtype=bool)
    out[1:] = known[1:] & (filled[1:] != filled[:-1])
    return out


def _resolution(column: Column) -> int | None:
    return 0 if column.kind == "integer" else column.decimals


def repeats(columns: Sequence[Column], runs: Sequence[Run]) -> Float[np.ndarray, " C"]:
    """Return the share of rows that repeat the value before, as they are written, of those where both are known."""
    same, both = np.zeros(len(columns)), np.zeros(len(columns))
    for run in runs:
        for i, column in enumerate(columns):
            step = np.diff(_rounded(run.values[:, i], _resolution(column)))
            same[i] += (step == 0).sum()
            both[i] += (~np.isnan(step)).sum()
    return same / np.maximum(both, 1)


def find_holds(columns: Sequence[Column], runs: Sequence[Run], drawn: Sequence[Run]) -> tuple[Hold, ...]:
    """Find the columns that repeat their values more often than a draw does.

    Args:
        columns: the schema's channels.
        runs: the table's, in the user's units.
        drawn: generated ones, without holds.
    """
    real, own = repeats(columns, runs), repeats(columns, drawn)
    numbers = [i for i, c in enumerate(columns) if c.role == "value" and c.kind in ("float", "integer")]
    places = [place for place in numbers if real[place] > own[place] + MORE]
    changes = [_changes(run.values) for run in runs]
    alike = np.corrcoef(np.concatenate(changes)[:, places], rowvar=False) if len(places) > 1 else np.ones((1, 1))
    groups: list[list[int]] = []
    for number, place in enumerate(places):
        beside = (g for g in groups if alike[number, places.index(g[0])] > TOGETHER)
        group = next(beside, None)
        if group is None:
            groups.append([place])
        else:
            group.append(place)
    found = (_hold(columns[group[0]], runs, changes, tuple(group), float(own[group[0]])) for group in groups)
    return tuple(hold for hold in found if hold is not None)


def _hold(
    column: Column, runs: Sequence[Run], changes: Sequence[Bool[np.ndarray, "_N C"]], group: tuple[int, ...], own: float
) -> Hold | None:
    """Measure how long the values of a group stand.

    Args:
        column: the first of the group.
        runs, changes: of the table.
        group: numbers of the columns.
        own: share of rows of the draw that repeat the value before without being held.
    """
    levels, lengths, firsts = [np.empty(0)], [np.empty(0, dtype=np.int64)], []
    for run, change in zip(runs, changes, strict=True):
        marks = np.flatnonzero(change[:, list(group)].any(axis=1))
        if len(marks) > 1:  # that of the last value is not known
            known = ~np.isnan(run.values[:, list(group)]).all(axis=1)
            last = np.maximum.accumulate(np.where(known, np.arange(len(known)), 0))[marks[1:] - 1]
            stood = last - marks[:-1] + 1  # whether it stood on through missing rows behind is not known either
            firsts.append(stood[0])
            lengths.append(stood)
            levels.append(run.values[marks[:-1], group[0]])
    length, level = np.concatenate(lengths), np.concatenate(levels)
    length, level = length[~np.isnan(level)], level[~np.isnan(level)]
    if (length > 1).sum() < FEWEST:
        return None
    count = int(np.clip(len(length) // EACH, 1, LEVELS))
    edges = np.unique(np.quantile(level, np.arange(1, count) / count))
    at = np.searchsorted(edges, level)
    parts = [_held(length[at == number], own) for number in range(len(edges) + 1)]
    first = np.array(firsts if len(runs) >= MANY else [], dtype=np.int64)
    known = np.unique(np.concatenate([*parts, first]))

    def shares(part: Int[np.ndarray, " L"]) -> Float[np.ndarray, " K"]:
        return np.searchsorted(np.sort(part), known, side="right") / len(part)

    return Hold(
        group, _resolution(column), edges, known,
        np.stack([shares(part if len(part) else length) for part in parts]),
        shares(first) if len(first) else np.empty(0),
    )  # fmt: skip


def _held(lengths: Int[np.ndarray, " L"], own: float) -> Int[np.ndarray, " L"]:
    """Lengths without those by chance: of the values that stand for one row, a share stands for longer in any draw."""
    ordered = np.sort(lengths)
    once = np.searchsorted(ordered, 1, side="right")
    ordered[: once + round(once * own / (1 - own))] = 1
    return ordered
