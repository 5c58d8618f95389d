"""The loss studies: every point once, nothing lost, nothing mixed up."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dowgan.cli import run
from dowgan.errors import OptionError
from dowgan.study import Outcome, lay_out, parse_grid, run_study, study_figure
from dowgan.table import read
from small_tables import waves

GRID = {"train.epochs": ("1", "2"), "train.lr": ("0.01", "0.001")}
QUICK = ["train.checks=2"]


def silent(text: str) -> None:
    """Say nothing."""


def test_grid_is_parsed_and_mistakes_are_told() -> None:
    assert parse_grid(["train.epochs=1,2", "train.lr=0.01, 0.001"]) == GRID
    for texts, told in (
        (["train.lr"], "'train.lr' is no axis; write KEY=VALUE,VALUE, such as --grid train.epochs=100,500,1000."),
        (["a=1", "a=2"], "The axis 'a' is given twice; put all its values behind one --grid."),
        ([], "A study needs at least one axis, such as --grid train.epochs=100,500,1000."),
    ):
        with pytest.raises(OptionError) as error:
            parse_grid(texts)
        assert str(error.value) == told


def test_unknown_key_is_refused_with_a_suggestion() -> None:
    with pytest.raises(OptionError, match=r"^Unknown setting 'train\.epoch'\. Did you mean 'train\.epochs'\? Known: "):
        lay_out({"train.epoch": ("1",)}, "dense-gan", [], [0], "")


def test_steps_and_epochs_are_never_mixed_up() -> None:
    told = "Both train.steps and train.epochs are given; they say the same thing twice: use one."
    for grid, settings in (
        ({"train.epochs": ("1",), "train.steps": ("1",)}, []),
        ({"train.epochs": ("1",)}, ["train.steps=5"]),
    ):
        with pytest.raises(OptionError) as error:
            lay_out(grid, "dense-gan", settings, [0], "")
        assert str(error.value) == told
    with pytest.raises(OptionError) as error:
        lay_out({"train.lr": ("1",)}, "dense-gan", ["train.lr=2"], [0], "")
    assert str(error.value) == "'train.lr' is both set and an axis of the grid; leave out one of them."


def test_study_runs_every_point_and_resumes(tmp_path: Path) -> None:
    table = read(waves(120))
    trials = lay_out(GRID, "dense-gan", QUICK, range(2), table.digest)
    said: list[str] = []
    done = run_study(table, trials[:3], tmp_path, 1, False, said.append)
    kept = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "trials").iterdir()}
    assert len(done) == len(kept) == 3
    with pytest.raises(OptionError, match=r"has trials already; go on with --resume"):
        run_study(table, trials, tmp_path, 1, False, silent)
    every = run_study(table, trials, tmp_path, 1, True, said.append)
    assert "8 trials, 5 to do" in said
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "trials").iterdir() if p.name in kept} == kept
    with (tmp_path / "study.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["train.epochs"], r["train.lr"], r["seed"]) for r in rows] == [
        (e, lr, s) for e in ("1", "2") for lr in ("0.01", "0.001") for s in ("0", "1")
    ]
    assert [float(r["epochs"]) for r in rows] == [int(r["train.epochs"]) for r in rows]
    assert [int(r["steps"]) for r in rows] == [7 * int(r["train.epochs"]) for r in rows]  # 120 rows in 7 batches of 18
    assert (tmp_path / "study.html").stat().st_size > 10_000
    assert every[0] == done[0]


def test_trial_is_the_fit_of_the_same_settings_and_seed() -> None:
    from dowgan import Synthesizer
    from dowgan.study import run_trial

    table = read(waves(120))
    (trial,) = lay_out({"train.epochs": ("2",)}, "dense-gan", QUICK, [5], table.digest)
    outcome = run_trial(table, trial)
    model = Synthesizer("dense-gan", [*QUICK, "train.epochs=2"], random_state=5).fit(waves(120))
    assert outcome.losses == model.model_.training.losses
    assert outcome.fidelity == model.model_.training.fidelity


def test_diverging_trial_is_recorded_with_its_reason(tmp_path: Path) -> None:
    table = read(waves(120))
    trials = lay_out({"train.lr": ("1e30", "0.001")}, "dense-gan", [*QUICK, "train.epochs=1"], [0], table.digest)
    bad, good = run_study(table, trials, tmp_path, 1, False, silent)
    assert bad.failed is not None
    assert bad.failed.startswith("the losses were no longer finite at step ")
    assert bad.score is None, "not that of the generator before training"
    assert good.failed is None
    assert good.score is not None


def test_trial_that_cannot_run_is_recorded_with_its_reason() -> None:
    from dowgan.study import run_trial

    table = read(waves(60))
    (trial,) = lay_out({"window": ("50",)}, "dense-gan", QUICK, [0], table.digest)
    assert run_trial(table, trial).failed == (
        "60 rows are fewer than two windows of 50; give at least 100 rows or set a shorter window: --set window=N."
    )


def test_figure_has_both_losses_above_the_fidelity() -> None:
    points = [{"train.lr": lr, "seed": "x"} for lr in ("1", "2")]
    curves = {"critic": (1.0, 2.0), "generator": (3.0, 4.0), "gradient": (5.0, 6.0)}
    outcomes = [
        Outcome({"a": p["train.lr"], "b": b}, 0, 2, 1.0, (1, 2), curves, (0, 2), (0.5, 0.25), 2)
        for p in points
        for b in ("3", "4", "5")
    ]
    figure = study_figure(outcomes)
    assert len(figure.data) == 6 * 3
    assert [t.name for t in figure.data[:3]] == ["critic", "generator", "fidelity"]
    assert figure.data[0].yaxis != figure.data[2].yaxis
    assert figure.data[0].yaxis == figure.data[1].yaxis


@pytest.mark.long
def test_killed_study_goes_on_where_it_was(tmp_path: Path) -> None:
    data, out = tmp_path / "data.csv", tmp_path / "out"
    waves(120).to_csv(data, index=False)
    words = ["study", str(data), "--grid", "train.epochs=1,2,3,200", "--seeds", "1", "-o", str(out), "--workers", "1"]
    words += ["--set", "train.checks=1"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from dowgan.cli import main; main()", *words], env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    until = time.monotonic() + 60
    while len(list(out.glob("trials/[!.]*.json"))) < 3 and time.monotonic() < until and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = sorted(p.name for p in out.glob("trials/[!.]*.json"))
    assert len(kept) == 3
    words[3] = "train.epochs=1,2,3,4"  # the trial in hand was long; a short one instead
    assert run([*words, "--resume", "--quiet"]) == 0
    assert set(kept) < {p.name for p in out.glob("trials/[!.]*.json")}
    with (out / "study.csv").open() as file:
        assert [row["train.epochs"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]


def test_two_processes_share_the_trials(tmp_path: Path) -> None:
    table = read(waves(120))
    trials = lay_out({"train.lr": ("0.01", "0.001")}, "dense-gan", [*QUICK, "train.epochs=1"], [0], table.digest)
    alone = run_study(table, trials, tmp_path / "one", 1, False, silent)
    both = run_study(table, trials, tmp_path / "two", 2, False, silent)
    assert [o.losses for o in alone] == [o.losses for o in both]
