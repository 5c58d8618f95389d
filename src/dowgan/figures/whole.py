"""Figures of a whole table: all tags at once, how they hang together, windows as points, training, errors.

Shapes: T rows, C columns, M scored rows, N windows, U values of a window.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

from dowgan.figures.style import (
    MADE,
    METHODS,
    MOST_POINTS,
    PLAIN,
    REAL,
    diagonal,
    dots,
    drawn,
    framed,
    level,
    line,
    plain_text,
    thin,
)
from dowgan.metrics.marginal import moments

SPARK_POINTS = 300
SPARK_HEIGHT = 74
MOST_LABELS = 30  # tags whose names are written at a heat map, each; of more every other, or every third ...
LONGEST = 18  # letters of a name at a heat map
DIVERGING = [[0.0, "#b2182b"], [0.25, "#ef8a62"], [0.5, "#f7f7f7"], [0.75, "#67a9cf"], [1.0, "#2166ac"]]


def raw(values: Float[np.ndarray, "T C"], names: Sequence[str], most: int = 60) -> go.Figure:
    """Draw the table as it is, one small curve per tag, each on its own scale (S1)."""
    shown = names[:most]
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    titles = [plain_text(n[:LONGEST]) for n in shown]
    figure = make_subplots(rows, columns, subplot_titles=titles, vertical_spacing=0.42 / rows)
    for i in range(len(shown)):
        place, y = thin(values[:, i], SPARK_POINTS)
        trace = go.Scatter(x=place.astype(np.float32), y=y, mode="lines", line={"color": REAL, "width": 1})
        figure.add_trace(trace, i // columns + 1, i % columns + 1)
    figure.update_annotations(font_size=11)
    framed(figure, "The table", height=SPARK_HEIGHT * rows + 110)
    figure.update_layout(showlegend=False)
    figure.update_xaxes(showticklabels=False, showgrid=False)
    return figure.update_yaxes(nticks=3, tickfont_size=9)


def heat(values: Float[np.ndarray, "C C"], names: Sequence[str], title: str, one_sided: bool = False) -> go.Figure:
    """Draw a square of numbers between -1 and 1, tag against tag.

    Args:
        one_sided: the numbers are distances, 0 and more, and the scale ends at the greatest.
    """
    shown = [plain_text(n) for n in names]
    scale: dict[str, object] = {"zmin": -1, "zmax": 1, "colorscale": DIVERGING}
    if one_sided:
        greatest = float(np.nanmax(values)) if values.size else 0.0
        scale = {"zmin": 0, "zmax": max(0.2, greatest), "colorscale": "Oranges"}
    trace = go.Heatmap(z=values.astype(np.float32), x=shown, y=shown, colorbar={"thickness": 10}, **scale)
    every = -(-len(shown) // MOST_LABELS)
    short = [plain_text(n if len(n) <= LONGEST else f"{n[: LONGEST - 1]}…") for n in names]
    axis = {"tickvals": shown[::every], "ticktext": short[::every], "tickfont": {"size": 9}}
    return drawn([trace], title, height=420, xaxis=axis, yaxis=axis | {"autorange": "reversed"})


def cloud(real: Float[np.ndarray, "N U"], made: Float[np.ndarray, "M U"], title: str, x: str, y: str) -> go.Figure:
    """Draw windows as points of a plane, real and generated on the same axes (U7).

    Args:
        real, made: places, two coordinates each.
    """
    traces = [
        dots("real", real[:, 0], real[:, 1], REAL, 5, 0.5),
        dots("generated", made[:, 0], made[:, 1], MADE, 5, 0.5),
    ]
    return drawn(traces, title, x, y, 380)


def losses(
    steps: Sequence[int],
    curves: Mapping[str, Sequence[float]],
    checks: Sequence[int],
    fidelity: Sequence[float],
    chosen: int,
) -> go.Figure:
    """Draw both players' losses per step and, beneath, the fidelity with the chosen step (S4)."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08, row_heights=[0.6, 0.4])
    at = np.asarray(steps, dtype=float)
    players = [name for name in ("generator", "critic") if name in curves] or list(curves)
    for name, colour in zip(players, (MADE, REAL, PLAIN), strict=False):
        figure.add_trace(line(f"{name} loss", at, np.asarray(curves[name], dtype=float), colour), row=1, col=1)
    style = {"color": PLAIN, "width": 1.5}
    trace = go.Scatter(x=list(checks), y=list(fidelity), name="fidelity", mode="lines+markers", line=style)
    figure.add_trace(trace, row=2, col=1)
    best = dict(zip(checks, fidelity, strict=True)).get(chosen)
    if best is not None:
        marker = {"color": MADE, "size": 11, "symbol": "star"}
        figure.add_trace(go.Scatter(x=[chosen], y=[best], name="chosen", mode="markers", marker=marker), row=2, col=1)
    framed(figure, "Training: losses and fidelity", height=470)
    figure.update_layout(legend={"y": -0.14, "yanchor": "top"}, margin_b=110, margin_t=40)  # four names need their room
    figure.update_yaxes(title_text="loss", row=1, col=1)
    figure.update_yaxes(title_text="fidelity", row=2, col=1)
    return figure.update_xaxes(title_text="step", row=2, col=1)


