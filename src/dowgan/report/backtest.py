"""Rows that the tested model has not seen, and what the verbs make of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dowgan.errors import DataError
from dowgan.evaluate import Ahead, Dense
from dowgan.table import Column, Run, Table, to_frame
from dowgan.table.rules import keep

if TYPE_CHECKING:
    from dowgan.synthesizer import Synthesizer

SEEN = 0.8  # share of the rows that a second model is fitted on when the table is the fitted one
MANY = 8  # runs from which whole runs are held out
FACTOR = 4  # of the densifying backtest
ORIGINS = 3  # of the extending backtest of a single series
RUNS = 6  # runs that paired verbs are tested on
PATHS = 100
HORIZON = 52  # steps that are extended, or one season if that is longer
LONGEST_SEASON = 200  # steps of a season that is still extended as a whole
MOST_ROWS = 2_000  # fine rows of a run that densify is tested on
SHORTEST_RUN = 4  # given rows that a densified run needs


@dataclass(frozen=True)
class Lane:
    """One run as it is drawn: times or numbers [T] and values [T C] in the user's units."""

    x: np.ndarray
    values: np.ndarray


def lane(table: Table, run: Run) -> Lane:
    """A run with its clock values as numpy holds them; a time zone's wall clock is shown."""
    clock = table.schema.clock
    if clock.kind == "row":
        return Lane(np.arange(len(run.values)), run.values)
    times: Any = clock.times(run.start, len(run.values))
    if clock.kind == "datetime":
        times = times.tz_localize(None) if times.tz is not None else times
        return Lane(times.to_numpy().astype("datetime64[ms]"), run.values)
    return Lane(np.asarray(times, dtype=float), run.values)


def within_rules(columns: tuple[Column, ...], values: np.ndarray) -> np.ndarray:
    """Values [... C] as they are written into a table: bounds, levels, whole numbers, decimals."""
    flat = values.reshape(-1, values.shape[-1])
    kept = [keep(column, flat[:, i]) for i, column in enumerate(columns)]
    return np.column_stack(kept).reshape(values.shape) if kept else values


def numbers_of(table: Table) -> list[int]:
    """Places of the channels that paired scores are about: numbers that are not conditions."""
    return [i for i, c in enumerate(table.schema.channels) if c.kind in ("float", "integer") and c.role == "value"]


def _part(run: Run, start: int, stop: int, table: Table) -> Run:
    first = table.schema.clock.at(run.start, np.array([start]))[0]
    return Run(run.key, first, run.offset + start, run.values[start:stop])


def split(table: Table) -> tuple[Table, Table]:
    """Early and late part: whole runs of many, rows of few.

    Raises:
        DataError: there is too little to hold some of it out.
    """
    runs = table.runs
    if len(runs) >= MANY:
        cut = round(len(runs) * SEEN)
        parts = runs[:cut], runs[cut:]
    else:
        cuts = [round(len(run.values) * SEEN) for run in runs]
        early = tuple(_part(run, 0, c, table) for run, c in zip(runs, cuts, strict=True))
        late = tuple(_part(run, c, len(run.values), table) for run, c in zip(runs, cuts, strict=True))
        parts = early, late
    if min(len(run.values) for part in parts for run in part) < 2:
        raise DataError(f"{table.rows} rows are too few to hold some of them out; a report needs at least 40.")
    first, second = (
        replace(table, runs=part, digest=f"{table.digest}/{name}")
        for name, part in zip(("early", "late"), parts, strict=True)
    )
    return first, _from_zero(second)


def _from_zero(table: Table) -> Table:
    """Offsets counted from the first time of this table, as `read` gives them."""
    least = min(run.offset for run in table.runs)
    return replace(table, runs=tuple(replace(run, offset=run.offset - least) for run in table.runs))


