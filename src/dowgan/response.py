"""How channels go from the level of one regime to that of the next: a vessel heats up after its set-point has stepped.

At a change of regime the levels of the channels jump, the channels themselves do not. The jump fades, with several
time constants at once, and each channel answers to what is left of it: a distributed lag (Koyck 1954) whose shape is
a sum of exponentials, so that a channel may come slowly, be pushed the other way first, or overshoot. No two changes
are answered quite alike, so that values are also less sure behind them: their variance grows by what is left of the
jumps, squared.

Shapes: T rows, D channels, R regimes, Q directions in which regimes differ, F = Q * K fading jumps of K time constants.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import nnls
from scipy.signal import lfilter

CONSTANTS = (0.5, 2.0, 5.0, 12.0, 30.0, 80.0)  # time constants, in steps of the table
SLOWER = 4.0  # times the usual stretch of a regime, that a time constant is at most
DIRECTIONS = 4  # of the differences between regimes, at most
SMALL = 0.05  # share of the largest of them, below which one is left out
FOLDS = 8  # parts of the rows, each judged by what the others tell
PULLS = (0.3, 3.0, 30.0)  # strengths of the pull towards no response that are tried
WEAK = (0.0003, 0.003, 0.03)  # the same of those that must surely be better, as behind a brief event such as a dose
SURE = 1.0  # standard errors by which a channel's response must lower the error on the other parts
CHANGES = 4  # that a response is told from, at least
TURNS = 3  # of finding how variances grow
MOST_MEMORY = 0.98  # of a value, that is taken off the next one
TINY = 1e-9  # a variance
AT_REST = 0.05  # share of the whole variance that is there at rest, at least
STILL = 1e-3  # of a jump, from which on it has faded


@dataclass(frozen=True)
class Response:
    """What is left of changes of regime, and what it adds to each channel.

    Attributes:
        constants: [K] time constants in steps of the table; none where regimes do not change within runs.
        turn: [R Q] where each regime lies.
        weights: [F D].
        widening: [K D] of the variance, for what is left of a jump at each time constant.
    """

    constants: Float[np.ndarray, " K"]
    turn: Float[np.ndarray, "R Q"]
    weights: Float[np.ndarray, "F D"]
    widening: Float[np.ndarray, "K D"]

    def level(self, regime: Int[np.ndarray, " T"], step: float) -> Float[np.ndarray, "T D"]:
        """Return what the changes up to each row add to the level of its regime.

        Args:
            regime: of each row, from the start of the run.
            step: of the rows, in steps of the table.
        """
        return self.fading(regime, step) @ self.weights

    def log_width(self, regime: Int[np.ndarray, " T"], step: float) -> Float[np.ndarray, "T D"]:
        """Return the logarithm of how many times further than at rest values lie from their mean."""
        return 0.5 * np.log1p(self.left(regime, step) @ self.widening)

    def left(self, regime: Int[np.ndarray, " T"], step: float) -> Float[np.ndarray, "T K"]:
        """Return the square of what is left of the changes at each row."""
        every = self.fading(regime, step).reshape(len(regime), len(self.constants), self.turn.shape[1])
        return np.sum(every**2, axis=2)

    def fading(self, regime: Int[np.ndarray, " T"], step: float) -> Float[np.ndarray, "T F"]:
        """Return what is left of the changes at each row; a change has come about one step of the table earlier."""
        places = self.turn[regime]
        jumps = -np.diff(places, axis=0, prepend=places[:1])
        left = [lfilter([np.exp(-1 / c)], [1.0, -np.exp(-step / c)], jumps, axis=0) for c in self.constants]
        return np.concatenate([np.empty((len(regime), 0)), *left], axis=1)


def no_response(regimes: int, channels: int) -> Response:
    """Return the response of channels that are at their level at once."""
    return Response(np.empty(0), np.empty((regimes, 0)), np.empty((0, channels)), np.empty((0, channels)))


def fit_response(
    rests: Sequence[Float[np.ndarray, "_T D"]],
    regimes: Sequence[Int[np.ndarray, " _T"]],
    levels: Float[np.ndarray, "R D"],
) -> Response:
    """Fit the response of each channel, none where it does not foretell rows that it was not fitted on.

    Args:
        rests: runs without their season and the levels of their regimes, NaN where missing.
        regimes: of their rows.
        levels: of each regime.
    """
    none = no_response(*levels.shape)
    lengths = [np.diff(np.flatnonzero(np.diff(r, prepend=-1, append=-1))) for r in regimes]
    if sum(len(own) - 1 for own in lengths) < CHANGES:
        return none
    slowest = float(np.median(np.concatenate(lengths)))
    constants = np.array([c for c in CONSTANTS if c <= SLOWER * slowest])
    left, size, _ = np.linalg.svd(levels - levels.mean(axis=0), full_matrices=False)
    count = min(DIRECTIONS, int(np.sum(size > SMALL * size[0])))
    turn, width = left[:, :count] * size[:count], levels.shape[1]
    plain = Response(constants, turn, np.zeros((count * len(constants), width)), np.zeros((len(constants), width)))
    every = [plain.fading(r, 1.0) for r in regimes]
    moving = np.concatenate([np.abs(fading[1:]).max(axis=1, initial=0.0) > STILL for fading in every])
    if not moving.any():
        return none
    fold = (np.arange(len(moving)) * FOLDS // len(moving))[moving]
    columns = []
    for channel in range(width):
        own = [rest[:, channel] for rest in rests]
        memory = _memory(own)
        design, new = (
            np.concatenate([part[1:] - memory * part[:-1] for part in parts])[moving] for parts in (every, own)
        )
        columns.append(_weights(design, new, fold))
    return replace(plain, weights=np.stack(columns, axis=1))


def _memory(parts: Sequence[Float[np.ndarray, " _T"]]) -> float:
    """How much of a value the next one keeps. What is new in each row is all but independent, so that a jump weighs as
    much as it is rare (Cochrane and Orcutt 1949)."""
    both = sum(float(np.nansum(part[1:] * part[:-1])) for part in parts)
    size = sum(float(np.nansum(part[:-1] ** 2 + 0 * part[1:])) for part in parts)
    return float(np.clip(both / max(size, TINY), 0.0, MOST_MEMORY))


def widened(
    response: Response, rests: Sequence[Float[np.ndarray, "_T D"]], regimes: Sequence[Int[np.ndarray, " _T"]]
) -> Response:
    """Return the response with its widening fitted to what it leaves of runs, none where that is no likelier.

    Nor is there any of a channel that hardly forgets: with its width it would jump.

    Args:
        rests: runs without season, levels and response, NaN where missing.
        regimes: of their rows.
    """
    if not len(response.constants):
        return response
    left, rest = np.concatenate([response.left(r, 1.0) for r in regimes]), np.concatenate(list(rests))
    fold = np.arange(len(rest)) * FOLDS // len(rest)
    found = [_widening(left[known], rest[known, d], fold[known]) for d, known in enumerate(~np.isnan(rest).T)]
    slow = [_memory([own[:, d] for own in rests]) >= MOST_MEMORY for d in range(rest.shape[1])]
    return replace(response, widening=np.where(slow, 0.0, np.stack(found, axis=1)))


def _widening(
    left: Float[np.ndarray, "N K"], rest: Float[np.ndarray, " N"], fold: Int[np.ndarray, " N"]
) -> Float[np.ndarray, " K"]:
    """One channel's, if it makes parts of the rows likelier than they are without."""
    gains = np.array([_likelier(left, rest, fold == number) for number in range(FOLDS)])
    if gains.mean() <= SURE * gains.std(ddof=1) / np.sqrt(FOLDS):
        return np.zeros(left.shape[1])
    own = _variance(left, rest)
    return own[1:] / own[0]


