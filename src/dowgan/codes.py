"""How one column becomes channels: on a scale where its spread is even, one channel per level, or a point on a circle.

Shapes: T rows, N rows, W channels of a column.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from dowgan.table.schema import Column

ONE_HOT = 12  # a category with more levels than this is one channel of level numbers
SKEWED = 0.8  # skewness from which another scale is tried
ENOUGH = 60  # values that tell whether steps grow with the level
SIDES, BACK = (0.3, 0.7), 12  # shares of the values that are low and high, and how often a column that grows turns
APART = 1.5  # times the lower third of the levels that the upper third lies at, then
PROPORTION = (0.7, 1.6)  # power of the level that steps go by, then
TURNS = (360.0, 2 * np.pi)  # what directions are measured in
NEAR = 0.05  # of a turn, by which values may miss the ends of its range
SECTORS, USED = 12, 8  # of a turn, and how many of them have values
ROUNDS = 5  # steps over the end of the range, at least
SMALL = 0.125  # of a turn, that half of them are at most, taken the short way
CUTS = 72  # directions at any of which a course that never comes there is cut open
HALF_WAY = 0.1  # share of all steps that are more than a quarter of a turn, at most: else it has no course
Power = Literal["identity", "sqrt", "log", "circle", "arc"]


@dataclass(frozen=True)
class Code:
    """How one column becomes channels.

    Attributes:
        place: the column's number among the schema's channels.
        width: how many channels it takes; more than one for a category, two for a direction from all around.
        power: the scale.
        shift: added before the square root or logarithm; what brings the range of a direction to its start.
        centre, spread: of the scaled values.
        turn: of a direction, in its unit.
        grid: steps that it is written in, 0 for none.
        full: whether the end of its range is written, and not the start.
        cut: of an arc, a direction that is never crossed, from the start of the range; angles are counted from there.
    """

    place: int
    width: int
    power: Power
    shift: float
    centre: float
    spread: float
    turn: float = 0.0
    grid: float = 0.0
    full: bool = False
    cut: float = 0.0

    def forward(self, values: Float[np.ndarray, " T"]) -> Float[np.ndarray, "T W"]:
        """Return the channels of values in the user's unit, NaN where those are."""
        if self.power == "circle":
            angle = 2 * np.pi * (values + self.shift) / self.turn
            scaled = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        elif self.power == "arc":
            scaled = ((values + self.shift - self.cut) % self.turn)[:, None]
        elif self.width > 1:
            levels = (values[:, None] == np.arange(self.width)).astype(float)
            scaled = np.where(np.isnan(values)[:, None], np.nan, levels)
        else:
            scaled = _raise(values, self.power, self.shift)[:, None]
        return (scaled - self.centre) / self.spread

    def back(self, channels: Float[np.ndarray, "... W"]) -> Float[np.ndarray, "..."]:
        """Return values in the user's unit, of a category the number of its largest channel."""
        scaled = channels * self.spread + self.centre
        if self.power in ("circle", "arc"):
            values = scaled[..., 0] + self.cut
            if self.power == "circle":
                values = np.arctan2(scaled[..., 1], scaled[..., 0]) % (2 * np.pi) / (2 * np.pi) * self.turn
            return self._in_range(np.rint(values / self.grid) * self.grid if self.grid else values)
        if self.width > 1:
            return np.argmax(scaled, axis=-1).astype(float)
        return _lower(scaled[..., 0], self.power, self.shift)

    def quantiles(self, values: Float[np.ndarray, "P N"], shares: Sequence[float]) -> Float[np.ndarray, "Q N"]:
        """Return quantiles over P of directions, each taken the short way from their mean: 340 to 20 across north."""
        mean = self.back(np.stack([self.forward(path) for path in values]).mean(axis=0))
        near = short_way(values, mean, self.turn)
        return self._in_range(np.quantile(near, shares, axis=0) + self.shift)

    def _in_range(self, values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Directions from the start of their range on, which is told by its end if the table does so."""
        within = values % self.turn
        return np.where(self.full & (within == 0), self.turn, within) - self.shift


def _raise(values: Float[np.ndarray, "..."], power: Power, shift: float) -> Float[np.ndarray, "..."]:
    if power == "identity":
        return values
    moved = np.maximum(values + shift, 1e-12)
    return np.sqrt(moved) if power == "sqrt" else np.log(moved)


def _lower(scaled: Float[np.ndarray, "..."], power: Power, shift: float) -> Float[np.ndarray, "..."]:
    if power == "identity":
        return scaled
    if power == "sqrt":
        return np.maximum(scaled, 0) ** 2 - shift
    return np.exp(np.minimum(scaled, 60.0)) - shift


def _skewness(values: Float[np.ndarray, " N"]) -> float:
    centred = values - values.mean()
    return float(np.mean(centred**3) / (np.mean(centred**2) ** 1.5 + 1e-300))


def even_scale(column: Column, known: Float[np.ndarray, " N"]) -> tuple[Power, float]:
    """Return the scale on which the values are least skewed, or their steps even, and what is added before it.

    Values, in the order of time, must not be negative for any but their own.
    """
    if column.kind not in ("float", "integer") or column.levels or known.min() < 0 or known.std() == 0:
        return "identity", 0.0
    if _skewness(known) < SKEWED:
        return ("log", 0.0) if _grows(known) else ("identity", 0.0)
    positive = known[known > 0]
    unit = 1.0 if column.kind == "integer" else float(np.quantile(positive, 0.05))
    count = column.kind == "integer" and np.mean(known == 0) > 0.005
    tries: list[tuple[Power, float]] = [("sqrt", 0.375 if column.kind == "integer" else 0.0)]
    if not count:
        tries.append(("log", unit if known.min() <= 0 else 0.0))
    return min(tries, key=lambda t: abs(_skewness(_raise(known, *t))))


def _grows(known: Float[np.ndarray, " N"]) -> bool:
    """Whether a column grows over levels to which its steps are about in proportion, as prices and sales do."""
    if len(known) < ENOUGH or known.min() <= 0:
        return False
    steps, between = np.diff(known), 0.5 * (known[1:] + known[:-1])
    sides = np.searchsorted(np.quantile(known, SIDES), known)
    if np.count_nonzero(np.diff(sides[sides != 1])) > BACK:
        return False
    low, high = between <= np.quantile(between, 1 / 3), between >= np.quantile(between, 2 / 3)
    levels = float(np.median(between[high]) / np.median(between[low]))
    sizes = float(np.sqrt(np.mean(steps[high] ** 2) / max(float(np.mean(steps[low] ** 2)), 1e-300)))
    return levels >= APART and PROPORTION[0] <= float(np.log(sizes) / np.log(levels)) <= PROPORTION[1]


def find_turn(column: Column, values: Float[np.ndarray, " N"]) -> tuple[float, float] | None:
    """Return the turn of a direction and the start of its range, such as 360 and 0; None if a column is none.

    It has values all around, and its steps over the end of the range are small the short way.

    Args:
        values: of all runs, one after another, with a missing one between them.
    """
    known = values[~np.isnan(values)]
    if column.kind not in ("float", "integer") or column.levels or not len(known):
        return None
    for turn in TURNS:
        for first in (0.0, -turn / 2):
            place = (known - first) / turn
            ends = (abs(place.min()) <= NEAR, abs(place.max() - 1) <= NEAR)
            used = len(np.unique(np.floor(place[place < 1] * SECTORS)))
            if all(ends) and used >= USED and place.min() >= -1e-3 and place.max() <= 1 + 1e-3:
                steps = np.abs(np.diff(values)) / turn
                short = np.minimum(steps, 1 - steps)[~np.isnan(steps)]
                over = short[steps[~np.isnan(steps)] > 0.5]
                if len(over) >= ROUNDS and np.median(over) <= SMALL and np.mean(short > 0.25) <= HALF_WAY:
                    return turn, first
    return None


def short_way(
    values: Float[np.ndarray, "... N"], beside: Float[np.ndarray, " N"], turn: float
) -> Float[np.ndarray, "... N"]:
    """Return directions beyond the ends of their range where others are nearer so: of 360 degrees, 355 as -5 by 5."""
    return beside + (values - beside + turn / 2) % turn - turn / 2


def _direction(place: int, column: Column, values: Float[np.ndarray, " N"], turn: float, first: float) -> Code:
    """The code of a direction: a point on a circle, or the way along it if its course never goes all around."""
    digits = 0 if column.kind == "integer" else column.decimals
    grid = column.step or (0.0 if digits is None else 10.0**-digits)
    if grid and abs(turn / grid - round(turn / grid)) > 1e-6:  # of two pi no decimals are a part
        grid = 0.0
    full = bool(np.any(values == first + turn) and not np.any(values == first))
    cut = _never_crossed(values - first, turn)
    if cut is None:
        return Code(place, 2, "circle", -first, 0.0, float(np.sqrt(0.5)), turn, grid, full)
    along = (values - first - cut) % turn
    return Code(
        place, 1, "arc", -first, float(np.nanmean(along)), float(np.nanstd(along)) or 1.0, turn, grid, full, cut
    )


def _never_crossed(values: Float[np.ndarray, " N"], turn: float) -> float | None:
    """The middle of the longest range of directions that no step crosses, going the short way; None if all are."""
    cuts, steps = turn / CUTS * np.arange(CUTS), (np.diff(values) + turn / 2) % turn - turn / 2
    known = ~np.isnan(steps)
    until = (cuts - values[:-1][known, None]) % turn  # from each value to each cut, the positive way
    steps = steps[known, None]
    free = ~np.where(steps > 0, until <= steps, turn - until <= -steps).any(axis=0)
    if not free.any():
        return None
    turned = np.roll(free, -int(np.argmin(free)))  # begins with one that is crossed, unless none is
    edges = np.flatnonzero(np.diff(np.concatenate([[False], turned, [False]]).astype(int))).reshape(-1, 2)
    longest = edges[np.argmax(np.diff(edges))]
    return float(cuts[(int(longest.sum()) // 2 + int(np.argmin(free))) % CUTS])


def fit_code(
    place: int, column: Column, values: Float[np.ndarray, " N"], turn: tuple[float, float] | None = None
) -> Code:
    """Choose the scale of a column.

    Args:
        place: its number.
        values: its own.
        turn: of a direction, see `find_turn`.
    """
    if turn is not None:
        return _direction(place, column, values, *turn)
    known = values[~np.isnan(values)]
    if column.kind == "category" and 2 < len(column.levels) <= ONE_HOT:
        return Code(place, len(column.levels), "identity", 0.0, 1 / len(column.levels), 0.5)
    if len(known) == 0:
        return Code(place, 1, "identity", 0.0, 0.0, 1.0)
    power, shift = even_scale(column, known)
    scaled = _raise(known, power, shift)
    return Code(place, 1, power, shift, float(scaled.mean()), float(scaled.std()) or 1.0)
