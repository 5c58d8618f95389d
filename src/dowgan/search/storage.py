"""Where a search is kept: opened, taken up again, and cleared of trials that nobody will finish."""

import contextlib
import os
import platform
import re
import time
import warnings
from datetime import datetime, timedelta
from typing import Literal

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from dowgan.errors import OptionError
from dowgan.search.asking import Task
from dowgan.table import Table

NAME = "dowgan"
JOURNAL = "journal.log"
HEARTBEAT = 60  # seconds between the signs of life of a trial in a database
RACES, PAUSE = 5, 0.5  # tries to lay out an empty database that another machine lays out too, and seconds between them
BEGUN = timedelta(seconds=30)  # after which a trial has long said which process it runs in


class Database(RDBStorage):
    """A database in which a sign of life that fails is left out, and the next one tried.

    Optuna writes them in a thread of their own, which would print a traceback and end: a server that is back in a
    moment would take the trial for dead. One that stays away, the trial itself finds when it writes what it measured.
    """

    def record_heartbeat(self, trial_id: int) -> None:
        with contextlib.suppress(StorageInternalError):
            super().record_heartbeat(trial_id)


def open_storage(place: str) -> BaseStorage:
    """Open an Optuna storage: a database by its URL, or a journal file by its path.

    Raises:
        OptionError: the database cannot be reached, or its driver is not installed.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if not shared(place):
        return JournalStorage(JournalFileBackend(place))
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the heartbeat, by which a dead worker is known, is said to be new
            return _database(place)
    except ImportError as error:
        raise OptionError(
            f"The storage '{shown(place)}' needs a driver that is not installed; for PostgreSQL: "
            "pip install 'dowgan[postgresql]'."
        ) from error
    except SQLAlchemyError as error:
        reason = str(error).split("\n")[0].rstrip(".")
        raise OptionError(f"The storage '{shown(place)}' cannot be used: {reason}.") from error


def _database(place: str) -> BaseStorage:
    """Open a database; lay out its tables if it is empty, also while another machine does so."""
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    for _ in range(RACES - 1):
        try:
            return Database(place, heartbeat_interval=HEARTBEAT)
        except (IntegrityError, ProgrammingError):  # the other was faster: its tables are there in a moment
            time.sleep(PAUSE)
    return Database(place, heartbeat_interval=HEARTBEAT)


def shown(place: str) -> str:
    """A storage as it may be printed: without the password."""
    return re.sub(r"(?<=://)([^:/@]*):[^@]*@", r"\1:***@", place)


def shared(place: str) -> bool:
    """Whether a storage is a database that many machines reach."""
    return "://" in place


def load(task: Task) -> optuna.Study:
    """Return the search in its storage."""
    return optuna.load_study(study_name=NAME, storage=open_storage(task.storage))


def begin(task: Task, table: Table, resume: bool) -> optuna.Study:
    """Make the search in its storage, or take up the one that is there.

    Raises:
        OptionError: there is one and `resume` is false, or it is about something else.
    """
    about = {"digest": table.question, "recipe": task.recipe, "settings": list(task.settings), "against": task.against}
    storage = open_storage(task.storage)
    there = NAME in optuna.study.get_all_study_names(storage)
    if there and not resume:
        raise OptionError(
            f"'{shown(task.storage)}' holds a search already; go on with --resume, or choose another place."
        )
    directions: list[Literal["minimize"]] = ["minimize"] * (2 if task.against else 1)
    study = optuna.create_study(storage=storage, study_name=NAME, load_if_exists=resume, directions=directions)
    told = study.user_attrs  # not all of it yet if another machine begins at this moment
    odd = next((k for k in about if told.get(k, about[k]) != about[k]), None)
    if odd is not None:
        option = "--storage" if shared(task.storage) else "-o"
        raise OptionError(
            f"The search in '{shown(task.storage)}' is about another {odd}; choose another place with {option}."
        )
    for key, value in about.items():
        study.set_user_attr(key, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this too is said to be new
        optuna.storages.fail_stale_trials(study)  # of a database, which knows them by their heartbeat
    if not shared(task.storage):
        _close_dead(study)
    return study


def sign(trial: optuna.Trial) -> None:
    """Say which process a trial runs in."""
    trial.set_user_attr("machine", platform.node())
    trial.set_user_attr("process", os.getpid())


def _close_dead(study: optuna.Study) -> None:
    """Close the trials that a killed search left open; those of a search that still runs go on."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING)):
        if _dead(trial):
            study.tell(trial.number, state=TrialState.FAIL)


def _dead(trial: FrozenTrial) -> bool:
    """Whether the process of an open trial has ended; where that cannot be known it is taken to live."""
    if "process" not in trial.user_attrs:  # killed in the very moment, or begun in it
        return trial.datetime_start is None or datetime.now() - trial.datetime_start > BEGUN
    if trial.user_attrs["machine"] != platform.node() or os.name == "nt":
        return False
    try:
        os.kill(trial.user_attrs["process"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
