"""Regimes that follow one another by chance: which is next, and for how long it stays.

Of a few spells most of what may follow was never seen. Which regime is next is therefore drawn by a mixture of what
followed in the table and of what is frequent, by how well the latter foretells the former (a Dirichlet-multinomial
distribution, Minka 2000). A spell lasts about as long as one of the table: kernels lie about the logarithms of their
lengths, and those that a table begins or ends in have lasted for at least what is seen (Kaplan and Meier 1958).

Shapes: M spells, R regimes, T rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import gammaln, ndtr, ndtri

from dowgan.stretch import borders

PRIORS = (0.1, 1.0, 10.0)  # changes as which what is frequent may count beside what followed
KERNEL = 0.5  # width of a kernel about one spell, as a share of the spread of lengths; about more by their fifth root
LEAST = 1e-9  # chance, below which none is known
ALIKE = 3  # whole spells of a regime that last equally long, from which it always does
FEW = 5  # whole spells, from which they tell that all lengths are multiples, and how far those of a regime spread
SPREAD = 0.5  # of the logarithm of lengths, as long as they do not

Spell = tuple[int, int]  # a regime, and for how many rows


def spells_of(course: Int[np.ndarray, " T"]) -> Int[np.ndarray, "S 2"]:
    """Return the spells of a course of regimes."""
    edges = borders(course)
    return np.stack([course[edges[:-1]], np.diff(edges)], axis=1).astype(np.int64)


def lasting(course: Int[np.ndarray, " T"]) -> Spell:
    """Return the last spell of a course."""
    return int(course[-1]), len(course) - int(borders(course)[-2])


@dataclass(frozen=True)
class Stay:
    """For how long a regime stays.

    Attributes:
        length: [M] logarithms of the rows of its spells.
        share: [M] how often each comes.
        width: standard deviation of the kernel about each.
        unit: rows of which all lengths are a multiple.
    """

    length: Float[np.ndarray, " M"]
    share: Float[np.ndarray, " M"]
    width: float
    unit: int

    def draw(self, lasted: int, rng: np.random.Generator) -> int:
        """Return for how many rows more a spell goes on that has lasted for so many: a new one for one at least."""
        ended = self._ended(lasted)
        left = self.share * (1 - ended)
        if left.sum() < LEAST:  # none is known to last as long: it goes on as a new one would
            return self.draw(0, rng)
        place = int(rng.choice(len(left), p=left / left.sum()))
        chance = ended[place] + (1 - ended[place]) * rng.uniform(LEAST, 1 - LEAST)
        rows = np.exp(self.length[place] + (self.width * ndtri(chance) if self.width else 0.0))
        return int(max(np.rint(rows / self.unit), -(-lasted // self.unit), not lasted)) * self.unit - lasted

    def _ended(self, lasted: int) -> Float[np.ndarray, " M"]:
        """The chance that a spell like each has fewer rows."""
        off = np.log(max(lasted - 0.5, 0.5)) - self.length
        fewer = ndtr(off / self.width) if self.width else (off > 0).astype(float)
        return fewer if lasted else np.zeros(len(fewer))


@dataclass(frozen=True)
class Spells:
    """What courses of regimes are drawn from where the clock does not tell them.

    Attributes:
        first: the spell that the table begins with.
        chance: [R R] of the next regime (last), by the one that ends.
        stays: by regime.
    """

    first: Spell
    chance: Float[np.ndarray, "R R"]
    stays: tuple[Stay, ...]

    def goes_on(
        self, course: Int[np.ndarray, " B"], rows: int, position: int, rng: np.random.Generator
    ) -> Int[np.ndarray, " T"]:
        """Return the regimes of rows behind a course; position is that of the first of them on the clock."""
        return self.draw(rows, position, rng, lasting(course))

    def draw(
        self, rows: int, position: int, rng: np.random.Generator, now: Spell | None = None
    ) -> Int[np.ndarray, " T"]:
        """Return the regimes of rows, wherever on the clock they are.

        Args:
            position: of the first of them; it tells nothing here.
            now: the regime before them and for how many rows it has lasted; None if nothing was before: they then begin
                as the table does.
        """
        regime, length = self.first if now is None else (now[0], self.stays[now[0]].draw(now[1], rng))
        parts, filled = [np.full(min(length, rows), regime)], length
        while filled < rows:
            regime = int(rng.choice(len(self.chance), p=self.chance[regime]))
            length = self.stays[regime].draw(0, rng)
            parts.append(np.full(min(length, rows - filled), regime))
            filled += length
        return np.concatenate(parts)


def find_spells(courses: Sequence[Int[np.ndarray, "_S 2"]], allowed: Bool[np.ndarray, " R"], few: bool) -> Spells:
    """Return what follows what in courses of spells.

    Args:
        courses: regime and rows of each spell, by run.
        allowed: regimes that may be drawn.
        few: whether the runs are few: they then begin somewhere in a spell, else with one.
    """
    regimes = len(allowed)
    spells = np.concatenate(courses)
    seen = spells[allowed[spells[:, 0]]]
    if not len(seen):
        only = int(np.flatnonzero(allowed)[0])
        seen = np.array([[only, 1]])
    last = np.cumsum([len(course) for course in courses]) - 1
    inside, whole = (np.ones(len(spells), dtype=bool) for _ in range(2))
    inside[last] = whole[last] = False
    whole[np.append(0, last[:-1] + 1)] &= not few
    counts = np.zeros((regimes, regimes))
    np.add.at(counts, (spells[:-1, 0][inside[:-1]], spells[1:, 0][inside[:-1]]), 1.0)
    chance = _chances(counts * allowed, np.bincount(seen[:, 0], minlength=regimes).astype(float))
    if not few:  # what no run has left, such as the last phase of a batch, stays
        never = counts.sum(axis=1) == 0
        chance[never] = np.eye(regimes)[never]
    return Spells((int(seen[0, 0]), int(seen[0, 1])), chance, _stays(spells, whole, regimes))


def _chances(counts: Float[np.ndarray, "R R"], frequent: Float[np.ndarray, " R"]) -> Float[np.ndarray, "R R"]:
    """The chances of the next regime.

    Args:
        counts: how often each (last) followed each.
        frequent: how often each may come.
    """
    prior = np.tile(frequent, (len(frequent), 1))
    np.fill_diagonal(prior, 0.0)
    alone = prior.sum(axis=1) == 0
    prior[alone, alone] = 1.0  # where no other may come it stays
    prior /= prior.sum(axis=1, keepdims=True)
    possible = prior > 0
    counts = counts * possible
    total = counts.sum(axis=1, keepdims=True)
    likely = []
    for weight in PRIORS:
        doubt = np.where(possible, weight * prior, 1.0)
        terms = gammaln(counts + doubt) - gammaln(doubt)
        likely.append(float(terms[possible].sum() - (gammaln(total + weight) - gammaln(weight)).sum()))
    shares = np.exp(np.array(likely) - max(likely))
    return np.average([(counts + weight * prior) / (total + weight) for weight in PRIORS], axis=0, weights=shares)


def _stays(spells: Int[np.ndarray, "M 2"], whole: Bool[np.ndarray, " M"], regimes: int) -> tuple[Stay, ...]:
    """For how long each regime stays; one that never came, as long as any."""
    unit = int(np.gcd.reduce(spells[whole, 1])) if whole.sum() >= FEW else 1
    length = np.log(spells[:, 1])
    own = [spells[:, 0] == regime for regime in range(regimes)]
    parts = [length[whole & its] for its in own if (whole & its).any()]
    squares, spare = sum(len(p) * float(np.var(p)) for p in parts if np.ptp(p)), sum(len(p) - 1 for p in parts)
    spread = float(np.sqrt(squares / spare)) if spare >= FEW else SPREAD
    out = []
    for its in own:
        some = its if its.any() else np.ones(len(spells), dtype=bool)
        rows, share = _lasting(spells[some, 1], whole[some])
        always = (whole & its).sum() >= ALIKE and np.ptp(spells[whole & its, 1]) == 0
        out.append(Stay(np.log(rows), share, 0.0 if always else KERNEL * spread * some.sum() ** -0.2, unit))
    return tuple(out)


def _lasting(
    rows: Int[np.ndarray, " M"], whole: Bool[np.ndarray, " M"]
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """The lengths that spells have, and how often each comes (Kaplan and Meier); the longest counts as whole."""
    order = np.lexsort((~whole, rows))
    ends = whole[order] / np.arange(len(rows), 0, -1)
    ends[-1] = 1.0
    share = ends * np.append(1.0, np.cumprod(1 - ends)[:-1])
    lengths, place = np.unique(rows[order], return_inverse=True)
    shares = np.bincount(place, share)
    return lengths[shares > 0].astype(float), shares[shares > 0]
