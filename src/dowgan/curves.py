"""Columns that lie on a curve of another: a turbine's power by the wind, a density by a concentration.

A normal process knows straight ties alone. Where a column strays far less from a curve of another one than from a
straight line, it is modelled as how far it strays from the curve, beside what is usual there. So is a column of a few
samples, such as a laboratory's, from a straight line: they tell no covariance at hundreds of lags, but what they go by.

Shapes: N rows, C columns (the schema's channels), R regimes, K knots.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from dowgan.lookup import ahead

KNOTS = 48  # of a curve
ROWS = 10  # of each knot, at least
ENOUGH = 40  # rows of a regime that has a curve of its own
TIGHT = 0.04  # share of a column's variance in rows that did not tell its curve, that lies off it at most
STEPS = 0.3  # of the squares of its steps, that the curve leaves at most: a smooth column needs none
ALIKE = 1.5  # times as much, that the other of two columns leaves, so that the earlier one is not put on its curve
HARDLY = 0.02  # share of the variance within regimes, from which the curve of a column with regimes need not bend
FEWER = 0.2  # of the squares of its steps, then
BENT = 0.7  # of what a straight line leaves, that the curve of a column beside such a one leaves at most; no more steps
STRAIGHT = 0.1  # of what a straight line leaves of it, that the curve leaves at most
TRIED = 0.5  # of the other half's rows, at least, that what is learned spans
RESTS = 0.02  # of a regime's rows in a row by a column, along which the other does not move
FLATS = 4  # such stretches
NEARLY = 0.02  # of the range of a column, by which a regime's curve may end off the fullest one's, to go on as that
LEAST = 0.1  # of the usual distance from the curve, that is reckoned with anywhere
FURTHER = 0.5  # of the range of a column, to which a curve of it goes on at either end
SAMPLES = 12  # values that tell a line of a column that is seldom known, at least
SELDOM = 0.1  # share of the rows in which it is
UNTOLD = 0.5  # of its variance, that the line leaves at most
MOST_COLUMNS = 40  # of which every pair is looked at
MOST_ROWS = 20_000  # that are looked at


@dataclass(frozen=True)
class Curve:
    """A column on a curve of another, in each regime.

    Attributes:
        column, of: the numbers of both.
        knots: [R K] values of the other, rising.
        middle: [R K] of the column there.
        spread: [R K] how far it usually strays.
        flat: [R K] whether it is at the middle from a knot to the next one, as a turbine rests below some wind.
        most: how far it strays at the least and at the most, beside that.
    """

    column: int
    of: int
    knots: Float[np.ndarray, "R K"]
    middle: Float[np.ndarray, "R K"]
    spread: Float[np.ndarray, "R K"]
    flat: Bool[np.ndarray, "R K"]
    most: tuple[float, float] = (-np.inf, np.inf)

    def off(self, values: Float[np.ndarray, "N C"], regime: Int[np.ndarray, " N"]) -> None:
        """Put how far the column is off the curve in its place."""
        middle, spread = self._at(values[:, self.of], regime)
        values[:, self.column] = (values[:, self.column] - middle) / spread

    def on(self, values: Float[np.ndarray, "N C"], regime: Int[np.ndarray, " N"]) -> None:
        """Put the column back in its place."""
        middle, spread = self._at(values[:, self.of], regime)
        off = np.clip(values[:, self.column], *self.most) * spread
        values[:, self.column] = middle + np.where(self._rests(values[:, self.of], regime), 0.0, off)

    def _rests(self, x: Float[np.ndarray, " N"], regime: Int[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
        """Where the column does not stray."""
        out = np.zeros(len(x), dtype=bool)
        for number in np.unique(regime) if self.flat.any() else ():
            rows = regime == number
            out[rows] = self.flat[number, np.clip(np.searchsorted(self.knots[number], x[rows], "right") - 1, 0, None)]
        return out

    def _at(
        self, x: Float[np.ndarray, " N"], regime: Int[np.ndarray, " N"]
    ) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
        middle, spread = np.full((2, len(x)), np.nan)
        for number in np.unique(regime):
            rows = regime == number
            for out, table in ((middle, self.middle), (spread, self.spread)):
                out[rows] = np.interp(x[rows], self.knots[number], table[number])
        return middle, spread


def fit_curves(
    values: Float[np.ndarray, "N C"], regime: Int[np.ndarray, " N"], places: Sequence[int], regimes: int
) -> tuple[Curve, ...]:
    """Find the columns that lie on a curve of another; none is a curve of one that lies on one itself.

    Args:
        values: of all rows in the order of time, NaN where missing.
        regime: of each.
        places: of the columns that may be such: numbers that become channels.
        regimes: how many there are.
    """
    if not 2 <= len(places) <= MOST_COLUMNS:
        return ()
    some = np.linspace(0, len(values) - 1, min(len(values), MOST_ROWS)).round().astype(int)
    seen, when = values[some], regime[some]
    pairs = [(y, x) for y in places for x in places if x != y]
    tried = {(y, x): found for y, x in pairs if (found := _tried(seen[:, [x, y]], when)) is not None}
    chosen: dict[int, int] = {}
    ranked = sorted(tried.items(), key=lambda item: item[1].left)
    bent = [(y, x) for (y, x), found in ranked if found.bent]
    tied = [(y, x) for (y, x), found in ranked if found.tied and regimes > 1 and not _rather_back(tried, y, x)]
    for y, x in (*bent, *tied):
        if y not in chosen and y not in chosen.values() and x not in chosen:
            chosen[y] = x
    for (y, x), found in tried.items():  # what is tied to a column on a curve bends with it
        bends = found.straight < BENT and found.steps < 1
        if x in chosen.values() and y not in chosen and y not in chosen.values() and bends:
            chosen[y] = x
    curves = [_curve(values, regime, y, x, regimes) for y, x in chosen.items()]
    straight = [_straight(values, y, x, regimes) for y, x in _of_samples(values, places, chosen).items()]
    return tuple(_within(curve, values, regime) for curve in (*curves, *straight))


def _of_samples(values: Float[np.ndarray, "N C"], places: Sequence[int], but: Container[int]) -> dict[int, int]:
    """The columns of a few samples that another one tells on a straight line, each with that one.

    Each sample is told by the line through the others (leave one out, Allen 1974).

    Args:
        but: columns that lie on curves.
    """
    known = ~np.isnan(values)
    seldom = [place for place in places if SAMPLES <= known[:, place].sum() <= SELDOM * len(values)]
    often = [place for place in places if place not in seldom and place not in but]
    out = {}
    for y in seldom:
        left = {x: _left_out(values[known[:, x] & known[:, y]][:, [x, y]]) for x in often}
        best = min(left, key=lambda x: left[x], default=None)
        if best is not None and left[best] < UNTOLD:
            out[y] = best
    return out


def _left_out(both: Float[np.ndarray, "N 2"]) -> float:
    """The share of the second column's variance that a straight line leaves of values that it was not fitted to."""
    x, y = both.T
    if len(both) < SAMPLES or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 1.0
    off = x - x.mean()
    rest = y - y.mean() - off * (off @ y) / (off @ off)
    lever = 1 / len(y) + off**2 / (off @ off)
    return float(np.sum((rest / (1 - lever)) ** 2) / np.sum(((y - y.mean()) / (1 - 1 / len(y))) ** 2))


