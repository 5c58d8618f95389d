"""Covariances over lags and channels: measured beside gaps, made valid, and by structures that need fewer figures.

Shapes: L lags, D channels, T rows, K matrices.
"""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from jaxtyping import Bool, Float
from scipy.fft import irfft, next_fast_len, rfft

BLOCK = 4_096  # rows that are correlated at once
SPARSE = 0.1  # of the lag of which most pairs are known, below which the share of known pairs tells nothing
FEW_PAIRS = 30.0  # known pairs of values below which a covariance is drawn to zero
SELDOM = 0.2  # share of the rows in which a channel is known, below which its ties are doubted if these stand alone
DOUBT = 4.0  # squares of a chance correlation, as which doubt counts
TIES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.0)  # of a seldom known channel, the strongest that leave it smooth:
ROUGH = 0.05  # by how much less its neighbouring rows may be alike than its own values say
IMPOSSIBLE = 2.0  # times the greatest variance, from which a covariance is nonsense
LIFTS = (0.0, 1e-6, 1e-5, 1e-4, 1e-3)  # of variances of about one
CIRCLE, LEAST_CIRCLE = 4, 4_096  # lags of the circle on which filters act: times as many as known, and at least
STEADY = 0.999  # greatest reflection of a filter, so that no wave lasts for ever


def rooted(covariance: Float[np.ndarray, "K K"]) -> tuple[Float[np.ndarray, "K K"], Float[np.ndarray, "K K"]]:
    """Return a covariance and its lower Cholesky factor, with as little more variance as it takes to have one.

    Two channels that say the same, or very smooth ones, leave no power at all in some directions, and rounding less.
    """
    for lift in LIFTS:
        lifted = covariance + lift * np.eye(len(covariance)) if lift else covariance
        with suppress(np.linalg.LinAlgError):
            return lifted, np.linalg.cholesky(lifted)
    power, axes = np.linalg.eigh(covariance)
    lifted = (axes * np.maximum(power, LIFTS[-1])) @ axes.T
    return lifted, np.linalg.cholesky(lifted)


def as_valid(lagged: Float[np.ndarray, "L D D"], lift: float = 1e-5) -> Float[np.ndarray, "L D D"]:
    """Return the closest lagged covariances of a real process: no frequency has negative power.

    Lags are taken to cross-spectra, whose negative eigenvalues are raised, and back; the variances are kept.
    """
    count, channels, _ = lagged.shape
    circle = np.concatenate([lagged, np.zeros((1, channels, channels)), lagged[:0:-1].transpose(0, 2, 1)])
    spectra = rfft(circle, axis=0)
    spectra = 0.5 * (spectra + spectra.conj().transpose(0, 2, 1))
    power, vectors = np.linalg.eigh(spectra)
    floor = lift * np.mean(np.diag(lagged[0]))
    spectra = (vectors * np.maximum(power, floor)[:, None]) @ vectors.conj().transpose(0, 2, 1)
    back = irfft(spectra, 2 * count, axis=0)[:count]
    size = np.sqrt(np.maximum(np.diag(back[0]), 1e-12) / np.maximum(np.diag(lagged[0]), 1e-12))
    return back / np.outer(size, size)


def tapered(lagged: Float[np.ndarray, "L D D"]) -> Float[np.ndarray, "L D D"]:
    """Return lagged covariances that end in zero, weighted by a raised cosine (Blackman and Tukey 1958).

    Cut off, or with a kink, the power of slow movements leaks into all frequencies, and a smooth series becomes rough.
    """
    count = len(lagged)
    return lagged * (0.5 + 0.5 * np.cos(np.pi * np.arange(count) / count))[:, None, None]


