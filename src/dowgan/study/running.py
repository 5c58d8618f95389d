"""A whole study: the trials that its folder lacks, then a table and a figure of all."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dowgan.errors import OptionError
from dowgan.files import make_folder, write_rows, write_whole
from dowgan.study.figure import study_figure
from dowgan.study.grid import Trial
from dowgan.study.trial import Outcome, read_outcome, run_trial
from dowgan.table import Table
from dowgan.workers import each

TRIALS = "trials"  # folder of the trials within a study's folder
TABLE, FIGURE = "study.csv", "study.html"


def run_study(
    table: Table,
    trials: Sequence[Trial],
    folder: Path,
    workers: int,
    resume: bool,
    tell: Callable[[str], None],
) -> list[Outcome]:
    """Run all trials that a folder does not have yet; write a table and a figure of all.

    Args:
        table: as read.
        trials: from `lay_out`.
        folder: gets one file per trial, `study.csv` and `study.html`.
        workers: processes.
        resume: go on with what the folder has.
        tell: is told each trial's outcome in a line.

    Raises:
        OptionError: the folder has trials and `resume` is false.
        WorkerError: a worker process died.
    """
    place = folder / TRIALS
    if place.is_dir() and any(place.glob("*.json")) and not resume:
        raise OptionError(f"'{folder}' has trials already; go on with --resume, or choose another folder with -o.")
    make_folder(place, "-o")
    left = [t for t in trials if not (place / f"{t.name}.json").exists()]
    tell(f"{len(trials)} trials, {len(left)} to do")
    for number, outcome in each(run_trial, [(table, t) for t in left], workers):
        write_whole(place / f"{left[number].name}.json", json.dumps(asdict(outcome)).encode())
        tell(_line(outcome))
    outcomes = [read_outcome(place / f"{t.name}.json") for t in trials]
    write_table(outcomes, folder / TABLE)
    write_whole(folder / FIGURE, study_figure(outcomes).to_html(include_plotlyjs=True).encode())
    return outcomes


def _line(outcome: Outcome) -> str:
    point = ", ".join(f"{k}={v}" for k, v in outcome.point.items())
    end = f"failed: {outcome.failed}" if outcome.failed else f"fidelity {outcome.score:.4f} after {outcome.steps} steps"
    return f"{point}, seed {outcome.seed}: {end} ({outcome.seconds:.0f} s)"


def rows_of(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return one row per trial: the axes, the seed, and the figures at its end."""
    out = []
    for o in outcomes:
        losses = {f"{name}_loss": curve[-1] for name, curve in (o.losses or {}).items() if curve and name != "gradient"}
        slope = {"gradient": (o.losses or {}).get("gradient", (None,))[-1]} if o.losses else {}
        row: dict[str, Any] = {**o.point, "seed": o.seed, "steps": o.steps, "epochs": round(o.epochs, 3)}
        row |= {"fidelity": o.score, "chosen_step": o.chosen, **losses, **slope}
        out.append(row | {"seconds": round(o.seconds, 2), "stopped": o.stopped, "failed": o.failed})
    return out


def write_table(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write the table of all trials as a CSV."""
    rows = rows_of(outcomes)
    names = list(dict.fromkeys(name for row in sorted(rows, key=len, reverse=True) for name in row))
    write_rows(path, names, rows)
