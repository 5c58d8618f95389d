"""The live line of a training: its rate leaves out the first step, which does once what is done once."""

import mmap
from dataclasses import replace

import pytest

from dowgan import Synthesizer, progress
from dowgan.config import resolve
from dowgan.model import Model, Training
from dowgan.progress import Progress, gain
from small_tables import waves


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands where the test puts it."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress, "resident", lambda: 1_234_000_000)
    return now


def test_the_rate_is_that_of_the_steps_after_the_first(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as live:
        live.tell("fitting the prior")
        clock[0] += 60  # the prior, and all that is done once
        live.update(1, 1000, {"critic": 1.0})
        for step in range(2, 32):
            clock[0] += 0.5
            live.update(step, 1000, {"critic": 0.5, "gradient": 3.0})
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "fitting the prior"
    assert lines[1] == "step 2 of 1,000, 2.0/s, 499 s left at most, 1,234 MB, critic 0.5"
    assert lines[2].startswith("step 22 of 1,000, 2.0/s, 489 s left at most, 1,234 MB")


def test_the_last_step_is_shown_and_quiet_says_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    for quiet in (False, True):
        with Progress(quiet) as live:
            live.tell("fitting the prior")
            live.update(1, 3, {})
            clock[0] += 1
            live.update(3, 3, {"fidelity": 0.25})
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "fitting the prior\nstep 3 of 3, 2.0/s, 0 s left at most, 1,234 MB, fidelity 0.25\n"


def test_a_budget_bounds_the_time_left(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(budget=60.0) as live:
        live.update(1, 10_000, {})
        clock[0] += 20
        live.update(21, 10_000, {})
    assert capsys.readouterr().err.splitlines()[-1] == "step 21 of 10,000, 1.0/s, 40 s left at most, 1,234 MB"


def test_memory_is_what_the_process_holds() -> None:
    before = progress.resident()
    if before is None:
        pytest.skip("this system has no /proc to tell the memory of a process")
    with mmap.mmap(-1, 64_000_000) as held:  # new pages: an array could take those that were freed before
        held.write(b"1" * len(held))
        after = progress.resident()
        assert after is not None
        assert 0.8 * len(held) < after - before < 3 * len(held)


@pytest.fixture(scope="module")
def model() -> Model:
    return Synthesizer("prior").fit(waves(120)).model_


def test_what_training_brought_is_said_as_it_is(model: Model) -> None:
    assert gain(model) is None  # no network

    def said(recipe: str, chosen: int) -> str | None:
        record = Training((1, 2), {}, (0, 10, 20), (0.3, 0.1, 0.4), chosen)
        return gain(replace(model, recipe=resolve(recipe).model_dump_json(), training=record))

    ours = "held-out fidelity (lower is better): prior alone 0.3000, chosen"
    assert said("adversarial", 10) == f"{ours} 0.1000: the network made it better"
    assert said("adversarial", 0) == f"{ours} 0.3000: the network did not beat it and is not used"
    assert said("dense-gan", 20) == (
        "fidelity on rows that it trained on too (lower is better): before training 0.3000, chosen 0.4000: "
        "training did not make it better"
    )
