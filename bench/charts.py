"""Small line charts as SVG text, for pages that must not need a program to be seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
PANEL = (300, 150)  # width and height of a panel's frame
MARGIN = (46, 26, 14, 30)  # left, top, right, bottom of a panel
MOST_POINTS = 600
TICKS = 3


@dataclass(frozen=True)
class Panel:
    """One frame with lines or dots.

    Attributes:
        title: above it.
        lines: name -> (x, y).
        dots: draw points instead of lines.
        log: logarithmic y axis.
        diagonal: also the line y = x.
    """

    title: str
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    dots: bool = False
    log: bool = False
    diagonal: bool = False


def _thin(x: Sequence[float], y: Sequence[float], most: int) -> tuple[np.ndarray, np.ndarray]:
    """At most so many points: the mean of each stretch, without what is no number."""
    a, b = np.asarray(x, float), np.asarray([np.nan if v is None else v for v in y], float)
    known = np.isfinite(b)
    a, b = a[known], b[known]
    parts = np.array_split(np.arange(len(a)), min(most, max(len(a), 1)))
    return np.array([a[p].mean() for p in parts if len(p)]), np.array([b[p].mean() for p in parts if len(p)])


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1e4 else f"{value:,.0f}"


class _Frame:
    """Where values lie within a panel."""

    def __init__(self, panel: Panel, left: float, top: float) -> None:
        self.log = panel.log
        thinned = {n: (_thin(*xy, MOST_POINTS) if not panel.dots else _kept(*xy)) for n, xy in panel.lines.items()}
        self.lines = {n: (x, np.log10(np.maximum(y, 1e-12)) if panel.log else y) for n, (x, y) in thinned.items()}
        xs = np.concatenate([x for x, _ in self.lines.values()] or [np.zeros(1)])
        ys = np.concatenate([y for _, y in self.lines.values()] or [np.zeros(1)])
        if panel.diagonal:
            xs = ys = np.concatenate([xs, ys])
        self.x0, self.x1 = float(xs.min(initial=0.0)), float(xs.max(initial=1e-9))
        self.y0, self.y1 = (float(f(ys)) for f in (np.min, np.max)) if len(ys) else (0.0, 1.0)
        self.y1 += (self.y1 - self.y0 or 1.0) * 0.04
        self.left, self.top = left, top

    def place(self, x: float, y: float) -> str:
        across = self.left + PANEL[0] * (x - self.x0) / (self.x1 - self.x0 or 1.0)
        down = self.top + PANEL[1] * (1 - (y - self.y0) / (self.y1 - self.y0 or 1.0))
        return f"{across:.1f},{down:.1f}"

    def ticks(self) -> list[tuple[float, str]]:
        values = np.linspace(self.y0, self.y1, TICKS)
        return [(float(v), _number(10.0**v if self.log else float(v))) for v in values]


def _kept(x: Sequence[float], y: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    step = max(1, len(x) // (2 * MOST_POINTS))
    return np.asarray(x, float)[::step], np.asarray(y, float)[::step]


def _panel(panel: Panel, left: float, top: float, colours: Mapping[str, str]) -> list[str]:
    frame = _Frame(panel, left, top)
    out = [
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{PANEL[0]}" height="{PANEL[1]}" fill="none" stroke="#999"/>',
        f'<text x="{left:.0f}" y="{top - 7:.0f}" font-weight="bold">{escape(panel.title)}</text>',
    ]
    for value, text in frame.ticks():
        y = frame.place(frame.x0, value).split(",")[1]
        out.append(f'<text x="{left - 5:.0f}" y="{float(y) + 4:.1f}" text-anchor="end">{text}</text>')
    for x, anchor in ((frame.x0, "start"), (frame.x1, "end")):
        across = frame.place(x, frame.y0).split(",")[0]
        out.append(f'<text x="{across}" y="{top + PANEL[1] + 14:.0f}" text-anchor="{anchor}">{_number(x)}</text>')
    if panel.diagonal:
        ends = f"{frame.place(frame.x0, frame.x0)} {frame.place(frame.x1, frame.x1)}"
        out.append(f'<polyline points="{ends}" fill="none" stroke="#999" stroke-dasharray="4 3"/>')
    for name, (x, y) in frame.lines.items():
        points = [frame.place(a, b) for a, b in zip(x, y, strict=True)]
        if panel.dots:
            spots = "".join(f"M{p}h0" for p in points)
            style = 'stroke-width="2.4" stroke-linecap="round" opacity="0.45"'
            out.append(f'<path d="{spots}" fill="none" stroke="{colours[name]}" {style}/>')
        else:
            line = f'fill="none" stroke="{colours[name]}" stroke-width="1.3" opacity="0.85"'
            out.append(f'<polyline points="{" ".join(points)}" {line}/>')
    return out


def chart(panels: Sequence[Panel], across: int = 3) -> str:
    """Return a grid of panels with one legend as SVG."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    across = min(across, len(panels))
    cell = (PANEL[0] + MARGIN[0] + MARGIN[2], PANEL[1] + MARGIN[1] + MARGIN[3])
    width, height = across * cell[0], -(-len(panels) // across) * cell[1] + 22
    body: list[str] = []
    for number, panel in enumerate(panels):
        left, top = (number % across) * cell[0] + MARGIN[0], (number // across) * cell[1] + MARGIN[1]
        body += _panel(panel, left, top, colours)
    place = MARGIN[0]
    for name in names:
        body.append(f'<rect x="{place}" y="{height - 16}" width="12" height="4" fill="{colours[name]}"/>')
        body.append(f'<text x="{place + 17}" y="{height - 10}">{escape(name)}</text>')
        place += 40 + 7 * len(name)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    style = 'font-family="sans-serif" font-size="11" fill="#222"'
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    return f"{head} {style}>{ground}{''.join(body)}</svg>\n"
