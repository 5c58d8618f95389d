"""Test a model, or any generator's table, on rows that it has not seen, and put the findings into a report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dowgan import figures
from dowgan.config import Config
from dowgan.errors import DataError
from dowgan.evaluate import (
    Ahead,
    Dense,
    generation_verdict,
    judge_densify,
    judge_extend,
    judge_generation,
    paired_verdict,
)
from dowgan.report.page import Panel, Report
from dowgan.table import Run, Table, read

if TYPE_CHECKING:
    from pandas import DataFrame

    from dowgan.synthesizer import Synthesizer

SEEN = 0.8  # share of the rows that a second model is fitted on when the table is the fitted one
MANY = 8  # runs from which whole runs are held out
FACTOR = 4  # of the densifying backtest
ORIGINS = 3  # of the extending backtest of a single series
RUNS = 6  # runs that paired verbs are tested on
PATHS = 100
HORIZON = 52
TAGS = 12  # tags with figures of their own; all tags have scores
POINTS = 400  # windows of a cloud
Tell = Callable[[str], None]


def report_on(
    synthesizer: Synthesizer, data: DataFrame | str | Path, slow: bool = False, tell: Tell | None = None
) -> Report:
    """Test the three verbs of a fitted model.

    If the table is the one that the model was fitted on, a second model of the same recipe is fitted on its early
    part, and that one is tested on the rest: no score is computed on rows that the tested model has seen.

    Args:
        synthesizer: fitted.
        data: the fitted table, or another like it.
        slow: also the scores that train networks.
        tell: called with a word on what is going on.

    Raises:
        DataError: the table is too short to hold some of it out.
    """
    began = time.monotonic()
    say = tell or (lambda text: None)
    table = read(data, schema=synthesizer.schema)
    model = synthesizer.model_
    seen = table.digest == model.digest
    early, late = _split(table)
    tested = synthesizer
    how = "The table is not the one that the model was fitted on: the model itself was tested on all of it."
    if seen:
        say("fitting a second model on the early rows")
        tested = type(synthesizer)(random_state=model.seed).fit_table(early, Config.model_validate_json(model.recipe))
        share = f"{sum(len(r.values) for r in early.runs):,} of {table.rows:,} rows"
        how = (
            "Tested on rows that the tested model has not seen: a second model of the same recipe was fitted on the "
            f"first {share}, and scored on the rest."
        )
    names = [c.name for c in table.schema.channels]
    say("scoring generated rows")
    fake = [run.values for run in tested.draw()]
    known = [run.values for run in early.runs] if seen else None
    real = [run.values for run in (late if seen else table).runs]
    scores: dict[str, Any] = {"generate": judge_generation(real, fake, names, train=known, slow=slow, progress=say)}
    verdict = generation_verdict(scores["generate"])
    panels = _generate_panels(known or real, fake, names)
    say("backtests of densify and extend")
    dense = _dense_cases(tested, late)
    if dense:
        scores["densify"] = judge_densify(dense, names)
        verdict += paired_verdict("densify", scores["densify"])
        panels += _dense_panels(dense, names, scores["densify"])
    ahead = _ahead_cases(tested, table if len(table.runs) < MANY else late, late)
    if ahead:
        scores["extend"] = judge_extend(ahead, names, _period(tested, ahead))
        verdict += paired_verdict("extend", scores["extend"])
        panels += _ahead_panels(ahead, names, scores["extend"])
    record = model.training
    if record.steps:
        note = "Good: the fidelity falls and levels off. A critic whose loss goes to zero has won: nothing is learned."
        drawn = figures.losses(record.steps, record.losses, record.checks, record.fidelity, record.chosen)
        panels.append(Panel("Training", note, drawn.to_json()))
    scores["about"] = {"how": how, "seconds": round(time.monotonic() - began, 1)} | _about(synthesizer, table)
    return Report(scores, tuple(verdict), tuple(panels))


def compare(real: DataFrame | str | Path, synthetic: DataFrame | str | Path, slow: bool = False) -> Report:
    """Judge any generator's table against a real one; no model is needed.

    Args:
        real, synthetic: tables of the same columns.
        slow: also the scores that train networks.
    """
    began = time.monotonic()
    table = read(real)
    made = read(synthetic, schema=table.schema)
    names = [c.name for c in table.schema.channels]
    own, fake = ([run.values for run in t.runs] for t in (table, made))
    scores: dict[str, Any] = {"generate": judge_generation(own, fake, names, slow=slow)}
    how = "Floor: one half of the real rows against the other, cut by time in several ways."
    about = {"how": how, "seconds": round(time.monotonic() - began, 1)}
    scores["about"] = about | {"real": table.digest[:16], "synthetic": made.digest[:16]}
    return Report(scores, tuple(generation_verdict(scores["generate"])), tuple(_generate_panels(own, fake, names)))


def _about(synthesizer: Synthesizer, table: Table) -> dict[str, Any]:
    model = synthesizer.model_
    return {
        "command": "dowgan report MODEL DATA",
        "recipe": Config.model_validate_json(model.recipe).recipe,
        "seed of the fit": model.seed,
        "table (sha256)": table.digest[:16],
        "fitted in seconds": round(model.training.seconds, 1),
        "training": model.training.stopped,
        "versions": ", ".join(f"{k} {v}" for k, v in model.versions.items()),
    }


def _part(run: Run, start: int, stop: int, table: Table) -> Run:
    first = table.schema.clock.at(run.start, np.array([start]))[0]
    return Run(run.key, first, run.offset + start, run.values[start:stop])


def _split(table: Table) -> tuple[Table, Table]:
    """Early and late part: whole runs of many, rows of few."""
    runs = table.runs
    if len(runs) >= MANY:
        cut = round(len(runs) * SEEN)
        parts = runs[:cut], runs[cut:]
    else:
        cuts = [round(len(run.values) * SEEN) for run in runs]
        early = tuple(_part(run, 0, c, table) for run, c in zip(runs, cuts, strict=True))
        late = tuple(_part(run, c, len(run.values), table) for run, c in zip(runs, cuts, strict=True))
        parts = early, late
    shortest = min(len(run.values) for part in parts for run in part)
    if shortest < 2:
        raise DataError(f"{table.rows} rows are too few to hold some of them out; a report needs at least 40.")
    first, second = (
        replace(table, runs=part, digest=f"{table.digest}/{name}")
        for name, part in zip(("early", "late"), parts, strict=True)
    )
    return first, _from_zero(second)


def _from_zero(table: Table) -> Table:
    """Offsets counted from the first time of this table, as `read` gives them."""
    least = min(run.offset for run in table.runs)
    return replace(table, runs=tuple(replace(run, offset=run.offset - least) for run in table.runs))


def _dense_cases(tested: Synthesizer, late: Table) -> list[Dense]:
    """Every FACTOR-th late row given, the others hidden."""
    runs = [run for run in late.runs if len(run.values) > 4 * FACTOR][:RUNS]
    whole = [replace(run, values=run.values[: (len(run.values) - 1) // FACTOR * FACTOR + 1]) for run in runs]
    if not whole:
        return []
    coarse = _from_zero(replace(late, runs=tuple(replace(run, values=run.values[::FACTOR]) for run in whole)))
    coarse = replace(coarse, runs=tuple(replace(run, offset=run.offset // FACTOR) for run in coarse.runs))
    filled = tested.fill(coarse, FACTOR, paths=PATHS, ratio=FACTOR)
    return [Dense(run.values, middle, paths, FACTOR) for run, (_, middle, paths) in zip(whole, filled, strict=True)]


def _ahead_cases(tested: Synthesizer, table: Table, late: Table) -> list[Ahead]:
    """Origins in the late rows of each series, or in the middle of late runs."""
    out = []
    for run, end in list(zip(table.runs, late.runs, strict=True))[:RUNS]:
        rows, unseen = len(run.values), len(end.values)
        first = rows - unseen if unseen < rows else rows // 2
        steps = min(HORIZON, (rows - first) // 2)
        count = ORIGINS if len(table.runs) < MANY else 1
        for origin in np.unique(np.linspace(first, rows - steps, count).astype(int)) if steps >= 2 else ():
            past = replace(table, runs=(replace(run, values=run.values[:origin]),))
            found = tested.extended(past, steps, PATHS)
            truth = run.values[origin : origin + steps]
            out.append(Ahead(run.values[:origin], truth, np.median(found.runs[0], axis=0), found.runs[0]))
    return out[: max(RUNS, ORIGINS)]


def _period(tested: Synthesizer, cases: Sequence[Ahead]) -> float | None:
    """The season that the plain methods may use: the model's, or else the calendar's."""
    shortest = min(len(case.history) for case in cases)
    seasons = (*tested.model_.path.season.periods, *tested.schema.clock.periods())
    return next((p for p in seasons if 2 <= p <= shortest), None)


def _generate_panels(real: Sequence[np.ndarray], fake: Sequence[np.ndarray], names: Sequence[str]) -> list[Panel]:
    own, made = max(real, key=len), max(fake, key=len)
    every, all_made = np.concatenate(list(real)), np.concatenate(list(fake))
    out = []
    if len(names) > 1:
        out.append(
            Panel(
                "Generated rows",
                "Good: the right picture is pale all over.",
                figures.correlations(every, all_made, names).to_json(),
            )
        )
    clouds = [_windows(x) for x in (real, fake)]
    if min(len(c) for c in clouds) >= 20:
        note = (
            "Each point is a window. Good: the two colours lie over each other; a colour alone is something missing "
            "or made up. Distances between far groups mean nothing in t-SNE."
        )
        out.append(Panel("Generated rows", note, figures.cloud(*clouds).to_json()))
    for place, tag in list(enumerate(names))[:TAGS]:
        section = f"Generated: {tag}"
        out.append(
            Panel(
                section,
                "Good: the same kind of movement, not the same values at the same time.",
                figures.overlay(own[:, place], made[:, place], tag).to_json(),
            )
        )
        out.append(
            Panel(
                section,
                "Good: the points lie on the line.",
                figures.distribution(every[:, place], all_made[:, place], tag).to_json(),
            )
        )
        out.append(
            Panel(
                section,
                "Good: the two lines fall together.",
                figures.memory(own[:, place], made[:, place], tag).to_json(),
            )
        )
    return out


def _windows(series: Sequence[np.ndarray], steps: int = 24) -> np.ndarray:
    found = [s[i : i + steps].ravel() for s in series for i in range(0, len(s) - steps + 1, max(1, steps // 4))]
    whole = np.array([w for w in found if not np.isnan(w).any()])
    return whole[:: max(1, len(whole) // POINTS)]


def _dense_panels(cases: Sequence[Dense], names: Sequence[str], scores: dict[str, Any]) -> list[Panel]:
    truth, middle = (np.concatenate([getattr(c, n) for c in cases]) for n in ("truth", "middle"))
    hidden = np.concatenate([np.arange(len(c.truth)) % c.factor != 0 for c in cases])
    out = [
        Panel(
            "Densify",
            "Good: the points lie on the line.",
            figures.parity(truth[hidden], middle[hidden], scores["model"]["r2_pooled"], "densify").to_json(),
        ),
        Panel(
            "Densify",
            "Good: the model's line is the lowest.",
            figures.by_place(
                scores["by_position"], "densify: error by position in the gap", "rows behind the last given one"
            ).to_json(),
        ),
    ]
    for place, tag in list(enumerate(names))[: TAGS // 2]:
        note = "Dots were given and are kept as they are. Good: the red line follows the grey one between them."
        out.append(
            Panel(
                "Densify",
                note,
                figures.dots_and_line(
                    cases[0].truth[:, place], cases[0].middle[:, place], cases[0].factor, tag
                ).to_json(),
            )
        )
    return out


def _ahead_panels(cases: Sequence[Ahead], names: Sequence[str], scores: dict[str, Any]) -> list[Panel]:
    truth, middle = (np.concatenate([getattr(c, n) for c in cases]) for n in ("truth", "middle"))
    out = [
        Panel(
            "Extend",
            "Good: the points lie on the line.",
            figures.parity(truth, middle, scores["model"]["r2_pooled"], "extend").to_json(),
        ),
        Panel(
            "Extend",
            "Good: the model's line is the lowest.",
            figures.by_place(scores["by_horizon"], "extend: error by horizon", "steps ahead").to_json(),
        ),
    ]
    case = cases[-1]
    for place, tag in list(enumerate(names))[: TAGS // 2]:
        note = (
            "The dotted line marks the join. Good: what came lies in the dark band half of the time, in the light "
            "one nine times of ten."
        )
        out.append(
            Panel(
                "Extend",
                note,
                figures.fan(case.history[:, place], case.truth[:, place], case.paths[:, :, place], tag).to_json(),
            )
        )
    return out
