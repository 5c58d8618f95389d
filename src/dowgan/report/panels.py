"""The figures of a report, each with the sentence that says what good looks like.

Shapes: T rows, C columns, N windows, U values of a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dowgan import figures
from dowgan.evaluate.blocks import hop_for, rows_in, windows
from dowgan.metrics.correlational import correlations
from dowgan.metrics.crosscorrelation import crosscorrelation
from dowgan.metrics.marginal import moments
from dowgan.report.panel import NOTES, Material, Panel, number_text
from dowgan.report.tags import tag_panels

MOST_TAGS = 60  # tags with figures of their own; all tags have scores
POINTS = 400  # windows of a cloud, of each kind
FEWEST = 20  # windows that a cloud needs
AXES = 30  # principal axes that t-SNE starts from

NOT_ROW_BY_ROW = (
    "The founding project's figure. Synthetic row 17 does not correspond to real row 17: the rows are two draws of the "
    "same kind, so no generator can lie on the line here, and the R² says nothing. Look at densify and extend instead."
)


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
        yield from tag_panels(material, scores, name)


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
    told = f"R² = {number_text(scores['model']['r2_median'])} (median tag), MSE = {number_text(scores['model']['mse'])}"
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
