"""What a prior gets wrong on rows that it has not seen, measured once and put right in closed form.

Two things: how wide the paths must be for 90 % bands to cover 90 %, and, channel by channel, how much weight a
densified value gives to plain interpolation, and an extended one to plain ways to foretell. All is measured by priors
fitted on earlier rows alone.

Shapes: M ways to interpolate or to foretell, D channels, K old rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import nnls

from dowgan.interpolation import WAYS, interpolate
from dowgan.known import mean_known
from dowgan.prior import Prior
from dowgan.process import Process
from dowgan.rng import Streams
from dowgan.solver import Normals, Solver
from dowgan.stretch import Stretch, split
from dowgan.verbs import OUTLOOKS, Mixture, Paths, densify, extend, regimes_between, rows_after, rows_of

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
OUTLOOK_CAUTION = 8.0  # the same for the ways to foretell
OUTLOOK_SURE = 1.0  # standard errors of what they gain
BAND_CAUTION = 24.0  # likewise of a channel's own width of bands
LEAST_REACH = 0.1  # of paths, below which a value's error asks for no more
ALIKE = HORIZON // 4  # rows of an extension whose errors are all but one error

Refit = Callable[[Sequence[Stretch]], Prior]
Ratios = Float[np.ndarray, "_N D"]


@dataclass(frozen=True)
class Calibration:
    """What the backtests of one prior found.

    Attributes:
        outlook: how an extension is put together; its bands are those where paths are widest.
        known: mixtures by factor where the fine step is one that the model was fitted on.
        finer: mixtures by factor where it is finer than that.
    """

    outlook: Mixture
    known: dict[int, Mixture] = field(default_factory=dict)
    finer: dict[int, Mixture] = field(default_factory=dict)

    def mixture(self, factor: int, finer: bool, channels: int) -> Mixture:
        """Return the mixture of the nearest factor that could be measured.

        A step finer than any that was seen is measured on gaps that are wider than its own: the least wide tell most.
        """
        measured = self.finer if finer else self.known
        if not measured:
            return _only_prior(len(WAYS), channels)
        return measured[min(measured) if finer else min(measured, key=lambda f: abs(np.log(f / factor)))]


def _only_prior(ways: int, channels: int) -> Mixture:
    """The prior as it is, and none of so many plain ways."""
    return Mixture(np.repeat(np.eye(1 + ways)[0][:, None], channels, axis=1), np.ones(channels))


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


@dataclass(frozen=True)
class Tried:
    """A run that was extended, from a place on that the prior had not seen, and what came."""

    truth: Float[np.ndarray, "H D"]
    found: Paths

    def gain(self, mixture: Mixture) -> Float[np.ndarray, " D"]:
        """By how much the mixture of the guesses is nearer than the prior's; NaN where nothing is known."""
        nearer = np.abs(self.truth - self.found.guesses[0]) - np.abs(self.truth - mixture.of(self.found.guesses))
        return np.where(np.isnan(nearer).all(axis=0), np.nan, mean_known(nearer))

    def ratios(self, mixture: Mixture) -> Ratios:
        """The band that each value asks for beside the mixture of the guesses, where paths are widest."""
        found = self.found
        mixed = mixture.of(found.guesses)
        ratios = _band(self.truth, mixed, found.paths + (mixed - found.middle), np.ones_like(self.truth, dtype=bool))
        return np.sqrt(np.maximum(1 + (ratios**2 - 1) / np.maximum(found.reach, LEAST_REACH), 0.0))


def try_extensions(prior: Prior, cases: Sequence[tuple[Stretch, int]], horizon: int, streams: Streams) -> list[Tried]:
    """Extend runs from places on that the prior has not seen.

    Args:
        prior: fitted on earlier rows.
        cases: runs, and the row of each from which it is extended.
        horizon: most rows to extend.
        streams: randomness of the backtest.
    """
    out, solver, plain = [], Solver(prior.process, prior.frame()), _only_prior(len(OUTLOOKS), prior.channels)
    for number, (whole, origin) in enumerate(cases):
        run = replace(whole, pace=whole.pace.under_way())
        truth = run.values[origin : origin + horizon]
        rows = rows_after(run.rows(0, origin), run.regime[origin : origin + horizon])
        blank, name = np.full_like(truth, np.nan), f"extend/{number}/{origin}"
        found = extend(prior, solver, run.rows(0, origin), blank, rows, _normals(streams, name), plain)
        out.append(Tried(truth, found))
    return out


