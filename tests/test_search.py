"""The search: settings come from what parts declare; nothing is run twice, nothing is lost, nothing crashes."""

import csv
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from dowgan.cli import run
from dowgan.config import resolve
from dowgan.errors import OptionError
from dowgan.table import Table, read
from small_tables import waves

optuna = pytest.importorskip("optuna", reason="Optuna is an extra: pip install 'dowgan[search]'")

from dowgan.search import Task, run_search, suggest, work  # noqa: E402
from dowgan.search.trial import ASKED, _refuse_double  # noqa: E402

QUICK = (
    "train.steps=4", "train.checks=2", "train.collapse=warn", "train.batch=16", "space=standard", "window=8",
    "generator.net=dense", "critic.net=dense", "objective.name=bce",
)  # fmt: skip


def task(folder: Path, *settings: str, against: str | None = None, deadline: float | None = None) -> Task:
    folder.mkdir(parents=True, exist_ok=True)
    return Task("adversarial", (*QUICK, *settings), against, str(folder / "journal.log"), 0, deadline)


def trials_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def table() -> Table:
    return read(waves(120))


def silent(text: str) -> None:
    """Say nothing."""


def test_every_suggestion_is_a_configuration() -> None:
    seen: dict[str, set] = {}
    for space in ("prior", "standard"):
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        base = resolve("adversarial", {"space": space})
        for _ in range(60):
            tried = suggest(study.ask(), base, frozenset(), (12, 24))
            config = resolve("adversarial", {"space": space} | tried)
            for key in ("objective.name", "generator.net", "critic.net"):
                seen.setdefault(f"{space} {key}", set()).add(tried.get(key))
            assert config.train.optimizer == ("rmsprop" if config.objective.name == "wgan" else "adam")
    assert seen["prior generator.net"] == {"mlp", "dense"}  # no time axis there
    assert seen["standard generator.net"] == {"mlp", "dense", "conv", "gru"}
    assert seen["standard objective.name"] == {
        "bce", "flow", "relativistic", "adversarial-flow", "wgan", "wgan-gp"
    }  # fmt: skip


def test_what_is_set_is_not_searched() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    base = resolve("adversarial", ["train.lr=0.5", "generator.net=mlp"])
    tried = suggest(study.ask(), base, frozenset({"train.lr", "generator.net"}), ())
    assert "train.lr" not in tried
    assert "generator.net" not in tried
    assert "generator.width" in tried
    assert "window" not in tried


def test_search_writes_a_recipe_that_fit_takes_and_resumes(table: Table, tmp_path: Path) -> None:
    said: list[str] = []
    best = run_search(table, task(tmp_path), 3, tmp_path, 1, False, said.append)
    rows = trials_of(tmp_path)
    assert [r["trial"] for r in rows] == ["0", "1", "2"]
    lowest = min(float(r["fidelity"]) for r in rows if r["state"] == "COMPLETE")
    assert best.read_text().startswith(f"# Found by dowgan search: held-out fidelity {lowest:.4f} in trial ")
    waves(120).to_csv(tmp_path / "data.csv", index=False)
    words = [str(tmp_path / "data.csv"), "--recipe", str(best), "-o", str(tmp_path / "m.dowgan"), "--quiet"]
    assert run(["fit", *words]) == 0
    assert (tmp_path / "search.html").read_text().count("plotly-graph-div") >= 1
    with pytest.raises(OptionError, match=r"holds a search already; go on with --resume, or choose another place\.$"):
        run_search(table, task(tmp_path), 4, tmp_path, 1, False, silent)
    run_search(table, task(tmp_path), 4, tmp_path, 1, True, said.append)
    assert any(s.startswith("4 trials, 1 to do") for s in said)
    assert [r["trial"] for r in trials_of(tmp_path)] == ["0", "1", "2", "3"]
    with pytest.raises(OptionError, match=r"is about another settings; choose another place with -o\.$"):
        run_search(table, task(tmp_path, "noise=white"), 5, tmp_path, 1, True, silent)


def test_best_recipe_gives_the_fidelity_that_was_found(table: Table, tmp_path: Path) -> None:
    from dowgan import Synthesizer

    best = run_search(table, task(tmp_path), 2, tmp_path, 1, False, silent)
    lowest = min(float(r["fidelity"]) for r in trials_of(tmp_path) if r["state"] == "COMPLETE")
    record = Synthesizer(str(best)).fit(waves(120)).model_.training
    assert min(record.fidelity[1:]) == pytest.approx(lowest, rel=1e-9)