def dense_cases(tested: Synthesizer, late: Table) -> list[tuple[Lane, Dense]]:
    """Every FACTOR-th late row given, the others hidden; numbers only."""
    columns, numbers = late.schema.channels, numbers_of(late)
    runs = [run for run in late.runs if len(run.values) > SHORTEST_RUN * FACTOR][:RUNS]
    whole = [
        replace(run, values=run.values[: (min(len(run.values), MOST_ROWS) - 1) // FACTOR * FACTOR + 1]) for run in runs
    ]
    if not whole or not numbers:
        return []
    coarse = _from_zero(replace(late, runs=tuple(replace(run, values=run.values[::FACTOR]) for run in whole)))
    coarse = replace(coarse, runs=tuple(replace(run, offset=run.offset // FACTOR) for run in coarse.runs))
    filled = tested.fill(coarse, FACTOR, paths=PATHS, ratio=FACTOR)
    out = []
    for run, (_, middle, paths) in zip(whole, filled, strict=True):
        made = within_rules(columns, middle)[:, numbers]
        case = Dense(run.values[:, numbers], made, paths[:, :, numbers], FACTOR, _turns(tested, numbers))
        out.append((lane(late, run), case))
    return out


def _turns(tested: Synthesizer, numbers: list[int]) -> tuple[float, ...]:
    """Of which columns are directions, and what a turn is; 0 of others."""
    turns = {code.place: code.turn for code in tested.model_.channels.codes}
    return tuple(turns.get(place, 0.0) for place in numbers)


def ahead_cases(tested: Synthesizer, table: Table, late: Table) -> list[tuple[Lane, Ahead]]:
    """Origins in the late rows of each series, or in the middle of late runs; numbers only."""
    few = len(table.runs) < MANY
    base, out = (table if few else late), []
    for run, end in list(zip(base.runs, late.runs, strict=True))[:RUNS]:
        rows, unseen = len(run.values), len(end.values)
        first = rows - unseen if unseen < rows else rows // 2
        steps = min(_horizon(tested), (rows - first) // 2)
        count = max(1, ORIGINS // len(base.runs)) if few else 1
        for origin in np.unique(np.linspace(first, rows - steps, count).astype(int)) if steps >= 2 else ():
            out.append(_ahead(tested, base, run, int(origin), steps))
    steps = min((len(case.truth) for _, case in out), default=0)
    return [(where, _shortened(case, steps)) for where, case in out[: max(RUNS, ORIGINS)]]


def _horizon(tested: Synthesizer) -> int:
    seasons = [p for p in tested.model_.path.season.periods if HORIZON < p <= LONGEST_SEASON]
    return round(min(seasons)) if seasons else HORIZON


def _ahead(tested: Synthesizer, table: Table, run: Run, origin: int, steps: int) -> tuple[Lane, Ahead]:
    """Extend one run from one origin; what conditions did then is told, as a plant would know it."""
    columns, numbers = table.schema.channels, numbers_of(table)
    past = replace(table, runs=(replace(run, values=run.values[:origin]),))
    future = _part(run, origin, origin + steps, table)
    told = to_frame(table.schema, (future,))[list(table.schema.condition_names)] if _varying(table) else None
    found = tested.extended(past, steps, PATHS, given=told)
    paths = within_rules(columns, found.runs[0])[:, :, numbers]
    shown = lane(table, replace(run, values=run.values[: origin + steps]))
    middle = found.median[[columns[i].name for i in numbers]].to_numpy(dtype=float, na_value=np.nan)
    return shown, Ahead(run.values[:origin, numbers], future.values[:, numbers], middle, paths, _turns(tested, numbers))


def _varying(table: Table) -> bool:
    return any(c.role == "condition" for c in table.schema.channels)


def _shortened(case: Ahead, steps: int) -> Ahead:
    return replace(case, truth=case.truth[:steps], middle=case.middle[:steps], paths=case.paths[:, :steps])


def season_of(tested: Synthesizer, cases: list[tuple[Lane, Ahead]]) -> float | None:
    """The season that the plain methods may use: the model's, or else the calendar's."""
    shortest = min(len(case.history) for _, case in cases)
    seasons = (*tested.model_.path.season.periods, *tested.schema.clock.periods())
    return next((p for p in seasons if 2 <= p <= shortest), None)


def overlaps(synthesizer: Synthesizer, table: Table) -> bool:
    """Whether rows that the model keeps of its own table stand in this one, at the same place of the same run."""
    clock = synthesizer.schema.clock
    known = {past.key: past for past in synthesizer.model_.past}
    for run in table.runs:
        past = known.get(run.key)
        if past is None or not len(past.tail):
            continue
        begin = past.rows - len(past.tail)
        shift = 0 if clock.kind == "row" else clock.steps_between(clock.decode(past.start), run.start)
        first, last = max(begin, shift), min(past.rows, shift + len(run.values))
        if last > first and _mostly_equal(
            past.tail[first - begin : last - begin], run.values[first - shift : last - shift]
        ):
            return True
    return False


def _mostly_equal(first: np.ndarray, second: np.ndarray) -> bool:
    both = ~np.isnan(first) & ~np.isnan(second)
    return bool(both.any() and np.isclose(first[both], second[both]).mean() > 0.5)
