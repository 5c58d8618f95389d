"""Seams: does a long generated series show where its blocks were joined?

At each step three sizes are taken per channel: the jump |x_t - x_(t-1)|, the kink |x_(t+1) - 2 x_t +
x_(t-1)|, and the lag-1 product z_t z_(t-1). They are replaced by their normal scores (van der Waerden 1952),
so that heavy tails do not matter, and averaged over the channels. If borders are steps like others, any
choice of n among N steps is as likely (Fisher 1935, permutation), so the mean score at the borders has mean 0
and

    variance s^2 / n * (N - n) / (N - 1),        z = mean / sqrt(variance),        p = 2 P(Z > |z|).

Where the real data have a rhythm with the same period as the blocks (days of 24 hours), each size is first
replaced by its place among the real sizes at the same phase of the rhythm.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import norm, rankdata

from dowgan.metrics.marginal import moments

Array = np.ndarray
STATISTICS = ("jump", "kink", "lag1")
FEWEST_BORDERS = 5
RHYTHM = 1.3  # times the z of a rhythm of that length in the real series, that a seam has at least beyond it
ALIKE = 1e-9  # of the largest step: so little do steps differ that are all alike but for rounding
UNLIKE = 1.2  # times the difference of two rhythms, of which what is left over is measured
USUAL = (8, 10, 12, 16, 20, 24, 32, 36, 48, 50, 64, 96, 100, 128, 256)  # lengths of windows that generators draw


@dataclass(frozen=True)
class Seams:
    """How borders differ from other steps; a positive z of jump or kink is a visible seam."""

    z: dict[str, float]  # by statistic
    p: float  # of the most striking of the three, corrected for the number of looks
    channels: dict[str, tuple[float, ...]]  # z per channel, by statistic


@dataclass(frozen=True)
class FoundSeams:
    """The most seam-like block length, if one stands out."""

    length: int
    offset: int  # borders lie before steps offset, offset + length, ...
    z: float
    p: float  # corrected for all lengths and offsets that were looked at


def sizes(series: Float[Array, "T C"]) -> dict[str, Float[Array, "T C"]]:
    """The three sizes at each step as if a border lay before it; NaN where one is not defined."""
    mean, scale = moments(series)
    z = (series - mean) / scale
    before = np.vstack([np.full((1, z.shape[1]), np.nan), z[:-1]])
    after = np.vstack([z[1:], np.full((1, z.shape[1]), np.nan)])
    return {"jump": np.abs(z - before), "kink": np.abs(after - 2 * z + before), "lag1": z * before}


def normal_scores(values: Float[Array, "T C"]) -> Float[Array, "T C"]:
    """Each channel's ranks as standard normal quantiles; NaN stay."""
    ranks = rankdata(values, axis=0, nan_policy="omit")
    return norm.ppf(ranks / (1 + (~np.isnan(values)).sum(0)))


def seams(
    series: Float[Array, "T C"],
    block: int,
    *,
    real: Float[Array, "S C"] | None = None,
    period: int | None = None,
    offset: int = 0,
) -> Seams:
    """Test whether the borders before steps offset + block, offset + 2 block, ... differ from other steps.

    Args:
        series: the generated series.
        block: length of the blocks that it was made of.
        real: the real series, used with `period`; its first step has the same phase as that of `series`.
        period: steps of the rhythm that the real data have, None for none.
        offset: place of the first border, 0 if the first block is whole.
    """
    border = np.zeros(len(series), bool)
    border[offset % block or block :: block] = True
    found, seen = sizes(series), np.inf
    if period is not None and real is not None:
        usual = sizes(real)
        found = {name: _against(values, usual[name], period) for name, values in found.items()}
        phases = np.unique(np.flatnonzero(border) % period)
        seen = float(np.isin(np.arange(len(real)) % period, phases).sum())
    z = {name: float(_z(pooled(values), border, seen)[0]) for name, values in found.items()}
    each = {name: tuple(map(float, _z(normal_scores(x), border, seen))) for name, x in found.items()}
    p = float(2 * norm.sf(max(map(abs, z.values()))))
    return Seams(z, min(1.0, len(STATISTICS) * p), each)


def _against(values: Float[Array, "T C"], real: Float[Array, "S C"], period: int) -> Float[Array, "T C"]:
    """Each value's normal score among the real values at the same phase of the rhythm."""
    scores = np.full(values.shape, np.nan)
    for phase in range(period):
        for channel in range(values.shape[1]):
            mine = values[phase::period, channel]
            usual = np.sort(real[phase::period, channel])[: (~np.isnan(real[phase::period, channel])).sum()]
            below, upto = (np.searchsorted(usual, mine, side=side) for side in ("left", "right"))
            place = norm.ppf(((below + upto) / 2 + 0.5) / (len(usual) + 1))
            scores[phase::period, channel] = np.where(np.isnan(mine), np.nan, place)
    return scores


