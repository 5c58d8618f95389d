"""Set the default recipe beside the peers that install from the registry: same windows, same time, same judges.

    python bench/peers.py install               # each peer into build/peers/NAME, at most five minutes each
    python bench/peers.py run DATA_FOLDER [--budget 300]
    python bench/peers_page.py                  # docs/peers.md

Each peer trains for the budget of processor seconds on one thread, in an environment of its own, on all windows of 24
rows of a set, min-max scaled (`peer_side.py`). The default recipe is fitted on the table by its own defaults. All are
judged at the same n, half of the real windows or MOST at most: against these, n drawn windows (or, for the floor, n of
the other real windows, or n windows of a block bootstrap). The judges are those of `protocol.py`. One training seed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from protocol import MACHINE, STEPS, Published, drawn, fitted, table, windows

from dowgan.baselines import block_bootstrap
from dowgan.metrics.discriminative import minmax
from dowgan.metrics.memorisation import authenticity
from dowgan.metrics.twosample import twosample
from dowgan.versions import versions

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / "build" / "peers"
RESULTS = ROOT / "bench" / "results" / "peers.json"
SETS = ("stocks", "chickenpox")
MOST = 500  # windows to judge, so that slow peers can draw them
LONGEST_INSTALL, LARGEST = 300, 2_000  # seconds and MB, beyond which a peer is left out
BLOCK = 2 * STEPS  # rows of a block of the bootstrap


@dataclass(frozen=True)
class Peer:
    """What is installed, and the models of it that run (none: it is only tried)."""

    packages: tuple[str, ...]
    models: tuple[str, ...] = ()


PEERS = {
    "deepecho": Peer(("deepecho", "torch==2.13.0"), ("par",)),
    "fflows": Peer(("fflows", "torch==2.13.0"), ("fourier_flow",)),
    "tsgm": Peer(("tsgm", "torch==2.13.0", "pandas<3"), ("timegan",)),
    "gretel-synthetics": Peer(("gretel-synthetics[torch]", "torch==2.13.0")),
    "ydata-synthetic": Peer(("ydata-synthetic",)),
    "synthcity": Peer(("synthcity", "torch==2.13.0")),
}


def install(name: str) -> dict[str, object]:
    """Try to install a peer into an environment of its own, and say how that went."""
    home = HOME / name
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEERS[name].packages]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_INSTALL)
        errors = [line for line in done.stderr.splitlines() if line.lstrip().startswith("ERROR")]
        reason = errors[-1].strip() if done.returncode else ""
    except subprocess.TimeoutExpired:
        reason = f"not installed within {LONGEST_INSTALL} s"
    size = sum(p.stat().st_size for p in home.rglob("*") if p.is_file() and not p.is_symlink()) / 1e6
    if not reason and size > LARGEST:
        reason = f"{size:,.0f} MB, more than {LARGEST:,}"
    listed = subprocess.run([python, "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=True)
    wanted = {name, "torch", "keras", "tensorflow", "numpy", "pandas"}
    found = {p["name"]: p["version"] for p in json.loads(listed.stdout) if p["name"] in wanted}
    asked = " ".join(PEERS[name].packages)
    return {"asked": asked, "left_out": reason, "megabytes": round(size), "versions": found}


def bootstrap(real: np.ndarray, count: int) -> np.ndarray:
    """Windows of a block bootstrap of the series that stride-1 windows came from."""
    series = np.concatenate([real[:, 0], real[-1, 1:]])
    made = block_bootstrap([series], len(series), BLOCK, np.random.default_rng(0))
    every = np.lib.stride_tricks.sliding_window_view(made, STEPS, axis=0).transpose(0, 2, 1)
    return some(every, count, 2)[0]


def some(rows: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw `count` of the windows, and as many of the others (if there are), both in the order of time."""
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows[np.sort(order[:count])], rows[np.sort(order[count : 2 * count])]


def judge(real: np.ndarray) -> Callable[[np.ndarray], dict[str, float]]:
    """Return the scores of n windows against n real ones, the papers' as means over their judges."""
    papers = Published(real)

    def scores(fake: np.ndarray) -> dict[str, float]:
        means = {name: float(np.mean(values)) for name, values in papers.score(fake).items()}
        return means | {"trees_auc": twosample(real, fake)}

    return scores


def peer(name: str, model: str, real: np.ndarray, budget: float, count: int) -> tuple[np.ndarray, dict[str, float]]:
    """Fit a peer's model in its environment, and draw from it."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "real.npy", Path(folder) / "fake.npy"
        np.save(source, real.astype(np.float32))
        given = [model, source, target, budget, count, 0]
        command = [HOME / name / "bin" / "python", ROOT / "bench" / "peer_side.py", *given]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        return np.load(target), json.loads(done.stdout.splitlines()[-1])


def run(name: str, folder: Path, budget: float, kept: dict[str, Any]) -> None:
    """Score every row of a set; what is scored already with this budget is left as it is."""
    frame, runs = table(name, folder)
    units = windows(frame, runs)
    real = minmax(units, units)[0]
    count = min(len(real) // 2, MOST)
    half, rest = some(real, count, 1)
    rows = kept["results"].setdefault(name, {"windows": [count, *real.shape[1:]]})
    scores = judge(half)

    def keep(row: str, fake: np.ndarray, more: dict[str, float]) -> None:
        own = {} if row == "real" else {"authenticity": authenticity(real, fake)}
        rows[row] = scores(fake) | own | more
        sys.stderr.write(f"{row}: {json.dumps(rows[row])}\n")
        save(kept)

    if "real" not in rows:
        keep("real", rest, {})
        keep("bootstrap", bootstrap(real, count), {})
    if "dowgan" not in rows:
        began = time.process_time()
        model, _ = fitted(frame, "flagship", 0, runs)
        spent = time.process_time() - began
        fake = minmax(units, drawn(model, frame, runs, count, 0))[1]
        keep("dowgan", fake, {"fit_seconds": spent, "draw_seconds": time.process_time() - began - spent})
    for package, tried in PEERS.items():
        for model_name in tried.models if not kept["installs"][package]["left_out"] else ():
            if rows.get(model_name, {}).get("fit_seconds") != budget:
                try:
                    fake, did = peer(package, model_name, real, budget, count)
                except RuntimeError as error:  # a peer may not run with the versions that it asked for
                    rows[model_name] = {"failed": str(error)}
                    save(kept)
                    continue
                keep(model_name, fake, {"fit_seconds": budget} | did)


def save(kept: dict[str, Any]) -> None:
    machine = MACHINE | {"load": os.getloadavg()[0]}
    RESULTS.write_text(json.dumps(kept | {"versions": versions(), "machine": machine}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=("install", "run"))
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--budget", type=float, default=300, help="processor seconds of each peer's training")
    parser.add_argument("--only", default="", help="the peers to install, or the sets to run")
    options = parser.parse_args()
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"installs": {}, "results": {}}
    only = options.only.split(",") if options.only else PEERS if options.work == "install" else SETS
    for name in only:
        if options.work == "install":
            kept["installs"][name] = install(name)
            sys.stderr.write(f"{name}: {json.dumps(kept['installs'][name])}\n")
            save(kept)
        else:
            run(name, options.data, options.budget, kept)


if __name__ == "__main__":
    main()
