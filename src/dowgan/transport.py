"""Closed-form calibration of a generator: what it draws is carried to the data, slice by slice.

First the draw's mean and covariance are made the data's by the optimal map between two Gaussians. Then, round by
round, some directions are chosen and the draw is moved along each of them to the data's quantiles:
sliced iterative transport (Pitie, Kokaram and Dahyot 2007; Dai and Seljak 2021, arXiv:2007.00674). Directions are
taken where data differ from a draw: random rotations of the leading coordinates (those that carry the most
variance), and single values of a window. Rotations of all coordinates at once would do nothing: in many dimensions
almost every direction of anything is normal already. How many rounds are sound is told by held-out windows.

Shapes: M drawn windows, N real windows, U coordinates, K knots, r directions of a round.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import solve_triangular
from scipy.special import ndtr, ndtri

from dowgan.coordinates import optimal_map

Linear = tuple[Float[np.ndarray, " U"], Float[np.ndarray, "U U"], Float[np.ndarray, " U"]]

LEADING = (3, 6, 12, 24)  # sizes of the rotated subspaces, in turn
PICKED = ("values", "changes")  # a round of each in turn follows them
AT_ONCE = 24  # values or changes of one round
KNOTS = 33
CELLS = 256  # even ones between the outer knots, in which a map is looked up
ROUNDS = 400  # at most
ROUNDS_EACH = 4  # at most, for each coordinate: rounds beyond that follow the chance of the draw
CHECKS = 8  # looks at the held-out windows meanwhile
HARDLY = 1.05  # a held-out distance so many times the least still counts as the least
STEPS = (1.0, 0.2)  # shares of the way to the data's quantiles that the first round and the last one go
TRIES = 3  # rotations of a round, of which the worst matched is taken
SHRINK = 0.02  # of the covariances towards the identity
TRUSTS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)  # weights of the real covariance that are tried
FLAT = 0.05  # a direction that lies closer than this to the others of its round is left out


@dataclass(frozen=True)
class Slice:
    """One round: directions, and quantiles from and to along each.

    Attributes:
        rotation: [r r] of the leading coordinates; empty where values are picked.
        picks: [P 3] time and channel of each picked value, and how many steps back lies the one that it is taken from
            (0 for none); empty where leading coordinates are rotated.
        own, wanted: quantiles.
    """

    rotation: Float[np.ndarray, "R R"]
    picks: Int[np.ndarray, "P 3"]
    own: Float[np.ndarray, "K r"]
    wanted: Float[np.ndarray, "K r"]

    @cached_property
    def _lines(self) -> tuple[Float[np.ndarray, " Gr"], Float[np.ndarray, " Gr"]]:
        """Start and slope of the map's line in each cell; the first and the last are those beyond the outer knots."""
        even = np.linspace(self.own[0], self.own[-1], CELLS + 1)
        moved = np.stack([np.interp(even[:, i], self.own[:, i], self.wanted[:, i]) for i in range(even.shape[1])], 1)
        slope = np.pad(np.diff(moved, axis=0) / np.diff(even, axis=0), ((1, 1), (0, 0)), constant_values=1.0)
        at = np.concatenate([even[:1], even])  # a place on each line
        return (np.concatenate([moved[:1], moved]) - slope * at).ravel(), slope.ravel()

    def basis(self, colour: Float[np.ndarray, "T D U"]) -> Float[np.ndarray, "U r"] | None:
        """Return the directions of picked values, None where leading coordinates are rotated."""
        return None if len(self.rotation) else directions(self.picks, colour)

    def apply(self, coordinates: Float[np.ndarray, "B U"], basis: Float[np.ndarray, "U r"] | None) -> None:
        """Move the coordinates in place."""
        if basis is None:
            part = coordinates[:, : len(self.rotation)]
            part[:] = self._moved(part @ self.rotation) @ self.rotation.T
        else:
            turned = coordinates @ basis
            coordinates += (self._moved(turned) - turned) @ basis.T

    def _moved(self, turned: Float[np.ndarray, "B r"]) -> Float[np.ndarray, "B r"]:
        """Piecewise linear; beyond the outer knots as far off as the outer knot is moved."""
        start, slope = self._lines
        scale = CELLS / (self.own[-1] - self.own[0])
        place = turned * scale
        place += 1 - self.own[0] * scale
        cell = np.clip(place, 0, CELLS + 1, out=place).astype(np.intp)
        cell *= turned.shape[1]
        cell += np.arange(turned.shape[1])
        moved = slope.take(cell)
        moved *= turned
        moved += start.take(cell)
        return moved


def directions(picks: Int[np.ndarray, "r 3"], colour: Float[np.ndarray, "T D U"]) -> Float[np.ndarray, "U r"]:
    """Return orthonormal directions along which what is picked moves."""
    return np.linalg.qr(_gradients(picks, colour).T)[0]


def _gradients(picks: Int[np.ndarray, "r 3"], colour: Float[np.ndarray, "T D U"]) -> Float[np.ndarray, "r U"]:
    time, channel, back = picks.T
    return colour[time, channel] - (back > 0)[:, None] * colour[time - back, channel]


