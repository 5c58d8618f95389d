"""What is wrong with generated rows, by name: the traits of their blocks of time beside those of real blocks.

A trait is off where the blocks of generated rows differ from the blocks of real rows by more than real blocks differ
among themselves (Welch 1947); the probability is corrected for all that was looked at (Bonferroni). So a threshold
comes from real against real, for every table by itself.

Shapes: T and S rows, C channels, K and M blocks.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import norm
from scipy.stats import t as student

from dowgan.evaluate import traits
from dowgan.evaluate.traits import MOST_LATE, TRAITS, joined, normal_places
from dowgan.metrics.marginal import moments
from dowgan.rng import Streams

Array = np.ndarray
MOST_BLOCKS = 16  # that the shorter side is cut into
SHORTEST_BLOCK = 20
FEWEST_BLOCKS = 4
FINE = 40  # blocks for what is over within some rows
MOST_TURNED = 4_000  # rows up to which the direction of time is also looked at as a whole
REVERSIBLE = 60  # reversible series that are drawn for that
TURNED = 0.02  # probability below which time is turned there, a single look
OPPOSITE = -0.35  # likeness of the asymmetries below which they point apart
MOST_ALIKE = 0.6  # correlation of neighbouring blocks that is reckoned with
RARE = 0.0005  # probability below which something is found
SUSPECT = 0.01  # probability below which two channels may have been swapped, if neither is off with them changed back
LOW = 1 / 3  # share of the values that are low
LEAST_PEAK = 0.5  # of the real one, that a tie to the other tags must have elsewhere to be a late one
SHARED = ("ties", "relation", "drift against the others")  # kinds in which other channels have a part
MOST_SWAPS = 4  # channels among which two may have been swapped


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


def find_traits(real: Sequence[Float[Array, "_ C"]], fake: Sequence[Float[Array, "_ C"]]) -> list[Finding]:
    """All traits that are off, the most certain first.

    Args:
        real, fake: series of numbers, each in the order of time.
    """
    sides = sides_of(joined(real), joined(fake))
    if sides is None:
        return []
    late, straight = _late_tags(sides)
    looks = [*_each_trait(straight), *_relations(straight), *_direction(sides)]
    found = _corrected(looks, RARE)
    if not any(f.kind == "direction" for f in found):
        found += _turned(sides)
    return sorted([*late, *_swapped(straight, _corrected(looks, SUSPECT)), *found], key=lambda f: f.p)


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
    whole = [with_error(x.T)[1][~np.isnan(x).all(1)][:, None] for x in (first, second)]
    if not all(map(len, whole)):  # one side has no such rows at all
        return out
    p = welch(*whole)[1]
    return [*out, Finding(kind, None, float(p[0]), float(whole[0].mean()), float(whole[1].mean()))]


def _each_trait(sides: Sides) -> list[Finding]:
    out = []
    for kind, trait in TRAITS.items():
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


def _direction(sides: Sides) -> list[Finding]:
    """Whether what tells past from future in the real blocks points the other way in the generated ones."""
    reach = min(map(len, sides.normal)) // 8
    first, second = (traits.asymmetry(x, len(b), reach) for x, b in zip(sides.normal, sides.blocks, strict=True))
    own = np.array([x @ _weight(np.delete(first, k, axis=0)) for k, x in enumerate(first)])[:, None]
    other = (second @ _weight(first))[:, None]
    p = float(welch(own, other)[1][0]) if other.mean() < 0 < own.mean() else 1.0
    return [Finding("direction", None, p, 1.0, float(other.mean() / max(abs(own.mean()), 1e-12)))]


def _turned(sides: Sides) -> list[Finding]:
    """The same for short tables, as a whole: the likeness of both asymmetries beside that of reversible rows."""
    short = min(map(len, sides.normal))
    if max(map(len, sides.normal)) > MOST_TURNED:
        return []
    real, fake = (traits.asymmetry(x, 8, short // 8).mean(0) for x in sides.normal)
    if real @ fake >= 0:
        return []
    rng = Streams(0).numpy("reversible")
    drawn = [traits.reversible(sides.normal[1], rng) for _ in range(REVERSIBLE)]
    null = np.stack([traits.asymmetry(x, 8, short // 8).mean(0) for x in drawn])
    scale = null.std(0) + np.median(null.std(0)) + 1e-12
    likeness = _cosine(real / scale, fake / scale)
    p = float(norm.sf(-likeness / max(float(np.std([_cosine(real / scale, x / scale) for x in null])), 1e-12)))
    found = Finding("direction", None, p, 1.0, likeness)
    return [found] if likeness < OPPOSITE and p < TURNED else []


def _cosine(first: Float[Array, "F"], second: Float[Array, "F"]) -> float:
    return float(first @ second / max(float(np.linalg.norm(first) * np.linalg.norm(second)), 1e-12))


def _weight(blocks: Float[Array, "K F"]) -> Float[Array, "F"]:
    """Weights of a matched filter: mean by variance, those that may be noise shrunk (James and Stein 1961)."""
    mean, variance = blocks.mean(0), blocks.var(0, ddof=1) + 1e-12
    weight = mean / variance * np.maximum(1 - 4 * variance / len(blocks) / (mean**2 + 1e-12), 0.0)
    return weight / max(float(np.sqrt((weight**2).sum())), 1e-12)


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


def _late_tags(sides: Sides) -> tuple[list[Finding], Sides]:
    """Channels that come too late or too early against the others, and the tables with that put right.

    The most striking one is put right first, since the channels that are tied to it look early then.
    """
    out: list[Finding] = []
    while len(out) < sides.raw[0].shape[1] // 2:
        found = [f for f in _lateness(sides) if f.p < RARE and f.tag not in [o.tag for o in out]]
        if not found:
            break
        best = min(found, key=lambda f: f.p)
        out.append(best)
        assert best.tag is not None
        sides = _shifted(sides, best.tag, best.detail)
    return out, sides


def _shifted(sides: Sides, tag: int, late: int) -> Sides:
    """The generated channel `late` steps earlier."""
    raw = sides.raw[1].copy()
    raw[:, tag] = np.roll(raw[:, tag], -late)
    raw[-late if late > 0 else 0 : None if late > 0 else -late, tag] = np.nan
    changed = sides_of(sides.raw[0], raw)
    assert changed is not None
    return changed


def _lateness(sides: Sides) -> list[Finding]:
    channels = sides.raw[0].shape[1]
    rows = min(map(len, sides.raw))
    if channels < 2 or rows < 8 * MOST_LATE:
        return []
    first, second = _profiles(sides)
    means = [np.nan_to_num(with_error(x.reshape(len(x), -1))[1]).reshape(x.shape[1:]) for x in (first, second)]
    c, new = np.arange(channels), means[1].argmax(0)
    t, p = welch(*(x[:, new, c] - x[:, MOST_LATE, c] for x in (first, second)))
    late = (means[0].argmax(0) == MOST_LATE) & (new != MOST_LATE) & (t > 0)
    late &= means[1][new, c] > LEAST_PEAK * means[0][MOST_LATE, c]
    looks = 2 * MOST_LATE * channels
    return [
        Finding("late", i, min(1.0, float(p[i]) * looks), 0.0, float(new[i] - MOST_LATE), int(new[i] - MOST_LATE))
        for i in np.flatnonzero(late).tolist()
    ]


def _profiles(sides: Sides) -> tuple[Float[Array, "K L C"], Float[Array, "M L C"]]:
    """Ties to the other channels by lateness, of the values and of the changes together."""
    parts = []
    count = [max(FEWEST_BLOCKS, min(FINE, len(x) // (SHORTEST_BLOCK // 2))) for x in sides.normal]
    for change in (np.asarray, lambda x: np.diff(x, axis=0)):
        tables = [change(x) for x in sides.normal]
        pattern = traits.ties(tables[0])
        parts.append([traits.lateness(x, pattern, n, MOST_LATE) for x, n in zip(tables, count, strict=True)])
    return parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]


def _swapped(sides: Sides, found: Sequence[Finding]) -> list[Finding]:
    """Two channels that are both off, and neither if they change places."""
    off = _worst_p(f for f in found if f.kind not in SHARED)
    off = off if len(off) > 1 else _worst_p(found)
    worst = sorted(off, key=lambda c: off[c])[:MOST_SWAPS]
    for i, first in enumerate(worst):
        for second in worst[i + 1 :]:
            if _fits(sides, first, second):
                p = max(off[first], off[second])
                return [Finding("swapped", a, p, 0.0, 0.0, b) for a, b in ((first, second), (second, first))]
    return []


def _worst_p(found: Iterable[Finding]) -> dict[int, float]:
    """The least probability of each channel that is off."""
    out: dict[int, float] = {}
    for f in found:
        if f.tag is not None:
            out[f.tag] = min(f.p, out.get(f.tag, 1.0))
    return out


def _fits(sides: Sides, first: int, second: int) -> bool:
    mean, scale = sides.units
    own, made = (x * scale + mean for x in sides.raw)
    made[:, [first, second]] = made[:, [second, first]]
    changed = sides_of(own, made)
    assert changed is not None
    left = {f.tag for f in _corrected([*_each_trait(changed), *_relations(changed)], SUSPECT)}
    return not left & {first, second}
