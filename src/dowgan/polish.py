"""The last touch on generated values: the marginals of every column, the distance to a column that it never crosses,
and the resolution of its sensor.

A long draw of the finished generator is set against the table, column by column, in the user's units. The
difference in quantiles is taken off; and where a column only ever holds few distinct numbers, evenly or not (a
sensor's resolution, a converter's steps), generated values are put on the nearest of them.

Shapes: N rows, C columns, K knots, B levels.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from dowgan.codes import even_scale
from dowgan.relations import End, Relations
from dowgan.table.schema import Column
from dowgan.transport import levels

KNOTS = (17, 1001)  # of a column's map, at least and at most
ROWS_EACH = 100  # of a table, for each of them: neighbouring rows are alike
MOST_LEVELS = 4_096  # distinct numbers of a column that are kept as its resolution
REPEATS = 4.0  # times that each number must occur on average
FEWEST = 30  # rows from which a column's mean and spread are corrected
LEAST = 200  # rows from which a column's quantiles are corrected, and rows of each level of a distance
LEVELS = 8  # at most, at which a distance is corrected
MIDDLE = (0.25, 0.75)  # between which the bulk of a regime lies
ALIKE = 1.25  # times that one's is as wide as the other's, beyond which a map would press or stretch all movement
MARGIN = 0.1  # of a column's range, by which generated values may leave it at most
OUTER = (0.05, 0.95)  # quantiles; beyond them lie a column's outermost values
TINY = 1e-12  # room beyond the values of a column that has none
SMALL = 1000.0  # rows of a regime at which its own quantiles are gone for half of the way
GAP_KNOTS = 65
TAIL_KNOTS = 9
BLOCKS = 10  # of time, of which each second one is set against the others
SHARES = (np.arange(100) + 0.5) / 100
SLIGHT = 0.02  # of a column's spread: so far off are quantiles that nobody sees
CLOSE = 0.04  # of a column's spread: how far off its mean and spread may be where quantiles are left alone
CROSSED = 0.01  # share of a draw's rows beyond a bound, which only a map of the quantiles brings back
PILED = 0.02  # share of a column's rows at one of its ends, from which it is more than that end
RARE = 0.05  # share of crossed rows up to which a distance is left as it is: each level's map bends a smooth column


@dataclass(frozen=True)
class Map:
    """Quantiles from and to, of one column."""

    own: Float[np.ndarray, " K"]
    wanted: Float[np.ndarray, " K"]

    def apply(self, values: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        """Return the column's values [N] with its quantiles corrected."""
        return _carried(values, self.own, self.wanted)


def _nearest(values: Float[np.ndarray, " N"], numbers: Float[np.ndarray, " L"]) -> Float[np.ndarray, " N"]:
    """Put values on the nearest of the numbers that they may hold; beyond the outer ones they stay as they are."""
    middles = (numbers[1:] + numbers[:-1]) / 2
    inside = (values >= numbers[0]) & (values <= numbers[-1])
    return np.where(inside, numbers[np.searchsorted(middles, values)], values)


def _carried(
    values: Float[np.ndarray, " N"], own: Float[np.ndarray, " K"], wanted: Float[np.ndarray, " K"]
) -> Float[np.ndarray, " N"]:
    """From quantiles to quantiles; beyond the outer ones as far off as they are moved."""
    shift = np.minimum(values - own[0], 0) + np.maximum(values - own[-1], 0)
    return np.interp(values, own, wanted) + shift


@dataclass(frozen=True)
class Gap:
    """Quantiles from and to of the distance of a column from those that it never crosses, by the level of these.

    Attributes:
        end: the column.
        edges: between the levels.
        own, wanted: quantiles at each level.
    """

    end: End
    edges: Float[np.ndarray, " E"]
    own: Float[np.ndarray, "B K"]
    wanted: Float[np.ndarray, "B K"]

    def apply(self, values: Float[np.ndarray, "N C"]) -> Float[np.ndarray, " N"]:
        """Return the column's values [N], as far from the others as in the table and never across them."""
        base = self.end.nearest(values)
        distance, level = self.end.sign * (values[:, self.end.place] - base), np.searchsorted(self.edges, base)
        for number, (own, wanted) in enumerate(zip(self.own, self.wanted, strict=True)):
            here = level == number
            distance[here] = _carried(distance[here], own, wanted)
        return base + self.end.sign * np.maximum(distance, 0.0)


