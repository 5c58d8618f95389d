"""Same seed, same bytes: in this process, in another one, behind a file, and in a batch of any size."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from dowgan import Synthesizer, load
from dowgan.rng import CHUNK, Streams
from dowgan.table import write

TRAINED = {"train.steps": 5, "generator.width": 8, "critic.width": 8, "train.batch": 8}
RECIPES = {
    "prior": ("prior", {"calibrated": False}),
    "calibrated prior": ("flagship", {}),
    "adversarial": ("adversarial", TRAINED),
    "flow": ("flow", {"train.steps": 5, "generator.width": 8, "objective.flow_steps": 2}),
    "founding": ("dense-gan", {"train.epochs": 1}),
    "gru": ("gru-wgan", {**TRAINED, "train.critic_steps": 1}),
    "conv": ("conv-gan", TRAINED),
}


def table(rows: int = 160, runs: int = 1) -> pd.DataFrame:
    """Two coupled tags and a mode, in runs of unequal length."""
    rng = np.random.default_rng(1)
    parts = []
    for run in range(runs):
        steps = np.arange(rows + 7 * run)
        x = np.sin(steps / 4) + 0.3 * rng.standard_normal(len(steps))
        parts.append(pd.DataFrame({"unit": run, "x": x, "y": x**2 + 1, "mode": np.where(steps % 40 < 20, "a", "b")}))
    frame = pd.concat(parts, ignore_index=True)
    return frame if runs > 1 else frame.drop(columns="unit")


@pytest.fixture(scope="module", autouse=True)
def small_calibration() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dowgan.windows.DRAWN", (4 * CHUNK, 4 * CHUNK))
        patch.setattr("dowgan.finishing.POLISHED", (4 * CHUNK, 4 * CHUNK))
        patch.setattr("dowgan.transport.ROUNDS", 50)
        yield


def fitted(name: str, frame: pd.DataFrame, seed: int = 0, runs: tuple[str, ...] = ()) -> Synthesizer:
    recipe, settings = RECIPES[name]
    model = Synthesizer(recipe, settings, runs=runs, conditions=("mode",), random_state=seed)
    return model.fit(frame)


@cache
def once(name: str) -> Synthesizer:
    """One fit for the tests of what it draws."""
    return fitted(name, table())


def outputs(model: Synthesizer, frame: pd.DataFrame, seed: int = 0) -> bytes:
    """The text of all that a model gives, to the last digit."""
    later = model.extend(frame, steps=5, paths=3, random_state=seed)
    frames = [
        model.generate(rows=70, random_state=seed),
        model.generate(rows=30, runs=3, random_state=seed),
        model.densify(frame, factor=2, random_state=seed),
        later.median,
        later.paths,
    ]
    return "\n".join(frame.to_csv() for frame in frames).encode()


@pytest.mark.parametrize("name", list(RECIPES))
def test_same_seed_same_bytes(name: str, tmp_path: Path) -> None:
    frame = table()
    models = [once(name), fitted(name, frame)]
    for number, model in enumerate(models):
        model.save(tmp_path / f"{number}.dowgan")
    texts = [outputs(model, frame) for model in [*models, load(tmp_path / "0.dowgan")]]
    assert texts[0] == texts[1], "the same fit twice"
    assert texts[0] == texts[2], "saved and loaded"
    assert (tmp_path / "0.dowgan").read_bytes() == (tmp_path / "1.dowgan").read_bytes(), "the file"
    assert outputs(models[0], frame, seed=1) != texts[0], "another seed of the draw"


@pytest.mark.parametrize("name", ["calibrated prior", pytest.param("adversarial", marks=pytest.mark.long)])
def test_another_process_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    recipe, settings = RECIPES[name]
    frame = table()
    frame.to_csv(tmp_path / "data.csv", index=False)
    code = (
        "import sys, json, dowgan.windows as f, dowgan.finishing as s, dowgan.transport as t\n"
        "f.DRAWN = s.POLISHED = (256, 256); t.ROUNDS = 50\n"
        "from dowgan.cli import main; main()"
    )
    options = [f"--set={key}={str(value).lower()}" for key, value in settings.items()]

    def call(*tokens: str, seed: str) -> None:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", code, *tokens]
        out = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert out.returncode == 0, out.stderr

    call("fit", "data.csv", "-o", "m.dowgan", "--recipe", recipe, *options, seed="1")
    call("generate", "m.dowgan", "-n", "90", "-o", "there.csv", seed="2")
    model = Synthesizer(recipe, settings).fit(tmp_path / "data.csv")
    write(model.generate(rows=90), model.schema, tmp_path / "here.csv")
    assert (tmp_path / "here.csv").read_bytes() == (tmp_path / "there.csv").read_bytes()
    model.save(tmp_path / "here.dowgan")
    assert (tmp_path / "here.dowgan").read_bytes() == (tmp_path / "m.dowgan").read_bytes()


@pytest.mark.parametrize("name", list(RECIPES))
def test_run_7_is_the_same_in_any_batch(name: str) -> None:
    model = once(name)
    few, many = (model.generate(rows=40, runs=count).query("run == 8") for count in (8, 70))
    pd.testing.assert_frame_equal(few.reset_index(drop=True), many.reset_index(drop=True), check_exact=True)


@pytest.mark.parametrize("name", ["prior", "adversarial"])
def test_run_7_of_a_table_with_runs_of_unequal_length(name: str) -> None:
    model = fitted(name, table(60, runs=12), runs=("unit",))
    few, many = (model.generate(runs=count) for count in (8, 70))
    own = [frame[frame["unit"] == 7].reset_index(drop=True) for frame in (few, many)]
    assert len(own[0]) in {60 + 7 * unit for unit in range(12)}
    pd.testing.assert_frame_equal(own[0], own[1], check_exact=True)


def test_path_7_is_the_same_among_any_number() -> None:
    frame = table()
    model = once("prior")
    few, many = (model.extend(frame, steps=30, paths=count).paths.query("path == 8") for count in (8, 70))
    pd.testing.assert_frame_equal(few.reset_index(drop=True), many.reset_index(drop=True), check_exact=True)


@pytest.mark.parametrize("name", ["prior", "calibrated prior"])
def test_a_longer_series_begins_as_the_shorter_one(name: str) -> None:
    """To the last bit, however many times as long as the table it is."""
    model = once(name)
    long = model.generate(rows=900, where={"mode": "a"})
    for rows in (50, 150, 160, 300, 400):
        pd.testing.assert_frame_equal(model.generate(rows=rows, where={"mode": "a"}), long.head(rows))


def test_the_seed_of_the_fit_matters_to_a_network() -> None:
    own, others = (
        model.model_.network.weights for model in (once("adversarial"), fitted("adversarial", table(), seed=1))
    )
    assert any(not np.array_equal(own[name], others[name]) for name in own)


def global_state() -> tuple[object, ...]:
    """Without Python's own `random`, which beartype draws from while it checks these tests."""
    return (
        [np.asarray(part).tolist() for part in np.random.get_state()],
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
    )


