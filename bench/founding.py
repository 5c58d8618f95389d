"""Run the founding study: the deck's system on its own data, why it fails, and what cures it, all by the same scores.

    python bench/founding.py [DATA.csv]          measure, then write the page; a stopped run goes on where it was
    python bench/founding.py --quick -o FOLDER   the same on a small simulated table with tiny budgets, in seconds
    python bench/founding.py DATA.csv --fresh    the same after the program has changed: what another state of the code
                                                 has measured is measured again; a stopped run goes on here too
    python bench/founding.py --page              write the page again from the results

Without DATA the chickenpox table is downloaded from its archive and checked. The results go to
bench/results/founding_study.json, the page to docs/founding-study.md with figures beside it. Every number of the page
comes from the results. Rows of the table, which some figures show, are kept apart in build/: data are not ours to ship.
"""

import argparse
import hashlib
import io
import json
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from founding_page import ALONE, RECIPES, recipe_of, write_page
from state import code
from threadpoolctl import threadpool_limits
from transfer import ROWS, measured, plain, seeds_of, verdict

import dowgan
from dowgan.config import Config, resolve
from dowgan.evaluate import judge_generation
from dowgan.interpolation import interpolate
from dowgan.library import names
from dowgan.library.processes import simulate
from dowgan.metrics.paired import coverage, mse, r2, r2_pooled
from dowgan.nets import NETS, Shape
from dowgan.noises import NOISES
from dowgan.rng import Streams
from dowgan.search import Task, best_of, run_search
from dowgan.table import read
from dowgan.train import restore

Found = dict[str, Any]
Keep = Callable[[Found], None]
ROOT = Path(__file__).resolve().parents[1]
SOURCE = "https://archive.ics.uci.edu/static/public/580/hungarian+chickenpox+cases.zip"
FILE, CHECKSUM = "hungary_chickenpox.csv", "bd1b802f1059b9b0f0d2c29d6171bc2f302994f81a92d7c7bb25191f76dc4a23"
SHOWN = 4  # columns in figures
SUBSET = 52  # rows of the closer look
EDGE = 0.1  # share of a curve that counts as its beginning and its end
SCRIPTS = ("founding", "transfer")  # that the figures depend on
JUDGED = ("wasserstein", "spread", "ramps", "autocorrelation", "crosscorrelation", "spectrum")


@dataclass(frozen=True)
class Budget:
    """How much is done.

    Attributes:
        epochs, rates: the axes of the deck's two studies; the studies hold rate and epochs at the deck's values.
        middle: epochs of the study of rates.
        seeds: of every training of the deck's system.
        fits: seeds of every recipe of the comparison.
        recipes: that are compared.
        starts: of the library, that transfer begins with.
        settings: on top of every recipe of the comparison, such as a number of steps.
        trials, minutes, search: most trials of the search, its time, and the settings that it holds.
        transfer, transfers: steps of the training from a model of the library and from nothing, and its seeds.
        paths: of an extension.
    """

    epochs: tuple[int, ...] = (100, 500, 1000)
    rates: tuple[float, ...] = (0.01, 0.005, 0.001)
    middle: int = 500
    seeds: int = 1
    fits: int = 2
    recipes: tuple[str, ...] = RECIPES
    starts: tuple[str, ...] = names()
    settings: tuple[str, ...] = ()
    trials: int = 20
    minutes: int = 7
    search: tuple[str, ...] = ("window=24", "train.steps=300", "train.budget=15")
    transfer: int = 120
    transfers: int = 3
    paths: int = 200


