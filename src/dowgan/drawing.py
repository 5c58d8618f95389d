"""Draw planned runs from a fitted model, in the user's units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dowgan.chain import WindowSampler
from dowgan.config import Config
from dowgan.errors import OptionError
from dowgan.holds import Hold
from dowgan.levels import Level
from dowgan.model import Model, Past
from dowgan.plan import AROUND, Plan
from dowgan.rng import CHUNK, Streams
from dowgan.sampling import WINDOWS, Place, Refine, Sampler, identity, path_normals, series_lots
from dowgan.steering import steers, stretches
from dowgan.table import Run, Schema

if TYPE_CHECKING:
    from pandas import Index

EPOCH = (128, 32_768)  # rows over which a long series has the level and spread of the table


class Drawer:
    """Draws runs of a model.

    Args:
        model: fitted, in whole or up to its polish.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    @cached_property
    def schema(self) -> Schema:
        """The schema of the fitted table."""
        return self.model.table_schema

    def runs(self, plans: Sequence[Plan], fixed: np.ndarray | None, streams: Streams, single: bool) -> list[Run]:
        """Draw the runs of a plan in chunks; each run's values depend on its own number only.

        Where regimes go by a stock, runs are drawn once more with regimes that go by the stock as it was drawn.
        """
        drawn, model = self._drawn(plans, fixed, streams, single), self.model
        given = fixed is not None and not np.isnan(fixed[:, model.channels.regimes.telling]).all()
        if not steers(model) or given:
            return drawn
        again, table = [], stretches(model)
        for number, (plan, run) in enumerate(zip(plans, drawn, strict=True)):
            start = model.beginning(model.stocks[0], self._past[plan.like], plan.position)
            beside, rng = table.beside(model.stocks[0], plan.regime, run.values), streams.numpy("steered", number)
            course = table.steer(plan.rows + AROUND, start, rng, beside=beside)
            before, after = course[:0], course[plan.rows :]
            again.append(replace(plan, regime=course[: plan.rows], before=before, after=after))
        return self._drawn(again, fixed, streams, single)

    def _drawn(self, plans: Sequence[Plan], fixed: np.ndarray | None, streams: Streams, single: bool) -> list[Run]:
        if self._windows is not None:
            return self._draw_windows(self._windows, plans, fixed, streams, single)
        out: list[Run] = []
        if single or fixed is not None:
            for number, plan in enumerate(plans):
                place, encode, known = self._place(plan), self.model.channels.encode, None
                if fixed is not None:
                    known = encode(fixed[: plan.rows], self.told(plan, fixed))
                    known = self._level(plan, fixed).off(known, place.rows)
                lots = series_lots(streams, f"series/{number}")
                series = self.sampler.series(place, known, lots, hold=single)
                out += self._finished([plan], series[None], fixed, streams, number)
            return out
        lead = self._lead
        for first in range(0, len(plans), WINDOWS):
            part = [plan.earlier(lead) for plan in plans[first : first + WINDOWS]]
            longest = max(plan.rows for plan in part)
            places = [self._place(plan).longer(longest - plan.rows) for plan in part]
            chunks = range(first // CHUNK, -(-(first + len(part)) // CHUNK))
            drawn = self.sampler.paths(places, [path_normals(streams, "run", chunk) for chunk in chunks])
            out += self._finished(part, drawn, fixed, streams, first)
        return [self._without_first(run, lead) for run in out] if lead else out

    def summed(self, runs: Sequence[Run], plans: Sequence[Plan], fixed: np.ndarray | None) -> list[Run]:
        """Runs with totals in place of what rows add, from the first value of the table's run on."""
        totals = self.model.totals
        if not totals.columns:
            return list(runs)
        out = []
        for run, plan in zip(runs, plans, strict=True):
            values, begun = run.values.copy(), totals.beginning(run.offset)
            like = self._past[plan.like]
            before = totals.begun(np.nan_to_num(like.first), values, run.offset - like.offset, run.offset)
            values[0, [c for c, begins in zip(totals.columns, begun, strict=True) if not begins]] = 0.0
            values = totals.summed(values, before, run.offset)
            given = _given(fixed, values)
            np.copyto(values, given, where=~np.isnan(given))
            totals.add_up(values, ~np.isnan(given))
            out.append(replace(run, values=values))
        return out

    def emptied(
        self, runs: Sequence[Run], plans: Sequence[Plan], fixed: np.ndarray | None, rng: np.random.Generator
    ) -> list[Run]:
        """Runs without the cells that are empty in the table's pattern; what is given stays."""
        gaps, out = self.model.gaps, []
        numbers, columns = {key: number for number, key in enumerate(self._past)}, list(gaps.columns)
        for run, plan in zip(runs, plans, strict=True):
            values = run.values.copy()
            empty = gaps.of(numbers[plan.like], len(values), plan.position, rng)
            if fixed is not None:
                empty &= np.isnan(fixed[: len(values), columns])
            values[:, columns] = np.where(empty, np.nan, values[:, columns])
            out.append(replace(run, values=values))
        return out

    def polished(self, values: np.ndarray, lengths: np.ndarray, regime: np.ndarray) -> np.ndarray:
        """Values [N C] with the last touch for their regimes and for runs of their lengths [N]: of one window, or of
        many."""
        model, out = self.model, values.copy()
        short = lengths <= model.coordinates.steps
        for polish, chosen in ((model.polish, short), (model.polish_long, ~short)):
            if polish is not None:
                out[chosen] = polish.apply(values[chosen], regime[chosen])
        told = [*model.channels.setpoints.columns, *model.channels.fixed]
        out[:, told] = values[:, told]
        return model.channels.followed(out, values, regime)

    def kept(self, values: np.ndarray, fixed: np.ndarray | None) -> np.ndarray:
        """Values [N C] with those that are given put in and the table's rules kept."""
        given = _given(fixed, values)
        return self.model.relations.keep(values, self.model.channels.regimes.with_rests(given, values))

    def told(self, plan: Plan, fixed: np.ndarray | None) -> np.ndarray:
        """What regimes tell [T C] of a planned run of which some values are given."""
        course, rows = plan.course, slice(len(plan.before), len(plan.before) + plan.rows)
        known = np.full((len(course), self.model.channels.columns), np.nan)
        if fixed is not None:
            known[rows] = fixed[: plan.rows]
        own = self._trajectories(plan)
        columns, driven = list(self.model.channels.trajectories.columns), self.model.channels.driven
        known[rows, columns] = np.where(np.isnan(known[rows, columns]), own, known[rows, columns])
        known[rows, driven.columns] = driven.along(plan.aims, known[rows])
        return self.model.channels.setpoints.told(course, known)[rows]

    def _trajectories(self, plan: Plan) -> np.ndarray:
        """Set-points [T K] of the run that a plan is like, for as long as its regimes are that one's; what is usual
        behind."""
        channels, like = self.model.channels, self._past[plan.like]
        if not channels.trajectories.columns:
            return np.empty((plan.rows, 0))
        same = min(plan.rows, like.rows)
        other = np.flatnonzero(plan.regime[:same] != like.course[:same])
        same = int(other[0]) if len(other) else same
        usual = channels.setpoints.usual[plan.regime[same:]][:, list(channels.trajectories.columns)]
        return np.concatenate([channels.trajectories.of(plan.like, same), usual])

    @cached_property
    def sampler(self) -> Sampler:
        """What draws series in channels."""
        model = self.model
        refine: Refine = identity
        if model.network is not None and self._space == "prior":
            from dowgan.networks import generator_of

            refine = generator_of(model.network)
        epoch = int(np.clip(max(past.rows for past in model.past), *EPOCH))
        return Sampler(model.window, model.coordinates, refine, model.transport, epoch)

    @property
    def _space(self) -> str:
        return Config.model_validate_json(self.model.recipe).space

    @cached_property
    def _windows(self) -> WindowSampler | None:
        """What draws series outside the prior's coordinates; None for a model that does not."""
        if self.model.network is None or self._space == "prior":
            return None
        from dowgan.networks import sampler_of

        return sampler_of(self.model.network)

    @property
    def _lead(self) -> int:
        """Rows before a short piece of a long series that are drawn too: it may begin with a sample of long ago."""
        if self.schema.run_names:
            return 0
        return min(AROUND, max((h.lengths.every - 1 for h in self.model.holds if isinstance(h, Hold)), default=0))

    def _without_first(self, run: Run, rows: int) -> Run:
        start = self.schema.clock.at(run.start, np.array([rows]))[0]
        return Run(run.key, start, run.offset + rows, run.values[rows:])

    def _draw_windows(
        self, windows: WindowSampler, plans: Sequence[Plan], fixed: np.ndarray | None, streams: Streams, single: bool
    ) -> list[Run]:
        """Do what `_draw` does with a network that works outside the prior's coordinates."""
        from dowgan.networks import told_of, values_of

        channels, space = self.model.channels, self._space
        if fixed is not None and not np.isnan(np.delete(fixed, channels.regimes.conditions, axis=1)).all():
            raise OptionError(
                f"The network of this model works in space '{space}' and cannot follow given values, only conditions; "
                "fit with --recipe flagship for that."
            )
        out: list[Run] = []
        for first in range(0, len(plans), CHUNK):
            part = plans[first : first + CHUNK]
            longest = max(plan.rows for plan in part)
            regime = np.stack([np.pad(plan.regime, (0, longest - plan.rows), mode="edge") for plan in part])
            hints = told_of(regime, len(channels.regimes))
            drawn = (
                windows.series(hints[0], streams, "series")[None]
                if single
                else windows.runs(hints, streams, "run", first // CHUNK)
            )
            for plan, start, series in zip(part, self._starts(part), drawn, strict=True):
                told = self.told(plan, fixed)
                values = values_of(channels, series[: plan.rows], plan.regime, space, told)
                channels.put_fixed(values, self._own(plan, fixed))
                out.append(Run(plan.key, start, plan.position, self.kept(values, fixed)))
                self._stock(out[-1], plan, fixed, streams.numpy("stocks", len(out) - 1))
        return out

    def _finished(
        self, plans: Sequence[Plan], channels: np.ndarray, fixed: np.ndarray | None, streams: Streams, first: int
    ) -> list[Run]:
        """Channels [P N D] of some plans, of which the first has that number, as runs; a plan of fewer than N rows
        takes the first of them."""
        model, (paths, rows, width) = self.model, channels.shape
        places = [self._place(plan).longer(rows - plan.rows) for plan in plans]
        regime = np.concatenate([place.regime for place in places])
        both = zip(plans, places, channels, strict=True)
        channels = np.stack([self._level(plan, fixed).on(path, place.rows) for plan, place, path in both])
        told = None
        if model.channels.setpoints.columns:
            parts = [self.told(plan, fixed) for plan in plans]
            told = np.concatenate([np.pad(part, ((0, rows - len(part)), (0, 0)), mode="edge") for part in parts])
        values = model.channels.decode(channels.reshape(-1, width), regime, told)  # [PN C]
        positions = np.array([plan.position for plan in plans])
        for hold in model.holds:
            if hold.by_clock:  # before columns are carried to their quantiles
                hold.apply(values.reshape(paths, rows, -1), np.empty((paths, rows)), positions)
        values = self.polished(values, np.repeat([plan.rows for plan in plans], rows), regime)
        if model.holds:
            moving = values.copy() if model.channels.curves else values
            chances = [streams.numpy("holds", first + number) for number in range(paths)]
            chance = np.stack([own.random((rows, len(model.holds))) for own in chances])
            for number, hold in enumerate(model.holds):
                hold.apply(values.reshape(paths, rows, -1), chance[:, :, number], positions)
            values = model.channels.followed(values, moving, regime)
            model.channels.regimes.keep_off(values, regime)
        for plan, own in zip(plans, values.reshape(paths, rows, -1), strict=True):
            self.model.channels.put_fixed(own, self._own(plan, fixed))
        out = []
        by_plan = zip(plans, self._starts(plans), self.kept(values, fixed).reshape(paths, rows, -1), strict=True)
        for number, (plan, start, own) in enumerate(by_plan, first):
            run = Run(plan.key, start, plan.position, own[: plan.rows])
            self._stock(run, plan, fixed, streams.numpy("stocks", number))
            out.append(run)
        return out

    def _stock(self, run: Run, plan: Plan, fixed: np.ndarray | None, rng: np.random.Generator) -> None:
        """Put stocks in place, from where the table's run begins if this one begins at the same time."""
        for stock in self.model.stocks:
            known = _given(fixed, run.values)
            first, told = self.model.beginning(stock, self._past[plan.like], run.offset), known[0, stock.column]
            run.values[0, stock.column] = first if np.isnan(told) else told
            stock.put(run.values, known, rng.standard_normal(len(run.values)), self.model.relations)

    def _own(self, plan: Plan, fixed: np.ndarray | None) -> np.ndarray:
        """What never changes [C] within a planned run: what is given of it, else that of the run that it is like."""
        own = self.model.own_of(plan.own[None])
        return own if fixed is None else np.where(np.isnan(fixed[0]), own, fixed[0])

    @cached_property
    def _past(self) -> dict[tuple[Any, ...], Past]:
        """The table's runs by their keys."""
        return {past.key: past for past in self.model.past}

    def _place(self, plan: Plan) -> Place:
        places = self.model.channels.pace(plan.rows).places(plan.regime)
        return Place(plan.position + np.arange(plan.rows, dtype=float), plan.regime, places)

    def _level(self, plan: Plan, fixed: np.ndarray | None) -> Level:
        """Level of a planned run of which some values are given."""
        return self.model.channels.level(plan.like, self._own(plan, fixed))

    def _starts(self, plans: Sequence[Plan]) -> Index:
        """The clock values at which plans begin."""
        return self.model.times(np.array([plan.position for plan in plans]))


def _given(fixed: np.ndarray | None, values: np.ndarray) -> np.ndarray:
    """What is given of rows [N C], NaN elsewhere."""
    return np.full(values.shape, np.nan) if fixed is None else fixed[: len(values)]
