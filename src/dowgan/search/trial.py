"""One trial: settings, a training, its held-out fidelity; whatever goes wrong prunes it with the reason."""

import time
from collections.abc import Mapping

from optuna import Trial, TrialPruned
from optuna.trial import FrozenTrial, TrialState
from threadpoolctl import threadpool_limits

from dowgan.config import Config
from dowgan.errors import UserError
from dowgan.rng import Streams
from dowgan.search.asking import Task, trial_config
from dowgan.search.storage import sign
from dowgan.study import priors
from dowgan.table import Table

ASKED = "asked"  # set once all settings of a trial stand in the storage
LOOK, PATIENCE = 0.05, 10.0  # seconds between looks at an earlier trial that is still asking, and of waiting for it


def evaluate(trial: Trial, table: Table, task: Task) -> float | tuple[float, float]:
    """Train one configuration; give its held-out fidelity, and the seconds where they count.

    Raises:
        TrialPruned: whatever went wrong; the reason stands in the trial's attribute `reason`.
    """
    began = time.monotonic()
    sign(trial)
    try:
        config = trial_config(trial, table, task)
        trial.set_user_attr(ASKED, True)
        _refuse_double(trial)
        best = _fidelity(trial, table, task, config)
    except (TrialPruned, UserError) as error:
        raise _pruned(trial, str(error)) from error
    except Exception as error:  # a search goes on: the reason stands in its table
        raise _pruned(trial, f"{type(error).__name__}: {error}") from error
    seconds = time.monotonic() - began
    trial.set_user_attr("seconds", seconds)
    return (best, seconds) if task.against else best


def _pruned(trial: Trial, reason: str) -> TrialPruned:
    trial.set_user_attr("reason", reason)
    return TrialPruned(reason)


def _refuse_double(trial: Trial) -> None:
    """Prune a trial that asks for the very settings of an earlier one, also of one that another worker has in hand.

    Of two trials that ask at the same moment the later one waits until it knows what the earlier one asks for.
    """
    ends = time.monotonic() + PATIENCE
    earlier = _earlier(trial)
    while not all(ASKED in t.user_attrs for t in earlier) and time.monotonic() < ends:
        time.sleep(LOOK)
        earlier = _earlier(trial)
    same = next((t.number for t in earlier if t.params == trial.params), None)
    if same is not None:
        raise TrialPruned(f"the same settings as trial {same}")


def _earlier(trial: Trial) -> list[FrozenTrial]:
    open_or_done = trial.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.RUNNING))
    return [t for t in open_or_done if t.number < trial.number]


def _fidelity(trial: Trial, table: Table, task: Task, config: Config) -> float:
    from dowgan.networks import train_network

    measured = 0

    def progress(step: int, steps: int, figures: Mapping[str, float]) -> None:
        """End the trial when the time is up or it does worse than most."""
        nonlocal measured
        if task.deadline is not None and time.time() > task.deadline:
            raise TrialPruned("the budget of the search was used up")
        if "fidelity" in figures and task.against is None:
            measured += 1
            trial.report(figures["fidelity"], measured)
            if trial.should_prune():
                raise TrialPruned(f"worse than the median at step {step}")

    with threadpool_limits(1):
        _, record = train_network(priors(table, config.window), config, Streams(task.seed), progress, table.runs)
    if record.stopped.startswith("interrupted"):
        trial.study.stop()
        raise TrialPruned("interrupted")
    if "no longer finite" in record.stopped:
        raise TrialPruned(record.stopped.split(". ")[0])
    trained = record.fidelity[1:]  # the first is of the generator before any training
    trial.set_user_attr("untrained", record.fidelity[0])
    trial.set_user_attr("toml", config.to_toml())
    return trained[-1] if config.train.keep == "last" else min(trained)
