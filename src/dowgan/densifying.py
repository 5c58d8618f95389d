"""Fill the rows between those of a user's table, by a fitted model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import gcd

import numpy as np
from jaxtyping import Bool, Float

from dowgan.courses import Course
from dowgan.encoding import levelled
from dowgan.model import Model
from dowgan.prior import drawn_out
from dowgan.resting import Resting, find_resting
from dowgan.rng import Streams
from dowgan.sampling import path_normals
from dowgan.solver import Normals
from dowgan.stretch import Pace, Stretch
from dowgan.table import Run, Table, refined
from dowgan.table.adopt import multiple
from dowgan.verbs import Rows, better_on_a_line, densify, regimes_between, trial_gaps

LOOKED_AT = 200  # windows that tell of what step the rows of a table without a clock are
SHORT = 8  # rows of them
SURE = 0.9  # chance of a regime from which it is taken as known


@dataclass(frozen=True)
class _Coarse:
    """A run as it is given.

    Attributes:
        run: of the table.
        part: the same without running totals.
        position: of its first row, in steps of the model.
        ratio: steps of the model from row to row.
        factor: steps of the finer series from row to row.
    """

    run: Run
    part: Run
    position: int
    ratio: int
    factor: int

    @cached_property
    def given(self) -> Float[np.ndarray, "N C"]:
        """What is given of each row of the finer series."""
        own = self.part.values
        out = np.full(((len(own) - 1) * self.factor + 1, own.shape[1]), np.nan)
        out[:: self.factor] = own
        return out


class Densifier:
    """Fills tables like the one that a model was fitted on.

    Args:
        model: fitted.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def fill(
        self, table: Table, factor: int, streams: Streams, paths: int = 0, ratio: int | None = None
    ) -> list[tuple[Run, np.ndarray, np.ndarray]]:
        """Fill the rows between those of each run.

        Args:
            table: with the model's step or a multiple of it.
            factor: new steps per old step.
            streams: randomness of the paths.
            paths: how many paths to draw beside the best estimate; 0 for none.
            ratio: the model's steps in one of the table's; None to take it from the clocks.

        Returns:
            For each run: the run, the best values [N C] in the user's units, and paths [P N C].
        """
        ratio = ratio or self._ratio(table, factor)
        channels, totals = self.model.channels, self.model.totals
        given = np.concatenate([totals.blank(run).values for run in table.runs])
        regimes = channels.regimes.unbroken(given)
        if regimes is not channels.regimes:
            model = replace(self.model, channels=replace(channels, regimes=regimes))
            return Densifier(model).fill(table, factor, streams, paths, ratio)
        standing = self._standing(table)
        return [
            self._filled(table, number, factor, ratio, streams, paths, standing) for number in range(len(table.runs))
        ]

    def _standing(self, table: Table) -> list[Course | Resting]:
        """What must stand between given rows: by the model, and by the rows where it says nothing of a column."""
        holds, setpoints = self.model.holds, self.model.channels.setpoints
        told = {*setpoints.columns, *(column for hold in holds for column in hold.columns)}
        resting = find_resting([run.values for run in table.runs])
        return [*holds, *(rest for rest in resting if rest.columns[0] not in told)]

    def _filled(
        self,
        table: Table,
        number: int,
        factor: int,
        ratio: int,
        streams: Streams,
        paths: int,
        standing: Sequence[Course | Resting],
    ) -> tuple[Run, np.ndarray, np.ndarray]:
        model, run = self.model, table.runs[number]
        if len(run.values) == 1 or factor == 1:
            return run, run.values.copy(), np.empty((0, *run.values.shape))
        position = run.offset * ratio + model.shift(table)
        coarse = _Coarse(run, model.totals.blank(run), position, ratio, factor)
        normals = path_normals(streams, f"densify/{number}", 0) if paths else None
        decoded, regime = self._decoded(coarse, normals, paths)
        for values in decoded:
            self._put_given(values, coarse, regime, standing)
        middle, *kept = self._ruled(decoded, coarse)
        return run, middle, np.stack(kept) if kept else np.empty((0, *middle.shape))

    def _decoded(self, coarse: _Coarse, normals: Normals | None, paths: int) -> tuple[list[np.ndarray], np.ndarray]:
        """The best values of all rows and those of each path, in the user's units, and the regimes of all rows."""
        model, channels, factor, ratio = self.model, self.model.channels, coarse.factor, coarse.ratio
        known = channels.regimes.by_clock(model.timetable, coarse.part.values, coarse.position, ratio)
        stretch, level = levelled(channels, coarse.part, self._pace(coarse.part, ratio), regime=known)
        rows, sure = _fine_rows(stretch, coarse, model)
        common = gcd(ratio, factor)
        process = model.path.process
        process = (process if factor == common else process.finer(factor // common)).every(ratio // common)
        mixture = model.calibration.mixture(factor, factor > common, model.path.channels)
        values, hidden, lined = stretch.values, trial_gaps(stretch.values), None
        if hidden.any():  # what tells hidden values better is taken over the table's own long gaps
            tried = np.where(hidden, np.nan, values)
            guess = densify(model.path, process, tried, factor, rows, None, mixture, sure).middle[::factor]
            lined = better_on_a_line(values, guess, hidden)
        filled = densify(model.path, process, values, factor, rows, normals, mixture, sure, lined)
        told = channels.setpoints.told(rows.regime, coarse.given)
        given = level.on(stretch.values, rows.place[::factor])
        drawn = [level.on(path, rows.place) for path in (filled.middle, *filled.paths[:paths])]
        return [channels.decode(channels.within(path, given), rows.regime, told) for path in drawn], rows.regime

    def _put_given(
        self, values: np.ndarray, coarse: _Coarse, regime: np.ndarray, standing: Sequence[Course | Resting]
    ) -> None:
        """Put in, in place, what given rows tell of those between them: a run's own, set-points, what stands."""
        own, factor = coarse.part.values, coarse.factor
        self.model.channels.put_fixed(values, self.model.own_of(own))
        if any(self.model.channels.regimes.counted):
            self._put_setpoints(values, coarse, regime)
        for found in standing:
            for column in found.columns:
                must = found.between(own[:, column], factor, coarse.position, coarse.ratio).ravel()[: len(values)]
                np.copyto(values[:, column], must, where=~np.isnan(must))
            if isinstance(found, Course):
                found.fill(values, own, factor)

    def _put_setpoints(self, values: np.ndarray, coarse: _Coarse, regime: np.ndarray) -> None:
        """Put in, in place, set-points as they are in the given rows on both sides; of two, the earlier one counts."""
        own, factor = coarse.part.values, coarse.factor
        for row in reversed(range(len(own))):
            now = int(regime[row * factor])
            for first in (row - 1, row):
                beside = slice(max(first * factor, 0), (first + 1) * factor)
                self.model.channels.regimes.as_given(values[beside], regime[beside], own[row], now)

    def _ruled(self, decoded: Sequence[np.ndarray], coarse: _Coarse) -> list[np.ndarray]:
        """The same values, by the rules that given rows do not break, and with stocks and totals added up."""
        model, run, factor, ratio, position = self.model, coarse.run, coarse.factor, coarse.ratio, coarse.position
        rules, rests = model.relations.unbroken(coarse.part.values), model.channels.regimes
        out = [rules.keep(values, rests.with_rests(coarse.given, values)) for values in decoded]
        totals, came = model.totals.unbroken(run.values), np.zeros(out[0].shape, dtype=bool)
        came[::factor] = ~np.isnan(run.values)
        for number, values in enumerate(out):
            for stock in model.stocks:
                stock.between(coarse.part.values, values, ratio)
            model.totals.between(run.values, factor, values, position, ratio, drawn=number > 0)
            totals.add_up(values, came)
        return out

    def _ratio(self, table: Table, factor: int) -> int:
        """How many of the model's steps make one of the table's."""
        if table.schema.clock.kind == "row":
            return self._likelier(table, factor)
        return multiple(table.schema.clock, self.model.table_schema.clock) or 1

    def _likelier(self, table: Table, factor: int) -> int:
        """Without a clock: whether the rows look like the model's, or like every factor-th of them."""
        from dowgan.process import cut_windows, window_cost

        model, costs = self.model, {}
        runs = [model.totals.rises(run) for run in table.runs]
        for ratio in (1, factor):
            stretches = [levelled(model.channels, run, self._pace(run, ratio))[0] for run in runs]
            scores = [model.path.to_normal(stretch) for stretch in stretches]
            steps = min(SHORT, max(len(s) for s in scores))
            windows = cut_windows(scores, steps, max(1, steps // 2))[:LOOKED_AT]
            costs[ratio] = window_cost(model.path.process.every(ratio), windows) - drawn_out(model.path, stretches)
        return min(costs, key=lambda k: costs[k])

    def _pace(self, run: Run, ratio: int) -> Pace:
        """What tells the places of the rows of a run of so many times the model's step."""
        channels = self.model.channels
        return channels.pace(len(run.values)) if channels.typical else channels.under_way(float(ratio))


def _fine_rows(stretch: Stretch, coarse: _Coarse, model: Model) -> tuple[Rows, Bool[np.ndarray, " N"]]:
    """Where the rows of the finer series lie, on the model's clock and in a run, and of which the regime is known.

    When a state that was found has changed the clock may tell, or a stock that went up until then; conditions go on
    until told otherwise. The clock tells schedules.
    """
    run, position, ratio, factor = coarse.part, coarse.position, coarse.ratio, coarse.factor
    regimes = model.channels.regimes
    fine = np.arange((len(stretch.values) - 1) * factor + 1)
    regime = regimes_between(stretch.regime, factor, middle=regimes.found)
    sure = np.zeros(len(fine), dtype=bool)
    if regimes.found and model.timetable is not None and ratio % factor == 0:
        likely, chance = model.timetable.between(stretch.regime, factor, position, ratio // factor)
        in_gap = np.append(np.repeat(chance[:-1].reshape(-1, factor).min(axis=1) >= SURE, factor), True)
        regime, sure = np.where(in_gap, likely, regime), in_gap
    change = np.diff(stretch.regime) != 0
    for stock in model.stocks if regimes.found else ():
        rows, told = stock.switched(run.values, factor, ratio)
        for gap in np.flatnonzero(change & told):
            inside = slice(gap * factor + 1, (gap + 1) * factor)
            behind = np.arange(1, factor) >= rows[gap]
            regime[inside], sure[inside] = np.where(behind, *stretch.regime[[gap + 1, gap]]), True
    for side, ramps in zip((1, 0), regimes.ramping(stretch.regime).T, strict=True):
        for gap in np.flatnonzero(ramps):  # the rows of a ramp belong to the row that moves
            inside = slice(gap * factor + 1, (gap + 1) * factor)
            regime[inside] = np.where(sure[inside], regime[inside], stretch.regime[gap + side])
    if regimes.scheduled:
        common = gcd(ratio, factor)
        clock = refined(model.table_schema, factor // common)[0].clock
        regime = regimes.with_given(regime, model.scheduled(clock.at(run.start, fine * (ratio // common))))
        sure |= set(regimes.telling) <= set(regimes.scheduled)
    place = np.interp(fine / factor, np.arange(len(stretch.values)), stretch.places)
    return Rows(position + fine * ratio / factor, regime, place), sure
