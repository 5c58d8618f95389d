"""Real and generated rows side by side in blocks of time, and how much blocks of real rows differ by themselves.

Shapes: T and S rows, C channels, K and M blocks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

from dowgan.evaluate.traits import normal_places
from dowgan.metrics.marginal import moments

Array = np.ndarray
MOST_BLOCKS = 16  # that the shorter side is cut into
SHORTEST_BLOCK = 20
FEWEST_BLOCKS = 4
MOST_ALIKE = 0.6  # correlation of neighbouring blocks that is reckoned with


@dataclass(frozen=True)
class Finding:
    """One thing that is off.

    Attributes:
        kind: what it is about.
        tag: the channel's place, None for the whole table.
        p: probability of as much between real and real, corrected for all looks.
        real, fake: the trait of both sides, on its own scale.
        detail: steps that a tag is late, or the place of the channel that it was swapped with.
    """

    kind: str
    tag: int | None
    p: float
    real: float
    fake: float
    detail: int = 0


@dataclass(frozen=True)
class Sides:
    """Both tables, and their blocks of equal length in the order of time.

    Attributes:
        raw, blocks: in standard deviations of the real rows.
        normal, places: in normal scores among the real rows.
        units: mean and standard deviation of the real rows.
    """

    raw: tuple[Float[Array, "T C"], Float[Array, "S C"]]
    normal: tuple[Float[Array, "T C"], Float[Array, "S C"]]
    blocks: tuple[list[Array], list[Array]]
    places: tuple[list[Array], list[Array]]
    units: tuple[Float[Array, "C"], Float[Array, "C"]]

    def of_blocks(self, trait: Callable[[Array], Array]) -> tuple[Float[Array, "K *C"], Float[Array, "M *C"]]:
        return _stacked(trait, self.blocks)

    def of_places(self, trait: Callable[[Array], Array]) -> tuple[Float[Array, "K *C"], Float[Array, "M *C"]]:
        return _stacked(trait, self.places)


def _stacked(trait: Callable[[Array], Array], sides: tuple[list[Array], list[Array]]) -> tuple[Array, Array]:
    first, second = (np.stack([trait(block) for block in side]) for side in sides)
    return first, second


def sides_of(real: Float[Array, "T C"], fake: Float[Array, "S C"]) -> Sides | None:
    """Cut both tables into blocks; None if there are too few rows."""
    short = min(len(real), len(fake))
    count = block_count(short)
    if not count:
        return None
    mean, scale = moments(real)
    raw = (real - mean) / scale, (fake - mean) / scale
    normal = normal_places(real, real), normal_places(real, fake)
    return Sides(raw, normal, _cut(raw, short // count), _cut(normal, short // count), (mean, scale))


def block_count(rows: int) -> int:
    """How many blocks of time so many rows are cut into; 0 if they are too few to be cut."""
    count = min(MOST_BLOCKS, rows // SHORTEST_BLOCK)
    return count if count >= FEWEST_BLOCKS else 0


def _cut(tables: tuple[Array, Array], length: int) -> tuple[list[Array], list[Array]]:
    first, second = ([x[i : i + length] for i in range(0, len(x) - length + 1, length)] for x in tables)
    return first, second


def welch(first: Float[Array, "K C"], second: Float[Array, "M C"]) -> tuple[Float[Array, "C"], Float[Array, "C"]]:
    """Welch's t of the difference second - first for each column, and its two-sided probability; NaN left out."""
    (n, a, v), (m, b, w) = (with_error(x) for x in (first, second))
    error = np.maximum(v + w, 1e-18)
    freedom = error**2 / np.maximum(v**2 / np.maximum(n - 1, 1) + w**2 / np.maximum(m - 1, 1), 1e-300)
    t = np.where((n >= FEWEST_BLOCKS - 1) & (m >= FEWEST_BLOCKS - 1), (b - a) / np.sqrt(error), 0.0)
    t = np.where(np.abs(b - a) > 1e-9, t, 0.0)
    return t, 2 * student.sf(np.abs(t), np.maximum(freedom, 1.0))


def with_error(values: Float[Array, "K C"]) -> tuple[Array, Array, Array]:
    """Number of known values, their mean and the square of its standard error, column by column.

    Neighbouring blocks may be alike: the error of a first-order process is greater by (1 + r) / (1 - r), r their
    correlation (Bartlett 1946), which is not taken below 0.
    """
    known = ~np.isnan(values)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, values, 0.0).sum(0) / count
    rest = np.where(known, values - mean, 0.0)
    square = (rest**2).sum(0)
    alike = np.clip((rest[1:] * rest[:-1]).sum(0) / np.maximum(square, 1e-300), 0.0, MOST_ALIKE)
    return known.sum(0), mean, square / np.maximum(count - 1, 1) / count * (1 + alike) / (1 - alike)