def _straight(values: Float[np.ndarray, "N C"], y: int, x: int, regimes: int) -> Curve:
    """The straight line through known values, in all regimes."""
    both = values[~np.isnan(values[:, [x, y]]).any(axis=1)][:, [x, y]]
    slope, constant = np.polyfit(both[:, 0], both[:, 1], 1)
    span = float(np.nanmax(values[:, x]) - np.nanmin(values[:, x]))
    knots = np.nanmin(values[:, x]) + span * np.linspace(-FURTHER, 1 + FURTHER, KNOTS)
    spread = np.full(KNOTS, np.mean(np.abs(both[:, 1] - constant - slope * both[:, 0])) + 1e-12)
    knots, middle, spread = (np.tile(table, (regimes, 1)) for table in (knots, constant + slope * knots, spread))
    return Curve(y, x, knots, middle, spread, np.zeros(knots.shape, dtype=bool))


def _within(curve: Curve, values: Float[np.ndarray, "N C"], regime: Int[np.ndarray, " N"]) -> Curve:
    """The curve with how far the table's column strays from it."""
    own = values.copy()
    curve.off(own, regime)
    off = own[:, curve.column]
    return replace(curve, most=(float(np.nanmin(off)), float(np.nanmax(off))))


@dataclass(frozen=True)
class _Found:
    """What a curve of one half leaves of a column in the other half: of its variance, of its variance within regimes,
    of what a straight line leaves, and of the squares of its steps."""

    left: float
    within: float
    straight: float
    steps: float

    @property
    def bent(self) -> bool:
        """Whether it lies on a curve and on no straight line."""
        return self.left < TIGHT and self.straight < STRAIGHT and self.steps < STEPS

    @property
    def tied(self) -> bool:
        """Whether it lies so near that quantiles and a season of its own, in each regime, would take it further off."""
        return self.within < HARDLY and self.steps < FEWER


