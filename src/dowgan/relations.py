"""What always held between columns, and is kept: equal values, one value never above another, sums, what others tell
exactly (formulas.py) or by limits (alarms.py); and empty ranges.

A price's low is never above its high, what flows in flows out, fractions make up one, a pump stands or delivers twenty.
What held in every row of the fitted table, and would not have held by chance, holds in what is made.

Shapes: N rows, C columns (the schema's channels).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float

from dowgan.alarms import Alarm, find_alarms
from dowgan.courses import free_numbers, numbers
from dowgan.formula import Formula
from dowgan.formulas import find_formulas
from dowgan.lookup import Lookup, find_lookups
from dowgan.sums import LOOK, Sum, find_sums
from dowgan.table.schema import Column

FEWEST = 50  # rows in which both columns must be known
CHANCE = 0.05  # share of the rows, put together at random, that must break a rule that does not hold by chance
EXPECTED = 30  # rows that must break it then
TRIED = 10_000  # rows put together at random
BLOCKS = 8  # of time, in half of which at least a column must come near the one that it never crosses:
NEAR = 0.5  # nearer than this share of their usual distance
OFTEN = 1 / 3  # share of the rows in which a count changes
WIDE = 0.2  # share of a column's range that is empty
FEW = 0.02  # share of the rows on either side of it
EXCEPTIONS = 0.01  # share of the rows in which a rule may be broken before it is told


@dataclass(frozen=True)
class End:
    """A column that others never cross.

    Attributes:
        place: its number.
        others: those next to it.
        sign: 1 if it is never below them, -1 if it is never above.
    """

    place: int
    others: tuple[int, ...]
    sign: float

    def nearest(self, values: Float[np.ndarray, "N C"]) -> Float[np.ndarray, " N"]:
        """Return the nearest of the others, NaN where one is missing."""
        return self.sign * np.max(self.sign * values[:, list(self.others)], axis=1)


Rule = TypeVar("Rule", Sum, Formula, Alarm, Lookup)


@dataclass(frozen=True)
class Relations:
    """Rules between columns, by their numbers.

    Attributes:
        same: (column, the earlier column that it equals).
        below: (lower, upper) column, sorted so that a chain comes from its lowest column on.
        sums: columns that add up.
        empty: (column, low, high) between which it never lies, though on both sides.
        formulas: columns that others tell exactly, each after those that it is worked out from.
        alarms: columns of two levels that limits of others tell.
        lookups: columns that another one tells along a curve.
    """

    same: tuple[tuple[int, int], ...] = ()
    below: tuple[tuple[int, int], ...] = ()
    sums: tuple[Sum, ...] = ()
    empty: tuple[tuple[int, float, float], ...] = ()
    formulas: tuple[Formula, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    lookups: tuple[Lookup, ...] = ()

    @property
    def _told(self) -> tuple[Formula | Alarm | Lookup, ...]:
        return (*self.formulas, *self.alarms, *self.lookups)

    def without(self, columns: Sequence[int]) -> "Relations":
        """Return the rules of the other columns, and what is equal."""
        out = set(columns)
        return replace(
            self,
            below=tuple(pair for pair in self.below if not set(pair) & out),
            sums=tuple(rule for rule in self.sums if not rule.members & out),
            empty=tuple(rule for rule in self.empty if rule[0] not in out),
            formulas=tuple(rule for rule in self.formulas if not rule.members & out),
            alarms=tuple(rule for rule in self.alarms if not rule.members & out),
            lookups=tuple(rule for rule in self.lookups if not rule.members & out),
        )

    def unbroken(self, values: Float[np.ndarray, "N C"]) -> "Relations":
        """Return the rules that hold in other rows too, where those are known: columns may cross later than the fit."""
        return replace(
            self,
            same=tuple((a, b) for a, b in self.same if not _unequal(values, a, b).any()),
            below=tuple((low, high) for low, high in self.below if not np.any(values[:, low] > values[:, high])),
            sums=holding(self.sums, values),
            formulas=holding(self.formulas, values),
            alarms=holding(self.alarms, values),
            lookups=holding(self.lookups, values),
            empty=tuple(
                (place, low, high)
                for place, low, high in self.empty
                if not np.any((values[:, place] > low) & (values[:, place] < high))
            ),
        )

    def keep(self, values: Float[np.ndarray, "N C"], given: Float[np.ndarray, "N C"]) -> Float[np.ndarray, "N C"]:
        """Return the values with what is given put in and the rules kept.

        Two values that break a rule meet half way. What is left, beside given values, follows from the lowest column up
        and then from the highest one down. What others tell is worked out first, so that other rules go by it, and once
        more from what these have changed.

        Args:
            values: as they were made.
            given: what must stay as it is, NaN elsewhere.
        """
        known = ~np.isnan(given)
        out = np.where(known, given, values)
        for place, first in self.same:
            told = known[:, place] & ~known[:, first]
            out[told, first], known[told, first] = out[told, place], True
        sure = known.copy()
        for lookup in self.lookups:
            lookup.keep(out, sure)
        for formula in self.formulas:
            sure[:, formula.place] |= formula.keep(out, sure)
        self._keep_others(out, sure)
        for lookup in self.lookups:
            lookup.keep(out, known)
        for formula in self.formulas:
            formula.keep(out, known)
        for place, first in self.same:
            out[:, place] = np.where(known[:, place], given[:, place], out[:, first])
        for alarm in self.alarms:
            alarm.keep(out, known)
        return out

    def _keep_others(self, out: Float[np.ndarray, "N C"], known: Bool[np.ndarray, "N C"]) -> None:
        """Keep the empty ranges, the order and the sums, in place, where values are not known."""
        for place, lowest, highest in self.empty:
            inside = (out[:, place] > lowest) & (out[:, place] < highest) & ~known[:, place]
            out[inside, place] = np.where(out[inside, place] < (lowest + highest) / 2, lowest, highest)
        for low, high in self.below:
            wrong = (out[:, low] > out[:, high]) & ~known[:, low] & ~known[:, high]
            out[wrong, low] = out[wrong, high] = (out[wrong, low] + out[wrong, high]) / 2
        for low, high in self.below:
            wrong = (out[:, low] > out[:, high]) & ~known[:, high]
            out[wrong, high] = out[wrong, low]
        for low, high in reversed(self.below):
            wrong = (out[:, low] > out[:, high]) & ~known[:, low]
            out[wrong, low] = out[wrong, high]
        for rule in self.sums:
            rule.keep(out, known)

    def broken(self, values: Float[np.ndarray, "N C"], names: Sequence[str]) -> dict[int, str]:
        """Return what to say of each column that does not keep an equation, by its number."""
        rules = [
            (place, f"'{names[place]}' = '{names[first]}'", _unequal(values, place, first))
            for place, first in self.same
        ]
        rules += [
            (rule.parts[-1] if rule.total is None else rule.total, rule.words(names), rule.misses(values))
            for rule in self.sums
        ]
        rules += [(rule.place, rule.words(names), rule.misses(values)) for rule in self._told]
        text = "breaks the rule that {equation} in {share:.0%} of the rows, which no real one does"
        shares = [(place, equation, float(off.mean())) for place, equation, off in rules]
        return {place: text.format(equation=e, share=share) for place, e, share in shares if share > EXCEPTIONS}

    def ends(self) -> tuple[End, ...]:
        """Return the columns that are only ever above others, and those only ever below such as are no ends."""
        lows, highs = {low for low, _ in self.below}, {high for _, high in self.below}
        tops = highs - lows
        above = [End(top, tuple(low for low, high in self.below if high == top), 1.0) for top in sorted(tops)]
        under = [End(b, tuple(high for low, high in self.below if low == b), -1.0) for b in sorted(lows - highs)]
        return (*above, *(end for end in under if not tops & set(end.others)))

    def words(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return one sentence for each rule."""
        return (
            *(f"'{names[place]}' always equals '{names[first]}', and is kept so" for place, first in self.same),
            *(f"'{names[low]}' is never above '{names[high]}', and is kept so" for low, high in self.below),
            *(f"{rule.words(names)}, and is kept so" for rule in self.sums),
            *(f"{rule.words(names)}, and is kept so" for rule in self._told),
            *(f"'{names[p]}' is never between {low:g} and {high:g}, and is kept so" for p, low, high in self.empty),
        )