FULL = Budget()
QUICK = Budget(
    (1, 2), (0.01, 0.001), 1, 1, 1,
    ("dense-gan", "wgan", "gru-wgan", "prior", "flagship", "r3gan", "gru-gan --from library:counts"), ("counts",),
    ("train.checks=2", "calibrated=false", "encoder.steps=5"), 2, 1,
    ("train.steps=6", "train.checks=2", "window=8"), 6, 1, 20,
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A table and what is done with it; rows from `cut` on are held out of the comparison.

    Attributes:
        results: folder of the results, also of those that other scripts have measured.
    """

    frame: pd.DataFrame
    cut: int
    budget: Budget
    results: Path

    @property
    def train(self) -> pd.DataFrame:
        return self.frame.iloc[: self.cut]

    @property
    def test(self) -> pd.DataFrame:
        """The held-out rows without the last, whose reporting is uneven at New Year."""
        return self.frame.iloc[self.cut : -1]

    @property
    def window(self) -> int:
        """Steps of the windows that are judged."""
        return min(24, len(self.test) // 3)

    @property
    def names(self) -> list[str]:
        return [str(c) for c in self.frame.columns[1:]]

    def settings(self, recipe: str) -> list[str]:
        """The recipe as it is, or cut short."""
        if not self.budget.settings:
            return []
        if not resolve(recipe_of(recipe)[0]).trained:
            return ["calibrated=false"]
        return [*self.budget.settings, "train.epochs=1" if recipe == "dense-gan" else "train.steps=6"]


def numbers(frame: pd.DataFrame) -> np.ndarray:
    return frame.iloc[:, 1:].to_numpy(dtype=float)


def rounded(value: Any) -> Any:
    """Floats with six digits, so that the results file stays small."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [rounded(v) for v in value]
    return float(f"{value:.6g}") if isinstance(value, float | np.floating) else value


# the deck


def about(job: Job) -> dict[str, Any]:
    """S1: the data."""
    values = numbers(job.frame)
    shown = job.names[:SHOWN]
    return {
        "cut": job.cut, "window": job.window, "rows": len(values), "columns": values.shape[1],
        "total": float(values.sum()), "names": job.names,
        "zeros": int((values == 0).sum()), "shown": shown, "series": {n: job.frame[n].tolist() for n in shown},
    }  # fmt: skip


def raw_rows(model: dowgan.Synthesizer, rows: int) -> np.ndarray:
    """What the network itself gives, before bounds and rounding: [rows C]."""
    generator, objective, config = restore(model.model_.network)
    noise = NOISES.get(config.noise)((rows, 1, model.model_.network.channels), Streams(0).torch("founding"))
    with torch.no_grad():
        return objective.sample(generator, noise)[:, 0].numpy().astype(float)


def opinions(model: dowgan.Synthesizer, rows: np.ndarray) -> np.ndarray:
    """The critic's probability that rows are real, without dropout: [rows]."""
    network = model.model_.network
    config = Config.model_validate_json(network.recipe)
    with torch.random.fork_rng(devices=[]):
        critic = NETS.get(config.critic.net)(Shape(1, network.channels, "critic", 1), config.critic)
    critic.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in network.critic.items()})
    with torch.no_grad():
        return torch.sigmoid(critic.eval()(torch.from_numpy(rows.astype(np.float32))[:, None]))[:, 0].numpy()


def founding_fit(job: Job, epochs: int, rate: float, seed: int) -> tuple[dowgan.Synthesizer, dict[str, Any]]:
    """Train the deck's system on all rows; measure what its slides show, and why."""
    settings = [f"train.epochs={epochs}", f"train.lr={rate}"]
    model = dowgan.Synthesizer("dense-gan", settings, random_state=seed).fit(job.frame)
    record, real = model.model_.training, numbers(job.frame)
    made = raw_rows(model, len(real))
    at_real, at_made = opinions(model, real), opinions(model, made)
    found = {"code": code(*SCRIPTS), "epochs": epochs, "rate": rate, "seed": seed, "steps": record.done}
    for name, curve in record.losses.items():
        edge = max(1, round(EDGE * len(curve)))
        found |= {f"{name}_first": float(np.mean(curve[:edge])), f"{name}_last": float(np.mean(curve[-edge:]))}
    found |= {
        "r2_pooled": r2_pooled(real, made), "r2_columns": float(np.mean(r2(real, made))),
        "mse": float(mse(real, made).mean()), "lowest": float(made.min()), "negative": float((made < 0).mean()),
        "mean_ratio": float(made.mean() / real.mean()), "spread_ratio": float(np.mean(made.std(0) / real.std(0))),
        "d_real": float(at_real.mean()), "d_made": float(at_made.mean()),
        "critic_right": float((np.mean(at_real > 0.5) + np.mean(at_made < 0.5)) / 2),
    }  # fmt: skip
    return model, found


