"""Draw the picture of the README from the simulated plant: the three verbs on rows that the model has not seen.

    python bench/picture.py [-o docs/three-verbs.png]

The prior alone is fitted to the first three quarters of the plant's record. Needs a Chromium to draw with.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dowgan import Synthesizer
from dowgan.demo import simulate

TAG = "reactor_temp"
SIZE = (1200, 400)
FACTOR, STEPS, SHOWN = 4, 72, 240
REAL, MADE, TRUTH = "#5b6470", "#0072B2", "#D55E00"


def line(frame: pd.DataFrame, name: str, colour: str, legend: str, **style: object) -> go.Scatter:
    """One tag over time."""
    return go.Scatter(
        x=frame["time"], y=frame[TAG], name=name, legend=legend, line={"color": colour, "width": 1.6, **style}
    )


def draw() -> go.Figure:
    """Fit, generate, densify and extend; three panels beside each other."""
    plant = simulate(seed=0)
    cut = len(plant.table) * 3 // 4
    early, late, truth = plant.table[:cut], plant.table[cut:], plant.truth[cut:]
    model = Synthesizer("prior", conditions=["grade", "temp_sp"], random_state=0).fit(early)
    titles = (
        "<b>generate</b>: another record like it",
        f"<b>densify</b>: {FACTOR} steps where there was one",
        f"<b>extend</b>: the {STEPS} steps that follow",
    )
    figure = make_subplots(1, 3, subplot_titles=titles, horizontal_spacing=0.05)
    new = model.generate(rows=SHOWN, random_state=1)
    figure.add_traces(
        [line(early[:SHOWN], "the plant", REAL, "legend"), line(new, "generated", MADE, "legend")], rows=1, cols=1
    )
    coarse = late[: 4 * FACTOR * 8 + 1 : FACTOR]
    finer = model.densify(coarse, factor=FACTOR)
    dots = go.Scatter(
        x=coarse["time"],
        y=coarse[TAG],
        name="known",
        legend="legend2",
        mode="markers",
        marker={"color": REAL, "size": 6},
    )
    figure.add_traces(
        [
            line(truth[: len(finer)], "noise-free truth", TRUTH, "legend2", dash="dot"),
            line(finer, "densified", MADE, "legend2"),
            dots,
        ],
        rows=1,
        cols=2,
    )
    history, coming = late[:144], late[144 : 144 + STEPS]
    later = model.extend(history, steps=STEPS)
    band = later.band(0.9)
    edge = go.Scatter(
        x=np.concatenate([band["time"], band["time"][::-1]]),
        y=np.concatenate([band[f"{TAG}_lo90"], band[f"{TAG}_hi90"][::-1]]),
        fill="toself",
        fillcolor="rgba(0,114,178,.18)",
        line={"width": 0},
        name="90 % band",
        legend="legend3",
    )
    figure.add_traces(
        [
            line(history[-96:], "known", REAL, "legend3"),
            edge,
            line(later.median, "median", MADE, "legend3"),
            line(coming, "what came", TRUTH, "legend3", dash="dot"),
        ],
        rows=1,
        cols=3,
    )
    return styled(figure)


def styled(figure: go.Figure) -> go.Figure:
    """White ground, one legend under each panel, degrees on the left."""
    figure.update_layout(
        template="plotly_white",
        width=SIZE[0],
        height=SIZE[1],
        margin={"l": 60, "r": 20, "t": 50, "b": 70},
        font={"family": "DejaVu Sans, Arial, sans-serif", "size": 13},
    )
    for number, x in ((1, 0.0), (2, 0.35), (3, 0.70)):
        name = "legend" if number == 1 else f"legend{number}"
        figure.update_layout({name: {"orientation": "h", "x": x, "y": -0.12, "font": {"size": 12}}})
    figure.update_yaxes(title_text="reactor_temp, °C", row=1, col=1)
    figure.update_xaxes(tickformat="%d %b", nticks=5)
    return figure


def main() -> None:
    """Draw it into a PNG."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("docs/three-verbs.png"))
    out = parser.parse_args().out
    browser = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if browser is None:
        parser.exit(1, "No Chromium was found to draw the picture with.\n")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(draw().to_html(include_plotlyjs=True, config={"staticPlot": True}), encoding="utf-8")
        size = f"--window-size={SIZE[0]},{SIZE[1]}"
        words = ["--headless", "--no-sandbox", "--hide-scrollbars", "--virtual-time-budget=8000", size]
        subprocess.run(
            [browser, *words, f"--screenshot={out.resolve()}", page.as_uri()], check=True, capture_output=True
        )


if __name__ == "__main__":
    main()
