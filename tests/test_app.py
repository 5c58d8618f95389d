"""The web page, driven in a real Chromium: a user's whole work, a bad table, two sessions that must not meet."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan import cli
from dowgan.app.desk import Desk, Roles
from dowgan.app.jobs import Fit
from dowgan.config import resolve
from dowgan.errors import DataError
from dowgan.table import read, write

pytest.importorskip("streamlit", reason="Streamlit is not installed: pip install 'dowgan[app]'")
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")

ROWS, COLUMNS, AHEAD, FACTOR = 130, 20, 12, 4
PATIENCE = 120_000  # milliseconds for what computes
NAMES = [f"county_{i}" for i in range(COLUMNS)]
CLOCK = "%d/%m/%Y"


@dataclass(frozen=True)
class Site:
    """A page that is served, and the folder that holds its temporary files."""

    url: str
    folder: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page on a free port; it must leave nothing behind."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as trial:
        trial.bind(("localhost", 0))
        port = trial.getsockname()[1]
    command = [sys.executable, "-m", "dowgan", "app", "--no-browser", "--port", str(port)]
    settings = os.environ | {"TMPDIR": str(folder), "HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    log = (folder.parent / "server.log").open("w+")
    server = subprocess.Popen(command, env=settings, stdout=log, stderr=log)
    try:
        _wait_for(port, server)
        yield Site(f"http://localhost:{port}", folder)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        log.seek(0)
        said = log.read()
        log.close()
    assert "Traceback" not in said, said
    assert f"the page is at http://localhost:{port}" in said
    assert list(folder.glob("dowgan-app-*")) == []


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as trial:
            if trial.connect_ex(("localhost", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the page did not come up")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """One browser session, and what went wrong in it."""

    def __init__(self, chromium: Any, site: Site) -> None:
        self.context = chromium.new_context(viewport={"width": 1280, "height": 2400}, accept_downloads=True)
        self.page = self.context.new_page()
        self.page.set_default_timeout(90_000)
        self.hosts: set[str] = set()
        self.faults: list[str] = []
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda line: self.faults.append(line.text) if line.type == "error" else None)
        self.page.goto(site.url)
        self.page.get_by_text("1 · Your table").wait_for()

    def upload(self, path: Path) -> None:
        self.page.locator("input[type=file]").first.set_input_files(str(path))

    def fit(self, budget: str, recipe: str | None = None) -> None:
        box = self.page.get_by_role("combobox", name="Longest training time")
        box.click()
        box.fill(budget)
        box.press("Enter")
        if recipe is not None:
            field = self.page.get_by_role("combobox", name="Recipe")
            field.click()
            field.fill(recipe)
            self.page.get_by_role("option", name=recipe, exact=True).click()
        self.page.get_by_test_id("stFormSubmitButton").get_by_role("button", name="Fit").click()

    def tab(self, name: str) -> Any:
        self.page.get_by_role("tab", name=name).click()
        return self.page.get_by_role("tabpanel").filter(visible=True)

    def ask(self, verb: str, numbers: dict[str, int]) -> Any:
        """Fill in a form of a verb, send it, and wait for what comes."""
        panel = self.tab(verb)
        for label, number in numbers.items():
            field = panel.get_by_label(label, exact=True)
            field.fill(str(number))
            field.press("Tab")
        panel.get_by_test_id("stFormSubmitButton").get_by_role("button").click()
        panel.get_by_text("The first rows").wait_for(timeout=PATIENCE)
        return panel

    def download(self, button: Any, folder: Path) -> Path:
        with self.page.expect_download() as waiting:
            button.click()
        path = folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path


@pytest.fixture
def visits(chromium: Any, site: Site) -> Iterator[list[Visit]]:
    """Two sessions in browsers of their own, free of faults at the end, that asked nobody else for anything."""
    pair = [Visit(chromium, site), Visit(chromium, site)]
    yield pair
    for visit in pair:
        visit.context.close()
        assert visit.faults == []
        assert visit.hosts <= {site.url.removeprefix("http://")}


def counts(path: Path) -> pd.DataFrame:
    """Weekly counts of 20 counties with a season, as a CSV."""
    rng = np.random.default_rng(0)
    season = np.sin(2 * np.pi * np.arange(ROWS) / 52.18)[:, None] * rng.uniform(0.5, 1, COLUMNS)
    frame = pd.DataFrame(rng.poisson(np.exp(2.5 + season)), columns=NAMES)
    frame.insert(0, "Date", pd.date_range("2020-01-06", periods=ROWS, freq="W-MON").strftime(CLOCK))
    frame.to_csv(path, index=False)
    return frame


def small(path: Path) -> pd.DataFrame:
    """Three columns of hours, on which the report takes seconds."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(np.cumsum(rng.normal(size=(160, 3)), axis=0).round(2) + 50, columns=["a", "b", "c"])
    frame.insert(0, "time", pd.date_range("2024-01-01", periods=160, freq="h"))
    frame.to_csv(path, index=False)
    return frame


