"""Values that stand: a laboratory's until its next sample, an analyser's for five rows, a sensor's that sends changes.

What a generator draws moves in every row. Where a column of the table repeats its last value more often than the draw
does, drawn values are held: for as long as the table's were at about that level, or until the draw has moved away far
enough, whichever makes changes more like the table's. A value begins to be held wherever the one before ends, so that
its level, its season and what it has in common with other columns remain.

Shapes: P paths, N rows, C columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from dowgan.courses import Course, numbers, resolution, rounded, written
from dowgan.lengths import FEW, REGULAR, Lengths, fit_lengths, measure, together
from dowgan.table.schema import Column, Run

MORE = 0.03  # share of rows that repeat the last value in the table, beyond those of the draw
PILED = 0.5  # share of the rows at one value, such as rain's at 0, from which repeats beside it are looked at
BESIDE = 0.2  # share of those that repeat theirs, below which the column rests there and holds no value
BEATEN = 0.5  # share of rows that repeat the last value, from which a beat is looked for
TOGETHER = 0.8  # correlation of the rows in which two columns change, from which they change together
SAMPLED = 24  # rows from one sample to the next, at least: a sensor of another pace is read more often
TRIED = 20_000  # rows on which ways to hold are tried
HALVINGS = 24  # of the range in which the width of a dead band is looked for
SIZES = (np.arange(1_000) + 0.5) / 1_000  # quantiles of the changes that are compared


@dataclass(frozen=True)
class Hold(Course):
    """Columns whose values stand for some rows, and change together.

    Attributes:
        columns: their numbers; lengths go by the level of the first.
        decimals: of the first, None for all that a float has.
        lengths: for how many rows a value stands.
        sampled: the table has it at the beats only, with empty cells between: of what lies there the best estimate is
            no standing value.
    """

    columns: tuple[int, ...]
    decimals: int | None
    lengths: Lengths
    sampled: bool = False

    @property
    def by_chance(self) -> bool:
        return self.lengths.every == 1

    @property
    def to_the_beat(self) -> bool:
        return self.lengths.every > 1

    def apply(
        self, values: Float[np.ndarray, "P N C"], chance: Float[np.ndarray, "P N"], positions: Int[np.ndarray, " P"]
    ) -> None:
        """Hold each value for a length of the table's, or to the clock's next beat."""
        lead = values[:, :, self.columns[0]]
        length, _ = self.lengths.draw(lead, chance, positions)
        same = rounded(lead, self.decimals) if self.lengths.every == 1 else length.cumsum(axis=1)  # a beat goes on
        held = _starts(same, length)
        for column in self.columns:
            values[:, :, column] = np.take_along_axis(values[:, :, column], held, axis=1)

    def go_on(self, values: Float[np.ndarray, "N C"], last: Float[np.ndarray, "2 C"], position: int) -> None:
        beats = self.lengths.beats(position, len(values))
        since = np.searchsorted(beats, np.arange(len(values)), side="right")
        for column in self.columns:
            values[:, column] = np.append(last[1, column], values[beats, column])[since]

    def between(
        self, coarse: Float[np.ndarray, " K"], factor: int, position: int, ratio: int
    ) -> Float[np.ndarray, "K r"]:
        """Return the value before, up to the first beat of a gap, and the one behind it, from the last beat on."""
        if self.lengths.every == 1 or self.sampled:
            return super().between(coarse, factor, position, ratio)
        left, right = coarse[:, None], np.append(coarse[1:], np.nan)[:, None]
        begun = self.lengths.begun(len(coarse), factor, position, ratio)
        before, behind = begun[:, :-1] == 0, begun[:, :-1] == begun[:, -1:]  # the first beat of the gap, and the last
        odd = behind & (left != right) & ~np.isnan(right)  # no beat, and yet another value
        return np.where(before, np.where(odd, np.nan, left), np.where(behind, right, np.nan))


@dataclass(frozen=True)
class Deadband(Course):
    """A column whose value stands until it has moved away far enough: a transmitter that sends changes.

    Attributes:
        columns: its number, alone.
        width: the least change.
    """

    columns: tuple[int]
    width: float

    def apply(
        self, values: Float[np.ndarray, "P N C"], chance: Float[np.ndarray, "P N"], positions: Int[np.ndarray, " P"]
    ) -> None:
        (column,) = self.columns
        for path in values:  # nothing is left to chance
            path[:, column] = _sent(path[:, column], self.width)


def _sent(values: Float[np.ndarray, " N"], width: float) -> Float[np.ndarray, " N"]:
    out, last = [], float(values[0])
    for value in values.tolist():
        if abs(value - last) >= width:
            last = value
        out.append(last)
    return np.array(out)


def _starts(values: Num[np.ndarray, "P N"], length: Int[np.ndarray, "P N"]) -> Int[np.ndarray, "P N"]:
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


def _changes(values: Float[np.ndarray, "N C"]) -> Bool[np.ndarray, "N C"]:
    """Where a value is known and not the last known one; true in the first row."""
    known = ~np.isnan(values)
    place = np.maximum.accumulate(np.where(known, np.arange(len(values))[:, None], 0), axis=0)
    filled = np.take_along_axis(values, place, axis=0)
    out = np.ones(values.shape, dtype=bool)
    out[1:] = known[1:] & (filled[1:] != filled[:-1])
    return out


def repeats(columns: Sequence[Column], runs: Sequence[Run]) -> Float[np.ndarray, " C"]:
    """Return the share of rows that repeat the value before, as they are written, of those where both are known."""
    same, both = np.zeros(len(columns)), np.zeros(len(columns))
    for run in runs:
        steps = np.diff(written(columns, run.values), axis=0)
        same += (steps == 0).sum(axis=0)
        both += (~np.isnan(steps)).sum(axis=0)
    return same / np.maximum(both, 1)


def find_holds(
    columns: Sequence[Column], runs: Sequence[Run], drawn: Sequence[Run], but: Sequence[int] = ()
) -> tuple[Hold | Deadband, ...]:
    """Find the columns that repeat their values more often than a draw does.

    Args:
        columns: the schema's channels.
        runs: the table's, in the user's units.
        drawn: generated ones, without holds.
        but: columns to leave alone.
    """
    real, own = repeats(columns, runs), repeats(columns, drawn)
    places = [place for place in numbers(columns) if real[place] > own[place] + MORE and place not in but]
    places = [place for place in places if not _only_rests(columns[place], [run.values[:, place] for run in runs])]
    changes, out = [_changes(run.values) for run in runs], []
    for group in together(changes, places, TOGETHER):
        hold = _hold(columns[group[0]], runs, changes, group, float(own[group[0]]))
        if hold is not None:
            out.append(_liker(runs, drawn, hold))
    return (*out, *_samples(columns, runs, [place for place in numbers(columns) if place not in but]))


def _samples(columns: Sequence[Column], runs: Sequence[Run], places: Sequence[int]) -> list[Hold]:
    """Columns that are known at the beats of the clock alone, such as a laboratory's daily sample: what the process did
    in between was never seen, and each value stands until the next one."""
    out = []
    for place in places:
        at = [np.flatnonzero(~np.isnan(run.values[:, place])) for run in runs]
        apart = np.concatenate([np.diff(rows) for rows in at])
        every = int(np.bincount(apart).argmax()) if len(apart) >= FEW else 1
        phases = np.concatenate([run.offset + rows for run, rows in zip(runs, at, strict=True)]) % every
        phase = int(np.bincount(phases).argmax()) if len(phases) else 0
        if every >= SAMPLED and (phases == phase).mean() >= REGULAR:
            lengths = Lengths(np.empty(0), np.array([every]), np.ones((1, 1)), np.empty(0), every, phase)
            out.append(Hold((place,), resolution(columns[place]), lengths, sampled=True))
    return out


def _only_rests(column: Column, values: Sequence[Float[np.ndarray, " _N"]]) -> bool:
    """Whether a column repeats no value but that of most of its rows: it rests there, as rain does at 0."""
    rounds = [written([column], series[:, None])[:, 0] for series in values]
    before, after = (np.concatenate([part[ends] for part in rounds]) for ends in (slice(None, -1), slice(1, None)))
    both = ~np.isnan(before) & ~np.isnan(after)
    numbers, counts = np.unique(before[both], return_counts=True)
    if not len(counts) or counts.max() < PILED * counts.sum():
        return False
    moved = both & (before != numbers[counts.argmax()])
    return not np.any(moved) or float(np.mean(before[moved] == after[moved])) < BESIDE


def find_beats(columns: Sequence[Column], runs: Sequence[Run]) -> list[Hold]:
    """Find the columns whose values stand from beat to beat, such as a laboratory's: no draw is needed to see that."""
    share, changes = repeats(columns, runs), [_changes(run.values) for run in runs]
    groups = together(changes, [place for place in numbers(columns) if share[place] >= BEATEN], TOGETHER)
    found = [_hold(columns[group[0]], runs, changes, group, 0.0) for group in groups]
    return [hold for hold in found if hold is not None and hold.lengths.every > 1]


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
    marks = [np.flatnonzero(change[:, list(group)].any(axis=1)) for change in changes]
    ends = []  # whether a value stood on through missing rows behind it is not known
    for run, mark in zip(runs, marks, strict=True):
        known = ~np.isnan(run.values[:, list(group)]).all(axis=1)
        ends.append(np.maximum.accumulate(np.where(known, np.arange(len(known)), 0))[mark[1:] - 1])
    lengths = fit_lengths(*measure(group[0], runs, marks, ends), own)
    return None if lengths is None else Hold(group, resolution(column), lengths)