def original(job: Job) -> dict[str, Any]:
    """S2-S5 and S8: the deck's recipe with the deck's numbers, one seed, its curves and its rows."""
    deck = resolve("dense-gan").train
    assert deck.epochs is not None
    epochs = deck.epochs if job.budget == FULL else job.budget.middle
    model, found = founding_fit(job, epochs, deck.lr, 0)
    record, real = model.model_.training, numbers(job.frame)
    made = raw_rows(model, len(real))
    weights = sum(w.size for w in model.model_.network.weights.values())
    shuffled = np.random.default_rng(0).permutation(real)
    kept = slice(0, SHOWN)
    return found | {
        "weights": int(weights), "curve": record.steps, "losses": record.losses, "made": made[:, kept].T,
        "parity": {"real": real[::7, kept].ravel(), "made": made[::7, kept].ravel()},
        "r2_shuffled": {"pooled": r2_pooled(real, shuffled), "columns": float(np.mean(r2(real, shuffled)))},
        "r2_mean": {"pooled": r2_pooled(real, np.tile(real.mean(0), (len(real), 1)))},
    }  # fmt: skip


def studies(job: Job, done: Found, keep: Keep) -> None:
    """S6 and S7: epochs at the deck's rate, rates at the middle number of epochs; one fit at a time."""
    rate, budget = resolve("dense-gan").train.lr, job.budget
    points = {"epochs": [(e, rate) for e in budget.epochs], "rates": [(budget.middle, r) for r in budget.rates]}
    entries = [
        entry
        for name, pairs in points.items()
        for entry in done.setdefault(name, [{"epochs": e, "rate": r, "fits": []} for e, r in pairs])
    ]
    for seed in range(budget.seeds):
        for entry in (e for e in entries if len(e["fits"]) == seed):
            told(f"{entry['epochs']} epochs, rate {entry['rate']}, seed {seed}")
            model, found = founding_fit(job, entry["epochs"], entry["rate"], seed)
            entry["fits"].append(found)
            if not seed:
                entry |= {"curve": model.model_.training.steps, "losses": model.model_.training.losses}
            keep(done)


# the cures, by the same scores


def judged(job: Job, made: pd.DataFrame) -> dict[str, Any]:
    """Score generated rows against rows that no model has seen."""
    real, train, fake = (numbers(x) for x in (job.test, job.train, made))
    found = judge_generation([real], [fake], job.names, train=[train], window=job.window)
    scores = {n: {k: found["metrics"][n][k] for k in ("value", "floor", "floor_worst", "naive")} for n in JUDGED}
    copies = found["memorisation"]
    return {"scores": scores, "copies": {k: copies[k] for k in ("authenticity", "authenticity_held_out")}}


def one_fit(job: Job, name: str, settings: Sequence[str], seed: int) -> Found:
    """Fit on the training rows, generate as many, judge."""
    began = time.monotonic()
    recipe, start = recipe_of(name)
    warn = ["train.collapse=warn"] if resolve(recipe).trained else []
    model = dowgan.Synthesizer(recipe, [*settings, *warn], random_state=seed, start=start).fit(job.train)
    seconds = time.monotonic() - began
    made = model.generate(rows=len(job.train), random_state=seed)
    record = model.model_.training
    told_of = {"code": code(*SCRIPTS), "seed": seed, "seconds": seconds}
    told_of |= {"stopped": record.stopped, "chosen": record.chosen}
    return told_of | judged(job, made) | {"series": numbers(made)[:, :SHOWN].T if not seed else None}


def fits_of(job: Job, done: Found, keep: Keep, names: Sequence[str], settings: Sequence[str]) -> None:
    """Recipes by name, one fit at a time: all with the first seed, then the next."""
    for seed in range(job.budget.fits):
        for recipe in names:
            fits = done.setdefault(recipe, {"fits": []})["fits"]
            if len(fits) == seed and (seed == 0 or resolve(recipe_of(recipe)[0]).trained):
                told(f"{recipe}, seed {seed}")
                fits.append(one_fit(job, recipe, [*job.settings(recipe), *settings], seed))
                keep(done)


def recipes(job: Job, done: Found, keep: Keep) -> None:
    """Every recipe as it is."""
    fits_of(job, done, keep, job.budget.recipes, ())


def alone(job: Job, done: Found, keep: Keep) -> None:
    """What the networks that begin as the prior give by themselves, whether they beat it or not."""
    configs = {name: resolve(recipe_of(name)[0]) for name in job.budget.recipes}
    names = [name for name, config in configs.items() if config.trained and config.space == "prior"]
    fits_of(job, done, keep, names, ALONE)


