"""The steps of batches: whether all go through the same, and courses of steps between two batches of a kind.

Shapes: N runs, T rows, P places of a run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from dowgan.model import Past

PLACES = 50  # of a run, at which regimes are compared
AGREE = 0.2  # more often than by chance, from which they belong to the place in the run
DRIFT = 4.0  # standard errors by which a regime is surely more frequent early in runs than late
MIXED = (0.2, 0.8)  # share that another run has in how long steps are


def by_place(past: Sequence[Past]) -> bool:
    """Return whether the regimes of many runs belong to the place in the run, as the steps of a recipe do.

    Any two runs then agree at the same place (of all, or counted from the first row) more often than by chance, by
    Fleiss' kappa (1971); or a regime is more frequent early in a run than late, or less, as the doses of patients who
    get well.
    """
    courses, shortest = [p.course for p in past], min(p.rows for p in past)
    shares = (np.arange(PLACES) + 0.5) / PLACES
    relative = np.stack([course[(shares * len(course)).astype(int)] for course in courses])
    if any(_kappa(alike) > AGREE for alike in (relative, np.stack([c[:shortest] for c in courses]))):
        return True
    third = PLACES // 3
    each = (relative == number for number in np.unique(relative))
    return any(_drifts(own[:, -third:].mean(axis=1) - own[:, :third].mean(axis=1)) for own in each)


def _drifts(change: Float[np.ndarray, " N"]) -> bool:
    """Whether a change is surely not zero, by Student's t over the runs."""
    error = float(change.std(ddof=1)) / np.sqrt(len(change))
    return bool(abs(float(change.mean())) > DRIFT * max(error, 1e-9))


def _kappa(alike: Int[np.ndarray, "N P"]) -> float:
    """How much more often than by chance two rows have the same number in a column; 1 where there is but one number."""
    runs = len(alike)
    counts = np.stack([(alike == number).sum(axis=0) for number in np.unique(alike)])
    agreed = np.mean(np.sum(counts * (counts - 1), axis=0) / (runs * (runs - 1)))
    chance = np.sum((counts.sum(axis=1) / alike.size) ** 2)
    return float((agreed - chance) / (1 - chance)) if chance < 1 else 1.0


@dataclass(frozen=True)
class Batches:
    """Runs that go through steps.

    Attributes:
        past: the runs.
        labels: columns of what a run is, such as its product.
    """

    past: Sequence[Past]
    labels: Sequence[int]

    @cached_property
    def _kinds(self) -> dict[tuple[bytes, bytes], list[Past]]:
        """The runs by their steps and labels, and by their steps alone."""
        out: dict[tuple[bytes, bytes], list[Past]] = {}
        for run in self.past:
            for kind in {_kind(run, self.labels), _kind(run, ())}:
                out.setdefault(kind, []).append(run)
        return out

    def between(self, own: Past, rng: np.random.Generator) -> Int[np.ndarray, " T"]:
        """Return the steps of a run, each about as long as there and in another one that has them, of the same labels
        if there is one: a recipe's, and no copy. Steps that last as long in both runs do so here."""
        among = next((some for use in (self.labels, ()) if len(some := self._kinds[_kind(own, use)]) > 1), [])
        if not among:
            return own.course
        other, share = among[int(rng.integers(len(among) - 1))], rng.uniform(*MIXED)
        other = among[-1] if other is own else other
        lasts, theirs = own.regime[:, 1], other.regime[:, 1]
        length, apart = lasts ** (1 - share) * theirs**share, np.abs(lasts - theirs)
        length += (own.rows - length.sum()) * apart / max(apart.sum(), 1)
        length = np.maximum(length, 1.0)
        ends = np.rint(np.cumsum(length) / length.sum() * own.rows).astype(int)
        return np.repeat(own.regime[:, 0], np.diff(ends, prepend=0))


def _kind(run: Past, labels: Sequence[int]) -> tuple[bytes, bytes]:
    return run.regime[:, 0].tobytes(), run.first[list(labels)].tobytes()


def with_labels(past: Sequence[Past], held: Mapping[int, float]) -> Sequence[Past]:
    """Return the runs that have some labels, such as batches of one product; all if none has them.

    Args:
        held: the level of each column.
    """
    return [p for p in past if all(p.first[place] == level for place, level in held.items())] or past