def _liker(runs: Sequence[Run], drawn: Sequence[Run], hold: Hold) -> Hold | Deadband:
    """Return the hold, or the dead band that repeats as often if the draw's changes are more like the table's then."""
    if len(hold.columns) > 1:
        return hold
    place = hold.columns[0]
    paths = [rounded(run.values[None, :TRIED], hold.decimals) for run in drawn[: -(-TRIED // len(drawn[0].values))]]
    wanted = _changes_of([run.values[:, place] for run in runs])
    band = Deadband((place,), _width([path[0, :, place] for path in paths], float(np.mean(wanted == 0))))
    sizes = np.quantile(wanted, SIZES)

    def apart(way: Hold | Deadband) -> float:
        rng, made = np.random.default_rng(0), [path.copy() for path in paths]
        for path in made:
            way.apply(path, rng.random(path.shape[:2]), np.zeros(1, dtype=np.int64))
        return float(np.mean((np.quantile(_changes_of([path[0, :, place] for path in made]), SIZES) - sizes) ** 2))

    return hold if apart(hold) <= apart(band) else band


def _width(paths: Sequence[Float[np.ndarray, " _N"]], repeated: float) -> float:
    """Width of the dead band with which so many rows repeat the one before."""
    low, high = 0.0, float(max(np.ptp(path) for path in paths)) or 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        sent = _changes_of([_sent(path, middle) for path in paths])
        low, high = (middle, high) if np.mean(sent == 0) < repeated else (low, middle)
    return high


def _changes_of(paths: Sequence[Float[np.ndarray, " _N"]]) -> Float[np.ndarray, " M"]:
    """Sizes of the changes from each known value to the next."""
    return np.abs(np.concatenate([np.diff(path[~np.isnan(path)]) for path in paths]))
