"""The three verbs on the user's own tables."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from dowgan.assembly import assemble
from dowgan.config import DEFAULT_RECIPE, Config, resolve
from dowgan.densifying import Densifier
from dowgan.drawing import Drawer
from dowgan.errors import DataError, ModelError, OptionError
from dowgan.extending import Ahead, Extender
from dowgan.extension import Extension
from dowgan.finishing import finish
from dowgan.fitting import fit_priors
from dowgan.generating import beginning, lay_out
from dowgan.given import first_time, frame_of, given_values, widened
from dowgan.model import KINDS, Model, Training
from dowgan.modelfile import read_model, write_model
from dowgan.plan import Plan
from dowgan.rng import Streams
from dowgan.stocks import find_stocks
from dowgan.table import Run, Schema, Table, check, read, refined, to_frame, with_faults
from dowgan.table.adopt import multiple
from dowgan.table.layout import step_text
from dowgan.totals import find_totals

if TYPE_CHECKING:
    from pandas import DataFrame

    from dowgan.report import Report
    from dowgan.transfer import Source


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
        missing: numbers or words that stand for a missing value beside the usual ones, such as "-200".
        tell: called with a word on what a fit does next.

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
        missing: Sequence[str] = (),
        tell: Callable[[str], None] | None = None,
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
        self.missing = missing
        self.tell = tell

    # fit, save, load

    def fit(self, data: DataFrame | str | Path) -> Synthesizer:
        """Fit a table: a pandas frame, or the path of a CSV or Parquet file.

        Raises:
            DataError: the table cannot be used as it is; the text says why and what to do.
            OptionError: a setting or a column name is wrong.
            CollapseError: the trained generator lost the spread of the data.
        """
        config = configured(self.recipe, self.settings, self.start)
        table = read(data, time=self.time, runs=self.runs, conditions=self.conditions, missing=self.missing)
        return self.fit_table(table, config)

    def fit_table(self, table: Table, config: Config) -> Synthesizer:
        """Fit a table that was read already, with a resolved configuration."""
        began = time.monotonic()
        try:
            return self._fit(table, config)
        finally:
            self.fit_seconds_ = time.monotonic() - began

    def _fit(self, table: Table, config: Config) -> Synthesizer:
        streams, tell = Streams(self.random_state), self.tell or (lambda text: None)
        totals = find_totals(table.schema.channels, table.runs, table.schema.clock.cycles())
        totals = totals.with_sums(table.schema.channels, table.runs)
        whole = table  # as it came; what is fitted of totals is what each row adds
        table = replace(table, schema=totals.open(table.schema), runs=tuple(totals.rises(run) for run in table.runs))
        with threadpool_limits(1):
            tell("finding season, distributions and memory in closed form")
            stocks = find_stocks(table.schema.channels, table.runs, totals.columns)
            fitted = fit_priors(table, config.window, streams, stocks)
            fitted = replace(fitted, relations=fitted.relations.without(totals.columns))
            network, training = None, Training(stopped="in closed form, without a network")
            said: Sequence[str] = ()
            if config.trained:
                from dowgan.networks import start_from, train_network

                begin = None
                if self.start is not None:
                    begin, said = start_from(_source(self.start), fitted, table.schema, config)
                tell("training the network")
                network, training = train_network(fitted, config, streams, self.progress, table.runs, begin, self.watch)
                training = replace(training, start=_name_of(self.start))
            elif self.start is not None:
                raise OptionError(f"The recipe '{config.recipe}' trains no network: nothing can be taken over.")
            model = assemble(whole, totals, stocks, config, self.random_state, fitted, network, training)
            self._take(replace(model, notes=(*model.notes, *said)))
            if config.space == "prior" or not config.trained:
                tell("correcting what the model draws, in closed form")
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
    def _extender(self) -> Extender:
        return Extender(self._model)

    # generate

    def generate(
        self,
        rows: int | None = None,
        runs: int | None = None,
        start: object = None,
        where: Mapping[str, object] | None = None,
        given: DataFrame | str | Path | None = None,
        random_state: int = 0,
        gaps: bool = False,
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
            gaps: leave cells empty in the pattern of the table: pieces of its own, in the rhythm of its clock.

        Raises:
            OptionError: rows or runs below 1, an unknown column or value.
        """
        frame, _ = self.generated(rows, runs, start, where, given, random_state, gaps)
        return frame

    def generated(
        self,
        rows: int | None = None,
        runs: int | None = None,
        start: object = None,
        where: Mapping[str, object] | None = None,
        given: DataFrame | str | Path | None = None,
        random_state: int = 0,
        gaps: bool = False,
    ) -> tuple[DataFrame, tuple[str, ...]]:
        """Do what `generate` does; also return the names of leading columns that the table does not have."""
        rows, runs = (None if n is None else whole(n, name) for n, name in ((rows, "rows"), (runs, "runs")))
        for name, count in (("rows", rows), ("runs", runs)):
            if count is not None and count < 1:
                raise OptionError(f"{count} {name} cannot be generated; ask for at least 1.")
        schema = self.schema
        if runs is not None and not schema.run_names:
            schema.refuse_taken("run")
        held = {k: str(v) for k, v in (where or {}).items()}
        known = None if given is None else frame_of(given, schema)
        fixed = given_values(self._model, held, known, rows)
        rows = len(known) if rows is None and known is not None else rows
        schema = widened(schema, fixed)
        position = beginning(self._model, start, known)
        many = runs is not None or bool(schema.run_names)
        streams = Streams(random_state)
        with threadpool_limits(1):
            plans = lay_out(self._model, rows, runs, position, held, fixed, streams)
            drawn = self._drawn(plans, fixed, streams, single=not many)
        if gaps:
            drawn = self._drawer.emptied(drawn, plans, fixed, streams.numpy("gaps"))
        lead = ("run", range(1, len(drawn) + 1)) if runs is not None and not schema.run_names else None
        frame = to_frame(schema, drawn, lead=lead)
        total = sum(len(run.values) for run in drawn)
        check(frame, schema, rows=total, lead=lead and lead[0])
        return frame, (lead[0],) if lead else ()

    def draw(self, random_state: int = 0) -> list[Run]:
        """Return as many generated runs as the table has, as arrays in the user's units."""
        streams = Streams(random_state)
        with threadpool_limits(1):
            plans = lay_out(self._model, None, None, None, {}, None, streams)
            return self._drawn(plans, None, streams, single=not self.schema.run_names)

    def _drawn(self, plans: Sequence[Plan], fixed: np.ndarray | None, streams: Streams, single: bool) -> list[Run]:
        added = None if fixed is None else self._model.totals.added(fixed)
        return self._drawer.summed(self._drawer.runs(plans, added, streams, single=single), plans, fixed)

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
        every: str | timedelta | None = None,
        random_state: int = 0,
    ) -> DataFrame:
        """Return a table with more rows between the given ones; every given value is kept as it is.

        Args:
            data: a table like the fitted one, with the same step or a multiple of it.
            factor: new steps per old step.
            every: the new step instead, such as "10min", or a pandas Timedelta.
            random_state: seed; the result is the best single estimate and hardly depends on it.

        Raises:
            DataError: the table does not fit the model.
            OptionError: neither or both of factor and every are given, or they are not possible.
        """
        return self.densified(read(data, schema=self.schema), factor, every, random_state)[0]

    def densified(
        self, table: Table, factor: int | None, every: str | timedelta | None, random_state: int
    ) -> tuple[DataFrame, Schema, tuple[str, ...]]:
        """Do what `densify` does with a table that was read; also return the finer table's schema and notes on it."""
        if (factor is None) == (every is None):
            raise OptionError("Say either a factor (4: four steps where there was one) or a step (every '10min').")
        if factor is None:
            assert every is not None
            factor = table.schema.clock.factor(step_text(every))
        factor = whole(factor, "times as many steps")
        if factor < 1:
            raise OptionError(f"The factor is {factor}; it must be a whole number from 1 up.")
        schema, notes = refined(table.schema, factor)
        with threadpool_limits(1):
            runs = [replace(run, values=middle) for run, middle, _ in self.fill(table, factor, random_state)]
        schema, runs = with_faults(schema, runs, factor)
        frame = to_frame(schema, runs)
        check(frame, schema, rows=sum(len(run.values) for run in runs))
        return frame, schema, notes

    def fill(
        self, table: Table, factor: int, random_state: int = 0, paths: int = 0, ratio: int | None = None
    ) -> list[tuple[Run, np.ndarray, np.ndarray]]:
        """Do what `Densifier.fill` does."""
        return Densifier(self._model).fill(table, factor, Streams(random_state), paths, ratio)

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
        steps, paths = whole(steps, "steps"), whole(paths, "paths")
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
        begins = None if known is None else first_time(known, schema)
        fixed = given_values(self._model, texts, known, steps)
        schema = widened(schema, fixed)
        blank = np.full((steps, len(schema.channels)), np.nan)
        ahead = Ahead(texts, blank if fixed is None else fixed)
        medians, drawn, starts = [], [], []
        streams = Streams(random_state)
        with threadpool_limits(1):
            for number, history in enumerate(self._extender.histories(table)):
                run = history.run
                start = schema.clock.after(schema.clock.at(run.start, np.array([len(run.values) - 1]))[0], 1)[0]
                if begins is not None and begins != start:
                    raise OptionError(f"The given table begins at {begins}, and the rows that follow at {start}.")
                starts.append(Run(run.key, start, run.offset + len(run.values), np.empty(0)))
                middle, values = self._extender.paths(history, ahead, paths, streams, number)
                medians.append(middle)
                drawn.append(values)
        median = to_frame(schema, [replace(s, values=m) for s, m in zip(starts, medians, strict=True)])
        check(median, schema, rows=steps * len(starts))
        directions = tuple(code for code in self.model_.channels.codes if code.turn)
        return Extension(median, tuple(drawn), schema, tuple(starts), directions)


def whole(number: object, what: str) -> int:
    """Return a number of something as an int.

    Raises:
        OptionError: it is no whole number.
    """
    try:
        return int(number) if isinstance(number, float) and number.is_integer() else operator.index(number)  # type: ignore[arg-type]
    except TypeError as error:
        raise OptionError(f"{number!r} {what} are not possible; give a whole number.") from error


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
