"""Score generators on windows of 24 rows: the papers' protocol (A), and blocks of time (B).

    python bench/protocol.py DATA_FOLDER [--sets stocks,etth] [--recipes flagship,prior] [--seeds 0,1,2]

A: fitted on the whole table, min-max scaled, judged against its own windows by Disc (5 judges) and Context-FID (5
encoders), as Yoon et al. 2019 and Yuan and Qiao 2024 do. The floor is other real windows at the same n; where a table
has no more windows, one random half against the other. `bootstrap` is windows put together from halves of real ones.
B: every third of twelve blocks of time is blanked before the fit, of a table of runs every third run left out, and the
draw is judged against its windows by boosted trees and a GRU of 64 (mean AUC of 3 judges); the floor is the blocks that
were fitted against those. Like stands beside like, twice. `generated` windows, each drawn by itself, are compared with
`training_windows`, as many in random order: a judge that is tested on some of either has learnt from others of their
time (and, of the training ones, from such as overlap them). `series`, the windows of one generated table in the order
of time, are compared with `training_block`: a judge is tested at times that it has not seen (and training rows lie next
to the held-out ones of that time, which no generator can know). All windows of stride 1; of more than MOST, as many are
drawn at random, once. Nothing is tuned for a set. Results are written after every fit. `--steps` takes windows of
another length, into a file that says so. `--keep-sample` also stores what was drawn of a simulated set, so that anyone
can score it again:

    python bench/protocol.py . --sets plant --seeds 0 --keep-sample -o bench/results/protocol_sample.json

The set `mujoco` is read from build/mujoco.csv, see hopper.py.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from state import code

import dowgan
from dowgan.baselines import block_bootstrap
from dowgan.demo import simulate
from dowgan.metrics.context_fid import encoder, frechet
from dowgan.metrics.correlational import correlational
from dowgan.metrics.discriminative import discriminative, minmax
from dowgan.metrics.gru_judge import gru_judge
from dowgan.metrics.memorisation import lowest, memorisation
from dowgan.metrics.twosample import twosample

STEPS = 24
MOST = 5_000
REPEATS = range(5)
BLOCKS, HELD = 12, 3  # blocks of time, of which every so many is held out
RUN = "run"
JUDGES = range(3)  # of protocol B
CONDITIONS = {"cstr": ("grade", "phase")}
RUNS = {"nylon": ("batch_id",), "tep": ("fault", "split")}
UNKNOWN = ("run_id", "truth_")  # columns of cstr that no plant has begin so
SIMULATED = {"sines": 10_000, "plant": 424}  # sets that are made here, and their windows or rows
SAMPLES = Path("bench/results/samples")
MACHINE = {"python": platform.python_version(), "cores": os.cpu_count(), "processor": platform.machine()}
FILES = {
    "stocks": "stock_data.csv",
    "etth": "ETTh1.csv",
    "energy": "energydata_complete.csv.gz",
    "chickenpox": "hungary_chickenpox.csv",
    "cstr": "homeostat_cstr_dev.csv.gz",
    "nylon": "nylon_batches.csv",
    "tep": "tep_braatz.parquet",
}
CLOCKS = ("time_min",)  # numbers that are no values
HOPPER = Path("build/mujoco.csv")


def sines(count: int) -> pd.DataFrame:
    """Return the papers' Sines: independent windows of five sines of random frequency and phase (Yoon et al. 2019)."""
    rng = np.random.default_rng(0)
    frequency, phase = rng.uniform(0, 0.1, (2, count, 1, 5))
    values = (np.sin(frequency * np.arange(STEPS)[:, None] + phase) + 1) / 2
    frame = pd.DataFrame(values.reshape(-1, 5), columns=[f"sine{i}" for i in range(1, 6)])
    return frame.assign(**{RUN: np.repeat(np.arange(count), STEPS)})


