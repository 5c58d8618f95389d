"""Closed-form calibration of a generator: what it draws is carried to the data, slice by slice.

First the draw's mean and covariance are made the data's by the optimal map between two Gaussians. Then, round by
round, the leading coordinates (those that carry the most variance) are rotated at random and each rotated
coordinate is moved part of the way to the data's quantiles: sliced iterative transport (Pitie, Kokaram and Dahyot
2007; Dai and Seljak 2021, arXiv:2007.00674). Rotations of all coordinates at once would do nothing: in many
dimensions almost every direction of anything is normal already. How many rounds are sound is told by held-out
windows.

Shapes: M drawn windows, N real windows, U coordinates, r leading ones, K knots.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, ndtri

LEADING = (3, 6, 12, 24)  # sizes of the rotated subspaces, in turn
KNOTS = 33
STEP = 0.7  # share of the way to the data's quantiles that a round goes
ROUNDS = 160
CHECK_EVERY = 20  # rounds between two looks at the held-out windows
TRIES = 3  # rotations of a round, of which the worst matched is taken
SHRINK = 0.02  # of the covariances towards the identity


@dataclass(frozen=True)
class Slice:
    """One round: a rotation of the leading coordinates, and quantiles from and to."""

    rotation: Float[np.ndarray, "r r"]
    own: Float[np.ndarray, "K r"]
    wanted: Float[np.ndarray, "K r"]

    def apply(self, coordinates: Float[np.ndarray, "B U"]) -> None:
        """Move the leading coordinates in place."""
        count = len(self.rotation)
        turned = coordinates[:, :count] @ self.rotation
        for column in range(count):
            turned[:, column] = _map(turned[:, column], self.own[:, column], self.wanted[:, column])
        coordinates[:, :count] = turned @ self.rotation.T


@dataclass(frozen=True)
class Transport:
    """The whole calibration, in order: linear, slices, linear.

    Attributes:
        first, last: (mean of what comes, mix, mean of the data) each.
        slices: rounds.
    """

    first: tuple[Float[np.ndarray, " U"], Float[np.ndarray, "U U"], Float[np.ndarray, " U"]]
    slices: tuple[Slice, ...]
    last: tuple[Float[np.ndarray, " U"], Float[np.ndarray, "U U"], Float[np.ndarray, " U"]]

    def apply(self, coordinates: Float[np.ndarray, "B U"]) -> Float[np.ndarray, "B U"]:
        out = _straighten(coordinates, self.first)
        for part in self.slices:
            part.apply(out)
        return _straighten(out, self.last)


def _straighten(
    x: Float[np.ndarray, "B U"],
    linear: tuple[Float[np.ndarray, " U"], Float[np.ndarray, "U U"], Float[np.ndarray, " U"]],
) -> Float[np.ndarray, "B U"]:
    mean, mix, centre = linear
    return (x - mean) @ mix + centre


def _map(x: Float[np.ndarray, " B"], own: Float[np.ndarray, " K"], wanted: Float[np.ndarray, " K"]) -> np.ndarray:
    """Piecewise linear; beyond the outer knots as far off as the outer knot is moved."""
    out = np.interp(x, own, wanted)
    return out + np.minimum(x - own[0], 0) + np.maximum(x - own[-1], 0)


def levels(rows: int, knots: int) -> Float[np.ndarray, " K"]:
    """Return quantile levels evenly spaced in normal scores, so that tails have knots too."""
    edge = ndtri(0.5 / max(rows, 2))
    return ndtr(np.linspace(edge, -edge, knots))


def _rising(quantiles: Float[np.ndarray, "K r"]) -> Float[np.ndarray, "K r"]:
    """Strictly increasing quantiles: ties are spread by a hair."""
    hair = 1e-7 * (np.abs(quantiles).max(axis=0) + 1e-12)
    return np.maximum.accumulate(quantiles, axis=0) + hair * np.linspace(-1, 1, len(quantiles))[:, None]


def gaussian_map(drawn: Float[np.ndarray, "M U"], real: Float[np.ndarray, "N U"]) -> tuple[np.ndarray, ...]:
    """Return the optimal map between two Gaussians (Peyre and Cuturi 2019, arXiv:1803.00567, remark 2.31)."""
    own, wanted = (
        (1 - SHRINK) * np.atleast_2d(np.cov(x, rowvar=False)) + SHRINK * np.eye(x.shape[1]) for x in (drawn, real)
    )
    root, inverse = _power(own, 0.5), _power(own, -0.5)
    return drawn.mean(axis=0), inverse @ _power(root @ wanted @ root, 0.5) @ inverse, real.mean(axis=0)


def _power(covariance: Float[np.ndarray, "U U"], exponent: float) -> Float[np.ndarray, "U U"]:
    variance, vectors = np.linalg.eigh(covariance)
    return (vectors * np.maximum(variance, 1e-10) ** exponent) @ vectors.T


def _round(
    drawn: Float[np.ndarray, "M U"], real: Float[np.ndarray, "N U"], size: int, step: float, rng: np.random.Generator
) -> Slice:
    """One slice: of a few random rotations the one in which drawn and real differ most."""
    count = min(size, drawn.shape[1])
    coarse = levels(len(real), 9)
    best, gap = np.eye(count), -1.0
    for _ in range(TRIES):
        rotation = np.linalg.qr(rng.standard_normal((count, count)))[0]
        apart = np.quantile(drawn[::6, :count] @ rotation, coarse, axis=0)
        apart = apart - np.quantile(real[:, :count] @ rotation, coarse, axis=0)
        if np.mean(apart**2) > gap:
            best, gap = rotation, float(np.mean(apart**2))
    fine = levels(len(real), int(np.clip(len(real) // 16, 9, KNOTS)))
    own = _rising(np.quantile(drawn[:, :count] @ best, fine, axis=0))
    wanted = np.quantile(real[:, :count] @ best, fine, axis=0)
    return Slice(best, own, _rising(own + step * (wanted - own)))


def distance(a: Float[np.ndarray, "M U"], b: Float[np.ndarray, "N U"], rng: np.random.Generator) -> float:
    """Return a sliced Wasserstein-1 distance in the leading coordinates."""
    grid = (np.arange(50) + 0.5) / 50
    total = 0.0
    for size in LEADING:
        count = min(size, a.shape[1])
        turn = np.linalg.qr(rng.standard_normal((count, count)))[0]
        gaps = np.quantile(a[:, :count] @ turn, grid, axis=0) - np.quantile(b[:, :count] @ turn, grid, axis=0)
        total += float(np.abs(gaps).mean())
    return total / len(LEADING)


def _slices(
    moved: Float[np.ndarray, "M U"],
    real: Float[np.ndarray, "N U"],
    rounds: int,
    step: float,
    rng: np.random.Generator,
) -> Sequence[Slice]:
    """Fit slices one after another; `moved` is carried along in place."""
    out = []
    for number in range(rounds):
        out.append(_round(moved, real, LEADING[number % len(LEADING)], step, rng))
        out[-1].apply(moved)
    return out


def sound_rounds(
    drawn: Float[np.ndarray, "M U"],
    train: Float[np.ndarray, "N U"],
    held: Float[np.ndarray, "H U"],
    rng: np.random.Generator,
) -> int:
    """Return the rounds, fitted on some windows, after which the draw is nearest to the held-out ones."""
    moved = _straighten(drawn, gaussian_map(drawn, train))  # type: ignore[arg-type]
    seed = int(rng.integers(2**31))
    scores = [distance(moved, held, np.random.default_rng(seed))]
    for _ in range(0, ROUNDS, CHECK_EVERY):
        _slices(moved, train, CHECK_EVERY, STEP, rng)
        scores.append(distance(moved, held, np.random.default_rng(seed)))
    return int(np.argmin(scores)) * CHECK_EVERY


def fit_transport(
    drawn: Float[np.ndarray, "M U"],
    windows: Float[np.ndarray, "N U"],
    held_out: np.ndarray,
    rng: np.random.Generator,
) -> Transport:
    """Fit the calibration.

    Args:
        drawn: a large draw of the generator, in coordinates.
        windows: real ones.
        held_out: which of them are held out while the number of rounds is chosen; all are used afterwards.
        rng: draws rotations.
    """
    rounds = 0
    if held_out.sum() >= 2 * KNOTS:
        rounds = sound_rounds(drawn, windows[~held_out], windows[held_out], rng)
    first = gaussian_map(drawn, windows)
    moved = _straighten(drawn, first)  # type: ignore[arg-type]
    slices = _slices(moved, windows, rounds, STEP, rng)
    return Transport(first, tuple(slices), gaussian_map(moved, windows))  # type: ignore[arg-type]
