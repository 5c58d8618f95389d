"""Regimes that go by a stock: a pump starts at a high level and stops at a low one, goods come when few are left.

From each stretch of a regime on, one follows that followed the same regime in the table where the stock was about as
high, and it lasts until the stock is where that one left it.

Shapes: M stretches, N rows, R regimes.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dowgan.model import Model
from dowgan.stocks import Stock
from dowgan.stretch import MANY_RUNS

NOTHING = np.empty(0)
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

    def _drawn(self, some: Int[np.ndarray, " K"], stock: float, rng: np.random.Generator) -> int:
        """Draw one of some stretches that began about where the stock is."""
        nearest = some[np.argsort(np.abs(self.begun[some] - stock), kind="stable")[:NEAREST]]
        return int(nearest[rng.integers(len(nearest))])

    def _under_way(self, regime: int, stock: float) -> Int[np.ndarray, " K"]:
        """Stretches of a regime that would go on where the stock is; all of that regime if none would."""
        same = np.flatnonzero(self.regime == regime)
        ahead = (self.ended[same] - stock) * self.net[regime] > 0
        return same[ahead] if ahead.any() else same

    def _rows_of(self, place: int, stock: float, beside: Float[np.ndarray, " N"], lasted: int) -> int:
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

    def steer(
        self,
        rows: int,
        stock: float,
        rng: np.random.Generator,
        now: tuple[int, int] | None = None,
        beside: Float[np.ndarray, " N"] = NOTHING,
    ) -> Int[np.ndarray, " T"]:
        """Draw a course of regimes.

        Args:
            rows: length of the course.
            stock: before the flows of its first row.
            rng: draws.
            now: the regime before the first row and for how many rows it has lasted; None if nothing was before.
            beside: what rows add beside the mean of their regime, as far as that is known.
        """
        every = np.arange(len(self.regime))
        regime, lasted = (-1, 0) if now is None else now
        possible = every if now is None else self._under_way(regime, stock)
        if not len(possible):
            return np.full(rows, max(regime, 0))
        place = self._drawn(possible, stock - lasted * (self.net[regime] if lasted else 0.0), rng)
        filled, parts = 0, []
        while True:
            regime = int(self.regime[place])
            length = self._rows_of(place, stock, beside[filled:], lasted)
            parts.append(np.full(length, regime))
            if filled + length >= rows:
                return np.concatenate(parts)[:rows]
            stock += length * self.net[regime] + float(beside[filled : filled + length].sum())
            filled, lasted = filled + length, 0
            follow = every[self.before == regime]
            place = self._drawn(follow if len(follow) else every, stock, rng)

    def beside(
        self, stock: Stock, course: Int[np.ndarray, " N"], values: Float[np.ndarray, "N C"]
    ) -> Float[np.ndarray, " N"]:
        """Return what the flows of rows add to a stock beside the mean of their regime."""
        return stock.net(values) - self.net[course]


def stretches(model: Model) -> Stretches:
    """Return the stretches of a model's runs but for the last of each, which was cut off, and its first stock there."""
    past, regimes = model.past, len(model.channels.regimes)
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
    few, regimes = len(model.past) < MANY_RUNS, model.channels.regimes
    return bool(model.stocks) and regimes.found and few and not regimes.scheduled and model.timetable is None
