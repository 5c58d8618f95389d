"""Figures of one tag, real beside generated.

Shapes: T rows, K rows of all runs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from dowgan.figures.style import (
    LOGARITHMIC,
    MADE,
    REAL,
    TALL,
    along,
    diagonal,
    dots,
    drawn,
    is_time,
    line,
    plain_text,
    time_axis,
    upright,
)
from dowgan.metrics.spectrum import power

Series = Sequence[Float[np.ndarray, " _"]]
BINS = 48
LAGS = 120
CROSS_LAGS = 24
SEGMENT = 256  # most steps of a piece whose power is averaged
LEVELS = np.concatenate([[0.001, 0.003], np.linspace(0.01, 0.99, 99), [0.997, 0.999]])


def overlay(
    real: Float[np.ndarray, " T"],
    made: Float[np.ndarray, " _"],
    tag: str,
    x: np.ndarray | None = None,
    made_x: np.ndarray | None = None,
    title: str = "over time",
    selectable: bool = False,
) -> go.Figure:
    """Draw a real and a generated series of one tag over each other, zoomable (S1, S5).

    Args:
        x, made_x: times or numbers of the rows; None numbers them.
        selectable: with a strip beneath in which a window of time is selected.
    """
    own = np.arange(len(real)) if x is None else x
    other = own[: len(made)] if made_x is None and len(made) <= len(own) else made_x
    other = np.arange(len(made)) if other is None else other
    traces = [line("real", own, real, REAL), line("generated", other, made, MADE)]
    window = {"rangeslider": {"visible": True, "thickness": 0.09}} if selectable else {}
    return drawn(traces, f"{tag} {title}", height=TALL + 60 * selectable, xaxis=time_axis(own) | window)


def _sides(real: Series, made: Series) -> tuple[tuple[str, Series, str], ...]:
    return ("real", real, REAL), ("generated", made, MADE)


def _joined(series: Series) -> Float[np.ndarray, " K"]:
    every = np.concatenate(list(series))
    return every[~np.isnan(every)]


def _edges(real: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Bins of both, whole numbers apart where the values are whole and few."""
    if not len(real) and not len(made):
        return np.array([-0.5, 0.5])
    low, high = np.quantile(np.concatenate([real, made]), [0.001, 0.999])
    if high <= low:
        return np.array([low - 0.5, low + 0.5])
    whole = bool(np.all(real[:1000] == np.rint(real[:1000])))
    step = max(1.0, np.ceil((high - low) / BINS)) if whole else (high - low) / BINS
    return low - step / 2 + step * np.arange(int((high - low) / step) + 2)


def _histogram(
    real: np.ndarray, made: np.ndarray, title: str, x: str, yaxis: dict[str, Any] | None = None
) -> go.Figure:
    edges = _edges(real, made)
    middles = (edges[1:] + edges[:-1]) / 2
    ours, theirs = (np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] / max(len(v), 1) for v in (real, made))
    bars = go.Bar(x=middles, y=ours, name="real", marker={"color": REAL, "opacity": 0.45, "line": {"width": 0}})
    steps = go.Scatter(
        x=middles, y=theirs, name="generated", mode="lines", line={"color": MADE, "width": 2, "shape": "hvh"}
    )
    return drawn([bars, steps], title, x, "share of rows", yaxis=yaxis)


def distribution(real: Series, made: Series, tag: str) -> go.Figure:
    """Draw how often each value occurs, real as bars and generated as a line."""
    return _histogram(_joined(real), _joined(made), f"{tag}: distribution", "value")


def quantiles(real: Series, made: Series, tag: str) -> go.Figure:
    """Draw quantiles of generated against quantiles of real values."""
    own, other = (np.quantile(_joined(v), LEVELS) for v in (real, made))
    ends = float(min(own[0], other[0])), float(max(own[-1], other[-1]))
    traces = [diagonal(*ends), dots("quantiles", own, other, MADE, 5)]
    return drawn(traces, f"{tag}: quantile against quantile", "real", "generated")


def ramps(real: Series, made: Series, tag: str) -> go.Figure:
    """Draw how often each change from one step to the next occurs, on a logarithmic scale."""
    ours, theirs = (_joined([np.diff(v) for v in side]) for side in (real, made))
    return _histogram(ours, theirs, f"{tag}: ramp rates", "change per step", LOGARITHMIC)


