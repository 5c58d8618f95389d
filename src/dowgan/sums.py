"""Sums between columns, which are kept: fractions make up one, what flows in flows out.

Shapes: N rows, C columns (the schema's channels), P parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dowgan.courses import rounded
from dowgan.table.schema import Column

LOOK = 2_000  # rows, spread evenly, on which all pairs are tried first
ROWS_EACH = 20  # for each column that may be part of a sum
EXACT = 1e-6  # of the spread: by how much sums of all decimals may be off
SMALL = 1e-9  # a part of nothing


@dataclass(frozen=True)
class Sum:
    """Columns that add up.

    Attributes:
        parts: their numbers.
        total: the column that they add up to, None for a constant.
        constant: that is added to them.
        decimals: of all of them, None for all that a float has.
        step: of which all are multiples, None for none.
        slack: by how much rounding lets rows miss.
        lowest, highest: bounds of the parts, infinite for none.
        widths: how far the parts spread.
    """

    parts: tuple[int, ...]
    total: int | None
    constant: float
    decimals: int | None
    step: float | None
    slack: float
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    widths: tuple[float, ...]

    @property
    def members(self) -> set[int]:
        """All columns of the sum."""
        return {*self.parts} if self.total is None else {*self.parts, self.total}

    def misses(self, values: Float[np.ndarray, "N C"]) -> Bool[np.ndarray, " N"]:
        """Return which rows do not add up, though all is known."""
        total = 0.0 if self.total is None else values[:, self.total]
        off = np.abs(values[:, list(self.parts)].sum(axis=1) + self.constant - total)
        return np.nan_to_num(off) > self.slack

    def words(self, names: Sequence[str]) -> str:
        """Return it as an equation."""
        parts = " + ".join(f"'{names[part]}'" for part in self.parts)
        if self.total is None:
            return f"{parts} = {-self.constant:g}"
        more = f" {'+' if self.constant > 0 else '-'} {abs(self.constant):g}" if self.constant else ""
        return f"'{names[self.total]}' = {parts}{more}"

    def keep(self, values: Float[np.ndarray, "N C"], known: Bool[np.ndarray, "N C"]) -> None:
        """Make rows add up, in place: by the total, or else by what of the parts is not known.

        Parts with a lower bound are as large as before beside each other. Where some have none, these take up what is
        missing, each as far as it spreads.
        """
        parts, sure = list(self.parts), known[:, list(self.parts)]
        even = np.clip(values[:, parts], self.lowest, self.highest)
        values[:, parts] = np.where(sure, values[:, parts], self._rounded(even))
        told = np.ones(len(values), dtype=bool) if self.total is None else known[:, self.total]
        wanted = np.zeros(len(values)) if self.total is None else values[:, self.total]
        left = wanted - self.constant - np.where(sure, values[:, parts], 0.0).sum(axis=1)
        rows = told & ~sure.all(axis=1)
        open_ = ~sure[rows] & np.isinf(self.lowest)
        sizes = np.where(sure[rows], 0.0, np.maximum(values[rows][:, parts], 0.0) + SMALL)
        yielding = open_.any(axis=1, keepdims=True)
        start = np.where(yielding, np.where(sure[rows], 0.0, values[rows][:, parts]), sizes)
        divided = self._divided(left[rows], start, np.where(yielding, open_ * np.array(self.widths), sizes))
        for number, part in enumerate(parts):
            values[rows, part] = np.where(sure[rows, number], values[rows, part], divided[:, number])
        if self.total is not None:
            values[~told, self.total] = values[~told][:, parts].sum(axis=1) + self.constant

    def _divided(
        self, left: Float[np.ndarray, " N"], start: Float[np.ndarray, "N P"], sizes: Float[np.ndarray, "N P"]
    ) -> Float[np.ndarray, "N P"]:
        """Change numbers in proportion to sizes, into such as the columns have, that add up to what is left."""
        missing = left - start.sum(axis=1)
        out = start + missing[:, None] * sizes / sizes.sum(axis=1, keepdims=True)
        if self.decimals is not None:
            out = self._rounded(out)
            out[np.arange(len(out)), np.argmax(sizes, axis=1)] += left - out.sum(axis=1)
        return self._within(out, left, sizes > 0)

    def _within(
        self, parts: Float[np.ndarray, "N P"], left: Float[np.ndarray, " N"], free: Bool[np.ndarray, "N P"]
    ) -> Float[np.ndarray, "N P"]:
        """Let what is beyond a part's bounds go to the one that has most room."""
        out = np.where(free, np.clip(parts, self.lowest, self.highest), parts)
        rest = left - out.sum(axis=1)
        room = np.where(rest[:, None] > 0, np.array(self.highest) - out, out - np.array(self.lowest))
        rows, most = np.any(out != parts, axis=1), np.argmax(np.where(free, room, -1.0), axis=1)
        out[rows, most[rows]] += rest[rows]
        return out

    def _rounded(self, values: Float[np.ndarray, "N P"]) -> Float[np.ndarray, "N P"]:
        return rounded(values, self.decimals, self.step)


