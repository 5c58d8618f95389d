"""The report: numbers that JSON can hold, one page without the network, drawn in a browser, exit codes."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan.cli import run
from dowgan.errors import OptionError
from dowgan.report import Report, compare
from small_tables import waves

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 240_000  # milliseconds: other work may keep the machine busy
CUT = """[...document.querySelectorAll('.plot')].filter(e => e.offsetParent).flatMap(plot => {
  const box = plot.getBoundingClientRect(), title = plot.querySelector('.gtitle')?.getBoundingClientRect();
  const legend = plot.querySelector('.legend')?.getBoundingClientRect();
  const over = title && legend && title.bottom > legend.top + 2 && title.top < legend.bottom;
  const out = title && (title.right > box.right + 1 || title.top < box.top - 1);
  return over || out ? [plot.querySelector('.gtitle').textContent] : [];
})"""  # titles that are cut, or lie under a legend
VERBS = {"generate", "densify", "extend"}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    out = waves(320, names=("slow", "<b>fast</b>", "skewed"))
    out["state"] = np.where(out["slow"] > 20, "high", "low")
    return out


@pytest.fixture(scope="module")
def report(frame: pd.DataFrame) -> Report:
    return dowgan.Synthesizer("prior").fit(frame).report(frame)


@pytest.fixture(scope="module")
def page(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    report.to_html(path)
    return path


def keys_of(value: object) -> set[str]:
    """All keys of nested data that are no names of the table, of metrics or of methods."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value)) if value else set()
    return set(value) | set().union(*map(keys_of, value.values())) if isinstance(value, dict) else set()


def test_json_holds_every_verb_with_floor_and_plain_method(report: Report) -> None:
    scores = json.loads(report.to_json())
    assert set(scores) >= VERBS
    for line in scores["generate"]["metrics"].values():
        assert {"value", "floor", "floor_worst", "naive", "mark", "better"} <= set(line)
    assert scores["about"]["second_model"]
    assert scores["about"]["rows_held_out"] == 64
    assert {"seed", "versions", "digest", "command", "seconds"} <= set(scores["about"])


def test_every_key_of_the_json_is_documented(report: Report) -> None:
    text = (ROOT / "docs" / "report-schema.md").read_text()
    scores = json.loads(report.to_json())
    known = {*report.material.names, *scores["generate"]["metrics"], *scores["about"]["versions"]}
    known |= {*scores["densify"]["naive"], *scores["extend"]["naive"]}
    missing = [k for k in keys_of(scores) - known if not re.search(rf"\b{re.escape(k)}\b", text)]
    assert missing == []


def test_the_page_carries_all_it_needs(page: Path) -> None:
    text = page.read_text()
    assert len(text) < 10_000_000
    own = re.sub(r'<script type="text/plain" id="plotly">.*?</script>', "", text, flags=re.S)
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", own)
    assert "Synthetic row 17 does not correspond to real row 17" in own
    assert "<b>fast</b>" not in own


def test_every_figure_has_its_sentence(report: Report) -> None:
    assert all(panel.note.endswith(".") for panel in report.panels)
    assert {panel.section for panel in report.panels if panel.tag} == set(report.material.names)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_is_drawn_in_a_browser_without_an_error(chromium: Any, page: Path, width: int, scheme: str) -> None:
    tab = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    tab.set_default_timeout(PATIENCE)
    bad: list[str] = []
    tab.on("console", lambda m: bad.append(m.text) if m.type == "error" else None)
    tab.on("pageerror", lambda e: bad.append(str(e)))
    tab.on("request", lambda r: bad.append(r.url) if r.url.startswith("http") else None)
    tab.goto(page.as_uri())
    tab.select_option("#pick", "state")
    shown = "[...document.querySelectorAll('.plot')].filter(e => e.offsetParent)"
    for i in range(tab.evaluate(f"{shown}.length")):  # a figure is drawn once it comes into view
        tab.evaluate(f"{shown}[{i}].scrollIntoView()")
        tab.wait_for_function(f"{shown}[{i}].querySelector('.main-svg')")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(CUT) == []
    tab.close()
    assert bad == []


def test_compare_judges_any_table_and_sets_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real, bad = (tmp_path / name for name in ("real.csv", "bad.csv"))
    shuffled = waves(240, 2).sample(frac=1, random_state=0).reset_index(drop=True).assign(time=waves(240)["time"])
    waves(240, 1).to_csv(real, index=False)
    shuffled.to_csv(bad, index=False)
    call = ["compare", str(real), "-o", str(tmp_path / "out.html"), "--quiet", "--fail-under", "look"]
    assert compare(waves(240, 1), waves(240, 2)).holds("look")
    assert run([*call, str(bad), "--json"]) == 3
    verdict = json.loads(capsys.readouterr().out)["verdict"]
    assert {j["mark"] for j in verdict} >= {"bad"}


