"""The figures of a training arrive where --track sends them, and a wrong place is one line."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from dowgan import track
from dowgan.cli import run
from dowgan.config import resolve
from dowgan.errors import OptionError
from dowgan.track import Tracker, tracking
from small_tables import waves

FIGURES = {"critic": 0.5, "fidelity": 0.25}


def seen(where: str | None, steps: int, said: list[str] | None = None) -> list[int]:
    """Track so many steps, of which the third has a fidelity; return the steps that the terminal was told.

    Args:
        said: takes what is said of a tracker that was lost; None where none may be.
    """
    told: list[int] = []

    def update(step: int, steps: int, figures: Mapping[str, float]) -> None:
        told.append(step)

    lost: list[str] = []
    with tracking(where, resolve("r3gan"), update, lost.append if said is None else said.append) as note:
        for step in range(1, steps + 1):
            note(step, steps, FIGURES if step == 3 else {"critic": 1.0 * step})
    assert not lost
    return told


def test_without_a_place_only_the_terminal_is_told() -> None:
    assert seen(None, 3) == [1, 2, 3]


def test_tensorboard_gets_every_tenth_step_and_every_fidelity(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed: pip install tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert seen(f"tensorboard:{tmp_path}", 25) == list(range(1, 26))
    found = EventAccumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in found.Scalars("critic")] == [(3, 0.5), (10, 10.0), (20, 20.0)]
    assert [(e.step, e.value) for e in found.Scalars("fidelity")] == [(3, 0.25)]
    text = found.Tensors("recipe/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "critic_steps" in text


@pytest.mark.filterwarnings("default")  # MLflow and SQLAlchemy are not at one about what is deprecated
def test_mlflow_gets_the_same_in_a_run_that_ends(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'dowgan[track]'")
    pytest.importorskip("sqlalchemy", reason="MLflow without SQLAlchemy keeps nothing on this machine")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert seen(f"mlflow:{uri}", 25) == list(range(1, 26))
    client = mlflow.MlflowClient(tracking_uri=uri)
    (found,) = client.search_runs([client.get_experiment_by_name("dowgan").experiment_id])
    assert found.info.status == "FINISHED"
    assert "critic_steps" in found.data.tags["recipe"]
    history = client.get_metric_history(found.info.run_id, "critic")
    assert [(m.step, m.value) for m in history] == [(3, 0.5), (10, 10.0), (20, 20.0)]


def lose(monkeypatch: pytest.MonkeyPatch, at: str) -> list[str]:
    """Put a tracker in place whose server is lost while it logs, or at the end; return the list of its calls."""
    calls: list[str] = []

    def called(name: str) -> None:
        calls.append(name)
        if name == at:
            raise ConnectionError("connection refused\nby the server")

    tracker = Tracker(lambda step, figures: called("log"), lambda well: called("end"))
    monkeypatch.setitem(track.TRACKERS, "tensorboard", lambda place, config: tracker)
    return calls


@pytest.mark.parametrize(("at", "calls"), [("log", ["log"]), ("end", ["log", "log", "log", "end"])])
def test_a_lost_server_is_told_once_and_the_training_goes_on(
    at: str, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed: pip install tensorboard")
    done, said = lose(monkeypatch, at), list[str]()
    assert seen("tensorboard:runs", 25, said) == list(range(1, 26))
    assert said == ["--track tensorboard:runs is lost (connection refused): the training goes on without it"]
    assert done == calls


def test_a_fit_whose_server_is_lost_writes_its_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed: pip install tensorboard")
    lose(monkeypatch, "log")
    assert run(small_fit(tmp_path, "tensorboard:runs")) == 0
    assert (tmp_path / "m.dowgan").exists()
    assert capsys.readouterr().err.count("is lost") == 1


def small_fit(folder: Path, where: str) -> list[str]:
    """The call of a short tracked training."""
    waves(120).to_csv(folder / "data.csv", index=False)
    call = ["fit", str(folder / "data.csv"), "-o", str(folder / "m.dowgan"), "--recipe", "r3gan", "--quiet"]
    small = ["--set", "train.steps=10", "--set", "window=6", "--set", "train.collapse=warn"]
    return [*call, *small, "--track", where]


def test_a_fit_is_tracked_from_the_command_line(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed: pip install tensorboard")
    assert run(small_fit(tmp_path, f"tensorboard:{tmp_path / 'runs'}")) == 0
    assert list((tmp_path / "runs").glob("events.out.tfevents.*"))


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("tensorbord:x", "Unknown tracker 'tensorbord'. Did you mean 'tensorboard'? Known: mlflow, tensorboard."),
        ("mlflow", "'mlflow' names no place; write tensorboard:FOLDER or mlflow:URI."),
        ("mlflow:x", "--track mlflow needs a package that is not installed: pip install 'dowgan[track]'."),
    ],
)
def test_a_wrong_place_is_one_line(where: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track, "find_spec", lambda name: None)
    with pytest.raises(OptionError) as caught:
        seen(where, 1)
    assert str(caught.value) == said


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed: pip install tensorboard")
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match=r"Cannot write to '.*file/runs'"):
        seen(f"tensorboard:{tmp_path / 'file' / 'runs'}", 1)
