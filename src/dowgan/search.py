"""Search for the settings with the best held-out fidelity, over what nets and objectives declare; needs Optuna.

Trials and their course are kept in an Optuna storage: a journal file in the folder, or a database that many machines
share. What is searched is never measured on rows that a network trained on, but the best of many trials is selected
on them: judge it afterwards with `dowgan report`.
"""

import csv
import io
import json
import os
import platform
import time
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from dowgan.config import Config, resolve
from dowgan.errors import OptionError, UserError, unknown
from dowgan.files import write_whole
from dowgan.rng import Streams
from dowgan.space import NET_SPACES, OBJECTIVE_SPACES, Choice, Range, Whole
from dowgan.study import priors
from dowgan.table import Table
from dowgan.workers import each

if TYPE_CHECKING:
    import optuna

NAME = "dowgan"
JOURNAL, BEST, TABLE, PAGE = "journal.log", "best.toml", "trials.csv", "search.html"
WINDOWS = (12, 24, 48)  # lengths that are tried
YARDSTICK = 12  # steps on which fidelity is measured while windows differ in length
WARMUP = 3  # measurements before a trial may be pruned
STARTUP = 5  # trials before any may be pruned
AIMS = ("time",)
CLOSED = ("COMPLETE", "PRUNED", "FAIL")