@pytest.mark.parametrize("name", list(RECIPES))
def test_global_random_state_is_neither_changed_nor_read(name: str) -> None:
    frame = table()
    np.random.seed(11)
    torch.manual_seed(11)
    before = global_state()
    text = outputs(fitted(name, frame), frame)
    assert global_state() == before
    assert text == outputs(once(name), frame), "fitted in another state"


# streams


def test_a_stream_depends_on_its_seed_and_name_only() -> None:
    streams = Streams(3)
    first = streams.numpy("a").standard_normal(5)
    streams.numpy("b").standard_normal(100)
    assert np.array_equal(first, Streams(3).numpy("a").standard_normal(5))
    others = [Streams(4).numpy("a"), streams.numpy("b"), streams.numpy("a", 1)]
    assert all(not np.array_equal(first, other.standard_normal(5)) for other in others)
    assert torch.equal(torch.randn(4, generator=streams.torch("a")), torch.randn(4, generator=streams.torch("a")))


@pytest.mark.parametrize("start", [0, 5, CHUNK - 1, CHUNK, 3 * CHUNK + 2])
def test_a_row_of_normals_does_not_depend_on_the_others(start: int) -> None:
    every = Streams(0).normal("x", 0, 5 * CHUNK, 3)
    assert np.array_equal(Streams(0).normal("x", start, start + 9, 3), every[start : start + 9])
    assert Streams(0).normal("x", start, start, 3).shape == (0, 3)
    assert abs(every.mean()) < 5 / np.sqrt(every.size)
    assert abs(every.var() - 1) < 5 * np.sqrt(2 / every.size)
