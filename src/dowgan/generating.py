"""Lay out what is to be generated: where it begins, and its runs with their regimes, as far as they are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dowgan.errors import OptionError
from dowgan.given import first_time
from dowgan.model import Model
from dowgan.plan import Plan, plan_runs, refuse_copies
from dowgan.rng import Streams

if TYPE_CHECKING:
    from pandas import DataFrame


def beginning(model: Model, start: object, given: DataFrame | None) -> int | None:
    """The position of the first row: at a start, or at the first time of a given table; None for neither.

    Raises:
        OptionError: the start is not a time of the clock, or the given table begins at another.
    """
    first = None if given is None else first_time(given, model.table_schema)
    if start is None:
        return None if first is None else _position(model, first)
    position = _position(model, start)
    if first is not None and _position(model, first) != position:
        raise OptionError(f"The given table begins at {first} and not at the start, {start}; leave one of them out.")
    return position


def _position(model: Model, start: object) -> int:
    clock, first = model.table_schema.clock, model.past[0]
    if clock.kind == "row":
        raise OptionError(f"'{start}' is no start of this table: it has no clock, its rows are only numbered.")
    typed = start if isinstance(start, str | int | float) else str(start)  # a pandas time as its text
    value = model.table_schema.typed(typed)
    origin = clock.decode(first.start)
    steps = clock.steps_between(origin, value)
    if not clock.has(origin, value):
        before, behind = clock.at(origin, np.array([steps, steps + 1]))
        raise OptionError(f"'{start}' is not a time of this clock; the nearest are {before} and {behind}.")
    return steps + first.offset


def lay_out(
    model: Model,
    rows: int | None,
    runs: int | None,
    position: int | None,
    where: Mapping[str, str],
    fixed: np.ndarray | None,
    streams: Streams,
) -> list[Plan]:
    """Plan what is to be drawn.

    Args:
        model: fitted.
        rows: of each run; without `runs`, on a table with runs, of all together; None for the table's own.
        runs: how many; None for as many as the table has.
        position: clock position of each start, None to begin with the table or its runs.
        where: conditions to hold.
        fixed: values [N C] that are given.
        streams: randomness of starts and regimes.

    Raises:
        OptionError: a condition that the model has not seen, or runs that could not be told apart.
    """
    schema, held = model.table_schema, dict(where)
    rng = streams.numpy("plan")
    if not schema.run_names and runs is None:
        at = model.past[0].offset if position is None else position
        plans = plan_runs(model, schema, rows or model.past[0].rows, 1, at, held, rng)
    elif runs is None and rows is not None:
        mean = max(1, round(np.mean([p.rows for p in model.past])))
        plans = plan_runs(model, schema, None, -(-rows // mean) + 1, position, held, rng)
        while sum(p.rows for p in plans) < rows:
            plans = plan_runs(model, schema, None, 2 * len(plans), position, held, streams.numpy("plan"))
        plans = _cut(plans, rows)
    else:
        plans = plan_runs(model, schema, rows, runs or len(model.past), position, held, rng)
    refuse_copies(plans, schema)
    plans = plans if fixed is None else [_followed(model, plan, fixed) for plan in plans]
    return [_on_schedule(model, plan) for plan in plans] if model.channels.regimes.scheduled else plans


def _on_schedule(model: Model, plan: Plan) -> Plan:
    """A plan whose regimes are those of the hours of the clock."""
    positions = plan.position - len(plan.before) + np.arange(len(plan.course))
    course = model.channels.regimes.with_given(plan.course, model.scheduled(model.times(positions)))
    parts = np.split(course, [len(plan.before), len(plan.before) + plan.rows])
    return replace(plan, before=parts[0], regime=parts[1], after=parts[2])


def _followed(model: Model, plan: Plan, fixed: np.ndarray) -> Plan:
    """A plan whose regimes are those of given conditions, as far as they are given."""
    if np.isnan(fixed[: plan.rows, model.channels.regimes.telling]).all():
        return plan
    return plan.following(model.channels.regimes.with_given(plan.regime, fixed))


def _cut(plans: Sequence[Plan], rows: int) -> list[Plan]:
    """The first plans with exactly that many rows together; the last is cut."""
    out, left = [], rows
    for plan in plans:
        if left <= 0:
            break
        length = min(plan.rows, left)
        out.append(plan.first(length))
        left -= length
    return out
