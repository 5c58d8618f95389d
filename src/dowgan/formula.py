"""A column that others tell exactly: a sum, a product or a ratio of them, within what rounding allows.

Shapes: N rows, C columns (the schema's channels), S sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dowgan.courses import rounded

EXACT = 1e-9  # of a value, by which unrounded numbers may be off


@dataclass(frozen=True)
class Formula:
    """A column that is told by others.

    Attributes:
        place: its number.
        sources: theirs.
        weights: of each: a factor in a sum, 1 or -1 as the power in a product.
        constant: that is added to a sum, the factor of a product.
        product: whether it is a product.
        digits: decimals of the column and of its sources, None for all that a float has.
        steps: of which all their values are multiples, None for none.
        movable: whether each source may take any value, or has a few levels.
        rough: whether the sources were rounded after the column was worked out.
    """

    place: int
    sources: tuple[int, ...]
    weights: tuple[float, ...]
    constant: float
    product: bool
    digits: tuple[int | None, ...]
    steps: tuple[float | None, ...]
    movable: tuple[bool, ...]
    rough: bool

    @property
    def members(self) -> set[int]:
        """The column and its sources."""
        return {self.place, *self.sources}

    @property
    def ratio(self) -> bool:
        """Whether one is divided by another."""
        return self.product and min(self.weights) < 0

    def of(self, values: Float[np.ndarray, "N C"]) -> Float[np.ndarray, " N"]:
        """Return what the sources tell, unrounded; NaN or infinite where they do not."""
        sources = values[:, list(self.sources)]
        if not self.product:
            return self.constant + sources @ np.array(self.weights)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.constant * np.prod(np.power(sources, self.weights), axis=1)

    def slack(self, values: Float[np.ndarray, "N C"]) -> Float[np.ndarray, " N"]:
        """Return by how much rounding lets each row be off."""
        told = np.abs(self.of(values))
        halves = [0.0 if digits is None else 0.51 * 10.0**-digits for digits in self.digits]
        out = halves[0] + EXACT * told
        for place, weight, half in zip(self.sources, self.weights, halves[1:], strict=True):
            if self.rough and half:
                with np.errstate(divide="ignore", invalid="ignore"):
                    out = out + half * (told / np.abs(values[:, place]) if self.product else abs(weight))
        return out

    def misses(self, values: Float[np.ndarray, "N C"]) -> Bool[np.ndarray, " N"]:
        """Return which rows are off by more, though all is known."""
        told = self.of(values)
        rows = np.isfinite(told) & ~np.isnan(values[:, self.place])
        rows[rows] = np.abs(told - values[:, self.place])[rows] > self.slack(values)[rows]
        return rows

    def keep(self, values: Float[np.ndarray, "N C"], known: Bool[np.ndarray, "N C"]) -> Bool[np.ndarray, " N"]:
        """Work the column out where it is not known, in place, and one of its sources where it is.

        Returns:
            The rows in which it was worked out.
        """
        self._round(values, known)
        told, out = self.of(values), ~known[:, self.place]
        out &= np.isfinite(told)
        values[out, self.place] = rounded(told[out], self.digits[0], self.steps[0])
        free = known[:, self.place] & ~known[:, list(self.sources)].all(axis=1)
        for number, place in enumerate(self.sources):
            if not self.movable[number]:
                continue
            rows = free & ~known[:, place]
            solved = self._solved(values[rows], number)
            values[rows, place] = np.where(np.isfinite(solved), solved, values[rows, place])
            free &= known[:, place]
        return out

    def _round(self, values: Float[np.ndarray, "N C"], known: Bool[np.ndarray, "N C"]) -> None:
        for place, digits, step in zip(self.sources, self.digits[1:], self.steps[1:], strict=True):
            values[:, place] = np.where(known[:, place], values[:, place], rounded(values[:, place], digits, step))

    def _solved(self, values: Float[np.ndarray, "N C"], number: int) -> Float[np.ndarray, " N"]:
        """One of the sources from the column and the others."""
        own = values.copy()
        own[:, self.sources[number]] = 1.0 if self.product else 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.product:
                found = (values[:, self.place] / self.of(own)) ** self.weights[number]
            else:
                found = (values[:, self.place] - self.of(own)) / self.weights[number]
        return rounded(found, self.digits[1 + number], self.steps[1 + number])

    def words(self, names: Sequence[str]) -> str:
        """Return it as an equation."""
        return f"'{names[self.place]}' = {self._terms(names)}"

    def _terms(self, names: Sequence[str]) -> str:
        quoted = [f"'{names[place]}'" for place in self.sources]
        if self.product:
            factor = [] if self.constant == 1 else [f"{self.constant:g}"]
            over, under = ([q for q, w in zip(quoted, self.weights, strict=True) if w == own] for own in (1, -1))
            return " / ".join([" x ".join([*factor, *over]), *under])
        signs = {1.0: "", -1.0: "-"}
        terms = [signs.get(weight, f"{weight:g} x ") + q for q, weight in zip(quoted, self.weights, strict=True)]
        return " + ".join([*terms, *([f"{self.constant:g}"] if self.constant else [])]).replace("+ -", "- ")
