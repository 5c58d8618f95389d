"""The round trip of the three verbs on real tables, checked without the program's own check.

Every table, or a part of it, is fitted by the prior alone; what is asked of an output does not depend on how good it
is. `bench/contract.py` does the same with the whole tables.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dowgan import Synthesizer, compare
from dowgan.cli import run
from dowgan.demo import simulate
from dowgan.errors import DataError, OptionError
from dowgan.synthesizer import whole
from dowgan.table import read

Data = Callable[[str], Path]
FAST = {"calibrated": False}
ROWS, FACTOR, STEPS, PATHS = 150, 3, 7, 8
FIXED = 10  # decimals up to which a column has a fixed number of them


@dataclass(frozen=True)
class Case:
    """One real table.

    Args:
        file: its name.
        cut: takes the part that is fitted.
        clock: parses the time column; None for a table without one.
        factor: of densify.
    """

    file: str
    cut: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame
    runs: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    time: str | None = None
    clock: Callable[[pd.Series], pd.Series] = field(default=lambda series: series)
    factor: int = FACTOR


def dates(text_format: str) -> Callable[[pd.Series], pd.Series]:
    return lambda series: pd.to_datetime(series.astype(str), format=text_format)


def without_truth(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[name for name in frame if not name.startswith("truth_")]].head(4_000)


def some_faults(frame: pd.DataFrame) -> pd.DataFrame:
    some = frame[frame["fault"].isin([0, 4])].iloc[:, :18]
    return some.groupby(["fault", "split"], observed=True, sort=False).head(60).reset_index(drop=True)


CASES = {
    "chickenpox": Case(
        "hungary_chickenpox.csv", lambda f: f.iloc[:, :11], time="Date", clock=dates("%d/%m/%Y"), factor=7
    ),
    "nylon": Case("nylon_batches.csv", lambda frame: frame.head(1_800), runs=("batch_id",)),
    "tourism": Case(
        "australia_tourism.csv",
        lambda frame: frame.head(80 * 60),
        runs=("Region", "State", "Purpose"),
        time="date_time",
        clock=dates("%Y-%m-%d"),
    ),
    "reactor": Case(
        "homeostat_cstr_dev.csv.gz", without_truth, runs=("run_id",), conditions=("grade",), time="time_min", factor=5
    ),
    "air quality": Case(
        "air_quality_uci.csv.gz", lambda f: f.head(800), time="datetime", clock=dates("%Y-%m-%d %H:%M:%S"), factor=4
    ),
    "co2": Case("classic_co2.csv", time="date", clock=dates("%Y%m%d"), factor=7),
    "sunspots": Case("classic_sunspots.csv", time="YEAR", factor=1),
    "tennessee": Case("tep_braatz.parquet", some_faults, runs=("fault", "split"), time="time_min"),
}


@dataclass(frozen=True)
class Fit:
    """A case, its table and the model of it."""

    case: Case
    frame: pd.DataFrame
    model: Synthesizer

    def parts(self, frame: pd.DataFrame) -> list[pd.DataFrame]:
        """The runs of a table, in the order of the fitted one."""
        if not self.case.runs:
            return [frame]
        return [part for _, part in frame.groupby(list(self.case.runs), sort=False, observed=True)]


@pytest.fixture(scope="module", params=list(CASES))
def fit(request: pytest.FixtureRequest, data: Data) -> Fit:
    case = CASES[request.param]
    path = data(case.file)
    whole = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    frame = case.cut(whole)
    model = Synthesizer("prior", FAST, runs=case.runs, conditions=case.conditions).fit(frame)
    return Fit(case, frame, model)


def decimals(values: pd.Series) -> int:
    """Most decimals of the shortest texts of the numbers; 99 where one is written with an exponent."""
    texts = [repr(float(v)) for v in values.dropna().unique()]
    return max((99 if "e" in t else len(t.split(".")[1].rstrip("0")) for t in texts), default=0)


def same_kind(out: pd.DataFrame, frame: pd.DataFrame, clock: str | None = None, finer: bool = False) -> None:
    """Columns, order, dtypes, whole numbers, decimals, categories and signs are those of the fitted table.

    Args:
        clock: the time column, whose values go on.
        finer: a step of whole numbers may have become a fraction.
    """
    assert list(out.columns) == list(frame.columns)
    assert type(out.index) is type(frame.index)
    for name in frame.columns:
        came, due = out[name], frame[name]
        if name == clock:
            assert came.dtype == due.dtype or (finer and due.dtype.kind == "i" and came.dtype.kind == "f"), name
            continue
        assert came.dtype == due.dtype, name
        if due.dtype.kind == "f":
            assert np.isfinite(came.dropna()).all(), name
            assert decimals(due) > FIXED or decimals(came) <= decimals(due), name
        if due.dtype.kind in "if":
            assert due.min() < 0 or not came.min() < 0, name
        else:
            assert set(came.dropna()) <= set(due.dropna()), name
        if isinstance(due.dtype, pd.CategoricalDtype):
            assert list(came.cat.categories) == list(due.cat.categories)


def one_step(fit: Fit, frame: pd.DataFrame, factor: int = 1) -> None:
    """The clock of every run goes on in the steps of the fitted table, divided by the factor."""
    if fit.case.time is None:
        return
    known = set(fit.case.clock(fit.parts(fit.frame)[0][fit.case.time]).diff().dropna())
    for part in fit.parts(frame):
        gaps = fit.case.clock(part[fit.case.time]).diff().dropna()
        if factor == 1:
            assert set(gaps) <= known
        else:  # the old times stand at every factor-th row, and the new ones between them
            assert (gaps.to_numpy() > np.zeros(1, dtype=gaps.to_numpy().dtype)).all()
            assert gaps.max() <= 1.2 * max(known) / factor


def test_generate_gives_the_rows_asked_for(fit: Fit) -> None:
    out = fit.model.generate(rows=ROWS)
    assert len(out) == ROWS
    same_kind(out, fit.frame, fit.case.time)
    one_step(fit, out)


def test_generate_without_a_number_gives_as_many_rows_as_the_table(fit: Fit) -> None:
    out = fit.model.generate()
    assert len(out) == len(fit.frame)
    same_kind(out, fit.frame, fit.case.time)


def test_densify_keeps_what_is_known_bit_for_bit(fit: Fit) -> None:
    factor = fit.case.factor
    some = pd.concat(fit.parts(fit.frame)[:3]).reset_index(drop=True)
    parts = fit.parts(some)
    out = fit.model.densify(some, factor=factor)
    assert len(out) == sum((len(part) - 1) * factor + 1 for part in parts)
    same_kind(out, fit.frame, fit.case.time, finer=True)
    one_step(fit, out, factor)
    for part, finer in zip(parts, fit.parts(out), strict=True):
        kept = finer.iloc[::factor].reset_index(drop=True)
        for name in fit.frame.columns:
            known = part[name].notna().to_numpy()
            old, new = part[name].to_numpy()[known], kept[name].to_numpy()[known]
            assert np.array_equal(old, new.astype(old.dtype) if name == fit.case.time else new), name


def test_extend_starts_one_step_after_the_end(fit: Fit) -> None:
    some = pd.concat(fit.parts(fit.frame)[:3]).reset_index(drop=True)
    parts = fit.parts(some)
    out = fit.model.extend(some, steps=STEPS, paths=PATHS)
    assert len(out.median) == STEPS * len(parts)
    same_kind(out.median, fit.frame, fit.case.time)
    assert out.median.notna().all(axis=None)
    one_step(fit, pd.concat([some, out.median], ignore_index=True))
    assert len(out.paths) == PATHS * STEPS * len(parts)
    assert list(out.paths.columns) == ["path", *fit.frame.columns]
    assert list(out.paths["path"].unique()) == list(range(1, PATHS + 1))
    same_kind(out.paths.drop(columns="path"), fit.frame, fit.case.time)


def test_extend_without_the_table_goes_on_from_its_end(fit: Fit) -> None:
    out = fit.model.extend(steps=2, paths=2)
    assert len(out.median) == 2 * len(fit.parts(fit.frame))
    same_kind(out.median, fit.frame, fit.case.time)
    one_step(fit, pd.concat([fit.frame, out.median], ignore_index=True))


# on disk, through the command line


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def written_decimals(path: Path) -> list[int]:
    """Most decimals of the texts of each column."""
    cells = [line.split(",") for line in lines(path)[1:]]
    return [max(len(text.partition(".")[2]) for text in column) for column in zip(*cells, strict=True)]


@pytest.mark.parametrize(
    ("file", "options", "factor"),
    [
        ("hungary_chickenpox.csv", [], 7),
        ("nylon_batches.csv", ["--run", "batch_id"], 4),
        ("classic_sunspots.csv", ["--time", "YEAR"], 1),
        ("stock_data.csv", [], 2),
    ],
)
def test_csv_on_disk(file: str, options: list[str], factor: int, data: Data, tmp_path: Path) -> None:
    real, model = tmp_path / "real.csv", str(tmp_path / "m.dowgan")
    real.write_text("\n".join(lines(data(file))[:160]) + "\n")
    assert run(["fit", str(real), "-o", model, "--recipe", "prior", "--set", "calibrated=false", *options]) == 0
    new, finer, later = (tmp_path / f"{name}.csv" for name in ("new", "finer", "later"))
    assert run(["generate", model, "-n", "77", "-o", str(new)]) == 0
    assert run(["densify", model, str(real), "--factor", str(factor), "-o", str(finer)]) == 0
    assert run(["extend", model, str(real), "--steps", "5", "--paths", "8", "-o", str(later)]) == 0
    head = lines(real)[0]
    for out in (new, finer, later):
        assert lines(out)[0] == head
        assert {line.count(",") for line in lines(out)} == {head.count(",")}
        assert all(np.less_equal(written_decimals(out), written_decimals(real)))
    assert len(lines(new)) == 1 + 77
    if "--run" not in options:
        assert lines(finer)[1::factor] == lines(real)[1:], "every old line must be there as it was"
        assert len(lines(later)) == 1 + 5
        assert pd.read_csv(real).columns.tolist() == pd.read_csv(later).columns.tolist()


def test_chickenpox_goes_on_in_its_own_way_of_writing(data: Data, tmp_path: Path) -> None:
    source, model, out = tmp_path / "real.csv", str(tmp_path / "m.dowgan"), tmp_path / "out.csv"
    rows = [",".join(line.split(",")[:4]) for line in lines(data("hungary_chickenpox.csv"))]
    source.write_text("\n".join(rows) + "\n")
    assert run(["fit", str(source), "-o", model, "--recipe", "prior", "--set", "calibrated=false", "--quiet"]) == 0
    assert run(["extend", model, str(source), "--steps", "3", "--paths", "4", "-o", str(out), "--quiet"]) == 0
    assert [line.split(",")[0] for line in lines(out)] == ["Date", "05/01/2015", "12/01/2015", "19/01/2015"]
    assert all(cell.isdigit() for line in lines(out)[1:] for cell in line.split(",")[1:])


# clocks


def waves(rows: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.round(10 + np.sin(np.arange(rows) / 3) + 0.3 * rng.standard_normal(rows), 2)


CLOCKS = {
    "hours over the change to summer time": pd.date_range("2021-03-20", periods=240, freq="h", tz="Europe/Berlin"),
    "days over the change to winter time": pd.date_range("2021-08-01", periods=150, freq="D", tz="America/New_York"),
    "month ends": pd.date_range("2010-01-31", periods=120, freq="ME"),
    "quarter starts": pd.date_range("1990-01-01", periods=80, freq="QS"),
    "business days": pd.date_range("2020-01-01", periods=200, freq="B"),
    "250 ms": pd.date_range("2020-01-01", periods=200, freq="250ms"),
    "years": pd.date_range("1950-01-01", periods=60, freq="YS"),
}


@pytest.mark.parametrize("name", list(CLOCKS))
def test_the_clock_of_an_index_goes_on(name: str) -> None:
    index = CLOCKS[name]
    frame = pd.DataFrame({"x": waves(len(index))}, index=index)
    model = Synthesizer("prior", FAST).fit(frame)
    whole = pd.date_range(index[0], periods=len(index) + 9, freq=index.freq)
    later = model.extend(frame, steps=9, paths=4)
    assert later.median.index.equals(whole[-9:])
    assert later.median.index.tz == index.tz
    assert model.generate(rows=41).index.equals(whole[:41])
    start = whole[5]
    assert model.generate(rows=3, start=start).index.equals(whole[5:8])
    finer = model.densify(frame, factor=2)
    assert len(finer) == 2 * len(frame) - 1
    assert finer.index[::2].equals(index)
    assert np.array_equal(finer["x"].to_numpy()[::2], frame["x"].to_numpy())
    assert finer.index.is_monotonic_increasing


def test_hours_of_the_clock_change_are_not_lost_in_a_csv(tmp_path: Path) -> None:
    index = CLOCKS["hours over the change to summer time"]
    real, model, out = tmp_path / "real.csv", str(tmp_path / "m.dowgan"), tmp_path / "out.csv"
    pd.DataFrame({"when": index, "x": waves(len(index))}).to_csv(real, index=False)
    assert run(["fit", str(real), "-o", model, "--recipe", "prior", "--set", "calibrated=false", "--quiet"]) == 0
    assert run(["generate", model, "-n", "240", "-o", str(out), "--quiet"]) == 0
    assert [line.split(",")[0] for line in lines(out)] == [line.split(",")[0] for line in lines(real)]


def test_a_range_index_goes_on() -> None:
    frame = pd.DataFrame({"x": waves(100)}, index=pd.RangeIndex(10, 110))
    model = Synthesizer("prior", FAST).fit(frame)
    assert model.extend(frame, steps=4, paths=4).median.index.equals(pd.RangeIndex(110, 114))
    assert model.generate(rows=5).index.equals(pd.RangeIndex(10, 15))
    finer = model.densify(frame, factor=3)
    assert len(finer) == 298
    assert np.array_equal(finer["x"].to_numpy()[::3], frame["x"].to_numpy())


def test_parquet_in_and_out(tmp_path: Path) -> None:
    time = pd.date_range("2022-01-01", periods=120, freq="15min")
    frame = pd.DataFrame({"time": time, "x": waves(120).astype("float32"), "n": np.arange(120, dtype="int16") % 7})
    real, model = tmp_path / "real.parquet", str(tmp_path / "m.dowgan")
    frame.to_parquet(real, index=False)
    out = tmp_path / "new.parquet"
    assert run(["fit", str(real), "-o", model, "--recipe", "prior", "--set", "calibrated=false", "--quiet"]) == 0
    assert run(["generate", model, "-n", "50", "-o", str(out), "--quiet"]) == 0
    back = pd.read_parquet(out)
    assert len(back) == 50
    assert back.dtypes.tolist() == frame.dtypes.tolist()
    assert list(back.columns) == list(frame.columns)
    assert (back["n"] >= 0).all()
    assert run(["densify", model, str(real), "--every", "5min", "-o", str(out), "--quiet"]) == 0
    assert pd.read_parquet(out).iloc[::3].reset_index(drop=True).equals(frame)


def test_one_model_densifies_a_coarser_record() -> None:
    time = pd.date_range("2022-01-01", periods=400, freq="10min")
    frame = pd.DataFrame({"time": time, "x": waves(400)})
    model = Synthesizer("prior", FAST).fit(frame)
    hourly = frame.iloc[::6].reset_index(drop=True)
    finer = model.densify(hourly, every="10min")
    assert len(finer) == (len(hourly) - 1) * 6 + 1
    assert finer["time"].equals(time[: len(finer)].to_series(index=finer.index))
    assert finer.iloc[::6].reset_index(drop=True).equals(hourly)


# kinds, constants, conditions


def test_constants_booleans_and_empty_columns_come_back() -> None:
    rng = np.random.default_rng(3)
    level = np.cumsum(rng.standard_normal(300))
    frame = pd.DataFrame(
        {
            "time": pd.date_range("2022-01-01", periods=300, freq="h"),
            "x": level,
            "on": level > level.mean(),
            "site": "north",
            "limit": 42,
            "nothing": np.nan,
            "grade": pd.Categorical(np.where(np.arange(300) % 60 < 30, "low", "high"), ["low", "high"], ordered=True),
        }
    )
    model = Synthesizer("prior", FAST).fit(frame)
    finer = model.densify(frame, factor=2)
    for out in (model.generate(rows=200), finer, model.extend(frame, steps=6, paths=4).median):
        assert out.dtypes.tolist() == frame.dtypes.tolist()
        assert set(out["site"]) == {"north"}
        assert set(out["limit"]) == {42}
        assert out["nothing"].isna().all()
        assert list(out["grade"].cat.categories) == ["low", "high"]
    assert model.generate(rows=500)["on"].nunique() == 2
    assert finer["on"].iloc[::2].tolist() == frame["on"].tolist()
    assert finer["grade"].iloc[::2].tolist() == frame["grade"].tolist()


@pytest.fixture(scope="module")
def plant() -> pd.DataFrame:
    return simulate(rows=1_500, seed=1).table


@pytest.fixture(scope="module")
def plant_model(plant: pd.DataFrame) -> Synthesizer:
    return Synthesizer("prior", FAST, conditions=("grade", "temp_sp")).fit(plant)


@pytest.mark.parametrize("grade", ["A", "B"])
def test_where_gives_the_grade_and_its_level(grade: str, plant: pd.DataFrame, plant_model: Synthesizer) -> None:
    out = plant_model.generate(rows=1_500, where={"grade": grade})
    assert set(out["grade"]) == {grade}
    real = plant[plant["grade"] == grade]
    other = plant[plant["grade"] != grade]
    for tag in ("feed_flow", "reactor_temp"):
        own, far = abs(out[tag].mean() - real[tag].mean()), abs(out[tag].mean() - other[tag].mean())
        assert own < 0.35 * far, f"{tag}: {out[tag].mean():.2f}, {grade} is {real[tag].mean():.2f}"


def test_a_given_trajectory_is_kept_and_followed(plant: pd.DataFrame, plant_model: Synthesizer, tmp_path: Path) -> None:
    given = pd.DataFrame({"grade": ["B"] * 60 + ["A"] * 60, "temp_sp": [88.0] * 60 + [79.0] * 60})
    path = tmp_path / "given.csv"
    given.to_csv(path, index=False)
    for source in (given, path):
        out = plant_model.generate(given=source)
        assert out["grade"].tolist() == given["grade"].tolist()
        assert out["temp_sp"].tolist() == given["temp_sp"].tolist()
        assert out["feed_flow"][:60].mean() < out["feed_flow"][60:].mean() - 1.5, "9 m3/h for B, 12 for A"
    later = plant_model.extend(plant, steps=40, paths=8, given=given.head(40))
    assert later.median["temp_sp"].tolist() == [88.0] * 40
    assert set(later.paths["grade"]) == {"B"}


def test_given_rows_stand_at_their_own_times(plant: pd.DataFrame, plant_model: Synthesizer, tmp_path: Path) -> None:
    time = plant_model.schema.clock.column
    every = pd.to_datetime(plant[time])
    times = pd.date_range(every.iloc[-1], periods=81, freq=every.iloc[1] - every.iloc[0])[1:]
    given = pd.DataFrame({time: times, "grade": ["B"] * 80})
    path = tmp_path / "given.csv"
    given.to_csv(path, index=False, date_format=plant_model.schema.clock.text_format)
    assert pd.to_datetime(plant_model.generate(given=given)[time]).tolist() == times.tolist()
    later = plant_model.extend(plant, steps=40, paths=2, given=path)
    assert pd.to_datetime(later.median[time]).tolist() == times[:40].tolist()
    with pytest.raises(OptionError, match=r"^The given table begins at .*, and the rows that follow at "):
        plant_model.extend(plant, steps=40, paths=2, given=given.tail(60))
    with pytest.raises(OptionError, match=r"^The given table begins at .* and not at the start, 2031-01-01; leave"):
        plant_model.generate(given=given, start="2031-01-01")
    with pytest.raises(OptionError, match=r"^The times of the given table must follow one another in steps of "):
        plant_model.generate(given=given.iloc[::2])


def test_where_holds_a_condition_in_extend(plant: pd.DataFrame, plant_model: Synthesizer) -> None:
    for grade in ("A", "B"):
        out = plant_model.extend(plant, steps=30, paths=8, where={"grade": grade})
        assert set(out.median["grade"]) == set(out.paths["grade"]) == {grade}


def test_bands_hold_the_median_and_grow_with_coverage(plant: pd.DataFrame, plant_model: Synthesizer) -> None:
    out = plant_model.extend(plant, steps=20, paths=64)
    narrow, wide = out.band(0.5), out.band(0.9)
    assert list(wide.columns[: plant.shape[1]]) == list(plant.columns)
    for tag in ("reactor_temp", "feed_flow"):
        assert (wide[f"{tag}_lo90"] <= narrow[f"{tag}_lo50"]).all()
        assert (narrow[f"{tag}_hi50"] <= wide[f"{tag}_hi90"]).all()
        assert (wide[f"{tag}_lo90"] < wide[f"{tag}_hi90"]).all()


def test_independent_runs_of_a_single_series_stand_under_a_leading_column() -> None:
    frame = pd.DataFrame({"time": pd.date_range("2022-01-01", periods=200, freq="h"), "x": waves(200)})
    out = Synthesizer("prior", FAST).fit(frame).generate(rows=30, runs=4)
    assert list(out.columns) == ["run", "time", "x"]
    assert out["run"].tolist() == [number for number in (1, 2, 3, 4) for _ in range(30)]
    assert out.groupby("run")["x"].apply(tuple).nunique() == 4


@pytest.mark.parametrize("calibrated", [False, True])
def test_a_calibrated_model_keeps_the_contract_too(calibrated: bool, data: Data) -> None:
    frame = pd.read_csv(data("classic_sunspots.csv"))
    model = Synthesizer("prior", {"calibrated": calibrated}, time="YEAR").fit(frame)
    out = model.generate(rows=1_000)
    same_kind(out, frame, "YEAR")
    assert out["YEAR"].tolist() == list(range(1700, 2700))
    assert len(out) == 1_000


def test_where_holds_any_column(plant: pd.DataFrame) -> None:
    frame = plant.assign(open=plant["steam_valve"].fillna(0) > 50)
    model = Synthesizer("prior", FAST).fit(frame)
    assert set(model.generate(rows=80, where={"grade": "B"})["grade"]) == {"B"}
    assert set(model.generate(rows=80, where={"open": "True"})["open"]) == {True}
    assert set(model.generate(rows=80, where={"temp_sp": 83.5})["temp_sp"]) == {83.5}
    with pytest.raises(OptionError, match=r"^'grade' has no value 'C'\. Known: A, B\.$"):
        model.generate(rows=80, where={"grade": "C"})


def test_a_count_cannot_be_given_a_fraction() -> None:
    model = Synthesizer("prior", FAST, time="YEAR").fit(
        pd.DataFrame({"YEAR": range(60), "spots": waves(60).astype(int)})
    )
    text = r"^'spots' cannot be 1\.5: it is a column of whole numbers\.$"
    with pytest.raises(OptionError, match=text):
        model.generate(given=pd.DataFrame({"spots": [1.5, 2]}))
    with pytest.raises(OptionError, match=r"^'spots' of the given table holds 'two', which is no number\.$"):
        model.generate(given=pd.DataFrame({"spots": ["1", "two"]}))
    assert model.generate(given=pd.DataFrame({"spots": [100, 200, 300]}))["spots"].tolist() == [100, 200, 300]


def test_runs_named_in_words_are_calibrated_and_cannot_be_invented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dowgan.windows.DRAWN", (256, 256))
    frame = pd.concat([pd.DataFrame({"unit": unit, "x": waves(40, i)}) for i, unit in enumerate("ABC")])
    frame.to_csv(tmp_path / "units.csv", index=False)
    model = Synthesizer("prior", runs=["unit"]).fit(tmp_path / "units.csv")
    out = model.generate(rows=120)
    assert list(out["unit"].unique()) == ["A", "B", "C"]
    with pytest.raises(OptionError) as raised:
        model.generate(rows=121)
    assert str(raised.value) == (
        "4 runs are asked for, and only 3 can be told apart, since 'unit' is text: ask for at most 3 runs, or for "
        "fewer rows."
    )


def test_runs_whose_names_are_numbered_are_counted_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dowgan.windows.DRAWN", (256, 256))
    frame = pd.concat([pd.DataFrame({"batch": f"F-{i:03d}b", "x": waves(40, i)}) for i in range(98, 101)])
    frame.to_csv(tmp_path / "batches.csv", index=False)
    model = Synthesizer("prior", runs=["batch"]).fit(tmp_path / "batches.csv")
    out = model.generate(runs=5)
    assert list(out["batch"].unique()) == ["F-098b", "F-099b", "F-100b", "F-101b", "F-102b"]
    assert compare(tmp_path / "batches.csv", out, runs=["batch"]).scores["generate"]["findings"] is not None


def test_a_set_point_is_a_condition(plant: pd.DataFrame, plant_model: Synthesizer) -> None:
    model = plant_model
    held = model.generate(rows=200, where={"grade": "A", "temp_sp": 82})
    assert set(held["temp_sp"]) == {82.0}
    assert abs(held["reactor_temp"].mean() - 82) < 1.5
    with pytest.raises(OptionError, match=r"^'temp_sp' has no value '84'\. Known: 78, 82, 86, 90\.$"):
        model.generate(rows=10, where={"temp_sp": 84})
    between = model.generate(given=pd.DataFrame({"temp_sp": [82.0] * 20 + [83.5] * 20}))
    assert between["temp_sp"].tolist() == [82.0] * 20 + [83.5] * 20, "a new set-point stands as it was given"
    later = model.extend(plant, steps=30, paths=4)
    assert set(later.median["temp_sp"]) == {plant["temp_sp"].iloc[-1]}
    whole = Synthesizer("flagship", {"trained": False}, conditions=["grade", "temp_sp"]).fit(plant).generate()
    off = [(f["reactor_temp"] - f["temp_sp"]).abs().quantile(0.9) for f in (plant, whole)]
    assert off[1] < 2 * off[0], "the temperature follows its set-point in a calibrated model too"
    other = {"A": "B", "B": "A"}[plant["grade"].iloc[-1]]
    assert set(model.extend(plant, steps=5, paths=4, where={"grade": other}).median["grade"]) == {other}


def test_what_is_no_table_or_no_count_is_refused_in_a_sentence() -> None:
    frame = pd.DataFrame({"x": waves(60)})
    for other, said in ((frame["x"], r"this is a Series: use \.to_frame"), (frame.to_numpy(), "this is a ndarray")):
        with pytest.raises(DataError, match=said):
            read(other)
    assert whole(10.0, "rows") == 10
    with pytest.raises(OptionError, match="'10' rows are not possible; give a whole number"):
        whole("10", "rows")
    assert len(repr(Synthesizer("prior", FAST).fit(frame).extend(steps=3))) < 100


def test_a_step_may_be_a_pandas_time() -> None:
    frame = pd.DataFrame({"x": waves(60)}, index=pd.date_range("2024-01-01", periods=60, freq="h"))
    finer = Synthesizer("prior", FAST).fit(frame).densify(frame, every=pd.Timedelta("20min"))
    assert len(finer) == 59 * 3 + 1