def _correlation(early: Series, late: Series, lags: int) -> Float[np.ndarray, " L"]:
    """Correlation of one series with another so many rows later, over all runs with their common mean, without gaps."""
    (a, known), (b, also) = _centred(early), _centred(late)
    found = [_products(a, b, h) / max(_products(known, also, h), 1.0) for h in range(lags + 1)]
    return np.array(found) / (_deviation(a, known) * _deviation(b, also) + 1e-300)


def _centred(series: Series) -> tuple[Series, Series]:
    mean = _joined(series).mean()
    return [np.nan_to_num(v - mean) for v in series], [(~np.isnan(v)).astype(float) for v in series]


def _deviation(centred: Series, known: Series) -> float:
    return float(np.sqrt(_products(centred, centred, 0) / max(_products(known, known, 0), 1.0)))


def _products(early: Series, late: Series, lag: int) -> float:
    return float(sum(a[: len(a) - lag] @ b[lag:] for a, b in zip(early, late, strict=True) if len(a) > lag))


def memory(real: Series, made: Series, tag: str) -> go.Figure:
    """Draw the autocorrelation of real and of generated rows."""
    lags = _lags(real, made, LAGS)
    at = np.arange(lags + 1)
    traces = [
        line(name, at, _correlation(side, side, lags), colour, width=2) for name, side, colour in _sides(real, made)
    ]
    return drawn(traces, f"{tag}: autocorrelation", "lag in steps", "correlation")


