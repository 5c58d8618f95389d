"""The figures of a report, each with the sentence that says what good looks like.

Shapes: T rows, C columns, N windows, U values of a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.io.json import to_json_plotly

from dowgan import figures
from dowgan.evaluate import Ahead, Dense
from dowgan.evaluate.blocks import hop_for, rows_in, windows
from dowgan.figures.style import plain_text
from dowgan.metrics.correlational import correlations
from dowgan.metrics.crosscorrelation import crosscorrelation
from dowgan.metrics.marginal import moments
from dowgan.model import Training
from dowgan.report.backtest import Lane
from dowgan.table import Column

SUBSET = 52  # rows of the closer look
MOST_TAGS = 60  # tags with figures of their own; all tags have scores
POINTS = 400  # windows of a cloud, of each kind
TAG_POINTS = 400  # points of one tag's parity plot
DENSE_ROWS = 60  # given rows of a densified stretch that is shown
FEWEST = 20  # windows that a cloud needs
AXES = 30  # principal axes that t-SNE starts from

NOT_ROW_BY_ROW = (
    "The founding project's figure. Synthetic row 17 does not correspond to real row 17: the rows are two draws of the "
    "same kind, so no generator can lie on the line here, and the R² says nothing. Look at densify and extend instead."
)
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


def panels_of(material: Material, scores: Mapping[str, Any]) -> Iterator[Panel]:
    """All figures in reading order: the whole table, then tag by tag."""
    yield from _whole(material, scores)
    if "densify" in scores:
        yield from _dense(material, scores["densify"])
    if "extend" in scores:
        yield from _ahead(material, scores["extend"])
    if material.training is not None and material.training.checks:
        t = material.training
        drawn = figures.losses(t.steps, t.losses, t.checks, t.fidelity, t.chosen)
        yield Panel("Training", NOTES["losses"], drawn, wide=True)
    longest = max(material.real, key=lambda run: len(run.values))
    yield Panel("The table", NOTES["raw"], figures.raw(longest.values, material.names), wide=True)
    for name in chosen_tags(material.names, scores):
        yield from _tag(material, scores, name)


def chosen_tags(names: Sequence[str], scores: Mapping[str, Any]) -> list[str]:
    """Tags with figures: all, or of too many those with remarks first; in the order of the table."""
    if len(names) <= MOST_TAGS:
        return list(names)
    remarked = sorted(names, key=lambda name: not scores["tags"][name]["reason"])[:MOST_TAGS]
    return [name for name in names if name in set(remarked)]


def _whole(material: Material, scores: Mapping[str, Any]) -> Iterator[Panel]:
    section, names = "Generated rows", material.names
    real, made = ([run.values for run in side] for side in (material.real, material.made))
    steps = scores["generate"]["window"]
    yield from _clouds(section, *(_flat_windows(side, steps) for side in (real, made)))
    if len(names) > 1:
        own, other = (correlations(np.concatenate(side)[None]) for side in (real, made))
        yield Panel(section, NOTES["real"], figures.heat(own, names, "Correlation: real"))
        yield Panel(section, NOTES["made"], figures.heat(other, names, "Correlation: generated"))
        yield Panel(section, NOTES["off"], figures.heat(other - own, names, "Correlation: generated - real"))
        sets = [windows(side, steps, hop_for(rows_in(side))) for side in (real, made)]
        off = crosscorrelation(sets[0], sets[1])
        yield Panel(
            section, NOTES["lagged"], figures.heat(off, names, "Lagged correlation: difference", one_sided=True)
        )
    copying = scores["generate"]["memorisation"]
    if copying:
        drawn = figures.distances(copying["quantiles"], copying["quantiles_held_out"])
        yield Panel(section, NOTES["distances"], drawn)
    if scores["generate"]["seams"]:
        yield Panel(section, NOTES["seams"], figures.rhythm(real, made, scores["generate"]["seams"]["length"]))
    missing = scores["generate"]["missing"]
    if any(max(side.values()) > 0 for side in missing.values()):
        sides = [[missing[name][side] for name in names] for side in ("real", "fake")]
        yield Panel(section, NOTES["gaps"], figures.gaps(sides[0], sides[1], names))
    yield _row_by_row(section, material)


def _row_by_row(section: str, material: Material) -> Panel:
    """Generated against real, row by row, as the founding project judged its generator (S8)."""
    own, made = (max(side, key=lambda run: len(run.values)).values for side in (material.real, material.made))
    rows = min(len(own), len(made))
    centre, scale = moments(own)
    x, y = (own[:rows] - centre) / scale, (made[:rows] - centre) / scale
    r2 = 1 - np.nanmean((x - y) ** 2) / max(float(np.nanvar(x)), 1e-300)
    title = f"Row by row: R² = {r2:.2f} (no measure)"
    drawn = figures.parity(x, y, title).update_xaxes(title_text="real").update_yaxes(title_text="generated")
    return Panel(section, NOT_ROW_BY_ROW, drawn)


def _flat_windows(series: Sequence[np.ndarray], steps: int) -> np.ndarray:
    """About POINTS windows [N T C]; gaps are taken as the mean, so only windows that are mostly known."""
    cut = windows(series, steps, max(1, sum(map(len, series)) // POINTS))
    return cut[np.isnan(cut).mean(axis=(1, 2)) < 0.2][: 2 * POINTS]


def _clouds(section: str, real: np.ndarray, made: np.ndarray) -> Iterator[Panel]:
    if min(len(real), len(made)) < FEWEST:
        return
    centre, scale = moments(real.reshape(-1, real.shape[2]))
    flat = [np.nan_to_num((x - centre) / scale).reshape(len(x), -1) for x in (real, made)]
    (own, other), shares = _principal(*flat)
    axes = [f"axis {i + 1} ({share:.0%} of the variance)" for i, share in enumerate(shares)]
    yield Panel(section, NOTES["pca"], figures.cloud(own, other, "Windows by principal components", *axes))
    own, other = _neighbours(*flat)
    yield Panel(section, NOTES["tsne"], figures.cloud(own, other, "Windows by t-SNE", "", ""))


def _principal(real: np.ndarray, made: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Both on the first two principal axes of the real windows [N U], and the variance that the axes hold."""
    from sklearn.decomposition import PCA

    fitted = PCA(min(2, real.shape[1]), random_state=0).fit(real)
    places = [fitted.transform(x) for x in (real, made)]
    if real.shape[1] == 1:
        places = [np.column_stack([p, np.zeros(len(p))]) for p in places]
    shares = np.append(fitted.explained_variance_ratio_, 0.0)[:2]
    return (places[0], places[1]), shares