def lies_on(both: Float[np.ndarray, "N 2"], regime: Int[np.ndarray, " N"]) -> bool:
    """Return whether the second column lies on a curve of the first, in regimes, and is better told by that."""
    found = _tried(both, regime)
    return found is not None and (found.bent or found.tied)


def _rather_back(tried: dict[tuple[int, int], _Found], y: int, x: int) -> bool:
    """Whether of two columns that tell each other about as well the other one, which comes later, is told."""
    back = tried.get((x, y))
    return y < x and back is not None and back.tied and back.left < ALIKE * tried[y, x].left


_Rows = tuple[Float[np.ndarray, "_ 2"], Int[np.ndarray, " _"]]  # values of two columns, and the regime of each row


def _tried(both: Float[np.ndarray, "N 2"], regime: Int[np.ndarray, " N"]) -> _Found | None:
    """How well the second column is told by a curve of the first; None if there are too few rows to say.

    Learned is from the half that tells the other better: a calm one says nothing of strong winds.
    """
    known = ~np.isnan(both).any(axis=1)
    rows, own = both[known], regime[known]
    half = len(rows) // 2
    if half < KNOTS * ROWS:
        return None
    first, second, regimes = (rows[:half], own[:half]), (rows[half:], own[half:]), int(own.max()) + 1
    tried = (_learned(first, second, regimes), _learned(second, first, regimes))
    return min((found for found in tried if found is not None), key=lambda found: found.left, default=None)


def _learned(learned: _Rows, other: _Rows, regimes: int) -> _Found | None:
    """How well a curve of one half tells the other, in the regimes that it knows, and where it spans that."""
    x, y, told = 0, 1, _spanned(learned, other)
    (rows, when), (others, where) = learned, (other[0][told], other[1][told])
    if np.ptp(rows[:, y]) == 0 or told.mean() < TRIED:
        return None
    middle, _ = _curve(rows, when, y, x, regimes)._at(others[:, x], where)
    means = np.stack([rows[when == n if (when == n).any() else slice(None)].mean(axis=0) for n in range(regimes)])
    off, apart = rows - means[when], others - means[where]
    slope = float(off[:, x] @ off[:, y] / max(off[:, x] @ off[:, x], 1e-300))
    rest, line = others[:, y] - middle, apart[:, y] - slope * apart[:, x]
    whole, moves = np.mean((others[:, y] - rows[:, y].mean()) ** 2), np.mean(np.diff(others[:, y]) ** 2)
    left, steps = np.mean(rest**2), np.mean(np.diff(rest) ** 2)
    return _Found(
        left=float(left / (whole + 1e-300)),
        within=float(left / (np.mean(apart[:, y] ** 2) + 1e-300)),
        straight=float(left / (np.mean(line**2) + 1e-300)),
        steps=float(steps / (moves + 1e-300)),
    )


