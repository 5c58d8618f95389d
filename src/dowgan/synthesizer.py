"""The three verbs on the user's own tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from dowgan.config import DEFAULT_RECIPE, Config, resolve
from dowgan.drawing import Drawer
from dowgan.errors import DataError, ModelError, OptionError, unknown
from dowgan.extension import Extension
from dowgan.finishing import finish
from dowgan.fitting import Fitted, fit_priors, stretch_of
from dowgan.given import code_of, first_time, frame_of, trajectory, widened
from dowgan.model import KINDS, Model, Training, past_of
from dowgan.modelfile import read_model, write_model
from dowgan.plan import Plan, going_on, plan_runs, refuse_copies
from dowgan.rng import CHUNK, Streams
from dowgan.sampling import path_normals
from dowgan.season import Stretch
from dowgan.table import Run, Schema, Table, check, read, refined, to_frame
from dowgan.table.adopt import multiple
from dowgan.totals import Totals, find_totals, last_known
from dowgan.verbs import Rows, Solver, densify, extend, rows_after
from dowgan.versions import versions

if TYPE_CHECKING:
    from pandas import DataFrame

    from dowgan.report import Report
    from dowgan.transfer import Source

TAIL = 256  # last rows of each run that a model keeps, to extend it without the table
MOST_TAILS = 400  # runs of which they are kept


class Synthesizer:
    """One fitted model, three verbs: `generate`, `densify`, `extend`.

    Args:
        recipe: name of a recipe, or the path of a TOML file of one; None for that of `start`, or the default.
        settings: single settings on top of it, such as {"train.steps": 2000, "window": 24}.
        time: name of the time column; found by itself if None.
        runs: columns whose values tell runs apart.
        conditions: columns that are given rather than generated where the user wants that.
        random_state: seed of all randomness.
        progress: called with (step, steps, figures) while a network trains; nothing is printed otherwise.
        start: what the training begins with: a fitted model (or its file) of a like table, or "library:NAME".
        watch: called with (real, generated) while a network trains: windows [B T C] of rows that were held out and
            of the generator as it is, in the user's units.

    Attributes:
        model_: what was fitted.
        fit_seconds_: how long that took; None for a model that was loaded: its file has the same bytes each time.
    """

    fit_seconds_: float | None = None

    def __init__(
        self,
        recipe: str | None = None,
        settings: Mapping[str, Any] | Sequence[str] = (),
        time: str | None = None,
        runs: Sequence[str] = (),
        conditions: Sequence[str] = (),
        random_state: int = 0,
        progress: Callable[..., None] | None = None,
        start: Synthesizer | str | Path | None = None,
        watch: Callable[[np.ndarray, np.ndarray], None] | None = None,
    ) -> None:
        self.recipe = recipe
        self.settings = settings
        self.time = time
        self.runs = runs
        self.conditions = conditions
        self.random_state = random_state
        self.progress = progress
        self.start = start
        self.watch = watch

    # fit, save, load

    def fit(self, data: DataFrame | str | Path) -> Synthesizer:
        """Fit a table: a pandas frame, or the path of a CSV or Parquet file.

        Raises:
            DataError: the table cannot be used as it is; the text says why and what to do.
            OptionError: a setting or a column name is wrong.
            CollapseError: the trained generator lost the spread of the data.
        """
        config = configured(self.recipe, self.settings, self.start)
        table = read(data, time=self.time, runs=self.runs, conditions=self.conditions)
        return self.fit_table(table, config)

    def fit_table(self, table: Table, config: Config) -> Synthesizer:
        """Fit a table that was read already, with a resolved configuration."""
        began = time.monotonic()
        try:
            return self._fit(table, config)
        finally:
            self.fit_seconds_ = time.monotonic() - began

    def _fit(self, table: Table, config: Config) -> Synthesizer:
        streams = Streams(self.random_state)
        totals = find_totals(table.schema.channels, table.runs)
        whole = table  # as it came; what is fitted of totals is what each row adds
        table = replace(table, schema=totals.open(table.schema), runs=tuple(totals.rises(run) for run in table.runs))
        with threadpool_limits(1):
            fitted = fit_priors(table, config.window, streams)
            fitted = replace(fitted, relations=fitted.relations.without(totals.columns))
            network, training = None, Training(stopped="in closed form, without a network")
            said: Sequence[str] = ()
            if config.trained:
                from dowgan.networks import start_from, train_network

                begin = None
                if self.start is not None:
                    begin, said = start_from(_source(self.start), fitted, table.schema, config)
                network, training = train_network(fitted, config, streams, self.progress, table.runs, begin, self.watch)
                training = replace(training, start=_name_of(self.start))
            elif self.start is not None:
                raise OptionError(f"The recipe '{config.recipe}' trains no network: nothing can be taken over.")
            model = _assemble(whole, totals, config, self.random_state, fitted, network, training)
            self._take(replace(model, notes=(*model.notes, *said)))
            if config.space == "prior" or not config.trained:
                self._take(finish(self.model_, table, fitted, streams, config.calibrated))
        return self

    def _take(self, model: Model) -> None:
        """Take a model; forget what was derived from the one before."""
        self.model_ = model
        for name in ("schema", "_drawer", "_extender"):
            self.__dict__.pop(name, None)

    def save(self, path: str | Path) -> None:
        """Write the model whole or not at all.

        Raises:
            ModelError: the file cannot be written.
        """
        write_model(self._model, path, self._model.versions)

    @property
    def _model(self) -> Model:
        if not hasattr(self, "model_"):
            raise ModelError("This Synthesizer is not fitted; call fit(frame) first.")
        return self.model_

    @cached_property
    def schema(self) -> Schema:
        """The schema of the fitted table."""
        return self._model.table_schema

    @cached_property
    def _drawer(self) -> Drawer:
        return Drawer(self._model)

    @cached_property
    def _extender(self) -> Solver:
        return Solver(self._model.path.process, self._model.path.frame())

    # generate

    def generate(
        self,
        rows: int | None = None,
        runs: int | None = None,
        start: object = None,
        where: Mapping[str, object] | None = None,
        given: DataFrame | str | Path | None = None,
        random_state: int = 0,
    ) -> DataFrame:
        """Return a synthetic table with the fitted table's columns, kinds, units and step.

        Args:
            rows: of one continuous series, or of each run; None for as many as the table has.
            runs: how many independent runs; on a table without runs they stand under a leading column `run`.
            start: first clock value; None for the table's own.
            where: conditions (or any column) to hold at a value.
            given: a table of columns that are given row by row; the others follow. If it has the table's clock, the
                series begins at its first time.
            random_state: seed of this draw.

        Raises:
            OptionError: rows or runs below 1, an unknown column or value.
        """
        frame, _ = self.generated(rows, runs, start, where, given, random_state)
        return frame

    def generated(
        self,
        rows: int | None = None,
        runs: int | None = None,
        start: object = None,
        where: Mapping[str, object] | None = None,
        given: DataFrame | str | Path | None = None,
        random_state: int = 0,
    ) -> tuple[DataFrame, tuple[str, ...]]:
        """Do what `generate` does; also return the names of leading columns that the table does not have."""
        for name, count in (("rows", rows), ("runs", runs)):
            if count is not None and count < 1:
                raise OptionError(f"{count} {name} cannot be generated; ask for at least 1.")
        schema = self.schema
        held = {k: str(v) for k, v in (where or {}).items()}
        known = None if given is None else frame_of(given, schema)
        fixed, rows = self._fixed(held, known, rows)
        schema = widened(schema, fixed)
        position = self._begin(start, known)
        many = runs is not None or bool(schema.run_names)
        streams = Streams(random_state)
        with threadpool_limits(1):
            plans = self._plans(rows, runs, position, held, streams, fixed)
            drawn = self._drawer.runs(plans, self._added(fixed), streams, single=not many)
            drawn = self._drawer.summed(drawn, plans, fixed)
        lead = ("run", range(1, len(drawn) + 1)) if runs is not None and not schema.run_names else None
        frame = to_frame(schema, drawn, lead=lead)
        total = sum(len(run.values) for run in drawn)
        check(frame, schema, rows=total, lead=lead and lead[0])
        return frame, (lead[0],) if lead else ()

    def _plans(
        self,
        rows: int | None,
        runs: int | None,
        position: int | None,
        where: Mapping[str, str],
        streams: Streams,
        fixed: np.ndarray | None,
    ) -> list[Plan]:
        """Lay out what is to be drawn; on a table with runs `rows` without `runs` is the total of all rows."""
        model, schema = self._model, self.schema
        rng = streams.numpy("plan")
        if not schema.run_names and runs is None:
            at = model.past[0].offset if position is None else position
            length = rows or model.past[0].rows
            plans = plan_runs(model, schema, length, 1, at, dict(where), rng)
        elif runs is None and rows is not None:
            mean = max(1, round(np.mean([p.rows for p in model.past])))
            plans = plan_runs(model, schema, None, -(-rows // mean) + 1, position, dict(where), rng)
            while sum(p.rows for p in plans) < rows:
                plans = plan_runs(model, schema, None, 2 * len(plans), position, dict(where), streams.numpy("plan"))
            plans = _cut(plans, rows)
        else:
            plans = plan_runs(model, schema, rows, runs or len(model.past), position, dict(where), rng)
        refuse_copies(plans, schema)
        return plans if fixed is None else [self._followed(plan, fixed) for plan in plans]

    def _followed(self, plan: Plan, fixed: np.ndarray) -> Plan:
        """A plan whose regimes are those of given conditions, as far as they are given."""
        if np.isnan(fixed[: plan.rows, list(self._model.channels.conditions)]).all():
            return plan
        return plan.following(self._with_given(plan.regime, fixed))

    def _with_given(self, regime: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        """The regimes [T] of rows whose conditions are given in part or in full; the rest stays as it was."""
        channels = self._model.channels
        places = list(channels.conditions)
        if not places:
            return regime
        levels = np.full((len(regime), channels.columns), np.nan)
        levels[:, places] = channels.regimes[regime]
        return channels.regime(np.where(np.isnan(fixed[: len(regime)]), levels, fixed[: len(regime)]))

    def _fixed(
        self, where: Mapping[str, str], given: DataFrame | None, rows: int | None
    ) -> tuple[np.ndarray | None, int | None]:
        """Values [N C] that are given, NaN elsewhere; and the number of rows that they ask for."""
        schema = self.schema
        names = [c.name for c in schema.channels]
        for name in where:
            if name not in names:
                raise OptionError(unknown("column", name, names))
        regimes = [names[place] for place in self._model.channels.conditions]
        held = {k: code_of(schema.column(k), v) for k, v in where.items() if k not in regimes}
        if given is None and not held:
            return None, rows
        parts = {}
        if given is not None:
            parts = trajectory(given, schema)
            rows = len(next(iter(parts.values()))) if rows is None else rows
            short = [k for k, v in parts.items() if len(v) < rows]
            if short:
                raise OptionError(f"The given table has {len(parts[short[0]])} rows, and {rows} are asked for.")
        count = rows or max(p.rows for p in self._model.past)
        fixed = np.full((count, len(names)), np.nan)
        for name, values in parts.items():
            fixed[:, names.index(name)] = values[:count]
        for name, code in held.items():
            fixed[:, names.index(name)] = code
        return fixed, rows

    def _begin(self, start: object, given: DataFrame | None) -> int | None:
        """The position of the first row: at a start, or at the first time of a given table; None for neither."""
        first = None if given is None else first_time(given, self.schema.clock)
        if start is None:
            return None if first is None else self._position(first)
        position = self._position(start)
        if first is not None and self._position(first) != position:
            raise OptionError(
                f"The given table begins at {first} and not at the start, {start}; leave one of them out."
            )
        return position

    def _position(self, start: object) -> int:
        clock, first = self.schema.clock, self._model.past[0]
        if clock.kind == "row":
            raise OptionError(f"'{start}' is no start of this table: it has no clock, its rows are only numbered.")
        value = clock.typed(start if isinstance(start, str | int | float) else str(start))  # a pandas time as its text
        origin = clock.decode(first.start)
        steps = clock.steps_between(origin, value)
        if not clock.has(origin, value):
            before, behind = clock.at(origin, np.array([steps, steps + 1]))
            raise OptionError(f"'{start}' is not a time of this clock; the nearest are {before} and {behind}.")
        return steps + first.offset

    def draw(self, random_state: int = 0) -> list[Run]:
        """Return as many generated runs as the table has, as arrays in the user's units."""
        streams = Streams(random_state)
        with threadpool_limits(1):
            plans = self._plans(None, None, None, {}, streams, None)
            drawn = self._drawer.runs(plans, None, streams, single=not self.schema.run_names)
            return self._drawer.summed(drawn, plans, None)

    def _added(self, values: np.ndarray | None) -> np.ndarray | None:
        """What given rows add to totals."""
        return None if values is None else self._model.totals.added(values)

    def report(
        self, data: DataFrame | str | Path, slow: bool = False, tell: Callable[[str], None] | None = None
    ) -> Report:
        """Test the three verbs on rows that the tested model has not seen.

        Args:
            data: the fitted table (a second model is then fitted on its early part), or another like it.
            slow: also the scores that train networks.
            tell: called with a word on what is going on.

        Raises:
            DataError: the table does not fit the model, or is too short.
        """
        from dowgan.report import report_on

        return report_on(self, data, slow, tell)

    # densify

    def densify(
        self,
        data: DataFrame | str | Path,
        factor: int | None = None,
        every: str | None = None,
        random_state: int = 0,
    ) -> DataFrame:
        """Return a table with more rows between the given ones; every given value is kept as it is.

        Args:
            data: a table like the fitted one, with the same step or a multiple of it.
            factor: new steps per old step.
            every: the new step instead, such as "10min".
            random_state: seed; the result is the best single estimate and hardly depends on it.

        Raises:
            DataError: the table does not fit the model.
            OptionError: neither or both of factor and every are given, or they are not possible.
        """
        frame, _ = self.densified(read(data, schema=self.schema), factor, every, random_state)
        return frame

    def densified(
        self, table: Table, factor: int | None, every: str | None, random_state: int
    ) -> tuple[DataFrame, Schema]:
        """Do what `densify` does with a table that was read; also return the schema of the finer table."""
        if (factor is None) == (every is None):
            raise OptionError("Say either a factor (4: four steps where there was one) or a step (every '10min').")
        if factor is None:
            assert every is not None
            factor = table.schema.clock.factor(every)
        if factor < 1:
            raise OptionError(f"The factor is {factor}; it must be a whole number from 1 up.")
        schema, _ = refined(table.schema, factor)
        with threadpool_limits(1):
            runs = [replace(run, values=middle) for run, middle, _ in self.fill(table, factor, random_state)]
        frame = to_frame(schema, runs)
        check(frame, schema, rows=sum(len(run.values) for run in runs))
        return frame, schema

    def fill(
        self, table: Table, factor: int, random_state: int = 0, paths: int = 0, ratio: int | None = None
    ) -> list[tuple[Run, np.ndarray, np.ndarray]]:
        """Fill the rows between those of each run.

        Args:
            paths: how many paths to draw beside the best estimate; 0 for none.
            ratio: the model's steps in one of the table's; None to take it from the clocks.

        Returns:
            For each run: the run, the best values [N C] in the user's units, and paths [P N C].
        """
        model, streams = self._model, Streams(random_state)
        ratio = ratio or self._ratio(table, factor)
        common = gcd(ratio, factor)
        process = model.path.process
        process = (process if factor == common else process.finer(factor // common)).every(ratio // common)
        mixture = model.calibration.mixture(factor, factor > common, model.path.channels)
        out = []
        for number, run in enumerate(table.runs):
            part = model.totals.blank(run)
            stretch = stretch_of(model.channels, part)
            position = run.offset * ratio + self._shift(table)
            rows = _fine_rows(stretch, position, ratio, factor, model.channels.typical > 0)
            if len(run.values) == 1 or factor == 1:
                out.append((run, run.values.copy(), np.empty((0, *run.values.shape))))
                continue
            filled = densify(
                model.path, process, stretch.values, factor, rows,
                path_normals(streams, f"densify/{number}", 0) if paths else None, mixture,
            )  # fmt: skip
            given = np.full((len(rows.regime), run.values.shape[1]), np.nan)
            given[::factor] = part.values
            level = model.channels.level(run.key, model.channels.encode(part.values))
            every, told = (filled.middle, *filled.paths[:paths]), model.channels.setpoints.told(rows.regime, given)
            decoded = [model.channels.decode(level.on(path), rows.regime, told) for path in every]
            for values in decoded:
                self._settle(values, part.values, factor, ratio, position)
            middle, *kept = [model.relations.keep(values, given) for values in decoded]
            model.totals.between(run.values, factor, middle)
            for values in kept:
                model.totals.between(run.values, factor, values, drawn=True)
            out.append((run, middle, np.stack(kept) if kept else np.empty((0, *middle.shape))))
        return out

    def _settle(self, fine: np.ndarray, coarse: np.ndarray, factor: int, ratio: int, position: int) -> None:
        """Put in place the values between the given rows that these leave no choice of: lines and values that stand."""
        for found in self._model.holds:
            for column in found.columns:
                must = found.between(coarse[:, column], factor, position, ratio).ravel()[: len(fine)]
                np.copyto(fine[:, column], must, where=~np.isnan(must))

    def _ratio(self, table: Table, factor: int) -> int:
        """How many of the model's steps make one of the table's."""
        if table.schema.clock.kind == "row":
            return self._likelier(table, factor)
        return multiple(table.schema.clock, self.schema.clock) or 1

    def _likelier(self, table: Table, factor: int) -> int:
        """Without a clock: whether the rows look like the model's, or like every factor-th of them."""
        from dowgan.process import cut_windows, window_cost

        model = self._model
        runs = [model.totals.rises(run) for run in table.runs]
        scores = [model.path.to_normal(stretch_of(model.channels, run)) for run in runs]
        steps = min(8, max(len(s) for s in scores))
        windows = cut_windows(scores, steps, max(1, steps // 2))[:200]
        costs = {k: window_cost(model.path.process.every(k), windows) for k in (1, factor)}
        return min(costs, key=lambda k: costs[k])

    def _shift(self, table: Table) -> int:
        """Steps of the model's clock from the fitted table's first time to this table's."""
        first = self._model.past[0]
        clock = self.schema.clock
        if clock.kind == "row":
            return 0
        origin = min(table.runs, key=lambda run: run.offset)
        return clock.steps_between(clock.decode(first.start), origin.start) + first.offset

    # extend

    def extend(
        self,
        data: DataFrame | str | Path | None = None,
        steps: int = 1,
        paths: int = 200,
        where: Mapping[str, object] | None = None,
        given: DataFrame | str | Path | None = None,
        random_state: int = 0,
    ) -> Extension:
        """Return the rows that follow a table, along many paths.

        Args:
            data: a table like the fitted one with the same step; None to go on from the fitted table's end.
            steps: rows to add to each run.
            paths: joint sample paths.
            where: conditions to hold; the last ones otherwise.
            given: a table of columns that are known in advance, row by row. If it has the table's clock, it must begin
                with the first row that follows.
            random_state: seed of this draw.

        Raises:
            DataError: the table does not fit the model.
            OptionError: steps or paths below 1, an unknown column or value.
        """
        table = None if data is None else read(data, schema=self.schema)
        return self.extended(table, steps, paths, where, given, random_state)

    def extended(
        self,
        table: Table | None,
        steps: int,
        paths: int,
        where: Mapping[str, object] | None = None,
        given: DataFrame | str | Path | None = None,
        random_state: int = 0,
    ) -> Extension:
        """Do what `extend` does with a table that was read."""
        for name, count in (("steps", steps), ("paths", paths)):
            if count < 1:
                raise OptionError(f"{count} {name} are not possible; ask for at least 1.")
        schema = self.schema if table is None else table.schema
        if table is not None and schema.clock.kind != "row" and multiple(schema.clock, self.schema.clock) != 1:
            raise DataError(
                f"The step of the table is {schema.clock.step}, the model's {self.schema.clock.step}: "
                "extend needs the same."
            )
        texts = {k: str(v) for k, v in (where or {}).items()}
        known = None if given is None else frame_of(given, schema)
        begins = None if known is None else first_time(known, schema.clock)
        fixed, _ = self._fixed(texts, known, steps)
        schema = widened(schema, fixed)
        histories = self._tails() if table is None else self._histories(table)
        medians, drawn, starts = [], [], []
        streams = Streams(random_state)
        with threadpool_limits(1):
            for number, (run, stretch, place) in enumerate(histories):
                middle, values = self._continue(run, stretch, place, steps, paths, texts, fixed, streams, number)
                start = schema.clock.after(schema.clock.at(run.start, np.array([len(run.values) - 1]))[0], 1)[0]
                if begins is not None and begins != start:
                    raise OptionError(f"The given table begins at {begins}, and the rows that follow at {start}.")
                starts.append(Run(run.key, start, run.offset + len(run.values), np.empty(0)))
                medians.append(middle)
                drawn.append(values)
        median = to_frame(schema, [replace(s, values=m) for s, m in zip(starts, medians, strict=True)])
        check(median, schema, rows=steps * len(starts))
        return Extension(median, tuple(drawn), schema, tuple(starts))

    def _tails(self) -> list[tuple[Run, Stretch, int]]:
        """What the model kept of the runs of the fitted table."""
        model, clock = self._model, self.schema.clock
        out = []
        for past in model.past:
            if not len(past.tail):
                raise OptionError("The model keeps no ends of so many runs; give the table: dowgan extend MODEL DATA")
            begin = past.rows - len(past.tail)
            start = clock.at(clock.decode(past.start), np.array([begin]))[0]
            run = Run(past.key, start, past.offset + begin, past.tail)
            out.append((run, self._history(run), begin))
        return out

    def _histories(self, table: Table) -> list[tuple[Run, Stretch, int]]:
        shift = self._shift(table)
        out = []
        for run in table.runs:
            out.append((run, replace(self._history(run), position=run.offset + shift), 0))
        return out

    def _history(self, run: Run) -> Stretch:
        """A run that is not at its end: of what pace it is is not known."""
        return replace(stretch_of(self._model.channels, self._model.totals.rises(run)), pace=1.0)

    def _continue(
        self,
        run: Run,
        stretch: Stretch,
        place: int,
        steps: int,
        paths: int,
        where: Mapping[str, str],
        fixed: np.ndarray | None,
        streams: Streams,
        number: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Median [H C] and paths [P H C] of one run in the user's units."""
        model, totals = self._model, self._model.totals
        before, run = last_known(run.values), totals.rises(run)
        level = model.channels.level(run.key, model.channels.encode(run.values))
        regime = np.full(steps, stretch.regime[-1])
        if model.channels.conditions:
            regime = self._coming(regime, where, fixed)
        rows = rows_after(stretch, regime)
        rows = replace(rows, place=rows.place + place)
        future = np.full((steps, model.path.channels), np.nan)
        given = np.full((steps, model.channels.columns), np.nan) if fixed is None else fixed
        added = totals.added(given)
        joined = np.append(stretch.regime[-1], regime)  # set-points go on from where they are
        told = model.channels.setpoints.told(joined, np.concatenate([run.values[-1:], added]))[1:]
        if fixed is not None:
            future = level.off(model.channels.encode(added, told))
        held = [
            model.channels.first_channel(i)
            for i, c in enumerate(self.schema.channels)
            if c.role == "condition" and i not in model.channels.conditions
        ]
        for channel in (h for h in held if h is not None):  # a numeric condition goes on as it was
            last = stretch.values[~np.isnan(stretch.values[:, channel]), channel]
            if len(last) and np.isnan(future[:, channel]).all():
                future[:, channel] = last[-1]
        chunks = []
        for chunk in range(-(-paths // CHUNK)):
            out = extend(
                model.path, self._extender, stretch, future, rows,
                path_normals(streams, f"extend/{number}", chunk), model.calibration.extend_band,
            )  # fmt: skip
            chunks.append(out.paths)
        every = (out.middle, *np.concatenate(chunks)[:paths])
        decoded = [model.channels.decode(level.on(path), regime, told) for path in every]
        last, position = run.values[-2:], stretch.position + len(stretch.values)
        for hold in model.holds:
            if len(last) == 2 and not np.isnan(last[:, list(hold.columns)]).any():
                for path in decoded:
                    hold.go_on(path, last, position)
        kept = [totals.summed(model.relations.keep(path, given), before) for path in decoded]
        for path in kept:
            np.copyto(path, given, where=~np.isnan(given))
        middle, *values = kept
        return middle, np.stack(values)

    def _coming(self, regime: np.ndarray, where: Mapping[str, str], fixed: np.ndarray | None) -> np.ndarray:
        model = self._model
        names = [self.schema.channels[i].name for i in model.channels.conditions]
        if any(name in where for name in names):
            regime = np.full(len(regime), going_on(model, self.schema, dict(where), int(regime[0])))
        return regime if fixed is None else self._with_given(regime, fixed)


def load(path: str | Path) -> Synthesizer:
    """Return the fitted model in a file.

    Raises:
        ModelError: no such file, not a model, cut short, or of another version.
    """
    model = read_model(path, KINDS)
    out = Synthesizer(random_state=model.seed)
    out.model_ = model
    return out


def configured(
    recipe: str | None, settings: Mapping[str, Any] | Sequence[str], start: Synthesizer | str | Path | None
) -> Config:
    """Return the configuration of a fit: where no recipe is named, that of the model which it begins with."""
    if recipe is None and start is not None:
        return resolve(Config.model_validate_json(_source(start).network.recipe), settings)
    return resolve(recipe or DEFAULT_RECIPE, settings)


def _name_of(start: Synthesizer | str | Path | None) -> str:
    """What a training begins with, as the model keeps it."""
    return "another model" if isinstance(start, Synthesizer) else str(start or "")


def _source(start: Synthesizer | str | Path) -> Source:
    """What a training begins with: a starting point of the library, or a model."""
    from dowgan.library import PREFIX, starting_point
    from dowgan.transfer import source_of

    if isinstance(start, str) and start.startswith(PREFIX):
        return starting_point(start.removeprefix(PREFIX))
    return source_of((start if isinstance(start, Synthesizer) else load(start))._model)


def _assemble(
    table: Table, totals: Totals, config: Config, seed: int, fitted: Fitted, network: Any, training: Training
) -> Model:
    schema = totals.open(table.schema)
    tail = TAIL if len(table.runs) <= MOST_TAILS else 0
    past = tuple(past_of(run, schema, fitted.channels.regime(run.values), tail) for run in table.runs)
    names = [column.name for column in schema.channels]
    return Model(
        schema=schema.to_json(),
        recipe=config.model_dump_json(),
        seed=seed,
        digest=table.digest,
        versions=versions(),
        relations=fitted.relations,
        totals=totals,
        channels=fitted.channels,
        window=fitted.window,
        path=fitted.path,
        calibration=fitted.calibration,
        coordinates=fitted.coordinates,
        network=network,
        transport=None,
        polish=None,
        polish_long=None,
        holds=(),
        past=past,
        training=training,
        notes=(*table.notes, *fitted.notes, *fitted.relations.words(names), *totals.words(names)),
    )


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


def _fine_rows(stretch: Stretch, position: int, ratio: int, factor: int, paced: bool) -> Rows:
    """Where the rows of the finer series lie, on the model's clock and in a run."""
    fine = np.arange((len(stretch.values) - 1) * factor + 1)
    regime = stretch.regime[fine // factor]
    place = fine * (stretch.pace if paced else ratio) / factor
    return Rows(position + fine * ratio / factor, regime, place)
