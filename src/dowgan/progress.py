"""Progress of a training on stderr: a live line in a terminal, plain lines elsewhere; and what it brought, in words."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from dowgan.config import Config
from dowgan.model import Model

PLAIN_EVERY = 10.0  # seconds between two plain lines
LIVE_EVERY = 0.2


class Progress:
    """Shows losses, fidelity and its best, steps a second, the time left, and memory.

    Args:
        quiet: show nothing.
        budget: seconds after which training stops, None without.
    """

    def __init__(self, quiet: bool = False, budget: float | None = None) -> None:
        self.quiet = quiet
        self.budget = budget
        self._live = sys.stderr.isatty()
        self._status: Any = None
        self._began = self._shown = time.monotonic()
        self._figures: dict[str, float] = {}

    def __enter__(self) -> "Progress":
        if self._live and not self.quiet:
            from rich.console import Console

            self._status = Console(stderr=True).status("reading")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def tell(self, text: str) -> None:
        """Show what is done next."""
        if not self.quiet:
            self._say(text)

    def update(self, step: int, steps: int, figures: Mapping[str, float]) -> None:
        """Take note of a step; show it if it is time to."""
        if self.quiet:
            return
        now = time.monotonic()
        self._figures |= figures
        if step == 1:
            self._began = now
        due = now - self._shown >= (LIVE_EVERY if self._live else PLAIN_EVERY)
        if step == 1 or not (due or step == steps):
            return
        self._shown = now
        self._say(self._line(step, steps, now))

    def _line(self, step: int, steps: int, now: float) -> str:
        """The state in words; the first step, with all that is done once, does not count in the rate."""
        rate = (step - 1) / max(now - self._began, 1e-3)
        left = (steps - step) / rate
        if self.budget is not None:
            left = min(left, max(self.budget - (now - self._began), 0.0))
        memory = resident()
        held = "" if memory is None else f", {memory / 1e6:,.0f} MB"
        text = f"step {step:,} of {steps:,}, {rate:.1f}/s, {left:.0f} s left at most{held}"
        return text + "".join(f", {name} {value:.4g}" for name, value in self._figures.items() if name != "gradient")

    def _say(self, text: str) -> None:
        if self._status is not None:
            self._status.update(text)
        else:
            sys.stderr.write(text + "\n")


def resident() -> int | None:
    """Bytes of memory that this process holds (its resident set); None where the system has no /proc to tell it."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def fidelity_name(config: Config) -> str:
    """What the fidelity of a training is: it flatters where the rows that it is measured on are trained on too."""
    return "fidelity on rows that it trained on too" if config.train.all_rows else "held-out fidelity"


def gain(model: Model) -> str | None:
    """What training did for the fidelity, in a sentence without its end; None if it was not measured."""
    record, config = model.training, Config.model_validate_json(model.recipe)
    end = dict(zip(record.checks, record.fidelity, strict=True)).get(record.chosen)
    if end is None:
        return None
    start = record.fidelity[0]
    plain = config.space == "prior" and not any(n.startswith("transfer:") for n in model.notes)
    before = "prior alone" if plain else "before training"
    told = "the network made it better" if end < start else "training did not make it better"
    if plain and not record.chosen:
        told = "the network did not beat it and is not used"
    return f"{fidelity_name(config)} (lower is better): {before} {start:.4f}, chosen {end:.4f}: {told}"
