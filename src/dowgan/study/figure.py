"""The figure of a study: a grid of losses, the fidelity beneath."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dowgan.study.trial import Outcome

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLOURS = {"critic": "#0072B2", "generator": "#D55E00", "fidelity": "#009E73"}
PANEL = 260  # height of a panel in pixels


def study_figure(outcomes: Sequence[Outcome]) -> "Figure":
    """Return the grid of figures: both players' losses by step, beneath each the held-out fidelity.

    The last axis goes across, the others go down; each seed is a line.
    """
    from plotly.subplots import make_subplots

    points = list(dict.fromkeys(tuple(o.point.items()) for o in outcomes))
    across = len(dict.fromkeys(p[-1] for p in points))
    down = -(-len(points) // across)
    names = [", ".join(f"{k}={v}" for k, v in p) for p in points]
    titles = [t for row in range(down) for t in [*names[row * across : (row + 1) * across], *[""] * across]]
    figure = make_subplots(2 * down, across, subplot_titles=titles, vertical_spacing=0.3 / (2 * down))
    shown: set[str] = set()
    for place, point in enumerate(points):
        row, column = 2 * (place // across) + 1, place % across + 1
        for outcome in (o for o in outcomes if tuple(o.point.items()) == point):
            _draw(figure, outcome, row, column, shown)
        figure.update_xaxes(title_text="generator step", row=row + 1, col=column)
    for row in range(down):
        figure.update_yaxes(title_text="loss", row=2 * row + 1, col=1)
        figure.update_yaxes(title_text="held-out fidelity", row=2 * row + 2, col=1)
    figure.update_layout(
        height=2 * down * PANEL, template="plotly_white", title="Losses, and fidelity (lower is better)"
    )
    return figure


def _draw(figure: "Figure", outcome: Outcome, row: int, column: int, shown: set[str]) -> None:
    curves = {k: v for k, v in (outcome.losses or {}).items() if k in ("critic", "generator")}
    for name, values in curves.items():
        _line_of(figure, name, outcome.curve, values, row, column, shown)
    _line_of(figure, "fidelity", outcome.checks, outcome.fidelity, row + 1, column, shown)


def _line_of(
    figure: "Figure", name: str, x: Sequence[int], y: Sequence[Any], row: int, column: int, shown: set[str]
) -> None:
    from plotly.graph_objects import Scatter

    line = Scatter(
        x=x, y=y, name=name, legendgroup=name, showlegend=name not in shown, mode="lines", opacity=0.7,
        line={"color": COLOURS[name], "width": 1.3},
    )  # fmt: skip
    shown.add(name)
    figure.add_trace(line, row=row, col=column)
