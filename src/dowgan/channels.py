"""Between the user's columns and the model's channels: scale, categories, regimes.

A numeric column becomes one channel on a scale where its spread is even (as it is, square root or logarithm),
centred and of unit spread. A category becomes one channel per level. Conditions that are categories, or set-points
that move between a few settings, become no channel: their combination is the regime of a row. A column that always
equals an earlier one becomes no channel of its own, nor does a set-point that the regimes tell (`setpoints.py`).

Shapes: T rows, C columns (the schema's channels), D channels, Q condition columns, R regimes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.codes import Code, find_turn, fit_code
from dowgan.courses import numbers
from dowgan.curves import Curve, fit_curves
from dowgan.effects import Effects, fit_effects, no_effects
from dowgan.errors import OptionError
from dowgan.known import beside_groups, ends_of, first_or_none
from dowgan.levels import Level, Levels, fit_levels, no_levels
from dowgan.profile import at
from dowgan.setpoints import Setpoints, fit_setpoints
from dowgan.states import Rest, State, filled, find_states
from dowgan.stocks import Stock
from dowgan.stretch import MANY_RUNS
from dowgan.table.schema import Column, Run, Schema
from dowgan.trajectories import Trajectories, fit_trajectories, no_trajectories

BEYOND = 0.1  # of its range, by which a densified channel may leave it
DECIDES = 100.0  # times that a given state weighs against one that is not
RUNS_EACH = 4  # runs for each value of a number that is a condition, so that it tells regimes and is no constant
FEWEST_FIXED = 20  # rows beyond the first of their runs in which a column did not change, at least


@dataclass(frozen=True)
class Channels:
    """The whole map, fitted once.

    Attributes:
        codes: one per column that becomes channels, in the schema's order.
        conditions: numbers, among the schema's channels, of the columns that make up the regime: those that the user
            named or, where there are none, found states.
        found: whether they were found: then they are drawn, and not only given.
        scheduled: those of the conditions that the clock tells.
        states: that numbers tell, part of the regime too; none where the user named conditions.
        counted: which of both hold numbers, such as a set-point.
        regimes: [R Q] the level numbers, or the numbers themselves, of each regime; 0 or 1 of a state.
        columns: how many columns there are.
        same: (column, the earlier column that it equals).
        fixed: columns that never change within a run, such as a patient's age: they are of the run, and no channels.
        setpoints: what the regimes tell of columns.
        trajectories: set-points that each run has of its own.
        curves: columns that lie on a curve of another.
        span: [2 D] least and largest value of each channel in the table.
        levels: of the runs.
        effects: of what never changes within a run.
        typical: rows of a usual run where short runs go the same way as long ones, only faster; zero where not.
    """

    codes: tuple[Code, ...]
    conditions: tuple[int, ...]
    found: bool
    scheduled: tuple[int, ...]
    states: tuple[State, ...]
    counted: tuple[bool, ...]
    regimes: Float[np.ndarray, "R Q"]
    columns: int
    same: tuple[tuple[int, int], ...]
    fixed: tuple[int, ...]
    setpoints: Setpoints
    trajectories: Trajectories
    curves: tuple[Curve, ...]
    span: Float[np.ndarray, "2 D"]
    levels: Levels
    effects: Effects
    typical: int = 0

    def pace(self, rows: int) -> float:
        """Return how many places of a usual run one row of a whole run of so many rows goes on."""
        return (self.typical - 1) / (rows - 1) if self.typical and rows > 1 else 1.0

    @property
    def width(self) -> int:
        return sum(code.width for code in self.codes)

    def encode(
        self, values: Float[np.ndarray, "T C"], told: Float[np.ndarray, "T C"] | None = None
    ) -> Float[np.ndarray, "T D"]:
        """Return the channels of a run's values (user's units, NaN missing).

        Args:
            values: of the run.
            told: what regimes tell of it, see `Setpoints.told`; None to take that from the values.
        """
        if self.same:
            values = values.copy()
            for place, first in self.same:
                values[:, first] = np.where(np.isnan(values[:, first]), values[:, place], values[:, first])
        own = values
        if self.setpoints.followers:
            told = self.setpoints.told(self.regime(own), own) if told is None else told
            values = values - self.setpoints.led(told)
        values = _moving(values, self.states)
        if self.curves:
            values, regime = values.copy(), self.regime(own)
            for curve in self.curves:
                curve.off(values, regime)
        return np.concatenate([code.forward(values[:, code.place]) for code in self.codes], axis=1)

    def level(
        self,
        key: tuple[Any, ...],
        own: Float[np.ndarray, " C"],
        encoded: Float[np.ndarray, "T D"] | None = None,
        places: Float[np.ndarray, " T"] | None = None,
    ) -> Level:
        """Return the level of a run.

        Args:
            key: of the run.
            own: what never changes within it, NaN where it is not known.
            encoded: its channels, that tell it if the fitted table has no such run.
            places: of its rows.
        """
        course = self.effects.course(own)
        if encoded is None or places is None:
            encoded = np.full((1, self.width), np.nan)
        else:
            encoded = encoded - at(course, places)
        return replace(self.levels.of(key, encoded), course=course)

    def within(self, values: Float[np.ndarray, "N D"], given: Float[np.ndarray, "K D"]) -> Float[np.ndarray, "N D"]:
        """Return channels of rows between given ones, none far beyond those of the table and of given rows."""
        both = np.concatenate([self.span, given])
        low, high = np.nanmin(both, axis=0), np.nanmax(both, axis=0)
        return np.clip(values, low - BEYOND * (high - low), high + BEYOND * (high - low))

    def decode(
        self,
        channels: Float[np.ndarray, "T D"],
        regime: Int[np.ndarray, " T"],
        told: Float[np.ndarray, "T C"] | None = None,
    ) -> Float[np.ndarray, "T C"]:
        """Return values of a run in the user's units, NaN in fixed columns; `told` as in `encode`, None to take it from
        the regimes alone."""
        out = np.full((len(channels), self.columns), np.nan)
        first = 0
        for code in self.codes:
            out[:, code.place] = code.back(channels[:, first : first + code.width])
            first += code.width
        told = self.setpoints.told(regime) if told is None else told
        out = self.complete(out + self.setpoints.led(told), regime, told)
        for curve in self.curves:  # by what the other column is in the end
            curve.on(out, regime)
        return self.complete(out, regime, told) if self.curves else out

    def followed(
        self,
        values: Float[np.ndarray, "N C"],
        before: Float[np.ndarray, "N C"],
        regime: Int[np.ndarray, " N"],
    ) -> Float[np.ndarray, "N C"]:
        """Return values of which some were moved, with columns on their curves as far off these as they were before."""
        if not self.curves:
            return values
        out, own = values.copy(), before.copy()
        for curve in self.curves:
            curve.off(own, regime)
            out[:, curve.column] = own[:, curve.column]
            curve.on(out, regime)
        return out

    def complete(
        self, values: Float[np.ndarray, "T C"], regime: Int[np.ndarray, " T"], told: Float[np.ndarray, "T C"]
    ) -> Float[np.ndarray, "T C"]:
        """Put in, in place, the columns of one run that are no channel: what its regimes tell, and equal columns."""
        np.copyto(values, told, where=~np.isnan(told))
        for number, place in enumerate(self.conditions):
            values[:, place] = self.regimes[regime, number]
        for number, state in enumerate(self.states, len(self.conditions)):
            values[:, state.place] = state.kept(values[:, state.place], self.regimes[regime, number])
        for place, first in self.same:
            values[:, place] = values[:, first]
        return values

    def put_fixed(self, values: Float[np.ndarray, "T C"], own: Float[np.ndarray, " C"]) -> None:
        """Put in, in place, what never changes within a run.

        Args:
            values: of rows of a run.
            own: of the run.
        """
        values[:, list(self.fixed)] = own[list(self.fixed)]

    def with_rests(self, given: Float[np.ndarray, "T C"], values: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T C"]:
        """Return what is given, and where numbers are at rest: no rule between columns moves them from there."""
        out = given.copy()
        for state in self.states:
            if isinstance(state, Rest):
                rests = np.isnan(given[:, state.place]) & (values[:, state.place] == state.value)
                out[rests, state.place] = state.value
        return out

    def as_given(
        self,
        values: Float[np.ndarray, "T C"],
        regime: Int[np.ndarray, " T"],
        given: Float[np.ndarray, " C"],
        now: int,
    ) -> None:
        """Put in, in place, the numbers that a regime counts as they are in a given row of it: a set-point that the
        table never had stays what it is, and is not the nearest that it had.

        Args:
            values: of rows beside the given one.
            regime: of these rows.
            given: the row.
            now: its regime.
        """
        for number, place in enumerate(self.conditions):
            if self.counted[number] and not np.isnan(given[place]):
                values[regime == now, place] = given[place]

    @property
    def telling(self) -> list[int]:
        """The columns that tell the regime."""
        return [*self.conditions, *(state.place for state in self.states)]

    def words(self, names: Sequence[str]) -> list[str]:
        """Say which columns are those of a run, and which states were found."""
        own = [f"'{names[place]}' never changes within a run, and does not in what is made" for place in self.fixed]
        own += [
            f"'{names[place]}' runs along lines of its own in each run; a generated one follows one of the table's"
            for place in self.trajectories.columns
        ]
        if self.effects.codes:
            constants = ", ".join(f"'{names[code.place]}'" for code in self.effects.codes)
            own += [f"'{names[place]}' goes with what is a run's own: {constants}" for place in self._told_by_constants]
        own += [f"'{names[curve.column]}' lies on a curve of '{names[curve.of]}'" for curve in self.curves]
        own += [f"'{names[code.place]}' is a direction: {code.turn:g} is 0 again" for code in self.codes if code.turn]
        if not self.found:
            return own
        own += [f"'{names[place]}' is a schedule of the clock, by which others go" for place in self.scheduled]
        said = [f"'{names[place]}' is a state of its own" for place in self.conditions if place not in self.scheduled]
        return own + said + [state.words(names[state.place]) for state in self.states]

    @property
    def _told_by_constants(self) -> list[int]:
        """The columns of which constants of a run tell something."""
        columns = np.repeat([code.place for code in self.codes], [code.width for code in self.codes])
        return np.unique(columns[np.any(self.effects.weights, axis=0)]).tolist()

    def typical_values(self, regime: Int[np.ndarray, " T"]) -> Float[np.ndarray, "T C"]:
        """Return values of the columns that tell regimes, such as these have; NaN elsewhere."""
        out = np.full((len(regime), self.columns), np.nan)
        out[:, list(self.conditions)] = self.regimes[regime][:, : len(self.conditions)]
        for number, state in enumerate(self.states, len(self.conditions)):
            out[:, state.place] = state.usual(self.regimes[regime, number])
        return out

    def regime(
        self, values: Float[np.ndarray, "T C"], given: Bool[np.ndarray, "T C"] | None = None
    ) -> Int[np.ndarray, " T"]:
        """Return the regime of each row; a missing condition is taken from the row before.

        A set-point that the model has not seen counts as the nearest one that it has seen with the same categories; of
        states that were found, the most alike combination that it has seen.

        Args:
            values: of the table's columns.
            given: which of them decide where a combination has not been seen; None for all alike.

        Raises:
            OptionError: a combination of categories that the model has not seen.
        """
        if not self.telling:
            return np.zeros(len(values), dtype=int)
        levels = _levels(values, self.conditions, self.states)
        weight = np.ones_like(levels) if given is None else np.where(given[:, self.telling], DECIDES, 1.0)
        if self.found:  # a state of which nothing is known, such as of a total between given rows, tells nothing
            weight = np.where(np.isnan(values[:, self.telling]).all(axis=0), 0.0, weight)
        both, places = np.unique(np.concatenate([levels, weight], axis=1), axis=0, return_inverse=True)
        levels, weight = np.split(both, 2, axis=1)
        off = np.abs(levels[:, None] - self.regimes[None])  # [L R Q]
        counted = np.array(self.counted)
        spans = np.ptp(self.regimes, axis=0)
        known = [not self.found and place not in self.scheduled for place in self.telling]
        unlike = np.where(off > 0, np.where(known, np.inf, 1.0), 0.0)
        off = np.where(counted, off / np.where(spans > 0, spans, 1.0), unlike)
        off = (off * weight[:, None]).sum(axis=2)
        places = places.reshape(-1)
        if np.isinf(off.min(axis=1)).any():
            row = int(np.argmax(np.isinf(off.min(axis=1))[places]))
            raise OptionError(
                f"Row {row + 1} has a combination of conditions that the model has not seen "
                f"(levels {[f'{v:g}' for v in levels[places[row]]]}); fit on a table that has it."
            )
        return np.argmin(off, axis=1)[places]

    def tell(self, values: Float[np.ndarray, "T C"]) -> Bool[np.ndarray, " T"]:
        """Return the rows in which all is known that tells the regime."""
        return ~np.isnan(values[:, self.telling]).any(axis=1)

    def first_channel(self, place: int) -> int | None:
        """Number of the first channel of a column, None for one that the regime tells: a condition, a set-point."""
        first, place = 0, dict(self.same).get(place, place)
        for code in self.codes:
            if code.place == place:
                return first
            first += code.width
        return None


def _levels(
    values: Float[np.ndarray, "T C"], conditions: Sequence[int], states: Sequence[State]
) -> Float[np.ndarray, "T Q"]:
    """What tells the regime of each row; where it is missing, as in the row before."""
    flags = [state.flag(values[:, state.place]) for state in states]
    return np.apply_along_axis(filled, 0, np.column_stack([values[:, list(conditions)], *flags]))


def _moving(values: Float[np.ndarray, "T C"], states: Sequence[State]) -> Float[np.ndarray, "T C"]:
    """Values, NaN where a number is at rest: what it would do there is not known, and no part of how it moves."""
    out = values
    for state in (s for s in states if isinstance(s, Rest)):
        out = out.copy() if out is values else out
        out[out[:, state.place] == state.value, state.place] = np.nan
    return out


def _tells_regimes(column: Column, runs: int, fixed: bool) -> bool:
    """Whether a condition has few values: one that never changes within a run has less than one for every few runs."""
    few = not fixed or runs >= RUNS_EACH * len(column.levels)
    return column.role == "condition" and (column.kind in ("category", "boolean") or (bool(column.levels) and few))


def find_fixed(columns: Sequence[Column], runs: Sequence[Run], same: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return the columns that never change within a run and differ between runs.

    A value that is measured once in each run, such as a batch's purity at its end, is one of the run.

    Args:
        columns: the schema's channels.
        runs: of the table.
        same: (column, the earlier column that it equals); such follow it.
    """
    if len(runs) < 2:
        return ()
    known = [[column[~np.isnan(column)] for column in run.values.T] for run in runs]
    spans = np.array([[np.ptp(values) if len(values) else 0.0 for values in own] for own in known])
    seen = np.array([[max(len(values) - 1, 0) for values in own] for own in known]).sum(axis=0)
    first = np.array([[values[0] if len(values) else np.nan for values in own] for own in known])
    once = np.array([[len(values) == 1 for values in own] for own in known]).all(axis=0)
    longer = min(len(run.values) for run in runs) > 1
    steady = (spans == 0).all(axis=0) & ((seen >= FEWEST_FIXED) | (once & longer))
    return tuple(
        place
        for place, column in enumerate(columns)
        if steady[place] and place not in dict(same) and len(set(first[:, place])) > 1
    )