def holding(rules: Sequence[Rule], values: Float[np.ndarray, "N C"]) -> tuple[Rule, ...]:
    """Return the equations that no row misses."""
    return tuple(rule for rule in rules if not rule.misses(values).any())


def find_relations(
    columns: Sequence[Column], values: Float[np.ndarray, "N C"], units: Sequence[str] = (), states: Sequence[int] = ()
) -> Relations:
    """Find the rules that hold in every row between numeric values of one kind.

    Args:
        columns: the schema's channels.
        values: in the user's units, NaN missing.
        units: of each, "" where it is not known; what has another one is neither above nor below.
        states: columns that last or follow the clock: others follow them rather than tell them.
    """
    usable = free_numbers(columns)
    some = values[:: max(1, len(values) // LOOK)]
    same = _same(columns, values, some, usable)
    copies = {place for place, _ in same}
    leaders = [i for i in usable if i not in copies]
    ordered = [*leaders, *(i for i in numbers(columns) if columns[i].counts and _moves(values[:, i]))]
    rng = np.random.default_rng(0)
    below = [
        (low, high)
        for low in ordered
        for high in ordered
        if low != high
        and _alike(columns[low], columns[high])
        and (not units or units[low] == units[high] or not (units[low] and units[high]))
        and _never_above(some, low, high)
        and _never_above(values, low, high)
        and _by_more_than_chance(values[:, low], values[:, high], rng)
        and _comes_near(values[:, low], values[:, high])
    ]
    sums, empty = find_sums(columns, values, leaders), find_empty(values, leaders)
    formulas = find_formulas(columns, values, leaders, [rule.members for rule in sums])
    tied = [*(rule.members for rule in sums), *(rule.members for rule in formulas)]
    # a part is below its sum anyway; hits are below requests, and no ratio of them says so
    parts = [*(rule.members for rule in sums), *(rule.members for rule in formulas if not rule.ratio)]
    order = [pair for pair in below if not any(set(pair) <= members for members in parts)]
    bound = {place for members in (*tied, *map(set, order)) for place in members}  # told last, it would break these
    alarms = tuple(alarm for alarm in find_alarms(columns, values, leaders, states) if alarm.place not in bound)
    lookups = find_lookups(columns, values, leaders, [*tied, *(alarm.members for alarm in alarms)])
    return Relations(tuple(same), _in_order(order), tuple(sums), tuple(empty), formulas, alarms, lookups)


def find_empty(values: Float[np.ndarray, "N C"], places: Sequence[int]) -> list[tuple[int, float, float]]:
    """Find the wide range next to a usual value that a column never enters: a pump stands, or delivers twenty."""
    out = []
    for place in places:
        known = np.sort(values[~np.isnan(values[:, place]), place])
        if len(known) < FEWEST:
            continue
        gaps = np.diff(known)
        at = int(np.argmax(gaps))
        fewest = max(FEW * len(known), EXPECTED)
        piled = max(np.sum(known == known[at]), np.sum(known == known[at + 1])) > fewest
        if gaps[at] > WIDE * (known[-1] - known[0]) and min(at + 1, len(known) - at - 1) > fewest and piled:
            out.append((place, float(known[at]), float(known[at + 1])))
    return out


def _moves(values: Float[np.ndarray, " N"]) -> bool:
    """Whether pieces are counted anew in each row; a number of pumps that run is a state, which is drawn first."""
    return bool(np.mean(np.diff(values[~np.isnan(values)]) != 0) > OFTEN)


def _alike(one: Column, other: Column) -> bool:
    """Rounded alike, so that what holds before rounding holds after it."""
    return one.kind == other.kind and one.decimals == other.decimals


def _same(
    columns: Sequence[Column], values: Float[np.ndarray, "N C"], some: Float[np.ndarray, "M C"], usable: Sequence[int]
) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    leaders: list[int] = []
    for place in usable:
        alike = (first for first in leaders if _alike(columns[place], columns[first]))
        first = next((f for f in alike if all(_equal(x, place, f) for x in (some, values))), None)
        if first is None:
            leaders.append(place)
        else:
            out.append((place, first))
    return out


def _equal(values: Float[np.ndarray, "N C"], one: int, other: int) -> bool:
    return _never_above(values, one, other) and _never_above(values, other, one)


def _unequal(values: Float[np.ndarray, "N C"], one: int, other: int) -> Bool[np.ndarray, " N"]:
    return np.abs(np.nan_to_num(values[:, one] - values[:, other])) > 0


def _never_above(values: Float[np.ndarray, "N C"], low: int, high: int) -> bool:
    both = ~np.isnan(values[:, low]) & ~np.isnan(values[:, high])
    return bool(both.sum() >= FEWEST and np.all(values[both, low] <= values[both, high]))


def _by_more_than_chance(low: Float[np.ndarray, " N"], high: Float[np.ndarray, " N"], rng: np.random.Generator) -> bool:
    both = ~np.isnan(low) & ~np.isnan(high)
    broken = np.mean(rng.choice(low[both], TRIED) > rng.choice(high[both], TRIED))
    return bool(broken > CHANCE and broken * both.sum() > EXPECTED)


def _comes_near(low: Float[np.ndarray, " N"], high: Float[np.ndarray, " N"]) -> bool:
    """Whether the upper column is as good as touched throughout: one index may stay above another for a few years."""
    distance = (high - low)[~np.isnan(low) & ~np.isnan(high)]
    blocks = np.array_split(distance, BLOCKS)
    return bool(np.median([block.min() - NEAR * np.median(block) for block in blocks]) <= 0)


def _in_order(pairs: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Leave out what follows from other pairs, and sort by how many columns lie below the lower one."""
    found, between = set(pairs), {high for _, high in pairs}
    kept = [(a, c) for a, c in pairs if not any((a, b) in found and (b, c) in found for b in between)]
    under = {low: sum(high == low for _, high in pairs) for low, _ in kept}
    return tuple(sorted(kept, key=lambda pair: (under[pair[0]], pair)))