def _lags(real: Series, made: Series, most: int) -> int:
    return max(1, min(most, max(map(len, real)) // 3, max(map(len, made)) // 3))


def crossed(real: tuple[Series, Series], made: tuple[Series, Series], tag: str, other: str) -> go.Figure:
    """Draw the correlation of a tag with another one at lags: on the right the other one comes later.

    Args:
        real, made: runs of the tag, and of the other one.
    """
    lags = _lags(real[0], made[0], CROSS_LAGS)
    traces = []
    for name, (own, tied), colour in (("real", real, REAL), ("generated", made, MADE)):
        before, behind = _correlation(tied, own, lags)[:0:-1], _correlation(own, tied, lags)
        found = np.append(before, behind)
        traces.append(line(name, np.arange(-lags, lags + 1), found, colour, width=2))
    return drawn(traces, f"{tag} with {other}, by lag", f"steps that {other} is later", "correlation")


def _filled(series: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """Gaps bridged by straight lines, since a spectrum needs whole pieces."""
    known = ~np.isnan(series)
    if known.all() or not known.any():
        return series
    return np.interp(np.arange(len(series)), np.flatnonzero(known), series[known])


def _power(series: Series, steps: int) -> Float[np.ndarray, " F"]:
    pieces = [
        np.lib.stride_tricks.sliding_window_view(_filled(v), steps)[:: steps // 2] for v in series if len(v) >= steps
    ]
    return power(np.concatenate(pieces)[:, :, None])[:, 0]


def spectrum(real: Series, made: Series, tag: str) -> go.Figure:
    """Draw the power at each frequency, in units of the real variance, both axes logarithmic (Welch 1967)."""
    steps = max(8, min(SEGMENT, max(map(len, real)) // 2, max(map(len, made)) // 2))
    variance = float(_joined(real).var()) or 1.0
    period = steps / np.arange(1, steps // 2 + 1)
    traces = []
    for name, side, colour in _sides(real, made):
        if max(map(len, side)) >= steps:
            shown = (_power(side, steps) / variance).astype(np.float32)
            traces.append(go.Scatter(x=period, y=shown, name=name, mode="lines", line={"color": colour, "width": 1.6}))
    xaxis = {"type": "log", "autorange": "reversed", "tickvals": [2**k for k in range(1, 12)]}
    return drawn(traces, f"{tag}: spectrum", "period in steps", "power", xaxis=xaxis, yaxis=LOGARITHMIC)


def states(real: Series, made: Series, tag: str, levels: Sequence[object]) -> go.Figure:
    """Draw the share of rows in each state, for categories and truth values."""
    names = [plain_text(str(level)) for level in levels]
    traces = []
    for name, side, colour in _sides(real, made):
        values = _joined(side)
        shares = [float((values == code).mean()) for code in range(len(levels))]
        traces.append(go.Bar(x=names, y=shares, name=name, marker={"color": colour}))
    return drawn(traces, f"{tag}: share of each state", "", "share of rows", xaxis={"type": "category"})


def sides(real: Series, made: Series, tag: str) -> go.Figure:
    """Draw how long a number stays on one side of its real median, as `dwell` does."""
    middle = np.median(_joined(real))
    own, other = ([np.where(np.isnan(v), np.nan, v > middle) for v in side] for side in (real, made))
    return dwell(own, other, tag, "how long it stays on one side of its median")


def dwell(real: Series, made: Series, tag: str, title: str = "how long a state lasts") -> go.Figure:
    """Draw how long a state lasts: the share of stays that are at least so many rows long, both axes logarithmic."""
    traces = []
    for name, side, colour in _sides(real, made):
        stays = np.sort(np.concatenate([_stays(v) for v in side]))
        if len(stays):
            share = 1 - np.arange(len(stays)) / len(stays)
            style = {"color": colour, "width": 2, "shape": "hv"}
            traces.append(go.Scatter(x=stays, y=share, name=name, mode="lines", line=style))
    axis = {"type": "log"}
    return drawn(traces, f"{tag}: {title}", "rows", "share of stays at least as long", xaxis=axis, yaxis=LOGARITHMIC)


def _stays(values: Float[np.ndarray, " T"]) -> Float[np.ndarray, " S"]:
    """Rows between two changes of state; gaps are left out."""
    known = values[~np.isnan(values)]
    ends = np.flatnonzero(np.append(np.diff(known) != 0, True)) if len(known) else np.empty(0, int)
    return np.diff(np.append(-1, ends)).astype(float)


def dots_and_line(
    truth: Float[np.ndarray, " T"],
    middle: Float[np.ndarray, " T"],
    factor: int,
    tag: str,
    x: np.ndarray | None = None,
    band: tuple[np.ndarray, np.ndarray] | None = None,
) -> go.Figure:
    """Draw the given points as dots, the densified series as a line, and the hidden truth.

    Args:
        band: lower and upper end of the 90 % band, None for none.
    """
    own = np.arange(len(truth)) if x is None else x
    traces = _band(own, *band, "90 % band", 0.18) if band is not None else []
    traces += [line("hidden truth", own, truth, REAL, dash="dot"), line("new points", own, middle, MADE, width=1.8)]
    at = along(own, np.arange(0, len(truth), factor, dtype=float))
    shown = truth[::factor].astype(np.float32)
    marker = {"color": REAL, "size": 6}
    traces.append(go.Scatter(**at, y=shown, mode="markers", name="original points", marker=marker))
    return drawn(traces, f"{tag}: densified {factor} times", height=TALL, xaxis=time_axis(own))


def _band(x: np.ndarray, low: np.ndarray, high: np.ndarray, name: str, opacity: float) -> list[go.Scatter]:
    at = along(x, np.arange(len(x), dtype=float))
    fill = {"fillcolor": f"rgba(232,113,10,{opacity})", "line": {"width": 0}, "mode": "lines", "hoverinfo": "skip"}
    under = go.Scatter(**at, y=low.astype(np.float32), showlegend=False, legendgroup=name, **fill)
    upper = high.astype(np.float32)
    return [under, go.Scatter(**at, y=upper, fill="tonexty", name=name, legendgroup=name, **fill)]


def fan(
    history: Float[np.ndarray, " T"],
    truth: Float[np.ndarray, " H"] | None,
    paths: Float[np.ndarray, "P H"],
    tag: str,
    x: np.ndarray | None = None,
) -> go.Figure:
    """Draw history, the fan of paths (50 and 90 %), their median, and what came; the join is marked.

    Args:
        history: may be empty.
        truth: None where it is not known.
        x: times or numbers of history and continuation, T + H of them.
    """
    steps = paths.shape[1]
    kept = min(len(history), max(3 * steps, 60))
    own = np.arange(len(history) + steps) if x is None else x
    before, ahead = own[len(history) - kept : len(history)], own[len(history) :]
    traces = []
    for share, opacity in ((0.9, 0.16), (0.5, 0.3)):
        low, high = np.quantile(paths, [(1 - share) / 2, (1 + share) / 2], axis=0)
        traces += _band(ahead, low, high, f"{share:.0%} of the paths", opacity)
    if kept:
        traces.append(line("history", before, history[-kept:], REAL))
    if truth is not None:
        traces.append(line("what came", ahead, truth, REAL, dash="dot", width=1.8))
    traces.append(line("median", ahead, np.median(paths, axis=0), MADE, width=2))
    title = f"{tag}: extended by {steps} steps"
    join = ahead[0].astype("datetime64[ms]").astype(str) if is_time(own) else float(ahead[0])
    return drawn(traces, title, height=TALL, xaxis=time_axis(own)).update_layout(shapes=[upright(join)])
