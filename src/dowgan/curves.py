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
from jaxtyping import Float, Int

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
        most: how far it strays at the least and at the most, beside that.
    """

    column: int
    of: int
    knots: Float[np.ndarray, "R K"]
    middle: Float[np.ndarray, "R K"]
    spread: Float[np.ndarray, "R K"]
    most: tuple[float, float] = (-np.inf, np.inf)

    def off(self, values: Float[np.ndarray, "N C"], regime: Int[np.ndarray, " N"]) -> None:
        """Put how far the column is off the curve in its place."""
        middle, spread = self._at(values[:, self.of], regime)
        values[:, self.column] = (values[:, self.column] - middle) / spread

    def on(self, values: Float[np.ndarray, "N C"], regime: Int[np.ndarray, " N"]) -> None:
        """Put the column back in its place."""
        middle, spread = self._at(values[:, self.of], regime)
        values[:, self.column] = middle + np.clip(values[:, self.column], *self.most) * spread

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
    return Curve(y, x, knots, middle, spread)


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


def _rather_back(tried: dict[tuple[int, int], _Found], y: int, x: int) -> bool:
    """Whether of two columns that tell each other about as well the other one, which comes later, is told."""
    back = tried.get((x, y))
    return y < x and back is not None and back.tied and back.left < ALIKE * tried[y, x].left


def _tried(both: Float[np.ndarray, "N 2"], regime: Int[np.ndarray, " N"]) -> _Found | None:
    """How well the second column is told by a curve of the first; None if there are too few rows to say.

    The half in which the first spans more is learned from: a calm one says nothing of strong winds.
    """
    x, y, known = 0, 1, ~np.isnan(both).any(axis=1)
    rows, own = both[known], regime[known]
    half = len(rows) // 2
    if half < KNOTS * ROWS:
        return None
    halves = [(rows[:half], own[:half]), (rows[half:], own[half:])]
    (learned, when), (other, where) = sorted(halves, key=lambda one: -np.ptp(one[0][:, x]))
    if np.ptp(learned[:, y]) == 0:
        return None
    regimes = range(int(own.max()) + 1)
    middle, _ = _curve(learned, when, y, x, len(regimes))._at(other[:, x], where)
    means = np.stack([learned[when == n if (when == n).any() else slice(None)].mean(axis=0) for n in regimes])
    off, apart = learned - means[when], other - means[where]
    slope = float(off[:, x] @ off[:, y] / max(off[:, x] @ off[:, x], 1e-300))
    rest, line = other[:, y] - middle, apart[:, y] - slope * apart[:, x]
    whole, moves = np.mean((other[:, y] - learned[:, y].mean()) ** 2), np.mean(np.diff(other[:, y]) ** 2)
    left, steps = np.mean(rest**2), np.mean(np.diff(rest) ** 2)
    return _Found(
        left=float(left / (whole + 1e-300)),
        within=float(left / (np.mean(apart[:, y] ** 2) + 1e-300)),
        straight=float(left / (np.mean(line**2) + 1e-300)),
        steps=float(steps / (moves + 1e-300)),
    )


def _curve(values: Float[np.ndarray, "N C"], regime: Int[np.ndarray, " N"], y: int, x: int, regimes: int) -> Curve:
    """The medians along the other column, in each regime that has rows enough, of all rows in the others."""
    knots, middle, spread = np.empty((3, regimes, KNOTS))
    known = ~np.isnan(values[:, [x, y]]).any(axis=1)
    for number in range(regimes):
        rows = known & (regime == number)
        rows = rows if rows.sum() >= ENOUGH else known
        knots[number], middle[number], spread[number] = _medians(values[rows, x], values[rows, y])
    return Curve(y, x, knots, middle, spread)


def _medians(
    x: Float[np.ndarray, " N"], y: Float[np.ndarray, " N"]
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    parts = _parts(x)
    knots, middle = (np.array([np.median(values[part]) for part in parts]) for values in (x, y))
    off = np.abs(y - np.interp(x, knots, middle))
    spread = np.array([np.mean(off[part]) for part in parts])
    if len(parts) > 1:  # beyond the outer medians the curve goes on as it came to them
        beyond = np.array([knots[0] - FURTHER * np.ptp(x), knots[-1] + FURTHER * np.ptp(x)])
        ends = ahead(knots, middle, beyond[0]), ahead(knots[::-1], middle[::-1], beyond[1])
        knots, middle = np.array([beyond[0], *knots, beyond[1]]), np.array([ends[0], *middle, ends[1]])
        spread = np.pad(spread, 1, mode="edge")
    more = KNOTS - len(knots)  # the last one stands for those that are not needed
    knots, middle, spread = (np.pad(table, (0, more), mode="edge") for table in (knots, middle, spread))
    return knots + 1e-9 * np.ptp(knots) * np.arange(KNOTS), middle, np.maximum(spread, LEAST * spread.mean() + 1e-12)


def _parts(x: Float[np.ndarray, " N"]) -> list[slice]:
    """Rising values in parts for the knots: half of them of as many rows, half of as wide a range; none of few rows."""
    half = KNOTS // 2 - 1
    even = np.concatenate([np.quantile(x, np.linspace(0, 1, half)), np.linspace(x[0], x[-1], half)])
    edges, out = np.searchsorted(x, np.unique(even)), [0]
    for edge in edges.tolist():
        if edge - out[-1] >= ROWS and len(x) - edge >= ROWS:
            out.append(edge)
    return [slice(first, last) for first, last in pairwise([*out, len(x)])]