def fit_channels(
    schema: Schema,
    runs: Sequence[Run],
    same: Sequence[tuple[int, int]] = (),
    stocks: Sequence[Stock] = (),
    limited: Sequence[int] = (),
) -> Channels:
    """Choose the scale of each column and list the regimes.

    Args:
        schema, runs: of the table.
        same: (column, the earlier column that it equals).
        stocks: columns that become no channels, since flows add up to them.
        limited: columns that limits of others tell, which are no states.

    Raises:
        OptionError: every column that could be modelled is a condition.
    """
    values = np.concatenate([run.values for run in runs])
    once = find_fixed(schema.channels, runs, same)
    named = [place for place, column in enumerate(schema.channels) if _tells_regimes(column, len(runs), place in once)]
    fixed = tuple(place for place in once if place not in named)
    apart, flows = [stock.column for stock in stocks], [flow for stock in stocks for flow in stock.flows]
    scheduled = tuple(place for place, column in enumerate(schema.channels) if column.schedule)
    cycles = schema.clock.cycles()
    found, states = ((), ()) if named else find_states(schema.channels, runs, cycles, flows, scheduled, limited)
    conditions = (*named, *scheduled, *found)
    states = tuple(state for state in states if state.place not in apart)
    none = (*conditions, *dict(same), *fixed, *apart)
    places = [place for place in range(len(schema.channels)) if place not in none]
    if not places:
        raise OptionError("Every column that varies is a condition; leave at least one column that is not.")
    regimes = np.unique(_levels(values, conditions, states), axis=0) if conditions or states else np.zeros((1, 0))
    counted = tuple(schema.channels[place].kind in ("float", "integer") for place in conditions)
    blank = np.full((len(regimes), values.shape[1]), np.nan)
    plain = Channels(
        codes=(),
        conditions=conditions,
        found=not named and bool(conditions or states),
        scheduled=scheduled,
        states=states,
        counted=(*counted, *(False for _ in states)),
        regimes=regimes,
        columns=values.shape[1],
        same=tuple(same),
        fixed=fixed,
        setpoints=Setpoints(blank, blank),
        trajectories=no_trajectories(),
        curves=(),
        span=np.empty((2, 0)),
        levels=no_levels(0),
        effects=no_effects(0),
    )
    courses = [(run.values, plain.regime(run.values)) for run in runs]
    free = [i for i in numbers(schema.channels) if i in places]
    trajectories = fit_trajectories(schema.channels, runs, [i for i in free if i not in plain.telling])
    setpoints = fit_setpoints(free, courses, len(regimes), trajectories.columns)
    if set(places) <= set(setpoints.columns):  # something must be left to model
        setpoints, trajectories = replace(setpoints, columns=(), followers=()), no_trajectories()
    led = np.concatenate([setpoints.led(setpoints.told(regime, known)) for known, regime in courses])
    moving = _moving(values - led, states).copy()
    told = {*setpoints.columns, *(column for column, *_ in setpoints.followers), *plain.telling}
    regime = np.concatenate([own for _, own in courses])
    turns = _turns(schema.channels, runs, [i for i in free if i not in told])
    bent = [i for i in free if i not in told and i not in turns and not schema.channels[i].levels]
    few = len(runs) < MANY_RUNS  # of many the place in the run tells what columns do together
    curves = fit_curves(moving, regime, bent, len(regimes)) if few else ()
    for curve in curves:
        curve.off(moving, regime)
    drawn = [i for i in places if i not in setpoints.columns]
    codes = [fit_code(i, schema.channels[i], moving[:, i], turns.get(i)) for i in drawn]
    coded = replace(plain, codes=tuple(codes), setpoints=setpoints, trajectories=trajectories, curves=curves)
    encoded = [coded.encode(run.values) for run in runs]
    levels = fit_levels([run.key for run in runs], beside_groups(encoded, [own for _, own in courses]))
    rows = np.concatenate([*encoded, np.zeros((1, coded.width))])  # their mean is zero
    return replace(coded, span=ends_of(rows), levels=levels, effects=no_effects(coded.width))


