"""Figures, built once as Plotly figures for the report, the page and notebooks.

Shapes: T rows, C columns, H new rows, P paths, N windows.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

MOST_POINTS = 2_000  # of a trace
REAL, MADE, PLAIN = "#4c78a8", "#e45756", "#9d9da1"


def thin(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return at most MOST_POINTS of the values with their places."""
    step = max(1, -(-len(values) // MOST_POINTS))
    place = np.arange(0, len(values), step)
    return place, np.round(values[place].astype(float), 6)


def _frame(figure: go.Figure, title: str, x: str = "", y: str = "") -> go.Figure:
    figure.update_layout(
        title=title,
        height=360,
        margin={"l": 50, "r": 16, "t": 48, "b": 44},
        legend={"orientation": "h", "y": -0.2},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": "#888"},
        xaxis_title=x,
        yaxis_title=y,
    )
    figure.update_xaxes(gridcolor="rgba(128,128,128,.25)", zerolinecolor="rgba(128,128,128,.25)")
    figure.update_yaxes(gridcolor="rgba(128,128,128,.25)", zerolinecolor="rgba(128,128,128,.25)")
    return figure


def line(name: str, values: np.ndarray, colour: str, start: int = 0, **style: object) -> go.Scatter:
    """Return one thinned line."""
    place, shown = thin(values)
    return go.Scatter(x=place + start, y=shown, name=name, mode="lines", line={"color": colour, "width": 1.2} | style)


def overlay(real: np.ndarray, made: np.ndarray, tag: str) -> go.Figure:
    """Draw a real and a generated series of one tag above each other, zoomable (S1, S5)."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, shared_yaxes=True, vertical_spacing=0.06)
    figure.add_trace(line("real", real, REAL), row=1, col=1)
    figure.add_trace(line("generated", made, MADE), row=2, col=1)
    return _frame(figure, f"{tag} over time", "", "")


def distribution(real: np.ndarray, made: np.ndarray, tag: str) -> go.Figure:
    """Draw quantiles of generated against quantiles of real values."""
    levels = np.linspace(0.002, 0.998, 200)
    own, other = np.nanquantile(real, levels), np.nanquantile(made, levels)
    figure = go.Figure()
    ends = [float(min(own[0], other[0])), float(max(own[-1], other[-1]))]
    figure.add_trace(go.Scatter(x=ends, y=ends, mode="lines", name="equal", line={"color": PLAIN, "dash": "dot"}))
    figure.add_trace(go.Scatter(x=own, y=other, mode="markers", name="quantiles", marker={"color": MADE, "size": 4}))
    return _frame(figure, f"{tag}: quantiles", "real", "generated")


def _autocorrelation(values: np.ndarray, lags: int) -> np.ndarray:
    centred = np.nan_to_num(values - np.nanmean(values))
    power = float(centred @ centred) + 1e-12
    return np.array([1.0] + [float(centred[h:] @ centred[:-h]) / power for h in range(1, lags + 1)])


def memory(real: np.ndarray, made: np.ndarray, tag: str) -> go.Figure:
    """Draw the autocorrelation of a real and a generated series."""
    lags = int(min(100, len(real) // 3, len(made) // 3))
    figure = go.Figure(
        [line("real", _autocorrelation(real, lags), REAL), line("generated", _autocorrelation(made, lags), MADE)]
    )
    return _frame(figure, f"{tag}: autocorrelation", "lag in steps", "")


def correlations(real: Float[np.ndarray, "T C"], made: Float[np.ndarray, "T C"], names: Sequence[str]) -> go.Figure:
    """Draw the correlations between tags: real, generated, difference."""
    parts = []
    for values in (real, made):
        known = values[~np.isnan(values).any(axis=1)]
        centred = (known - known.mean(axis=0)) / (known.std(axis=0) + 1e-12)
        parts.append(np.round(centred.T @ centred / max(len(known), 1), 3))
    figure = make_subplots(rows=1, cols=3, subplot_titles=("real", "generated", "difference"))
    for column, z in enumerate((*parts, parts[1] - parts[0]), start=1):
        figure.add_trace(
            go.Heatmap(z=z, x=list(names), y=list(names), zmin=-1, zmax=1, colorscale="RdBu", showscale=column == 3),
            row=1,
            col=column,
        )
    return _frame(figure, "correlations between tags")


def cloud(real: Float[np.ndarray, "N U"], made: Float[np.ndarray, "N U"]) -> go.Figure:
    """Draw flattened windows on the first two principal axes of the real ones, and by t-SNE (U7)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    centre, spread = real.mean(axis=0), real.std(axis=0) + 1e-9
    both = np.concatenate([(real - centre) / spread, (made - centre) / spread])
    axes = PCA(2, random_state=0).fit(both[: len(real)]).transform(both)
    near = TSNE(2, random_state=0, init="pca", perplexity=min(30, len(both) // 4)).fit_transform(both)
    figure = make_subplots(rows=1, cols=2, subplot_titles=("PCA", "t-SNE"))
    for column, places in enumerate((axes, near), start=1):
        for name, colour, part in (("real", REAL, slice(0, len(real))), ("generated", MADE, slice(len(real), None))):
            spots = np.round(places[part], 3)
            marker = {"color": colour, "size": 4, "opacity": 0.5}
            trace = go.Scatter(
                x=spots[:, 0], y=spots[:, 1], mode="markers", name=name, marker=marker, showlegend=column == 1
            )
            figure.add_trace(trace, row=1, col=column)
    return _frame(figure, "windows as points")


def losses(
    steps: Sequence[int],
    curves: Mapping[str, Sequence[float]],
    checks: Sequence[int],
    fidelity: Sequence[float],
    chosen: int,
) -> go.Figure:
    """Draw both players' losses per step and, beneath, the held-out fidelity with the chosen step (S4)."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1)
    for (name, curve), colour in zip(curves.items(), (REAL, MADE, PLAIN), strict=False):
        figure.add_trace(
            go.Scatter(x=list(steps), y=list(curve), name=name, line={"color": colour, "width": 1}), row=1, col=1
        )
    figure.add_trace(
        go.Scatter(x=list(checks), y=list(fidelity), name="held-out fidelity", mode="lines+markers"), row=2, col=1
    )
    figure.add_vline(x=chosen, line_dash="dot", row=2, col=1)
    return _frame(figure, "training: losses, and the held-out fidelity that chooses the weights", "step")


def parity(truth: np.ndarray, guess: np.ndarray, r2: float | None, verb: str) -> go.Figure:
    """Draw predicted against true values of all tags, in standard deviations (S8)."""
    known = ~np.isnan(truth) & ~np.isnan(guess)
    spread, centre = np.nanstd(truth, axis=0) + 1e-12, np.nanmean(truth, axis=0)
    x, y = (((v - centre) / spread)[known] for v in (truth, guess))
    pick = thin(x)[0]
    figure = go.Figure()
    ends = [float(x.min()), float(x.max())]
    figure.add_trace(go.Scatter(x=ends, y=ends, mode="lines", name="equal", line={"color": PLAIN, "dash": "dot"}))
    marker = {"color": MADE, "size": 3, "opacity": 0.5}
    figure.add_trace(
        go.Scatter(x=np.round(x[pick], 4), y=np.round(y[pick], 4), mode="markers", name="values", marker=marker)
    )
    told = "" if r2 is None else f", R² = {r2:.3f}"
    return _frame(figure, f"{verb}: true against predicted{told}", "true (standard deviations)", "predicted")


def dots_and_line(truth: np.ndarray, middle: np.ndarray, factor: int, tag: str) -> go.Figure:
    """Draw the given points as dots, the densified series as a line, and the hidden truth."""
    rows = min(len(truth), 60 * factor)
    given = np.arange(0, rows, factor)
    figure = go.Figure([line("hidden truth", truth[:rows], PLAIN), line("densified", middle[:rows], MADE)])
    marker = {"color": REAL, "size": 6}
    figure.add_trace(go.Scatter(x=given, y=truth[:rows][given], mode="markers", name="given", marker=marker))
    return _frame(figure, f"{tag}: densified {factor} times", "row", "")


def fan(history: np.ndarray, truth: np.ndarray, paths: Float[np.ndarray, "P H"], tag: str) -> go.Figure:
    """Draw history, the fan of paths (50 and 90 %), their median, and what came; the join is marked."""
    shown = history[-3 * len(truth) :]
    ahead = np.arange(len(truth)) + len(shown)
    figure = go.Figure(line("history", shown, REAL))
    for share, opacity in ((0.9, 0.15), (0.5, 0.3)):
        low, high = np.quantile(paths, [(1 - share) / 2, (1 + share) / 2], axis=0)
        band = go.Scatter(
            x=np.concatenate([ahead, ahead[::-1]]),
            y=np.round(np.concatenate([high, low[::-1]]), 6),
            fill="toself",
            fillcolor=f"rgba(228,87,86,{opacity})",
            line={"width": 0},
            name=f"{share:.0%} of the paths",
        )
        figure.add_trace(band)
    figure.add_trace(line("median", np.median(paths, axis=0), MADE, len(shown)))
    figure.add_trace(line("what came", truth, PLAIN, len(shown), dash="dot"))
    figure.add_vline(x=len(shown) - 0.5, line_dash="dot")
    return _frame(figure, f"{tag}: extended", "row", "")


def by_place(errors: Mapping[str, Sequence[float | None]], title: str, x: str) -> go.Figure:
    """Draw the mean absolute error by position in the gap or by horizon, beside the plain methods."""
    place = list(errors["place"])
    names = [name for name in errors if name != "place"]
    figure = go.Figure()
    for name in names:
        style = {"color": MADE, "width": 2} if name == "model" else {"width": 1}
        figure.add_trace(go.Scatter(x=place, y=list(errors[name]), name=name.replace("_", " "), line=style))
    return _frame(figure, title, x, "error in standard deviations")
