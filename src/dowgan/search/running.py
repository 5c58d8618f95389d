"""Workers that take trials from one storage until they, or the budget, are used up."""

import os
import platform
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from dowgan.errors import OptionError
from dowgan.files import make_folder
from dowgan.search.asking import Task
from dowgan.search.outcome import line_of, write_all
from dowgan.search.storage import begin, load, shared
from dowgan.search.trial import evaluate
from dowgan.table import Table
from dowgan.workers import each

WARMUP = 3  # measurements before a trial may be pruned
STARTUP = 5  # trials before any may be pruned
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
CLOSED = (*ENDED, TrialState.FAIL)


def _count(study: optuna.Study, states: tuple[TrialState, ...] | None = None) -> int:
    return len(study.get_trials(deepcopy=False, states=states))


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
    study = load(task)
    seed = _sampler_seed(task, worker, _count(study))
    samplers = optuna.samplers
    study.sampler = samplers.TPESampler(seed=seed) if task.against is None else samplers.NSGAIISampler(seed=seed)
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=WARMUP)
    timeout = None if task.deadline is None else max(task.deadline - time.time(), 0.1)

    def look(study: optuna.Study, trial: FrozenTrial) -> None:
        if tell is not None:
            tell(line_of(trial))
        if _count(study, (*ENDED, TrialState.RUNNING)) >= total:
            study.stop()

    study.optimize(lambda trial: evaluate(trial, table, task), n_trials=share, timeout=timeout, callbacks=[look])


def _sampler_seed(task: Task, worker: int, trials: int) -> int:
    """The same again for a journal on one machine; of its own for every process that shares a database."""
    place = [zlib.crc32(platform.node().encode()), os.getpid()] if shared(task.storage) else []
    return int(np.random.SeedSequence([task.seed, worker, trials, *place]).generate_state(1)[0])


def _teller(study: optuna.Study, tell: Callable[[str], None]) -> Callable[[], None]:
    """Return a function that tells of the trials that other processes have finished since its last call."""
    told = {t.number for t in study.get_trials(deepcopy=False, states=CLOSED)}

    def look() -> None:
        for trial in study.get_trials(deepcopy=False, states=CLOSED):
            if trial.number not in told:
                told.add(trial.number)
                tell(line_of(trial))

    return look


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
        trials: in total, with those that are there already; a trial that was killed does not count.
        folder: gets `best.toml`, `trials.csv` and `search.html`.
        workers: processes.
        resume: go on with what the storage has.
        tell: is told the course in lines.

    Returns:
        The best recipe's file.

    Raises:
        OptionError: a setting is wrong, the storage holds another search or is lost, or no trial succeeded.
        WorkerError: a worker process died.
    """
    task.base()
    make_folder(folder, "-o")
    study = begin(task, table, resume)
    left = max(0, trials - _count(study, (*ENDED, TrialState.RUNNING)))
    busy = _count(study, (TrialState.RUNNING,))
    kept = "a storage" if shared(task.storage) else "a journal"
    tell(f"{trials} trials, {left} to do{f', {busy} in hand elsewhere' if busy else ''}; {kept} keeps them")
    shares = [n for n in (left // workers + (i < left % workers) for i in range(workers)) if n > 0]
    try:
        if len(shares) == 1:
            work(table, task, shares[0], trials, 0, tell)
        else:
            look = _teller(study, tell)
            for _ in each(work, [(table, task, share, trials, i) for i, share in enumerate(shares)], workers, look):
                look()
    except Exception as error:
        _reachable(task, error)
        raise
    return write_all(load(task), folder, tell)


def _reachable(task: Task, error: Exception) -> None:
    """Look whether the storage is still there after something went wrong.

    Raises:
        OptionError: it is not.
    """
    try:
        load(task)
    except OptionError as lost:
        raise OptionError(f"{lost} What was finished is kept there: go on with --resume.") from error
