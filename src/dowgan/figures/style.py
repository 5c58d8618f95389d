"""What all figures share: colours, thinned lines, the axis of time.

Shapes: T rows.
"""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

MOST_POINTS = 2_000  # of a trace
REAL, MADE, PLAIN = "#3b7dd8", "#e8710a", "#8b929c"
METHODS = {"model": MADE, "linear": PLAIN, "pchip": "#5b9e6f", "cubic": "#a86bc9"} | {
    "last_value": PLAIN,
    "seasonal_naive": "#5b9e6f",
    "seasonal_mean": "#a86bc9",
}
GRID = "rgba(128,128,128,.22)"
HEIGHT = 300
TALL = 320  # of a figure over time
LOGARITHMIC = {"type": "log", "exponentformat": "power", "dtick": 1}


def thin(values: Float[np.ndarray, " T"], most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Return at most so many points of a line, and their places; peaks are kept.

    Of each stretch of rows that becomes two points, the least and the greatest value are shown, in their order.
    """
    rows = len(values)
    if rows <= most:
        return np.arange(rows, dtype=float), values.astype(np.float32)
    size = -(-2 * rows // most)
    padded = np.full(-(-rows // size) * size, np.nan)
    padded[:rows] = values
    block = padded.reshape(-1, size)
    known = ~np.isnan(block)
    low, high = np.where(known, block, np.inf).argmin(1), np.where(known, block, -np.inf).argmax(1)
    picked = np.sort(np.stack([low, high], 1), axis=1)
    shown = np.take_along_axis(block, picked, 1).ravel().astype(np.float32)
    place = (np.arange(len(block))[:, None] * size + np.array([0.25, 0.75]) * size).ravel()
    inside = place < rows
    return place[inside], shown[inside]


def is_time(x: np.ndarray) -> bool:
    """Whether an axis holds times."""
    return bool(np.issubdtype(x.dtype, np.datetime64))


def time_axis(x: np.ndarray) -> dict[str, Any]:
    """What an axis has to be told where it holds times."""
    return {"type": "date"} if is_time(x) else {}


def along(x: np.ndarray, place: np.ndarray) -> dict[str, Any]:
    """The axis values at places between the rows, as short as Plotly can be told them.

    Args:
        x: [T] datetime64, or numbers.
        place: rows, fractions allowed.
    """
    numbers = x.astype("datetime64[ms]").astype(float) if is_time(x) else x.astype(float)
    values = np.interp(place, np.arange(len(x)), numbers)
    step = np.diff(values)
    if len(values) > 2 and np.ptp(step) <= 1e-6 * np.abs(step).max():
        first: Any = str(np.datetime64(int(values[0]), "ms")) if is_time(x) else float(values[0])
        return {"x0": first, "dx": float(step.mean())}
    return {"x": values}


def line(name: str, x: np.ndarray, values: np.ndarray, colour: str, **style: Any) -> go.Scatter:
    """Return one thinned line over time.

    Args:
        style: of the line, as Plotly names it: width, dash.
    """
    place, shown = thin(values)
    return go.Scatter(**along(x, place), y=shown, name=name, mode="lines", line={"color": colour, "width": 1.3} | style)


def _layout(title: str, height: int) -> dict[str, Any]:
    return {
        "title": {
            "text": plain_text(title), "font": {"size": 14}, "x": 0.01, "xanchor": "left", "y": 0.98, "yanchor": "top",
        },
        "height": height,
        "margin": {"l": 52, "r": 14, "t": 58, "b": 44},
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": 11}},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }  # fmt: skip


AXIS = {"gridcolor": GRID, "zerolinecolor": GRID, "automargin": True}


def drawn(
    traces: list[go.Scatter | go.Bar | go.Heatmap],
    title: str,
    x: str = "",
    y: str = "",
    height: int = HEIGHT,
    xaxis: dict[str, Any] | None = None,
    yaxis: dict[str, Any] | None = None,
) -> go.Figure:
    """Return a figure of one panel in the common frame; it works on light and on dark ground.

    Args:
        x, y: titles of the axes.
        xaxis, yaxis: more of them, as Plotly names it.
    """
    axes = {
        name: AXIS | ({"title": {"text": text}} if text else {}) | (more or {})
        for name, text, more in (("xaxis", x, xaxis), ("yaxis", y, yaxis))
    }
    return go.Figure(traces, _layout(title, height) | axes | {"bargap": 0.0})


def upright(x: str | float) -> dict[str, Any]:
    """Return a dotted line from the bottom to the top of a figure of one panel, as Plotly takes shapes."""
    style = {"color": PLAIN, "dash": "dot", "width": 1.5}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": style}


def level(y: float) -> dict[str, Any]:
    """Return a dotted line across a figure of one panel, as Plotly takes shapes."""
    style = {"color": PLAIN, "dash": "dot", "width": 1.5}
    return {"type": "line", "x0": 0, "x1": 1, "y0": y, "y1": y, "xref": "paper", "line": style}


def framed(figure: go.Figure, title: str, height: int = HEIGHT) -> go.Figure:
    """Give a figure of several panels the common frame."""
    figure.update_layout(_layout(title, height))
    return figure.update_xaxes(AXIS).update_yaxes(AXIS)


def plain_text(text: str) -> str:
    """A user's text as Plotly shows it letter by letter: it would read <b> and the like as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def diagonal(low: float, high: float) -> go.Scatter:
    """The line on which both sides are equal."""
    style = {"color": PLAIN, "dash": "dot", "width": 1}
    return go.Scatter(x=[low, high], y=[low, high], mode="lines", name="equal", line=style, hoverinfo="skip")


def dots(name: str, x: np.ndarray, y: np.ndarray, colour: str, size: int = 4, opacity: float = 0.6) -> go.Scatter:
    """Points without lines."""
    marker = {"color": colour, "size": size, "opacity": opacity}
    pair = (x.astype(np.float32), y.astype(np.float32))
    return go.Scatter(x=pair[0], y=pair[1], mode="markers", name=name, marker=marker)
