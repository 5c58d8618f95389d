"""Measure transfer: the first 200 points of three tables, from nothing and from every starting point of the library.

    python bench/transfer.py DATA_FOLDER [-o .] [--seeds 3]

Writes bench/results/transfer.json and docs/transfer.md. Judged by the held-out fidelity (lower is better), at equal
steps and at a third of them. A training goes on to a number of steps with looks along the way; "at a third" is the
best of the looks until then, since the program keeps the best weights. The recipe `flagship` works in coordinates of
its own for each table, where the library has nothing; it is begun from a model of the rows that follow, the likest
that there is.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

import dowgan
from dowgan import Synthesizer
from dowgan.library import PREFIX, names

ROWS, AFTER = 200, 400  # points that are trained on, and of the rows behind them
CHECKS = 12
CSTR = ("time_min", "AT301", "TT301", "TIC301_sp", "TIC301_out", "flow_a", "flow_b", "feed_temp")
TABLES = {  # file, run columns, columns that are used
    "chickenpox": ("hungary_chickenpox.csv", (), None),
    "nylon": ("nylon_batches.csv", ("batch_id",), None),
    "cstr": ("homeostat_cstr_dev.csv.gz", (), CSTR),
}
PAGE = "docs/transfer.md"
Row = dict[str, Any]


def trained(
    frame: pd.DataFrame, runs: Sequence[str], recipe: str, steps: int, seed: int, start: Synthesizer | str | None
) -> Synthesizer:
    """Train to the end, with looks along the way."""
    settings = [f"train.steps={steps}", f"train.checks={CHECKS}", "train.patience=99", "train.collapse=warn"]
    model = Synthesizer(recipe, [*settings, "calibrated=false"], runs=runs, random_state=seed, start=start)
    with threadpool_limits(1):
        return model.fit(frame)


def row_of(model: Synthesizer, seed: int, steps: int) -> Row:
    """The best fidelity until a third of the steps, and until the end."""
    record = model.model_.training
    looks = list(zip(record.checks, record.fidelity, strict=True))
    third = [f for s, f in looks if s <= steps / 3]
    return {
        "seed": seed, "start": record.fidelity[0], "third": min(third), "all": min(record.fidelity),
        "looks": [[s, round(f, 4)] for s, f in looks], "seconds": round(record.seconds, 1),
    }  # fmt: skip


def measured(frame: pd.DataFrame, runs: Sequence[str], recipe: str, steps: int, seeds: int) -> dict[str, list[Row]]:
    """Every way to begin, with every seed."""
    first, after = frame.head(ROWS), frame.iloc[ROWS : ROWS + AFTER]
    starts: dict[str, Synthesizer | str | None] = {"nothing": None}
    if recipe == "flagship":
        starts["the rows behind"] = trained(after, runs, recipe, steps, 0, None)
    else:
        starts |= {PREFIX + name: PREFIX + name for name in names()}
    out: dict[str, list[Row]] = {}
    for name, start in starts.items():
        out[name] = [row_of(trained(first, runs, recipe, steps, s, start), s, steps) for s in range(seeds)]
        sys.stderr.write(f"  {recipe} from {name}: {[(round(r['third'], 3), round(r['all'], 3)) for r in out[name]]}\n")
    return out


def verdict(rows: dict[str, list[Row]]) -> dict[str, Any]:
    """Compare each start with nothing, by the mean over seeds."""

    def mean(name: str, key: str) -> float:
        return float(np.mean([r[key] for r in rows[name]]))

    alone = mean("nothing", "all")
    out = {}
    for name in rows:
        third, every = mean(name, "third"), mean(name, "all")
        out[name] = {"start": mean(name, "start"), "third": third, "all": every}
        if name != "nothing":
            out[name] |= {"reaches_in_a_third": third <= alone, "better_at_the_end": every < alone}
    return out


def page(told: dict[str, Any]) -> str:
    """The table of the results as Markdown."""
    lines = [
        "# Transfer, measured",
        "",
        f"The first {told['points']} points of three tables, trained from nothing and from a start (S11, U2). "
        "`bench/transfer.py` writes this page. Held-out fidelity (lower is better), mean over "
        f"{told['seeds']} seeds: before any step, the best until a third of the steps, the best until the end. "
        "*Helps*: at a third of the steps at least as good as nothing at the end, or better at the end.",
        "",
        "| table | recipe | steps | begins with | before | at a third | at the end | helps |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for table, recipes in told["results"].items():
        for recipe, entry in recipes.items():
            for start, found in entry["verdict"].items():
                figures = " | ".join(f"{found[key]:.3f}" for key in ("start", "third", "all"))
                lines.append(f"| {table} | `{recipe}` | {entry['steps']} | {start} | {figures} | {_helps(found)} |")
    return "\n".join([*lines, "", *_sentences(told["results"]), ""])


def _helps(found: dict[str, Any]) -> str:
    if "reaches_in_a_third" not in found:
        return ""
    ways = ["in a third"] * found["reaches_in_a_third"] + ["at the end"] * found["better_at_the_end"]
    return ", ".join(ways) or "no"


def _sentences(results: dict[str, Any]) -> list[str]:
    """What it comes to for each table and recipe."""
    out = []
    for table, recipes in results.items():
        for recipe, entry in recipes.items():
            found = entry["verdict"]
            good = [n for n, f in found.items() if f.get("reaches_in_a_third")]
            text = (
                f"in a third of the steps: {', '.join(good)}"
                if good
                else "no start reaches in a third what nothing does"
            )
            out.append(f"- {table}, `{recipe}`: {text}.")
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", nargs="*", default=["gru-gan=240", "flagship=100"], metavar="RECIPE=STEPS")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop then; the same command goes on")
    options = parser.parse_args()
    torch.set_num_threads(1)
    file, ends = options.out / "bench/results/transfer.json", time.monotonic() + 60 * options.minutes
    told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"results": {}}
    told |= {"version": dowgan.__version__, "points": ROWS, "seeds": options.seeds}
    for table, (frame, runs) in tables(options.data).items():
        results = told["results"].setdefault(table, {})
        for recipe, steps in (asked.split("=") for asked in options.steps):
            if recipe in results:
                continue
            sys.stderr.write(f"{table}\n")
            rows = measured(frame, runs, recipe, int(steps), options.seeds)
            results[recipe] = {"steps": int(steps), "verdict": verdict(rows), "rows": rows}
            for place, text in ((file, json.dumps(told, indent=1) + "\n"), (options.out / PAGE, page(told))):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text, encoding="utf-8")
            if time.monotonic() > ends:
                return


def tables(folder: Path) -> dict[str, tuple[pd.DataFrame, tuple[str, ...]]]:
    """The tables with their run columns; a missing file is skipped by name."""
    out: dict[str, tuple[pd.DataFrame, tuple[str, ...]]] = {}
    for name, (file, runs, columns) in TABLES.items():
        if not (folder / file).is_file():
            sys.stderr.write(f"{file} is not there: skipped\n")
            continue
        frame = pd.read_csv(folder / file)
        out[name] = (frame[list(columns)] if columns else frame, runs)
    return out


if __name__ == "__main__":
    main()
