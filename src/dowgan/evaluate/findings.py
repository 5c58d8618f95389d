"""What is wrong with generated rows, by name: the traits of their blocks of time beside those of real blocks.

A trait is off where the blocks of generated rows differ from the blocks of real rows by more than real blocks differ
among themselves (Welch 1947); the probability is corrected for all that was looked at (Bonferroni). So a threshold
comes from real against real, for every table by itself.

Shapes: T and S rows, C channels, K and M blocks.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

from dowgan.evaluate import traits
from dowgan.evaluate.direction import turned
from dowgan.evaluate.lateness import late_tags
from dowgan.evaluate.sides import FEWEST_BLOCKS, Finding, Sides, sides_of, welch, with_error
from dowgan.evaluate.swaps import swapped
from dowgan.evaluate.traits import TRAITS, joined

Array = np.ndarray
RARE = 0.0005  # probability below which something is found
SUSPECT = 0.01  # probability below which a channel may have been swapped
LOW = 1 / 3  # share of the values that are low


def find_traits(
    real: Sequence[Float[Array, "_ C"]], fake: Sequence[Float[Array, "_ C"]], cycles: Sequence[int] = ()
) -> list[Finding]:
    """All traits that are off, the most certain first.

    Args:
        real, fake: series of numbers, each in the order of time.
        cycles: rows of a day, a week and so on.
    """
    sides = sides_of(joined(real), joined(fake))
    if sides is None:
        return []
    late, straight = late_tags(sides)
    looks = [*_each_trait(straight, cycles), *_relations(straight)]
    suspects = {f.tag for f in _corrected(looks, SUSPECT) if f.tag is not None}
    return sorted([*late, *swapped(straight, suspects), *_corrected(looks, RARE), *turned(sides)], key=lambda f: f.p)


def _corrected(found: Sequence[Finding], below: float) -> list[Finding]:
    """Those rarer than `below` after correction for the number of looks at the whole table, or at single tags."""
    looks = {whole: 2 * sum((f.tag is None) == whole for f in found) for whole in (True, False)}
    kept = [(f, min(1.0, f.p * looks[f.tag is None])) for f in found]
    return [Finding(f.kind, f.tag, p, f.real, f.fake, f.detail) for f, p in kept if p < below]


def _compared(kind: str, first: Float[Array, "K C"], second: Float[Array, "M C"]) -> list[Finding]:
    """One finding per channel and one for all together, rare or not."""
    t, p = welch(first, second)
    means = [with_error(x)[1] for x in (first, second)]
    out = [Finding(kind, c, float(p[c]), float(means[0][c]), float(means[1][c])) for c in range(len(t)) if t[c]]
    shared = ~np.isnan(first).all(0) & ~np.isnan(second).all(0)  # a tag with gaps in each second row has no steps
    whole = [with_error(x.T)[1][~np.isnan(x).all(1)][:, None] for x in (first[:, shared], second[:, shared])]
    if not all(map(len, whole)):  # one side has no such rows at all
        return out
    p = welch(*whole)[1]
    return [*out, Finding(kind, None, float(p[0]), float(whole[0].mean()), float(whole[1].mean()))]


def _each_trait(sides: Sides, cycles: Sequence[int]) -> list[Finding]:
    out, short = [], min(len(side[0]) for side in sides.blocks)
    rhythms = {f"rhythm {n}": partial(traits.memory, lag=n) for n in cycles if 2 * n <= short}
    for kind, trait in (TRAITS | rhythms).items():
        out += _compared(kind, *sides.of_places(trait))
    low = np.nanquantile(sides.raw[0], LOW, axis=0)
    out += _compared("calm", *sides.of_blocks(traits.calm))
    out += [f for f in _compared("quiet", *sides.of_blocks(lambda x: traits.quiet(x, low))) if f.tag is None]
    return out + _compared("ties", *_tied(*sides.of_places(lambda x: traits.ties(np.diff(x, axis=0)))))


def _tied(real: Float[Array, "K C C"], fake: Float[Array, "M C C"]) -> tuple[Array, Array]:
    """How closely each channel is tied to the others, in the pattern of the real blocks (one is seen by the others)."""

    def along(x: Array, pattern: Array) -> Array:
        return (x * pattern).sum(0) / np.maximum(np.abs(pattern).sum(0), 1e-9)

    whole = real.mean(0)
    own = [along(x, (whole * len(real) - x) / (len(real) - 1)) for x in real]
    return np.stack(own), np.stack([along(x, whole) for x in fake])


def _relations(sides: Sides) -> list[Finding]:
    """What the other channels do not tell of each channel: its mean, and its drift over the span."""
    if sides.raw[0].shape[1] < 2:
        return _drift("drift", *sides.of_blocks(traits.level))
    return [
        *_compared("relation", *_untold(sides.places)),
        *_drift("drift", *sides.of_blocks(traits.level)),
        *_drift("drift against the others", *_untold(sides.blocks)),
    ]


def _untold(sides: tuple[list[Array], list[Array]]) -> tuple[Float[Array, "K C"], Float[Array, "M C"]]:
    """Mean of what the other channels do not tell of each channel, by weights of the (other) real blocks."""
    own, made = sides
    whole = traits.relations(np.concatenate(own))
    others = [traits.relations(np.concatenate([x for i, x in enumerate(own) if i != k])) for k in range(len(own))]
    first = np.stack([traits.level(x - np.nan_to_num(x) @ w) for x, w in zip(own, others, strict=True)])
    return first, np.stack([traits.level(x - np.nan_to_num(x) @ whole) for x in made])


def _drift(kind: str, first: Float[Array, "K C"], second: Float[Array, "M C"]) -> list[Finding]:
    if min(len(first), len(second)) < 2 * FEWEST_BLOCKS or np.isnan(first).any() or np.isnan(second).any():
        return []
    (own, error), (other, noise) = (_slope(x) for x in (first, second))
    t = (other - own) / np.sqrt(error**2 + noise**2 + 1e-12)
    p = 2 * student.sf(np.abs(t), len(first) + len(second) - 4)
    return [Finding(kind, c, float(p[c]), float(own[c]), float(other[c])) for c in range(len(t))]


def _slope(blocks: Float[Array, "K C"]) -> tuple[Float[Array, "C"], Float[Array, "C"]]:
    """Change over the whole span by a straight line through the blocks, and its standard error."""
    at = np.linspace(-0.5, 0.5, len(blocks))
    slope = at @ blocks / (at @ at)
    rest = blocks - blocks.mean(0) - at[:, None] * slope
    return slope, np.sqrt((rest**2).sum(0) / (len(blocks) - 2) / (at @ at))