def lagged_covariance(runs: Sequence[Float[np.ndarray, "_T D"]], lags: int) -> Float[np.ndarray, "L D D"]:
    """Covariance at each lag over the pairs of known values of all runs; the mean is taken as zero.

    It is drawn to zero where few pairs of values are known, and towards the far lags: in a single run as much as if the
    sum went over all of its rows, which makes it the covariance of a process; the more runs, the less.
    """
    channels = runs[0].shape[1]
    block = min(max(len(run) for run in runs), BLOCK)
    size = next_fast_len(block + lags, real=True)
    sums = np.zeros((2, size // 2 + 1, channels, channels), dtype=complex)  # of products, and of pairs
    for run in runs:
        known = ~np.isnan(run)
        for total, values in zip(sums, (np.where(known, run, 0.0), known.astype(float)), strict=True):
            for start in range(0, len(values), block):
                ahead, here = (rfft(values[start : start + n], size, axis=0) for n in (block + lags, block))
                total += ahead[:, :, None] * here.conj()[:, None, :]
    products, counts = (irfft(total, size, axis=0)[:lags] for total in sums)
    counts = np.round(counts)
    possible = np.array([sum(max(len(run) - lag, 0) for run in runs) for lag in range(lags)], dtype=float)
    enough = np.clip(possible, 1, FEW_PAIRS)[:, None, None]
    rows = np.array([len(run) for run in runs], dtype=float)
    lost = (
        (possible[0] - possible) * np.sum(rows**2) / max(rows.sum(), 1) ** 2
    )  # by the number of runs, if all are long
    taper = (possible / np.maximum(possible + lost, 1))[:, None, None]
    means = products / np.maximum(counts, 1) * np.minimum(counts / enough, 1)
    each, next_to = (np.diagonal(counts[lag]) for lag in (0, min(1, lags - 1)))
    alone = (each < SELDOM * possible[0]) & (next_to < SPARSE * each)
    if alone.any():
        means = _surely(means, counts, alone)
    out = _bridged(means, counts / np.maximum(possible, 1)[:, None, None]) * taper
    return _loosened(out, alone) if alone.any() else out


def _surely(
    means: Float[np.ndarray, "L D D"], counts: Float[np.ndarray, "L D D"], seldom: Bool[np.ndarray, " D"]
) -> Float[np.ndarray, "L D D"]:
    """Return covariances, those with a channel that is seldom known as far as its few values tell them from chance.

    Of 40 daily samples the correlation with each other channel, at each of hundreds of lags, is .16 by chance, and all
    of it together would tell more than there is.
    """
    scale = np.sqrt(np.maximum(np.diag(means[0]), 1e-12))
    square = counts * (means / np.outer(scale, scale)) ** 2
    return np.where(_ties(seldom), means * square / (square + DOUBT), means)


def _ties(seldom: Bool[np.ndarray, " D"]) -> Bool[np.ndarray, "D D"]:
    """Which covariances tie a seldom known channel to another."""
    return (seldom[:, None] | seldom) & ~np.eye(len(seldom), dtype=bool)


def _loosened(lagged: Float[np.ndarray, "L D D"], seldom: Bool[np.ndarray, " D"]) -> Float[np.ndarray, "L D D"]:
    """Return covariances with ties of seldom known channels so loose that they leave these as smooth as they are.

    What all ties together tell of a channel in excess of its variance would be made up for by noise from row to row.
    """

    def smooth(ties: float) -> Float[np.ndarray, " D"]:
        valid = as_valid(np.where(_ties(seldom), ties * lagged, lagged))[:2]
        own = np.diagonal(valid, axis1=1, axis2=2)
        return own[1] / np.maximum(own[0], 1e-12)

    least = smooth(0.0)[seldom] - ROUGH
    chosen = next(ties for ties in TIES if ties == 0 or (smooth(ties)[seldom] >= least).all())
    return np.where(_ties(seldom), chosen * lagged, lagged)


def _bridged(means: Float[np.ndarray, "L D D"], known: Float[np.ndarray, "L D D"]) -> Float[np.ndarray, "L D D"]:
    """Return covariances, those of lags at which hardly a pair is known on the line between those of other lags.

    Two values of a laboratory that measures every 12th row are never 5 rows apart.

    Args:
        means: covariance at each lag.
        known: share of the pairs that are known.
    """
    sparse = known < SPARSE * known.max(axis=0)
    out, lags = means.copy(), np.arange(len(means))
    for a, b in zip(*np.nonzero(sparse.any(axis=0)), strict=True):
        seen = ~sparse[:, a, b]
        out[:, a, b] = np.interp(lags, lags[seen], means[seen, a, b])
    return out


def whitening(runs: Sequence[Float[np.ndarray, "_T D"]], order: int, alike: float = 0.0) -> Float[np.ndarray, "D O"]:
    """Return for each channel the filter that leaves of it what its own last values do not foretell (Burg 1975).

    A channel of which so many values in a row are hardly ever known is left as it is.

    Args:
        runs: of all channels, NaN where missing.
        order: how many last values; the filter has one coefficient more, the first of them one.
        alike: how far the reflections of each channel are drawn to those of all: 0 not at all, 1 makes them one.
    """
    channels = runs[0].shape[1]
    filters = np.ones((channels, 1))
    seldom = _seldom(runs, order)
    sides = [(run, run) for run in runs]
    for _ in range(order):
        sides = [(ahead[1:], back[:-1]) for ahead, back in sides]
        both = [(ahead, back) for ahead, back in sides if len(ahead)]
        product = sum((np.nansum(ahead * back, axis=0) for ahead, back in both), np.zeros(channels))
        power = sum(
            (np.nansum(ahead**2 + back**2 + 0 * ahead * back, axis=0) for ahead, back in both), np.zeros(channels)
        )
        common = -2 * np.sum(product) / max(np.sum(power), 1e-12)
        own = -2 * product / np.maximum(power, 1e-12)
        reflection = np.where(seldom, 0.0, np.clip((1 - alike) * own + alike * common, -STEADY, STEADY))
        sides = [(ahead + reflection * back, back + reflection * ahead) for ahead, back in sides]
        longer = np.pad(filters, ((0, 0), (0, 1)))
        filters = longer + reflection[:, None] * longer[:, ::-1]
    return filters


def _seldom(runs: Sequence[Float[np.ndarray, "_T D"]], order: int) -> Bool[np.ndarray, " D"]:
    """Which channels seldom have a value behind so many others in a row."""
    ended, known = np.zeros((2, runs[0].shape[1]))
    for run in runs:
        there = (~np.isnan(run)).astype(float)
        known += there.sum(axis=0)
        sums = np.cumsum(np.concatenate([np.zeros((1, there.shape[1])), there]), axis=0)
        ended += (sums[order + 1 :] - sums[: -order - 1] == order + 1).sum(axis=0)
    return ended < SPARSE * known


def whitened(run: Float[np.ndarray, "T D"], filters: Float[np.ndarray, "D O"]) -> Float[np.ndarray, "T D"]:
    """Return what the filters leave of a run; NaN where values that they need are missing."""
    out = np.full_like(run, np.nan)
    reach = filters.shape[1] - 1
    if len(run) > reach:
        parts = ((filters[:, k], run[reach - k : len(run) - k]) for k in range(reach + 1))
        out[reach:] = sum(np.where(weight != 0, weight * part, 0.0) for weight, part in parts)
    return out


def coloured(lagged: Float[np.ndarray, "L D D"], filters: Float[np.ndarray, "D O"]) -> Float[np.ndarray, "L D D"]:
    """Return the covariances of channels of which filters leave what has the given ones."""
    lags, channels, _ = lagged.shape
    size = next_fast_len(max(CIRCLE * lags, LEAST_CIRCLE), real=True)
    response = 1 / rfft(filters, size, axis=1)  # [D F]
    out = np.zeros_like(lagged)
    for one in range(channels):  # with each of the others once: lags back of the one are lags ahead of the other
        others = one + np.flatnonzero(
            np.any(lagged[:, one, one:] != 0, axis=0) | np.any(lagged[:, one:, one] != 0, axis=0)
        )
        circle = np.zeros((size, len(others)))
        circle[:lags], circle[size - lags + 1 :] = lagged[:, one, others], lagged[:0:-1, others, one]
        circle = irfft(rfft(circle, axis=0) * response[one][:, None] * response[others].conj().T, size, axis=0)
        out[:, one, others] = circle[:lags]
        out[1:, others, one], out[0, others, one] = circle[:-lags:-1], circle[0]
    return out


def structures(lagged: Float[np.ndarray, "L D D"]) -> dict[str, Float[np.ndarray, "L D D"]]:
    """Simpler versions of the same covariances, from the fewest numbers to all of them.

    separable: one autocorrelation for all channels; components: one for each principal component of the channels;
    apart: one for each channel, none between channels; full: as measured.
    """
    variance = lagged[0]
    own = np.einsum("hii->hi", lagged)  # [L D]
    common = own.sum(axis=1) / max(own[0].sum(), 1e-12)
    _, vectors = np.linalg.eigh(variance)
    each = np.einsum("ik,hij,jk->hk", vectors, lagged, vectors)
    return {
        "separable": common[:, None, None] * variance,
        "components": np.einsum("ik,hk,jk->hij", vectors, each, vectors),
        "apart": np.einsum("hi,ij->hij", own, np.eye(len(variance))),
        "full": lagged,
    }


def parts_of(
    runs: Sequence[Float[np.ndarray, "_T D"]], lags: int, order: int, alike: float = 0.0
) -> dict[str, Float[np.ndarray, "L D D"]]:
    """Return the `structures` of runs, of what filters of that order leave of them if it is not zero, coloured again.

    What is slow has far more power than what is fast, and leaks into it where a finite series is correlated with
    itself: slow series come out rough, and as if their mean returned to zero at once. What filters leave is about
    white and does not leak (prewhitening, Blackman and Tukey 1958), and simpler structures of it take nothing of a
    smooth channel's smoothness. The variances are those of the runs.
    """
    if not order:
        return structures(lagged_covariance(runs, lags))
    filters = whitening(runs, order, alike)
    left = tapered(lagged_covariance([whitened(run, filters) for run in runs], lags))
    wanted = lagged_covariance(runs, 1)
    parts = structures(_of_variance(left, np.ones_like(wanted)))
    return {name: _coloured(part, filters, wanted) for name, part in parts.items()}


def _coloured(
    part: Float[np.ndarray, "L D D"], filters: Float[np.ndarray, "D O"], wanted: Float[np.ndarray, "K D D"]
) -> Float[np.ndarray, "L D D"]:
    """Colour covariances and give them their variances.

    Where a filter leaves hardly anything of a slow channel, the least negative power in what is left becomes a negative
    variance, or covariances far above the variances: then those of a real process are coloured.
    """
    out = coloured(part, filters)
    if np.diag(out[0]).min() > 0:
        sized = _of_variance(out, wanted)
        if np.abs(sized).max() < IMPOSSIBLE * wanted.max():
            return sized
    return _of_variance(coloured(as_valid(part), filters), wanted)


def _of_variance(lagged: Float[np.ndarray, "L D D"], wanted: Float[np.ndarray, "K D D"]) -> Float[np.ndarray, "L D D"]:
    size = np.sqrt(np.maximum(np.diag(wanted[0]), 1e-12) / np.maximum(np.diag(lagged[0]), 1e-12))
    return lagged * np.outer(size, size)
