"""Runs that come once, such as batches or patients: what a further one is like, between two of the table's.

Which steps it goes through, how long each lasts, and the numbers that are its own, such as a patient's age.

Shapes: N runs, T rows, P places of a run, C columns (the schema's channels).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from dowgan.courses import resolution, rounded
from dowgan.known import ends_of, mean_known
from dowgan.model import Past
from dowgan.stretch import MANY_RUNS
from dowgan.table.schema import Column

PLACES = 50  # of a run, at which regimes are compared
AGREE = 0.2  # more often than by chance, from which they belong to the place in the run
DRIFT = 4.0  # standard errors by which a regime is surely more frequent early in runs than late
MIXED = (0.2, 0.8)  # share that another run has in how long steps are
TURNED = (0.3, 0.9)  # angle, of a right one at which a run's own numbers are another one's


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
    return run.regime[:, 0].tobytes(), _labels(run, labels)


def _labels(run: Past, places: Sequence[int]) -> bytes:
    """What a run has in some columns, to be told from others by."""
    return run.first[list(places)].tobytes()


def with_labels(past: Sequence[Past], held: Mapping[int, float]) -> Sequence[Past]:
    """Return the runs that have some labels, such as batches of one product; all if none has them.

    Args:
        held: the level of each column.
    """
    return [p for p in past if all(p.first[place] == level for place, level in held.items())] or past


def come_once(past: Sequence[Past], sided: bool) -> bool:
    """Return whether runs are batches, patients and the like, that end and begin at times of their own, and not units
    that are there all the time.

    Args:
        past: the runs.
        sided: whether their clock tells when each begins.
    """
    starts, lengths = {run.offset for run in past}, {run.rows for run in past}
    apart = 2 * len(starts) > len(past) if sided else len(lengths) > 1
    return len(past) >= MANY_RUNS and apart


@dataclass(frozen=True)
class Kin:
    """What runs that come once have of their own: the table's labels in another order, numbers between two runs.

    Attributes:
        past: the runs.
        columns: the schema's channels.
        labels, sizes: which of them never change within a run: those of few values, and numbers of many.
    """

    past: Sequence[Past]
    columns: Sequence[Column]
    labels: tuple[int, ...]
    sizes: tuple[int, ...]

    @cached_property
    def _alike(self) -> dict[bytes, list[Past]]:
        """The runs by their labels."""
        out: dict[bytes, list[Past]] = {}
        for run in self.past:
            out.setdefault(_labels(run, self.labels), []).append(run)
        return out

    def first(self, own: Past, rng: np.random.Generator) -> Float[np.ndarray, " C"]:
        """Return the first values of a run that is like one of the table's: its numbers lie between that one's and
        another one's of the same labels, and stray as far from their mean as theirs do."""
        among, sizes = self._alike[_labels(own, self.labels)], list(self.sizes)
        out = own.first.copy()
        if len(among) < 3 or not sizes:
            return out
        each = np.stack([run.first[sizes] for run in among])
        other, turned, mean = each[int(rng.integers(len(each)))], rng.uniform(*TURNED), mean_known(each)
        mixed = mean + (out[sizes] - mean) * np.cos(turned) + (other - mean) * np.sin(turned)
        mixed = np.clip(mixed, *ends_of(each))
        out[sizes] = np.where(np.isnan(mixed), out[sizes], mixed)
        for column, place in ((self.columns[place], place) for place in sizes):
            out[[place]] = rounded(out[[place]], resolution(column), column.step)
        return out


def kin(past: Sequence[Past], columns: Sequence[Column], fixed: Sequence[int]) -> Kin:
    """Return what runs have of their own.

    Args:
        past: the runs.
        columns: the schema's channels.
        fixed: which of them never change within a run.
    """
    first = np.stack([run.first for run in past])
    many = [place for place in fixed if 2 * len(np.unique(first[:, place])) > len(past)]
    sizes = tuple(place for place in many if columns[place].kind in ("float", "integer"))
    return Kin(past, columns, tuple(place for place in fixed if place not in many), sizes)
