"""The regime of a row: which conditions, schedules and found states hold in it together.

Conditions that are categories, or set-points that move between a few settings, and states that were found become no
channels: each combination of them that the table has is a regime, and a regime is known by its number.

Shapes: T rows, N rows of runs, C columns (the schema's channels), Q columns that tell a regime, R regimes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.errors import OptionError
from dowgan.states import Rest, State, filled, find_states
from dowgan.stocks import Stock
from dowgan.succession import Timetable
from dowgan.table.schema import Column, Run, Schema

DECIDES = 100.0  # times that a given state weighs against one that is not
RUNS_EACH = 4  # runs for each value of a number that is a condition, so that it tells regimes and is no constant


@dataclass(frozen=True)
class Regimes:
    """What tells regimes, and all of them.

    Attributes:
        conditions: numbers, among the schema's channels, of the columns that make up the regime: those that the user
            named, schedules, and found states.
        named: those of them that the user named.
        found: whether there are others: they are drawn, and not only given.
        scheduled: those of the conditions that the clock tells.
        states: that numbers tell, part of the regime too.
        counted: which of both hold numbers, such as a set-point.
        levels: [R Q] the level numbers, or the numbers themselves, of each regime; 0 or 1 of a state.
        settled: [R C] the one value that a column has in a regime, such as no current where a stack is off; else NaN.
        ends: [2 R C] the least and the greatest value of a column in a regime that keeps off an end at which it often
            is elsewhere, as where cars charge one at least is there; else endless.
    """

    conditions: tuple[int, ...]
    named: tuple[int, ...]
    found: bool
    scheduled: tuple[int, ...]
    states: tuple[State, ...]
    counted: tuple[bool, ...]
    levels: Float[np.ndarray, "R Q"]
    settled: Float[np.ndarray, "R C"]
    ends: Float[np.ndarray, "2 R C"]

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def telling(self) -> list[int]:
        """The columns that tell the regime."""
        return [*self.conditions, *(state.place for state in self.states)]

    def unbroken(self, values: Float[np.ndarray, "T C"]) -> "Regimes":
        """Return regimes without what some values do not keep to: a column with another one in a row of a regime."""
        regime = self.of(values)
        settled, (least, most) = self.settled[regime], self.ends[:, regime]
        broken = (~np.isnan(settled) & ~np.isnan(values) & (values != settled)).any(axis=0)
        broken[self.told] = False  # nothing else is known of these
        beyond = ((values < least) | (values > most)).any(axis=0)
        if not (broken | beyond).any():
            return self
        ends = np.where(beyond, np.array([-np.inf, np.inf])[:, None, None], self.ends)
        return replace(self, settled=np.where(broken, np.nan, self.settled), ends=ends)

    @property
    def told(self) -> list[int]:
        """The columns that have one value in each regime."""
        return np.flatnonzero(~np.isnan(self.settled).any(axis=0)).tolist()

    def of(
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
        asked = _told(values, self.conditions, self.states)
        weight = np.ones_like(asked) if given is None else np.where(given[:, self.telling], DECIDES, 1.0)
        if self.found:  # a state of which nothing is known, such as of a total between given rows, tells nothing
            weight = np.where(np.isnan(values[:, self.telling]).all(axis=0), 0.0, weight)
        both, places = np.unique(np.concatenate([asked, weight], axis=1), axis=0, return_inverse=True)
        places = places.reshape(-1)
        asked, weight = np.split(both, 2, axis=1)
        off = self._off(asked, weight)
        unseen = np.isinf(off.min(axis=1))
        if unseen.any():
            row = int(np.argmax(unseen[places]))
            raise OptionError(
                f"Row {row + 1} has a combination of conditions that the model has not seen "
                f"(levels {[f'{v:g}' for v in asked[places[row]]]}); fit on a table that has it."
            )
        return np.argmin(off, axis=1)[places]

    def _off(self, asked: Float[np.ndarray, "N Q"], weight: Float[np.ndarray, "N Q"]) -> Float[np.ndarray, "N R"]:
        """How far some combinations are from each regime, infinitely where a category is another."""
        off = np.abs(asked[:, None] - self.levels[None])
        spans = np.ptp(self.levels, axis=0)
        named = [place in self.named for place in self.telling]
        unlike = np.where(off > 0, np.where(named, np.inf, 1.0), 0.0)
        off = np.where(self.counted, off / np.where(spans > 0, spans, 1.0), unlike)
        return (off * weight[:, None]).sum(axis=2)

    def ramping(self, regime: Int[np.ndarray, " K"]) -> Bool[np.ndarray, "K-1 2"]:
        """Return for each row but the last whether a number ramps to the next one: away from its rest, back to it."""
        out = np.zeros((max(len(regime) - 1, 0), 2), dtype=bool)
        for number, state in enumerate(self.states, len(self.conditions)):
            if isinstance(state, Rest) and state.ramps:
                change = np.diff(self.levels[regime, number])
                out |= np.stack([change > 0, change < 0], axis=1)
        return out

    @property
    def steps(self) -> Int[np.ndarray, " R"]:
        """A number for each combination of found labels: within a step of a recipe a pump may go on and off."""
        labels = self.levels[:, len(self.named) : len(self.conditions)]
        return np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)

    def of_kind(self, regime: int) -> Bool[np.ndarray, " R"]:
        """Return which regimes have the conditions that the user named as one has them."""
        own = self.levels[:, : len(self.named)]
        same: np.ndarray = (own == own[regime]).all(axis=1)
        return same

    def known(self, values: Float[np.ndarray, "T C"]) -> Bool[np.ndarray, " T"]:
        """Return the rows in which all is known that tells the regime."""
        return ~np.isnan(values[:, self.telling]).any(axis=1)

    def with_given(self, regime: Int[np.ndarray, " T"], given: Float[np.ndarray, "N C"]) -> Int[np.ndarray, " T"]:
        """Return the regimes of rows of which something is given, as far as that tells them; the rest stays."""
        if not self.telling:
            return regime
        given = given[: len(regime)]
        told = ~np.isnan(given)
        return self.of(np.where(told, given, self.usual(regime, given.shape[1])), told)

    def by_clock(
        self, timetable: Timetable | None, values: Float[np.ndarray, "T C"], position: int, ratio: int = 1
    ) -> Int[np.ndarray, " T"]:
        """Return the regime of each row of a run: where found states are missing, as the clock tells.

        Args:
            timetable: what it tells, None for nothing.
            values: of the run.
            position: of the first row on the timetable's clock.
            ratio: its steps from row to row.
        """
        regime, known = self.of(values), self.known(values)
        if timetable is None or not self.found or known.all() or not known.any():
            return regime
        return self.with_given(timetable.filled(regime, known, position, ratio), values)

    def usual(self, regime: Int[np.ndarray, " T"], columns: int) -> Float[np.ndarray, "T C"]:
        """Return values of the columns that tell regimes, such as these have; NaN elsewhere."""
        out = np.full((len(regime), columns), np.nan)
        out[:, list(self.conditions)] = self.levels[regime][:, : len(self.conditions)]
        for number, state in enumerate(self.states, len(self.conditions)):
            out[:, state.place] = state.usual(self.levels[regime, number])
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

    def put(self, values: Float[np.ndarray, "T C"], regime: Int[np.ndarray, " T"]) -> None:
        """Put in, in place, what regimes tell for certain: conditions, and which side or rest a number is at."""
        for number, place in enumerate(self.conditions):
            values[:, place] = self.levels[regime, number]
        for number, state in enumerate(self.states, len(self.conditions)):
            values[:, state.place] = state.kept(values[:, state.place], self.levels[regime, number])
        self.keep_off(values, regime)
        settled = self.settled[regime]
        np.copyto(values, settled, where=~np.isnan(settled))

    def keep_off(self, values: Float[np.ndarray, "T C"], regime: Int[np.ndarray, " T"]) -> None:
        """Keep values, in place, off the ends that columns keep off in their regimes."""
        if np.isfinite(self.ends).any():  # few tables have any, and generated ones have many rows
            np.clip(values, *self.ends[:, regime], out=values)

    def _settled_in(self, values: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T C"]:
        """The one value that each column has in the regime of each row, NaN for none."""
        if np.isnan(self.settled).all():
            return np.full(values.shape, np.nan)
        return self.settled[self.of(values)]

    @property
    def _rests(self) -> list[Rest]:
        return [state for state in self.states if isinstance(state, Rest)]

    def moving(self, values: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T C"]:
        """Return values, NaN where a number is at rest: what it would do there is not known, and no part of how it
        moves."""
        out = values.copy()
        for state in self._rests:
            out[state.alone(values[:, state.place]), state.place] = np.nan
        out[values == self._settled_in(values)] = np.nan
        return out

    def with_rests(self, given: Float[np.ndarray, "T C"], values: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T C"]:
        """Return what is given, and where numbers are at rest: no rule between columns moves them from there."""
        out = given.copy()
        for state in self._rests:
            rests = np.isnan(given[:, state.place]) & (values[:, state.place] == state.value)
            out[rests, state.place] = state.value
        settled = self._settled_in(values)
        np.copyto(out, settled, where=np.isnan(given) & (values == settled))
        return out

    def words(self, names: Sequence[str]) -> list[str]:
        """Say which states were found."""
        if not self.found:
            return []
        own = [f"'{names[place]}' is a schedule of the clock, by which others go" for place in self.scheduled]
        said = [f"'{names[place]}' is a state of its own" for place in self.conditions if place not in self.scheduled]
        return own + said + [state.words(names[state.place]) for state in self.states]


def fit_regimes(
    schema: Schema, runs: Sequence[Run], once: Sequence[int], stocks: Sequence[Stock], limited: Sequence[int]
) -> Regimes:
    """List the regimes of a table: by the conditions that the user named, schedules and found states.

    Args:
        schema, runs: of the table.
        once: columns that never change within a run.
        stocks: columns that flows add up to, which are no states.
        limited: columns that limits of others tell, which are no states.
    """
    columns = schema.channels
    named = [place for place, column in enumerate(columns) if _tells_regimes(column, len(runs), place in once)]
    scheduled = tuple(place for place, column in enumerate(columns) if column.schedule)
    flows = [flow for stock in stocks for flow in stock.flows]
    found, states = find_states(columns, runs, schema.clock.cycles(), flows, scheduled, limited, named)
    states = tuple(state for state in states if state.place not in [stock.column for stock in stocks])
    conditions = (*named, *scheduled, *found)
    counted = [columns[place].kind in ("float", "integer") for place in conditions] + [False] * len(states)
    levels = np.zeros((1, 0))
    if counted:
        levels = np.unique(_told(np.concatenate([run.values for run in runs]), conditions, states), axis=0)
    free = np.full((len(levels), len(columns)), np.nan)
    ends = np.stack([np.full(free.shape, -np.inf), np.full(free.shape, np.inf)])
    drawn = bool(found or states or (scheduled and not named))
    return Regimes(conditions, tuple(named), drawn, scheduled, states, tuple(counted), levels, free, ends)


def _told(
    values: Float[np.ndarray, "T C"], conditions: Sequence[int], states: Sequence[State]
) -> Float[np.ndarray, "T Q"]:
    """What tells the regime of each row; where it is missing, as in the row before."""
    flags = [state.flag(values[:, state.place]) for state in states]
    return np.apply_along_axis(filled, 0, np.column_stack([values[:, list(conditions)], *flags]))


def _tells_regimes(column: Column, runs: int, fixed: bool) -> bool:
    """Whether a condition has few values: one that never changes within a run has less than one for every few runs."""
    few = not fixed or runs >= RUNS_EACH * len(column.levels)
    return column.role == "condition" and (column.labelled or (bool(column.levels) and few))