def pooled(values: Float[Array, "T C"]) -> Float[Array, "T 1"]:
    """Normal scores of the mean of the channels' normal scores."""
    scores = normal_scores(values)
    mean = np.where(np.isnan(scores).all(1), np.nan, moments(scores.T)[0])
    return normal_scores(mean[:, None])


def _z(scores: Float[Array, "T C"], border: Array, seen: float) -> Float[Array, "C"]:
    """How many standard errors the mean score at the borders is from that elsewhere.

    Args:
        seen: number of real values that the borders' scores were taken against (their noise is common to all
            borders); infinite if none.
    """
    known = ~np.isnan(scores)
    chosen = known & border[:, None]
    n, N = chosen.sum(0), known.sum(0)
    mean, scale = moments(scores)
    shift = np.where(chosen, scores - mean, 0).sum(0) / np.maximum(n, 1)
    share = 1 / np.maximum(n, 1) * np.maximum(N - n, 1) / np.maximum(N - 1, 1) + 1 / seen
    return np.where(n > 0, shift / (scale * np.sqrt(share)), 0.0)


def find_seams(
    series: Float[Array, "T C"],
    real: Float[Array, "S C"] | None = None,
    lengths: tuple[int, ...] | None = None,
) -> FoundSeams:
    """Look for a block length and offset at which jumps are larger than elsewhere and than in the real data.

    Real data have rhythms too: for each length the most striking offset of the real series is found first, its z is
    taken off that of the generated series, and if the most striking of all is not clear of it there are none. Most
    generators set whole windows of a usual length end to end from the first row on, so those few borders are also
    looked at by themselves: among fewer looks less stands out by chance.

    Args:
        lengths: to look at; None for 4 to 256, as long as there are five borders.
    """
    most = len(series) // FEWEST_BORDERS
    looked = tuple(range(4, min(256, most) + 1)) if lengths is None else lengths
    assert looked, f"{len(series)} steps are too few to look for seams"
    score, other = _breaks(series), None if real is None else _breaks(real)
    every = [_above_rhythm(score, other, length) for length in looked]
    anywhere = _chance(max(float((z / beside).max()) for z, beside in every), sum(looked))
    first = [float(z[0] / beside) for (z, beside), length in zip(every, looked, strict=True) if length in USUAL]
    p = min(1.0, 2 * min(anywhere, _chance(max(first), len(first)))) if first else anywhere
    z, offset, length = max((float(z.max()), int(z.argmax()), n) for (z, _), n in zip(every, looked, strict=True))
    return FoundSeams(length, offset, z, p)


def _chance(z: float, looks: int) -> float:
    """Probability that the greatest of so many z is no less."""
    return float(-np.expm1(looks * np.log1p(-min(norm.sf(z), 0.5))))


def _breaks(series: Float[Array, "T C"]) -> Float[Array, " T"]:
    """How large a break lies before each step: its jump, and that of the means of two steps, which noise hides less."""
    mean, scale = moments(series)
    z = (series - mean) / scale
    broad = np.full(z.shape, np.nan)
    broad[2:-1] = np.abs(z[3:] + z[2:-1] - z[1:-2] - z[:-3])
    return pooled(np.column_stack([pooled(sizes(series)["jump"]), pooled(broad)]))[:, 0]


def _above_rhythm(score: Array, other: Array | None, length: int) -> tuple[Float[Array, "length"], float]:
    """z at each offset beyond what a rhythm of the real series explains, and beside what it is to be seen.

    Where the rhythm begins is not known: it is turned to where it leaves the least. What does not stand clear of it is
    nothing. The rest stands beside what is left elsewhere, since no two rhythms are quite the same.
    """
    z = folded(score, length)
    if other is None:
        return z, 1.0
    ratio = np.sqrt(len(score) / len(other))
    seen = folded(other, length) * ratio
    own = np.sign(seen) * np.maximum(np.abs(seen) - ratio * np.sqrt(2 * np.log(length)), 0.0)  # beyond chance
    if not own.any():
        return z, 1.0
    turned = own[(np.arange(length) - np.arange(length)[:, None]) % length]
    rest = z - turned[np.abs(z - turned).sum(axis=1).argmin()]
    elsewhere = np.sort(np.abs(rest))[:-1]
    clear = (rest > RHYTHM * own.max()) & (z > RHYTHM * seen.max())
    return np.where(clear, rest, 0.0), max(UNLIKE * float(np.sqrt((elsewhere**2).mean())), 1.0)


def folded(score: Array, length: int) -> Float[Array, "length"]:
    """z of the steps at each phase of a rhythm of that length."""
    phase, known = np.arange(len(score)) % length, ~np.isnan(score)
    count = np.bincount(phase[known], minlength=length)
    total = np.bincount(phase[known], score[known] - score[known].mean(), minlength=length)
    spread = score[known].std()
    if spread <= ALIKE * np.abs(score[known]).max(initial=0.0):  # steps that are all alike have no rhythm
        return np.zeros(length)
    return total / np.sqrt(np.maximum(count, 1)) / spread
