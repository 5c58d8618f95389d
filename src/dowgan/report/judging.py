"""Test a model, or any generator's table, on rows that it has not seen, and put the findings into a report."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from dowgan.errors import DataError
from dowgan.evaluate import Begun, generation_verdict, judge_densify, judge_extend, judge_generation, paired_verdict
from dowgan.evaluate.verdict import worst
from dowgan.relations import find_relations
from dowgan.report.about import about_model, about_table, named
from dowgan.report.backtest import (
    Lane,
    ahead_cases,
    dense_cases,
    lane,
    numbers_of,
    overlaps,
    season_of,
    split,
    within_rules,
)
from dowgan.report.page import VERBS, Report
from dowgan.report.panel import Material
from dowgan.report.second import Tell, judge_transfer, second_model
from dowgan.table import Column, Table, read
from dowgan.table.adopt import multiple
from dowgan.table.rules import broken
from dowgan.totals import find_totals
from dowgan.versions import versions

if TYPE_CHECKING:
    from pandas import DataFrame

    from dowgan.evaluate import Ahead, Dense, Judgement
    from dowgan.synthesizer import Synthesizer

SEED = 0  # of the judges and the bootstrap
NATURAL = (0.0, 1.0, 100.0, 359.0, 360.0)  # bounds that are no matter of reading
LEAST_WINDOW = 8  # rows
ON_UNSEEN = "Other rows than the model was fitted on: the model itself was tested on them."
IN_HALVES = (
    "Scored on rows that the tested model has not seen: a second model of the same recipe was fitted on the first "
    "{early:,} of {rows:,} rows and tested on the rest. The figures of generated rows show the model itself beside the "
    "whole table."
)
ELSEWHERE = "Whether it helped to begin with {start} is not measured on another table: report the fitted one."
IN_PART = "Rows of the fitted table stand in this one, so a second model was tested, as if it were the fitted table."


@dataclass(frozen=True)
class Trial:
    """What is tested on what.

    Attributes:
        tested: the model itself, or a second one that was fitted on the early rows.
        early, late: parts of the table.
        seen: the model has seen rows of the table, so that a second one is tested.
        notes: what the reader has to know of that.
        transfer: whether it helped to begin with the weights of another model; empty if it began with new ones.
    """

    tested: Synthesizer
    early: Table
    late: Table
    seen: bool
    notes: tuple[str, ...]
    transfer: str


def report_on(
    synthesizer: Synthesizer, data: DataFrame | str | Path, slow: bool = False, tell: Tell | None = None
) -> Report:
    """Test the three verbs of a fitted model.

    If the table is the one that the model was fitted on, or shares rows with it, a second model of the same recipe is
    fitted on its early part, and that one is tested on the rest: no score is computed on rows that the tested model
    has seen. The figures of generated rows show the model itself beside the whole table.

    Args:
        synthesizer: fitted.
        data: the fitted table, or another like it with the same step.
        slow: also the scores that train networks (minutes).
        tell: called with a word on what is going on.

    Raises:
        DataError: the table is too short to hold some of it out, or its step is another.
    """
    began, say = monotonic(), tell or (lambda text: None)
    table = _table_of(synthesizer, data)
    trial = _trial(synthesizer, table, say)
    say("scoring generated rows")
    drawn = trial.tested.draw()
    fake = [within_rules(table.schema.channels, run.values) for run in drawn]
    window = max(synthesizer.model_.coordinates.steps, LEAST_WINDOW)
    begun = _begun(trial, table), [run.offset for run in drawn]
    scores: dict[str, Any] = {"generate": _judge_generated(trial, table, fake, begun, window, slow, say)}
    say("backtests of densify and extend")
    dense, ahead = dense_cases(trial.tested, trial.late), ahead_cases(trial.tested, table, trial.late)
    scores |= _judge_backtests(trial.tested, table, dense, ahead)
    lanes = tuple(lane(table, run) for run in table.runs)
    made = tuple(_lanes_of_model(synthesizer, table)) if trial.seen else tuple(Lane(np.arange(len(v)), v) for v in fake)
    material = Material(table.schema.channels, lanes, made, tuple(dense), tuple(ahead), synthesizer.model_.training)
    about = _about_trial(trial, table) | about_model(synthesizer, data) | about_table(table, trial.notes + table.notes)
    return _finished(scores, about, material, began)


def _trial(synthesizer: Synthesizer, table: Table, say: Tell) -> Trial:
    same = table.digest == synthesizer.model_.digest
    early, late = split(table)
    start = synthesizer.model_.training.start
    if same or overlaps(synthesizer, table):
        second = second_model(synthesizer, early, say)
        transfer = judge_transfer(synthesizer, second, early, say) if start else ""
        return Trial(second, early, late, True, () if same else (IN_PART,), transfer)
    return Trial(synthesizer, early, late, False, (), ELSEWHERE.format(start=start) if start else "")


def _judge_generated(
    trial: Trial, table: Table, fake: Sequence[np.ndarray], begun: Begun, window: int, slow: bool, say: Tell
) -> dict[str, Any]:
    """Generated rows against those that the tested model has not seen."""
    known = [run.values for run in trial.early.runs] if trial.seen else []
    real = [run.values for run in (trial.late if trial.seen else table).runs]
    names = [c.name for c in table.schema.channels]
    own, made, before = _by_the_row(table, real, fake, known)
    cycles = table.schema.clock.cycles()
    found = judge_generation(
        own,
        made,
        names,
        train=before or None,
        window=window,
        slow=slow,
        seed=SEED,
        cycles=cycles,
        begun=begun,
        labels=table.schema.labels,
        progress=say,
    )
    return found | audit(table, known or real, fake)


def _begun(trial: Trial, table: Table) -> list[int]:
    """Where on the tested model's clock the known runs begin."""
    shift = 0 if trial.seen else trial.tested.model_.shift(table)
    return [run.offset + shift for run in (trial.early if trial.seen else table).runs]


