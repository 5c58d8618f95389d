"""The founding system: every row of its table by its one command, and the study's page from its results."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pandas as pd
import pytest

from dowgan.cli import run
from serving import served
from small_tables import waves

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "founding-system.md"
BENCH = ROOT / "bench"
SHORT = ("train.checks=1", "train.collapse=warn", "calibrated=false", "encoder.steps=3")
PAGE = "U5"  # it does not end by itself: a test of its own starts it


def commands() -> dict[str, str]:
    """The command of every row of the table."""
    rows = re.findall(r"^\| ([SU]\d+) \|.*\| `(dowgan [^`]+)` \|$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(rows)


def shortened(command: str) -> list[str]:
    """The same command with a training of two steps, or so many epochs as the axis has points."""
    words = shlex.split(command)[1:]
    verb = words[0]
    words = [re.sub(r"(?<=train\.epochs=)[\d,]+", lambda m: _count(m[0]), word) for word in words]
    words = ["2" if before == "--trials" else word for before, word in zip(["", *words], words, strict=False)]
    settings = [*SHORT] if verb in ("fit", "study", "search") else []
    if settings and not any("train.epochs" in word for word in words):
        settings.append("train.steps=2")
    if verb == "search":
        settings += ["window=8", "generator.net=dense", "critic.net=dense"]
    words += [part for text in settings for part in ("--set", text)]
    words += ["--workers", "1"] if verb in ("study", "search") else []
    words += ["--seeds", "1"] if verb == "study" and "--seeds" not in words else []
    words += ["--paths", "20"] if verb == "extend" else []
    return words


def _count(numbers: str) -> str:
    return ",".join(str(1 + place) for place, _ in enumerate(numbers.split(",")))


def hours() -> pd.DataFrame:
    """Two operating conditions by the hour, long enough for windows of a week."""
    frame = waves(340)[["time", "slow"]]
    grade = np.where(np.arange(340) // 85 % 2, "B", "A")
    return frame.assign(grade=grade, slow=frame["slow"] + 20 * (grade == "B"))


def test_the_table_has_every_row_once() -> None:
    assert list(commands()) == [*(f"S{i}" for i in range(1, 17)), *(f"U{i}" for i in range(1, 8))]


@pytest.mark.long
def test_every_row_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    waves(120).to_csv("data.csv", index=False)
    waves(100).to_csv("first.csv", index=False)
    waves(120).iloc[::4].to_csv("sparse.csv", index=False)
    hours().to_csv("hours.csv", index=False)
    for row, command in commands().items():
        if row == PAGE:
            continue
        code = run(shortened(command))
        assert code == 0, f"{row}: {command}: {capsys.readouterr().err}"
        places = [
            word
            for before, word in zip(command.split(), command.split()[1:], strict=False)
            if before in ("-o", "--folder")
        ]
        assert all(Path(place).exists() for place in places), f"{row} wrote no {places}"
    dense, sparse = (pd.read_csv(name) for name in ("finer.csv", "sparse.csv"))
    pd.testing.assert_frame_equal(dense.iloc[::4].reset_index(drop=True), sparse)
    assert {"slow_lo90", "slow_hi90"} <= set(pd.read_csv("later.csv"))
    shown = ("Windows by principal components", "Windows by t-SNE", "mean square error", "R²")
    for page in ("generated.html", "all/report.html"):
        told = Path(page).read_text(encoding="utf-8")
        assert [words for words in shown if words not in told] == []
    assert len(pd.read_csv("all/synthetic.csv")) == 120


def test_the_page_of_the_table_answers(tmp_path: Path) -> None:
    """The whole work in it is done by tests/test_app.py, in a browser."""
    pytest.importorskip("streamlit", reason="Streamlit is not installed: pip install 'dowgan[app]'")
    (tmp_path / "server").mkdir()
    with served(tmp_path / "server", commands()[PAGE].split()[1:]) as site, urlopen(site.url, timeout=60) as answer:
        assert answer.status == 200
        assert "<title>" in answer.read().decode()


# the study


def bench(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / script), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_quick_study_measures_and_writes_its_page(tmp_path: Path) -> None:
    done = bench("founding.py", "--quick", "-o", str(tmp_path))
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "bench" / "results" / "founding_study.json").read_text())
    text = (tmp_path / "docs" / "founding-study.md").read_text()
    figures = re.findall(r"\]\((founding-study/\w+\.svg)\)", text)
    assert len(figures) == len(set(figures)) == 10
    for figure in figures:
        assert (
            "polyline" in (tmp_path / "docs" / figure).read_text() or "path" in (tmp_path / "docs" / figure).read_text()
        )
    assert set(results["recipes"]) >= {"dense-gan", "wgan", "gru-wgan", "prior", "flagship"}
    fit = results["original"]
    assert fit["r2_shuffled"]["columns"] < -0.5, "real rows in random order have no parity either"
    assert f"{results['about']['zeros']} zeros" in text


def test_the_page_is_what_its_results_say(tmp_path: Path) -> None:
    results = tmp_path / "bench" / "results"
    results.mkdir(parents=True)
    (results / "founding_study.json").write_bytes((BENCH / "results" / "founding_study.json").read_bytes())
    done = bench("founding.py", "--page", "-o", str(tmp_path))
    assert done.returncode == 0, done.stderr
    ours = ROOT / "docs"
    assert (tmp_path / "docs" / "founding-study.md").read_text() == (ours / "founding-study.md").read_text()
    for figure in (tmp_path / "docs" / "founding-study").iterdir():
        assert figure.read_bytes() == (ours / "founding-study" / figure.name).read_bytes()


def test_no_number_of_the_page_is_written_by_hand() -> None:
    """Beside what its results fill in, its text holds the deck's numbers, those of citations, and definitions."""
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", (BENCH / "founding_page.md.j2").read_text(), flags=re.DOTALL)
    deck = {"-1.48", "0.2", "18", "2023"}
    citations = {"2021", "2102.08100", "4.0", "1"}  # the data, its licence, Algorithm 1
    definitions = {"0", "1", "90"}  # R² of the mean, 1 - D, the band
    assert set(re.findall(r"(?<![\w.])-?\d(?:[\d.]*\d)?", text)) == deck | citations | definitions