def pick(colour: Float[np.ndarray, "T D U"], kind: str, rng: np.random.Generator) -> Int[np.ndarray, "r 3"]:
    """Choose the values or changes of one round; those that hardly add a direction are left out."""
    steps, channels, _ = colour.shape
    back = int(kind == "changes")
    chosen = rng.permutation((steps - back) * channels)[:AT_ONCE]
    picks = np.stack([chosen // channels + back, chosen % channels, np.full_like(chosen, back)], axis=1)
    rows = _gradients(picks, colour)
    own = np.abs(np.diag(np.linalg.qr(rows.T)[1]))
    return picks[own > FLAT * np.linalg.norm(rows, axis=1)]


@dataclass(frozen=True)
class Transport:
    """The whole calibration, in order: linear, slices, linear.

    Attributes:
        first, last: (mean of what comes, mix, mean of the data) each.
        slices: rounds.
    """

    first: Linear
    slices: tuple[Slice, ...]
    last: Linear

    def bases(self, colour: Float[np.ndarray, "T D U"]) -> list[Float[np.ndarray, "U _r"] | None]:
        """Return the directions of every round, for `apply`; `colour` turns coordinates into values of a window."""
        return [part.basis(colour) for part in self.slices]

    def apply(
        self, coordinates: Float[np.ndarray, "B U"], bases: Sequence[Float[np.ndarray, "U _r"] | None]
    ) -> Float[np.ndarray, "B U"]:
        """Carry a draw to the data."""
        out = _straighten(coordinates, self.first)
        for part, basis in zip(self.slices, bases, strict=True):
            part.apply(out, basis)
        return _straighten(out, self.last)


def _straighten(x: Float[np.ndarray, "B U"], linear: Linear) -> Float[np.ndarray, "B U"]:
    mean, mix, centre = linear
    return (x - mean) @ mix + centre


def quantiles(x: Float[np.ndarray, "B r"], shares: Float[np.ndarray, " K"]) -> Float[np.ndarray, "K r"]:
    """Return the quantiles of each column; whole sorts are faster than many partial ones."""
    ordered = np.sort(np.ascontiguousarray(x.T), axis=1)
    place = shares * (len(x) - 1)
    low = np.clip(place.astype(int), 0, max(len(x) - 2, 0))
    share = place - low
    return ((1 - share) * ordered[:, low] + share * ordered[:, np.minimum(low + 1, len(x) - 1)]).T


def levels(rows: int, knots: int) -> Float[np.ndarray, " K"]:
    """Return quantile levels evenly spaced in normal scores, so that tails have knots too."""
    edge = ndtri(0.5 / max(rows, 2))
    return ndtr(np.linspace(edge, -edge, knots))


def _rising(quantiles: Float[np.ndarray, "K r"]) -> Float[np.ndarray, "K r"]:
    """Strictly increasing quantiles: ties are spread by a hair."""
    hair = 1e-7 * (np.abs(quantiles).max(axis=0) + 1e-12)
    return np.maximum.accumulate(quantiles, axis=0) + hair * np.linspace(-1, 1, len(quantiles))[:, None]


def gaussian_map(drawn: Float[np.ndarray, "M U"], real: Float[np.ndarray, "N U"], trust: float) -> Linear:
    """Return the optimal map between the Gaussians of two sets of windows.

    Args:
        drawn, real: windows.
        trust: weight of the real covariance; the rest keeps the draw's.
    """
    own = _covariance(drawn)
    mix = optimal_map(own, (1 - trust) * own + trust * _covariance(real)) if trust else np.eye(len(own))
    return drawn.mean(axis=0), mix, real.mean(axis=0)


def _covariance(x: Float[np.ndarray, "B U"]) -> Float[np.ndarray, "U U"]:
    return (1 - SHRINK) * np.atleast_2d(np.cov(x, rowvar=False)) + SHRINK * np.eye(x.shape[1])


def sound_trust(
    drawn: Float[np.ndarray, "M U"], train: Float[np.ndarray, "N U"], held: Float[np.ndarray, "H U"]
) -> float:
    """Return the weight of the real covariance under which held-out windows are likeliest."""
    own, real = _covariance(drawn), _covariance(train)
    rest = held - train.mean(axis=0)

    def cost(trust: float) -> float:
        lower = np.linalg.cholesky((1 - trust) * own + trust * real)
        size = np.mean(np.sum(solve_triangular(lower, rest.T, lower=True) ** 2, axis=0))
        return float(size + 2 * np.sum(np.log(np.diag(lower))))

    return min(TRUSTS, key=cost)


def _round(
    drawn: Float[np.ndarray, "M U"],
    real: Float[np.ndarray, "N U"],
    kind: int | str,
    step: float,
    colour: Float[np.ndarray, "T D U"],
    rng: np.random.Generator,
) -> tuple[Slice, Float[np.ndarray, "U r"] | None]:
    """One slice and its `basis`: picked values, or of a few rotations the one in which drawn and real differ most."""
    fine = levels(len(real), int(np.clip(len(real) // 16, 9, KNOTS)))
    if isinstance(kind, str):
        picks, rotation = pick(colour, kind, rng), np.empty((0, 0))
        basis = directions(picks, colour)
        a, b = drawn @ basis, real @ basis
    else:
        picks, basis, count = np.empty((0, 3), dtype=int), None, min(kind, drawn.shape[1])
        rotation = _worst_rotation(drawn[::8, :count], real[::4, :count], rng)
        a, b = drawn[:, :count] @ rotation, real[:, :count] @ rotation
    own, wanted = quantiles(a, fine), quantiles(b, fine)
    return Slice(rotation, picks, _rising(own), _rising(own + step * (wanted - own))), basis


def _worst_rotation(
    drawn: Float[np.ndarray, "M R"], real: Float[np.ndarray, "N R"], rng: np.random.Generator
) -> Float[np.ndarray, "R R"]:
    count = drawn.shape[1]
    coarse = levels(len(real), 9)
    best, gap = np.eye(count), -1.0
    for _ in range(TRIES):
        rotation = np.linalg.qr(rng.standard_normal((count, count)))[0]
        apart = quantiles(drawn @ rotation, coarse) - quantiles(real @ rotation, coarse)
        if np.mean(apart**2) > gap:
            best, gap = rotation, float(np.mean(apart**2))
    return best


def distance(a: Float[np.ndarray, "M U"], b: Float[np.ndarray, "N U"], rng: np.random.Generator) -> float:
    """Return a sliced Wasserstein-1 distance in the leading coordinates."""
    grid = (np.arange(50) + 0.5) / 50
    total = 0.0
    for size in LEADING:
        count = min(size, a.shape[1])
        turn = np.linalg.qr(rng.standard_normal((count, count)))[0]
        gaps = quantiles(a[:, :count] @ turn, grid) - quantiles(b[:, :count] @ turn, grid)
        total += float(np.abs(gaps).mean())
    return total / len(LEADING)


def _slices(
    moved: Float[np.ndarray, "M U"],
    real: Float[np.ndarray, "N U"],
    steps: Sequence[float],
    colour: Float[np.ndarray, "T D U"],
    rng: np.random.Generator,
) -> Sequence[Slice]:
    """Fit slices one after another, one for each step; `moved` is carried along in place."""
    kinds, out = [kind for picked in PICKED for kind in (*LEADING, picked)], []
    for number, step in enumerate(steps):
        part, basis = _round(moved, real, kinds[number % len(kinds)], step, colour, rng)
        part.apply(moved, basis)
        out.append(part)
    return out


def shares(width: int) -> list[float]:
    """Return how far each round goes: less and less, so that the chance of single rounds does not add up."""
    return np.linspace(*STEPS, min(ROUNDS, ROUNDS_EACH * width)).tolist()


def sound_rounds(
    drawn: Float[np.ndarray, "M U"],
    train: Float[np.ndarray, "N U"],
    held: Float[np.ndarray, "H U"],
    colour: Float[np.ndarray, "T D U"],
    trust: float,
    rng: np.random.Generator,
) -> int:
    """Return the most rounds, fitted on some windows, after which the draw is hardly further from held-out ones.

    A draw that follows the windows may be as far from held-out ones as the windows themselves are: where the level
    of a table wanders, held-out blocks lie elsewhere.
    """
    moved = _straighten(drawn, gaussian_map(drawn, train, trust))
    steps, seed = shares(drawn.shape[1]), int(rng.integers(2**31))
    scores, every = [distance(moved, held, np.random.default_rng(seed))], -(-len(steps) // CHECKS)
    for first in range(0, len(steps), every):
        _slices(moved, train, steps[first : first + every], colour, rng)
        scores.append(distance(moved, held, np.random.default_rng(seed)))
    enough = max(min(scores), distance(train, held, np.random.default_rng(seed)))
    return int(np.flatnonzero(np.array(scores) <= HARDLY * enough)[-1]) * every


def fit_transport(
    drawn: Float[np.ndarray, "M U"],
    windows: Float[np.ndarray, "N U"],
    sided: Bool[np.ndarray, " N"],
    held_out: Bool[np.ndarray, " N"],
    colour: Float[np.ndarray, "T D U"],
    rng: np.random.Generator,
) -> Transport:
    """Fit the calibration.

    Args:
        drawn: a large draw of the generator, in coordinates.
        windows: real ones.
        sided: which of them reach across no border of a held-out block.
        held_out: which of them are held out while trust and rounds are chosen; all windows are used afterwards.
        colour: turns coordinates into values of a window.
        rng: draws directions.
    """
    trust, rounds = 0.0, 0
    if held_out.sum() >= 2 * KNOTS:
        train, held, fewer = windows[sided & ~held_out], windows[held_out], drawn[::4].copy()
        trust = sound_trust(drawn, train, held)
        rounds = sound_rounds(fewer, train, held, colour, trust, rng)
    first = gaussian_map(drawn, windows, trust)
    moved = _straighten(drawn, first)
    slices = _slices(moved, windows, shares(windows.shape[1])[:rounds], colour, rng)
    return Transport(first, tuple(slices), gaussian_map(moved, windows, trust))
