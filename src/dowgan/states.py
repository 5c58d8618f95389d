"""States that last, such as a pump's on and off or the status of a line, found in a table.

A state is a column of its own, whether a number, such as a flow, is at a value far from its others, or leaves its
least or greatest one in events, such as rain, or on which side of a wide gap it lies, such as the power of a
compressor that idles or delivers. What other columns do depends on states, so they are drawn first, as stretches that
followed one another in the table, and the rest as under conditions that the user names.

Shapes: T rows, C columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.curves import lies_on
from dowgan.stretch import LASTS, MANY_RUNS, borders
from dowgan.succession import CYCLES, Course, follows_clock
from dowgan.table.schema import Column, Run

MOST_LEVELS = 8  # of a number that is a state
FEW = 4  # values of a number that does not rest, but moves between them
MOST_TOGETHER = 16  # combinations of states
BRIEF = 3.0  # rows of a mean stretch of each value, at least
CHANGES = 4  # of a state, at least
SETTINGS = 2  # the same of a label or setting that stands for long
LONG = 100.0  # rows of its spells in the mean
PLANNED = 0.5  # of the rows that do not have a column's most frequent value, that the others of their phase tell
SEEN = 12  # rows of each value, at least, and of a combination that is not rare
RARE = 0.02  # share of the rows that are of rare combinations, at most, with a label or what the clock does not tell
FEWEST_REST = 0.05  # share of the rows at which a number rests or is on one side of a gap, and at which it is not
FAR = 0.5  # times the spread of the other values that they are away, but for very few; and as wide a gap is
NEARLY_NONE = 0.02
EVENTS = 16  # stretches at rest and away from it, a quarter of which at most is brief
TOLD = 0.2  # of the rows that do not have the most frequent flag, that the others must leave so, to be a state
MISSED = 0.02  # of the rows in a state, or not, that a limit of another number tells wrong, at most, to stand for it
NEARER = 0.8  # of the way one row further, that a number has gone next to its rest if it ramps
PILED = 5.0  # times as often as any other value, that a number which leaves its rest in events is there


@dataclass(frozen=True)
class Rest:
    """A number that is at one value for a while, and then far from it, or away from it for as long.

    Attributes:
        place: of the column.
        value: at which it rests.
        other: a usual value where it does not.
        ramps: whether it leaves its rest and comes back by and by, as a piston does, and not at once, as a flow does.
    """

    place: int
    value: float
    other: float
    ramps: bool = False

    def alone(self, values: Float[np.ndarray, " T"]) -> Bool[np.ndarray, " T"]:
        """Return where it is at rest and tells nothing of how it moves: a ramp begins and ends at the rest's ends."""
        rests = values == self.value
        if not self.ramps:
            return rests
        around = np.concatenate([[True], rests, [True]])
        return rests & around[:-2] & around[2:]

    def flag(self, values: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """Return 1 where it is not at rest, 0 where it is, NaN where that is not known."""
        return np.where(np.isnan(values), np.nan, (values != self.value).astype(float))

    def kept(self, values: Float[np.ndarray, " T"], flag: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """Return values as the flags say."""
        return np.where(flag == 0, self.value, values)

    def usual(self, flag: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """Return a usual value for each flag."""
        return np.where(flag == 0, self.value, self.other)

    def words(self, name: str) -> str:
        return f"'{name}' rests at {self.value:g} for a while"


@dataclass(frozen=True)
class Sides:
    """A number that is on one side of a wide gap for a while, and then on the other.

    Attributes:
        place: of the column.
        edges: the last value below the gap, and the first one above it.
        medians: of the values below, and of those above.
    """

    place: int
    edges: tuple[float, float]
    medians: tuple[float, float]

    def flag(self, values: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """Return 1 above the gap, 0 below it, NaN where that is not known."""
        return np.where(np.isnan(values), np.nan, (values > sum(self.edges) / 2).astype(float))

    def kept(self, values: Float[np.ndarray, " T"], flag: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """Return values on the side that the flags say."""
        below, above = self.edges
        return np.where(flag == 0, np.minimum(values, below), np.maximum(values, above))

    def usual(self, flag: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """Return a usual value for each flag."""
        return np.where(flag == 0, *self.medians)

    def words(self, name: str) -> str:
        below, above = self.edges
        return f"'{name}' is at most {below:g} for a while, and then at least {above:g}"


State = Rest | Sides


def find_states(
    columns: Sequence[Column],
    runs: Sequence[Run],
    cycles: Sequence[int] = (),
    brief: Sequence[int] = (),
    known: Sequence[int] = (),
    told: Sequence[int] = (),
    named: Sequence[int] = (),
) -> tuple[tuple[int, ...], tuple[State, ...]]:
    """Return the columns of states and the numbers that tell one, all combinations of which are seen often.

    A state lasts, or follows the clock, as a shop does that is closed on Sundays.

    Args:
        columns: of the table, with the number of each.
        runs: of the table.
        cycles: of the clock in rows.
        brief: columns of states that need not last, such as a delivery that follows from what is in store.
        known: columns that are states beside those that are found.
        told: columns that others tell, such as an alarm, which is no state of its own.
        named: columns that the user named, with which states are seen together however seldom.
    """
    values = np.concatenate([run.values for run in runs])
    kinds = _kinds(values[:, list(named)])
    but = {*known, *told, *named}
    looked = [place for place, column in enumerate(columns) if column.role == "value" and place not in but]
    flags = np.concatenate([run.values[:, list(known)] for run in runs])
    tries = (False,) if known or named else (False, True)  # beside other states the changes of settings are too few
    for settings in tries:
        found, numbers = _found(columns, runs, cycles, looked, brief, flags, kinds, settings)
        if found or numbers:
            break
    return (found, numbers) if len(found) + len(known) + len(named) < len(columns) else ((), ())


def find_switches(columns: Sequence[Column], runs: Sequence[Run], cycles: Sequence[int]) -> list[int]:
    """Return the columns of two levels that last or follow the clock, such as a defrost in every eighth hour.

    Args:
        columns: of the table, with the number of each.
        runs: of the table.
        cycles: of the clock in rows.
    """
    positions, out = [run.offset for run in runs], []
    for place in (place for place, column in enumerate(columns) if column.role == "value"):
        parts = [filled(run.values[:, place]) for run in runs]
        two = len(np.unique(np.concatenate(parts))) == 2
        if two and (_lasts(parts, 1) or _by_clock(parts, positions, cycles)):
            out.append(place)
    return out


def _by_clock(parts: Sequence[Float[np.ndarray, " _T"]], positions: Sequence[int], cycles: Sequence[int]) -> bool:
    """Whether a state of few levels follows the clock."""
    levels = len(np.unique(np.concatenate(parts)))
    return levels <= MOST_LEVELS and follows_clock(_courses(parts, positions), levels, cycles)


def _planned(parts: Sequence[Float[np.ndarray, " _T"]], positions: Sequence[int], cycles: Sequence[int]) -> bool:
    """Whether others of its phase tell most rows of a column, such as how many are on duty: a season does that too."""
    courses = _courses(parts, positions)
    levels, rows = 1 + max(int(codes.max()) for _, codes in courses), sum(len(codes) for _, codes in courses)
    for cycle in (cycle for cycle in cycles if CYCLES * cycle <= rows and levels <= MOST_LEVELS):
        counts = np.zeros((cycle, levels))
        for position, codes in courses:
            np.add.at(counts, ((position + np.arange(len(codes))) % cycle, codes), 1.0)
        second, most = np.sort(counts, axis=1)[:, -2:].T if levels > 1 else (np.zeros(cycle), counts[:, 0])
        told, usual = most[most > second].sum(), counts.sum(axis=0).max()
        if told > usual + PLANNED * (rows - usual):
            return True
    return False


def _courses(parts: Sequence[Float[np.ndarray, " _T"]], positions: Sequence[int]) -> list[Course]:
    """The number of each value of a state, with the position of the first row of each run."""
    _, codes = np.unique(np.concatenate(parts), return_inverse=True)
    return list(zip(positions, np.split(codes, np.cumsum([len(part) for part in parts])[:-1]), strict=True))


def _found(
    columns: Sequence[Column],
    runs: Sequence[Run],
    cycles: Sequence[int],
    places: Sequence[int],
    brief: Sequence[int],
    flags: Float[np.ndarray, "N F"],
    kinds: Int[np.ndarray, " N"],
    settings: bool,
) -> tuple[tuple[int, ...], tuple[State, ...]]:
    """The states among some columns, beside those that are known, or settings that are changed now and then."""
    positions = [run.offset for run in runs]
    found: list[int] = []
    numbers: list[State] = []
    rows = np.concatenate([run.values for run in runs])
    labels = {place: _is_state(columns[place], [run.values[:, place] for run in runs]) for place in places}
    for place in sorted(places, key=lambda place: not columns[place].labelled):  # which may tell others
        parts, state, labelled = [run.values[:, place] for run in runs], None, labels[place]
        short = place in brief or (settings and _lasts(parts, SETTINGS, LONG))
        together = None
        if labelled:
            alone = columns[place].labelled or not _planned(parts, positions, cycles)
            together = _seen_with(flags, parts, positions, cycles, short, RARE if alone else 0.0)
        if together is None and columns[place].kind in ("float", "integer"):
            seen = [part[~np.isnan(part)] for part in parts]
            state = _rest(place, seen) or _sides(place, seen)
            others = [x for x in places if not labels[x] and len(runs) < MANY_RUNS]
            if state is not None and not _by_a_limit(state, rows, flags, others):
                told_by = [filled(state.flag(part)) for part in parts]
                together = _seen_with(flags, told_by, positions, cycles, place in brief)
        known = ~np.isnan(np.concatenate(parts))  # what is filled says nothing of what tells it
        if together is None or _told_by(kinds[known], together[known, -1]):
            continue
        flags = together
        if state is None:
            found.append(place)
        else:
            numbers.append(state)
    return tuple(sorted(found)), tuple(numbers)


def _seen_with(
    flags: Float[np.ndarray, "N F"],
    parts: Sequence[Float[np.ndarray, " _T"]],
    positions: Sequence[int],
    cycles: Sequence[int],
    brief: bool,
    most_rare: float = 0.0,
) -> Float[np.ndarray, "N G"] | None:
    """States so far and one more, None if it neither lasts nor follows the clock, or combinations are too rare."""
    if any(np.isnan(part).any() for part in parts):
        return None
    if not (brief or _lasts(parts) or _by_clock(parts, positions, cycles)):
        return None
    out = np.column_stack([flags, np.concatenate(parts)])
    together, count = np.unique(out, axis=0, return_counts=True)
    rare, each = int(count[count < SEEN].sum()), np.unique(out[:, -1], return_counts=True)[1]
    seen = each.min() >= SEEN and rare <= most_rare * len(out)
    return out if seen and len(together) <= MOST_TOGETHER else None


def _kinds(columns: Float[np.ndarray, "N F"]) -> Int[np.ndarray, " N"]:
    """The number of each row's combination of values."""
    return np.unique(columns, axis=0, return_inverse=True)[1].reshape(-1)


def _by_a_limit(
    state: State, rows: Float[np.ndarray, "N C"], flags: Float[np.ndarray, "N F"], places: Sequence[int]
) -> bool:
    """Whether another number, that has no state itself, tells one by a limit, as a wind tells where a turbine rests.

    So it is if the column lies on a curve of the other one in each combination of the states so far.
    """
    kinds, flag = _kinds(flags), state.flag(rows[:, state.place])
    for x in (x for x in places if x != state.place):
        known = ~np.isnan(rows[:, [x, state.place]]).any(axis=1)
        values, own, when = rows[known, x], flag[known] > 0, kinds[known]
        wrong = sum(_wrong(values[when == kind], own[when == kind]) for kind in np.unique(when))
        if wrong > MISSED * min(own.sum(), (~own).sum()) or _rest(x, [values]) or _sides(x, [values]):
            continue
        if lies_on(rows[:, [x, state.place]], kinds):
            return True
    return False


def _wrong(values: Float[np.ndarray, " N"], flag: Bool[np.ndarray, " N"]) -> int:
    """The fewest rows that a limit of a number tells wrong, whichever side of it is flagged."""
    order = np.argsort(values, kind="stable")
    ends = np.append(np.diff(values[order]) > 0, True)  # equal values lie on one side
    below = np.append(0, np.cumsum(flag[order])[ends])  # flagged rows up to each limit
    rows = np.append(0, np.flatnonzero(ends) + 1)
    wrong = below + (len(flag) - rows) - (flag.sum() - below)  # flagged below it, and not flagged above it
    return int(min(wrong.min(), (len(flag) - wrong).min()))


def _told_by(kinds: Int[np.ndarray, " N"], flags: Float[np.ndarray, " N"]) -> bool:
    """Whether what the user named tells nearly all rows of a state, as a product tells a flow's range: it is none."""
    codes = np.unique(flags, return_inverse=True)[1].reshape(-1)
    counts = np.zeros((kinds.max(initial=0) + 1, codes.max(initial=0) + 1))
    np.add.at(counts, (kinds, codes), 1.0)
    others, left = (len(codes) - part for part in (counts.sum(axis=0).max(), counts.max(axis=1).sum()))
    return len(counts) > 1 and bool(left < TOLD * others)


def filled(values: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """Return values, missing ones from the row before, or from the first known one; zeros where none is known."""
    known = np.flatnonzero(~np.isnan(values))
    if len(known) == 0:
        return np.zeros_like(values)
    return values[known[np.clip(np.searchsorted(known, np.arange(len(values)), side="right") - 1, 0, None)]]


def _is_state(column: Column, parts: Sequence[Float[np.ndarray, " _T"]]) -> bool:
    if column.labelled:
        return True
    levels = len(np.unique(np.concatenate(parts)))
    return levels <= FEW or (levels <= MOST_LEVELS and _each_lasts(parts))


def _lasts(parts: Sequence[Float[np.ndarray, " _T"]], least: int = CHANGES, rows: float = LASTS) -> bool:
    """Whether states without gaps change so often at least, and last for so many rows in the mean."""
    changes = sum(int(np.count_nonzero(np.diff(part))) for part in parts)
    return changes >= least and sum(map(len, parts)) >= rows * (changes + len(parts))


def _each_lasts(parts: Sequence[Float[np.ndarray, " _T"]]) -> bool:
    """Whether every value lasts: a count of faults is mostly zero, and one or two for a row."""
    begun = np.concatenate([part[np.append(True, np.diff(part) != 0)] for part in parts if len(part)])
    stretches, rows = (np.unique(values, return_counts=True)[1] for values in (begun, np.concatenate(parts)))
    return bool((rows >= BRIEF * stretches).all())


def _rest(place: int, parts: Sequence[Float[np.ndarray, " _T"]]) -> Rest | None:
    """Where a number rests, if that is far from its other values."""
    values, count = np.unique(np.concatenate(parts), return_counts=True)
    value = float(values[count.argmax()])
    others = np.concatenate([part[part != value] for part in parts])
    share = count.max() / count.sum()
    if len(values) <= FEW or not FEWEST_REST < share < 1 - FEWEST_REST:
        return None
    low, middle, high = np.quantile(others, [0.1, 0.5, 0.9])
    far = np.quantile(np.abs(others - value), NEARLY_NONE) > FAR * (high - low)
    rest = Rest(place, value, float(middle))
    second, most = np.sort(count)[-2:]
    piled = bool(value in (values[0], values[-1]) and most > PILED * second)
    rest = replace(rest, ramps=_ramps(value, parts))
    return rest if far or (piled and _in_events([rest.flag(part) for part in parts])) else None


def _ramps(value: float, parts: Sequence[Float[np.ndarray, " _T"]]) -> bool:
    """Whether a number is mostly nearer to its rest in the rows next to it than one row further."""
    for series in (parts, [part[::-1] for part in parts]):
        near = [np.empty(0)]
        for part in series:
            off = np.abs(part - value)
            first = np.flatnonzero((off[:-2] == 0) & (off[1:-1] > 0) & (off[2:] > 0)) + 1
            near.append(off[first] / off[first + 1])
        if len(np.concatenate(near)) < CHANGES or np.median(np.concatenate(near)) > NEARER:
            return False
    return True


def _in_events(flags: Sequence[Float[np.ndarray, " _T"]]) -> bool:
    """Whether a number leaves its rest now and then for a good while, as rain does: what a level that wanders does at
    its end is mostly brief."""
    lengths = np.concatenate([np.diff(borders(flag.astype(int)))[1:-1] for flag in flags])
    return len(lengths) >= EVENTS and bool(np.quantile(lengths, 0.25) >= LASTS)


def _sides(place: int, parts: Sequence[Float[np.ndarray, " _T"]]) -> Sides | None:
    """Where the widest gap between a number's values lies, if both sides are narrow beside it and often seen."""
    values = np.sort(np.concatenate(parts))
    if len(values) < 2:
        return None
    cut = int(np.argmax(np.diff(values))) + 1
    below, above = values[:cut], values[cut:]
    if min(len(below), len(above)) < FEWEST_REST * len(values):
        return None
    width = max(float(np.diff(np.quantile(side, (0.1, 0.9)))[0]) for side in (below, above))
    if above[0] - below[-1] <= FAR * width:
        return None
    medians = float(np.median(below)), float(np.median(above))
    sides = Sides(place, (float(below[-1]), float(above[0])), medians)
    return sides if _each_lasts([sides.flag(part) for part in parts]) else None
