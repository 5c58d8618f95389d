"""Figures, built once as Plotly figures for the report, the page and notebooks."""

from dowgan.figures.style import MADE, MOST_POINTS, PLAIN, REAL, thin
from dowgan.figures.tags import (
    distribution,
    dots_and_line,
    fan,
    memory,
    overlay,
    quantiles,
    ramps,
    spectrum,
    states,
)
from dowgan.figures.whole import by_place, cloud, distances, heat, losses, parity, pit, raw

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
    "fan",
    "heat",
    "losses",
    "memory",
    "overlay",
    "parity",
    "pit",
    "quantiles",
    "ramps",
    "raw",
    "spectrum",
    "states",
    "thin",
]
