"""The main job end to end, as a newcomer would do it by hand: what `dowgan demo` runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dowgan.config import resolve, seconds
from dowgan.demo import simulate
from dowgan.files import make_folder
from dowgan.progress import Progress
from dowgan.synthesizer import Synthesizer
from dowgan.table import Table, read, write

FACTOR = 4
STEPS = 48


def run_demo(
    data: str | None,
    folder: Path,
    time: str | None,
    runs: Sequence[str],
    conditions: Sequence[str],
    missing: Sequence[str],
    budget: str | None,
    seed: int,
    say: Callable[[str], None],
    show: Callable[[Table], None],
) -> None:
    """Fit, generate, densify, extend and report; every file goes into the folder.

    Args:
        data: a table; None simulates the plant, whose grade and set-point are conditions.
        say: takes each line of talk.
        show: shows what was understood of the table.
    """
    make_folder(folder, "--folder")
    made: dict[str, str] = {}
    if data is None:
        plant = simulate(seed=seed)
        data, conditions = str(folder / "plant.csv"), ("grade", "temp_sp")
        plant.table.to_csv(data, index=False)
        plant.truth.to_csv(folder / "plant-truth.csv", index=False)
        made |= {"plant.csv": "the simulated plant", "plant-truth.csv": "the same without noise, gaps and delay"}
        say(f"simulated a plant: {len(plant.table):,} rows in {data}")
    settings = [f"train.budget={seconds(budget)}"] if budget else []
    config = resolve("flagship", settings)
    table = read(data, time=time, runs=tuple(runs), conditions=tuple(conditions), missing=tuple(missing))
    show(table)
    with Progress(budget=config.train.budget) as progress:
        roles = tuple(runs), tuple(conditions)
        model = Synthesizer("flagship", settings, time, *roles, seed, progress.update, tell=progress.tell)
        model.fit_table(table, config)
    model.save(folder / "model.dowgan")
    say(f"fitted in {model.fit_seconds_:.0f} s: {model.model_.training.stopped}")
    write(model.generate(), model.schema, folder / "synthetic.csv", forbidden=[data])
    frame, finer, _ = model.densified(read(data, schema=model.schema), FACTOR, None, 0)
    write(frame, finer, folder / "finer.csv", forbidden=[data])
    write(model.extend(data, steps=STEPS).band(0.9), model.schema, folder / "longer.csv", forbidden=[data])
    say("generated, densified and extended it; now each is tested on rows that the tested model has not seen")
    report = model.report(data)
    report.to_html(folder / "report.html")
    for sentence in report.verdict:
        say(str(sentence))
    made |= {
        "model.dowgan": "the fitted model",
        "synthetic.csv": f"{table.rows:,} synthetic rows",
        "finer.csv": f"the table with {FACTOR} steps where it had one",
        "longer.csv": f"the {STEPS} steps that follow, with 90 % bands",
        "report.html": "how good all that is: open it in a browser",
    }
    _tell(folder, made, say)


def _tell(folder: Path, made: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Say what was made, where, and what to do next."""
    say(f"made in {folder}/:")
    for name, what in made.items():
        say(f"  {name:<16} {what}")
    model = folder / "model.dowgan"
    say(f"next: dowgan generate {model} -n 10000 -o new.csv; on a table of your own: dowgan demo data.csv")
