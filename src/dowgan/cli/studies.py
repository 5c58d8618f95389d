"""Commands that train many times: a grid of settings, or a search."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dowgan.cli.checks import at_least_one
from dowgan.cli.options import (
    AsJson,
    Conditions,
    Data,
    Missing,
    Quiet,
    Recipe,
    Resume,
    Runs,
    Seed,
    Settings,
    Time,
    Whole,
    Workers,
)
from dowgan.cli.program import app, kept, talk

KEPT = "what was finished is in {folder}: go on with --resume"


@app.command(
    sort_key=7, help_epilogue="Example: dowgan study data.csv --grid train.epochs=100,500 --grid train.lr=0.01,0.001"
)
def study(
    data: Data,
    /,
    *,
    grid: Annotated[
        list[str],
        Parameter(
            name="--grid", negative="", help="An axis, KEY=VALUE,VALUE, such as train.epochs=100,500; repeatable."
        ),
    ],
    out: Annotated[str, Parameter(name=["--out", "-o"], help="Folder of the results.")] = "study",
    recipe: Recipe = "dense-gan",
    settings: Settings = None,
    seeds: Annotated[Whole, Parameter(name="--seeds", help="How many seeds each point is trained with.")] = 3,
    time: Time = None,
    runs: Runs = None,
    conditions: Conditions = None,
    missing: Missing = None,
    workers: Workers = None,
    resume: Resume = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train every point of a grid of settings: a table, and a figure of losses and fidelity."""
    from dowgan.study import FIGURE, TABLE, lay_out, parse_grid, rows_of, run_study
    from dowgan.table import read
    from dowgan.workers import processors

    axes = parse_grid(grid)
    lay_out(axes, recipe, settings or (), range(1), "")  # options first, then the table
    table = read(data, time=time, runs=runs or (), conditions=conditions or (), missing=missing or ())
    trials = lay_out(axes, recipe, settings or (), range(at_least_one(seeds, "seeds")), table.question)
    with kept(KEPT.format(folder=out)):
        done = run_study(table, trials, Path(out), workers or processors(), resume, lambda text: talk(text, quiet))
    talk(f"wrote {Path(out) / TABLE} and {Path(out) / FIGURE}", quiet)
    if as_json:
        sys.stdout.write(json.dumps(rows_of(done)) + "\n")


@app.command(sort_key=8, help_epilogue="Example: dowgan search data.csv --trials 20 --budget 30m")
def search(
    data: Data,
    /,
    *,
    trials: Annotated[Whole, Parameter(name="--trials", help="Trials in total, with those of earlier calls.")] = 50,
    budget: Annotated[str | None, Parameter(name="--budget", help="Time for all of it, such as 30m.")] = None,
    out: Annotated[str, Parameter(name=["--out", "-o"], help="Folder of the results.")] = "search",
    recipe: Recipe = "adversarial",
    settings: Settings = None,
    against: Annotated[str | None, Parameter(name="--against", help="Weigh fidelity against this too: time.")] = None,
    storage: Annotated[
        str | None, Parameter(name="--storage", help="Optuna storage, such as postgresql://...; a journal if left out.")
    ] = None,
    time: Time = None,
    runs: Runs = None,
    conditions: Conditions = None,
    missing: Missing = None,
    seed: Seed = 0,
    workers: Workers = None,
    resume: Resume = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Search for the settings with the best held-out fidelity; --set holds a setting. Needs Optuna."""
    from time import time as now

    from dowgan.config import seconds
    from dowgan.search import JOURNAL, Task, best_of, run_search
    from dowgan.table import read
    from dowgan.workers import processors

    end = None if budget is None else now() + seconds(budget)
    folder = Path(out)
    task = Task(recipe, tuple(settings or ()), against, storage or str(folder / JOURNAL), seed, end)
    table = read(data, time=time, runs=runs or (), conditions=conditions or (), missing=missing or ())
    count = at_least_one(trials, "trials")
    with kept(KEPT.format(folder=out)):
        best = run_search(table, task, count, folder, workers or processors(), resume, lambda text: talk(text, quiet))
    talk(f"wrote {best}; next: dowgan fit {data} --recipe {best}", quiet)
    if as_json:
        sys.stdout.write(json.dumps(best_of(folder)) + "\n")
