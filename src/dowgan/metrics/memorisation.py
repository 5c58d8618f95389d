"""Memorisation: are generated windows nearer to the training windows than unseen real windows are?

Windows are flattened, each channel in training standard deviations, and compared by the root mean square
difference. Distances to the nearest training window (DCR) are taken for the generated windows and for a
held-out block of time; the whole distribution is compared, and the lowest 1 %, since a median hides a few
copies. A set that passes may still leak ("The DCR delusion", Yao et al. 2025, arXiv:2505.01524): passing is
necessary, not sufficient.

Authenticity (Alaa et al., "How faithful is your synthetic data?", ICML 2022, arXiv:2102.08921, section 3.3):
a generated window is authentic if it is farther from its nearest training window than that one is from its
own nearest neighbour. About .5 for new draws of the same distribution where windows are independent, 0 for
copies. Training windows that overlap in time do not count as neighbours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt64

from dowgan.metrics.marginal import moments
from dowgan.metrics.metric import METRICS, Metric, Score
from dowgan.metrics.twosample import auc

Array = np.ndarray
CHUNK = 1_024  # windows compared at once, to bound the memory
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 by the golden ratio
LOWEST = 0.01  # share of the distances that is looked at by itself
MOVES = 4  # rows of a window that differ from the one before, from which two alike are copies


def exact_share(made: Sequence[Float[Array, "_ C"]], known: Sequence[Float[Array, "_ C"]], steps: int) -> float:
    """Share of the windows of `made`, at every place, whose rows all stand in this order in `known`.

    Windows in which hardly anything moves are not counted as copies: two plants that stand still are alike, also while
    a tariff changes by the clock.
    """
    (own, _), (new, moves) = _codes(known, steps), _codes(made, steps)
    return float((np.isin(new, own) & moves).mean()) if len(new) else 0.0


def _codes(series: Sequence[Float[Array, "_ C"]], steps: int) -> tuple[UInt64[Array, "N"], Bool[Array, "N"]]:
    """A number for each window that depends on all of its bits, and whether several rows differ from those before."""
    codes, moves = [np.empty(0, np.uint64)], [np.empty(0, bool)]
    for rows in (_coded((x + 0.0).view(np.uint64)) for x in series if len(x) >= steps):
        cut = np.lib.stride_tricks.sliding_window_view(rows, steps)
        codes.append(_coded(cut))
        moves.append((cut[:, 1:] != cut[:, :-1]).sum(axis=1) >= min(MOVES, steps - 1))
    return np.concatenate(codes), np.concatenate(moves)


def _coded(numbers: UInt64[Array, "N K"]) -> UInt64[Array, "N"]:
    """One number for each row, by the mixer of splitmix64 (Steele et al. 2014), which spreads every bit over all."""
    total = np.zeros(len(numbers), np.uint64)
    for column in numbers.T:
        total += GOLDEN  # so that the place of a number counts
        total = (total ^ column) * np.uint64(0xBF58476D1CE4E5B9)
        total = (total ^ (total >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        total ^= total >> np.uint64(31)
    return total


@dataclass(frozen=True)
class Memorisation:
    """Distances to the nearest training window, in standard deviations.

    Attributes:
        fake, held_out: of generated and of held-out windows.
        train: of the training windows that were looked at, to those that they share no step with.
        authenticity, authenticity_held_out: of the generated and of the held-out windows.
    """

    fake: Float[Array, "M"]
    held_out: Float[Array, "K"]
    train: Float[Array, "N"]
    authenticity: float
    authenticity_held_out: float

    @property
    def closer(self) -> float:
        """P(a generated window is nearer to the training data than a held-out one): .5 none, 1 copies."""
        return auc(self.held_out, self.fake)

    @property
    def lowest(self) -> tuple[float, float]:
        """Mean of the lowest 1 % of the distances: generated, held-out; the first should not be smaller."""
        return lowest(self.fake), lowest(self.held_out)

    @property
    def copies(self) -> float:
        """Share of generated windows nearer to the training data than 99 % of the held-out are: .01."""
        return float((self.fake < np.quantile(self.held_out, LOWEST)).mean())


def lowest(distances: Float[Array, "K"]) -> float:
    """Mean of the lowest 1 % (at least one) of the distances."""
    count = max(int(LOWEST * len(distances)), 1)
    return float(np.partition(distances, count - 1)[:count].mean())


def memorisation(
    train: Float[Array, "N T C"],
    held_out: Float[Array, "K T C"],
    fake: Float[Array, "M T C"],
    apart: int | None = None,
    looks: int | None = None,
) -> Memorisation:
    """Compare generated windows' distances to the training windows with those of a held-out block.

    Args:
        train: windows that the generator was fitted on, in the order of time.
        held_out: windows that share no step with the training windows.
        fake: generated windows, best as many as held-out ones.
        apart: training windows fewer places apart than this are not neighbours; None for T, which is right
            for stride 1.
        looks: at so many training windows, for their own distances; None for all of them.
    """
    mean, scale = moments(train.reshape(-1, train.shape[2]))
    rows, new, unseen = (((x - mean) / scale).reshape(len(x), -1) for x in (train, fake, held_out))
    (near_new, at_new), (near_unseen, at_unseen) = nearest(new, rows), nearest(unseen, rows)
    looked = np.linspace(0, len(rows) - 1, min(looks or len(rows), len(rows))).astype(int)
    places = np.unique(np.concatenate([looked, at_new, at_unseen]))
    own = np.full(len(rows), np.nan)
    own[places], _ = nearest(rows[places], rows, train.shape[1] if apart is None else apart, places)
    return Memorisation(
        near_new,
        near_unseen,
        own[looked],
        float((near_new > own[at_new]).mean()),
        float((near_unseen > own[at_unseen]).mean()),
    )


def nearest(
    rows: Float[Array, "M D"], among: Float[Array, "N D"], apart: int = 0, places: Int[Array, "M"] | None = None
) -> tuple[Float[Array, "M"], Int[Array, "M"]]:
    """Root mean square distance to the nearest row of `among`, and which it is; NaN left out pair by pair.

    Args:
        apart: if not 0, rows with places in `among` fewer than this from one's own do not count.
        places: of the rows in `among`; None if the rows are all of them.
    """
    own = np.arange(len(rows)) if places is None else places
    distance, place = np.empty(len(rows)), np.empty(len(rows), int)
    for start, squares in _squares(rows, among):
        if apart:
            squares[np.abs(own[start : start + len(squares), None] - np.arange(len(among))) < apart] = np.inf
        found = squares.argmin(1)
        stop = start + len(squares)
        place[start:stop] = found
        distance[start:stop] = _exact(rows[start:stop], among[found])
        distance[start:stop][~np.isfinite(squares.min(1))] = np.inf
    return distance, place


def _exact(first: Float[Array, "B D"], second: Float[Array, "B D"]) -> Float[Array, "B"]:
    off = (first - second) ** 2
    known = ~np.isnan(off)
    return np.sqrt(np.where(known, off, 0).sum(1) / np.maximum(known.sum(1), 1))


def _squares(rows: Float[Array, "M D"], among: Float[Array, "N D"]) -> Iterator[tuple[int, Float[Array, "B N"]]]:
    """Mean square distances, a chunk of rows at a time; infinite where two rows share no known place."""
    known, filled = ~np.isnan(among), np.nan_to_num(among)
    some_missing = not known.all() or bool(np.isnan(rows).any())
    size, squared = known.astype(float), filled**2
    for start in range(0, len(rows), CHUNK):
        x = rows[start : start + CHUNK]
        here, value = (~np.isnan(x)).astype(float), np.nan_to_num(x)
        cross = value @ filled.T
        if some_missing:
            shared = here @ size.T
            total = (value**2) @ size.T + here @ squared.T - 2 * cross
            yield start, np.where(shared > 0, total / np.maximum(shared, 1), np.inf)
        else:
            yield start, ((value**2).sum(1)[:, None] + squared.sum(1) - 2 * cross) / x.shape[1]


def authenticity(real: Float[Array, "N T C"], fake: Float[Array, "M T C"], apart: int | None = None) -> float:
    """Share of generated windows that are authentic; higher is better, compare with held-out windows' own."""
    return memorisation(real, fake[:1], fake, apart).authenticity


def _measure(real: Array, fake: Array, seed: int) -> Score:
    return Score(authenticity(real, fake))


METRICS.add("authenticity")(
    Metric(
        "authenticity",
        "share of windows that are no near-copies of training windows",
        better="higher",
        needs="windows",
        cost="fast",
        measure=_measure,
        floor=float("nan"),
    )
)
