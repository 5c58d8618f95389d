"""One trial of a study: a training, and what became of it."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from threadpoolctl import threadpool_limits

from dowgan.errors import UserError
from dowgan.fitting import Fitted, fit_priors
from dowgan.rng import Streams
from dowgan.study.grid import Trial
from dowgan.table import Table


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes:
        steps: generator steps that were done.
        epochs: how often the critic (or the network) saw every window by then.
        curve: numbers of the recorded steps.
        losses: one curve per name along `curve`.
        checks, fidelity: held-out fidelity and the steps at which it was measured; lower is better.
        chosen: the step whose weights are kept.
        stopped: why training ended.
        failed: why there is no result, None if there is one.
    """

    point: dict[str, str]
    seed: int
    steps: int = 0
    epochs: float = 0.0
    curve: tuple[int, ...] = ()
    losses: dict[str, tuple[float, ...]] | None = None
    checks: tuple[int, ...] = ()
    fidelity: tuple[float | None, ...] = ()
    chosen: int = 0
    seconds: float = 0.0
    stopped: str = ""
    failed: str | None = None

    @property
    def score(self) -> float | None:
        """Fidelity of the weights that are kept; None if the trial failed."""
        return None if self.failed else dict(zip(self.checks, self.fidelity, strict=True)).get(self.chosen)


def read_outcome(path: Path) -> Outcome:
    """Return a trial's outcome from its file."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    lists = {k: tuple(raw[k]) for k in ("curve", "checks", "fidelity")}
    losses = {k: tuple(v) for k, v in raw["losses"].items()} if raw["losses"] is not None else None
    return Outcome(**raw | lists | {"losses": losses})


def run_trial(table: Table, trial: Trial) -> Outcome:
    """Train once; whatever goes wrong is the outcome."""
    began = time.monotonic()
    try:
        with threadpool_limits(1):
            return _trained(table, trial, began)
    except UserError as error:
        reason = str(error)
    except Exception as error:  # a study goes on: the reason stands in its table
        reason = f"{type(error).__name__}: {error}"
    return Outcome(trial.point, trial.seed, seconds=time.monotonic() - began, failed=reason)


def _trained(table: Table, trial: Trial, began: float) -> Outcome:
    from dowgan.networks import train_network

    fitted = priors(table, trial.config.window)
    _, record = train_network(fitted, trial.config, Streams(trial.seed), None, table.runs)
    if record.stopped.startswith("interrupted"):
        raise KeyboardInterrupt
    train, steps = trial.config.train, record.done
    epochs = steps * train.critic_steps / max(1, -(-record.windows // train.batch))
    failed = record.stopped.split(". ")[0] if "no longer finite" in record.stopped else None
    return Outcome(
        trial.point, trial.seed, steps, epochs, record.steps,
        record.losses, record.checks, tuple(f if abs(f) < 1e300 else None for f in record.fidelity), record.chosen,
        time.monotonic() - began, record.stopped, failed,
    )  # fmt: skip


_PRIORS: dict[tuple[str, int | None], Fitted] = {}


def priors(table: Table, window: int | None) -> Fitted:
    """Return what needs no training, fitted once per process for each table and window."""
    key = (table.question, window)
    if key not in _PRIORS:
        _PRIORS[key] = fit_priors(table, window, Streams(0))
    return _PRIORS[key]
