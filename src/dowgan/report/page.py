"""The report as an object and as one self-contained HTML file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from dowgan.errors import OptionError, unknown
from dowgan.evaluate import Judgement
from dowgan.evaluate.verdict import ORDER, Mark, worst
from dowgan.files import write_whole
from dowgan.metrics.threads import one_thread
from dowgan.report.panel import Material, Panel
from dowgan.report.panels import panels_of
from dowgan.report.tables import rows_of, shown
from dowgan.report.tags import over_time

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from pandas import DataFrame

VERBS = ("generate", "densify", "extend")


@dataclass(frozen=True)
class Report:
    """Scores, verdict and figures.

    Attributes:
        scores: plain nested data, None where a number is not known; docs/report-schema.md says what each one is.
        verdict: sentences, the whole of each verb first.
        material: what the figures are drawn from.
    """

    scores: dict[str, Any]
    verdict: tuple[Judgement, ...]
    material: Material

    def __repr__(self) -> str:
        return "\n".join(["<Report>", *map(str, self.verdict)])

    @cached_property
    def panels(self) -> tuple[Panel, ...]:
        """All figures with the sentence that says what good looks like; drawn when first asked for."""
        with one_thread():
            return tuple(panels_of(self.material, self.scores))

    def to_json(self) -> str:
        """Return scores and verdict as one line of JSON."""
        return json.dumps(self.scores | {"verdict": [j.to_dict() for j in self.verdict]}, allow_nan=False)

    def holds(self, least: Mark) -> bool:
        """Whether no sentence of the verdict, of a verb or of a tag, is worse than `least`."""
        return ORDER.index(worst(j.mark for j in self.verdict)) <= ORDER.index(least)

    def plot(self, tag: str | None = None) -> go.Figure:
        """Return generated over real rows of a tag along time, as a figure to be shown; of the first tag if None.

        Raises:
            OptionError: the table has no such tag.
        """
        names = self.material.names
        name = names[0] if tag is None else tag
        if name not in names:
            raise OptionError(unknown("tag", name, names))
        return over_time(self.material, name)

    def to_frame(self) -> DataFrame:
        """Return one row per score: verb, score, value, floor, naive (the best plain method), better, mark."""
        import pandas as pd

        rows = [(r.verb, r.name, r.value, r.floor, r.best, r.better, r.mark) for r in rows_of(self.scores)]
        return pd.DataFrame(rows, columns=["verb", "score", "value", "floor", "naive", "better", "mark"])

    def to_html(self, path: str | Path) -> None:
        """Write the report whole or not at all, as one file that needs no network.

        Raises:
            OptionError: the file cannot be written.
        """
        try:
            write_whole(path, self.page().encode("utf-8"))
        except OSError as error:
            raise OptionError(f"Cannot write the report '{path}': {error.strerror or error}.") from error

    def page(self) -> str:
        """Return the report as the text of an HTML page."""
        from plotly.offline import get_plotlyjs

        return _template("report.html.j2").render(
            about=self.scores["about"],
            scores=self.scores,
            verbs=_verbs(self.verdict, self.scores),
            rows=rows_of(self.scores),
            sections=_sections([p for p in self.panels if not p.tag]),
            tags=_sections([p for p in self.panels if p.tag]),
            remarks=_remarks(self.verdict),
            reasons=sorted((j for j in self.verdict if j.tag is not None), key=lambda j: j.mark != "bad"),
            plotly=get_plotlyjs(),
        )

    def _repr_html_(self) -> str:
        lines = [f"<li><b>{j.verb}: {j.mark}</b>: {escape(j.text)}</li>" for j in self.verdict if j.tag is None]
        more = sum(j.tag is not None for j in self.verdict)
        tail = f"<p>{more} remarks on single tags; all of it: report.to_html('report.html')</p>"
        return f"<ul>{''.join(lines)}</ul>{_template('scores.html.j2').render(rows=rows_of(self.scores))}{tail}"


@dataclass(frozen=True)
class VerbCard:
    """What the first screen says of one verb."""

    verb: str
    mark: str
    sentences: tuple[Judgement, ...]
    tags: int
    remarks: int


def _verbs(verdict: Sequence[Judgement], scores: dict[str, Any]) -> list[VerbCard]:
    out = []
    for verb in (v for v in VERBS if v in scores):
        own = tuple(j for j in verdict if j.verb == verb and j.tag is None)
        tags = [line[verb] for line in scores["tags"].values() if line[verb] is not None]
        remarks = sum(mark != "good" for mark in tags)
        out.append(VerbCard(verb, worst(j.mark for j in own), own, len(tags), remarks))
    return out


def _remarks(verdict: Sequence[Judgement]) -> dict[str, list[Judgement]]:
    out: dict[str, list[Judgement]] = {}
    for judgement in verdict:
        if judgement.tag is not None:
            out.setdefault(judgement.tag, []).append(judgement)
    return out


def _template(name: str) -> Any:
    loader = PackageLoader("dowgan.report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["shown"] = shown
    return environment.get_template(name)


def _sections(panels: Sequence[Panel]) -> dict[str, list[Panel]]:
    out: dict[str, list[Panel]] = {}
    for panel in panels:
        out.setdefault(panel.section, []).append(panel)
    return out