def test_what_another_state_of_the_code_measured_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    import founding
    from founding_page import measured_by

    new, old, unknown = {"code": "new", "seconds": 1}, {"code": "old", "seconds": 1}, {"seconds": 1}
    done = {
        "about": {"code": "new"}, "paired": {"code": "old"}, "search": {"best": {}},
        "recipes": {"a": {"fits": [new, old]}, "b": {"fits": [unknown, new]}, "c": {"fits": [new, new]}},
        "studies": {"rates": [{"rate": 1, "fits": [old]}]},
    }  # fmt: skip
    assert measured_by(done) == "by 2 states of the code (`new`, `old`) and by earlier states that were not taken down"
    founding.forget(done, "new")
    assert set(done) == {"about", "recipes", "studies"}
    assert {name: len(entry["fits"]) for name, entry in done["recipes"].items()} == {"a": 1, "b": 0, "c": 2}
    assert done["studies"]["rates"][0]["fits"] == []
    assert measured_by(done) == "all of it by one state of the code, `new`"


def test_the_download_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The right table is taken; another one, or none, ends in one sentence."""
    import hashlib
    import zipfile

    monkeypatch.syspath_prepend(str(BENCH))
    import founding

    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(f"folder/{founding.FILE}", "Date,A\n01/01/2005,3\n")
    checksum = hashlib.sha256(b"Date,A\n01/01/2005,3\n").hexdigest()
    path = founding.download(tmp_path, archive.as_uri(), checksum)
    assert path.read_text() == "Date,A\n01/01/2005,3\n"
    with pytest.raises(SystemExit, match=r"holds another .* than the study is about"):
        founding.download(tmp_path, archive.as_uri())
    with pytest.raises(SystemExit, match="could not be fetched"):
        founding.download(tmp_path, (tmp_path / "none.zip").as_uri())


def test_the_page_on_transfer_is_what_its_results_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    import transfer

    results = json.loads((BENCH / "results" / "transfer.json").read_text())
    assert transfer.page(results) == (ROOT / "docs" / "transfer.md").read_text()


def test_the_page_on_noises_is_what_its_results_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    import noises

    results = json.loads((BENCH / "results" / "noises.json").read_text())
    assert noises.page(results) == (ROOT / "docs" / "noises.md").read_text()