@dataclass(frozen=True)
class Task:
    """What a search is about; the same for all of its workers.

    Attributes:
        recipe, settings: what is not searched.
        against: "time" to weigh fidelity against fit seconds; None for fidelity alone.
        storage: Optuna's URL of a database, or the path of a journal file.
        seed: of trials and of what is tried.
        deadline: epoch seconds at which the search ends, None for none.
    """

    recipe: str
    settings: tuple[str, ...]
    against: str | None
    storage: str
    seed: int
    deadline: float | None

    @property
    def held(self) -> frozenset[str]:
        """Keys that the user has set, which are not searched."""
        return frozenset(s.partition("=")[0].strip() for s in self.settings)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise OptionError("A search needs Optuna, which is not installed: pip install 'dowgan[search]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _storage(place: str) -> Any:
    """Open an Optuna storage.

    Raises:
        OptionError: the database cannot be reached, or its driver is not installed.
    """
    _optuna()
    if "://" not in place:
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        return JournalStorage(JournalFileBackend(place))
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the heartbeat, by which a dead worker is known, is said to be new
            return RDBStorage(place, heartbeat_interval=60)
    except (ImportError, SQLAlchemyError) as error:
        reason = str(error).split("\n")[0].rstrip(".")
        raise OptionError(f"The storage '{place}' cannot be used: {reason}.") from error


def _suggest(trial: "optuna.Trial", name: str, space: Range) -> Any:
    if isinstance(space, Choice):
        return space.values[0] if len(space.values) == 1 else trial.suggest_categorical(name, space.values)
    if isinstance(space, Whole):
        return trial.suggest_int(name, space.low, space.high, log=space.log)
    return trial.suggest_float(name, space.low, space.high, log=space.log)


def suggest(trial: "optuna.Trial", base: Config, held: frozenset[str], windows: Sequence[int]) -> dict[str, Any]:
    """Return the settings of a trial: objective, nets, training, noise and window, each from its declared space.

    Args:
        base: the recipe with what the user has set.
        held: keys that are not searched.
        windows: lengths that the table has room for.
    """
    from dowgan.noises import NOISES
    from dowgan.objectives import OBJECTIVES
    from dowgan.train import SPACE

    out: dict[str, Any] = {}

    def ask(key: str, space: Range, name: str | None = None) -> Any:
        if key not in held and key not in out:
            out[key] = _suggest(trial, name or key, space)
        section, _, field = key.rpartition(".")
        return out[key] if key in out else getattr(getattr(base, section) if section else base, field)

    objective = ask("objective.name", Choice(OBJECTIVE_SPACES.names()))
    for key, space in OBJECTIVE_SPACES.get(objective).items():
        ask(key, space, f"{objective}/{key}")
    adversarial = OBJECTIVES.get(objective).adversarial
    for role in ("generator", "critic") if adversarial else ("generator",):
        kinds = tuple(n for n, s in NET_SPACES if base.space != "prior" or not s.over_time)
        net = ask(f"{role}.net", Choice(kinds))
        for option, space in NET_SPACES.get(net).options.items():
            ask(f"{role}.{option}", space, f"{net}/{role}.{option}")
    for key, space in SPACE.items():
        if adversarial or key != "train.critic_steps":
            ask(key, space)
    if base.space != "prior":
        ask("noise", Choice(NOISES.names()))
    if len(windows) > 1:
        ask("window", Choice(tuple(windows)))
    return out


def _base(task: Task) -> Config:
    base = resolve(task.recipe, list(task.settings))
    if not base.trained:
        raise OptionError(f"The recipe '{base.recipe}' trains no network, so there is nothing to search.")
    return base


def _windows(table: Table, base: Config, held: frozenset[str]) -> tuple[int, ...]:
    longest = max(len(run.values) for run in table.runs)
    return () if "window" in held or base.window == 1 else tuple(w for w in WINDOWS if longest >= 8 * w)


def trial_config(trial: "optuna.Trial", table: Table, task: Task) -> Config:
    """Return the configuration that a trial stands for."""
    base = _base(task)
    windows = _windows(table, base, task.held)
    tried = suggest(trial, base, task.held, windows)
    settings: dict[str, Any] = dict(s.split("=", 1) for s in task.settings) | tried
    if "window" in tried:
        settings["train.check_steps"] = YARDSTICK
    return resolve(task.recipe, settings)


def evaluate(trial: "optuna.Trial", table: Table, task: Task) -> float | tuple[float, float]:
    """Train one configuration; give its held-out fidelity, and the seconds where they count.

    Whatever goes wrong prunes the trial, with the reason in its attribute `reason`.
    """
    optuna = _optuna()
    began = time.monotonic()
    trial.set_user_attr("process", os.getpid())
    try:
        config = trial_config(trial, table, task)
        _refuse_double(trial)
        best = _fidelity(trial, table, task, config)
    except optuna.TrialPruned as error:
        trial.set_user_attr("reason", str(error))
        raise
    except UserError as error:
        trial.set_user_attr("reason", str(error))
        raise optuna.TrialPruned(str(error)) from error
    except Exception as error:  # a search goes on: the reason stands in its table
        reason = f"{type(error).__name__}: {error}"
        trial.set_user_attr("reason", reason)
        raise optuna.TrialPruned(reason) from error
    seconds = time.monotonic() - began
    trial.set_user_attr("seconds", seconds)
    return (best, seconds) if task.against else best


def _refuse_double(trial: "optuna.Trial") -> None:
    """Prune a trial that asks for the very settings of an earlier one."""
    optuna = _optuna()
    for other in trial.study.get_trials(deepcopy=False):
        if other.number < trial.number and other.params == trial.params and other.state.name in ("COMPLETE", "RUNNING"):
            raise optuna.TrialPruned(f"the same settings as trial {other.number}")


def _fidelity(trial: "optuna.Trial", table: Table, task: Task, config: Config) -> float:
    optuna = _optuna()
    from dowgan.networks import train_network

    measured = 0

    def progress(step: int, steps: int, figures: Mapping[str, float]) -> None:
        nonlocal measured
        if task.deadline is not None and time.time() > task.deadline:
            raise optuna.TrialPruned("the budget of the search was used up")
        if "fidelity" in figures and task.against is None:
            measured += 1
            trial.report(figures["fidelity"], measured)
            if trial.should_prune():
                raise optuna.TrialPruned(f"worse than the median at step {step}")

    with threadpool_limits(1):
        _, record = train_network(priors(table, config.window), config, Streams(task.seed), progress, table.runs)
    if record.stopped.startswith("interrupted"):
        trial.study.stop()
        raise optuna.TrialPruned("interrupted")
    if "no longer finite" in record.stopped:
        raise optuna.TrialPruned(record.stopped.split(". ")[0])
    trained = record.fidelity[1:]  # the first is of the generator before any training
    trial.set_user_attr("untrained", record.fidelity[0])
    trial.set_user_attr("toml", config.to_toml())
    return trained[-1] if config.train.keep == "last" else min(trained)


def work(
    table: Table, task: Task, share: int, total: int, worker: int, tell: Callable[[str], None] | None = None
) -> None:
    """Run trials of a search in this process until they, or the budget, are used up.

    Args:
        share: most trials of this process.
        total: trials that the storage shall hold in the end; other machines may add theirs meanwhile.
        worker: number of this process.
        tell: is told each trial's outcome; None in a process of its own.
    """
    optuna = _optuna()
    study = optuna.load_study(study_name=NAME, storage=_storage(task.storage))
    seed = _sampler_seed(task, worker, len(study.get_trials(deepcopy=False)))
    study.sampler = (
        optuna.samplers.TPESampler(seed=seed) if task.against is None else optuna.samplers.NSGAIISampler(seed=seed)
    )
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=WARMUP)
    timeout = None if task.deadline is None else max(task.deadline - time.time(), 0.1)

    def look(study: Any, trial: Any) -> None:
        if tell is not None:
            tell(line_of(trial))
        if len(study.get_trials(deepcopy=False)) >= total:
            study.stop()

    study.optimize(lambda trial: evaluate(trial, table, task), n_trials=share, timeout=timeout, callbacks=[look])