def _judge_backtests(
    tested: Synthesizer, table: Table, dense: list[tuple[Lane, Dense]], ahead: list[tuple[Lane, Ahead]]
) -> dict[str, Any]:
    """Densified and extended rows against the true ones, as far as there are rows for it."""
    judged = [table.schema.channels[i].name for i in numbers_of(table)]
    out: dict[str, Any] = {}
    if dense:
        out["densify"] = judge_densify([case for _, case in dense], judged)
    if ahead:
        out["extend"] = judge_extend([case for _, case in ahead], judged, season_of(tested, ahead))
        out["extend"]["conditions_given"] = list(table.schema.condition_names)
    return out


def _lanes_of_model(synthesizer: Synthesizer, table: Table) -> Iterator[Lane]:
    """What the model itself draws, as it stands beside the whole table."""
    for run in synthesizer.draw():
        yield lane(table, replace(run, values=within_rules(table.schema.channels, run.values)))


def compare(
    real: DataFrame | str | Path,
    synthetic: DataFrame | str | Path,
    slow: bool = False,
    time: str | None = None,
    runs: Sequence[str] = (),
    conditions: Sequence[str] = (),
    missing: Sequence[str] = (),
    tell: Tell | None = None,
) -> Report:
    """Judge any generator's table against a real one; no model is needed.

    Args:
        real: a frame, or the path of a CSV or Parquet file.
        synthetic: the same of a table with its columns.
        slow: also the scores that train networks (minutes).
        time: the time column of the real table, as for `Synthesizer`.
        runs: its run columns.
        conditions: its conditions.
        missing: what stands for a missing value in it.
        tell: called with a word on what is going on.

    Raises:
        DataError: a table cannot be used or is too short, or the synthetic one lacks a column of the real one.
        OptionError: an option names a column that the real table does not have.
    """
    began, say = monotonic(), tell or (lambda text: None)
    table = read(real, time=time, runs=runs, conditions=conditions, missing=missing)
    made = read(synthetic, schema=table.schema, judged=True)
    own, fake = ([run.values for run in t.runs] for t in (table, made))
    names = [c.name for c in table.schema.channels]
    rows, other = _by_the_row(table, own, fake)
    cycles = table.schema.clock.cycles()
    found = judge_generation(
        rows,
        other,
        names,
        slow=slow,
        seed=SEED,
        cycles=cycles,
        begun=_both_begun(table, made),
        labels=table.schema.labels,
        progress=say,
    )
    scores: dict[str, Any] = {"generate": found | audit(table, own, fake)}
    scores["generate"]["rules"] |= made.strange
    lanes = [tuple(lane(t, run) for run in t.runs) for t in (table, made)]
    material = Material(table.schema.channels, lanes[0], lanes[1], (), (), None)
    how = (
        f"{made.rows:,} rows of any origin beside {table.rows:,} real ones. The floor is the distance between two "
        "halves of the real rows, cut into blocks of time in several balanced ways."
    )
    said = [("--time", time), *(("--run", name) for name in runs), *(("--condition", name) for name in conditions)]
    options = "".join(f" {option} {shlex.quote(name)}" for option, name in said if name)
    command = f"dowgan compare {named(real, 'REAL')} {named(synthetic, 'SYNTHETIC')}{options} -o report.html"
    about = {"kind": "compare", "how": how, "second_model": False, "rows_held_out": table.rows, "command": command}
    about |= {"seed": SEED, "versions": versions(), "synthetic_digest": made.digest, "synthetic_rows": made.rows}
    about |= about_table(table, table.notes)
    return _finished(scores, about, material, began)