def test_diverging_trial_is_pruned_with_its_reason(table: Table, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"^No trial came to an end: the losses were no longer finite at step \d+\.$"):
        run_search(table, task(tmp_path, "train.lr=1e30"), 2, tmp_path, 1, False, silent)
    for row in trials_of(tmp_path):
        assert row["state"] == "PRUNED"
        assert row["reason"].startswith("the losses were no longer finite at step ")


def test_our_own_fault_prunes_a_trial_with_its_reason(table: Table, tmp_path: Path) -> None:
    with (
        mock.patch("dowgan.networks.train_network", side_effect=RuntimeError("boom")),
        pytest.raises(OptionError, match=r"^No trial came to an end: RuntimeError: boom\.$"),
    ):
        run_search(table, task(tmp_path), 1, tmp_path, 1, False, silent)


def test_budget_ends_a_search(table: Table, tmp_path: Path) -> None:
    began = time.monotonic()
    ends = task(tmp_path, "train.epochs=100000", deadline=time.time() + 2.0)
    ends = Task(ends.recipe, tuple(s for s in ends.settings if "steps" not in s), None, ends.storage, 0, ends.deadline)
    with pytest.raises(OptionError, match="the budget of the search was used up"):
        run_search(table, ends, 50, tmp_path, 1, False, silent)
    assert time.monotonic() - began < 15


def test_two_aims_keep_a_front(table: Table, tmp_path: Path) -> None:
    run_search(table, task(tmp_path, against="time"), 3, tmp_path, 1, False, silent)
    rows = [r for r in trials_of(tmp_path) if r["state"] == "COMPLETE"]
    points = np.array([[float(r["fidelity"]), float(r["seconds"])] for r in rows])
    for row, point in zip(rows, points, strict=True):
        beaten = np.any(np.all(points <= point, axis=1) & np.any(points < point, axis=1))
        assert (row["best"] == "True") == (not beaten)
    with pytest.raises(OptionError) as error:
        run_search(table, task(tmp_path / "x", against="tmie"), 1, tmp_path / "x", 1, False, silent)
    assert str(error.value) == "Unknown aim 'tmie'. Did you mean 'time'? Known: time."


def test_two_workers_never_run_the_same_trial(table: Table, tmp_path: Path) -> None:
    said: list[str] = []
    run_search(table, task(tmp_path), 6, tmp_path, 2, False, said.append)
    study = optuna.load_study(study_name="dowgan", storage=_journal(tmp_path))
    assert [t.number for t in study.trials] == list(range(6))
    assert len({t.user_attrs["process"] for t in study.trials}) == 2
    assert os.getpid() not in {t.user_attrs["process"] for t in study.trials}
    tried = [tuple(sorted(t.params.items())) for t in study.trials if t.state.name == "COMPLETE"]
    assert len(set(tried)) == len(tried)
    assert sum(s.startswith("trial ") for s in said) == 6


def _journal(folder: Path) -> optuna.storages.JournalStorage:
    from optuna.storages.journal import JournalFileBackend

    return optuna.storages.JournalStorage(JournalFileBackend(str(folder / "journal.log")))


def cli(*words: str) -> subprocess.Popen[str]:
    """The command line in a process of its own, whose lines on stderr are read as they come."""
    code = "from dowgan.cli import main; main()"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True, env=environment)


def wait_for_trials(process: subprocess.Popen[str], count: int) -> None:
    """Every trial's line comes when it is done."""
    assert process.stderr is not None
    while count:
        line = process.stderr.readline()
        assert line, "the search ended before"
        count -= line.startswith("trial ")


def words_for(data: Path, out: Path, steps: int) -> list[str]:
    waves(120).to_csv(data, index=False)
    settings = [s.replace("train.steps=4", f"train.steps={steps}") for s in QUICK]
    return ["search", str(data), "-o", str(out), "--workers", "1", *(w for s in settings for w in ("--set", s))]


