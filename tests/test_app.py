"""The web page, driven in a real Chromium: a user's whole work, a bad table, two sessions that must not meet."""

import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save

import dowgan
from dowgan import cli
from dowgan.app.desk import Desk, Roles
from dowgan.app.jobs import Fit
from dowgan.config import resolve
from dowgan.errors import DataError
from dowgan.table import read, write
from serving import PATIENCE, Site, served
from small_tables import waves

pytest.importorskip("streamlit", reason="Streamlit is not installed: pip install 'dowgan[app]'")
pytestmark = pytest.mark.flaky(reruns=1)  # a browser and a server on a shared machine: in a new session once more

ROWS, COLUMNS, AHEAD, FACTOR = 130, 4, 12, 4
NAMES = [f"county_{i}" for i in range(COLUMNS)]
CLOCK = "%d/%m/%Y"
CHANCES = (10, 20, 40, 80, 160)  # seconds for which the page may take a file that is given, and then given again
FIT = "3 · Fit a model"
LULL = 250  # milliseconds in which a page begins to draw what came
STOP = """() => {
  const stop = [...document.querySelectorAll('button')].find(b => b.innerText.includes('Stop and keep the best'));
  if (stop && !stop.disabled) stop.click();
  return stop ? !stop.disabled : document.body.innerText.includes('4 · Use it');
}"""  # once it can be pressed, unless the fit has ended by then


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page on a free port; it must leave nothing behind."""
    with served(tmp_path_factory.mktemp("server"), ["app"]) as site:
        yield site


class Visit:
    """One browser session, and what went wrong in it."""

    def __init__(self, chromium: Any, site: Site) -> None:
        self.site = site
        self.context = chromium.new_context(viewport={"width": 1280, "height": 1600}, accept_downloads=True)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE * 1000)
        self.hosts: set[str] = set()
        self.faults: list[str] = []
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda line: self.faults.append(line.text) if line.type == "error" else None)
        self.page.goto(site.url)
        self.page.get_by_text("1 · Your table").wait_for()

    def upload(self, path: Path, shown: str | Any = FIT) -> None:
        self._send(self.page.locator("input[type=file]").first, path, shown)

    def open_model(self, path: Path, shown: str | Any) -> None:
        opener = self.page.get_by_test_id("stExpander").filter(has_text="Open a model that was saved before")
        if not opener.locator("input[type=file]").is_visible():
            opener.locator("summary").click()
        self._send(opener.locator("input[type=file]"), path, shown)

    def _send(self, field: Any, path: Path, shown: str | Any) -> None:
        """Choose a file, and wait for what the page then shows. Streamlit forgets the answer to a page that asks where
        to send it, or what was sent, if the script starts to run meanwhile: it is given again."""
        from playwright.sync_api import TimeoutError

        sign = self.page.get_by_text(shown).first if isinstance(shown, str) else shown
        for wait in CHANCES:
            self.settle()
            try:
                with self.page.expect_response(lambda answer: "upload_file" in answer.url, timeout=wait * 1000):
                    field.set_input_files(str(path))
                sign.wait_for(timeout=wait * 1000)
                break
            except TimeoutError:
                if wait == CHANCES[-1]:
                    raise AssertionError(f"'{path}' was not taken: {self.faults}, {self.page.content()}") from None
        self.page.wait_for_timeout(LULL)
        self.settle()

    def alert(self, sentence: str) -> Any:
        return self.page.get_by_test_id("stAlert").get_by_text(sentence, exact=True)

    def fit(self, budget: str, recipe: str | None = None) -> None:
        box = self.page.get_by_role("textbox", name="Longest training time")
        box.fill(budget)
        box.press("Tab")
        if recipe is not None:
            field = self.page.get_by_role("combobox", name="Recipe")
            field.click()
            field.fill(recipe)
            self.page.get_by_role("option", name=recipe, exact=True).click()
        self.page.get_by_test_id("stFormSubmitButton").get_by_role("button", name="Fit").click()

    def settle(self) -> None:
        """Wait until the page is drawn to its end."""
        self.page.locator("[data-test-script-state=notRunning][data-test-connection-state=CONNECTED]").wait_for()

    def tab(self, name: str) -> Any:
        self.page.get_by_role("tab", name=name).click()
        return self.page.get_by_role("tabpanel").filter(visible=True)

    def ask(self, verb: str, numbers: dict[str, int]) -> Any:
        """Fill in a form of a verb, send it, and wait for what comes."""
        self.settle()
        panel = self.tab(verb)
        for label, number in numbers.items():
            field = panel.get_by_label(label, exact=True)
            field.fill(str(number))
            field.press("Tab")
        panel.get_by_test_id("stFormSubmitButton").get_by_role("button").click()
        panel.get_by_text("The first rows").wait_for()
        return panel

    def close(self) -> None:
        """Leave: nothing went wrong, and nobody else was asked for anything."""
        self.context.close()
        assert self.faults == []
        assert self.hosts <= {self.site.url.removeprefix("http://")}

    def download(self, button: Any, folder: Path) -> Path:
        with self.page.expect_download() as waiting:
            button.click()
        path = folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path


def counts(path: Path) -> pd.DataFrame:
    """Weekly counts of some counties with a season, as a CSV."""
    rng = np.random.default_rng(0)
    season = np.sin(2 * np.pi * np.arange(ROWS) / 52.18)[:, None] * rng.uniform(0.5, 1, COLUMNS)
    frame = pd.DataFrame(rng.poisson(np.exp(2.5 + season)), columns=NAMES)
    frame.insert(0, "Date", pd.date_range("2020-01-06", periods=ROWS, freq="W-MON").strftime(CLOCK))
    frame.to_csv(path, index=False)
    return frame


@pytest.fixture
def visit(chromium: Any, site: Site) -> Iterator[Visit]:
    """A session in a browser of its own."""
    one = Visit(chromium, site)
    yield one
    one.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the table and of what is downloaded."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def table(home: Path) -> pd.DataFrame:
    return counts(home / "counts.csv")


@pytest.fixture(scope="module")
def fitted(chromium: Any, site: Site, home: Path, table: pd.DataFrame) -> Iterator[Visit]:
    """A session with a table and a model fitted on it, which the tests of its use share."""
    visit = Visit(chromium, site)
    visit.upload(home / "counts.csv", f"{ROWS} rows, {COLUMNS} channels. Clock: 'Date', step W-MON")
    visit.page.get_by_role("cell", name="whole number").nth(COLUMNS - 1).wait_for()
    visit.fit("10m", "r3gan")
    visit.page.get_by_text("generated now").first.wait_for()  # samples beside the real ones, while it trains
    visit.page.wait_for_function(STOP)
    visit.page.get_by_text("4 · Use it").wait_for()
    yield visit
    visit.close()


@pytest.fixture(scope="module")
def generated(fitted: Visit, home: Path) -> Path:
    """A synthetic table from the page."""
    panel = fitted.ask("Generate", {"Rows": 80})
    return fitted.download(panel.get_by_role("button", name="CSV", exact=True), home)


@pytest.fixture(scope="module")
def saved(fitted: Visit, home: Path) -> Path:
    """The model from the page."""
    return fitted.download(fitted.tab("Model").get_by_role("button", name="Model", exact=True), home)


def test_what_is_generated_is_a_table_like_the_one_that_came(
    fitted: Visit, generated: Path, table: pd.DataFrame, home: Path
) -> None:
    made = pd.read_csv(generated)
    assert generated.name == "counts-synthetic.csv"
    assert list(made.columns) == list(table.columns)
    assert len(made) == 80
    assert (made[NAMES].dtypes == "int64").all()
    assert (made[NAMES] >= 0).all(axis=None)
    assert list(made["Date"]) == list(table["Date"][:80])
    button = fitted.tab("Generate").get_by_role("button", name="Parquet", exact=True)
    pd.testing.assert_frame_equal(pd.read_parquet(fitted.download(button, home))[NAMES], made[NAMES])


def test_densify_keeps_every_row_that_came(fitted: Visit, table: pd.DataFrame, home: Path) -> None:
    panel = fitted.ask("Densify", {"New steps per old step": FACTOR})
    finer = pd.read_csv(fitted.download(panel.get_by_role("button", name="CSV", exact=True), home))
    assert list(finer.columns) == list(table.columns)
    assert len(finer) == (ROWS - 1) * FACTOR + 1
    pd.testing.assert_frame_equal(finer[NAMES][::FACTOR].reset_index(drop=True), table[NAMES])
    assert (finer[NAMES].dtypes == "int64").all()


def test_extend_goes_on_at_the_next_step_with_bands_and_paths(fitted: Visit, table: pd.DataFrame, home: Path) -> None:
    panel = fitted.ask("Extend", {"Rows to add": AHEAD, "Paths": 50})
    buttons = panel.get_by_role("button", name="CSV", exact=True)
    later, paths = (pd.read_csv(fitted.download(buttons.nth(i), home)) for i in (0, 1))
    assert list(later["Date"]) == list(weeks())
    assert (later[NAMES].dtypes == "int64").all()
    for name in NAMES:
        assert (later[f"{name}_lo90"] <= later[name]).all()
        assert (later[name] <= later[f"{name}_hi90"]).all()
    assert list(paths.columns) == ["path", *table.columns]
    assert len(paths) == 50 * AHEAD
    assert sorted(set(paths["path"])) == list(range(1, 51))


def test_chickenpox_from_the_upload_to_every_download(
    visit: Visit, data: Callable[[str], Path], tmp_path: Path
) -> None:
    path = data("hungary_chickenpox.csv")
    real = pd.read_csv(path)
    visit.upload(path, "522 rows, 20 channels. Clock: 'Date', step W-MON")
    visit.fit("1m", "prior")
    visit.page.get_by_text("4 · Use it").wait_for()
    asked = {"Generate": {"Rows": 104}, "Densify": {"New steps per old step": 2}, "Extend": {"Rows to add": 8}}
    files = {}
    for verb, numbers in asked.items():
        button = visit.ask(verb, numbers).get_by_role("button", name="CSV", exact=True).first
        files[verb] = pd.read_csv(visit.download(button, tmp_path))
    assert [len(made) for made in files.values()] == [104, 2 * len(real) - 1, 8]
    for made in files.values():
        assert list(made.columns[: len(real.columns)]) == list(real.columns)
        assert (made[real.columns[1:]].dtypes == "int64").all()
        assert (made[real.columns[1:]] >= 0).all(axis=None)
    pd.testing.assert_frame_equal(files["Densify"][::2].reset_index(drop=True)[real.columns[1:]], real.iloc[:, 1:])
    assert files["Extend"]["Date"][0] == "05/01/2015"


def weeks() -> pd.Index:
    """The dates that follow the table."""
    return pd.date_range("2020-01-06", periods=ROWS + AHEAD, freq="W-MON").strftime(CLOCK)[ROWS:]


def test_the_model_from_the_page_gives_what_the_page_gave(saved: Path, generated: Path, tmp_path: Path) -> None:
    model = dowgan.load(saved)
    write(model.generate(rows=80), model.schema, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == generated.read_bytes()  # the page adds nothing of its own


def test_a_saved_model_is_opened_again_without_a_table_and_with_one(
    visit: Visit, saved: Path, generated: Path, home: Path, table: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "bad.dowgan").write_bytes(saved.read_bytes()[:-100])
    sentence = "'bad.dowgan' is not a model of dowgan, or is cut short. Make one with: dowgan fit DATA -o MODEL"
    visit.open_model(tmp_path / "bad.dowgan", visit.alert(sentence))
    assert visit.page.get_by_text("4 · Use it").count() == 0
    visit.open_model(saved, f"{saved.name}: recipe r3gan, fitted on {ROWS} rows")
    panel = visit.ask("Generate", {"Rows": 80})
    made = visit.download(panel.get_by_role("button", name="CSV", exact=True), tmp_path)
    assert made.read_bytes() == generated.read_bytes()
    panel = visit.ask("Extend", {"Rows to add": AHEAD, "Paths": 20})
    later = pd.read_csv(visit.download(panel.get_by_role("button", name="CSV", exact=True).first, tmp_path))
    assert list(later["Date"]) == list(weeks())
    visit.tab("Report").get_by_text("It needs a table").wait_for()

    visit.upload(home / "counts.csv", f"{ROWS} rows, {COLUMNS} channels")
    panel = visit.ask("Densify", {"New steps per old step": 2})
    finer = pd.read_csv(visit.download(panel.get_by_role("button", name="CSV", exact=True), tmp_path))
    pd.testing.assert_frame_equal(finer[NAMES][::2].reset_index(drop=True), table[NAMES])


def test_the_report_inside(visit: Visit, table: pd.DataFrame, home: Path, tmp_path: Path) -> None:
    dowgan.Synthesizer("prior", {"calibrated": False}).fit(home / "counts.csv").save(tmp_path / "quick.dowgan")
    visit.upload(home / "counts.csv")
    visit.open_model(tmp_path / "quick.dowgan", "quick.dowgan: recipe prior")
    panel = visit.tab("Report")
    panel.get_by_role("button", name="Test the model").click()
    frame = visit.page.frame_locator("iframe").first
    frame.locator("h1").wait_for()
    frame.locator(".plot").first.scroll_into_view_if_needed()  # figures are drawn as they come into view
    frame.locator(".js-plotly-plot svg.main-svg").first.wait_for()
    page = visit.download(panel.get_by_role("button", name="Report"), tmp_path)
    assert page.name == "counts-report.html"
    text = page.read_text(encoding="utf-8")
    assert "<h1>" in text
    assert "dowgan report model.dowgan counts.csv -o report.html" in text
    assert str(visit.site.folder) not in text


BAD = {
    "few.csv": "time,a\n2024-01-01,1\n2024-01-02,2\n",
    "words.csv": "a,b\n" + "x,y\n" * 12,
    "uneven.csv": "time,a\n" + "".join(f"2024-01-{d:02},{d}\n" for d in (1, 2, 4, 5, 9, 10, 17, 18, 23, 30, 31)),
    "empty.csv": "",
    "sheet.xlsx": "no sheet at all",
    "rows.json": "{}",
}


def test_a_bad_table_shows_the_sentence_of_the_command_line(
    visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in BAD.items():
        Path(name).write_text(text)
        assert cli.run(["fit", name, "--recipe", "prior", "--quiet"]) == 1
        sentence = capsys.readouterr().err.strip().removeprefix("dowgan: ")
        visit.upload(Path(name), visit.alert(sentence))  # the next one replaces the one before
        assert visit.page.get_by_text("Traceback").count() == 0
        assert visit.page.get_by_text(FIT).count() == 0


FORGED = {"format": "dowgan-model", "version": "1", "versions": "{}", "tree": '"anything"'}


def test_two_sessions_do_not_see_each_other(chromium: Any, visit: Visit, site: Site, tmp_path: Path) -> None:
    older = _filled(site)  # of earlier tests, whose browsers may come back for two minutes
    visits = visit, Visit(chromium, site)
    counts(tmp_path / "mine.csv")
    waves(160, names=("a", "b", "c")).to_csv(tmp_path / "..yours.csv", index=False)
    for visit, name in zip(visits, ("mine.csv", "..yours.csv"), strict=True):
        assert visit.page.get_by_role("button", name="Use the example").count() == 1
        visit.upload(tmp_path / name)
    visits[0].page.get_by_role("cell", name="county_3", exact=True).wait_for()
    visits[1].page.get_by_role("cell", name="b", exact=True).wait_for()
    assert visits[1].page.get_by_role("cell", name="county_3", exact=True).count() == 0
    assert visits[1].page.get_by_text("mine.csv").count() == 0
    folders = _filled(site) - older
    assert len(folders) == 2
    for path in folders:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert [file.name.split("-")[0] for file in path.iterdir()] == ["table"]  # no name of the user's
    visits[1].close()


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
    desk._leaving.join(PATIENCE)
    assert not folder.exists()


def test_a_desk_opens_models_and_says_in_one_line_what_is_none(tmp_path: Path) -> None:
    model = dowgan.Synthesizer("prior", {"calibrated": False}).fit(waves(120))
    model.save(tmp_path / "model")
    whole = (tmp_path / "model").read_bytes()
    desk = Desk()
    desk.open_model(whole, "../mine.dowgan")
    assert desk.model is not None
    assert desk.stem == "mine"
    desk.take(b"time,a\n2024-01-01,1\n", "other.csv")  # another table leaves the model open
    assert desk.model is not None
    with pytest.raises(DataError):
        desk.table(Roles())
    tensors = save({"a": np.zeros(3)}, metadata={"format": "pt"})
    made_up = save({"a": np.zeros(3)}, metadata=FORGED)
    for content in (b"", b"a,b\n1,2\n", whole[: len(whole) // 2], tensors, made_up):
        desk.open_model(content, "bad.dowgan")
        assert desk.model is None
        said = desk.sentence(desk.opened)
        assert said.startswith("'bad.dowgan' is not a model of dowgan")
        assert said.endswith("Make one with: dowgan fit DATA -o MODEL")
    assert {path.name.split("-")[0] for path in desk.folder.iterdir()} == {"table"}
    desk.close()


def test_a_stopped_fit_keeps_the_best(tmp_path: Path) -> None:
    waves(160).to_csv(tmp_path / "small.csv", index=False)
    config = resolve("r3gan", {"train.steps": 100_000, "train.checks": 20_000, "window": 6, "train.patience": 10_000})
    fit = Fit(read(tmp_path / "small.csv"), config, 0)
    fit.start()
    while not (fit.done or len(fit.checks) > 3):
        time.sleep(0.05)
    fit.stop()
    fit._thread.join(PATIENCE)
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
