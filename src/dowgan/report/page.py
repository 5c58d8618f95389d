"""The report as an object and as one self-contained HTML file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader

from dowgan.errors import OptionError
from dowgan.evaluate import Judgement
from dowgan.files import write_whole

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Panel:
    """One figure with the sentence that says what good looks like.

    Attributes:
        section: heading that it stands under.
        note: the sentence.
        figure: Plotly JSON.
    """

    section: str
    note: str
    figure: str


@dataclass(frozen=True)
class Report:
    """Scores, verdict and figures.

    Attributes:
        scores: plain nested data. "generate": {"metrics": {name: {title, better, value, floor, floor_worst, naive,
            ratio, mark, tags}}, "spread", "seams", "memorisation"}; "densify" and "extend": {"model", "naive", "tags",
            "coverage_90", ...}; "about": seed, versions, digest, recipe, seconds, how the rows were split.
        verdict: sentences, the whole of each verb first.
        panels: figures in reading order.
    """

    scores: dict[str, Any]
    verdict: tuple[Judgement, ...]
    panels: tuple[Panel, ...]

    def to_json(self) -> str:
        """Return scores and verdict as one line of JSON."""
        return json.dumps(self.scores | {"verdict": [j.to_dict() for j in self.verdict]})

    def to_frame(self) -> DataFrame:
        """Return one row per score: verb, score, value, floor, naive, mark."""
        import pandas as pd

        return pd.DataFrame(_rows(self.scores), columns=["verb", "score", "value", "floor", "naive", "better", "mark"])

    def to_html(self, path: str | Path) -> None:
        """Write the report whole or not at all.

        Raises:
            OptionError: the file cannot be written.
        """
        from plotly.offline import get_plotlyjs

        page = Environment(loader=PackageLoader("dowgan.report"), autoescape=True).get_template("report.html.j2")
        text = page.render(
            verdict=self.verdict,
            rows=_rows(self.scores),
            about=self.scores["about"],
            sections=_sections(self.panels),
            script=get_plotlyjs(),
        )
        try:
            write_whole(path, text.encode("utf-8"))
        except OSError as error:
            raise OptionError(f"Cannot write the report '{path}': {error.strerror or error}.") from error

    def _repr_html_(self) -> str:
        lines = "".join(f"<li><b>{j.mark}</b> {escape(j.text)}</li>" for j in self.verdict[:12])
        return f"<ul>{lines}</ul>"


def _rows(scores: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """All totals as rows of the score table."""
    out: list[tuple[Any, ...]] = []
    for name, line in scores.get("generate", {}).get("metrics", {}).items():
        out.append(
            (
                "generate",
                line.get("title", name),
                line["value"],
                line["floor"],
                line["naive"],
                line["better"],
                line["mark"],
            )
        )
    for verb in ("densify", "extend"):
        found = scores.get(verb)
        if not found:
            continue
        for measure, better in (("r2_median", "higher"), ("r2_pooled", "higher"), ("mae", "lower"), ("crps", "lower")):
            ours = found["model"].get(measure)
            others = {k: v.get(measure) for k, v in found["naive"].items() if v.get(measure) is not None}
            if ours is None or not others:
                continue
            best = (min if better == "lower" else max)(others.items(), key=lambda pair: pair[1])
            won = ours <= best[1] if better == "lower" else ours >= best[1]
            title = f"{measure.replace('_', ' ')} (best plain method: {best[0].replace('_', ' ')})"
            out.append((verb, title, ours, None, best[1], better, "good" if won else "look"))
        covered = found["coverage_90"]
        if covered is not None:
            out.append((verb, "share of true values inside the 90 % bands", covered, 0.9, None, "0.9", ""))
    return out


def _sections(panels: Sequence[Panel]) -> list[tuple[str, list[Panel]]]:
    out: dict[str, list[Panel]] = {}
    for panel in panels:
        out.setdefault(panel.section, []).append(panel)
    return list(out.items())
