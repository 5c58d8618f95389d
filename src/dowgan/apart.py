"""States that the clock tells beside others that it does not: a shift beside a set-point that is changed by chance.

Together they seem to follow neither, so each is drawn by itself: the states of the clock, and the others in the rows in
which they may change. A product may change while a line runs, or as a shift begins, and be none while the line stands.

Shapes: R regimes, Q columns that tell one, T rows, A states of the clock, B of the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import gammaln

from dowgan.spells import Spell, Spells, find_spells, lasting, spells_of
from dowgan.succession import MOST_CHANCES, Course, Timetable, find_timetable

TELLS = 3.0  # of log evidence, by which states of the clock tell what the others do, to be drawn with them
DOUBTS = (1.0, 10.0, 100.0)  # rows as which what the others do at all counts beside what they do in one state
BY_CHANCE = 0.05  # that the others never changed with some steps, though they may
MISSED = 0.1  # of the rows in which a state is there, or is not, that the clock tells wrong, at most
NEARLY_NEVER = 1e-6  # chance of what the table never does


@dataclass(frozen=True)
class Apart:
    """Which states the clock tells, and what it tells.

    Attributes:
        clocked: [R] the state of the clock that each regime has.
        others: [R] the number of what else it has.
        regime: [A B] of each pair; where a state of the clock has but one of the others, that one.
        free: [A] which states of the clock have more.
        moves: [A A] with which steps from one state of the clock to the next (last) the others may change.
        own: what the clock tells of its states.
        besides: what it tells of the others in all of these, None for nothing.
    """

    clocked: Int[np.ndarray, " R"]
    others: Int[np.ndarray, " R"]
    regime: Int[np.ndarray, "A B"]
    free: Bool[np.ndarray, " A"]
    moves: Bool[np.ndarray, "A A"]
    own: Timetable
    besides: Timetable | None

    def may_move(self, clocked: Int[np.ndarray, " T"]) -> Bool[np.ndarray, " T"]:
        """Return in which rows of states of the clock the others may change; in the first one they may begin."""
        return np.append(self.free[clocked[:1]], self.moves[clocked[:-1], clocked[1:]])

    def moving(self, course: Int[np.ndarray, " T"]) -> Int[np.ndarray, " M"]:
        """Return the others of a course of regimes in the rows in which they may change."""
        return self.others[course][self.may_move(self.clocked[course])]

    def by_chance(
        self, courses: Sequence[Int[np.ndarray, " _T"]], allowed: Bool[np.ndarray, " R"]
    ) -> "ByChance | None":
        """Return what courses of the regimes are drawn from; None if the clock tells all, or not all that is allowed.

        Args:
            courses: of the table, by run.
            allowed: regimes that may be drawn.
        """
        free = self.free[self.clocked]
        some = np.bincount(self.others[free], allowed[free], minlength=self.regime.shape[1]) > 0
        if self.besides or not (allowed[free] == some[self.others[free]]).all() or not allowed[~free].all():
            return None
        parts = [part for part in map(self.moving, courses) if len(part)]
        return ByChance(self, find_spells([spells_of(part) for part in parts], some, few=True))

    def timetable(self, courses: Sequence[Int[np.ndarray, " _T"]]) -> Timetable:
        """Return what the clock tells of the regimes, whose courses in the table are given by run."""
        a, b = self.clocked, self.others
        if self.besides is not None:
            phase = np.arange(np.lcm(self.own.period, self.besides.period))
            one, two = (table.at(phase) for table in (self.own, self.besides))
            chance = one.chance[:, a[:, None], a] * two.chance[:, b[:, None], b]
            return Timetable(chance, one.share[:, a] * two.share[:, b])
        parts = [self.moving(course) for course in courses]
        frequent = np.bincount(np.concatenate(parts), minlength=self.regime.shape[1]) / sum(map(len, parts))
        usual = _usual(_counts([(np.zeros_like(part), part) for part in parts], 1, len(frequent)))
        stays = (1 - NEARLY_NEVER) * np.eye(len(frequent)) + NEARLY_NEVER * frequent
        change = np.where(self.moves[a[:, None], a], usual[b[:, None], b], stays[b[:, None], b])
        change = np.where(self.free[a][:, None], change, frequent[b])  # what a state with but one of them leaves open
        chance = self.own.chance[:, a[:, None], a] * np.where(self.free[a], change, 1.0)
        return Timetable(chance, self.own.share[:, a] * np.where(self.free[a], frequent[b], 1.0))


@dataclass(frozen=True)
class ByChance:
    """What courses are drawn from: the clock for its states, and spells for the others where they may change."""

    apart: Apart
    spells: Spells

    def draw(
        self, rows: int, position: int, rng: np.random.Generator, now: Spell | None = None
    ) -> Int[np.ndarray, " T"]:
        """Return the regimes of rows.

        Args:
            position: of the first of them on the clock.
            now: with what, beside the states of the clock, they begin, a regime, and for how many rows it has lasted;
                None to begin as the table does.
        """
        clocked = self.apart.own.draw(rows, position, rng)
        begun = now is not None and bool(self.apart.free[self.apart.clocked[now[0]]])
        return self._beside(clocked, (int(self.apart.others[now[0]]), now[1]) if now and begun else None, rng)

    def goes_on(
        self, course: Int[np.ndarray, " B"], rows: int, position: int, rng: np.random.Generator
    ) -> Int[np.ndarray, " T"]:
        """Return the regimes of rows behind a course; position is that of the first of them on the clock."""
        before, moving = self.apart.clocked[course], self.apart.moving(course)
        clocked = self.apart.own.goes_on(before, rows, position, rng)
        both = np.append(before[-1], clocked)
        return self._beside(both, lasting(moving) if len(moving) else None, rng, known=1)

    def _beside(
        self, clocked: Int[np.ndarray, " T"], now: Spell | None, rng: np.random.Generator, known: int = 0
    ) -> Int[np.ndarray, " N"]:
        """The regimes of rows behind the first, known ones, of all of which the state of the clock is known."""
        may = self.apart.may_move(clocked)[known:]
        drawn = self.spells.draw(int(may.sum()), 0, rng, now)
        others = np.append(now[0] if now else self.spells.first[0], drawn)[np.cumsum(may)]
        out: np.ndarray = self.apart.regime[clocked[known:], others]
        return out


def find_apart(courses: Sequence[Course], levels: Float[np.ndarray, "R Q"], cycles: Sequence[int]) -> Apart | None:
    """Return the states that the clock tells, None if it tells all of them or none, or they belong to the others.

    Args:
        courses: of the regimes, by run.
        levels: what tells each of them.
        cycles: of the clock in rows, see `Clock.cycles`.
    """
    told: list[Bool[np.ndarray, " R"]] = []  # what the clock tells of each regime
    open_: list[Float[np.ndarray, " R"]] = []  # columns of which it does not tell all
    for column in levels.T:
        flags = [column == level for level in np.unique(column)]
        closely = [flag for flag in flags if _closely(_of(courses, flag.astype(int)), cycles)]
        told += closely
        open_ += [] if len(closely) == len(flags) else [column]
    if not told or not open_:
        return None
    sides = np.column_stack(told), np.column_stack(open_)
    clocked, others = (np.unique(side, axis=0, return_inverse=True)[1].reshape(-1) for side in sides)
    pairs = np.full((clocked.max() + 1, others.max() + 1), -1)
    pairs[clocked, others] = np.arange(len(levels))
    free = (pairs >= 0).sum(axis=1) > 1
    own = find_timetable(_of(courses, clocked), len(pairs), cycles)
    if own is None or not free.any() or len(np.unique(pairs[free] >= 0, axis=0)) > 1:
        return None
    regime = np.where(free[:, None], pairs, pairs.max(axis=1, keepdims=True))
    parts = [(clocked[course], others[course]) for _, course in courses]
    moves, counts = _moves(parts, free, pairs.shape[1])
    if _told(counts) > TELLS:
        return None
    besides = find_timetable(_of(courses, others), pairs.shape[1], cycles) if moves.all() else None
    if besides is not None and np.lcm(own.period, besides.period) * len(levels) ** 2 > MOST_CHANCES:
        return None
    return Apart(clocked, others, regime, free, moves, own, besides)


def _closely(courses: Sequence[Course], cycles: Sequence[int]) -> bool:
    """Whether the clock nearly always tells if a state is there, and not only when it may change."""
    table = find_timetable(courses, 2, cycles)
    if table is None:
        return False
    told = [table.share[(position + np.arange(len(course))) % table.period] for position, course in courses]
    there = np.concatenate([course for _, course in courses])
    wrong = np.count_nonzero(np.concatenate(told).argmax(axis=1) != there)
    return bool(wrong <= MISSED * min(there.sum(), (1 - there).sum()))


def _of(courses: Sequence[Course], number: Int[np.ndarray, " R"]) -> list[Course]:
    return [(position, number[regime]) for position, regime in courses]


def _moves(
    parts: Sequence[tuple[Int[np.ndarray, " _T"], Int[np.ndarray, " _T"]]], free: Bool[np.ndarray, " A"], others: int
) -> tuple[Bool[np.ndarray, "A A"], Float[np.ndarray, "AA B B"]]:
    """With which steps between states of the clock the others change, and how often each followed each with these.

    Args:
        parts: states of the clock and the others, by run.
        free: which states of the clock have more than one of the others; those before and behind one are compared.
        others: how many there are.
    """
    steps = []
    for clocked, other in parts:
        step = np.append(0, clocked[:-1] * len(free) + clocked[1:])
        steps.append((step[free[clocked]], other[free[clocked]]))
    counts = _counts(steps, len(free) ** 2, others)
    steps_of, stays = np.einsum("abc->a", counts), np.einsum("abb->a", counts)
    moves = steps_of > stays
    usual = stays[moves].sum() / max(steps_of[moves].sum(), 1)
    moves |= (usual**steps_of > BY_CHANCE) & np.tile(free, len(free))
    return moves.reshape(len(free), len(free)), counts[moves]


def _counts(
    parts: Sequence[tuple[Int[np.ndarray, " _T"], Int[np.ndarray, " _T"]]], kinds: int, others: int
) -> Float[np.ndarray, "K B B"]:
    """How often each of the others (last) followed each, by the kind of the step to it."""
    out = np.zeros((kinds, others, others))
    for kind, other in parts:
        np.add.at(out, (kind[1:], other[:-1], other[1:]), 1.0)
    return out


def _usual(counts: Float[np.ndarray, "K B B"]) -> Float[np.ndarray, "B B"]:
    """Chances of the next of the others with all steps."""
    every = counts.sum(axis=0)
    seen = (every.sum(axis=0) + every.sum(axis=1)) > 0
    every += np.eye(len(every)) + seen / max(seen.sum(), 1)
    return every / every.sum(axis=1, keepdims=True)


def _told(counts: Float[np.ndarray, "K B B"]) -> float:
    """By how much more evidence there is that the kind of a step tells what the others do (Dirichlet-multinomial) than
    that it does not."""
    usual, best = np.maximum(_usual(counts), NEARLY_NEVER), -np.inf
    for weight in DOUBTS:
        doubt = weight * usual
        terms = (gammaln(counts + doubt) - gammaln(doubt)).sum(axis=2)
        best = max(best, float((terms + gammaln(weight) - gammaln(counts.sum(axis=2) + weight)).sum()))
    return best - float((counts * np.log(usual)).sum())