@dataclass(frozen=True)
class Polish:
    """Maps and numbers of the columns, and distances between columns.

    Attributes:
        maps: of every regime, for each column; None where a column is left as it is.
        numbers: that each column may hold, none for any number.
        gaps: distances.
        ends: [2 C], least and greatest value of each column in the table, infinite where it is free.
        room: [2 C], beyond these.
    """

    maps: tuple[tuple[Map | None, ...], ...]
    numbers: tuple[Float[np.ndarray, " _L"], ...]
    gaps: tuple[Gap, ...]
    ends: Float[np.ndarray, "2 C"]
    room: Float[np.ndarray, "2 C"]

    def apply(self, values: Float[np.ndarray, "N C"], regime: Int[np.ndarray, " N"]) -> Float[np.ndarray, "N C"]:
        """Return generated rows [N C] in the user's units, column by column and then distance by distance."""
        out = values.copy()
        for number, maps in enumerate(self.maps):
            rows = slice(None) if len(self.maps) == 1 else np.flatnonzero(regime == number)
            for column, own in enumerate(maps):
                if own is not None:
                    out[rows, column] = own.apply(values[rows, column])
        out = self._within(out)
        self.put_on_numbers(out)
        for gap in self.gaps:
            out[:, gap.end.place] = gap.apply(out)
        return out

    def _within(self, values: Float[np.ndarray, "N C"]) -> Float[np.ndarray, "N C"]:
        """Draw in what lies beyond the table's ends, the more the further, so that nothing piles up at a limit."""
        inside = np.clip(values, *self.ends)
        beyond = values - inside
        room = np.maximum(np.where(beyond < 0, *self.room), TINY)
        return inside + beyond / (1 + np.abs(beyond) / room)

    def put_on_numbers(self, values: Float[np.ndarray, "N C"]) -> None:
        """Put the columns that hold few numbers on the nearest of these, in place."""
        for column, numbers in enumerate(self.numbers):
            if len(numbers):
                values[:, column] = _nearest(values[:, column], numbers)


@dataclass(frozen=True)
class Sample:
    """Rows of a table or of a draw.

    Attributes:
        values: in the user's units.
        regime: of each.
    """

    values: Float[np.ndarray, "N C"]
    regime: Int[np.ndarray, " N"]


def fit_resolution(columns: Sequence[Column], real: Float[np.ndarray, "N C"]) -> Polish:
    """Fit only what numbers columns may hold."""
    numbers = tuple(_numbers(column, real[:, place]) for place, column in enumerate(columns))
    free = np.full(len(columns), np.inf)
    return Polish((), numbers, (), np.stack([-free, free]), np.ones((2, len(columns))))


def fit_polish(
    columns: Sequence[Column], relations: Relations, drawn: Sample, real: Sample, but: Collection[int] = ()
) -> Polish:
    """Fit from a long draw and the table's rows; each regime has quantiles of its own, columns `but` some have none."""
    numbers = fit_resolution(columns, real.values).numbers
    regimes = range(real.regime.max(initial=0) + 1)
    every = (_maps(columns, drawn, real, number, SMALL if len(regimes) > 1 else 0.0) for number in regimes)
    maps = tuple(tuple(None if i in but else own for i, own in enumerate(part)) for part in every)
    plain = Polish(maps, numbers, (), *_ends(columns, real.values, but))
    even = plain.apply(drawn.values, drawn.regime)
    ends = [end for end in relations.ends() if not len(numbers[end.place])]
    gaps = [_gap(end, even, real.values) for end in ends]
    return replace(plain, gaps=tuple(gap for gap in gaps if gap is not None))


