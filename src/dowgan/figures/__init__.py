"""Figures, built once as Plotly figures for the report, the page and notebooks."""

from dowgan.figures.style import MADE, MOST_POINTS, PLAIN, REAL, thin
from dowgan.figures.tags import (
    distribution,
    dots_and_line,
    dwell,
    fan,
    memory,
    overlay,
    quantiles,
    ramps,
    spectrum,
    states,
)
from dowgan.figures.whole import by_place, cloud, distances, gaps, heat, losses, parity, pit, raw, rhythm

__all__ = [
    "MADE",
    "MOST_POINTS",
    "PLAIN",
    "REAL",
    "by_place",
    "cloud",
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
    "spectrum",
    "states",
    "thin",
]
