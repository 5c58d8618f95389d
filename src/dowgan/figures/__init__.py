"""Figures, built once as Plotly figures for the report, the page and notebooks."""

from dowgan.figures.style import MADE, MOST_POINTS, PLAIN, REAL, thin
from dowgan.figures.tags import (
    crossed,
    distribution,
    dots_and_line,
    dwell,
    fan,
    memory,
    overlay,
    quantiles,
    ramps,
    sides,
    spectrum,
    states,
)
from dowgan.figures.whole import by_place, cloud, covered, distances, gaps, heat, losses, parity, pit, raw, rhythm

__all__ = [
    "MADE",
    "MOST_POINTS",
    "PLAIN",
    "REAL",
    "by_place",
    "cloud",
    "covered",
    "crossed",
    "distances",
    "distribution",
    "dots_and_line",
    "dwell",
    "fan",
    "gaps",
    "heat",
    "losses",
    "memory",
    "overlay",
    "parity",
    "pit",
    "quantiles",
    "ramps",
    "raw",
    "rhythm",
    "sides",
    "spectrum",
    "states",
    "thin",
]
