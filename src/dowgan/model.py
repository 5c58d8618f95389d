"""A fitted model: everything that the three verbs need, and nothing of the training.

Shapes: D channels, C columns, T steps of a window.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from dowgan.again import Again
from dowgan.alarms import Alarm, Limit
from dowgan.apart import Apart, find_apart
from dowgan.calibrate import Calibration
from dowgan.channels import Channels
from dowgan.codes import Code
from dowgan.coordinates import Coordinates
from dowgan.courses import Course
from dowgan.curves import Curve
from dowgan.effects import Effects
from dowgan.falling import Falling
from dowgan.formula import Formula
from dowgan.gaps import Gaps
from dowgan.holds import Deadband, Hold
from dowgan.idle import Idle
from dowgan.known import first_or_none, last_known
from dowgan.lengths import Lengths
from dowgan.levels import Levels
from dowgan.lines import Lines
from dowgan.lookup import Lookup
from dowgan.marginals import Marginals
from dowgan.polish import Gap, Map, Polish
from dowgan.prior import Prior
from dowgan.process import Process
from dowgan.ramps import Driven, Driver, Ramp
from dowgan.regimes import Regimes
from dowgan.relations import End, Relations
from dowgan.response import Response
from dowgan.season import Season
from dowgan.setpoints import Setpoints
from dowgan.spells import Spells, Stay, spells_of
from dowgan.stages import Stages
from dowgan.standing import Standing
from dowgan.states import Rest, Sides, filled
from dowgan.stocks import Stock
from dowgan.stretch import MANY_RUNS
from dowgan.succession import Timetable, find_timetable
from dowgan.sums import Sum
from dowgan.table.schema import Run, Schema, Table
from dowgan.totals import Totals
from dowgan.trajectories import Trajectories
from dowgan.transport import Slice, Transport
from dowgan.verbs import Mixture

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Past:
    """What is kept of a run of the fitted table.

    Attributes:
        key: its values of the run columns.
        start: its first clock value, encoded by the clock.
        offset: steps from the table's first time.
        rows: its length.
        regime: regime of each row, as (regime, rows) one after another.
        tail: [K C] its last rows, from which it is extended; empty where too many runs would have to be kept.
        first: [C] the first known value of each column, NaN where none is known.
        stocks: [S G] each stock before the flows of the first row of each stretch of a regime.
    """

    key: tuple[Any, ...]
    start: Any
    offset: int
    rows: int
    regime: Int[np.ndarray, "S 2"]
    tail: Float[np.ndarray, "K C"]
    first: Float[np.ndarray, " C"]
    stocks: Float[np.ndarray, "S G"]

    @property
    def course(self) -> Int[np.ndarray, " T"]:
        """The regime of each row."""
        return np.repeat(self.regime[:, 0], self.regime[:, 1])


@dataclass(frozen=True)
class Encoder:
    """A trained embedding of windows.

    Attributes:
        weights: of embedder and recovery, by name.
        starts: [S W] states of the table from which a generated series may begin.
    """

    weights: dict[str, np.ndarray]
    starts: Float[np.ndarray, "S W"]


@dataclass(frozen=True)
class Network:
    """A trained generator.

    Attributes:
        recipe: JSON of the configuration that it was built with.
        steps, channels: of the windows of its space.
        weights: by name.
        told: channels of conditions beside the noise.
        encoder: the embedding that it works in, None for none.
        critic: the critic's last weights, from which another table's training can start.
    """

    recipe: str
    steps: int
    channels: int
    weights: dict[str, np.ndarray]
    told: int = 0
    encoder: Encoder | None = None
    critic: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Training:
    """The record of a fit.

    Attributes:
        steps: numbers of the recorded steps.
        losses: one curve per name, as long as `steps`.
        checks: steps at which the fidelity was measured.
        fidelity: at each of them; lower is better.
        chosen: step whose weights were kept.
        stopped: why training ended, in words.
        windows: how many it trained on.
        done: generator steps that were done.
        start: what the weights were taken from: library:NAME, the path of a model, or "another model"; empty for none.
    """

    steps: tuple[int, ...] = ()
    losses: dict[str, tuple[float, ...]] = field(default_factory=dict)
    checks: tuple[int, ...] = ()
    fidelity: tuple[float, ...] = ()
    chosen: int = 0
    stopped: str = ""
    windows: int = 0
    done: int = 0
    start: str = ""


@dataclass(frozen=True)
class Model:
    """A fitted model.

    Attributes:
        schema: JSON of the table's schema.
        recipe: JSON of the resolved configuration.
        seed: of the fit.
        digest: sha256 of the fitted table.
        versions: of the program and its libraries.
        relations: rules between columns that are kept.
        totals: columns of which what rows add is modelled.
        stocks: columns that others add up to.
        channels: columns to channels.
        window: prior of generated series; their level wanders as the table's did.
        path: prior of densified and extended series, whose trend goes on.
        calibration: backtests of `path`.
        coordinates: of windows of `window`, in which the network works.
        network: the trained generator, None for the prior alone.
        transport: closed-form calibration behind it, None for none.
        polish: last touch on the values of a generated window, None for none.
        polish_long: the same for series of many windows, whose joins draw values towards the middle.
        holds: columns whose values stand for some rows or run along straight lines.
        past: the runs of the table.
        range: [2 C] least and greatest value of each column; of totals, of what rows add.
        gaps: its empty cells.
        training: the record.
        notes: what the user should know of the fit.
    """

    schema: str
    recipe: str
    seed: int
    digest: str
    versions: dict[str, str]
    relations: Relations
    totals: Totals
    stocks: tuple[Stock, ...]
    channels: Channels
    window: Prior
    path: Prior
    calibration: Calibration
    coordinates: Coordinates
    network: Network | None
    transport: Transport | None
    polish: Polish | None
    polish_long: Polish | None
    holds: tuple[Course, ...]
    past: tuple[Past, ...]
    range: np.ndarray
    gaps: Gaps
    training: Training
    notes: tuple[str, ...]

    @cached_property
    def timetable(self) -> Timetable | None:
        """What the clock tells of the regimes of the fitted table."""
        if self.apart is not None:
            return self.apart.timetable([past.course for past in self.past])
        courses = [(past.offset, past.course) for past in self.past]
        return find_timetable(courses, len(self.channels.regimes), self.table_schema.clock.cycles())

    @cached_property
    def apart(self) -> Apart | None:
        """The states that the clock tells beside others that go their own way, None if there are none or many runs."""
        if len(self.past) >= MANY_RUNS or self.stocks:
            return None
        courses = [(past.offset, past.course) for past in self.past]
        return find_apart(courses, self.channels.regimes.levels, self.table_schema.clock.cycles())

    @cached_property
    def table_schema(self) -> Schema:
        """The schema of the fitted table."""
        return Schema.from_json(self.schema)

    @property
    def rules(self) -> list[str]:
        """What was found that holds in what is made, in words."""
        names = [column.name for column in self.table_schema.channels]
        falling = [course.words(names) for course in self.holds if isinstance(course, Falling)]
        stocks = [stock.words(names) for stock in self.stocks]
        rules = (self.channels.words(names), self.relations.words(names), self.totals.words(names))
        return [*(word for words in rules for word in words), *stocks, *falling]

    def own_of(self, run: Float[np.ndarray, "T C"]) -> Float[np.ndarray, " C"]:
        """The last known value of each column of a run, where none is known the usual one of the table's runs."""
        return np.where(np.isnan(run).all(axis=0), self._usual, last_known(run))

    def beginning(self, stock: Stock, like: Past, offset: int) -> float:
        """Where a stock begins in a run that is made: as the table's run does if it begins at the same time."""
        same = bool(self.table_schema.run_names) or offset == like.offset
        first = float(like.first[stock.column])
        return first if same and not np.isnan(first) else float(stock.starts[offset % len(stock.starts)])

    @cached_property
    def _usual(self) -> Float[np.ndarray, " C"]:
        return np.nan_to_num(np.nanmedian(np.stack([past.first for past in self.past]), axis=0))

    def scheduled(self, times: "pd.Index") -> Float[np.ndarray, "N C"]:
        """What the clock tells of columns that are schedules, at some of its times; NaN in the other columns."""
        import pandas as pd

        from dowgan.table.almanac import numbers

        columns = self.table_schema.channels
        out = np.full((len(times), len(columns)), np.nan)
        for place in self.channels.regimes.scheduled:
            out[:, place] = numbers(columns[place], pd.DatetimeIndex(times))
        return out

    def times(self, positions: Int[np.ndarray, " N"]) -> "pd.Index":
        """The clock values at positions: steps from the fitted table's first time."""
        clock, first = self.table_schema.clock, self.past[0]
        return clock.at(clock.decode(first.start), positions - first.offset)

    def shift(self, table: Table) -> int:
        """Steps of the model's clock from the fitted table's first time to that of another table."""
        first, clock = self.past[0], self.table_schema.clock
        if clock.kind == "row":
            return 0
        origin = min(table.runs, key=lambda run: run.offset)
        return clock.steps_between(clock.decode(first.start), origin.start) + first.offset


KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        Again,
        Alarm,
        Calibration,
        Channels,
        Code,
        Coordinates,
        Curve,
        Deadband,
        Driven,
        Driver,
        Effects,
        Encoder,
        End,
        Falling,
        Formula,
        Gap,
        Gaps,
        Hold,
        Idle,
        Lengths,
        Levels,
        Limit,
        Lines,
        Lookup,
        Map,
        Marginals,
        Mixture,
        Model,
        Network,
        Past,
        Polish,
        Prior,
        Process,
        Ramp,
        Regimes,
        Relations,
        Response,
        Rest,
        Season,
        Setpoints,
        Sides,
        Slice,
        Spells,
        Standing,
        Stages,
        Stay,
        Stock,
        Sum,
        Timetable,
        Totals,
        Training,
        Trajectories,
        Transport,
    )
}


def past_of(run: Run, schema: Schema, regime: Int[np.ndarray, " T"], tail: int, stocks: Sequence[Stock] = ()) -> Past:
    """Return what a model keeps of a run."""
    kept = run.values[len(run.values) - min(tail, len(run.values)) :]
    start, first, parts = schema.clock.encode(run.start), first_or_none(run.values), spells_of(regime)
    begun = np.cumsum(parts[:, 1]) - parts[:, 1]
    levels = [filled(run.values[:, stock.column])[np.maximum(begun + stock.lag - 1, 0)] for stock in stocks]
    begins = np.stack(levels, axis=1) if levels else np.empty((len(parts), 0))
    return Past(run.key, start, run.offset, len(run.values), parts, kept, first, begins)
