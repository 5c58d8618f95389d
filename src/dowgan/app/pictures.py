"""Figures of the page that the report does not have: a training as it runs, and the tables that were made.

Shapes: A and B windows, S steps, C columns, T rows.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

from dowgan import figures
from dowgan.figures.style import MADE, REAL, drawn, framed, line, time_axis
from dowgan.report.backtest import within_rules
from dowgan.table import Schema

if TYPE_CHECKING:
    from pandas import DataFrame

Curve = tuple[np.ndarray, np.ndarray]  # clock values and values, [T] each
SHOWN = 16  # windows of each side
LEAST_STEPS = 4  # of a window that is drawn as a curve
HISTORY = 3  # a continuation is shown behind so many times its own length


def numbers(schema: Schema) -> list[str]:
    """The columns that can be drawn as curves; those with few values last."""
    found = [c for c in schema.channels if c.kind in ("float", "integer")]
    return [c.name for c in sorted(found, key=lambda c: bool(c.levels))]


def windows(real: Float[np.ndarray, "A S C"], made: Float[np.ndarray, "B S C"], schema: Schema, tag: str) -> go.Figure:
    """Draw real windows of one tag, and beside them what the generator draws now."""
    place = [c.name for c in schema.channels].index(tag)
    sides = [within_rules(schema.channels, side)[..., place] for side in (real[:SHOWN], made[:SHOWN])]
    if real.shape[1] < LEAST_STEPS:
        return figures.distribution([sides[0].ravel()], [sides[1].ravel()], tag)
    figure = make_subplots(1, 2, shared_yaxes=True, subplot_titles=("real", "generated now"))
    for column, (side, colour) in enumerate(zip(sides, (REAL, MADE), strict=True), start=1):
        for values in side:
            curve = line("", np.arange(len(values)), values, colour, width=1)
            figure.add_trace(curve.update(opacity=0.55, showlegend=False, hoverinfo="skip"), 1, column)
    framed(figure, "", 260)
    figure.update_layout(title_text="", margin_t=30)
    return figure.update_xaxes(title_text="step of the window", title_font_size=11)


def curve_of(frame: "DataFrame", schema: Schema, tag: str, runs: Sequence[str]) -> Curve:
    """Clock values and values of one tag in the first run of a table.

    Args:
        runs: columns that tell runs apart.
    """
    for name in runs:
        frame = frame[frame[name] == frame[name].iloc[0]]
    clock = schema.clock
    values = frame[tag].to_numpy(dtype=float, na_value=np.nan)
    if clock.kind == "row" or clock.parts:
        return np.arange(len(values), dtype=float), values
    held: Any = frame.index if clock.in_index else frame[clock.column]
    if clock.kind != "datetime":
        return np.asarray(held, dtype=float), values
    wall = held if clock.in_index else held.dt
    return wall.tz_localize(None).to_numpy().astype("datetime64[ms]"), values


def beside(real: Curve | None, made: Curve, tag: str) -> go.Figure:
    """Draw a synthetic series, over the real one if there is one."""
    if real is None:
        return drawn([line("generated", *made, MADE)], f"{tag} over time", height=320, xaxis=time_axis(made[0]))
    return figures.overlay(real[1], made[1], tag, real[0], made[0])


def finer(points: Curve, series: Curve, tag: str) -> go.Figure:
    """Draw the finer series as a line and the rows as they came as dots."""
    known = ~np.isnan(points[1])
    marker = {"color": REAL, "size": 5}
    traces = [
        line("finer", series[0], series[1], MADE),
        go.Scatter(x=points[0][known], y=points[1][known], mode="markers", name="as it came", marker=marker),
    ]
    return drawn(traces, tag, height=320, xaxis=time_axis(series[0]))


def longer(history: Curve | None, middle: Curve, low: np.ndarray, high: np.ndarray, tag: str) -> go.Figure:
    """Draw the median of what may follow, the band between which the paths lie, and the last rows before, if known."""
    band = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": "band"}
    traces = [
        go.Scatter(x=middle[0], y=low, showlegend=False, **band),
        go.Scatter(x=middle[0], y=high, fill="tonexty", fillcolor="rgba(232,113,10,.2)", name="band", **band),
        line("median", *middle, MADE, width=2),
    ]
    if history is not None:
        kept = min(len(history[0]), max(60, HISTORY * len(middle[0])))
        traces.append(line("as it came", history[0][-kept:], history[1][-kept:], REAL))
    return drawn(traces, tag, height=320, xaxis=time_axis(middle[0]))