def _likelier(left: Float[np.ndarray, "N K"], rest: Float[np.ndarray, " N"], here: Bool[np.ndarray, " N"]) -> float:
    """By how much the log likelihood of some rows grows with the widening of the others."""
    own = _variance(left[~here], rest[~here])
    flat, wide = np.mean(rest[~here] ** 2) + TINY, own[0] + left[here] @ own[1:]
    square = rest[here] ** 2
    return 0.5 * float(np.sum(square / flat + np.log(flat) - square / wide - np.log(wide)))


def _variance(left: Float[np.ndarray, "N K"], rest: Float[np.ndarray, " N"]) -> Float[np.ndarray, " J"]:
    """The variance at rest, and what each square of a jump adds to it, by least squares with weights of their own."""
    design, square = np.concatenate([np.ones((len(left), 1)), left], axis=1), rest**2
    expected = np.full(len(rest), square.mean() + TINY)
    for _ in range(TURNS):
        found, _ = nnls(design / expected[:, None], square / expected)
        found[0] = max(found[0], AT_REST * square.mean(), TINY)
        expected = design @ found
    return found


def _weights(
    fading: Float[np.ndarray, "N F"], rest: Float[np.ndarray, " N"], fold: Int[np.ndarray, " N"]
) -> Float[np.ndarray, " F"]:
    """One channel's, by the pull under which parts of the rows are foretold best by the others."""
    known = ~np.isnan(rest)
    parts = [known & (fold == number) for number in range(FOLDS)]
    squares = np.stack([fading[part].T @ fading[part] for part in parts])
    products = np.stack([fading[part].T @ rest[part] for part in parts])
    own, gains = _best(squares, products, PULLS)
    weak, more = _best(squares, products, WEAK)
    if _surely(more - gains):
        own, gains = weak, more
    if not _surely(gains):
        return np.zeros(fading.shape[1])
    return _ridge(squares.sum(axis=0), products.sum(axis=0), own)


def _best(
    squares: Float[np.ndarray, "P F F"], products: Float[np.ndarray, "P F"], pulls: Sequence[float]
) -> tuple[float, Float[np.ndarray, " P"]]:
    """The pull under which the parts gain the most, and what each gains."""
    found = [(pull, _gains(squares, products, pull)) for pull in pulls]
    return max(found, key=lambda one: float(one[1].sum()))


def _surely(gains: Float[np.ndarray, " P"]) -> bool:
    """Whether parts gain something, and not by chance."""
    return bool(gains.mean() > SURE * gains.std(ddof=1) / np.sqrt(len(gains)))


def _gains(
    squares: Float[np.ndarray, "P F F"], products: Float[np.ndarray, "P F"], pull: float
) -> Float[np.ndarray, " P"]:
    """By how much the sum of squares of each part falls, foretold by the others."""
    told = _ridge(squares.sum(axis=0) - squares, products.sum(axis=0) - products, pull)
    return 2 * np.einsum("pf,pf->p", told, products) - np.einsum("pf,pfg,pg->p", told, squares, told)


def _ridge(
    squares: Float[np.ndarray, "*P F F"], products: Float[np.ndarray, "*P F"], pull: float
) -> Float[np.ndarray, "*P F"]:
    return np.linalg.solve(squares + pull * np.eye(squares.shape[-1]), products[..., None])[..., 0]
