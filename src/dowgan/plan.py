"""What a generated table looks like before any value is drawn: its runs, their lengths, starts, keys and regimes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.apart import ByChance
from dowgan.batches import Batches, by_place, come_once, kin, with_labels
from dowgan.conditions import chosen_regimes, level_of
from dowgan.errors import OptionError
from dowgan.model import Model, Past
from dowgan.spells import Spells, find_spells
from dowgan.stages import find_stages
from dowgan.steering import steers, stretches
from dowgan.stretch import MANY_RUNS
from dowgan.succession import Timetable
from dowgan.table.labels import numbering
from dowgan.table.schema import Schema

AROUND = 96  # rows before and behind a planned run of which the regimes are planned too


@dataclass(frozen=True)
class Plan:
    """One generated run.

    Attributes:
        key: its values of the run columns.
        rows: its length.
        position: clock steps from the fitted table's origin to its first row.
        regime: [rows].
        like: key of the table's run that it is like.
        own: [C] what never changes within it.
        before, after: regimes of some rows before its first and behind its last row, as far as they are known.
        aims: [rows K] the settings that driven columns go to.
    """

    key: tuple[Any, ...]
    rows: int
    position: int
    regime: Int[np.ndarray, " T"]
    like: tuple[Any, ...]
    own: Float[np.ndarray, " C"]
    before: Int[np.ndarray, " B"]
    after: Int[np.ndarray, " A"]
    aims: Float[np.ndarray, "T K"]

    @property
    def course(self) -> Int[np.ndarray, " BTA"]:
        """Regimes before, within and behind the run."""
        return np.concatenate([self.before, self.regime, self.after])

    def first(self, rows: int) -> "Plan":
        """Return the plan of its first rows alone."""
        after = np.concatenate([self.regime[rows:], self.after])[:AROUND]
        return replace(self, rows=rows, regime=self.regime[:rows], after=after, aims=self.aims[:rows])

    def earlier(self, rows: int) -> "Plan":
        """Return the plan of a run that begins so many rows earlier."""
        cut = max(len(self.before) - rows, 0)
        known = np.concatenate([self.before[cut:], self.regime])
        unknown = np.full(self.rows + rows - len(known), known[0])  # further back they are taken to be as they were
        regime = np.concatenate([unknown, known])
        aims = np.concatenate([np.repeat(self.aims[:1], rows, axis=0), self.aims])
        sooner = self.position - rows
        return replace(self, rows=self.rows + rows, position=sooner, regime=regime, before=self.before[:cut], aims=aims)

    def following(self, regime: Int[np.ndarray, " T"]) -> "Plan":
        """Return the plan with other regimes, around which none are known."""
        return replace(self, regime=regime, before=regime[:0], after=regime[:0])


def succession(model: Model, allowed: Bool[np.ndarray, " R"]) -> Timetable | Spells | ByChance:
    """Return what courses of the regimes that may occur are drawn from: the clock, if it tells them and all may."""
    if model.apart is not None:
        apart = model.apart.by_chance([past.course for past in model.past], allowed)
        if apart is not None:
            return apart
    if model.timetable is not None and allowed.all():
        return model.timetable
    return find_spells([past.regime for past in model.past], allowed, few=len(model.past) < MANY_RUNS)


def counted_on(past: Sequence[Past], schema: Schema) -> Callable[[tuple[Any, ...], int], tuple[Any, ...]]:
    """Return what gives the run columns of a generated run: (of the table's run that it is like, its turn) -> its own.

    In the first turn, 0, they are those of the table's run. Text without numbers cannot be counted on, so its keys come
    again; `refuse_copies` says so where that would be seen.
    """
    own = [p.key[-1] for p in past if p.key]
    column = schema.column(schema.run_names[-1]) if own else None
    if column is None or column.kind == "boolean" or column.dtype == "category":
        return lambda key, turn: key
    if column.kind != "category":
        span = max(own) - min(own) + 1
        return lambda key, turn: (*key[:-1], key[-1] + turn * span)
    labels = numbering(own)
    if labels is None:
        return lambda key, turn: key
    return lambda key, turn: (*key[:-1], labels.later(key[-1], turn))


def refuse_copies(plans: Sequence[Plan], schema: Schema) -> None:
    """Raise an OptionError if two runs of a table with run columns would have the same key."""
    keys = {plan.key for plan in plans}
    kind = "text" if schema.run_names and schema.column(schema.run_names[-1]).kind == "category" else "true or false"
    if schema.run_names and len(keys) < len(plans):
        raise OptionError(
            f"{len(plans)} runs are asked for, and only {len(keys)} can be told apart, since "
            f"'{schema.run_names[-1]}' is {kind}: ask for at most {len(keys)} runs, or for fewer rows."
        )


def _shares(model: Model, allowed: Bool[np.ndarray, " R"]) -> Float[np.ndarray, " A"]:
    """How often each of the allowed regimes is in the table."""
    segments = np.concatenate([p.regime for p in model.past])
    count = np.bincount(segments[:, 0], segments[:, 1], minlength=len(allowed))[allowed] + 1e-9
    return count / count.sum()


def _round(past: Sequence[Past]) -> int:
    """Steps by which a further run like one of the table's begins later: all of them, where they follow one another.

    Units that run side by side are followed by units that do so at the same times.
    """
    starts = np.array([p.offset for p in past])
    ends = starts + np.array([p.rows for p in past])
    if len(past) < 2 or (starts[1:] < ends[:-1]).any():
        return 0
    return int(starts[-1] - starts[0] + max(np.median(np.diff(starts)), past[-1].rows))


def plan_runs(
    model: Model,
    schema: Schema,
    rows: int | None,
    runs: int,
    position: int | None,
    where: dict[str, str],
    rng: np.random.Generator,
) -> list[Plan]:
    """Lay out independent runs.

    Args:
        rows: length of each, None for the lengths of the table's own runs.
        runs: how many.
        position: clock position of each start; None to begin anywhere in the table (or with its runs).
        where: conditions to hold.
        rng: draws starts and regimes.
    """
    allowed = chosen_regimes(model, schema, where)
    labels = [place for place in model.channels.fixed if schema.channels[place].kind == "category"]
    held = {
        place: level_of(schema.channels[place], where[name])
        for place in labels
        if (name := schema.channels[place].name) in where
    }
    wanted = [past for past in with_labels(model.past, held) if allowed[past.regime[:, 0]].all()] or list(model.past)
    few, found = len(model.past) < MANY_RUNS, model.channels.regimes.found
    some = cache(lambda kind: _of_kind(model, allowed, kind))
    follow = cache(lambda kind: succession(model, some(kind)))
    free = found and (few or not (_same_steps(model) or by_place(model.past)))
    stepwise = found and not free and not few and rows is None and not model.channels.trajectories.columns
    batches = Batches(wanted, labels) if stepwise else None
    plans: list[Plan] = []
    key_of, later = counted_on(wanted, schema), _round(model.past)
    once = _come_once(model, schema, key_of)
    gap = _least_gap(model.past) if once and later and position is None else None
    kindred = kin(wanted, schema.channels, model.channels.fixed)
    for number, own in zip(range(runs), _alike(wanted, rng if once else None), strict=False):
        slot, turn = wanted[number % len(wanted)], number // len(wanted)
        whole = batches.between(own, rng) if batches else own.course
        length = own.rows if rows is None else rows
        first = int(rng.integers(0, max(own.rows - length, 0) + 1)) if len(model.past) == 1 else 0
        at = (slot if later else own).offset + first + turn * later if position is None else position
        if gap is not None and plans:  # where one lasts longer than the table's did, the next one begins later
            at = max(at, plans[-1].position + plans[-1].rows + gap)
        before, regime, after = np.split(whole, [first, first + length])
        elsewhen = few and model.timetable is not None and (at - own.offset - first) % model.timetable.period != 0
        if free or elsewhen or len(regime) < length or not allowed[regime].all():
            kind = int(own.regime[0, 0])
            longer = _drawn(model, follow(kind), own, length + AROUND, at, some(kind), free, rng)
            before, regime, after = np.split(longer, [0, length])
        aims, around = model.channels.driven.draw(length, at, rng), (before[-AROUND:], after[:AROUND])
        values = kindred.first(own, rng) if once else own.first
        plans.append(Plan(key_of(slot.key, turn), length, at, regime, own.key, values, *around, aims))
    return plans


def _come_once(model: Model, schema: Schema, key_of: Callable[[tuple[Any, ...], int], tuple[Any, ...]]) -> bool:
    """Whether runs are batches or patients that are numbered, whose course the clock does not tell."""
    past = model.past
    numbered = bool(schema.run_names) and key_of(past[0].key, 1) != past[0].key
    return numbered and model.timetable is None and come_once(past, sided=schema.clock.kind != "row")


def _alike(wanted: Sequence[Past], rng: np.random.Generator | None) -> Iterator[Past]:
    """The table's runs that generated ones are like, over and over: in its order, or in another one each time."""
    while True:
        yield from wanted if rng is None else (wanted[place] for place in rng.permutation(len(wanted)).tolist())


def _least_gap(past: Sequence[Past]) -> int:
    """Steps between the end of one run and the start of the next, at least, of runs that follow one another."""
    return min(behind.offset - before.offset - before.rows for before, behind in pairwise(past))


def _same_steps(model: Model) -> bool:
    """Whether all of the table's runs go through the same steps."""
    return find_stages([past.course for past in model.past], model.channels.regimes.steps) is not None


def _of_kind(model: Model, allowed: Bool[np.ndarray, " R"], regime: int) -> Bool[np.ndarray, " R"]:
    """Which of the allowed regimes have the named conditions of one, where these never change within a run; all of them
    if none has."""
    kinds = (model.channels.regimes.of_kind(int(past.regime[0, 0]))[past.regime[:, 0]] for past in model.past)
    alike = allowed & model.channels.regimes.of_kind(regime)
    return alike if alike.any() and all(kind.all() for kind in kinds) else allowed


def _drawn(
    model: Model,
    follow: Timetable | Spells | ByChance,
    own: Past,
    rows: int,
    at: int,
    allowed: Bool[np.ndarray, " R"],
    free: bool,
    rng: np.random.Generator,
) -> Int[np.ndarray, " T"]:
    """Regimes of a run from a clock position on, drawn anew.

    Args:
        follow: what tells which regime follows.
        own: the table's run that it is like.
        free: whether it may begin with any regime that may occur.
    """
    now = None
    if free and follow is not model.timetable:
        now = int(rng.choice(np.flatnonzero(allowed), p=_shares(model, allowed))), 0
    if steers(model):
        return stretches(model).steer(rows, model.beginning(model.stocks[0], own, at), rng)
    return follow.draw(rows, at, rng, now)
