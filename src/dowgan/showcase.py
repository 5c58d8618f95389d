"""The main job end to end, as a newcomer would do it by hand: what `dowgan demo` runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from dowgan.config import resolve, seconds
from dowgan.demo import simulate
from dowgan.progress import Progress
from dowgan.synthesizer import Synthesizer
from dowgan.table import read, refined, write

FACTOR = 4
STEPS = 48


def run_demo(
    data: str | None,
    folder: Path,
    time: str | None,
    runs: Sequence[str],
    conditions: Sequence[str],
    budget: str | None,
    seed: int,
    say: Callable[[str], None],
) -> None:
    """Fit, generate, densify, extend and report; every file goes into the folder.

    Args:
        data: a table; None simulates the plant, whose grade is a condition.
        say: takes each line of talk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if data is None:
        plant = simulate(seed=seed)
        data, conditions = str(folder / "plant.csv"), ("grade",)
        plant.table.to_csv(data, index=False)
        plant.truth.to_csv(folder / "plant-truth.csv", index=False)
        say(f"simulated a plant: {data} (and its noise-free truth beside it)")
    settings = [f"train.budget={seconds(budget)}"] if budget else []
    table = read(data, time=time, runs=tuple(runs), conditions=tuple(conditions))
    with Progress() as progress:
        model = Synthesizer("flagship", settings, time, tuple(runs), tuple(conditions), seed, progress.update)
        model.fit_table(table, resolve("flagship", settings))
    model.save(folder / "model.dowgan")
    say(f"fitted {table.rows:,} rows: {folder / 'model.dowgan'}")
    write(model.generate(), model.schema, folder / "synthetic.csv", forbidden=[data])
    say(f"generated as many synthetic rows: {folder / 'synthetic.csv'}")
    finer, _ = refined(table.schema, FACTOR)
    write(model.densify(data, factor=FACTOR), finer, folder / "finer.csv", forbidden=[data])
    say(f"densified {FACTOR} times: {folder / 'finer.csv'}")
    write(model.extend(data, steps=STEPS).band(0.9), model.schema, folder / "longer.csv", forbidden=[data])
    say(f"extended by {STEPS} steps with 90 % bands: {folder / 'longer.csv'}")
    report = model.report(data)
    report.to_html(folder / "report.html")
    for sentence in report.verdict:
        say(str(sentence))
    say(f"open {folder / 'report.html'} in a browser")