def _sampler_seed(task: Task, worker: int, trials: int) -> int:
    """The same again for a journal on one machine; of its own for every process that shares a database."""
    place = [zlib.crc32(platform.node().encode()), os.getpid()] if "://" in task.storage else []
    return int(np.random.SeedSequence([task.seed, worker, trials, *place]).generate_state(1)[0])


def line_of(trial: "optuna.trial.FrozenTrial") -> str:
    """Say in a line what became of a trial."""
    if trial.state.name != "COMPLETE":
        return f"trial {trial.number}: {trial.state.name.lower()}, {trial.user_attrs.get('reason', 'no reason known')}"
    return f"trial {trial.number}: held-out fidelity {trial.values[0]:.4f} ({trial.user_attrs['seconds']:.0f} s)"


def _teller(study: "optuna.Study", tell: Callable[[str], None]) -> Callable[[], None]:
    """Return a function that tells of the trials that other processes have finished since its last call."""
    told = {t.number for t in study.get_trials(deepcopy=False) if t.state.name in CLOSED}

    def look() -> None:
        for trial in study.get_trials(deepcopy=False):
            if trial.state.name in CLOSED and trial.number not in told:
                told.add(trial.number)
                tell(line_of(trial))

    return look


def _open(task: Task, table: Table, resume: bool) -> "optuna.Study":
    """Make the search in its storage, or take up the one that is there.

    Raises:
        OptionError: there is one and `resume` is false, or it is about something else.
    """
    optuna = _optuna()
    about = {"digest": table.digest, "recipe": task.recipe, "settings": list(task.settings), "against": task.against}
    storage = _storage(task.storage)
    there = NAME in optuna.study.get_all_study_names(storage)
    if there and not resume:
        raise OptionError(f"'{task.storage}' holds a search already; go on with --resume, or choose another place.")
    directions = ["minimize"] * (2 if task.against else 1)
    study = optuna.create_study(storage=storage, study_name=NAME, load_if_exists=resume, directions=directions)
    if there and study.user_attrs != about:
        odd = next(k for k in about if study.user_attrs.get(k) != about[k])
        raise OptionError(f"The search in '{task.storage}' is about another {odd}; choose another place with -o.")
    for key, value in about.items():
        study.set_user_attr(key, value)
    if "://" not in task.storage:
        _close_stale(study)
    return study


def _close_stale(study: "optuna.Study") -> None:
    """Trials that a killed search left open will not be finished by anyone."""
    optuna = _optuna()
    for trial in study.get_trials(deepcopy=False):
        if trial.state in (optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.WAITING):
            study._storage.set_trial_user_attr(trial._trial_id, "reason", "the search was killed")
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)