def find_sums(columns: Sequence[Column], values: Float[np.ndarray, "N C"], places: Sequence[int]) -> list[Sum]:
    """Find columns that add up to another one, or to a constant, within what rounding allows."""
    groups: dict[tuple[str, int | None, float | None], list[int]] = {}
    for place in places:
        groups.setdefault((columns[place].kind, columns[place].decimals, columns[place].step), []).append(place)
    found: list[Sum] = []
    for (kind, decimals, _), group in groups.items():
        digits, free = 0 if kind == "integer" else decimals, list[int]()
        for place in group:
            rule = _sum_of(columns, values, place, free, digits)
            if rule is None:
                free.append(place)  # a later column may depend on it
            else:
                found.append(rule)
    return found


def _sum_of(
    columns: Sequence[Column], values: Float[np.ndarray, "N C"], place: int, free: Sequence[int], digits: int | None
) -> Sum | None:
    """The sum that a column makes with some earlier ones, None if there is none."""
    rows = values[~np.isnan(values[:, [place, *free]]).any(axis=1)]
    if len(free) < 2 or len(rows) < ROWS_EACH * len(free):
        return None
    some = rows[:: max(1, len(rows) // LOOK)]
    design = np.column_stack([some[:, list(free)], np.ones(len(some))])
    signs = np.round(np.linalg.lstsq(design, some[:, place], rcond=None)[0][:-1])
    members = [p for p, sign in zip(free, signs, strict=True) if sign != 0]
    rest = rows[:, place] - rows[:, list(free)] @ signs
    constant = float(np.median(rest))
    slack = 0.51 * 10.0**-digits * (1 + len(members)) if digits is not None else EXACT * rows[:, place].std()
    constant = round(constant, digits) if digits is not None else constant
    if len(members) < 2 or (np.abs(signs) > 1).any() or np.abs(rest - constant).max() > slack:
        return None
    plus, minus = ([p for p, own in zip(free, signs, strict=True) if own == sign] for sign in (1, -1))
    if not minus:  # place = plus + constant
        parts, total, constant = plus, place, constant
    elif not plus:  # place + minus = constant
        parts, total, constant = [*minus, place], None, -constant
    elif len(plus) == 1:  # plus = place + minus - constant
        parts, total, constant = [*minus, place], plus[0], -constant
    else:
        return None
    lowest, highest = ([getattr(columns[p], side) for p in parts] for side in ("lower", "upper"))
    lower = tuple(-np.inf if bound is None else float(bound) for bound in lowest)
    upper = tuple(np.inf if bound is None else float(bound) for bound in highest)
    widths = tuple(float(width) for width in rows[:, parts].std(axis=0))
    return Sum(tuple(parts), total, constant, digits, columns[place].step, float(slack), lower, upper, widths)
