"""Whether time runs backwards in generated rows: what tells past from future in real ones points the other way.

Shapes: T rows, C channels, K blocks, H lags, P pairs of channels, F features.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

from dowgan.evaluate.sides import Finding, Sides, welch
from dowgan.evaluate.traits import mean_of
from dowgan.metrics.marginal import moments
from dowgan.rng import Streams

Array = np.ndarray
WAYS = (1, 2, 4, 8, 13, 20, 26)  # lags
CUT = 4.0  # standard deviations at which a step is cut before its cube is taken
RARE = 1e-5  # probability below which time is turned, by blocks of time
MOST_VALUES = 200_000  # of either side up to which it is also looked at as a whole
REVERSIBLE = 60  # reversible series that are drawn for that
SPANS = 8  # of time in which asymmetries are taken then
OPPOSITE = ({"all": -0.35}, {"all": -0.27, "own": -0.45, "mean": -0.6})  # likeness below which they point apart
UNLIKELY = (0.02, 0.067)  # probability below which time is turned then, a single look


@dataclass(frozen=True)
class Asymmetry:
    """All that turns its sign when time runs backwards, block by block.

    Attributes:
        own: of each channel and, last, of their common part: E z_t^2 z_(t+h) - E z_t z_(t+h)^2 (Ramsey and Rothman
            1996, eq. 1), and the skewness of the changes over h steps.
        cross: antisymmetric part of the cross-covariances.
    """

    own: Float[Array, "K H 2 C"]
    cross: Float[Array, "K H P"]

    def views(self) -> dict[str, Float[Array, "K _"]]:
        """All of it, that of channels by themselves, and that which they have in common."""
        own, cross = (x.reshape(len(x), -1) for x in (self.own, self.cross))
        usual = self.own[..., :-1].mean(-1).reshape(len(self.own), -1)
        return {"all": np.concatenate([own, cross], axis=1), "own": own, "mean": usual}


def asymmetry(series: Float[Array, "T C"], blocks: int, reach: int) -> Asymmetry:
    """Asymmetries of a series in so many blocks of time, at lags up to `reach`."""
    mean, scale = moments(series)
    z = (series - mean) / scale
    z = np.column_stack([z, _common(z)])
    above = np.triu_indices(series.shape[1], 1)
    own, cross = [], []
    for h in (w for w in WAYS if w <= max(reach, 1)):
        change = z[h:] - z[:-h]
        turned = z[:-h] ** 2 * z[h:] - z[:-h] * z[h:] ** 2
        pair = np.stack([turned, np.clip(change / moments(change)[1], -CUT, CUT) ** 3], axis=1)  # [T 2 C+1]
        means = [mean_of(x.reshape(len(x), -1)).reshape(x.shape[1:]) for x in np.array_split(pair, blocks)]
        own.append(np.nan_to_num(np.stack(means)))
        now, then = (np.array_split(np.nan_to_num(x), blocks) for x in (z[:-h, :-1], z[h:, :-1]))
        found = [a.T @ b / len(a) for a, b in zip(now, then, strict=True)]
        cross.append(np.stack([(x - x.T)[above] for x in found]))
    return Asymmetry(np.stack(own, axis=1), np.stack(cross, axis=1))


def _common(z: Float[Array, "T C"]) -> Float[Array, "T 1"]:
    """The first principal component, in standard deviations."""
    filled = np.nan_to_num(z)
    axis = np.linalg.eigh(filled.T @ filled)[1][:, -1]
    axis = axis * np.sign(axis.sum() or 1.0)
    out = np.where(np.isnan(z).all(1), np.nan, filled @ axis)[:, None]
    return out / moments(out)[1]


def reversible(series: Float[Array, "T C"], rng: np.random.Generator) -> Float[Array, "T C"]:
    """A series with the same power along its principal axes that looks the same backwards (Theiler et al. 1992)."""
    filled = np.nan_to_num(series)
    axes = np.linalg.eigh(filled.T @ filled)[1]
    power = np.fft.rfft(filled @ axes, axis=0)
    turned = power * np.exp(2j * np.pi * rng.random(power.shape))
    return np.fft.irfft(turned, n=len(series), axis=0) @ axes.T


def turned(sides: Sides) -> list[Finding]:
    """Return what says that time runs backwards, nothing if nothing does."""
    own, other = _by_blocks(sides)
    if other.mean() >= 0:
        return []
    p = float(welch(own, other)[1][0]) if own.mean() > 0 else 1.0
    if p < RARE:
        return [Finding("direction", None, p, 1.0, float(other.mean() / max(own.mean(), 1e-12)))]
    return _as_a_whole(sides)


def _by_blocks(sides: Sides) -> tuple[Float[Array, "K 1"], Float[Array, "_M 1"]]:
    """How far what tells past from future in the (other) real blocks is in the real and in the generated ones."""
    reach = min(map(len, sides.normal)) // SPANS
    first, second = (
        asymmetry(x, len(b), reach).views()["all"] for x, b in zip(sides.normal, sides.blocks, strict=True)
    )
    own = np.array([x @ _weight(np.delete(first, k, axis=0)) for k, x in enumerate(first)])[:, None]
    return own, (second @ _weight(first))[:, None]


def _as_a_whole(sides: Sides) -> list[Finding]:
    """The same for tables that are not long: the likeness of both asymmetries beside that of reversible rows."""
    if max(x.size for x in sides.normal) > MOST_VALUES:
        return []
    reach = min(map(len, sides.normal)) // SPANS
    real, fake = (_whole(x, reach) for x in sides.normal)
    if real["all"] @ fake["all"] >= 0:
        return []
    rng = Streams(0).numpy("reversible")
    null = [_whole(reversible(sides.normal[1], rng), reach) for _ in range(REVERSIBLE)]
    likeness, chance = {}, 1.0
    for view, features in real.items():
        drawn = np.stack([x[view] for x in null])
        scale = drawn.std(0) + np.median(drawn.std(0)) + 1e-12
        likeness[view] = _cosine(features / scale, fake[view] / scale)
        if view == "all":
            spread = float(np.std([_cosine(features / scale, x / scale) for x in drawn]))
            chance = float(norm.sf(-likeness[view] / max(spread, 1e-12)))
    for most, p in zip(OPPOSITE, UNLIKELY, strict=True):
        if chance < p and all(likeness[view] < least for view, least in most.items()):
            return [Finding("direction", None, chance, 1.0, likeness["all"])]
    return []


def _whole(series: Float[Array, "T C"], reach: int) -> dict[str, Float[Array, "_"]]:
    return {view: x.mean(0) for view, x in asymmetry(series, SPANS, reach).views().items()}


def _cosine(first: Float[Array, "F"], second: Float[Array, "F"]) -> float:
    return float(first @ second / max(float(np.linalg.norm(first) * np.linalg.norm(second)), 1e-12))


def _weight(blocks: Float[Array, "K F"]) -> Float[Array, "F"]:
    """Weights of a matched filter: mean by variance, those that may be noise shrunk (James and Stein 1961)."""
    mean, variance = blocks.mean(0), blocks.var(0, ddof=1) + 1e-12
    weight = mean / variance * np.maximum(1 - 4 * variance / len(blocks) / (mean**2 + 1e-12), 0.0)
    return weight / max(float(np.sqrt((weight**2).sum())), 1e-12)