def _thinned(x: np.ndarray, y: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    known = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[known], y[known]
    pick = np.linspace(0, len(x) - 1, min(most, len(x))).astype(int) if len(x) else np.empty(0, int)
    return x[pick], y[pick]


def parity(truth: np.ndarray, guess: np.ndarray, title: str, most: int = MOST_POINTS) -> go.Figure:
    """Draw predicted against true values, in the units that they come in (S8).

    Args:
        truth, guess: of one shape; thinned to `most` points.
    """
    x, y = _thinned(truth.ravel(), guess.ravel(), most)
    ends = (float(min(x.min(), y.min())), float(max(x.max(), y.max()))) if len(x) else (0.0, 1.0)
    return drawn([diagonal(*ends), dots("values", x, y, MADE, 4, 0.45)], title, "true", "predicted")


def by_place(errors: Mapping[str, Sequence[float | int | None]], title: str, x: str) -> go.Figure:
    """Draw the mean absolute error by position in the gap or by horizon, beside the plain methods."""
    traces = []
    for name in (n for n in errors if n != "place"):
        style = {"color": METHODS.get(name, PLAIN), "width": 3 if name == "model" else 1.4}
        told = {"name": name.replace("_", " "), "mode": "lines+markers", "line": style}
        traces.append(go.Scatter(x=list(errors["place"]), y=list(errors[name]), **told))
    return drawn(traces, title, x, "error (standard deviations)")


def pit(shares: Sequence[float | None], title: str) -> go.Figure:
    """Draw how often the truth lies in each tenth of the paths."""
    middles = (np.arange(len(shares)) + 0.5) / len(shares)
    bars = go.Bar(x=middles, y=list(shares), marker={"color": MADE, "opacity": 0.7}, name="share of rows")
    figure = drawn([bars], title, "lowest path to highest", "share of rows")
    return figure.update_layout(shapes=[level(1 / len(shares))])


def covered(shares: Sequence[float | None], names: Sequence[str], title: str) -> go.Figure:
    """Draw what share of the true values the 90 % band of each tag holds."""
    bars = go.Bar(x=[plain_text(n) for n in names], y=list(shares), marker={"color": MADE, "opacity": 0.7}, name="held")
    figure = drawn([bars], title, "", "share of true values", xaxis={"type": "category"}, yaxis={"range": [0, 1]})
    return figure.update_layout(shapes=[level(0.9)], bargap=0.35)


def distances(fake: Sequence[float | None], held_out: Sequence[float | None]) -> go.Figure:
    """Draw the distances to the nearest training window, smallest first, of generated and of unseen real windows."""
    at = np.linspace(0, 100, len(fake))
    traces = [
        go.Scatter(x=at, y=list(curve), name=name, mode="lines", line={"color": colour, "width": 2})
        for name, curve, colour in (("unseen real windows", held_out, REAL), ("generated windows", fake, MADE))
    ]
    title = "Distance to the nearest training window"
    return drawn(traces, title, "% of the windows, nearest first", "standard deviations")


def rhythm(real: Sequence[np.ndarray], made: Sequence[np.ndarray], length: int) -> go.Figure:
    """Draw the mean change from row to row at each place of blocks of `length` rows: a seam is a spike.

    Args:
        real, made: series [T C].
    """
    traces = []
    for name, side, colour in (("real", real, REAL), ("generated", made, MADE)):
        jump = normal_jumps(max(side, key=len))
        place = np.arange(len(jump)) % length
        mean = np.bincount(place, np.nan_to_num(jump), length) / np.maximum(np.bincount(place, minlength=length), 1)
        traces.append(go.Scatter(x=np.arange(length), y=mean, name=name, mode="lines+markers", line={"color": colour}))
    return drawn(traces, f"Seam test: blocks of {length} rows", "place in the block", "change (standard deviations)")


def normal_jumps(series: Float[np.ndarray, "T C"]) -> Float[np.ndarray, " _"]:
    """Mean change from row to row over all tags, in standard deviations."""
    step = np.abs(np.diff(series, axis=0)) / moments(series)[1]
    known = ~np.isnan(step)
    return np.where(known, step, 0.0).sum(1) / np.maximum(known.sum(1), 1)


def gaps(real: Sequence[float], made: Sequence[float], names: Sequence[str]) -> go.Figure:
    """Draw the share of missing values of each tag."""
    shown = [plain_text(n) for n in names]
    traces = [
        go.Bar(x=shown, y=list(side), name=name, marker={"color": colour})
        for name, side, colour in (("real", real, REAL), ("generated", made, MADE))
    ]
    return drawn(traces, "Missing values", "", "share of rows", xaxis={"type": "category"})
