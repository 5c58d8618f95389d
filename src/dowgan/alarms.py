"""Alarms: columns of two levels that limits of others tell, such as one that is on above 8 bar or below 20 %.

Shapes: N rows, C columns (the schema's channels).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from dowgan.courses import resolution
from dowgan.table.schema import Column

FEWEST = 20  # rows in which it is on, and in which it is off
EACH = 5  # of the former that a further limit must explain
MOST = 4  # limits
NARROW = 0.1  # of a column's spread, from the last value off to the first one on, at most, of a state
FEW = 4  # values of a column that tells no state: the state tells it, such as hours that go on or not
LOOK = 2_000  # rows on which they are counted
BLOCKS = 8  # of time, of which every other one tells the limits, and the rest tries them
WRONG = 0.1  # rows that are told wrong there at most, of those in which it is on


@dataclass(frozen=True)
class Limit:
    """What switches an alarm on.

    Attributes:
        place: number of the column.
        sign: 1 if values above switch it on, -1 if values below.
        value: right behind the last value that does not, half way to the first one that does without decimals.
        last: the last value that does not.
    """

    place: int
    sign: float
    value: float
    last: float

    def passed(self, values: Float[np.ndarray, "N C"]) -> Bool[np.ndarray, " N"]:
        """Return the rows in which it is passed, not those in which the column is unknown."""
        return self.sign * (values[:, self.place] - self.value) > 0


@dataclass(frozen=True)
class Alarm:
    """A column that is on where any of some limits is passed.

    Attributes:
        place: its number.
        off, on: its values.
        label: what a user calls the latter.
        limits: at least one.
    """

    place: int
    off: float
    on: float
    label: str
    limits: tuple[Limit, ...]

    @property
    def members(self) -> set[int]:
        """The column and those that tell it."""
        return {self.place, *(limit.place for limit in self.limits)}

    def of(self, values: Float[np.ndarray, "N C"]) -> Float[np.ndarray, " N"]:
        """Return what the limits tell, NaN where a column that is needed is unknown."""
        passed = np.any([limit.passed(values) for limit in self.limits], axis=0)
        unknown = np.isnan(values[:, [limit.place for limit in self.limits]]).any(axis=1)
        return np.where(passed, self.on, np.where(unknown, np.nan, self.off))

    def misses(self, values: Float[np.ndarray, "N C"]) -> Bool[np.ndarray, " N"]:
        """Return the rows in which it is not what the limits tell, though all is known."""
        return np.abs(np.nan_to_num(self.of(values) - values[:, self.place])) > 0

    def keep(self, values: Float[np.ndarray, "N C"], known: Bool[np.ndarray, "N C"]) -> None:
        """Switch it as the limits tell, in place, where it is not known."""
        told = self.of(values)
        rows = ~known[:, self.place] & ~np.isnan(told)
        values[rows, self.place] = told[rows]

    def words(self, names: Sequence[str]) -> str:
        """Return it as a sentence."""
        signs = {1.0: ">", -1.0: "<"}
        limits = [f"'{names[limit.place]}' {signs[limit.sign]} {limit.last:.6g}" for limit in self.limits]
        return f"'{names[self.place]}' is {self.label} where {' or '.join(limits)}"


def find_alarms(
    columns: Sequence[Column],
    values: Float[np.ndarray, "N C"],
    sources: Sequence[int],
    states: Sequence[int] = (),
) -> tuple[Alarm, ...]:
    """Find the columns of two levels that limits of others tell in every row.

    Args:
        columns: the schema's channels.
        values: in the user's units, level numbers of labels, NaN missing; in the order of time.
        sources: numbers of the columns that may tell them.
        states: columns that are states of their own, unless a limit tells them closely.
    """
    looked = [place for place, column in enumerate(columns) if column.role == "value"]
    found = (_alarm(columns, values, place, sources, place in states) for place in looked)
    return tuple(alarm for alarm in found if alarm is not None)


def _alarm(
    columns: Sequence[Column], values: Float[np.ndarray, "N C"], place: int, sources: Sequence[int], state: bool
) -> Alarm | None:
    """The alarm that a column is, None if it is none; the rarer level is tried as the one that is on first."""
    rows = values[~np.isnan(values[:, place])]
    levels, counts = np.unique(rows[:, place], return_counts=True)
    if len(levels) != 2 or counts.min() < FEWEST:
        return None
    others = [source for source in sources if source != place]
    if state:
        others = [source for source in others if len(np.unique(rows[:LOOK, source])) > FEW]
    rare = int(counts[1] <= counts[0])
    for off, on in ((levels[1 - rare], levels[rare]), (levels[rare], levels[1 - rare])):
        limits = _limits(columns, rows, rows[:, place] == on, others, NARROW if state else np.inf)
        if limits:
            texts = columns[place].labels
            label = texts[int(on)] if columns[place].labelled else f"{on:g}"
            alarm = Alarm(place, float(off), float(on), label, limits)
            if not alarm.misses(rows).any() and _holds_elsewhere(alarm, rows):
                return alarm
    return None


def _limits(
    columns: Sequence[Column],
    rows: Float[np.ndarray, "N C"],
    on: Bool[np.ndarray, " N"],
    sources: Sequence[int],
    widest: float,
) -> tuple[Limit, ...]:
    """The fewest limits, one after another, that no row without the alarm passes and every row with it does.

    Args:
        widest: spreads of a column from the last value off to the first one on, at most.
    """
    found = (_limit(columns, rows, on, place, sign, widest) for place in sources for sign in (1.0, -1.0))
    tried = [limit for limit in found if limit is not None]
    chosen, left = list[Limit](), on.copy()
    while left.any() and len(chosen) < MOST and tried:
        best = max(tried, key=lambda limit: int((limit.passed(rows) & left).sum()))
        explained = best.passed(rows) & left
        if explained.sum() < EACH:
            return ()
        chosen.append(best)
        left &= ~explained & ~np.isnan(rows[:, best.place])
    return () if left.any() else tuple(chosen)


def _limit(
    columns: Sequence[Column],
    rows: Float[np.ndarray, "N C"],
    on: Bool[np.ndarray, " N"],
    place: int,
    sign: float,
    widest: float,
) -> Limit | None:
    """The limit at the outermost value without the alarm; None where nothing lies beyond it, or all too far away."""
    outward = sign * rows[:, place]
    known = ~np.isnan(outward)
    if not (known & ~on).any():
        return None
    last = outward[known & ~on].max()
    beyond = outward[known & on & (outward > last)]
    if not len(beyond):
        return None
    decimals, gap = resolution(columns[place]), float(beyond.min() - last)
    least = columns[place].step or (0.0 if decimals is None else 10.0**-decimals)
    spread = float(outward[known].std())
    if gap > max(1.01 * least, widest * spread):
        return None
    step = gap if gap > NARROW * spread else least or gap
    return Limit(place, sign, float(sign * (last + step / 2)), float(sign * last))


def _holds_elsewhere(alarm: Alarm, rows: Float[np.ndarray, "N C"]) -> bool:
    """Whether limits that some blocks of time tell hold in the others."""
    part, on = np.arange(len(rows)) * BLOCKS // len(rows) % 2, rows[:, alarm.place] == alarm.on
    for number in (0, 1):
        learned, other = rows[(part == number) & ~on], rows[part != number]
        if np.isnan(learned[:, [limit.place for limit in alarm.limits]]).all(axis=0).any():
            return False
        ends = [limit.sign * np.nanmax(limit.sign * learned[:, limit.place]) for limit in alarm.limits]
        limits = [replace(limit, value=float(end)) for limit, end in zip(alarm.limits, ends, strict=True)]
        told, true = np.any([limit.passed(other) for limit in limits], axis=0), on[part != number]
        if (told != true).sum() > WRONG * true.sum():
            return False
    return True
