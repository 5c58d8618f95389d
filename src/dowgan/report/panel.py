"""One figure of the report and what is said of it, and the series that all are drawn from.

Shapes: N rows, C columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.io.json import to_json_plotly

from dowgan.evaluate import Ahead, Dense
from dowgan.model import Training
from dowgan.report.backtest import Lane
from dowgan.table import Column

NOTES = {
    "raw": "The real table as it was read, each tag on its own scale. Look for gaps, steps and odd stretches first.",
    "overlay": "Good: the same kind of movement at the same level, not the same values at the same time. Drag to zoom, "
    "or select a window in the strip.",
    "subset": "A closer look. Good: the generated line is as rough or as smooth as the real one.",
    "distribution": "Good: the line follows the bars, also at the ends.",
    "quantiles": "Good: the points lie on the line; a bent end is a tail that is too short or too long.",
    "memory": "Good: both lines fall together, and rise again at the same seasons.",
    "spectrum": "Good: both lines lie together; more at short periods is noise, less is smoothing, peaks are seasons.",
    "ramps": "Good: both shapes agree down to the rare large changes at the sides.",
    "dwell": "Good: both lines fall together; a line further left is a process that changes its state too often.",
    "sides": "How many rows it stays above or below the real median at a time. Good: both lines fall together; a line "
    "further left is a process that crosses it too often.",
    "crossed": "The tag that it is tied to most. Good: both lines have the same shape, and peak at the same lag.",
    "seams": "The most striking block length that the seam test found. Good: the generated line has no spike that the "
    "real one lacks.",
    "gaps": "Good: generated rows have no gaps at all, or about as many as the real ones.",
    "states": "Good: the bars of each state are of equal height.",
    "real": "How the real tags move together.",
    "made": "Good: the same picture as the real one.",
    "off": "Generated minus real. Good: pale all over; a coloured row is a tag that is tied to the others wrongly.",
    "lagged": "Mean difference of the correlations over all lags. Good: pale all over; it also sees a late tag.",
    "pca": "Each point is one window of rows. Good: the two colours cover the same area in the same density.",
    "tsne": "Good: the two colours are mixed everywhere. An island of one colour is something missing or made up; "
    "distances between islands mean nothing.",
    "distances": "Good: the generated line lies nowhere under the other one, least of all at the left: a copy has 0.",
    "losses": "Good: the fidelity falls and levels off, and its lowest point was chosen. A critic whose loss goes to "
    "zero has won, and the generator learns nothing more.",
    "parity": "Good: the points lie on the line. This is a fair test, since each hidden value has a true one.",
    "position": "Good: the model's line is the lowest; all rise in the middle of the gap, furthest from known rows.",
    "horizon": "Good: the model's line is the lowest at every horizon.",
    "covered": "Good: all bars near the dotted line. A lower one is a tag whose bands are too narrow.",
    "pit": "Good: all bars near the dotted line. High ends are paths that are too narrow, a high middle too wide.",
    "dense": "Dots are the original points, kept as they are. Good: the line of new points meets the hidden truth "
    "between them, and nine of ten true values lie in the band.",
    "fan": "The dotted upright line marks the join. Good: what came lies in the dark band half of the time and in the "
    "light one nine times of ten.",
}


@dataclass(frozen=True)
class Panel:
    """One figure with the sentence that says what good looks like.

    Attributes:
        section: heading that it stands under; the tag's name if `tag`.
        note: the sentence.
        figure: to draw.
        tag: whether it is about one tag.
        wide: whether it takes the whole width.
    """

    section: str
    note: str
    figure: go.Figure
    tag: bool = False
    wide: bool = False

    def to_json(self) -> str:
        """The figure as JSON without the template, safe inside of a script element."""
        plain = self.figure.to_plotly_json()
        plain["layout"].pop("template", None)
        return str(to_json_plotly(plain)).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@dataclass(frozen=True)
class Material:
    """What the figures are drawn from.

    Attributes:
        columns: the channels.
        real, made: runs in the user's units.
        dense, ahead: backtests, with the rows that they are about; numbers only.
        training: record of the fit, None if there is no model.
    """

    columns: tuple[Column, ...]
    real: tuple[Lane, ...]
    made: tuple[Lane, ...]
    dense: tuple[tuple[Lane, Dense], ...]
    ahead: tuple[tuple[Lane, Ahead], ...]
    training: Training | None

    @property
    def names(self) -> list[str]:
        return [c.name for c in self.columns]

    @property
    def numbers(self) -> list[str]:
        """Names of the channels of the backtests."""
        return [c.name for c in self.columns if c.kind in ("float", "integer") and c.role == "value"]


def number_text(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}" if 0.01 <= abs(value) < 100 else f"{value:.2g}"
