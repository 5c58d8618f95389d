"""Work in the background of one browser session: a fit that shows how it gets on, and a report.

One job computes at a time, over all sessions: networks draw on torch's global random state, which two at once would
disturb, and a plain machine has few processors.
"""

import ctypes
import shlex
import sys
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from dowgan.config import Config
from dowgan.errors import UserError
from dowgan.report import Report
from dowgan.synthesizer import Synthesizer
from dowgan.table import Table

ENGINE = threading.Lock()
BUG = "Something went wrong in the program, not in your table. The terminal that runs the page shows what."
LOOK = 0.2  # seconds between two looks at whether a waiting job is still wanted


class Abandoned(BaseException):
    """The session that asked for a job is gone."""


class Job(ABC):
    """Work in a thread of its own.

    Attributes:
        phase: what is going on, in words.
        error: why there is no result, in one sentence; "" if there is no reason.
        done: whether the work has ended.
    """

    def __init__(self) -> None:
        self.phase = "waiting for the work of another window to end"
        self.error = ""
        self.done = False
        self.began = time.monotonic()
        self._abandoned = self._working = False
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def abandon(self) -> None:
        """Give the work up: at the next Python instruction of its thread, wherever that is."""
        with self._guard:
            self._abandoned = True
            if self._working and self._thread.ident is not None:
                thread = ctypes.c_ulong(self._thread.ident)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(Abandoned))

    def note(self, step: int, steps: int, figures: Mapping[str, float]) -> None:
        """Take note of a training step."""
        if self._abandoned:
            raise Abandoned

    @abstractmethod
    def work(self) -> None:
        """Do the work."""

    def _run(self) -> None:
        while not ENGINE.acquire(timeout=LOOK):
            if self._abandoned:
                self.done = True
                return
        try:
            self._watched()
        except Abandoned:
            self.error = "The work was given up."
        finally:
            ENGINE.release()
            self.done = True

    def _watched(self) -> None:
        """Do the work and take note of what went wrong; only meanwhile it can be given up."""
        try:
            with self._guard:
                self._working = not self._abandoned
            self.began = time.monotonic()
            if self._working:
                self.work()
        except UserError as error:
            self.error = str(error)
        except Exception:
            self.error = BUG
            traceback.print_exc(file=sys.stderr)
        finally:
            with self._guard:
                self._working = False


class Fit(Job):
    """Fits a table.

    Attributes:
        model: the fitted model, None until it is there.
        curves: losses by name, one value per step.
        checks, fidelity: steps at which fidelity was measured, and what it was.
        real, made: windows [B T C] in the user's units at the last measurement; None before the first.
    """

    def __init__(self, table: Table, config: Config, seed: int) -> None:
        super().__init__()
        self.table, self.config, self.seed = table, config, seed
        self.model: Synthesizer | None = None
        self.step = self.steps = 0
        self.training_began = 0.0
        self.curves: dict[str, list[float]] = {}
        self.checks: list[int] = []
        self.fidelity: list[float] = []
        self.real: Float[np.ndarray, "B T C"] | None = None
        self.made: Float[np.ndarray, "B T C"] | None = None
        self._stopped = False

    def work(self) -> None:
        model = Synthesizer(random_state=self.seed, progress=self.note, watch=self.watch, tell=self.tell)
        self.model = model.fit_table(self.table, self.config)

    def stop(self) -> None:
        """End the training and keep the best weights so far, as Ctrl-C does at the command line."""
        self._stopped = True

    @property
    def training(self) -> bool:
        """Whether the network is being trained, so that it can be stopped."""
        return self.step > 0 and not self._ends

    def note(self, step: int, steps: int, figures: Mapping[str, float]) -> None:
        """Take the figures of a training step: losses, and the fidelity where it was measured."""
        super().note(step, steps, figures)
        if step == 1:
            self.training_began = time.monotonic()
        self.step, self.steps = step, steps
        for name in ("generator", "critic"):
            if name in figures:
                self.curves.setdefault(name, []).append(figures[name])
        if "fidelity" in figures:
            if not self.checks and figures["best"] < figures["fidelity"]:  # the start was better than the first
                self.checks.append(0)
                self.fidelity.append(figures["best"])
            self.checks.append(step)
            self.fidelity.append(figures["fidelity"])
        if self._stopped:
            raise KeyboardInterrupt

    def tell(self, text: str) -> None:
        """Take note of what is done next."""
        self.phase = text

    @property
    def _ends(self) -> bool:
        return self._stopped or self.step == self.steps or self.left == 0

    def watch(self, real: Float[np.ndarray, "B T C"], made: Float[np.ndarray, "B T C"]) -> None:
        """Take note of real and generated windows."""
        self.real, self.made = real, made

    @property
    def rate(self) -> float:
        """Training steps a second; the first, with all that is done once, does not count."""
        return (self.step - 1) / max(time.monotonic() - self.training_began, 1e-3) if self.step > 1 else 0.0

    @property
    def left(self) -> float | None:
        """Most seconds that the training still takes; None while that is not known."""
        if self.step < 2:
            return self.config.train.budget
        ends = [(self.steps - self.step) / self.rate]
        if self.config.train.budget is not None:
            ends.append(max(0.0, self.config.train.budget - (time.monotonic() - self.training_began)))
        return min(ends)

    @property
    def share(self) -> float:
        """How much of the training is done, 0 to 1."""
        if self.left is None or self.step < 2:
            return 0.0
        spent = time.monotonic() - self.training_began
        return min(1.0, spent / max(spent + self.left, 1e-9))


class Judging(Job):
    """Tests a model on rows that the tested model has not seen, and writes the report.

    Args:
        data: the table; the report knows it by its label, the user's name for it.

    Attributes:
        report: the finding, None until it is there.
        page: the report as a file.
    """

    def __init__(self, model: Synthesizer, data: Path, label: str, page: Path) -> None:
        super().__init__()
        self.model, self.data, self.label, self.page = model, data, label, page
        self.report: Report | None = None
        self._step = ""

    def work(self) -> None:
        """Judge the model and write the page."""
        self.phase = "reading the table"
        self.model.progress = self.note
        report = self.model.report(self.data, tell=self.tell)
        about = report.scores["about"]
        about["command"] = about["command"].replace(str(self.data), shlex.quote(self.label))
        self.tell("drawing the report")
        report.to_html(self.page)
        self.report = report

    def tell(self, text: str) -> None:
        """Take note of what is going on."""
        if self._abandoned:
            raise Abandoned
        self.phase = self._step = text

    def note(self, step: int, steps: int, figures: Mapping[str, float]) -> None:
        super().note(step, steps, figures)
        self.phase = f"{self._step}: step {step:,} of at most {steps:,}"