def carried(job: Job) -> Found:
    """S11: the first points, from nothing and from the library; as bench/transfer.py found it, if this code did."""
    before, steps = job.results / "transfer.json", job.budget.transfer
    told = json.loads(before.read_text(encoding="utf-8")) if before.is_file() else {"results": {}}
    found = told["results"].get("chickenpox", {"rows": {}}) | {"steps": told.get("steps")}
    states = {row.get("code") for fits in found["rows"].values() for row in fits}
    if states != {code("transfer")} or found["steps"] != steps:
        rows: dict[str, Any] = {}
        measured(job.frame, (), job.budget.starts, steps, job.budget.transfers, rows)
        alone = plain(job.frame, ())
        found = {"prior": alone, "rows": rows, "steps": steps}
    told_of = {"verdict": verdict(found["rows"]), "seeds": seeds_of(found["rows"])}
    return {"recipe": "gru-gan", "points": ROWS} | found | told_of


def searched(job: Job) -> dict[str, Any]:
    """S12-S16: search nets, layers, norms, dropout, batch, rate, noise and window; judge the best like the others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job.train.to_csv(folder / "train.csv", index=False)
        ends = time.time() + 60 * job.budget.minutes
        task = Task("wgan-gp", job.budget.search, None, str(folder / "journal.log"), 0, ends)
        best = run_search(read(folder / "train.csv"), task, job.budget.trials, folder, 1, False, told)
        rows = pd.read_csv(folder / "trials.csv")
        recipe = best.read_text(encoding="utf-8")
        found = best_of(folder)
        fits = [one_fit(job, str(best), [], seed) for seed in range(job.budget.fits)]
    ended = rows["state"].value_counts().to_dict()
    return {
        "best": found, "toml": recipe, "trials": len(rows), "asked": job.budget.trials, "minutes": job.budget.minutes,
        "ended": ended, "held": job.budget.search, "fits": fits,
    }  # fmt: skip


# where parity has a meaning


def paired(job: Job) -> dict[str, Any]:
    """S8 put right: densified and extended rows have a true value each."""
    model = dowgan.Synthesizer("prior", {"calibrated": False}).fit(job.train)
    rows = (len(job.test) - 1) // 4 * 4 + 1
    test = job.test.iloc[:rows]
    truth, hidden = numbers(test), np.arange(rows) % 4 != 0
    with tempfile.TemporaryDirectory() as folder:
        coarse = Path(folder) / "coarse.csv"
        test.iloc[::4].to_csv(coarse, index=False)
        middle = numbers(model.densify(coarse, factor=4))
    line = interpolate(truth[::4], 4, "linear")
    steps = min(SUBSET, len(job.test))
    ahead = model.extend(steps=steps, paths=job.budget.paths)
    coming, guess = numbers(job.test)[:steps], numbers(ahead.median)
    mean = np.tile(numbers(job.train).mean(0), (steps, 1))
    return {
        "densify": {"factor": 4, "rows": int(hidden.sum()), "r2": r2_pooled(truth[hidden], middle[hidden]),
                    "r2_linear": r2_pooled(truth[hidden], line[hidden]),
                    "real": truth[hidden].ravel()[::5], "made": middle[hidden].ravel()[::5]},
        "extend": {"steps": steps, "r2": r2_pooled(coming, guess), "r2_mean": r2_pooled(coming, mean),
                   "coverage": float(np.nanmean(coverage(coming, ahead.runs[0]))),
                   "real": coming.ravel()[::5], "made": guess.ravel()[::5]},
    }  # fmt: skip


# the data, the order of things


def told(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def download(folder: Path, source: str = SOURCE, checksum: str = CHECKSUM) -> Path:
    """Fetch the table from its archive and check it.

    Raises:
        SystemExit: it cannot be fetched, or is not the table that the study is about.
    """
    try:
        with urllib.request.urlopen(source, timeout=60) as answer:
            archive = zipfile.ZipFile(io.BytesIO(answer.read()))
            content = next(archive.read(n) for n in archive.namelist() if Path(n).name == FILE)
    except (OSError, StopIteration, zipfile.BadZipFile) as error:
        raise SystemExit(
            f"{source} could not be fetched ({error}); give the file: make founding DATA={FILE}"
        ) from error
    if hashlib.sha256(content).hexdigest() != checksum:
        raise SystemExit(
            f"{source} holds another {FILE} than the study is about; give the file: make founding DATA=..."
        )
    (folder / FILE).write_bytes(content)
    return folder / FILE


def small_table() -> pd.DataFrame:
    """A table like the deck's for the quick version: simulated counts."""
    return simulate("counts", 260).iloc[:, :4]


