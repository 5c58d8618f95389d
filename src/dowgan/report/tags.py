"""The figures of one tag: its course, its values, how it follows others, and its backtests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dowgan import figures
from dowgan.figures.style import plain_text
from dowgan.metrics.correlational import correlations
from dowgan.report.panel import NOTES, Material, Panel, number_text
from dowgan.table import Column

SUBSET = 52  # rows of the closer look
TAG_POINTS = 400  # points of one tag's parity plot
DENSE_ROWS = 60  # given rows of a densified stretch that is shown


def tag_panels(material: Material, scores: Mapping[str, Any], name: str) -> Iterator[Panel]:
    """Draw one tag; nothing of one that is empty on a side."""
    column = material.columns[material.names.index(name)]
    place = material.names.index(name)
    real, made = ([run.values[:, place] for run in side] for side in (material.real, material.made))
    if any(np.isnan(np.concatenate(side)).all() for side in (real, made)):
        return
    yield from _over_time(material, name, place)
    if _levels(column):
        yield Panel(name, NOTES["states"], figures.states(real, made, name, _levels(column)), tag=True)
        yield Panel(name, NOTES["dwell"], figures.dwell(real, made, name), tag=True)
        return
    for kind in ("distribution", "quantiles", "memory", "spectrum", "ramps", "sides"):
        yield Panel(name, NOTES[kind], getattr(figures, kind)(real, made, name), tag=True)
    yield from _crossed(material, place)
    if name in material.numbers:
        yield from _tag_backtests(material, scores, name, material.numbers.index(name))


def _crossed(material: Material, place: int) -> Iterator[Panel]:
    """A number beside the one that it moves with most in real rows."""
    number = np.array([not _levels(c) for c in material.columns])
    ties = np.abs(correlations(np.concatenate([run.values for run in material.real])[None])[place]) * number
    ties[place] = 0.0
    other = int(np.nanargmax(np.nan_to_num(ties)))
    real, made = (
        ([run.values[:, place] for run in side], [run.values[:, other] for run in side])
        for side in (material.real, material.made)
    )
    if ties[other] > 0 and not any(np.isnan(np.concatenate(series)).all() for series in (*real, *made)):
        names = material.names[place], material.names[other]
        yield Panel(names[0], NOTES["crossed"], figures.crossed(real, made, *names), tag=True)


def over_time(material: Material, name: str) -> go.Figure:
    """The longest real and generated series of a tag along time."""
    own, made = (max(side, key=lambda run: len(run.values)) for side in (material.real, material.made))
    place = material.names.index(name)
    drawn = figures.overlay(own.values[:, place], made.values[:, place], name, own.x, made.x, selectable=True)
    return _with_states(drawn, material.columns[place])


def _with_states(figure: go.Figure, column: Column) -> go.Figure:
    """Name the states of a category or truth value at the axis, where their numbers stand."""
    levels = _levels(column)
    if levels:
        figure.update_traces(line_shape="hv")
        names = [plain_text(str(level)) for level in levels]
        figure.update_yaxes(tickvals=list(range(len(levels))), ticktext=names, range=[-0.4, len(levels) - 0.6])
    return figure


def _levels(column: Column) -> tuple[object, ...]:
    """The states of a category or a truth value, none of a number."""
    return (column.levels or (False, True)) if column.labelled else ()


def _over_time(material: Material, name: str, place: int) -> Iterator[Panel]:
    """The whole span, and a closer look at the same rows of both."""
    yield Panel(name, NOTES["overlay"], over_time(material, name), tag=True, wide=True)
    own, made = (max(side, key=lambda run: len(run.values)) for side in (material.real, material.made))
    rows = min(len(own.values), len(made.values))
    if rows > 1.5 * SUBSET:
        part = slice((rows - SUBSET) // 2, (rows - SUBSET) // 2 + SUBSET)
        close = (
            own.values[part, place],
            made.values[part, place],
            name,
            own.x[part],
            made.x[part],
            f"over {SUBSET} rows",
        )
        yield Panel(name, NOTES["subset"], _with_states(figures.overlay(*close), material.columns[place]), tag=True)


def _tag_backtests(material: Material, scores: Mapping[str, Any], name: str, place: int) -> Iterator[Panel]:
    if material.dense and "densify" in scores:
        where, case = material.dense[0]
        rows = min(len(case.truth), DENSE_ROWS * case.factor + 1)
        paths = case.paths[:, :rows, place]
        band = tuple(np.quantile(paths, [0.05, 0.95], axis=0)) if len(paths) else None
        drawn = figures.dots_and_line(
            case.truth[:rows, place], case.middle[:rows, place], case.factor, name, where.x[:rows], band
        )
        yield Panel(name, NOTES["dense"], drawn, tag=True, wide=True)
        hidden = np.arange(len(case.truth)) % case.factor != 0
        title = f"{name}: densify, {_told(scores['densify'], name)}"
        drawn = figures.parity(case.truth[hidden, place], case.middle[hidden, place], title, TAG_POINTS)
        yield Panel(name, NOTES["parity"], drawn, tag=True)
    if material.ahead and "extend" in scores:
        where, last = material.ahead[-1]
        rows = len(last.history) + len(last.truth)
        truth, middle = (
            np.concatenate([getattr(c, side)[:, place] for _, c in material.ahead]) for side in ("truth", "middle")
        )
        title = f"{name}: extend, {_told(scores['extend'], name)}"
        yield Panel(name, NOTES["parity"], figures.parity(truth, middle, title, TAG_POINTS), tag=True)
        drawn = figures.fan(last.history[:, place], last.truth[:, place], last.paths[:, :, place], name, where.x[:rows])
        yield Panel(name, NOTES["fan"], drawn, tag=True, wide=True)


def _told(scores: Mapping[str, Any], name: str) -> str:
    found = scores["tags"][name]["model"]
    return f"R² = {number_text(found['r2'])}, MSE = {number_text(found['mse'])}"