def test_killed_search_loses_only_the_trial_in_hand(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = words_for(tmp_path / "data.csv", out, 60)
    process = cli(*words, "--trials", "500")
    wait_for_trials(process, 2)
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = optuna.load_study(study_name="dowgan", storage=_journal(out)).trials
    closed = [t.number for t in before if t.state.is_finished()]
    lost = len(before) - len(closed)
    assert lost <= 1
    target = len(closed) + 1  # the trial that was lost does not count
    assert run([*words, "--trials", str(target), "--resume", "--quiet"]) == 0
    after = trials_of(out)
    assert len(after) == target + lost
    assert [r["reason"] for r in after if r["state"] == "FAIL"] == ["the search was killed"] * lost


@pytest.mark.long
def test_two_calls_on_one_journal_leave_each_others_trials_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second call with --resume, while the first still runs: no trial is closed, lost or run twice."""
    out = tmp_path / "out"
    words = [*words_for(tmp_path / "data.csv", out, 60), "--trials", "5"]
    first = cli(*words)
    wait_for_trials(first, 1)
    assert run([*words, "--resume"]) == 0
    told = first.communicate()[1] + capsys.readouterr().err
    assert first.returncode == 0, told
    study = optuna.load_study(study_name="dowgan", storage=_journal(out))
    assert {t.state.name for t in study.trials} <= {"COMPLETE", "PRUNED"}
    assert len({t.user_attrs["process"] for t in study.trials}) == 2
    assert 5 <= len(study.trials) <= 6  # both may begin a last one at the same moment
    lines = [line.split(":")[0] for line in told.splitlines() if line.startswith("trial ")]
    assert sorted([*lines, "trial 0"]) == [f"trial {t.number}" for t in study.trials]


def test_a_trial_waits_for_the_settings_of_an_earlier_one(tmp_path: Path) -> None:
    """Two workers that ask at the same moment: the earlier trial's settings come late, and are the same."""
    study = optuna.create_study(storage=_journal(tmp_path))
    early, late = study.ask(), study.ask()
    late.suggest_categorical("train.batch", (16,))

    def ask_late() -> None:
        time.sleep(0.2)
        early.suggest_categorical("train.batch", (16,))
        early.set_user_attr(ASKED, True)

    thread = threading.Thread(target=ask_late)
    thread.start()
    with pytest.raises(optuna.TrialPruned, match=r"^the same settings as trial 0$"):
        _refuse_double(late)
    thread.join()
    _refuse_double(early)  # the earlier one is run


def test_the_same_settings_are_not_trained_again(table: Table, tmp_path: Path) -> None:
    """Three values are left to try, five trials are asked for."""
    dense = ("width=18", "activation=relu", "norm=none", "dropout=0")
    held = [f"{role}.{option}" for role in ("generator", "critic") for option in dense]
    held += ["train.beta1=0.5", "train.lr=0.001", "train.ema=0.99", "noise=white"]
    run_search(table, task(tmp_path, *held), 5, tmp_path, 1, False, silent)
    rows = trials_of(tmp_path)
    done = [r["train.critic_steps"] for r in rows if r["state"] == "COMPLETE"]
    assert len(done) == len(set(done)) <= 3
    again = [r for r in rows if r["state"] == "PRUNED"]
    assert len(again) == 5 - len(done)
    for row in again:
        first = next(r for r in rows if r["train.critic_steps"] == row["train.critic_steps"])
        assert row["reason"] == f"the same settings as trial {first['trial']}"


def test_without_optuna_it_says_what_to_install(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waves(120).to_csv(tmp_path / "data.csv", index=False)
    with mock.patch.dict(sys.modules, {"optuna": None}):
        for name in [n for n in sys.modules if n.startswith("dowgan.search")]:
            del sys.modules[name]
        assert run(["search", str(tmp_path / "data.csv"), "-o", str(tmp_path / "out")]) == 1
    told = "dowgan: A search needs Optuna, which is not installed: pip install 'dowgan[search]'\n"
    assert capsys.readouterr().err == told


def test_database_keeps_a_search_that_another_machine_goes_on_with(table: Table, tmp_path: Path) -> None:
    """The way of many machines: one database, a folder of its own for each."""
    place = f"sqlite:///{tmp_path}/trials.db"
    shared = Task("adversarial", QUICK, None, place, 0, None)
    run_search(table, shared, 1, tmp_path / "one", 1, False, silent)
    run_search(table, shared, 2, tmp_path / "two", 1, True, silent)
    assert [r["trial"] for r in trials_of(tmp_path / "two")] == ["0", "1"]
    assert trials_of(tmp_path / "one")[0]["fidelity"] == trials_of(tmp_path / "two")[0]["fidelity"]
    work(table, shared, 5, 3, 0)  # this machine asked for five, and others have done two of the three in all
    study = optuna.load_study(study_name="dowgan", storage=place)
    assert len(study.trials) == 3


def test_storage_that_cannot_be_reached_is_told_in_a_line(table: Table, tmp_path: Path) -> None:
    place = "sqlite:////no/such/folder/trials.db"
    with pytest.raises(OptionError) as error:
        run_search(table, Task("adversarial", QUICK, None, place, 0, None), 1, tmp_path, 1, False, silent)
    told = f"The storage '{place}' cannot be used: (sqlite3.OperationalError) unable to open database file."
    assert str(error.value) == told
