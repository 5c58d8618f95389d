"""The figures of a training for TensorBoard or MLflow, beside what the terminal shows.

fit data.csv --track tensorboard:runs/first     then: tensorboard --logdir runs
fit data.csv --track mlflow:http://host:5000
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from dowgan.config import Config
from dowgan.errors import OptionError, unknown

EVERY = 10  # steps between two that are passed on; one at which fidelity was measured always is
EXPERIMENT = "dowgan"
MANNERS = {  # for MLflow, which reads them at each request: by itself it waits for minutes, and talks on stdout
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}

Update = Callable[[int, int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Tracker:
    """What takes the figures of a step, and what is told at the end whether the training ended well."""

    log: Callable[[int, Mapping[str, float]], None]
    end: Callable[[bool], None]


class Line:
    """The line to a tracker, which may break: a tracker never ends a training.

    Args:
        where: the tracker, as the user named it.
        say: takes the one sentence that is said when the line breaks.
    """

    def __init__(self, where: str, say: Callable[[str], None]) -> None:
        self.where = where
        self.say = say
        self.broken = False

    def use(self, work: Callable[[], None]) -> None:
        """Do this, unless the line is broken; if it breaks now, say so and let the training go on."""
        if self.broken:
            return
        try:
            work()
        except Exception as error:  # a lost server or a full disk shows in many ways
            self.broken = True
            self.say(f"--track {self.where} is lost ({_first_line(error)}): the training goes on without it")


@contextmanager
def tracking(where: str | None, config: Config, update: Update, say: Callable[[str], None]) -> Iterator[Update]:
    """Give what takes the steps of a training, hands them to `update`, and passes their figures on.

    Args:
        where: KIND:PLACE, such as tensorboard:FOLDER or mlflow:URI; None passes nothing on.
        config: resolved; it is kept beside the figures.
        say: takes the sentence that the tracker was lost on the way, at most once.

    Raises:
        OptionError: no such kind, its package is not installed, or the place cannot be used at the beginning.
    """
    if where is None:
        yield update
        return
    tracker, line = _opened(where, config), Line(where, say)

    def both(step: int, steps: int, figures: Mapping[str, float]) -> None:
        update(step, steps, figures)
        if step % EVERY == 0 or "fidelity" in figures:
            line.use(lambda: tracker.log(step, figures))

    well = False
    try:
        yield both
        well = True
    finally:
        line.use(lambda: tracker.end(well))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _opened(where: str, config: Config) -> Tracker:
    kind, _, place = where.partition(":")
    if kind not in TRACKERS:
        raise OptionError(unknown("tracker", kind, TRACKERS))
    if not place:
        raise OptionError(f"'{where}' names no place; write tensorboard:FOLDER or mlflow:URI.")
    if find_spec(kind) is None:
        raise OptionError(f"--track {kind} needs a package that is not installed: pip install 'dowgan[track]'.")
    return TRACKERS[kind](place, config)


def _tensorboard(folder: str, config: Config) -> Tracker:
    from torch.utils.tensorboard import SummaryWriter

    try:
        writer = SummaryWriter(folder)
    except OSError as error:
        raise OptionError(f"Cannot write to '{folder}' ({error.strerror or error}); give another folder.") from error
    writer.add_text("recipe", f"<pre>{config.to_toml()}</pre>")

    def log(step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            writer.add_scalar(name, value, step)

    return Tracker(log, lambda well: writer.close())


def _mlflow(uri: str, config: Config) -> Tracker:
    for name, value in MANNERS.items():  # what the user set stays
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    try:
        client = MlflowClient(tracking_uri=uri)
        run = _begin(client, config)
    except Exception as error:  # a server has many ways not to be there, and MLflow as many exceptions
        raise OptionError(f"MLflow cannot be used at '{uri}': {_first_line(error)}") from error

    def log(step: int, figures: Mapping[str, float]) -> None:
        client.log_batch(run, [Metric(name, value, 0, step) for name, value in figures.items()])

    return Tracker(log, lambda well: client.set_terminated(run, "FINISHED" if well else "FAILED"))


def _begin(client: Any, config: Config) -> str:
    """Begin a run; return its number."""
    found = client.get_experiment_by_name(EXPERIMENT)
    number = found.experiment_id if found is not None else client.create_experiment(EXPERIMENT)
    run: str = client.create_run(number, tags={"recipe": config.to_toml()}).info.run_id
    return run


TRACKERS = {"tensorboard": _tensorboard, "mlflow": _mlflow}
