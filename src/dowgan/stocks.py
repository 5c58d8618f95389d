"""Stocks: what rises and falls by what flows in and out, such as a tank's level, a store's goods, a battery's charge.

What each row adds is a weighted sum of other columns, of the same row or of the one before. A stock is no channel: it
is added up from the flows that are made, and between given rows its change tells when a flow was switched.

Shapes: N rows, K given rows, C columns (the schema's channels), F flows, S starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.courses import numbers, resolution, rounded
from dowgan.relations import Relations
from dowgan.table.schema import Column, Run

KNOWN = 0.8  # share of the rows in which a stock and its flows are known, at least
LEAST_ROWS = 100  # in which what is added is known
LASTS = 1.5  # times the variance of a stock, that the variance of what rows add is at most: noise has twice its own
TOLD = 0.9  # share of the variance of what later rows add that flows must tell
TWIN = 0.8  # share of a stock's own variance, from which other columns show it too: it is then left as it is
ITSELF = 0.9  # of what is left, below which a column's own value tells what is added: it runs out by itself, as heat
LONG = 1_000  # rows, in which what flows do not tell adds up to less than
STRAYS = 0.5  # of a stock's spread
MATTERS = 1.1  # times the square that is left, by which it must grow without a flow that counts
NOTHING = 1e-12  # share of a variance that rounding of floats leaves
EXACTLY = 1e-6  # pieces that are lost or found at most, where pieces are counted
BACK = -0.25  # correlation of what is left in neighbouring rows, below which it is the error of measuring the stock
MOST_FLOWS = 30  # columns that may be flows
USUAL = (0.25, 0.75)  # quantiles between which a stock is what flows make it
WIDER = 1.15  # times the spread in the table, that of what is made is at most
LEAKS = (0.0, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)  # of the way back there, in each row
BEYOND = 0.1  # of a stock's range, by which it may leave it
STARTS = 64  # values from which a series that is made may begin
CLEARLY = 4.0  # times the error of what is added, by which a switch must change it to be told


@dataclass(frozen=True)
class Stock:
    """A column that flows add up to.

    Attributes:
        column: its number.
        flows: numbers of the columns that flow.
        written: decimals of each, None for all that a float has.
        weights: [F] what one unit of each adds in a row.
        constant: what is added beside them.
        lag: rows by which a flow comes before what it adds, 0 or 1.
        error: root mean square of what flows do not tell.
        measured: whether that is the error of measuring the stock, which does not add up.
        decimals: with which it is written, None for all that a float has.
        gain: mean of what a row adds in the table.
        bounds: between which it stays: those in the table and a tenth of the way between them beyond, as far as the
            column may go.
        lowest: how little each flow may be.
        counted: which of them are counted in pieces as the stock is, so that they may make up for what it leaks.
        starts: [S] values in the table, evenly spread over its rows.
        leak: share of the way back to their middle half in each row of a series that is made: a controller that keeps
            a level in its range is not known by itself.
        bias: what flows that are made add more in a row than those of the table.
    """

    column: int
    flows: tuple[int, ...]
    written: tuple[int | None, ...]
    weights: Float[np.ndarray, " F"]
    constant: float
    lag: int
    error: float
    measured: bool
    decimals: int | None
    gain: float
    bounds: tuple[float, float]
    lowest: tuple[float, ...]
    counted: tuple[bool, ...]
    starts: Float[np.ndarray, " S"]
    leak: float = 0.0
    bias: float = 0.0

    def words(self, names: Sequence[str]) -> str:
        flows = " and ".join(f"'{names[flow]}'" for flow in self.flows)
        return f"'{names[self.column]}' adds up what {flows} let{'s' if len(self.flows) == 1 else ''} in and out"

    def net(self, values: Float[np.ndarray, "N C"]) -> Float[np.ndarray, " N"]:
        """Return what the flows of each row, as they are written, add to that row or to the next."""
        flows = [rounded(values[:, flow], decimals) for flow, decimals in zip(self.flows, self.written, strict=True)]
        return self.constant + np.stack(flows, axis=1) @ self.weights

    def _in_time(self, net: Float[np.ndarray, " N"]) -> Float[np.ndarray, " M"]:
        """Of what flows add: the part that each row but the first gets."""
        return net[1:] if self.lag == 0 else net[:-1]

    def fill(
        self, values: Float[np.ndarray, "N C"], known: Float[np.ndarray, " N"], chance: Float[np.ndarray, " N"]
    ) -> None:
        """Put the stock in place in a series that is made, from the first row's on.

        Args:
            values: of all columns; of the stock the first row's.
            known: values of it that are given, NaN elsewhere.
            chance: standard normal, of what flows do not tell; zeros for the middle of many paths.
        """
        net, (low, high) = self.net(values) - self.bias, self._bounds(values[:1])
        stock, (below, above) = float(values[0, self.column]), np.quantile(self.starts, USUAL).tolist()
        noise = self.error * chance
        added = self._in_time(net) + (0.0 if self.measured else noise[1:])
        for row, more in enumerate(added.tolist(), 1):
            stock += more - self.leak * (stock - min(max(stock, below), above))
            stock = min(max(stock, low), high)
            stock = stock if np.isnan(known[row]) else float(known[row])
            values[row, self.column] = stock
        if self.measured:
            open_rows = np.isnan(known) & (np.arange(len(values)) > 0)
            values[open_rows, self.column] += noise[open_rows] / np.sqrt(2)
        values[:, self.column] = rounded(values[:, self.column], self.decimals)

    def put(
        self,
        values: Float[np.ndarray, "N C"],
        known: Float[np.ndarray, "N C"],
        chance: Float[np.ndarray, " N"],
        rules: Relations,
    ) -> None:
        """Do what `fill` does, and let flows that are counted make up for what the stock leaks: no goods are lost.

        Args:
            known: what is given of all columns, NaN elsewhere.
            rules: that hold beside it, for columns that go by the flows.
        """
        own = [*self.flows]
        values[:, own] = np.where(np.isnan(known[:, own]), np.maximum(values[:, own], self.lowest), values[:, own])
        self.fill(values, known[:, self.column], chance)
        if not any(self.counted) or self.error > EXACTLY:
            return
        means = values[:, own].mean(axis=0)
        missing = np.diff(values[:, self.column]) - self._in_time(self.net(values))
        for row in np.flatnonzero(np.abs(missing) > EXACTLY).tolist():
            self._make_up(values[row + 1 - self.lag], known[row + 1 - self.lag], missing[row], means)
        sure, own = known.copy(), [*own, self.column]
        sure[:, own] = values[:, own]
        values[:] = rules.keep(values, sure)

    def _make_up(
        self,
        row: Float[np.ndarray, " C"],
        known: Float[np.ndarray, " C"],
        missing: float,
        means: Float[np.ndarray, " F"],
    ) -> None:
        """Add to a counted flow, in place, what a row lacks: if it can be, to one that comes nearer to its mean."""
        changed: list[tuple[bool, int, float]] = []
        each = zip(self.flows, self.weights, self.lowest, self.counted, means, strict=True)
        for flow, weight, low, counted, mean in each:
            wanted = np.rint(row[flow]) + np.rint(missing / weight)
            if counted and np.isnan(known[flow]) and wanted >= low:
                changed.append(((mean - row[flow]) * (wanted - row[flow]) <= 0, flow, float(wanted)))
        if changed:
            _, flow, wanted = min(changed)
            row[flow] = wanted

    def between(self, coarse: Float[np.ndarray, "K C"], fine: Float[np.ndarray, "N C"], ratio: int) -> None:
        """Put the stock in place between given rows: as flows add, the rest of its change evenly.

        Args:
            coarse: the given rows.
            fine: rows whose stock is put in place.
            ratio: rows of the table from one given row to the next.
        """
        known = np.flatnonzero(~np.isnan(coarse[:, self.column]))
        if not len(known):
            return
        factor = (len(fine) - 1) // (len(coarse) - 1)
        net = self.net(fine) * ratio / factor
        so_far = np.append(0.0, np.cumsum(self._in_time(net)))
        knots, given = known * factor, coarse[known, self.column]
        off = np.interp(np.arange(len(fine)), knots, given - so_far[knots])
        fine[:, self.column] = np.clip(so_far + off, *self._bounds(coarse))
        fine[knots, self.column] = given

    def _bounds(self, known: Float[np.ndarray, "K C"]) -> tuple[float, float]:
        """Between which it stays where it was already in those rows."""
        own = known[:, self.column]
        return float(np.nanmin(own, initial=self.bounds[0])), float(np.nanmax(own, initial=self.bounds[1]))

    def switched(
        self, coarse: Float[np.ndarray, "K C"], factor: int, ratio: int
    ) -> tuple[Int[np.ndarray, " G"], Bool[np.ndarray, " G"]]:
        """Return, for each gap between given rows, the first new row of it at which flows are those behind the gap,
        if they are switched once; and whether the stock tells.

        Args:
            coarse: the given rows, G + 1 of them.
            factor: new rows per given row.
            ratio: rows of the table from one given row to the next.
        """
        net = self.net(coarse) * ratio / factor
        change, apart = np.diff(coarse[:, self.column]), net[:-1] - net[1:]
        clear = np.abs(apart) > CLEARLY * self.error * ratio / factor
        rows = (change - factor * net[1:]) / np.where(clear, apart, 1.0) + (1 - self.lag)
        told = clear & ~np.isnan(rows)
        return np.clip(np.rint(np.nan_to_num(rows)), 1, factor).astype(int), told


def find_stocks(columns: Sequence[Column], runs: Sequence[Run], taken: Sequence[int]) -> tuple[Stock, ...]:
    """Find the numbers that flows add up to.

    Args:
        columns: the schema's channels.
        runs: of the table.
        taken: numbers of columns that are none.
    """
    known = 1 - np.isnan(np.concatenate([run.values for run in runs])).mean(axis=0)
    flows = [i for i in numbers(columns) if i not in taken and known[i] > KNOWN]
    out: list[Stock] = []
    for place in flows:
        others = [i for i in flows if i != place and i not in [stock.column for stock in out]]
        codes = columns[place].levels and not columns[place].counts
        if codes or not 0 < len(others) <= MOST_FLOWS:
            continue
        tries = [found for lag in (0, 1) if (found := _stock(columns, place, others, lag, runs)) is not None]
        if tries:
            out.append(min(tries, key=lambda found: found.error))
    return tuple(out)


def _stock(columns: Sequence[Column], place: int, others: Sequence[int], lag: int, runs: Sequence[Run]) -> Stock | None:
    """A column as the stock of some of the others."""
    own = np.concatenate([run.values[1:, place] for run in runs])
    added = np.concatenate([np.diff(run.values[:, place]) for run in runs])
    beside = np.concatenate([run.values[1:] for run in runs])
    values = np.concatenate([run.values[1 - lag : len(run.values) - lag] for run in runs])
    unknown = np.isnan(np.column_stack([added, values[:, list(others)], beside[:, list(others)]]))
    rows = ~unknown.any(axis=1)
    own, added, beside, values = (part[rows] for part in (own, added, beside, values))
    if len(own) < LEAST_ROWS or not 0 < np.var(added) < LASTS * np.var(own):
        return None
    flows, left = list(others), _left(added, values[:, list(others)])
    if left > 1 - TOLD or _left(own, beside[:, flows]) < 1 - TWIN:
        return None
    if _left(added, np.column_stack([values[:, flows], own - added])) < ITSELF * left:
        return None
    for flow in others:
        fewer = [i for i in flows if i != flow]
        without = _left(added, values[:, fewer])
        if without < max(MATTERS * left, NOTHING):
            flows, left = fewer, without
    constant, *weights = _regression(added, values[:, flows])
    off = added - constant - values[:, flows] @ np.array(weights)
    starts = own[np.linspace(0, len(own) - 1, STARTS).round().astype(int)]
    error, measured = float(np.sqrt(np.mean(off**2))), bool(off[1:] @ off[:-1] < BACK * (off @ off))
    if not measured and error * np.sqrt(LONG) > STRAYS * own.std():
        return None
    return Stock(
        column=place,
        flows=tuple(flows),
        written=tuple(resolution(columns[flow]) for flow in flows),
        weights=np.array(weights),
        constant=float(constant),
        lag=lag,
        error=error,
        measured=measured,
        decimals=resolution(columns[place]),
        gain=float(added.mean()),
        bounds=_bounds(columns[place], own),
        lowest=tuple(_lowest(columns[flow]) for flow in flows),
        counted=tuple(_counted(columns[place], columns[flow]) for flow in flows),
        starts=starts,
    )


def _bounds(column: Column, values: Float[np.ndarray, " N"]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if column.levels:  # a count of few values has no others
        return low, high
    beyond = BEYOND * (high - low)
    low, high = low - beyond, high + beyond
    low = max(low, _lowest(column))
    return low, high if column.upper is None else min(high, float(column.upper))


def _lowest(column: Column) -> float:
    return -np.inf if column.lower is None else float(column.lower)


def _counted(stock: Column, flow: Column) -> bool:
    return stock.kind == "integer" == flow.kind and (not flow.levels or flow.counts)


def _left(target: Float[np.ndarray, " N"], known: Float[np.ndarray, "N F"]) -> float:
    """Share of the variance of the later half that a regression on the first half leaves."""
    half = len(target) // 2
    constant, *weights = _regression(target[:half], known[:half])
    off = target[half:] - constant - known[half:] @ np.array(weights)
    return float(np.mean(off**2) / max(np.var(target[half:]), 1e-300))


def _regression(target: Float[np.ndarray, " N"], known: Float[np.ndarray, "N F"]) -> Float[np.ndarray, " G"]:
    """Constant and weights of least squares."""
    return np.linalg.lstsq(np.column_stack([np.ones(len(target)), known]), target, rcond=None)[0]


def held(stock: Stock, runs: Sequence[Float[np.ndarray, "_N C"]]) -> Stock:
    """Return a stock that lies in drawn runs where it does in the table, and strays as far.

    Args:
        stock: as found.
        runs: drawn ones, of which the flows count.
    """
    bias = float(np.concatenate([stock.net(run) for run in runs]).mean()) - stock.gain
    for leak, own in ((0.0, 0.0), *((leak, bias) for leak in LEAKS)):
        tried, parts = replace(stock, leak=leak, bias=own), [run.copy() for run in runs]
        for part in parts:
            tried.fill(part, np.full(len(part), np.nan), np.zeros(len(part)))
        if np.concatenate([part[:, stock.column] for part in parts]).std() < WIDER * stock.starts.std():
            break
    return tried