def _spanned(learned: _Rows, other: _Rows) -> Bool[np.ndarray, " _"]:
    """Which of the other rows lie within what those that are learned from span, in a regime with a curve of its own."""
    out = np.zeros(len(other[0]), dtype=bool)
    for number in np.unique(other[1]):
        span = learned[0][learned[1] == number, 0]
        if len(span) >= ENOUGH:
            out |= (other[1] == number) & (other[0][:, 0] >= span.min()) & (other[0][:, 0] <= span.max())
    return out


@dataclass(frozen=True)
class _Table:
    """Knots, the column there, how far it strays, and whether it rests up to the next knot; rising."""

    x: Float[np.ndarray, " K"]
    y: Float[np.ndarray, " K"]
    spread: Float[np.ndarray, " K"]
    flat: Bool[np.ndarray, " K"]

    @property
    def _parts(self) -> tuple[Shaped[np.ndarray, " _"], ...]:
        return self.x, self.y, self.spread, self.flat

    def at(self, x: float) -> tuple[float, float]:
        """Return the column and how far it strays, between the outer knots."""
        return float(np.interp(x, self.x, self.y)), float(np.interp(x, self.x, self.spread))

    def beyond(self, fullest: "_Table") -> "_Table":
        """Return it with the outer knots of another one, where that goes on from its ends."""
        before, behind = fullest.x < self.x[0], fullest.x > self.x[-1]
        wide = NEARLY * float(np.ptp(fullest.y))
        for rows, end in ((before, self.x[0]), (behind, self.x[-1])):
            (own, strays), (other, stray) = self.at(end), fullest.at(end)
            rows &= abs(own - other) <= 2 * (strays + stray) + wide
        parts = zip(self._parts, fullest._parts, strict=True)
        return _Table(*(np.concatenate([other[before], own, other[behind]]) for own, other in parts))

    def with_ends(self, span: float) -> "_Table":
        """Return it with a knot at either end beyond, where the curve goes on as it came to the outer knots.

        Args:
            span: of the values that tell it.
        """
        if len(self.x) < 2:
            return self
        far = np.array([self.x[0] - FURTHER * span, self.x[-1] + FURTHER * span])
        rests = self.flat[[0, -2]]
        ends = [ahead(self.x, self.y, far[0]), ahead(self.x[::-1], self.y[::-1], far[1])]
        first, last = np.where(rests, self.y[[0, -1]], ends)
        x, y = np.array([far[0], *self.x, far[1]]), np.array([first, *self.y, last])
        flat = np.array([rests[0], *self.flat[:-1], rests[1], False])
        return _Table(x, y, np.pad(self.spread, 1, mode="edge"), flat)

    def padded(self, knots: int) -> tuple[Shaped[np.ndarray, " _"], ...]:
        """Return its parts with so many knots, of which the last one stands for those that are not needed."""
        x, y, spread, flat = (np.pad(part, (0, knots - len(part)), mode="edge") for part in self._parts)
        return x + 1e-9 * np.ptp(x) * np.arange(knots), y, np.maximum(spread, LEAST * spread.mean() + 1e-12), flat


def _curve(values: Float[np.ndarray, "N C"], regime: Int[np.ndarray, " N"], y: int, x: int, regimes: int) -> Curve:
    """The medians along the other column, in each regime with rows enough or one value, of all rows in the others.

    A regime's curve goes on as that of the regime with the most rows where it comes to it.
    """
    known = ~np.isnan(values[:, [x, y]]).any(axis=1)
    most = int(np.bincount(regime[known], minlength=regimes).argmax())
    fullest = _medians(values[known & (regime == most), x], values[known & (regime == most), y])
    tables = []
    for number in range(regimes):
        rows = known & (regime == number)
        own = rows.sum() >= ENOUGH or (rows.any() and np.ptp(values[rows, y]) == 0)
        rows = rows if own else known
        table = fullest if own and number == most else _medians(values[rows, x], values[rows, y])
        if own and number != most:
            table = table.beyond(fullest)
        tables.append(table.with_ends(float(np.ptp(values[rows, x]))))
    width = max(len(table.x) for table in tables)
    knots, middle, spread, flat = (np.stack(part) for part in zip(*(t.padded(width) for t in tables), strict=True))
    return Curve(y, x, knots, middle, spread, flat)


