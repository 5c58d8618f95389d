"""What a generated table looks like before any value is drawn: its runs, their lengths, starts, keys and regimes."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.errors import OptionError
from dowgan.model import Model, Past
from dowgan.spells import Spells, find_spells
from dowgan.steering import steers, stretches
from dowgan.stretch import MANY_RUNS
from dowgan.succession import Timetable
from dowgan.table.labels import numbering
from dowgan.table.schema import Column, Schema

AROUND = 96  # rows before and behind a planned run of which the regimes are planned too
PLACES = 50  # of a run, at which regimes are compared
MIXED = (0.2, 0.8)  # share that another run has in how long steps are
AGREE = 0.2  # more often than by chance, from which they belong to the place in the run


@dataclass(frozen=True)
class Plan:
    """One generated run.

    Attributes:
        key: its values of the run columns.
        rows: its length.
        position: clock steps from the fitted table's origin to its first row.
        regime: [rows].
        like: key of the table's run that it is like.
        before, after: regimes of some rows before its first and behind its last row, as far as they are known.
    """

    key: tuple[Any, ...]
    rows: int
    position: int
    regime: Int[np.ndarray, " T"]
    like: tuple[Any, ...]
    before: Int[np.ndarray, " B"]
    after: Int[np.ndarray, " A"]

    @property
    def course(self) -> Int[np.ndarray, " BTA"]:
        """Regimes before, within and behind the run."""
        return np.concatenate([self.before, self.regime, self.after])

    def first(self, rows: int) -> "Plan":
        """Return the plan of its first rows alone."""
        after = np.concatenate([self.regime[rows:], self.after])[:AROUND]
        return replace(self, rows=rows, regime=self.regime[:rows], after=after)

    def earlier(self, rows: int) -> "Plan":
        """Return the plan of a run that begins so many rows earlier."""
        cut = max(len(self.before) - rows, 0)
        known = np.concatenate([self.before[cut:], self.regime])
        unknown = np.full(self.rows + rows - len(known), known[0])  # further back they are taken to be as they were
        regime = np.concatenate([unknown, known])
        return replace(
            self, rows=self.rows + rows, position=self.position - rows, regime=regime, before=self.before[:cut]
        )

    def following(self, regime: Int[np.ndarray, " T"]) -> "Plan":
        """Return the plan with other regimes, around which none are known."""
        return replace(self, regime=regime, before=regime[:0], after=regime[:0])


def succession(model: Model, allowed: Bool[np.ndarray, " R"]) -> Timetable | Spells:
    """Return what courses of the regimes that may occur are drawn from: the clock, if it tells them and all may."""
    if model.timetable is not None and allowed.all():
        return model.timetable
    return find_spells([past.regime for past in model.past], allowed, few=len(model.past) < MANY_RUNS)


def _level_texts(column: Column) -> dict[str, float]:
    """What a user calls the levels of a condition, and how a regime holds them."""
    if column.kind in ("float", "integer"):
        return {f"{level:.15g}": float(level) for level in column.levels}  # type: ignore[arg-type]
    return {text: float(i) for i, text in enumerate(column.labels)}


def level_of(column: Column, text: str) -> float:
    """Return how a regime holds a level of a condition.

    Raises:
        OptionError: the column has no such level.
    """
    texts = _level_texts(column)
    with suppress(ValueError):
        text = f"{float(text):.15g}" if column.kind in ("float", "integer") else text
    if text not in texts:
        raise OptionError(f"'{column.name}' has no value '{text}'. Known: {', '.join(texts)}.")
    return texts[text]


def level_text(column: Column, level: float) -> str:
    """Return what a user calls a level of a condition."""
    return next(text for text, value in _level_texts(column).items() if value == level)


def named_conditions(model: Model, schema: Schema) -> list[str]:
    """Return the conditions that the user named; states that were found are columns like others."""
    return [c.name for c in (schema.channels[place] for place in model.channels.conditions) if c.role == "condition"]


def chosen_regimes(model: Model, schema: Schema, where: dict[str, str]) -> Bool[np.ndarray, " R"]:
    """Say which regimes agree with `--where`.

    Raises:
        OptionError: a value that the column does not have, or a combination that the model has not seen.
    """
    allowed = np.ones(len(model.channels.regimes), dtype=bool)
    names = named_conditions(model, schema)
    for name, text in where.items():
        if name not in names:
            continue
        allowed &= model.channels.regimes[:, names.index(name)] == level_of(schema.column(name), text)
    if not allowed.any():
        raise OptionError(f"The model has not seen {', '.join(f'{k}={v}' for k, v in where.items())} together.")
    return allowed


def going_on(model: Model, schema: Schema, where: dict[str, str], now: int) -> int:
    """Return the regime that follows regime `now` when some conditions are to be held.

    The other categories stay; a set-point moves to the nearest one that the model has seen with them.

    Raises:
        OptionError: a value that a column does not have, or a combination that the model has not seen.
    """
    channels = model.channels
    columns = [schema.channels[place] for place in channels.conditions]
    stays = {
        column.name: level_text(column, float(level))
        for column, level, counted in zip(columns, channels.regimes[now], channels.counted, strict=True)
        if not counted
    }
    asked = {column.name: where[column.name] for column in columns if column.name in where}
    allowed = np.flatnonzero(chosen_regimes(model, schema, stays | asked))
    spans = np.ptp(channels.regimes, axis=0)
    off = np.abs(channels.regimes[allowed] - channels.regimes[now]) / np.where(spans > 0, spans, 1.0)
    return int(allowed[np.argmin(off[:, np.array(channels.counted)].sum(axis=1))])


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


def _by_place(past: Sequence[Past]) -> bool:
    """Whether the regimes of many runs belong to the place in the run, as the steps of a recipe do.

    Any two runs then agree at the same place (of all, or counted from the first row) more often than by chance, by
    Fleiss' kappa (1971).
    """
    courses, shortest = [p.course for p in past], min(p.rows for p in past)
    shares = (np.arange(PLACES) + 0.5) / PLACES
    relative = np.stack([course[(shares * len(course)).astype(int)] for course in courses])
    return any(_kappa(alike) > AGREE for alike in (relative, np.stack([c[:shortest] for c in courses])))


def _kappa(alike: Int[np.ndarray, "N P"]) -> float:
    """How much more often than by chance two rows have the same number in a column; 1 where there is but one number."""
    runs = len(alike)
    counts = np.stack([(alike == number).sum(axis=0) for number in np.unique(alike)])
    agreed = np.mean(np.sum(counts * (counts - 1), axis=0) / (runs * (runs - 1)))
    chance = np.sum((counts.sum(axis=1) / alike.size) ** 2)
    return float((agreed - chance) / (1 - chance)) if chance < 1 else 1.0


def _kinds(past: Sequence[Past], labels: Sequence[int]) -> dict[tuple[bytes, bytes], list[Past]]:
    """Runs by their steps and labels, such as the product, and by their steps alone."""
    out: dict[tuple[bytes, bytes], list[Past]] = {}
    for run in past:
        for key in {_kind(run, labels), _kind(run, ())}:
            out.setdefault(key, []).append(run)
    return out


def _kind(run: Past, labels: Sequence[int]) -> tuple[bytes, bytes]:
    return run.regime[:, 0].tobytes(), run.first[list(labels)].tobytes()


def _between(
    own: Past, kinds: dict[tuple[bytes, bytes], list[Past]], labels: Sequence[int], rng: np.random.Generator
) -> Int[np.ndarray, " T"]:
    """The steps of a run, each about as long as there and in another run that has them: a recipe's, and no copy.

    Args:
        own: the run.
        kinds: the runs by `_kind`.
        labels: columns that the other run should share, such as the product.
        rng: draws the other run, and how much of it there is.
    """
    among = next((some for use in (labels, ()) if len(some := kinds[_kind(own, use)]) > 1), [])
    if not among:
        return own.course
    other, share = among[int(rng.integers(len(among) - 1))], rng.uniform(*MIXED)
    other = among[-1] if other is own else other
    length = own.regime[:, 1] ** (1 - share) * other.regime[:, 1] ** share
    ends = np.rint(np.cumsum(length) / length.sum() * own.rows).astype(int)
    return np.repeat(own.regime[:, 0], np.diff(ends, prepend=0))


def _labelled(past: Sequence[Past], schema: Schema, labels: Sequence[int], where: dict[str, str]) -> Sequence[Past]:
    """The runs whose labels are those that are held, such as batches of one product; all if none has them."""
    held = {
        place: level_of(column, where[column.name])
        for place in labels
        if (column := schema.channels[place]).name in where
    }
    alike = [p for p in past if all(p.first[place] == level for place, level in held.items())]
    return alike or past


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
    timetable, follow = model.timetable, succession(model, allowed)
    labels = [place for place in model.channels.fixed if schema.channels[place].kind == "category"]
    wanted = [p for p in _labelled(model.past, schema, labels, where) if allowed[p.regime[:, 0]].all()]
    wanted = wanted or list(model.past)
    plans: list[Plan] = []
    key_of, later = counted_on(wanted, schema), _round(model.past)
    few = len(model.past) < MANY_RUNS
    drawn = model.channels.found and (few or not _by_place(model.past))
    steps = model.channels.found and not few and not drawn and rows is None
    kinds = _kinds(wanted, labels) if steps and not model.channels.trajectories.columns else {}
    for number in range(runs):
        own = wanted[number % len(wanted)]
        whole = _between(own, kinds, labels, rng) if kinds else own.course
        length, turn = own.rows if rows is None else rows, number // len(wanted)
        first = int(rng.integers(0, max(own.rows - length, 0) + 1)) if len(model.past) == 1 else 0
        start = own.offset + first
        regime, before, after = whole[first : first + length], whole[max(first - AROUND, 0) : first], whole[:0]
        at = start + turn * later if position is None else position
        elsewhen = few and timetable is not None and (at - start) % timetable.period != 0
        if drawn or elsewhen or len(regime) < length or not allowed[regime].all():
            now = None
            if drawn and (timetable is None or not allowed.all()):
                now = int(rng.choice(np.flatnonzero(allowed), p=_shares(model, allowed))), 0
            longer = (
                stretches(model).steer(length + AROUND, model.beginning(model.stocks[0], own, at), rng)
                if steers(model)
                else follow.draw(length + AROUND, at, rng, now)
            )
            before, regime, after = whole[:0], longer[:length], longer[length:]
        else:
            after = whole[first + length : first + length + AROUND]
        plans.append(Plan(key_of(own.key, turn), length, at, regime, own.key, before, after))
    return plans