def table(name: str, folder: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return a set's table and its run columns."""
    if name == "sines":
        return sines(SIMULATED[name]), (RUN,)
    if name == "plant":
        return simulate(SIMULATED[name]).truth.drop(columns="grade"), ()
    if name == "mujoco":
        return pd.read_csv(HOPPER), (RUN,)
    file = folder / FILES[name]
    frame = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    return frame[[c for c in frame if not c.startswith(UNKNOWN)]], RUNS.get(name, ())


def windows(frame: pd.DataFrame, runs: Sequence[str], steps: int = STEPS) -> np.ndarray:
    """Return all windows [N T C] of the value columns of each run, in the order of time; a clock is no value."""
    values = frame.drop(columns=[*CLOCKS, *runs], errors="ignore").select_dtypes("number").to_numpy(dtype=float)
    places = frame.groupby(list(runs), sort=False).indices.values() if runs else [np.arange(len(frame))]
    cut = np.lib.stride_tricks.sliding_window_view
    parts = [cut(values[place], steps, axis=0) for place in places if len(place) >= steps]
    return np.concatenate(parts).transpose(0, 2, 1)


def some(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return at most MOST of the windows, drawn at random, and as many others, none where there are not so many."""
    order = np.random.default_rng(0).permutation(len(rows))
    others = order[MOST : 2 * MOST] if len(rows) >= 2 * MOST else order[:0]
    return rows[np.sort(order[:MOST])].copy(), rows[np.sort(others)].copy()


def fitted(
    frame: pd.DataFrame,
    recipe: str,
    seed: int,
    runs: tuple[str, ...],
    conditions: tuple[str, ...] = (),
    steps: int = STEPS,
) -> tuple[dowgan.Synthesizer, float]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        frame.to_csv(path, index=False)
        settings = {"window": steps}
        model = dowgan.Synthesizer(recipe, settings, runs=runs, conditions=conditions, random_state=seed).fit(path)
    return model, time.monotonic() - began


def drawn(
    model: dowgan.Synthesizer, frame: pd.DataFrame, runs: tuple[str, ...], count: int, seed: int, steps: int = STEPS
) -> np.ndarray:
    """Windows of the model; of a table whose runs are longer, some of those of whole runs."""
    own = len(frame) // frame.groupby(list(runs)).ngroups if runs else steps
    if own > steps:
        made = windows(model.generate(random_state=seed), runs, steps)
        order = np.random.default_rng(seed).permutation(len(made))
        return made[np.sort(order[:count])]
    made, told = model.generate(rows=steps, runs=count, random_state=seed), runs or (RUN,)
    return windows(made[[*told, *(c for c in frame.columns if c in made and c not in told)]], told)


class Published:
    """The papers' judges of one set of real windows, min-max scaled; the encoders are trained once."""

    def __init__(self, real: np.ndarray) -> None:
        self.real = real
        self.encoders = [encoder(self.real, seed) for seed in REPEATS]
        self.seen = [eye(self.real) for eye in self.encoders]

    def score(self, fake: np.ndarray) -> dict[str, list[float]]:
        """Return every judge's score of windows on the same scale."""
        return {
            "disc": [float(v) for v in discriminative(self.real, fake, list(REPEATS))],
            "context_fid": [frechet(own, eye(fake)) for own, eye in zip(self.seen, self.encoders, strict=True)],
            "correlational": [float(v) for v in correlational(self.real, fake, list(REPEATS))],
        }


def floor_a(real: np.ndarray, others: np.ndarray) -> dict[str, object]:
    """The same scores of real windows against others, or of one random half of them against the other."""
    if not len(others):
        order = np.random.default_rng(1).permutation(len(real))
        half = len(real) // 2
        real, others = real[order[:half]], real[order[half : 2 * half]]
    first, second = minmax(real, others)
    return Published(first).score(second) | {"n": len(real)}


def judges(held: np.ndarray, other: np.ndarray) -> dict[str, float]:
    means = {
        name: float(np.mean([judge(held, other, seed=seed) for seed in JUDGES]))
        for name, judge in (("trees_auc", twosample), ("gru_auc", gru_judge))
    }
    return {name: means[name] for name in ("trees_auc", "gru_auc")}


def sides(frame: pd.DataFrame, runs: tuple[str, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table without the held-out runs, or with its held-out blocks blanked; and the other way round."""
    if runs:
        out = frame.groupby(list(runs), sort=False).ngroup().to_numpy() % HELD == HELD - 1
        return frame[~out].reset_index(drop=True), frame[out].reset_index(drop=True)
    out = np.arange(len(frame)) * BLOCKS // len(frame) % HELD == HELD - 1
    names = frame.select_dtypes("number").columns.drop(list(CLOCKS), errors="ignore")
    known, hidden = frame.astype(dict.fromkeys(names, float)), frame.astype(dict.fromkeys(names, float))
    known.loc[out, names] = np.nan
    hidden.loc[~out, names] = np.nan
    return known, hidden


def blocks(
    frame: pd.DataFrame, recipe: str, seed: int, runs: tuple[str, ...], conditions: tuple[str, ...]
) -> dict[str, object]:
    """Protocol B."""
    known, hidden = sides(frame, runs)
    train, held = (rows[~np.isnan(rows).any(axis=(1, 2))] for rows in (windows(known, runs), windows(hidden, runs)))
    model, seconds = fitted(known, recipe, seed, runs, conditions)
    fake = drawn(model, known, runs, len(held), seed)
    order = np.random.default_rng(seed)
    return {
        "generated": judges(held, order.permutation(fake)) | distances(train, held, fake),
        "training_windows": judges(held, order.permutation(train)[: len(held)]),
        "series": judges(held, windows(model.generate(random_state=seed), runs)),
        "training_block": judges(held, train),
        "bootstrap": judges(held, redrawn(train, len(held), seed)),
        "fit_seconds": seconds,
    }


def distances(train: np.ndarray, held: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """Distances to the nearest training window; those of training windows are to the ones that do not overlap."""
    near = memorisation(train, some(held)[0], some(fake)[0])
    found = {"generated": near.fake, "held_out": near.held_out, "training": near.train}
    return {
        "closer_than_held_out": near.closer,
        "copies": near.copies,
        **{f"lowest_{name}": lowest(values) for name, values in found.items()},
    }


def redrawn(train: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Windows put together from halves of training windows: a block bootstrap."""
    steps = train.shape[1]
    rows = block_bootstrap(list(train), count * steps, steps // 2, np.random.default_rng(seed))
    return rows.reshape(count, steps, -1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default="sines,stocks,etth,energy")
    parser.add_argument("--recipes", default="flagship")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--blocks", action="store_true", help="protocol B instead of A")
    parser.add_argument("--steps", type=int, default=STEPS, help="of a window, protocol A")
    parser.add_argument("--keep-sample", action="store_true", help=f"store the draws of {', '.join(SIMULATED)}")
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    suffix = "b" if options.blocks else "a" if options.steps == STEPS else f"a_{options.steps}"
    out = options.out or Path("bench/results") / f"protocol_{suffix}.json"
    kept = json.loads(out.read_text())["results"] if out.exists() else {}
    for name in options.sets.split(","):
        frame, runs = table(name, options.data)
        result, conditions = kept.setdefault(name, {}), CONDITIONS.get(name, ())
        if not options.blocks:
            real, others = some(windows(frame, runs, options.steps))
            published = Published(minmax(real, real)[0])
            result |= {"windows": list(real.shape)}
            result.setdefault("floor", floor_a(real, others))
            result.setdefault("bootstrap", published.score(minmax(real, redrawn(real, len(real), 0))[1]))
        for recipe in options.recipes.split(","):
            for seed in map(int, options.seeds.split(",")):
                if options.blocks:
                    found = blocks(frame, recipe, seed, runs, conditions)
                else:
                    model, seconds = fitted(frame, recipe, seed, runs, conditions, options.steps)
                    began = time.monotonic()
                    fake = drawn(model, frame, runs, len(real), seed, options.steps)
                    found = {"fit_seconds": seconds, "generate_seconds": time.monotonic() - began}
                    found |= published.score(minmax(real, fake)[1])
                    found["spread"] = (fake.std((0, 1)) / real.std((0, 1))).tolist()
                    if options.keep_sample and name in SIMULATED:
                        SAMPLES.mkdir(exist_ok=True)
                        np.savez_compressed(SAMPLES / f"{name}_{recipe}_{seed}.npz", windows=fake.astype(np.float32))
                result.setdefault(recipe, {})[str(seed)] = found | {"code": code("protocol")}
                sys.stderr.write(f"{name} {recipe} seed {seed}: {json.dumps(found)}\n")
                text = json.dumps({"version": dowgan.__version__, "machine": MACHINE, "results": kept}, indent=1)
                out.write_text(text + "\n")


if __name__ == "__main__":
    main()
