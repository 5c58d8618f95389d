"""Fit what stands behind the generator: the calibration of windows and of columns, and what is held."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from dowgan.drawing import Drawer
from dowgan.falling import find_falling
from dowgan.fidelity import fidelity
from dowgan.fitting import Fitted, drawn_coordinates
from dowgan.holds import find_holds
from dowgan.idle import find_idle
from dowgan.lines import find_lines
from dowgan.model import Model
from dowgan.plan import Plan, plan_runs
from dowgan.polish import Sample, fit_polish, fit_resolution
from dowgan.process import cut_windows
from dowgan.relations import Relations
from dowgan.rng import CHUNK, Streams
from dowgan.standing import find_standing
from dowgan.stocks import held
from dowgan.table import Run, Table
from dowgan.transport import Transport, fit_transport

FEWEST = 20  # complete windows of the table that tell how far drawn ones are
POLISH_STEP = 4  # every so many steps of drawn windows tell the columns' quantiles
POLISH_EPOCHS = 8  # lengths of the table of a long series of which the same is done
POLISHED = (8_192, 40_000)  # its rows


def finish(model: Model, table: Table, fitted: Fitted, streams: Streams, calibrated: bool) -> Model:
    """Return a model with what stands behind its generator.

    Args:
        model: with a generator, and nothing behind it.
        table: as it is modelled.
        fitted: the untrained part.
        streams: randomness of the draws.
        calibrated: whether windows and columns are carried to the data, or only put on the numbers they may hold.
    """
    columns, regime_of = model.table_schema.channels, fitted.channels.regimes.of
    idle = find_idle(columns, table.runs, table.schema.clock.cycles())
    # the polish is fitted to what breaks the rules: it is what mends most of it
    model = replace(model, relations=Relations(), holds=tuple(idle))
    windows = _windows(Drawer(model), table, fitted, streams) if calibrated else None
    model, drawn = _transported(model, table, fitted, streams, windows)
    real, series = (_sample(runs, regime_of) for runs in (table.runs, drawn))
    if not calibrated:
        short = long = fit_resolution(columns, real.values)
    else:
        moved = _moved(model)
        long = fit_polish(columns, fitted.relations, series, real, moved)
        # windows are drawn without regard to what regimes, trends, levels and places in a run add
        led = bool(fitted.channels.trajectories.columns or fitted.channels.effects.codes)
        season = fitted.window.season
        steady = len(fitted.channels.regimes) == 1 and not (moved or season.along or season.apart or led)
        short = long
        if steady and model.transport is not None and windows is not None:
            short = fit_polish(columns, fitted.relations, _carried(fitted, model.transport, windows), real, moved)
    model = replace(model, polish=short, polish_long=long, relations=fitted.relations)
    drawer = Drawer(model)

    def finished(values: np.ndarray) -> np.ndarray:
        return drawer.kept(drawer.polished(values, np.full(len(values), len(values)), regime_of(values)), None)

    runs = [replace(run, values=finished(run.values)) for run in drawn]
    told = fitted.channels.setpoints.columns
    standing = find_standing(columns, table.runs, fitted.channels.regimes.conditions, told)
    for run in runs:
        for course in standing:
            course.apply(run.values[None], np.empty((1, len(run.values))), np.array([run.offset]))
    curved = [curve.column for curve in fitted.channels.curves]  # moves and rests as the other does
    staged = fitted.channels.stages is not None  # no line leads from one step to the next
    lines = () if staged else find_lines(columns, table.runs, runs, curved)
    own = [*curved, *(column for line in lines for column in line.columns)]
    falling = find_falling(columns, table.runs)
    holds = find_holds(columns, table.runs, runs, own)
    model = replace(model, holds=(*idle, *lines, *holds, *standing, *falling))
    return _with_stocks(model, table, streams) if model.stocks else model


def _with_stocks(model: Model, table: Table, streams: Streams) -> Model:
    """The model with stocks that lie in what it draws where they do in the table."""
    drawn = Drawer(model).runs(_trial(model, table, streams), None, streams, not model.table_schema.run_names)
    return replace(model, stocks=tuple(held(stock, [run.values for run in drawn]) for stock in model.stocks))


def _transported(
    model: Model, table: Table, fitted: Fitted, streams: Streams, windows: Float[np.ndarray, "M U"] | None
) -> tuple[Model, list[Run]]:
    """The model with windows carried to the data, and a long draw of it.

    Where windows do not know their place in a run, they are left as they are if whole runs come out nearer then.

    Args:
        windows: many drawn ones, in coordinates; None if they stay as they are.
    """
    single = not model.table_schema.run_names
    if windows is not None:
        directions = fitted.coordinates.value_directions, streams.numpy("directions")
        sides = fitted.sided, fitted.held_out
        model = replace(model, transport=fit_transport(windows, fitted.windows, *sides, *directions))
    plans, steps = _trial(model, table, streams), model.coordinates.steps
    drawn = Drawer(model).runs(plans, None, streams, single)
    if model.transport is not None and model.network is None and fitted.window.season.along:
        plain = replace(model, transport=None)
        other = Drawer(plain).runs(plans, None, streams, single)
        if _off(other, table.runs, steps) < _off(drawn, table.runs, steps):
            return plain, other
    return model, drawn


def _off(drawn: Sequence[Run], runs: Sequence[Run], steps: int) -> float:
    """How far the windows of drawn runs are from the table's, by the fidelity; nothing where too few are complete."""
    made, real = (cut_windows([run.values for run in part], steps, max(1, steps // 4)) for part in (drawn, runs))
    whole = [window for window in real if not np.isnan(window).any()]
    if len(whole) < FEWEST:
        return 0.0
    rows = np.concatenate(whole)
    centre, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    return fidelity((np.stack(made) - centre) / scale, (np.stack(whole) - centre) / scale)


def _moved(model: Model) -> list[int]:
    """Columns whose quantiles tell the time or the run: a trend, a level, a sum, a curve. Directions have none."""
    channels, trend = model.channels, model.window.season.trend
    moved = (trend != 0) | channels.levels.offsets.any(axis=0)
    firsts = {place: channels.first_channel(place) for place in range(channels.columns)}
    moving = [place for place, channel in firsts.items() if channel is not None and moved[channel]]
    round_about = [code.place for code in channels.codes if code.turn]
    told = [*(stock.column for stock in model.stocks), *(curve.column for curve in channels.curves)]
    return [*moving, *round_about, *told]


def _windows(drawer: Drawer, table: Table, fitted: Fitted, streams: Streams) -> Float[np.ndarray, "M U"]:
    """A large draw of the generator's windows, in coordinates."""
    straight = drawn_coordinates(fitted, table.runs, streams.numpy("calibrate"))
    return np.concatenate([drawer.sampler.refine(part) for part in np.split(straight, len(straight) // CHUNK)])


def _carried(fitted: Fitted, transport: Transport, windows: Float[np.ndarray, "M U"]) -> Sample:
    """Rows of drawn windows that are carried to the data."""
    coordinates = fitted.coordinates
    scores = coordinates.from_coordinates(transport.apply(windows, transport.bases(coordinates.value_directions)))
    width = fitted.channels.width  # other steps of every window: runs may have a course of their own
    parts = [scores[step::POLISH_STEP, step::POLISH_STEP].reshape(-1, width) for step in range(POLISH_STEP)]
    channels = coordinates.scores.from_normal(np.concatenate(parts))
    regime = np.zeros(len(channels), dtype=int)
    return Sample(fitted.channels.decode(channels, regime), regime)


def _trial(model: Model, table: Table, streams: Streams) -> list[Plan]:
    """Plans of a draw that is long enough to be set against the table's rows."""
    rows, many = sum(len(run.values) for run in table.runs), bool(model.table_schema.run_names)
    length = None if many else int(np.clip(POLISH_EPOCHS * rows, *POLISHED))
    runs = POLISHED[0] // (rows // len(table.runs)) + 1 if many else 1
    return plan_runs(model, model.table_schema, length, runs, None, {}, streams.numpy("polish"))


def _sample(runs: Sequence[Run], regime_of: Callable[[np.ndarray], np.ndarray]) -> Sample:
    """All rows of some runs."""
    return Sample(np.concatenate([r.values for r in runs]), np.concatenate([regime_of(r.values) for r in runs]))