def test_the_whole_work(visits: list[Visit], tmp_path: Path) -> None:
    table = counts(tmp_path / "counts.csv")
    visit = visits[0]
    visit.upload(tmp_path / "counts.csv")
    visit.page.get_by_text(f"{ROWS} rows, {COLUMNS} channels. Clock: 'Date', step W-MON").wait_for()
    visit.page.get_by_role("cell", name="whole number").nth(COLUMNS - 1).wait_for()
    visit.fit("3s", "r3gan")
    visit.page.get_by_text("generated now").wait_for(timeout=PATIENCE)  # samples beside the real ones, while it trains
    visit.page.get_by_text("4 · Use it").wait_for(timeout=PATIENCE)

    panel = visit.ask("Generate", {"Rows": 80})
    csv = visit.download(panel.get_by_role("button", name="CSV", exact=True), tmp_path)
    parquet = visit.download(panel.get_by_role("button", name="Parquet", exact=True), tmp_path)
    made = pd.read_csv(csv)
    assert csv.name == "counts-synthetic.csv"
    assert list(made.columns) == list(table.columns)
    assert len(made) == 80
    assert (made[NAMES].dtypes == "int64").all()
    assert (made[NAMES] >= 0).all(axis=None)
    assert list(made["Date"]) == list(table["Date"][:80])
    pd.testing.assert_frame_equal(pd.read_parquet(parquet)[NAMES], made[NAMES])

    panel = visit.ask("Densify", {"New steps per old step": FACTOR})
    finer = pd.read_csv(visit.download(panel.get_by_role("button", name="CSV", exact=True), tmp_path))
    assert list(finer.columns) == list(table.columns)
    assert len(finer) == (ROWS - 1) * FACTOR + 1
    pd.testing.assert_frame_equal(finer[NAMES][::FACTOR].reset_index(drop=True), table[NAMES])
    assert (finer[NAMES].dtypes == "int64").all()

    panel = visit.ask("Extend", {"Rows to add": AHEAD, "Paths": 50})
    buttons = panel.get_by_role("button", name="CSV", exact=True)
    later, paths = (pd.read_csv(visit.download(buttons.nth(i), tmp_path)) for i in (0, 1))
    weeks = pd.date_range("2020-01-06", periods=ROWS + AHEAD, freq="W-MON").strftime(CLOCK)
    assert list(later["Date"]) == list(weeks[ROWS:])
    assert (later[NAMES].dtypes == "int64").all()
    for name in NAMES:
        assert (later[f"{name}_lo90"] <= later[name]).all()
        assert (later[name] <= later[f"{name}_hi90"]).all()
    assert list(paths.columns) == ["path", *table.columns]
    assert len(paths) == 50 * AHEAD
    assert sorted(set(paths["path"])) == list(range(1, 51))

    panel = visit.tab("Model")
    model = dowgan.load(visit.download(panel.get_by_role("button", name="Model", exact=True), tmp_path))
    frame = model.generate(rows=80)
    write(frame, model.schema, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == csv.read_bytes()  # the page adds nothing of its own


def test_the_report_inside(visits: list[Visit], tmp_path: Path) -> None:
    small(tmp_path / "small.csv")
    visit = visits[0]
    visit.upload(tmp_path / "small.csv")
    visit.fit("1s", "prior")
    visit.page.get_by_text("4 · Use it").wait_for(timeout=PATIENCE)
    panel = visit.tab("Report")
    panel.get_by_role("button", name="Test the model").click()
    frame = visit.page.frame_locator("iframe").first
    frame.locator("h1").wait_for(timeout=PATIENCE)
    frame.locator(".plot").first.scroll_into_view_if_needed()  # figures are drawn as they come into view
    frame.locator(".js-plotly-plot svg.main-svg").first.wait_for(timeout=PATIENCE)
    page = visit.download(panel.get_by_role("button", name="Report"), tmp_path)
    assert page.name == "small-report.html"
    assert "<h1>" in page.read_text(encoding="utf-8")


BAD = {
    "few.csv": "time,a\n2024-01-01,1\n2024-01-02,2\n",
    "words.csv": "a,b\n" + "x,y\n" * 12,
    "uneven.csv": "time,a\n" + "".join(f"2024-01-{d:02},{d}\n" for d in (1, 2, 4, 5, 9, 10, 17, 18, 23, 30, 31)),
    "empty.csv": "",
}


def test_a_bad_table_shows_the_sentence_of_the_command_line(
    visits: list[Visit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    visit = visits[0]
    for name, text in BAD.items():
        Path(name).write_text(text)
        assert cli.run(["fit", name, "--recipe", "prior", "--quiet"]) == 1
        sentence = capsys.readouterr().err.strip().removeprefix("dowgan: ")
        visit.upload(Path(name))  # the next one replaces the one before
        visit.page.get_by_test_id("stAlert").get_by_text(sentence, exact=True).wait_for()
        assert visit.page.get_by_text("Traceback").count() == 0
        assert visit.page.get_by_text("3 · Fit a model").count() == 0


def test_two_sessions_do_not_see_each_other(visits: list[Visit], site: Site, tmp_path: Path) -> None:
    older = _filled(site)  # of earlier tests, whose browsers may come back for two minutes
    counts(tmp_path / "mine.csv")
    small(tmp_path / "..yours.csv")
    for visit, name in zip(visits, ("mine.csv", "..yours.csv"), strict=True):
        assert visit.page.get_by_role("button", name="Use the example").count() == 1
        visit.upload(tmp_path / name)
        visit.page.get_by_text("3 · Fit a model").wait_for()
    visits[0].page.get_by_role("cell", name="county_3", exact=True).wait_for()
    visits[1].page.get_by_role("cell", name="b", exact=True).wait_for()
    assert visits[1].page.get_by_role("cell", name="county_3", exact=True).count() == 0
    assert visits[1].page.get_by_text("mine.csv").count() == 0
    folders = _filled(site) - older
    assert len(folders) == 2
    for path in folders:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert [file.name.split("-")[0] for file in path.iterdir()] == ["table"]  # no name of the user's


def _filled(site: Site) -> set[Path]:
    return {path for path in site.folder.glob("dowgan-app-*") if any(path.iterdir())}


def test_a_desk_takes_no_path_from_a_name_and_leaves_nothing() -> None:
    desk = Desk()
    folder = desk.folder
    desk.take(b"time,a\n2024-01-01,1\n", "../../etc/evil.parquet.csv")
    assert [path.parent for path in folder.iterdir()] == [folder]
    with pytest.raises(DataError) as caught:
        desk.table(Roles())
    assert desk.sentence(caught.value) == "'../../etc/evil.parquet.csv' has 1 row, and at least 8 are needed: add more."
    desk.leave(grace=60.0)
    desk.come_back()
    assert folder.exists()
    desk.leave(grace=0.0)
    assert desk._leaving is not None
    desk._leaving.join(10)
    assert not folder.exists()


def test_a_stopped_fit_keeps_the_best(tmp_path: Path) -> None:
    small(tmp_path / "small.csv")
    config = resolve("r3gan", {"train.steps": 100_000, "train.checks": 20_000, "window": 6, "train.patience": 10_000})
    fit = Fit(read(tmp_path / "small.csv"), config, 0)
    fit.start()
    while not (fit.done or len(fit.checks) > 3):
        time.sleep(0.05)
    fit.stop()
    fit._thread.join(60)
    assert fit.error == ""
    assert fit.model is not None
    record = fit.model.model_.training
    assert record.stopped.startswith("interrupted at step")
    assert record.chosen == record.checks[int(np.argmin(record.fidelity))]
    assert fit.real is not None
    assert fit.made is not None
    assert fit.real.shape[1:] == fit.made.shape[1:] == (6, 3)


def test_without_streamlit_one_line_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dowgan.app.server.find_spec", lambda name: None)
    assert cli.run(["app"]) == 1
    said = capsys.readouterr().err
    assert said == "dowgan: The web page needs Streamlit, which is not installed: pip install 'dowgan[app]'.\n"
