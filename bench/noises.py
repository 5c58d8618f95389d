"""Compare the input noises: the same training on two tables with each, by the held-out fidelity (lower is better).

    python bench/noises.py DATA_FOLDER [-o .] [--seeds 3] [--steps 150]

Writes bench/results/noises.json and docs/noises.md. The tables are chickenpox (counts with a season) and the demo's
simulated plant (tags that follow set points), which needs no file.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits
from transfer import arguments, written

import dowgan
from dowgan import Synthesizer
from dowgan.catalogue import catalogue
from dowgan.demo import simulate
from dowgan.noises import NOISES

RECIPE, CHECKS, PLANT_ROWS = "gru-gan", 10, 500
PAGE = "docs/noises.md"
FILE = "hungary_chickenpox.csv"
STEPS = 150  # of a training


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables; a missing file is skipped by name."""
    plant = simulate(PLANT_ROWS).table.drop(columns="grade")
    if not (folder / FILE).is_file():
        sys.stderr.write(f"{FILE} is not there: skipped\n")
        return {"plant": plant}
    return {"chickenpox": pd.read_csv(folder / FILE), "plant": plant}


def measured(frame: pd.DataFrame, noise: str, steps: int, seed: int) -> dict[str, Any]:
    """Train once with a noise."""
    settings = [f"noise={noise}", f"train.steps={steps}", f"train.checks={CHECKS}", "train.patience=99"]
    model = Synthesizer(RECIPE, settings, random_state=seed)
    with threadpool_limits(1):
        record = model.fit(frame).model_.training
    fidelity = {"best": min(record.fidelity[1:]), "last": record.fidelity[-1]}
    took = round(model.fit_seconds_ or 0.0, 1)
    return {"seed": seed, "collapsed": "collapsed" in record.stopped, "seconds": took} | fidelity


def page(results: dict[str, Any]) -> str:
    """The table of the results as Markdown."""
    names = list(results["tables"])
    phrases = catalogue("noises")["noises"]
    lines = [
        "# Input noises, compared",
        "",
        "Structured noise was one of the deck's next steps (S16). `bench/noises.py` trains the recipe "
        f"`{results['recipe']}` for {results['steps']} steps with each of them and writes this page: on chickenpox "
        "(counts with a season) and on the simulated plant of `dowgan demo` (tags that follow set points). Held-out "
        f"fidelity (lower is better): mean of the best of {CHECKS} looks, in brackets the least and the most of "
        f"{results['seeds']} seeds. Differences within the brackets mean nothing.",
        "",
        f"| noise | {' | '.join(names)} | what it is |",
        "|---|" + "---|" * (len(names) + 1),
    ]
    for noise in results["tables"][names[0]]:
        cells = [_cell([row["best"] for row in results["tables"][name][noise]]) for name in names]
        lines.append(f"| `{noise}` | {' | '.join(cells)} | {phrases[noise]} |")
    lines += ["", *(_verdict(name, results["tables"][name]) for name in names), ""]
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f} .. {max(values):.3f})"


def _verdict(table: str, rows: dict[str, list[dict[str, Any]]]) -> str:
    """Which noises are better than white on a table beyond the spread of the seeds."""
    white = [row["best"] for row in rows["white"]]
    better = [n for n, r in rows.items() if n != "white" and max(x["best"] for x in r) < min(white)]
    worse = [n for n, r in rows.items() if n != "white" and min(x["best"] for x in r) > max(white)]
    told = [
        f"{what} with every seed: {', '.join(f'`{n}`' for n in names)}"
        for what, names in (("better than white", better), ("worse", worse))
        if names
    ]
    return f"- {table}: {'; '.join(told) or 'no noise differs from white beyond the spread of the seeds'}."


def main() -> None:
    options = arguments(__doc__, STEPS)
    torch.set_num_threads(1)
    file, ends = options.out / "bench/results/noises.json", time.monotonic() + 60 * options.minutes
    results: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"tables": {}}
    results |= {"version": dowgan.__version__, "recipe": RECIPE, "steps": options.steps, "seeds": options.seeds}
    for name, frame in tables(options.data).items():
        found = results["tables"].setdefault(name, {})
        for noise in (n for n in NOISES.names() if n not in found):
            found[noise] = [measured(frame, noise, options.steps, seed) for seed in range(options.seeds)]
            sys.stderr.write(f"{name} {noise}: {[round(row['best'], 3) for row in found[noise]]}\n")
            written(file, json.dumps(results, indent=1) + "\n")
            if time.monotonic() > ends:
                return
    written(options.out / PAGE, page(results))


if __name__ == "__main__":
    main()