def test_hours_are_compared_by_the_clock_of_both_tables() -> None:
    def plant(start: str, seed: int) -> pd.DataFrame:
        times = pd.date_range(start, periods=14 * 24, freq="h")
        rng = np.random.default_rng(seed)
        on = (times.hour >= 6) & (times.hour < 18)
        return pd.DataFrame({"time": times, "flow": np.where(on, 10 + rng.normal(0, 1, len(times)), 0).round(2)})

    real, later = plant("2024-03-04", 1), plant("2024-05-01 17:00", 2)
    assert compare(real, later).holds("good")
    moved = compare(real, later.assign(time=later["time"] + pd.Timedelta("7h")))
    assert [j.measure for j in moved.verdict if j.tag == "flow"] == ["hours"]


def test_notebooks_get_words_and_figures_and_nothing_is_printed(
    frame: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    found = compare(frame, frame[::-1].reset_index(drop=True).assign(time=frame["time"]))
    assert "&lt;b&gt;" in found._repr_html_() or "<b>fast</b>" not in found._repr_html_()
    assert [t.name for t in found.plot("slow").data] == ["real", "generated"]
    with pytest.raises(OptionError, match="Unknown tag 'slaw'"):
        found.plot("slaw")
    later = dowgan.Synthesizer("prior").fit(frame).extend(steps=6, paths=20)
    assert "median" in [t.name for t in later.plot("skewed").data]
    assert capsys.readouterr() == ("", "")


def test_a_table_too_short_to_compare_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real, short = (tmp_path / name for name in ("real.csv", "short.csv"))
    waves(240, 1).to_csv(real, index=False)
    waves(10, 2).to_csv(short, index=False)
    assert run(["compare", str(real), str(short), "-o", str(tmp_path / "out.html")]) == 1
    told = capsys.readouterr().err.strip()
    assert "5 rows, half of the shorter table, hold no window of 15 rows: give tables of at least 30 rows" in told
    assert "\n" not in told
    assert not (tmp_path / "out.html").exists()


def test_columns_without_neighbouring_values_can_be_compared(tmp_path: Path) -> None:
    frame = waves(400, names=("a", "b", "c"))
    frame.loc[np.arange(400) % 8 != 0, "b"] = np.nan
    found = compare(frame, frame.assign(a=frame["a"][::-1].to_numpy()))
    found.to_html(tmp_path / "compare.html")
    assert (tmp_path / "compare.html").stat().st_size > 1_000_000
    levels = pd.DataFrame({"pulse": np.tile([93, 94, 95, 96], 60), "x": np.arange(240) % 7 + 0.5})
    verdict = compare(levels, levels.assign(pulse=levels["pulse"] + 1)).verdict
    assert not any("levels" in sentence.text for sentence in verdict)


def test_what_no_real_row_has_is_judged_and_stops_nothing() -> None:
    """An alarm that never came, and a label that nobody knows."""
    rng = np.random.default_rng(0)
    times = pd.date_range("2024-01-01", periods=400, freq="h")
    real = pd.DataFrame({"t": times, "x": rng.normal(size=400).cumsum(), "alarm": 0})
    real["grade"] = np.where(np.arange(400) // 50 % 2, "B", "A")
    other = real.assign(alarm=(rng.random(400) < 0.1).astype(int), grade=real["grade"].where(real.index > 3, "Z"))
    found = {j.tag: (j.mark, j.text) for j in compare(real, other).verdict if j.tag in ("alarm", "grade")}
    assert found == {
        "alarm": ("bad", "alarm varies, and is always 0 in real rows."),
        "grade": ("bad", "grade holds 'Z' in 1.0% of the rows, and real rows only hold A, B."),
    }


def test_a_last_decimal_beyond_a_value_that_piles_up_is_no_broken_bound() -> None:
    rng = np.random.default_rng(0)
    rises = np.minimum(40 + 2 * rng.standard_normal(600).cumsum() % 12, 48.0).round(2)
    real = pd.DataFrame({"time": pd.date_range("2024", periods=600, freq="h"), "screw": rises})
    real["heat"] = (70 + rng.standard_normal(600)).round(2)
    for value, broken in ((48.01, False), (49.0, True)):
        made = real.copy()
        made.loc[5, "screw"] = value
        assert bool(compare(real, made).scores["generate"]["rules"]["screw"]) == broken
