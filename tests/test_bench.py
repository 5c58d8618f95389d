"""The benchmarks: a cell is what its stored sample scores, pages hold the figures of the results files."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from dowgan.metrics.context_fid import encoder, frechet
from dowgan.metrics.correlational import correlational
from dowgan.metrics.discriminative import minmax

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
SAMPLE = RESULTS / "samples" / "plant_flagship_0.npz"


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts find each other as they do when they are run."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))


def script(name: str) -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(ROOT / "bench" / f"{name}.py"), run_name=name))


def test_a_cell_is_what_its_stored_sample_scores() -> None:
    """Correlational, all five draws, and one Context-FID; the sample is stored with half of the digits."""
    protocol = script("protocol")
    frame, _ = protocol.table("plant", ROOT)
    real, fake = protocol.windows(frame, ()), np.load(SAMPLE)["windows"].astype(float)
    cell = json.loads((RESULTS / "protocol_sample.json").read_text())["results"]["plant"]
    assert list(fake.shape) == list(real.shape) == cell["windows"]
    scaled = minmax(real, fake)
    assert correlational(*scaled, list(protocol.REPEATS)) == pytest.approx(
        cell["flagship"]["0"]["correlational"], rel=1e-4
    )
    eye = encoder(scaled[0], 0)
    found = frechet(*(eye(x) for x in scaled))
    assert found == pytest.approx(cell["flagship"]["0"]["context_fid"][0], rel=0.05)


def test_windows_and_held_out_runs_are_those_of_whole_runs() -> None:
    protocol = script("protocol")
    frame = pd.DataFrame({"batch": np.repeat([4, 7, 5, 9], [30, 24, 20, 26]), "x": np.arange(100.0), "y": 0.0})
    found = protocol.windows(frame, ("batch",))
    assert found.shape == (7 + 1 + 0 + 3, 24, 2)
    assert (np.diff(found[:, :, 0], axis=1) == 1).all()
    known, hidden = protocol.sides(frame, ("batch",))
    assert (set(known["batch"]), set(hidden["batch"])) == ({4, 7, 9}, {5})


def test_the_stored_sample_is_no_copy() -> None:
    protocol = script("protocol")
    real = protocol.windows(protocol.table("plant", ROOT)[0], ())
    fake = np.load(SAMPLE)["windows"]
    apart = np.abs(fake[:, None] - real[None]).max(axis=(2, 3))
    assert apart.min() > 1e-3


@pytest.mark.parametrize("name", ["stocks", "energy"])
def test_the_diffusion_network_has_about_the_published_number_of_weights(name: str) -> None:
    speed = script("speed")
    size = speed.SETS[name]
    weights = sum(p.numel() for p in speed.Denoiser(size).parameters())
    assert weights / 1e6 == pytest.approx(size.weights, rel=0.05)


def test_the_diffusion_sampler_draws_what_its_network_has_learned() -> None:
    """A network that always answers the same clean window must be drawn that window, whatever the noise."""
    speed = script("speed")
    size = speed.Published("", 2, 8, 2, 1, 1, 50, 0.0)
    window = torch.linspace(-0.9, 0.9, 48).reshape(1, 24, 2)
    drawn = speed.diffuse(lambda x, step: window.expand(len(x), -1, -1), size, 3)
    assert torch.allclose(drawn, window.expand(3, -1, -1), atol=1e-5)


def test_speed_tells_how_many_times_faster_from_its_own_seconds() -> None:
    results = json.loads((RESULTS / "speed.json").read_text())["results"]
    speed = script("speed")
    for found in (results[name] for name in speed.SETS if name in results):
        for recipe in speed.RECIPES:
            row, took = found[recipe], found["diffusion"]["window_seconds"]
            assert row["times_faster"] == pytest.approx(took / row["window_seconds"])


def test_the_page_of_the_peers_holds_the_figures_of_the_results_file() -> None:
    peers = script("peers_page")
    kept = json.loads(peers.RESULTS.read_text())
    assert peers.PAGE.read_text(encoding="utf-8") == peers.page(kept), "run: python bench/peers_page.py"
