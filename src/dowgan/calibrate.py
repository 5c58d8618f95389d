"""What a prior gets wrong on rows that it has not seen, measured once and put right in closed form.

Two things: how wide the paths must be for 90 % bands to cover 90 %, and, channel by channel, how much weight a
densified value gives to plain interpolation. Both are measured by a prior fitted on the early rows alone.

Shapes: M ways to interpolate, D channels, K old rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import nnls

from dowgan.interpolation import WAYS, interpolate
from dowgan.prior import Prior
from dowgan.process import Process
from dowgan.rng import Streams
from dowgan.stretch import Stretch, split
from dowgan.verbs import Mixture, Normals, Solver, densify, extend, regimes_between, rows_after, rows_of

BAND = 0.9  # coverage aimed at
BAND_RANGE = (0.6, 2.5)  # paths are never narrowed or widened more than this
ORIGINS = 6  # most runs of a backtest
SHARES = (0.3, 0.2, 0.1)  # of the rows that backtests of the extension leave for later
PATHS = 32
HORIZON = 96  # most steps of a backtest
FACTORS = (2, 4, 6, 12)
MOST_VALUES = 24_000  # values of the late block that a factor is measured on
LEAST_GAPS = 8  # old steps that a factor needs
CAUTION = 100.0  # gaps at which weights count as much as what they are drawn to
BAND_CAUTION = 12.0  # likewise of a channel's own width of bands
LEAST_REACH = 0.1  # of paths, below which a value's error asks for no more
ALIKE = HORIZON // 4  # rows of an extension whose errors are all but one error

Refit = Callable[[Sequence[Stretch]], Prior]
Ratios = Float[np.ndarray, "_N D"]


@dataclass(frozen=True)
class Calibration:
    """What the backtests of one prior found.

    Attributes:
        extend_band: [D], factors on the deviation of an extending path from its median, where paths are widest.
        known: mixtures by factor where the fine step is one that the model was fitted on.
        finer: mixtures by factor where it is finer than that.
    """

    extend_band: Float[np.ndarray, " D"]
    known: dict[int, Mixture] = field(default_factory=dict)
    finer: dict[int, Mixture] = field(default_factory=dict)

    def mixture(self, factor: int, finer: bool, channels: int) -> Mixture:
        """Return the mixture of the nearest factor that could be measured.

        A step finer than any that was seen is measured on gaps that are wider than its own: the least wide tell most.
        """
        measured = self.finer if finer else self.known
        if not measured:
            return Mixture(_only_prior(channels), np.ones(channels))
        return measured[min(measured) if finer else min(measured, key=lambda f: abs(np.log(f / factor)))]


def _only_prior(channels: int) -> Float[np.ndarray, "M D"]:
    weights = np.zeros((1 + len(WAYS), channels))
    weights[0] = 1
    return weights


def _band(
    truth: Float[np.ndarray, "N D"],
    middle: Float[np.ndarray, "N D"],
    paths: Float[np.ndarray, "P N D"],
    hidden: Bool[np.ndarray, "N D"],
) -> Ratios:
    """How many half-widths of the band each hidden value lies from the middle; NaN where that is not known."""
    low, high = np.quantile(paths, [(1 - BAND) / 2, (1 + BAND) / 2], axis=0)
    half = np.where(truth > middle, high - middle, middle - low)
    return np.where(hidden & (half > 1e-9), np.abs(truth - middle) / np.maximum(half, 1e-9), np.nan)


def _factor_of(ratios: Sequence[Ratios]) -> float:
    """The factor that makes the bands of all channels together cover what they shall."""
    every = np.concatenate([np.empty(0), *(r[~np.isnan(r)] for r in ratios)])
    if len(every) < 20:
        return 1.0
    return float(np.clip(np.quantile(every, BAND), *BAND_RANGE))


def _factors_of(ratios: Sequence[Ratios], gap: int) -> Float[np.ndarray, " D"]:
    """The factor of each channel, drawn to that of all where few gaps are known, as that of all is drawn to one.

    Args:
        ratios: of every run.
        gap: rows whose errors are all but one error.
    """
    rows = np.concatenate(list(ratios))
    known = np.count_nonzero(~np.isnan(rows), axis=0)
    common = _factor_of(ratios) ** (known.sum() / (known.sum() + BAND_CAUTION * gap))
    share = known / (known + BAND_CAUTION * gap)
    own = np.array([_factor_of([rows[:, [channel]]]) for channel in range(len(share))])
    return common * (own / common) ** share


def _normals(streams: Streams, name: str) -> Normals:
    return lambda number, width: streams.normal(f"{name}/{number}", 0, PATHS, width)


def extension_band(prior: Prior, cases: Sequence[tuple[Stretch, int]], horizon: int, streams: Streams) -> list[Ratios]:
    """Extend runs from a place on that the prior has not seen, and measure the band that each value asks for.

    Args:
        prior: fitted on earlier rows.
        cases: runs, and the row of each from which it is extended.
        horizon: most rows to extend.
        streams: randomness of the backtest.
    """
    out, solver = [], Solver(prior.process, prior.frame())
    for number, (whole, origin) in enumerate(cases):
        run = replace(whole, pace=1.0)  # how long it will be is not known
        truth = run.values[origin : origin + horizon]
        rows = rows_after(run.rows(0, origin), run.regime[origin : origin + horizon])
        blank, name = np.full_like(truth, np.nan), f"extend/{number}/{origin}"
        found = extend(prior, solver, run.rows(0, origin), blank, rows, _normals(streams, name), band=1.0)
        ratios = _band(truth, found.middle, found.paths, np.ones_like(truth, dtype=bool))
        out.append(np.sqrt(np.maximum(1 + (ratios**2 - 1) / np.maximum(found.reach, LEAST_REACH), 0.0)))
    return out


def _extensions(early: Prior, stretches: Sequence[Stretch], refit: Refit, streams: Streams) -> Float[np.ndarray, " D"]:
    """The band factors of an extension: late runs from their middles; or every run from several places on, each
    time by a prior fitted up to there, so that it is as near as the model will be to what it extends."""
    history, late = split(stretches)
    if len(history) != len(late):
        cases = [(s, max(1, len(s.values) // 2)) for s in late[:ORIGINS]]
        return _factors_of(extension_band(early, cases, HORIZON, streams), ALIKE)
    ratios = []
    for share in SHARES:
        before, after = split(stretches, share)
        horizon = min(HORIZON, max(2, min(len(s.values) for s in after)))
        cases = [(s, len(b.values)) for s, b in zip(stretches, before, strict=True) if len(b.values)]
        if cases:
            ratios += extension_band(refit(before), cases[:ORIGINS], horizon, streams)
    return _factors_of(ratios, ALIKE) if ratios else np.ones(stretches[0].values.shape[1])


def _measure(early: Prior, process: Process, late: Sequence[Stretch], factor: int, streams: Streams) -> Mixture | None:
    """Hide all but every factor-th late row, fill them in every way, and weigh the ways by least squares."""
    truths, guesses, ratios = [], [], []
    for number, stretch in enumerate(late):
        most = max(LEAST_GAPS * factor, MOST_VALUES // (stretch.values.shape[1] * len(late)))
        rows_kept = min(len(stretch.values) - 1, most) // factor * factor + 1
        if rows_kept <= LEAST_GAPS * factor // 2:
            continue
        part = stretch.rows(0, rows_kept)
        coarse = part.values[::factor]
        seen = regimes_between(part.regime[::factor], factor)
        out = densify(
            early,
            process,
            coarse,
            factor,
            replace(rows_of(part), regime=seen),
            _normals(streams, f"densify/{factor}/{number}"),
            Mixture(_only_prior(part.values.shape[1]), np.ones(part.values.shape[1])),
        )
        hidden = np.ones_like(part.values, dtype=bool)
        hidden[::factor] = False
        ratios.append(_band(part.values, out.middle, out.paths, hidden))
        truths.append(np.where(hidden, part.values, np.nan))
        guesses.append(np.stack([out.middle, *(interpolate(coarse, factor, way) for way in WAYS)]))
    if sum(len(t) for t in truths) < LEAST_GAPS * factor:
        return None
    weights = _weights(np.concatenate(truths), np.concatenate(guesses, axis=1), factor - 1)
    return Mixture(weights, _factors_of(ratios, factor - 1))


def _weights(
    truth: Float[np.ndarray, "N D"], guesses: Float[np.ndarray, "M N D"], gap: int
) -> Float[np.ndarray, "M D"]:
    """Convex weights of the guesses for each channel.

    Those of all channels together are drawn towards the first guess (the prior's), those of each channel towards
    those of all: of a few gaps of one channel many weights are as good, and most of them do worse later.

    Args:
        truth: hidden values, NaN elsewhere.
        guesses: in every way.
        gap: hidden rows of a gap, whose errors are all but one error.
    """
    ways, _, channels = guesses.shape
    parts = []
    for channel in range(channels):
        rows = ~np.isnan(truth[:, channel]) & ~np.isnan(guesses[:, :, channel]).any(axis=0)
        design, target = guesses[:, rows, channel].T, truth[rows, channel]
        off = np.sqrt(np.mean((design - target[:, None]) ** 2, axis=0)) if rows.any() else np.ones(ways)
        scale = off.min() + 1e-9
        parts.append((design / scale, target / scale))
    designs, targets = zip(*parts, strict=True)
    common = _convex(np.concatenate(designs), np.concatenate(targets), np.eye(ways)[0], gap)
    return np.stack([_convex(design, target, common, gap) for design, target in parts], axis=1)


def _convex(
    design: Float[np.ndarray, "N M"], target: Float[np.ndarray, " N"], centre: Float[np.ndarray, " M"], gap: int
) -> Float[np.ndarray, " M"]:
    """Least squares with weights of sum one, none below zero, drawn towards the centre."""
    if len(target) < 2 * LEAST_GAPS:
        return centre
    apart = np.sqrt(np.mean((design - (design @ centre)[:, None]) ** 2, axis=0))
    pull = np.sqrt(CAUTION * gap) * (apart + 1e-3 * apart.max() + 1e-12)
    strong = 1e3 * (np.abs(design).max() + np.sqrt(len(target)) + 1e-9) * np.ones((1, len(centre)))
    found, _ = nnls(
        np.concatenate([design, np.diag(pull), strong]), np.concatenate([target, pull * centre, strong[0, :1]])
    )
    return found / found.sum()


def calibrate(early: Prior, stretches: Sequence[Stretch], refit: Refit, streams: Streams) -> Calibration:
    """Backtest a prior on rows that it has not seen.

    Args:
        early: fitted on `split(stretches)[0]` alone.
        stretches: all rows.
        refit: fits a prior in the same way on other rows.
        streams: randomness of the backtests.
    """
    late = split(stretches)[1]
    judged = sorted(late, key=lambda s: -len(s.values))[:ORIGINS]
    known: dict[int, Mixture] = {}
    finer: dict[int, Mixture] = {}
    for factor in (f for f in FACTORS if 2 * f < len(early.process.lagged)):
        for target, process in ((known, early.process), (finer, early.process.every(factor).finer(factor))):
            mixture = _measure(early, process, judged, factor, streams)
            if mixture is None:  # of so few rows also those that it was fitted on
                mixture = _measure(early, process, stretches[:ORIGINS], factor, streams)
            if mixture is not None:
                target[factor] = mixture
    return Calibration(_extensions(early, stretches, refit, streams), known, finer)