def _neighbours(real: np.ndarray, made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """t-SNE of both together (van der Maaten and Hinton 2008), with a fixed seed."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    both = np.concatenate([real, made])
    if both.shape[1] > AXES:
        both = PCA(AXES, random_state=0).fit_transform(both)
    start = (both[:, :2] if both.shape[1] > 1 else np.column_stack([both, both])) / (both[:, 0].std() + 1e-9) * 1e-4
    perplexity = min(30, len(both) // 4)
    places = TSNE(2, random_state=0, init=start.astype(np.float32), perplexity=perplexity).fit_transform(both)
    return places[: len(real)], places[len(real) :]


def _dense(material: Material, scores: Mapping[str, Any]) -> Iterator[Panel]:
    cases = [case for _, case in material.dense]
    hidden = [np.arange(len(c.truth)) % c.factor != 0 for c in cases]
    truth, middle = (
        np.concatenate([getattr(c, side)[h] for c, h in zip(cases, hidden, strict=True)])
        for side in ("truth", "middle")
    )
    yield _scaled_parity("Densify", truth, middle, scores)
    title, x = "Densify: error by position in the gap", "rows behind the last given one"
    yield Panel("Densify", NOTES["position"], figures.by_place(scores["by_position"], title, x))
    yield from _coverage("Densify", scores)


def _scaled_parity(verb: str, truth: np.ndarray, middle: np.ndarray, scores: Mapping[str, Any]) -> Panel:
    """True against predicted values of all tags, each in its standard deviations."""
    centre, scale = moments(truth)
    told = f"R² = {_number(scores['model']['r2_median'])} (median tag), MSE = {_number(scores['model']['mse'])}"
    drawn = figures.parity((truth - centre) / scale, (middle - centre) / scale, f"{verb}: {told}")
    drawn.update_xaxes(title_text="true (standard deviations)").update_yaxes(title_text="predicted")
    return Panel(verb, NOTES["parity"], drawn)


def _ahead(material: Material, scores: Mapping[str, Any]) -> Iterator[Panel]:
    cases = [case for _, case in material.ahead]
    truth, middle = (np.concatenate([getattr(c, side) for c in cases]) for side in ("truth", "middle"))
    yield _scaled_parity("Extend", truth, middle, scores)
    yield Panel(
        "Extend", NOTES["horizon"], figures.by_place(scores["by_horizon"], "Extend: error by horizon", "steps ahead")
    )
    yield Panel("Extend", NOTES["pit"], figures.pit(scores["pit"], "Extend: place of the truth among the paths"))
    yield from _coverage("Extend", scores)


def _coverage(verb: str, scores: Mapping[str, Any]) -> Iterator[Panel]:
    held = {name: line["model"]["coverage"] for name, line in scores["tags"].items() if "coverage" in line["model"]}
    if held:
        drawn = figures.covered(list(held.values()), list(held), f"{verb}: true values in the 90 % band, tag by tag")
        yield Panel(verb, NOTES["covered"], drawn)


def _tag(material: Material, scores: Mapping[str, Any], name: str) -> Iterator[Panel]:
    column = material.columns[material.names.index(name)]
    place = material.names.index(name)
    real, made = ([run.values[:, place] for run in side] for side in (material.real, material.made))
    if any(np.isnan(np.concatenate(side)).all() for side in (real, made)):
        return
    yield from _over_time(material, name, place)
    if _levels(column):
        yield Panel(name, NOTES["states"], figures.states(real, made, name, _levels(column)), tag=True)
        yield Panel(name, NOTES["dwell"], figures.dwell(real, made, name), tag=True)
        return
    for kind in ("distribution", "quantiles", "memory", "spectrum", "ramps", "sides"):
        yield Panel(name, NOTES[kind], getattr(figures, kind)(real, made, name), tag=True)
    yield from _crossed(material, place)
    if name in material.numbers:
        yield from _tag_backtests(material, scores, name, material.numbers.index(name))


def _crossed(material: Material, place: int) -> Iterator[Panel]:
    """A number beside the one that it moves with most in real rows."""
    number = np.array([not _levels(c) for c in material.columns])
    ties = np.abs(correlations(np.concatenate([run.values for run in material.real])[None])[place]) * number
    ties[place] = 0.0
    other = int(np.nanargmax(np.nan_to_num(ties)))
    real, made = (
        ([run.values[:, place] for run in side], [run.values[:, other] for run in side])
        for side in (material.real, material.made)
    )
    if ties[other] > 0 and not any(np.isnan(np.concatenate(series)).all() for series in (*real, *made)):
        names = material.names[place], material.names[other]
        yield Panel(names[0], NOTES["crossed"], figures.crossed(real, made, *names), tag=True)


def over_time(material: Material, name: str) -> go.Figure:
    """The longest real and generated series of a tag along time."""
    own, made = (max(side, key=lambda run: len(run.values)) for side in (material.real, material.made))
    place = material.names.index(name)
    drawn = figures.overlay(own.values[:, place], made.values[:, place], name, own.x, made.x, selectable=True)
    return _with_states(drawn, material.columns[place])


def _with_states(figure: go.Figure, column: Column) -> go.Figure:
    """Name the states of a category or truth value at the axis, where their numbers stand."""
    levels = _levels(column)
    if levels:
        figure.update_traces(line_shape="hv")
        names = [plain_text(str(level)) for level in levels]
        figure.update_yaxes(tickvals=list(range(len(levels))), ticktext=names, range=[-0.4, len(levels) - 0.6])
    return figure


def _levels(column: Column) -> tuple[object, ...]:
    """The states of a category or a truth value, none of a number."""
    return (column.levels or (False, True)) if column.kind in ("category", "boolean") else ()


def _over_time(material: Material, name: str, place: int) -> Iterator[Panel]:
    """The whole span, and a closer look at the same rows of both."""
    yield Panel(name, NOTES["overlay"], over_time(material, name), tag=True, wide=True)
    own, made = (max(side, key=lambda run: len(run.values)) for side in (material.real, material.made))
    rows = min(len(own.values), len(made.values))
    if rows > 1.5 * SUBSET:
        part = slice((rows - SUBSET) // 2, (rows - SUBSET) // 2 + SUBSET)
        close = (
            own.values[part, place],
            made.values[part, place],
            name,
            own.x[part],
            made.x[part],
            f"over {SUBSET} rows",
        )
        yield Panel(name, NOTES["subset"], _with_states(figures.overlay(*close), material.columns[place]), tag=True)


def _tag_backtests(material: Material, scores: Mapping[str, Any], name: str, place: int) -> Iterator[Panel]:
    if material.dense and "densify" in scores:
        where, case = material.dense[0]
        rows = min(len(case.truth), DENSE_ROWS * case.factor + 1)
        paths = case.paths[:, :rows, place]
        band = tuple(np.quantile(paths, [0.05, 0.95], axis=0)) if len(paths) else None
        drawn = figures.dots_and_line(
            case.truth[:rows, place], case.middle[:rows, place], case.factor, name, where.x[:rows], band
        )
        yield Panel(name, NOTES["dense"], drawn, tag=True, wide=True)
        hidden = np.arange(len(case.truth)) % case.factor != 0
        title = f"{name}: densify, {_told(scores['densify'], name)}"
        drawn = figures.parity(case.truth[hidden, place], case.middle[hidden, place], title, TAG_POINTS)
        yield Panel(name, NOTES["parity"], drawn, tag=True)
    if material.ahead and "extend" in scores:
        where, last = material.ahead[-1]
        rows = len(last.history) + len(last.truth)
        truth, middle = (
            np.concatenate([getattr(c, side)[:, place] for _, c in material.ahead]) for side in ("truth", "middle")
        )
        title = f"{name}: extend, {_told(scores['extend'], name)}"
        yield Panel(name, NOTES["parity"], figures.parity(truth, middle, title, TAG_POINTS), tag=True)
        drawn = figures.fan(last.history[:, place], last.truth[:, place], last.paths[:, :, place], name, where.x[:rows])
        yield Panel(name, NOTES["fan"], drawn, tag=True, wide=True)


def _told(scores: Mapping[str, Any], name: str) -> str:
    found = scores["tags"][name]["model"]
    return f"R² = {_number(found['r2'])}, MSE = {_number(found['mse'])}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}" if 0.01 <= abs(value) < 100 else f"{value:.2g}"