def _ends(
    columns: Sequence[Column], real: Float[np.ndarray, "N C"], but: Collection[int]
) -> tuple[Float[np.ndarray, "2 C"], Float[np.ndarray, "2 C"]]:
    """The least and the greatest value of each column, and the room beyond them; columns `but` some are free.

    It is a share of the column's range, or as much as its outermost values take up where that is less: a kiln that is
    as hot as it gets for most of the time does not get much hotter.
    """
    ends = np.stack([np.full(len(columns), side) for side in (-np.inf, np.inf)])
    room = np.ones_like(ends)
    for place, column in enumerate(columns):
        known = real[~np.isnan(real[:, place]), place]
        if place not in but and _usable(column, known):
            ends[:, place] = known.min(), known.max()
            outer = np.abs(np.quantile(known, OUTER) - ends[:, place])
            room[:, place] = np.minimum(MARGIN * np.ptp(known), np.maximum(outer, SLIGHT * known.std()))
    return ends, room


def _maps(columns: Sequence[Column], drawn: Sample, real: Sample, regime: int, pull: float) -> tuple[Map | None, ...]:
    """One regime's, the less far the fewer rows it has beside `pull`."""
    own, known = (rows.values[rows.regime == regime] for rows in (drawn, real))
    share = len(known) / (len(known) + pull) if len(known) else 0.0
    return tuple(_map(c, own[:, i], known[:, i], share) for i, c in enumerate(columns))


