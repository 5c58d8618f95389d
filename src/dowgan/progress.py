"""Progress of a training on stderr: a live line in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

PLAIN_EVERY = 10.0  # seconds between two plain lines
LIVE_EVERY = 0.2


class Progress:
    """Shows losses, fidelity and its best, steps a second, and the time left.

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

            self._status = Console(stderr=True).status("fitting the prior")
            self._status.start()
        elif not self.quiet:
            sys.stderr.write("fitting the prior\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

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
        text = f"step {step:,} of {steps:,}, {rate:.1f}/s, {left:.0f} s left at most"
        return text + "".join(f", {name} {value:.4g}" for name, value in self._figures.items() if name != "gradient")

    def _say(self, text: str) -> None:
        if self._status is not None:
            self._status.update(text)
        else:
            sys.stderr.write(text + "\n")