class EnoughError(Exception):
    """The time that was given is used up."""


APART = (  # where rows of the table stand in what was measured
    ("about", "series"), ("original", "parity", "real"), ("paired", "densify", "real"), ("paired", "extend", "real"),
)  # fmt: skip


def load(results: Path, rows: Path) -> Found:
    """Return what was measured, with the rows of the table where they are at hand."""
    done = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else {}
    kept = json.loads(rows.read_text(encoding="utf-8")) if rows.is_file() else []
    for path, value in kept:
        place = done
        for name in path[:-1]:
            place = place.get(name, {})
        place[path[-1]] = value
    return done


def save(done: Found, results: Path, rows: Path) -> None:
    """Write what was measured, and apart from it the rows of the table."""
    public, kept = json.loads(json.dumps(rounded(done))), []
    for path in APART:
        place = public
        for name in path[:-1]:
            place = place.get(name, {})
        if path[-1] in place:
            kept.append((path, place.pop(path[-1])))
    for file, value in ((results, public), (rows, kept)):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value, separators=(",", ":")) + "\n", encoding="utf-8")


def forget(done: Found, now: str) -> None:
    """Take out of the results what another state of the code has measured, so that it is measured again."""
    for name in WHOLE:
        if done.get(name, {}).get("code") != now:
            done.pop(name, None)
    points = [*done.get("studies", {}).values(), *(done.get(n, {}).values() for n in ("recipes", "alone"))]
    for entry in (e for group in points for e in group):
        entry["fits"] = list(takewhile(lambda fit: fit.get("code") == now, entry["fits"]))


def run(job: Job, results: Path, rows: Path, only: Sequence[str], minutes: float, fresh: bool) -> None:
    """Do what the results file does not have yet; of all sections, or of some.

    Args:
        fresh: what another state of the code has measured does not count.

    Raises:
        EnoughError: the time was used up; what was done is kept.
    """
    done = load(results, rows)
    if fresh:
        forget(done, code(*SCRIPTS))
    ends = time.monotonic() + 60 * minutes

    def keep(name: str, value: Any) -> None:
        done[name] = value
        done["version"] = dowgan.__version__
        save(done, results, rows)
        if time.monotonic() > ends:
            raise EnoughError

    for name, make in WHOLE.items():
        if name in (only or WHOLE) and name not in done:
            told(name)
            keep(name, make(job) | {"code": code(*SCRIPTS)})
    for name, go_on in IN_PARTS.items():
        if name in (only or IN_PARTS):
            told(name)
            go_on(job, done.get(name, {}), partial(keep, name))


WHOLE: dict[str, Callable[[Job], Found]] = {
    "about": about, "original": original, "paired": paired, "transfer": carried, "search": searched,
}  # fmt: skip
IN_PARTS: dict[str, Callable[[Job, Found, Keep], None]] = {"studies": studies, "recipes": recipes, "alone": alone}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--page", action="store_true")
    parser.add_argument(
        "--only", action="append", default=[], choices=[*WHOLE, *IN_PARTS], help="some sections, no page"
    )
    parser.add_argument("--fresh", action="store_true", help="measure again what another state of the code has")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop then; the same command goes on")
    parser.add_argument("-o", "--out", type=Path, default=ROOT)
    options = parser.parse_args()
    results = options.out / "bench" / "results" / "founding_study.json"
    rows = options.out / "build" / "founding_rows.json"
    if not options.page:
        with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
            torch.set_num_threads(1)
            if options.quick:
                job = Job(small_table(), 150, QUICK, results.parent)
            else:
                job = Job(pd.read_csv(options.data or download(Path(folder))), 417, FULL, results.parent)
            try:
                run(job, results, rows, options.only, options.minutes, options.fresh)
            except EnoughError:
                told("the time is used up: the same command goes on")
                return
    if options.only:
        return
    page = options.out / "docs" / "founding-study.md"
    write_page(load(results, rows), page)
    told(f"wrote {page}")


if __name__ == "__main__":
    main()