def _gap(end: End, drawn: Float[np.ndarray, "M C"], real: Float[np.ndarray, "N C"]) -> Gap | None:
    base = end.nearest(real)
    wanted = end.sign * (real[:, end.place] - base)
    base, wanted = base[~np.isnan(wanted)], wanted[~np.isnan(wanted)]
    levels = min(len(wanted) // LEAST, LEVELS)
    if not levels:
        return None
    edges = np.quantile(base, np.arange(1, levels) / levels)
    drawn_base, shares = end.nearest(drawn), np.linspace(0, 1, GAP_KNOTS)
    own = end.sign * (drawn[:, end.place] - drawn_base)
    if np.mean(own < 0) < RARE:
        return None
    hair = 1e-9 * (wanted.std() + 1e-12) * np.arange(GAP_KNOTS)

    def by_level(values: Float[np.ndarray, " N"], at: Float[np.ndarray, " N"]) -> Float[np.ndarray, "B K"]:
        level = np.searchsorted(edges, at)
        parts = [values[level == number] for number in range(levels)]
        return np.stack([np.quantile(part if len(part) else values, shares) for part in parts])

    return Gap(end, edges, by_level(own, drawn_base) + hair, by_level(wanted, base))


def _map(column: Column, drawn: Float[np.ndarray, " M"], real: Float[np.ndarray, " N"], share: float) -> Map | None:
    known = real[~np.isnan(real)]
    if not _is_number(column) or len(known) < FEWEST:
        return None
    # where few large values make up the spread, a straight map would carry many small ones below zero
    straight = share == 1 and even_scale(column, known)[0] == "identity"
    if len(known) < LEAST:
        return _even_map(drawn, known) if straight else None
    if len(drawn) < LEAST:
        return None
    if _by_chance(drawn, known) and _beyond(column, drawn) <= CROSSED:
        even = _even_map(drawn, known) if share == 1 else None
        if even is None or straight:
            return even
    full = quantile_map(drawn, known, int(np.clip(len(known) // ROWS_EACH, *KNOTS)))
    if share == 1:
        return full
    narrow, wide = np.sort([np.ptp(np.nanquantile(x, MIDDLE)) for x in (drawn, known)])
    if wide > ALIKE * narrow:
        return _tails_map(drawn[~np.isnan(drawn)], known)
    return Map(full.own, full.own + share * (full.wanted - full.own))


def _beyond(column: Column, drawn: Float[np.ndarray, " M"]) -> float:
    """Share of a draw beyond the column's bounds, on which it would pile up."""
    low, high = (side if side is not None else free for side, free in ((column.lower, -np.inf), (column.upper, np.inf)))
    return float(np.mean((drawn < low) | (drawn > high)))


def _by_chance(drawn: Float[np.ndarray, " M"], known: Float[np.ndarray, " N"]) -> bool:
    """Whether a draw is no further from the table than the table's own rows tell: blocks of time, each second one.

    A map of the quantiles would then bend for what is chance, and with it what the column has in common with others.
    Values that pile up at an end do so at exactly that number, which only a map brings about.
    """
    if max(np.mean(known == known.min()), np.mean(known == known.max())) > PILED:
        return False
    parts = np.array_split(known, BLOCKS)
    halves = _apart(np.concatenate(parts[::2]), np.concatenate(parts[1::2]))
    chance = max(halves / 2, SLIGHT * float(known.std()))  # a half strays twice as far from the truth as the whole
    return _apart(drawn[~np.isnan(drawn)], known) < chance


def _apart(a: Float[np.ndarray, " M"], b: Float[np.ndarray, " N"]) -> float:
    return float(np.abs(np.quantile(a, SHARES) - np.quantile(b, SHARES)).mean())


def _even_map(drawn: Float[np.ndarray, " M"], known: Float[np.ndarray, " N"]) -> Map | None:
    """Return the straight map from the mean and spread of a draw to those of the table, None if they are close."""
    spread = float(known.std()) + 1e-12
    shift, ratio = abs(np.nanmean(drawn) - known.mean()) / spread, np.nanstd(drawn) / spread
    if max(shift, abs(ratio - 1)) < CLOSE:
        return None
    own = np.array([np.nanmin(drawn), np.nanmax(drawn)]) + 1e-9 * np.array([-1.0, 1.0])
    scale = known.std() / (np.nanstd(drawn) + 1e-12)
    return Map(own, known.mean() + scale * (own - np.nanmean(drawn)))


def _tails_map(drawn: Float[np.ndarray, " M"], known: Float[np.ndarray, " N"]) -> Map | None:
    """Return the map that carries only a draw's outermost values to the table's, None if hardly any leaves its range.

    A stove that follows its fire is drawn with what both slow and sudden changes leave, and overshoots.
    """
    low, high = np.quantile(known, OUTER)
    if low == high or np.mean((drawn < known.min()) | (drawn > known.max())) <= CROSSED:
        return None
    shares = np.linspace(0, 1, TAIL_KNOTS)

    def tails(x: Float[np.ndarray, " N"]) -> Float[np.ndarray, " K"]:
        outer = np.append(x[x < low], low), np.append(x[x > high], high)
        return np.concatenate([np.quantile(part, shares) for part in outer])

    own, wanted = tails(drawn), tails(known)
    return Map(own + 1e-9 * (known.std() + 1e-12) * np.arange(len(own)), wanted)


def quantile_map(drawn: Float[np.ndarray, " M"], real: Float[np.ndarray, " N"], knots: int) -> Map:
    """Return the map from quantiles of some values to those of others, NaN left out; onto any number.

    Knots are even in normal scores, and stand at both ends of every number that values pile up on. Of values that
    wander, as a price does, which levels were lingered at is chance: a map with many knots would bend for each of them,
    and stretch and press the changes that cross it.
    """
    known = np.sort(real[~np.isnan(real)])
    shares = np.unique(np.concatenate([[0.0], levels(len(known), knots), _piles(known, knots), [1.0]]))
    own, wanted = np.nanquantile(drawn, shares), np.quantile(known, shares)
    hair = 1e-9 * (known.std() + 1e-12)  # ties stay strictly increasing
    return Map(own + hair * np.arange(len(own)), wanted)


def _piles(ordered: Float[np.ndarray, " N"], knots: int) -> Float[np.ndarray, " S"]:
    """The levels at which piles begin and end, and those next to them."""
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    first = np.append(0, last[:-1] + 1)
    piled = last - first + 1 > len(ordered) / knots
    ends = np.concatenate([first[piled] - 1, first[piled], last[piled], last[piled] + 1])
    return np.clip(ends, 0, len(ordered) - 1) / max(len(ordered) - 1, 1)


def _usable(column: Column, known: Float[np.ndarray, " N"]) -> bool:
    return _is_number(column) and len(known) >= LEAST


def _is_number(column: Column) -> bool:
    return column.kind in ("float", "integer") and column.role != "condition"


def _numbers(column: Column, real: Float[np.ndarray, " N"]) -> Float[np.ndarray, " L"]:
    """The numbers that a column holds again and again, none if it may hold any."""
    known = real[~np.isnan(real)]
    distinct = np.unique(known)
    coarse = len(distinct) <= min(MOST_LEVELS, len(known) / REPEATS) and column.kind == "float"
    return distinct if coarse and _usable(column, known) else np.empty(0)