def _both_begun(table: Table, made: Table) -> Begun:
    """Where on the real table's clock the runs of both begin; nothing if the other one's steps are others."""
    clock, shift = table.schema.clock, 0
    if made.schema.clock.step != clock.step:
        return (), ()
    if clock.kind != "row":
        first, other = (min(t.runs, key=lambda run: run.offset) for t in (table, made))
        shift = clock.steps_between(first.start, other.start) + first.offset - other.offset
    return [run.offset for run in table.runs], [run.offset + shift for run in made.runs]


def _by_the_row(table: Table, *sides: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    """The sides' runs with what each row adds in place of totals that fall on no side.

    How high a total climbs, and how far it drifts, is only a matter of how many rows there are.
    """
    totals = find_totals(table.schema.channels, table.runs, table.schema.clock.cycles())
    kept = totals.never_falling([values for side in sides for values in side])
    return [[kept.added(values) for values in side] for side in sides]


def _table_of(synthesizer: Synthesizer, data: DataFrame | str | Path) -> Table:
    table = read(data, schema=synthesizer.schema)
    clock, own = table.schema.clock, synthesizer.schema.clock
    if clock.kind != "row" and multiple(clock, own) != 1:
        raise DataError(f"The step of the table is {clock.step}, the model's {own.step}: a report needs the same.")
    return table


def _about_trial(trial: Trial, table: Table) -> dict[str, Any]:
    how = IN_HALVES.format(early=trial.early.rows, rows=table.rows) if trial.seen else ON_UNSEEN
    held_out = trial.late.rows if trial.seen else table.rows
    about: dict[str, Any] = {"kind": "report", "how": how, "second_model": trial.seen, "rows_held_out": held_out}
    took = trial.tested.fit_seconds_
    about |= {} if took is None else {"fit_seconds": round(took, 1)}
    return about | ({"transfer": trial.transfer} if trial.transfer else {})


def audit(table: Table, real: Sequence[np.ndarray], fake: Sequence[np.ndarray]) -> dict[str, Any]:
    """Rules of each column that generated rows break, and the share of missing values; totals have no upper bound."""
    own, made = np.concatenate(list(real)), np.concatenate(list(fake))
    totals = find_totals(table.schema.channels, table.runs, table.schema.clock.cycles())
    columns = [_open(_widened(column), own[:, i]) for i, column in enumerate(totals.open(table.schema).channels)]
    gaps = [np.isnan(x).mean(axis=0) for x in (own, made)]
    names = [column.name for column in columns]
    between = find_relations(columns, own, [table.schema.unit(name) for name in names]).broken(made, names)
    return {
        "rules": {c.name: broken(c, made[:, i]) or between.get(i) for i, c in enumerate(columns)},
        "missing": {c.name: {"real": float(gaps[0][i]), "fake": float(gaps[1][i])} for i, c in enumerate(columns)},
    }


def _widened(column: Column) -> Column:
    """A column whose values pile up at a bound, with room for its last decimal beyond: a piston that stands at 48.00
    may be read as 48.01. Nothing is below zero, and no share above all."""
    if column.kind != "float" or not column.decimals:
        return column
    room = 10.0**-column.decimals
    lower = column.lower if column.lower in (None, 0.0) else column.lower - room
    upper = column.upper if column.upper in (None, *NATURAL) else column.upper + room
    return replace(column, lower=lower, upper=upper)


def _open(column: Column, real: np.ndarray) -> Column:
    """A column that may have a further level: whole numbers one after another, such as a pulse of 93 to 99; and one of
    which a level came once only, such as a shower's rain (Good 1953: such tell how likely an unseen one is)."""
    if column.role != "value" or column.kind not in ("float", "integer") or len(column.levels) < 2:
        return column
    known = real[~np.isnan(real)]
    spells = known[np.append(True, np.diff(known) != 0)]
    once = np.unique(spells, return_counts=True)[1] == 1
    return replace(column, levels=()) if column.counts or once.any() else column


def _finished(scores: dict[str, Any], about: dict[str, Any], material: Material, began: float) -> Report:
    verdict = generation_verdict(scores["generate"])
    for verb in ("densify", "extend"):
        if verb in scores:
            verdict += paired_verdict(verb, scores[verb])
    scores["tags"] = _by_tag([c.name for c in material.columns], verdict, scores)
    scores["about"] = about | {"seconds": round(monotonic() - began, 1)}
    return Report(scores, tuple(verdict), material)


def _by_tag(names: Sequence[str], verdict: Sequence[Judgement], scores: dict[str, Any]) -> dict[str, Any]:
    """For each tag the mark of each verb (None where it was not tested) and the reason of the worst."""
    out = {}
    for name in names:
        found = [j for j in verdict if j.tag == name]
        marks = {v: worst(j.mark for j in found if j.verb == v) if _tested(scores, v, name) else None for v in VERBS}
        reason = next((j.text for j in found if j.mark == worst(k.mark for k in found)), "")
        out[name] = marks | {"reason": reason}
    return out


def _tested(scores: dict[str, Any], verb: str, name: str) -> bool:
    return verb == "generate" or name in scores.get(verb, {}).get("tags", {})
