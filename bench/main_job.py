"""Measure what the main job must show: densify and extend against plain methods, on rows that no model has seen.

    python bench/main_job.py DATA_FOLDER [-o bench/results/main_job.json]

Every model is fitted by the default way with `--recipe prior` (densify and extend use no network). Data: see the
names in SETS; a missing file is skipped by name.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import dowgan
from dowgan.baselines import interpolate, seasonal_mean, seasonal_mean_paths, seasonal_naive, seasonal_naive_paths
from dowgan.metrics.paired import coverage, crps, r2, r2_pooled

SETS = {  # file, share or row at which the test begins, densify factor, steps to extend, season, origins
    "chickenpox": ("hungary_chickenpox.csv", 417, 4, 52, 52.1775, (366, 418, 470)),
    "etth": ("ETTh1.csv", 0.8, 4, 48, 24.0, (0.7, 0.8, 0.9)),
    "energy": ("energydata_complete.csv.gz", 0.8, 6, 144, 144.0, (0.7, 0.8, 0.9)),
    "air": ("air_quality_uci.csv.gz", 0.8, 4, None, 24.0, ()),
    "co2": ("classic_co2.csv", 0.8, 4, 52, 52.1775, (0.7, 0.8, 0.9)),
    "cstr": ("homeostat_cstr_dev.csv.gz", 0.8, 4, None, 288.0, ()),
}
TRUTH = {"AT301": "truth_q_product", "TT301": "truth_temperature"}  # tags of cstr, and what they measure without noise
CONDITIONS = ("grade", "phase")
HIDDEN = ("run_id", *TRUTH.values(), "truth_x_B", "truth_activity", "truth_impurity")  # never fitted
PATHS = 1_000  # with 200 the edge of a band is itself uncertain by a seventh of a spread


def numbers(frame: pd.DataFrame) -> np.ndarray:
    return frame.iloc[:, 1:].drop(columns=[*HIDDEN, *CONDITIONS], errors="ignore").to_numpy(dtype=float)


def densify(frame: pd.DataFrame, cut: int, factor: int, folder: Path) -> dict[str, float]:
    rows = (len(frame) - cut - 1) // factor * factor + 1
    if cut == 417:  # the last reported week is uneven at New Year: never score on it alone
        rows -= factor
    test = frame.iloc[cut : cut + rows]
    model = _fit(frame.iloc[:cut], folder)
    test.iloc[::factor].drop(columns=list(HIDDEN), errors="ignore").to_csv(folder / "coarse.csv", index=False)
    table = dowgan.table.read(folder / "coarse.csv", schema=model.schema)
    middle = model.densified(table, factor, None, 0)[0]
    truth, hidden = numbers(test), np.arange(rows) % factor != 0
    guesses = {"model": numbers(middle)} | {
        w: interpolate(truth[::factor], factor, w) for w in ("linear", "pchip", "cubic")
    }
    out = {name: float(np.nanmedian(r2(truth[hidden], guess[hidden]))) for name, guess in guesses.items()}
    for tag, true in TRUTH.items():
        if true in frame:
            place = list(model.schema.columns).index(model.schema.column(tag)) - 1 - len(CONDITIONS)
            exact = test[[true]].to_numpy(dtype=float)[hidden]
            out |= {f"{tag}_{n}": float(r2(exact, g[hidden][:, [place]])[0]) for n, g in guesses.items()}
    return out | {"pooled": float(r2_pooled(truth[hidden], guesses["model"][hidden]))}


def extend(frame: pd.DataFrame, origin: int, steps: int, season: float, folder: Path) -> dict[str, float]:
    history, truth = numbers(frame.iloc[:origin]), numbers(frame.iloc[origin : origin + steps])
    model = _fit(frame.iloc[:origin], folder)
    ahead = model.extend(steps=steps, paths=PATHS)
    scale = np.nanstd(history, axis=0)
    rng = np.random.default_rng(0)
    out = {
        "crps": float(np.nanmean(crps(truth, ahead.runs[0]) / scale)),
        "coverage": float(np.nanmean(coverage(truth, ahead.runs[0]))),
        "r2_pooled": float(r2_pooled(truth, numbers(ahead.median))),
    }
    for name, point, paths in (
        ("seasonal_naive", seasonal_naive, seasonal_naive_paths),
        ("seasonal_mean", seasonal_mean, seasonal_mean_paths),
    ):
        drawn = paths(history, steps, season, PATHS, rng)
        out[f"{name}_mae"] = float(np.nanmean(np.abs(truth - point(history, steps, season)) / scale))
        out[f"{name}_crps"] = float(np.nanmean(crps(truth, drawn) / scale))
    return out


def _fit(frame: pd.DataFrame, folder: Path) -> dowgan.Synthesizer:
    frame.drop(columns=list(HIDDEN), errors="ignore").to_csv(folder / "train.csv", index=False)
    conditions = [c for c in CONDITIONS if c in frame]
    return dowgan.Synthesizer("prior", conditions=conditions).fit(folder / "train.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("bench/results/main_job.json"))
    options = parser.parse_args()
    results: dict[str, object] = {}
    for name, (file, cut, factor, steps, season, origins) in SETS.items():
        if not (options.data / file).is_file():
            sys.stderr.write(f"{file} is not there: skipped\n")
            continue
        began = time.monotonic()
        frame = pd.read_csv(options.data / file)
        start = cut if isinstance(cut, int) else round(cut * len(frame))
        with tempfile.TemporaryDirectory() as folder:
            found: dict[str, object] = {"densify": densify(frame, start, factor, Path(folder)), "factor": factor}
            places = [o if isinstance(o, int) else round(o * len(frame)) for o in origins]
            found["extend"] = {str(o): extend(frame, o, steps, season, Path(folder)) for o in places if steps}
        results[name] = found | {"seconds": round(time.monotonic() - began)}
        sys.stderr.write(f"{name}: {json.dumps(results[name])}\n")
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({"version": dowgan.__version__, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
