"""The figures of a training for TensorBoard or MLflow, beside what the terminal shows.

fit data.csv --track tensorboard:runs/first     then: tensorboard --logdir runs
fit data.csv --track mlflow:http://host:5000
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from typing import Any

from dowgan.config import Config
from dowgan.errors import OptionError, unknown

EVERY = 10  # steps between two that are passed on; one at which fidelity was measured always is
EXPERIMENT = "dowgan"

Log = Callable[[int, Mapping[str, float]], None]
Update = Callable[[int, int, Mapping[str, float]], None]


@contextmanager
def tracking(where: str | None, config: Config, update: Update) -> Iterator[Update]:
    """Give what takes the steps of a training, hands them to `update`, and passes their figures on.

    Args:
        where: KIND:PLACE, such as tensorboard:FOLDER or mlflow:URI; None passes nothing on.
        config: resolved; it is kept beside the figures.

    Raises:
        OptionError: no such kind, its package is not installed, or the place cannot be used.
    """
    if where is None:
        yield update
        return
    with _opened(where, config) as log:

        def both(step: int, steps: int, figures: Mapping[str, float]) -> None:
            update(step, steps, figures)
            if step % EVERY == 0 or "fidelity" in figures:
                log(step, figures)

        yield both


def _opened(where: str, config: Config) -> AbstractContextManager[Log]:
    kind, _, place = where.partition(":")
    if kind not in TRACKERS:
        raise OptionError(unknown("tracker", kind, TRACKERS))
    if not place:
        raise OptionError(f"'{where}' names no place; write tensorboard:FOLDER or mlflow:URI.")
    if find_spec(kind) is None:
        raise OptionError(f"--track {kind} needs a package that is not installed: pip install 'dowgan[track]'.")
    return TRACKERS[kind](place, config)


@contextmanager
def _tensorboard(folder: str, config: Config) -> Iterator[Log]:
    from torch.utils.tensorboard import SummaryWriter

    try:
        writer = SummaryWriter(folder)
    except OSError as error:
        raise OptionError(f"Cannot write to '{folder}' ({error.strerror or error}); give another folder.") from error
    writer.add_text("recipe", f"<pre>{config.to_toml()}</pre>")

    def log(step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            writer.add_scalar(name, value, step)

    with writer:
        yield log


@contextmanager
def _mlflow(uri: str, config: Config) -> Iterator[Log]:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    try:
        client = MlflowClient(tracking_uri=uri)
        run = _begin(client, config)
    except Exception as error:  # a server has many ways not to be there, and MLflow as many exceptions
        raise OptionError(f"MLflow cannot be used at '{uri}': {str(error).splitlines()[0]}") from error

    def log(step: int, figures: Mapping[str, float]) -> None:
        client.log_batch(run, [Metric(name, value, 0, step) for name, value in figures.items()])

    ended = "FAILED"
    try:
        yield log
        ended = "FINISHED"
    finally:
        client.set_terminated(run, ended)


def _begin(client: Any, config: Config) -> str:
    """Begin a run; return its number."""
    found = client.get_experiment_by_name(EXPERIMENT)
    number = found.experiment_id if found is not None else client.create_experiment(EXPERIMENT)
    run: str = client.create_run(number, tags={"recipe": config.to_toml()}).info.run_id
    return run


TRACKERS = {"tensorboard": _tensorboard, "mlflow": _mlflow}