def _turns(columns: Sequence[Column], runs: Sequence[Run], places: Sequence[int]) -> dict[int, tuple[float, float]]:
    """Which of some columns are directions: the turn of each, and the start of its range."""
    apart = np.concatenate([np.append(run.values, np.full((1, len(columns)), np.nan), axis=0) for run in runs])
    found = {place: find_turn(columns[place], apart[:, place]) for place in places}
    return {place: turn for place, turn in found.items() if turn is not None}


def with_effects(channels: Channels, schema: Schema, runs: Sequence[Run]) -> Channels:
    """Fit what constants of runs do, and the levels of runs beside that."""
    encoded = [channels.encode(run.values) for run in runs]
    places = [channels.pace(len(run.values)) * np.arange(len(run.values)) for run in runs]
    own = np.stack([first_or_none(run.values) for run in runs])
    constants = [(place, schema.channels[place]) for place in channels.fixed]
    regimes = [channels.regime(run.values) for run in runs]
    effects = fit_effects(constants, own, encoded, regimes, places)
    if not effects.codes:
        return channels
    rests = [values - at(effects.course(o), p) for values, o, p in zip(encoded, own, places, strict=True)]
    levels = fit_levels([run.key for run in runs], beside_groups(rests, regimes))
    return replace(channels, effects=effects, levels=levels)
