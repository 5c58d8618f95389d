"""How regimes follow one another: each for as long as it lasted in the table, or as the clock tells.

A pump runs until a tank is full; a shift ends at six; the valves of a cyclic process have a beat of their own. Where
the phase of the day, week or year, or of that beat, foretells changes on later rows as well as how long a regime has
lasted, and better than chance, regimes are drawn by it.

Shapes: T rows, R regimes, S steps from row to row, F phases.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.spells import Spell, lasting
from dowgan.waves import DAYS, Span, days_off

CYCLES = 4  # of a period, at least
WEEKS = 2  # at least, where all days off of a week are alike and so are the others
EARLY = 0.5  # share of the rows from which the others are foretold
DOUBTS = (0.05, 0.5, 4.0)  # rows as which what is expected of a phase counts beside its own
NEAR = 0.06  # of a period, a standard deviation of the phases that tell how often a regime is there at one
DOUBT_NEAR = 4.0  # rows as which how often it is there at all counts beside them
BY_PHASE = 0.9  # share of that in what is expected of a phase; the rest holds at all phases
DOUBTS_OFF = (0.05, 0.5, 8.0)  # rows as which all days count beside those of one sort, where days off go otherwise
GAIN = 10.0  # of log likelihood on the later rows, over what holds at all phases
SHORTER = 2.0  # the same by which a longer period must be better
TIE = 1.0  # and by which how long a regime has lasted may be better
SURE = 0.95  # share of the rows that are foretold where regimes follow the clock closely
MOST_BEAT = 256  # rows of a period that is no cycle of the clock
MOST_LOOKED_AT = 20_000  # rows in which it is looked for
AGAIN = 0.9  # of the way from chance to always, that a regime is what it was a period ago
BETWEEN = 0.5  # the same at some shorter distance, below which it is another one: no long stay
NEVER = 1e-9  # least chance
MOST_CHANCES = 4_000_000  # of a timetable

Course = tuple[int, Int[np.ndarray, " _T"]]  # clock position of its first row, and regimes


@dataclass(frozen=True)
class Timetable:
    """What regimes follow each other at each phase of the clock.

    Attributes:
        chance: [F R R] of the regime of a row of that phase (last), by that of the row before.
        share: [F R] of the rows of that phase.
    """

    chance: Float[np.ndarray, "F R R"]
    share: Float[np.ndarray, "F R"]

    @property
    def period(self) -> int:
        return len(self.chance)

    def at(self, phases: Int[np.ndarray, " P"]) -> "Timetable":
        """Return what holds at some phases, one after another."""
        return Timetable(self.chance[phases % self.period], self.share[phases % self.period])

    @cached_property
    def _lasting(self) -> Float[np.ndarray, "F R"]:
        """Minus the logarithm of the chance that no regime changes from the first phase up to each."""
        stays = np.clip(np.einsum("frr->fr", self.chance), NEVER, 1 - NEVER)
        return np.cumsum(-np.log(stays), axis=0)

    def goes_on(
        self, course: Int[np.ndarray, " B"], rows: int, position: int, rng: np.random.Generator
    ) -> Int[np.ndarray, " T"]:
        """Return the regimes of rows behind a course; position is that of the first of them on the clock."""
        return self.draw(rows, position, rng, lasting(course))

    def draw(
        self, rows: int, position: int, rng: np.random.Generator, now: Spell | None = None
    ) -> Int[np.ndarray, " T"]:
        """Return the regimes of rows.

        Args:
            position: of the first of them on the clock.
            now: the regime before them, and for how many rows it has lasted, which tells nothing here; None if nothing
                was before.
        """
        place = 0
        if now is None:
            regime = int(rng.choice(len(self.share[0]), p=self.share[position % self.period]))
            place = 1
        else:
            regime = now[0]
        out = np.full(rows, regime)
        while place < rows:
            place += self._rows_until_change(regime, position + place, rng.exponential())
            if place < rows:
                follow = self.chance[(position + place) % self.period, regime].copy()
                follow[regime] = 0.0
                regime = int(rng.choice(len(follow), p=follow / follow.sum()))
                out[place:] = regime
                place += 1
        return out

    def between(
        self, given: Int[np.ndarray, " K"], factor: int, position: int, step: int
    ) -> tuple[Int[np.ndarray, " N"], Float[np.ndarray, " N"]]:
        """Return the likeliest regimes of the rows from the first to the last given one, and how sure each is.

        Each row's chance follows from the given rows before and behind it (forward and backward, Rabiner 1989).

        Args:
            given: regimes of every factor-th row.
            position: of the first of them on the clock.
            step: clock steps from row to row.
        """
        before, behind = (np.eye(len(self.share[0]))[rows] for rows in (given[:-1], given[1:]))
        starts = position + np.arange(len(before)) * factor * step
        moves = [self._moves(starts + row * step, step) for row in range(factor)]
        forward, backward = [before], [behind]
        for there, back in zip(moves[:-1], moves[:0:-1], strict=True):
            forward.append(_scaled(np.einsum("kr,krs->ks", forward[-1], there)))
            backward.append(_scaled(np.einsum("krs,ks->kr", back, backward[-1])))
        chances = np.stack([f * b for f, b in zip(forward[1:], backward[:0:-1], strict=True)], axis=1)
        chances = np.concatenate([before[:, None], _scaled(chances)], axis=1).reshape(-1, before.shape[1])
        last = np.append(chances, behind[-1:], axis=0)
        return last.argmax(axis=1), last.max(axis=1)

    def filled(
        self, regime: Int[np.ndarray, " T"], known: Bool[np.ndarray, " T"], position: int, step: int = 1
    ) -> Int[np.ndarray, " T"]:
        """Return regimes of rows, of which some are not known: the likeliest ones there.

        Args:
            regime: of the rows.
            known: which of them are known.
            position: of the first of them on the clock.
            step: clock steps from row to row.
        """
        phase = (position + step * np.arange(len(regime))) % self.period
        out = np.where(known, regime, self.share[phase].argmax(axis=1))
        for a, b in pairwise(np.flatnonzero(known).tolist()):
            if b - a > 1:
                out[a : b + 1], _ = self.between(regime[[a, b]], b - a, position + a * step, step)
        return out

    def _moves(self, positions: Int[np.ndarray, " K"], step: int) -> Float[np.ndarray, "K R R"]:
        """Chances of the regimes so many steps behind rows at these positions."""
        out = self.chance[(positions + 1) % self.period]
        for more in range(2, step + 1):
            out = out @ self.chance[(positions + more) % self.period]
        return out

    def _rows_until_change(self, regime: int, position: int, wait: float) -> int:
        """Rows from a position on that keep their regime, by an exponential wait."""
        lasting, phase = self._lasting[:, regime], position % self.period
        until = wait + (lasting[phase - 1] if phase else 0.0)
        turns, rest = divmod(until, lasting[-1])
        return int(turns) * self.period + int(np.searchsorted(lasting, rest, side="right")) - phase


def _scaled(chances: Float[np.ndarray, "*K R"]) -> Float[np.ndarray, "*K R"]:
    return chances / np.maximum(chances.sum(axis=-1, keepdims=True), NEVER)


@dataclass(frozen=True)
class _Steps:
    """Steps from row to row: regime before and behind, position of the latter, rows for which the former has lasted."""

    before: Int[np.ndarray, " S"]
    behind: Int[np.ndarray, " S"]
    position: Int[np.ndarray, " S"]
    age: Int[np.ndarray, " S"]

    def part(self, rows: Bool[np.ndarray, " S"]) -> "_Steps":
        return _Steps(self.before[rows], self.behind[rows], self.position[rows], self.age[rows])


def _steps(courses: Sequence[Course]) -> tuple[_Steps, Bool[np.ndarray, " S"]]:
    """The steps of courses, and which of them are early."""
    parts, early = [], []
    for position, regime in courses:
        begun = np.maximum.accumulate(np.where(np.append(True, np.diff(regime) != 0), np.arange(len(regime)), 0))
        rows = np.arange(1, len(regime))
        parts.append((regime[:-1], regime[1:], position + rows, (rows - begun[:-1]).astype(int)))
        early.append(rows < EARLY * len(regime))
    return _Steps(*(np.concatenate(column) for column in zip(*parts, strict=True))), np.concatenate(early)


def _usual(steps: _Steps, regimes: int) -> Float[np.ndarray, "R R"]:
    """Chances at all phases."""
    counts = np.zeros((regimes, regimes))
    np.add.at(counts, (steps.before, steps.behind), 1.0)
    counts += np.eye(regimes) + 1 / regimes
    return counts / counts.sum(axis=1, keepdims=True)


def _by_phase(steps: _Steps, usual: Float[np.ndarray, "R R"], period: int, doubt: float) -> Float[np.ndarray, "F R R"]:
    """Chances at each phase: those of its own rows, drawn towards what is expected of it."""
    counts = np.zeros((period, *usual.shape))
    np.add.at(counts, (steps.position % period, steps.before, steps.behind), 1.0)
    expected = _expected(counts.sum(axis=1), usual)
    return (counts + doubt * expected) / (counts.sum(axis=2, keepdims=True) + doubt)


def _expected(there: Float[np.ndarray, "F R"], usual: Float[np.ndarray, "R R"]) -> Float[np.ndarray, "F R R"]:
    """What holds at all phases, weighed by how often a regime is there about each: what is never there at noon does not
    come, nor does it stay (naive Bayes: the regime before and the phase tell of the one behind apart).

    Args:
        there: rows of each regime at each phase.
        usual: chances at all phases.
    """
    period = len(there)
    away = np.minimum(np.arange(period), period - np.arange(period))
    kernel = np.exp(-0.5 * (away / (NEAR * period)) ** 2)
    near = np.fft.irfft(np.fft.rfft(there, axis=0) * np.fft.rfft(kernel)[:, None], period, axis=0).clip(0)
    every = there.sum(axis=0) / there.sum() + NEVER
    share = (near + DOUBT_NEAR * every) / (near.sum(axis=1, keepdims=True) + DOUBT_NEAR)
    weighed = usual * (share / every)[:, None]
    return BY_PHASE * weighed / weighed.sum(axis=2, keepdims=True) + (1 - BY_PHASE) * usual


@dataclass(frozen=True)
class _Way:
    """How phases tell what follows.

    Attributes:
        period: of the phases.
        doubt: rows as which what is expected of a phase counts beside its own.
        off: the part of it, a week, in which days go otherwise, all of them alike; () if each day of it is its own.
        doubt_off: rows as which what holds on all days counts beside what does on one sort of them.
    """

    period: int
    doubt: float
    off: Span = ()
    doubt_off: float = 0.0

    def kinds(self, positions: Int[np.ndarray, " T"]) -> Int[np.ndarray, " T"]:
        """Return which rows are alike: those of a phase, or of a time of day on days off, or on the others."""
        if not self.off:
            return positions % self.period
        (start, long), day = self.off, self.period // DAYS
        return positions % day + day * ((positions - start) % self.period < long)

    def chances(self, steps: _Steps, usual: Float[np.ndarray, "R R"]) -> Float[np.ndarray, "F R R"]:
        """Return the chances at each phase."""
        if not self.off:
            return _by_phase(steps, usual, self.period, self.doubt)
        day = self.period // DAYS
        every = np.tile(_by_phase(steps, usual, day, self.doubt), (2, 1, 1))
        counts = np.zeros((2 * day, *usual.shape))
        np.add.at(counts, (self.kinds(steps.position), steps.before, steps.behind), 1.0)
        chances = (counts + self.doubt_off * every) / (counts.sum(axis=2, keepdims=True) + self.doubt_off)
        return chances[self.kinds(np.arange(self.period))]

    def shares(
        self, positions: Int[np.ndarray, " T"], regime: Int[np.ndarray, " T"], regimes: int
    ) -> Float[np.ndarray, "F R"]:
        """Return how often a row of each phase is of each regime."""
        counts = np.zeros((self.period, regimes))
        np.add.at(counts, (self.kinds(positions), regime), 1.0)
        usual = counts.sum(axis=0) / counts.sum()
        shares = (counts + self.doubt * usual) / (counts.sum(axis=1, keepdims=True) + self.doubt)
        return shares[self.kinds(np.arange(self.period))]

    def foretells(self, early: _Steps, later: _Steps, usual: Float[np.ndarray, "R R"]) -> float:
        """Return the log likelihood of later steps by early ones."""
        chance = self.chances(early, usual)[later.position % self.period, later.before, later.behind]
        return float(np.log(chance + NEVER).sum())


def _by_age(early: _Steps, later: _Steps, usual: Float[np.ndarray, "R R"], doubt: float) -> float:
    """Log likelihood of later steps by how long regimes have lasted."""
    most = int(max(early.age.max(), later.age.max())) + 1
    seen, changed = np.zeros((2, len(usual), most))
    np.add.at(seen, (early.before, early.age), 1.0)
    np.add.at(changed, (early.before, early.age), (early.before != early.behind).astype(float))
    leaves = 1 - np.diag(usual)
    hazard = (changed + doubt * leaves[:, None]) / (seen + doubt)
    own, moves = hazard[later.before, later.age], later.before != later.behind
    to = usual[later.before, later.behind] / np.maximum(leaves[later.before], NEVER)
    return float(np.log(np.where(moves, own * to, 1 - own) + NEVER).sum())


def find_timetable(courses: Sequence[Course], regimes: int, cycles: Sequence[int]) -> Timetable | None:
    """Return what the clock tells of the regimes, None if it tells less than how long they have lasted.

    Args:
        courses: by run.
        cycles: of the clock in rows, see `Clock.cycles`.
    """
    courses = [(position, regime) for position, regime in courses if len(regime) > 1]
    rows = sum(len(regime) for _, regime in courses)
    every = sorted({*cycles, *(_beats(courses) if regimes > 1 else ())})
    looked = [period for period in every if WEEKS * period <= rows and period * regimes**2 <= MOST_CHANCES]
    if regimes < 2 or not looked:
        return None
    steps, first = _steps(courses)
    early, later = steps.part(first), steps.part(~first)
    if not len(early.before) or not len(later.before):
        return None
    usual = _usual(early, regimes)
    least = max(
        float(np.log(usual[later.before, later.behind]).sum()) + GAIN,
        max(_by_age(early, later, usual, doubt) for doubt in DOUBTS) - TIE,
    )
    best: _Way | None = None
    for period in looked:
        ways = [_Way(period, doubt) for doubt in DOUBTS if CYCLES * period <= rows]
        if period % DAYS == 0 and period // DAYS in looked:
            off = days_off(early.position, np.eye(regimes)[early.behind], float(period))
            ways += [_Way(period, doubt, off, doubt_off) for doubt in DOUBTS for doubt_off in DOUBTS_OFF]
        told = ((way.foretells(early, later, usual), way) for way in ways)
        gain, way = max(told, key=lambda one: one[0], default=(-np.inf, None))
        if gain > least:
            best, least = way, gain + SHORTER
    if best is None:
        return None
    positions = np.concatenate([position + np.arange(len(regime)) for position, regime in courses])
    share = best.shares(positions, np.concatenate([regime for _, regime in courses]), regimes)
    return Timetable(best.chances(steps, _usual(steps, regimes)), share)


def _beats(courses: Sequence[Course]) -> list[int]:
    """The shortest period of their own after which regimes come again, as the valves of a cyclic process do.

    By how much more often than by chance a regime is what it was a period ago (kappa, Cohen 1960).
    """
    if not courses:
        return []
    longest = max((regime for _, regime in courses), key=len)[:MOST_LOOKED_AT]
    chance = float(np.sum((np.bincount(longest) / len(longest)) ** 2))
    least = 1.0
    for period in range(1, min(MOST_BEAT, len(longest) // CYCLES) + 1):
        same = (float(np.mean(longest[period:] == longest[:-period])) - chance) / max(1 - chance, NEVER)
        if same >= AGAIN and least < BETWEEN:
            return [period]
        least = min(least, same)
    return []


def follows_clock(courses: Sequence[Course], regimes: int, cycles: Sequence[int]) -> bool:
    """Whether the clock foretells nearly all regimes of the later rows."""
    early = [(position, regime[: round(EARLY * len(regime))]) for position, regime in courses]
    table = find_timetable(courses, regimes, cycles) and find_timetable(early, regimes, cycles)
    if table is None:
        return False
    right, rows = 0, 0
    for (position, regime), (_, begun) in zip(courses, early, strict=True):
        later = np.arange(len(begun), len(regime))
        right += int((table.share[(position + later) % table.period].argmax(axis=1) == regime[later]).sum())
        rows += len(later)
    return right >= SURE * rows