def _medians(x: Float[np.ndarray, " N"], y: Float[np.ndarray, " N"]) -> _Table:
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    found = _knots(x, y, _flats(x, y))
    knots, middle = np.array([knot.x for knot in found]), np.array([knot.y for knot in found])
    off = np.abs(y - np.interp(x, knots, middle))
    spread = np.array([np.mean(off[knot.rows]) for knot in found])
    return _Table(knots, middle, spread, np.array([knot.rests for knot in found]))


@dataclass(frozen=True)
class _Knot:
    """A knot, the rows that tell how far the column strays there, and whether it rests up to the next knot."""

    x: float
    y: float
    rows: slice
    rests: bool = False


def _flats(x: Float[np.ndarray, " N"], y: Float[np.ndarray, " N"]) -> list[slice]:
    """The longest stretches of rising values along which the other column does not move."""
    first = np.flatnonzero(np.diff(x, prepend=-np.inf) > 0)  # equal values go together
    least, most = np.minimum.reduceat(y, first), np.maximum.reduceat(y, first)
    goes_on = (least[1:] == most[1:]) & (least[1:] == least[:-1]) & (most[1:] == most[:-1])
    begun = np.flatnonzero(np.append(True, ~goes_on))
    rows = np.append(first, len(x))
    parts = [slice(int(rows[a]), int(rows[b])) for a, b in pairwise([*begun.tolist(), len(first)]) if b - a > 1]
    long = [part for part in parts if part.stop - part.start >= max(ROWS, RESTS * len(x))]
    return sorted(sorted(long, key=lambda part: part.start - part.stop)[:FLATS], key=lambda part: part.start)


def _knots(x: Float[np.ndarray, " N"], y: Float[np.ndarray, " N"], flats: Sequence[slice]) -> list[_Knot]:
    """The knots of rising values: at the medians of parts, and at the ends of where the column does not move."""
    ends = [end for flat in flats for end in (flat.start, flat.stop)]
    starts = [part.start for part in _parts(x)]
    moving = [start for start in starts if not any(flat.start <= start < flat.stop for flat in flats)]
    out: list[_Knot] = []
    for first, last in pairwise(sorted({0, *ends, *moving, len(x)})):
        rows = slice(first, last)
        if rows in flats:
            out += [_Knot(x[first], y[first], rows, rests=True), _Knot(x[last - 1], y[first], rows)]
        elif last - first >= ROWS or not ends:
            near = ROWS // 2
            if first in ends:
                out.append(_Knot(x[first], np.median(y[first : first + near]), rows))
            out.append(_Knot(np.median(x[rows]), np.median(y[rows]), rows))
            if last in ends:
                out.append(_Knot(x[last - 1], np.median(y[last - near : last]), rows))
    return out


def _parts(x: Float[np.ndarray, " N"]) -> list[slice]:
    """Rising values in parts for the knots: half of them of as many rows, half of as wide a range; none of few rows."""
    half = KNOTS // 2 - 1
    even = np.concatenate([np.quantile(x, np.linspace(0, 1, half)), np.linspace(x[0], x[-1], half)])
    edges, out = np.searchsorted(x, np.unique(even)), [0]
    for edge in edges.tolist():
        if edge - out[-1] >= ROWS and len(x) - edge >= ROWS:
            out.append(edge)
    return [slice(first, last) for first, last in pairwise([*out, len(x)])]
