"""Measure transfer: the first 200 points of three tables, from nothing and from every starting point of the library.

    python bench/transfer.py DATA_FOLDER [-o .] [--seeds 3]

Writes bench/results/transfer.json and docs/transfer.md. Each way to begin is trained for a number of steps, for a third
of them, and not at all; generated windows are judged by the fidelity (lower is better) on the 400 points that follow,
which no training has seen. The closed-form `prior` of the table itself, which trains no network and takes nothing from
the library, is there to compare with.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from state import code
from threadpoolctl import threadpool_limits

import dowgan
from dowgan import Synthesizer
from dowgan.evaluate.blocks import windows
from dowgan.fidelity import fidelity
from dowgan.library import PREFIX, names

ROWS, AFTER = 200, 400  # points that are trained on, and behind them those that are judged by
DRAWN, STEPS_OF_WINDOW = 400, 24  # generated windows
STEPS = 120
CSTR = ("time_min", "AT301", "TT301", "TIC301_sp", "TIC301_out", "flow_a", "flow_b", "feed_temp")
TABLES = {  # file, run columns, columns that are used
    "chickenpox": ("hungary_chickenpox.csv", (), None),
    "nylon": ("nylon_batches.csv", ("batch_id",), None),
    "cstr": ("homeostat_cstr_dev.csv.gz", (), CSTR),
}
SETTINGS = ("train.keep=last", "train.all_rows=true", "train.checks=1", "train.collapse=warn", "window=24")
PAGE = "docs/transfer.md"
Row = dict[str, Any]


def judged(model: Synthesizer, first: pd.DataFrame, after: pd.DataFrame, runs: Sequence[str]) -> float:
    """Fidelity of generated windows on the rows that follow, in standard deviations of the first rows."""
    values = [c.name for c in model.schema.channels if first[c.name].std() > 0]
    if runs:  # whole runs, cut into windows as real ones are
        made = model.generate(runs=DRAWN // 4, random_state=1)
    else:
        made = model.generate(rows=STEPS_OF_WINDOW, runs=DRAWN, random_state=1)
    fake, truth = (
        windows([p[values].to_numpy(float) for p in parts], STEPS_OF_WINDOW, hop)
        for parts, hop in ((_runs(made, runs or ["run"]), STEPS_OF_WINDOW), (_runs(after, runs), 1))
    )
    centre, spread = first[values].mean().to_numpy(), first[values].std().to_numpy()
    return fidelity((fake - centre) / spread, (truth - centre) / spread)


def _runs(frame: pd.DataFrame, columns: Sequence[str]) -> list[pd.DataFrame]:
    return [part for _, part in frame.groupby(list(columns))] if columns else [frame]


def row_of(frame: pd.DataFrame, runs: Sequence[str], steps: int, seed: int, start: str | None) -> Row:
    """Train not at all, for a third of the steps, and for all of them."""
    first, after = frame.head(ROWS), frame.iloc[ROWS : ROWS + AFTER]
    out: Row = {"code": code("transfer"), "seed": seed}
    for name, count in (("start", 0), ("third", steps // 3), ("all", steps)):
        settings = [*SETTINGS, f"train.steps={count}"]
        with threadpool_limits(1):
            model = Synthesizer("gru-gan", settings, runs=runs, random_state=seed, start=start).fit(first)
            out |= {name: judged(model, first, after, runs)}
        out[f"{name}_seconds"] = round(model.fit_seconds_ or 0.0, 1)
    return out


def plain(frame: pd.DataFrame, runs: Sequence[str]) -> float:
    """The same score of the closed-form prior."""
    first, after = frame.head(ROWS), frame.iloc[ROWS : ROWS + AFTER]
    with threadpool_limits(1):
        return judged(Synthesizer("prior", runs=runs).fit(first), first, after, runs)


def measured(
    frame: pd.DataFrame,
    runs: Sequence[str],
    starts: Sequence[str],
    steps: int,
    seeds: int,
    rows: dict[str, list[Row]],
    keep: Callable[[], None] = lambda: None,
) -> None:
    """Measure every way to begin with every seed, as far as `rows` lack it; `keep` is called after each."""
    for seed in range(seeds):
        for name in ("nothing", *(PREFIX + n for n in starts)):
            found = rows.setdefault(name, [])
            if len(found) == seed:
                found.append(row_of(frame, runs, steps, seed, name if name.startswith(PREFIX) else None))
                figures = [round(found[-1][k], 3) for k in ("start", "third", "all")]
                sys.stderr.write(f"  {name}, seed {seed}: {figures}\n")
                keep()


def seeds_of(rows: dict[str, list[Row]]) -> int:
    """With how many seeds every way to begin was measured."""
    return min((len(found) for found in rows.values()), default=0) if len(rows) > 1 else 0


def verdict(rows: dict[str, list[Row]]) -> dict[str, Any]:
    """Compare each start with nothing, by the mean over the seeds that all have."""
    seeds = seeds_of(rows) or None
    mean = {
        name: {k: float(np.mean([r[k] for r in found[:seeds]])) for k in ("start", "third", "all")}
        for name, found in rows.items()
    }
    alone = mean["nothing"]["all"]
    for name, found in mean.items():
        if name.startswith(PREFIX):
            found |= {"reaches_in_a_third": found["third"] <= alone, "better_at_the_end": found["all"] < alone}
    return mean


def page(told: dict[str, Any]) -> str:
    """The table of the results as Markdown."""
    measured = {t: e for t, e in told["results"].items() if seeds_of(e["rows"])}
    lines = [
        "# Transfer, measured",
        "",
        f"The first {told['points']} points of {', '.join(measured)}, trained by the recipe `gru-gan` "
        f"from nothing and from each starting point of the library (S11, U2): not at all, for a third of "
        f"{told['steps']} steps, for all. "
        f"Fidelity of generated windows on the points that follow, at most {AFTER} (lower is better), mean over seeds. "
        "*Helps*: after a third of the steps at least as good as nothing after all, or better after all. "
        "`prior` is the closed form fitted to the same points, without any network and without the library, to compare "
        "with. `bench/transfer.py` writes this page.",
        "",
        "| table | seeds | begins with | no step | a third | all | helps |",
        "|---|---|---|---|---|---|---|",
    ]
    for table, entry in measured.items():
        first = f"| {table} | {seeds_of(entry['rows'])} |"
        for start, found in verdict(entry["rows"]).items():
            figures = " | ".join(f"{found[key]:.3f}" for key in ("start", "third", "all"))
            lines.append(f"{first} {start} | {figures} | {_helps(found)} |")
        lines.append(f"{first} `prior` | {entry['prior']:.3f} | | | |")
    left = [t for t in TABLES if t not in measured]
    if left:
        lines += ["", f"Not measured yet: {', '.join(left)}; the same command goes on with them."]
    return "\n".join([*lines, "", *(f"- {t}: {_sentence(e)}" for t, e in measured.items()), ""])


def _helps(found: dict[str, Any]) -> str:
    if "reaches_in_a_third" not in found:
        return ""
    ways = ["in a third"] * found["reaches_in_a_third"] + ["at the end"] * found["better_at_the_end"]
    return ", ".join(ways) or "no"


def _sentence(entry: Row) -> str:
    """What it comes to for a table."""
    found = verdict(entry["rows"])
    good = [n for n, f in found.items() if f.get("reaches_in_a_third")]
    best = min(f[k] for f in found.values() for k in ("start", "third", "all"))
    told = ["no start reaches after a third of the steps what nothing reaches after all: transfer does not help."]
    if good:
        told = [f"{_named(good)}: after a third of the steps at least as good as training from nothing after all."]
    late = [n for n, f in found.items() if f.get("better_at_the_end") and n not in good]
    if late:
        told.append(f"{_named(late)}: better only after all steps.")
    spoilt = [n for n in good if found[n]["start"] <= min(found[n]["third"], found[n]["all"])]
    if spoilt:
        told.append(f"{_named(spoilt)}: best before any step; so few points do not make it better.")
    if found["nothing"]["all"] > found["nothing"]["start"]:
        told.append("Training from nothing makes it worse here than it was before any step.")
    if entry["prior"] <= best:
        told.append("The closed form of the same points is better than every network here.")
    return " ".join(told)


def _named(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def arguments(about: str | None, steps: int) -> argparse.Namespace:
    """The options of a measurement of trainings from several seeds, which a later call goes on with."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop then; the same command goes on")
    return parser.parse_args()


def main() -> None:
    options = arguments(__doc__, STEPS)
    torch.set_num_threads(1)
    file, ends = options.out / "bench/results/transfer.json", time.monotonic() + 60 * options.minutes
    told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"results": {}}
    told |= {"version": dowgan.__version__, "points": ROWS, "steps": options.steps, "seeds": options.seeds}

    def keep() -> None:
        written(file, json.dumps(told, indent=1) + "\n")
        if time.monotonic() > ends:
            raise SystemExit("the time is used up: the same command goes on")

    for table, (frame, runs) in tables(options.data).items():
        sys.stderr.write(f"{table}\n")
        entry = told["results"].setdefault(table, {"prior": plain(frame, runs), "rows": {}})
        measured(frame, runs, names(), options.steps, options.seeds, entry["rows"], keep)
    keep()
    written(options.out / PAGE, page(told))


def written(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")


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
