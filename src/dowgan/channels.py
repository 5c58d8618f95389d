"""Between the user's columns and the model's channels: scale, categories, regimes.

A numeric column becomes one channel on a scale where its spread is even (as it is, square root or logarithm),
centred and of unit spread. A category becomes one channel per level. Conditions that are categories, or set-points
that move between a few settings, become no channel: their combination is the regime of a row. A column that always
equals an earlier one becomes no channel of its own, nor does a set-point that the regimes tell (`setpoints.py`).

Shapes: T rows, C columns (the schema's channels), D channels, Q condition columns, R regimes.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from dowgan.codes import Code, find_turn, fit_code
from dowgan.courses import numbers
from dowgan.curves import Curve, fit_curves
from dowgan.effects import Effects, find_fixed, fit_effects, no_effects
from dowgan.errors import OptionError
from dowgan.known import beside_groups, ends_of, first_or_none
from dowgan.levels import Level, Levels, fit_levels, no_levels
from dowgan.profile import at
from dowgan.ramps import Driven, find_driven, free_driven
from dowgan.regimes import Regimes, fit_regimes
from dowgan.setpoints import Setpoints, fit_setpoints
from dowgan.settled import with_settled
from dowgan.stages import Stages
from dowgan.stocks import Stock
from dowgan.stretch import MANY_RUNS, Even, Pace
from dowgan.table.schema import Column, Run, Schema
from dowgan.trajectories import Trajectories, fit_trajectories, no_trajectories

BEYOND = 0.1  # of its range, by which a densified channel may leave it


@dataclass(frozen=True)
class Channels:
    """The whole map, fitted once.

    Attributes:
        codes: one per column that becomes channels, in the schema's order.
        regimes: that rows may have.
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
        driven: set-points that go from setting to setting at steady rates.
        stages: that all runs go through, each as long as it takes; None where their places are even.
    """

    codes: tuple[Code, ...]
    regimes: Regimes
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
    driven: Driven = field(default_factory=Driven)
    stages: Stages | None = None

    def pace(self, rows: int) -> Pace:
        """Return what tells the places of a whole run of so many rows in a usual one."""
        return self.stages or Even((self.typical - 1) / (rows - 1) if self.typical and rows > 1 else 1.0)

    def under_way(self, step: float = 1.0) -> Pace:
        """Return what tells the places of a run of which it is not known how long it will be.

        Args:
            step: of its rows, in rows of a usual run.
        """
        return self.stages or Even(step)

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
            told = self.setpoints.told(self.regimes.of(own), own) if told is None else told
            values = values - self.setpoints.led(told)
        values = self.regimes.moving(values)
        if self.curves:
            values, regime = values.copy(), self.regimes.of(own)
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
        self.regimes.put(out, regime)
        return out

    def complete(
        self, values: Float[np.ndarray, "T C"], regime: Int[np.ndarray, " T"], told: Float[np.ndarray, "T C"]
    ) -> Float[np.ndarray, "T C"]:
        """Put in, in place, the columns of one run that are no channel: what its regimes tell, and equal columns."""
        np.copyto(values, told, where=~np.isnan(told))
        self.regimes.put(values, regime)
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

    def words(self, names: Sequence[str]) -> list[str]:
        """Say which columns are those of a run, and which states were found."""
        own = [f"'{names[place]}' never changes within a run, and does not in what is made" for place in self.fixed]
        own += [
            f"'{names[place]}' runs along lines of its own in each run; a generated one follows one of the table's"
            for place in self.trajectories.columns
        ]
        own += self.driven.words(names)
        if self.effects.codes:
            constants = ", ".join(f"'{names[code.place]}'" for code in self.effects.codes)
            own += [f"'{names[place]}' goes with what is a run's own: {constants}" for place in self._told_by_constants]
        own += [f"'{names[curve.column]}' lies on a curve of '{names[curve.of]}'" for curve in self.curves]
        own += [f"'{names[code.place]}' is a direction: {code.turn:g} is 0 again" for code in self.codes if code.turn]
        return own + self.regimes.words(names)

    @property
    def _told_by_constants(self) -> list[int]:
        """The columns of which constants of a run tell something."""
        columns = np.repeat([code.place for code in self.codes], [code.width for code in self.codes])
        return np.unique(columns[np.any(self.effects.weights, axis=0)]).tolist()

    def first_channel(self, place: int) -> int | None:
        """Number of the first channel of a column, None for one that the regime tells: a condition, a set-point."""
        first, place = 0, dict(self.same).get(place, place)
        for code in self.codes:
            if code.place == place:
                return first
            first += code.width
        return None


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
    columns = schema.channels
    once = find_fixed(columns, runs, same)
    regimes, driven = _fit_regimes(schema, runs, once, stocks, limited, dict(same))
    fixed = tuple(i for i in once if i not in regimes.conditions or columns[i].role != "condition")
    none = (*regimes.conditions, *dict(same), *fixed, *(stock.column for stock in stocks))
    places = [place for place in range(len(columns)) if place not in none]
    if not places:
        raise OptionError("Every column that varies is a condition; leave at least one column that is not.")
    courses = [(run.values, regimes.of(run.values)) for run in runs]
    setpoints, trajectories = _fit_setpoints(columns, runs, places, courses, regimes, driven.columns)
    drawn = [i for i in places if i not in setpoints.columns]
    regimes = with_settled(regimes, columns, runs, drawn)
    drawn = [i for i in drawn if i not in regimes.told]
    led = np.concatenate([setpoints.led(setpoints.told(regime, known)) for known, regime in courses])
    moving = regimes.moving(np.concatenate([run.values for run in runs]) - led)
    told = {*setpoints.columns, *(column for column, *_ in setpoints.followers), *regimes.telling}
    free = [i for i in numbers(columns) if i in drawn and i not in told]
    turns = _turns(columns, runs, free)
    curves: tuple[Curve, ...] = ()
    if len(runs) < MANY_RUNS:  # of many the place in the run tells what columns do together
        regime = np.concatenate([own for _, own in courses])
        curves = fit_curves(moving, regime, [i for i in free if i not in turns and not columns[i].levels], len(regimes))
    for curve in curves:
        curve.off(moving, regime)
    codes = tuple(fit_code(i, columns[i], moving[:, i], turns.get(i)) for i in drawn)
    width = sum(code.width for code in codes)
    fitted = Channels(
        codes=codes,
        regimes=regimes,
        columns=len(columns),
        same=tuple(same),
        fixed=fixed,
        setpoints=setpoints,
        trajectories=trajectories,
        driven=driven,
        curves=curves,
        span=np.empty((2, 0)),
        levels=no_levels(width),
        effects=no_effects(width),
    )
    encoded = [fitted.encode(run.values) for run in runs]
    levels = fit_levels([run.key for run in runs], beside_groups(encoded, [own for _, own in courses]))
    rows = np.concatenate([*encoded, np.zeros((1, width))])  # their mean is zero
    return replace(fitted, span=ends_of(rows), levels=levels)


def _fit_regimes(
    schema: Schema,
    runs: Sequence[Run],
    once: Sequence[int],
    stocks: Sequence[Stock],
    limited: Sequence[int],
    told: Collection[int],
) -> tuple[Regimes, Driven]:
    """The regimes, and the columns that go from setting to setting by themselves; one column at least is left.

    Args:
        told: columns that equal others.
    """
    columns, cycles = schema.channels, schema.clock.cycles()
    apart = {*once, *told, *limited, *(stock.column for stock in stocks)}
    driven = find_driven(columns, runs, cycles, [place for place in range(len(columns)) if place not in apart])
    if len(driven.ramps) == len(columns) - len(apart):
        driven = Driven()
    regimes = fit_regimes(schema, runs, once, stocks, [*limited, *driven.columns])
    if not driven.ramps:
        return regimes, driven
    free = free_driven(driven, runs, [regimes.of(run.values) for run in runs], cycles)
    if free.columns != driven.columns:  # what goes by regimes may be one
        regimes = fit_regimes(schema, runs, once, stocks, [*limited, *free.columns])
    return regimes, free


def _fit_setpoints(
    columns: Sequence[Column],
    runs: Sequence[Run],
    places: Sequence[int],
    courses: Sequence[tuple[Float[np.ndarray, "_ C"], Int[np.ndarray, " _"]]],
    regimes: Regimes,
    driven: Sequence[int],
) -> tuple[Setpoints, Trajectories]:
    """What regimes and runs tell of some columns, of which one at least is left to be modelled.

    Args:
        courses: values and regimes of each run.
        driven: columns that go from setting to setting by themselves.
    """
    free = [place for place in numbers(columns) if place in places]
    trajectories = fit_trajectories(columns, runs, [place for place in free if place not in regimes.telling])
    setpoints = fit_setpoints(free, courses, len(regimes), (*trajectories.columns, *driven))
    if set(places) <= set(setpoints.columns):
        return replace(setpoints, columns=tuple(driven), followers=()), no_trajectories()
    return setpoints, trajectories


def _turns(columns: Sequence[Column], runs: Sequence[Run], places: Sequence[int]) -> dict[int, tuple[float, float]]:
    """Which of some columns are directions: the turn of each, and the start of its range."""
    apart = np.concatenate([np.append(run.values, np.full((1, len(columns)), np.nan), axis=0) for run in runs])
    found = {place: find_turn(columns[place], apart[:, place]) for place in places}
    return {place: turn for place, turn in found.items() if turn is not None}


def with_effects(channels: Channels, schema: Schema, runs: Sequence[Run]) -> Channels:
    """Fit what constants of runs do, and the levels of runs beside that."""
    encoded = [channels.encode(run.values) for run in runs]
    regimes = [channels.regimes.of(run.values) for run in runs]
    places = [channels.pace(len(regime)).places(regime) for regime in regimes]
    own = np.stack([first_or_none(run.values) for run in runs])
    constants = [(place, schema.channels[place]) for place in channels.fixed]
    effects = fit_effects(constants, own, encoded, regimes, places)
    if not effects.codes:
        return channels
    rests = [values - at(effects.course(o), p) for values, o, p in zip(encoded, own, places, strict=True)]
    levels = fit_levels([run.key for run in runs], beside_groups(rests, regimes))
    return replace(channels, effects=effects, levels=levels)
