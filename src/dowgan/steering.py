"""Regimes that go by a stock: a pump starts at a high level and stops at a low one, goods come when few are left.

From each stretch of a regime on, one follows that followed the same regime in the table where the stock was about as
high, and it lasts until the stock is where that one left it.

Shapes: M stretches, N rows, R regimes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dowgan.model import Model, Past
from dowgan.stretch import MANY_RUNS

NEAREST = 5  # stretches that began where the stock is, one of which is followed
LONGER = 4  # times its rows, at which a stretch ends at last


@dataclass(frozen=True)
class Stretches:
    """Those of the table.

    Attributes:
        regime, rows: [M] of each.
        before: [M] regime before it, -1 at the start of a run.
        begun, ended: [M] the stock before the flows of its first row, and before those of the first one behind it.
        net: [R] what a row of each regime adds.
    """

    regime: Int[np.ndarray, " M"]
    rows: Int[np.ndarray, " M"]
    before: Int[np.ndarray, " M"]
    begun: Float[np.ndarray, " M"]
    ended: Float[np.ndarray, " M"]
    net: Float[np.ndarray, " R"]

    def drawn(self, some: Int[np.ndarray, " K"], stock: float, rng: np.random.Generator) -> int:
        """Draw one of some stretches that began about where the stock is."""
        nearest = some[np.argsort(np.abs(self.begun[some] - stock), kind="stable")[:NEAREST]]
        return int(nearest[rng.integers(len(nearest))])

    def under_way(self, regime: int, lasted: int, stock: float) -> Int[np.ndarray, " K"]:
        """Stretches of a regime that would go on where it has lasted so long and the stock is there; all if none is."""
        same = np.flatnonzero(self.regime == regime)
        ahead = (self.ended[same] - stock) * self.net[regime] > 0
        return same[ahead] if ahead.any() else same

    def rows_of(self, place: int, stock: float, beside: Float[np.ndarray, " N"], lasted: int = 0) -> int:
        """For how many rows a stretch goes on from where the stock is, until it is where that of the table ended.

        Args:
            place: of the table's stretch.
            stock: at its next row here.
            beside: what rows add beside the mean of their regime.
            lasted: rows that it has gone on for.
        """
        usual, most = max(int(self.rows[place]) - lasted, 1), LONGER * int(self.rows[place])
        added = np.full(most, self.net[self.regime[place]])
        added[: len(beside)] += beside[:most]
        left = self.ended[place] - stock
        if left * self.net[self.regime[place]] <= 0:
            return usual
        off = np.cumsum(added) * np.sign(left) - abs(left)
        there = int(np.argmax(off >= 0)) if (off >= 0).any() else most - 1
        return there + (1 if there == 0 or off[there] <= -off[there - 1] else 0)  # where it is nearest


def stretches(past: Sequence[Past], regimes: int) -> Stretches:
    """Return the stretches of runs but for the last of each, which was cut off."""
    parts = [(p.regime[:-1, 0], p.regime[:-1, 1], p.stocks[:-1, 0], p.stocks[1:, 0]) for p in past]
    regime, rows, begun, ended = (np.concatenate(part) for part in zip(*parts, strict=True))
    before = np.concatenate([np.append(-1, own[:-1]) if len(own) else own for own, *_ in parts])
    added, count = np.zeros((2, regimes))
    np.add.at(added, regime, ended - begun)
    np.add.at(count, regime, rows)
    return Stretches(regime, rows, before, begun, ended, added / np.maximum(count, 1))


def steers(model: Model) -> bool:
    """Whether the regimes of a model go by its first stock: they were found, and neither the clock nor the place in
    one of many runs tells them."""
    few = len(model.past) < MANY_RUNS
    return bool(model.stocks) and model.channels.found and few and model.timetable is None


def steer(
    model: Model,
    rows: int,
    stock: float,
    rng: np.random.Generator,
    now: tuple[int, int] | None = None,
    beside: Float[np.ndarray, " N"] | None = None,
) -> Int[np.ndarray, " T"]:
    """Draw a course of regimes.

    Args:
        model: fitted.
        rows: length of the course.
        stock: before the flows of its first row.
        rng: draws.
        now: the regime before the first row and for how many rows it has lasted; None if nothing was before.
        beside: what rows add beside the mean of their regime, as far as that is known.
    """
    table = stretches(model.past, len(model.channels.regimes))
    every, beside = np.arange(len(table.regime)), np.empty(0) if beside is None else beside
    regime, lasted = (-1, 0) if now is None else now
    possible = every if now is None else table.under_way(regime, lasted, stock)
    if not len(possible):
        return np.full(rows, max(regime, 0))
    place = table.drawn(possible, stock - lasted * (table.net[regime] if lasted else 0.0), rng)
    filled, out = 0, np.empty(0, dtype=int)
    length = table.rows_of(place, stock, beside, lasted)
    while True:
        regime = int(table.regime[place])
        out = np.append(out, np.full(length, regime))
        if len(out) >= rows:
            return out[:rows]
        stock += length * table.net[regime] + float(beside[filled : filled + length].sum())
        filled += length
        follow = every[table.before == regime]
        place = table.drawn(follow if len(follow) else every, stock, rng)
        length = table.rows_of(place, stock, beside[filled:])


def beside_of(model: Model, course: Int[np.ndarray, " N"], values: Float[np.ndarray, "N C"]) -> Float[np.ndarray, " N"]:
    """Return what the flows of rows add to the first stock beside the mean of their regime."""
    return model.stocks[0].net(values) - stretches(model.past, len(model.channels.regimes)).net[course]
