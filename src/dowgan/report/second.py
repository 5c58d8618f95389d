"""The model that the report tests: of the same recipe, fitted on the early rows alone; and what its start was worth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dowgan.config import Config
from dowgan.library import PREFIX
from dowgan.table import Table

if TYPE_CHECKING:
    from dowgan.synthesizer import Synthesizer

Tell = Callable[[str], None]
GONE = "The tested model began with nothing: what this one began with ({start}) is not there."
COMPARED = (
    "Held-out fidelity (lower is better) of the tested model, begun with {start}: {with_it:.4f}; of the same begun "
    "with nothing: {without:.4f}. To begin with other weights: {told}."
)


def second_model(synthesizer: Synthesizer, early: Table, say: Tell) -> Synthesizer:
    """A model of the same recipe and seed, fitted on the early part; begun with the same weights if they are there."""
    say(f"fitting a second model on the first {early.rows:,} rows")
    return _fitted(synthesizer, early, _start_of(synthesizer))


def _fitted(synthesizer: Synthesizer, early: Table, start: str | None) -> Synthesizer:
    model = synthesizer.model_
    fresh = type(synthesizer)(random_state=model.seed, progress=synthesizer.progress, start=start)
    return fresh.fit_table(early, Config.model_validate_json(model.recipe))


def _start_of(synthesizer: Synthesizer) -> str | None:
    """What the model's training began with, None if that is nothing or no longer there."""
    start = synthesizer.model_.training.start
    return start if start.startswith(PREFIX) or (start and Path(start).is_file()) else None


def judge_transfer(synthesizer: Synthesizer, second: Synthesizer, early: Table, say: Tell) -> str:
    """Say whether it helped to begin with other weights: the second model against one that begins with nothing."""
    start = _start_of(synthesizer)
    if start is None:
        return GONE.format(start=synthesizer.model_.training.start)
    say("fitting it once more from nothing, to compare")
    with_it, without = (_fidelity(model) for model in (second, _fitted(synthesizer, early, None)))
    told = "it helps" if with_it < without else "it does not help here"
    return COMPARED.format(start=start, with_it=with_it, without=without, told=told)


def _fidelity(model: Synthesizer) -> float:
    record = model.model_.training
    return dict(zip(record.checks, record.fidelity, strict=True))[record.chosen]