def run_search(
    table: Table,
    task: Task,
    trials: int,
    folder: Path,
    workers: int,
    resume: bool,
    tell: Callable[[str], None],
) -> Path:
    """Search; write the trials, the plots and the best recipe.

    Args:
        table: as read.
        task: what is searched.
        trials: in total, with those that are there already.
        folder: gets `best.toml`, `trials.csv` and `search.html`.
        workers: processes.
        resume: go on with what the storage has.
        tell: is told the course in lines.

    Returns:
        The best recipe's file.

    Raises:
        OptionError: Optuna is not installed, the storage holds another search, or no trial succeeded.
        WorkerError: a worker process died.
    """
    if task.against not in (None, *AIMS):
        raise OptionError(unknown("aim", task.against, AIMS))
    _base(task)
    _optuna()
    folder.mkdir(parents=True, exist_ok=True)
    study = _open(task, table, resume)
    left = trials - sum(t.state.name in CLOSED for t in study.get_trials(deepcopy=False))
    tell(f"{trials} trials, {max(left, 0)} to do; {'a storage' if '://' in task.storage else 'a journal'} keeps them")
    shares = [n for n in (left // workers + (i < left % workers) for i in range(workers)) if n > 0]
    if len(shares) == 1:
        work(table, task, shares[0], trials, 0, tell)
    else:
        look = _teller(study, tell)
        for _ in each(work, [(table, task, share, trials, i) for i, share in enumerate(shares)], workers, look):
            look()
    study = _optuna().load_study(study_name=NAME, storage=_storage(task.storage))
    write_trials(study, folder / TABLE)
    return _write_best(study, folder, tell)


def _write_best(study: "optuna.Study", folder: Path, tell: Callable[[str], None]) -> Path:
    done = [t for t in study.get_trials(deepcopy=False) if t.state.name == "COMPLETE"]
    if not done:
        reasons = {t.user_attrs.get("reason", "") for t in study.get_trials(deepcopy=False)} - {""}
        raise OptionError(f"No trial came to an end: {'; '.join(sorted(reasons)[:3]) or 'give more --budget'}.")
    best = min(done, key=lambda t: t.values[0])
    found = f"held-out fidelity {best.values[0]:.4f} in trial {best.number} of {len(study.trials)}"
    write_whole(folder / BEST, f"# Found by dowgan search: {found}.\n{best.user_attrs['toml']}".encode())
    write_whole(folder / PAGE, _page(study).encode())
    before = best.user_attrs["untrained"]
    tell(f"best: trial {best.number}, held-out fidelity {best.values[0]:.4f} (before training {before:.4f})")
    return folder / BEST


def write_trials(study: "optuna.Study", path: Path) -> None:
    """Write one row per trial: state, values, what was tried, and why it ended early."""
    trials = study.get_trials(deepcopy=False)
    names = list(dict.fromkeys(name for t in trials for name in t.params))
    front = {t.number for t in study.best_trials} if any(t.state.name == "COMPLETE" for t in trials) else set()
    lines = [["trial", "state", "fidelity", "seconds", "best", "reason", *names]]
    for t in trials:
        value = t.values[0] if t.values else None
        told = (
            t.number,
            t.state.name,
            value,
            t.user_attrs.get("seconds"),
            t.number in front,
            t.user_attrs.get("reason"),
        )
        lines.append([*("" if v is None else str(v) for v in told), *(str(t.params.get(n, "")) for n in names)])
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    write_whole(path, text.getvalue().encode())


def _page(study: "optuna.Study") -> str:
    """History and importance (and the front of two aims) as one page."""
    from optuna import visualization

    two = len(study.directions) > 1
    first: dict[str, Any] = {"target": lambda t: t.values[0], "target_name": "held-out fidelity"}
    figures = [visualization.plot_optimization_history(study, **first)]
    if two:
        figures.append(visualization.plot_pareto_front(study, target_names=["held-out fidelity", "fit seconds"]))
    note = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns once for every option that was tried less than twice
            figures.append(visualization.plot_param_importances(study, **first))
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        note = f"<p>No importances: {error}</p>"
    parts = [f.to_html(full_html=False, include_plotlyjs=i == 0) for i, f in enumerate(figures)]
    return f"<!doctype html><meta charset='utf-8'><title>dowgan search</title><h1>Search</h1>{''.join(parts)}{note}\n"


def best_of(folder: Path) -> dict[str, Any]:
    """Return figures of the best trial for `--json`."""
    with (folder / TABLE).open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["state"] == "COMPLETE"]
    best = min(rows, key=lambda r: float(r["fidelity"]))
    return json.loads(json.dumps({k: v for k, v in best.items() if v != ""}))