def _outlook(early: Prior, stretches: Sequence[Stretch], refit: Refit, streams: Streams) -> Mixture:
    """How an extension is put together: by late runs from their middles; or by every run from several places on, each
    time by a prior fitted up to about there, so that it is as near as the model will be to what it extends."""
    history, late = split(stretches)
    if len(history) != len(late):
        cases = [(s, max(1, len(s.values) // 2)) for s in late[:ORIGINS]]
        return mixture_of(try_extensions(early, cases, HORIZON, streams), len(cases))
    tried: list[Tried] = []
    places = 0
    for share, left in zip(SHARES, (*SHARES[1:], 0.0), strict=True):
        before, until = split(stretches, share)[0], split(stretches, left)[0] if left else stretches
        runs = [trio for trio in zip(stretches, before, until, strict=True) if len(trio[1].values)]
        horizon = min(HORIZON, *(max(2, len(s.values) - len(b.values)) for s, b, _ in runs)) if runs else 2
        cases = [(s, o) for s, b, u in runs for o in _origins(len(b.values), len(u.values), horizon)]
        if cases:
            tried += try_extensions(refit(before), cases[:: -(-len(cases) // ORIGINS)], horizon, streams)
        places += len(runs)
    return mixture_of(tried, places) if tried else _only_prior(len(OUTLOOKS), early.channels)


def _origins(first: int, until: int, horizon: int) -> range:
    """Places from which so many rows are extended: the first, and others half a horizon behind each other."""
    return range(first, max(until - horizon + 1, first + 1), max(1, horizon // 2))


def mixture_of(tried: Sequence[Tried], places: int) -> Mixture:
    """The mixture that backtests ask for, those from one place, some rows apart, hardly more than one of them."""
    truth, guesses = np.concatenate([t.truth for t in tried]), np.concatenate([t.found.guesses for t in tried], axis=1)
    prior = _only_prior(len(OUTLOOKS), truth.shape[1])
    found = replace(prior, weights=_weights(truth, guesses, ALIKE, OUTLOOK_CAUTION))
    share = _sure(tried, found)
    found = replace(found, weights=share * found.weights + (1 - share) * prior.weights)
    return replace(found, band=_factors_of([t.ratios(found) for t in tried], round(ALIKE * len(tried) / places)))


def _sure(tried: Sequence[Tried], mixture: Mixture) -> Float[np.ndarray, " D"]:
    """How far its weights of each channel are to be trusted: none at all where what they gain may be chance.

    The gain is drawn to nothing by as much of it as chance makes (positive part of James and Stein 1961); backtests
    of one table are few, and what comes tomorrow in them is one thing for all its rows.
    """
    gains = np.stack([t.gain(mixture) for t in tried])
    known = np.sum(~np.isnan(gains), axis=0)
    gain = mean_known(gains)
    chance = np.sqrt(mean_known((gains - gain) ** 2) / np.maximum(known - 1, 1))
    share = 1 - (OUTLOOK_SURE * chance / np.where(gain > 0, gain, 1.0)) ** 2
    return np.where((gain > 0) & (known > 1), np.clip(share, 0.0, 1.0), 0.0)


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
            _only_prior(len(WAYS), part.values.shape[1]),
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
    truth: Float[np.ndarray, "N D"], guesses: Float[np.ndarray, "M N D"], gap: int, caution: float = CAUTION
) -> Float[np.ndarray, "M D"]:
    """Convex weights of the guesses for each channel.

    Those of all channels together are drawn towards the first guess (the prior's), those of each channel towards
    those of all: of a few gaps of one channel many weights are as good, and most of them do worse later.

    Args:
        truth: hidden values, NaN elsewhere.
        guesses: in every way.
        gap: hidden rows of a gap, whose errors are all but one error.
        caution: gaps at which weights count as much as what they are drawn to.
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
    common = _convex(np.concatenate(designs), np.concatenate(targets), np.eye(ways)[0], caution * gap)
    return np.stack([_convex(design, target, common, caution * gap) for design, target in parts], axis=1)


def _convex(
    design: Float[np.ndarray, "N M"], target: Float[np.ndarray, " N"], centre: Float[np.ndarray, " M"], caution: float
) -> Float[np.ndarray, " M"]:
    """Least squares with weights of sum one, none below zero, drawn towards the centre as by so many rows."""
    if len(target) < 2 * LEAST_GAPS:
        return centre
    apart = np.sqrt(np.mean((design - (design @ centre)[:, None]) ** 2, axis=0))
    pull = np.sqrt(caution) * (apart + 1e-3 * apart.max() + 1e-12)
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
    return Calibration(_outlook(early, stretches, refit, streams), known, finer)
