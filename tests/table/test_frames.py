"""Frames in, the very same frames out: values, dtypes, order, index, names, freq."""

import datetime
import subprocess
import sys
import zoneinfo
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from dowgan.table import Schema, check, read, to_frame

N = 60
RNG = np.random.default_rng(0)


def same(frame: pd.DataFrame, **options: object) -> None:
    """Read and give back; also after the schema went through JSON."""
    table = read(frame, **options)
    schema = Schema.from_json(table.schema.to_json())
    assert schema == table.schema
    back = to_frame(schema, table.runs)
    check(back, schema, rows=len(frame))
    pd.testing.assert_frame_equal(back, frame, check_exact=True, check_freq=True)


def series(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=N)


STEPS = ["250ms", "7s", "15min", "h", "3h", "D", "2D", "W-MON", "W-SUN", "2W-WED", "MS", "ME", "2MS", "QS", "QE",
         "QS-FEB", "QE-JAN", "YS", "YE", "YS-APR", "YE-JUN", "B"]  # fmt: skip


@pytest.mark.parametrize("tz", [None, "UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("step", STEPS)
def test_datetime_index_of_any_step(step: str, tz: str | None) -> None:
    index = pd.date_range("2019-01-01", periods=N, freq=step, tz=tz, name="when")
    same(pd.DataFrame({"x": series()}, index=index))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_datetime_index_of_any_resolution(unit: str) -> None:
    same(pd.DataFrame({"x": series()}, index=pd.date_range("2020", periods=N, freq="h", unit=unit)))


def test_time_column_of_any_step() -> None:
    for step in STEPS:
        same(pd.DataFrame({"x": series(), "time": pd.date_range("2019-01-01 06:00", periods=N, freq=step)}))


def test_index_without_a_freq_gets_none() -> None:
    index = pd.DatetimeIndex(pd.date_range("2020", periods=N, freq="D"), freq=None)
    same(pd.DataFrame({"x": series()}, index=index))


@pytest.mark.parametrize("step", ["D", "h", "30min"])
@pytest.mark.parametrize("start", ["2021-03-20", "2021-10-20"])
def test_clock_change(start: str, step: str) -> None:
    index = pd.date_range(start, periods=24 * 20, freq=step, tz="Europe/Berlin")
    same(pd.DataFrame({"x": np.arange(480.0) % 7}, index=index))


def test_absolute_days_are_not_taken_for_days_of_the_wall_clock() -> None:
    index = pd.date_range("2021-03-20", periods=N, freq="24h", tz="UTC").tz_convert("Europe/Berlin")
    table = read(pd.DataFrame({"x": series()}, index=index))
    assert table.schema.clock.step == "24h"


def test_day_in_the_middle_of_the_month() -> None:
    times = [pd.Timestamp(2015 + i // 12, i % 12 + 1, 15) for i in range(N)]
    same(pd.DataFrame({"t": times, "x": series()}))


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(N),
        pd.RangeIndex(10, 10 + N),
        pd.RangeIndex(0, 3 * N, 3, name="row"),
        pd.Index(np.arange(N) * 5 + 2, name="t"),
        pd.Index(np.arange(N, dtype=np.int32), name="t"),
        pd.Index(np.arange(N)),
        pd.Index(np.arange(N) * 0.1, name="seconds"),
        pd.Index(np.linspace(0, 1, N)),
        pd.Index([f"2020-01-{d:02d} {h:02d}:00" for d in range(1, 6) for h in range(0, 24, 2)], name="t"),
        pd.Index([datetime.date(2020, 1, 1) + datetime.timedelta(i) for i in range(N)], name="day"),
    ],
)
def test_other_kinds_of_index(index: pd.Index) -> None:
    same(pd.DataFrame({"x": series(), "y": series(1)}, index=index))


@pytest.mark.parametrize(
    "times",
    [
        pd.date_range("2020", periods=N, freq="D").strftime("%d/%m/%Y").to_numpy(dtype=object),
        pd.date_range("2020", periods=N, freq="D").strftime("%m/%d/%Y").to_numpy(dtype=object),
        pd.Series(pd.date_range("2020", periods=N, freq="h").strftime("%Y-%m-%dT%H:%M:%SZ"), dtype="string"),
        pd.date_range("2020", periods=N, freq="D").strftime("%Y%m%d").astype(np.int64),
        np.arange(1700, 1700 + N),
        np.arange(N) * 0.25,
        np.arange(N) / 10,
        np.round(np.arange(N) / 3, 3),
        np.arange(N, dtype=np.int16) * 3,
        [datetime.datetime(2020, 1, 1) + datetime.timedelta(hours=i) for i in range(N)],
        pd.array([datetime.date(2020, 1, 1) + datetime.timedelta(i) for i in range(N)], dtype=object),
    ],
)
def test_time_column_as_text_or_number(times: object) -> None:
    frame = pd.DataFrame({"x": series(), "time": times})
    same(frame)
    assert read(frame).schema.clock.column == "time"


@pytest.mark.parametrize(
    "dtype",
    ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "Int8", "Int64",
     "UInt16", "Float32", "Float64", "int64[pyarrow]", "double[pyarrow]", "float[pyarrow]"],
)  # fmt: skip
def test_numbers_of_any_dtype(dtype: str) -> None:
    values = RNG.integers(0, 100, N)
    same(pd.DataFrame({"x": pd.array(values, dtype=dtype), "y": series()}))
    if "i" not in dtype.lower() or dtype[0].isupper() or "pyarrow" in dtype:
        holes = pd.Series(pd.array(values, dtype=dtype))
        holes[3:7] = None
        same(pd.DataFrame({"x": holes, "y": series()}))


LABELS = RNG.choice(["red", "green", "blue"], N)


@pytest.mark.parametrize(
    "column",
    [
        LABELS.astype(object),
        np.where(LABELS == "red", None, LABELS),
        np.where(LABELS == "red", np.nan, LABELS.astype(object)),
        pd.array(LABELS, dtype="string"),
        pd.array(np.where(LABELS == "red", None, LABELS.astype(object)), dtype="string"),
        pd.array(LABELS, dtype="string[pyarrow]"),
        pd.Categorical(LABELS),
        pd.Categorical(LABELS, categories=["red", "green", "blue", "black"], ordered=True),
        pd.Categorical(np.where(LABELS == "red", None, LABELS.astype(object))),
        pd.Categorical(RNG.integers(1, 4, N)),
        pd.Categorical(RNG.choice([0.5, 1.5], N)),
        RNG.random(N) < 0.5,
        pd.array(RNG.random(N) < 0.5, dtype="boolean"),
        pd.array([None, *(RNG.random(N - 1) < 0.5)], dtype="boolean"),
        np.array([None, *(RNG.random(N - 1) < 0.5)], dtype=object),
        pd.array(RNG.random(N) < 0.5, dtype="bool[pyarrow]"),
        np.array([1, 2.5, None, *range(N - 3)], dtype=object),
    ],
)
def test_labels_and_truth_values(column: object) -> None:
    same(pd.DataFrame({"label": column, "y": series()}))
    same(pd.DataFrame({"label": column, "y": series()}), conditions=["label"])


@pytest.mark.parametrize(
    "column",
    [np.nan, 3, 3.5, True, "steel", np.float32(0.1), pd.Categorical(["a"] * N), pd.array([None] * N, dtype="Int64"),
     pd.array([None] * N, dtype=object), pd.array([7] * N, dtype="Int32"), pd.Categorical([None] * N)],
)  # fmt: skip
def test_constant_columns(column: object) -> None:
    frame = pd.DataFrame({"y": series(), "fixed": column})
    same(frame)
    assert [c.name for c in read(frame).schema.channels] == ["y"]


@pytest.mark.parametrize(
    "zone", [zoneinfo.ZoneInfo("Europe/Berlin"), datetime.UTC, datetime.timezone(datetime.timedelta(hours=-3))]
)
def test_time_zones_of_other_libraries(zone: datetime.tzinfo) -> None:
    same(pd.DataFrame({"t": pd.date_range("2021-03-20", periods=N, freq="6h", tz=zone), "x": series()}))
    same(pd.DataFrame({"x": series()}, index=pd.date_range("2021-03-20", periods=N, freq="D", tz=zone)))


def test_times_of_arrow() -> None:
    times = pd.Series(pd.date_range("2021", periods=N, freq="h", unit="us")).astype("timestamp[us][pyarrow]")
    same(pd.DataFrame({"t": times, "x": series()}))


def test_runs_of_unequal_length_each_with_its_clock() -> None:
    parts = [
        pd.DataFrame(
            {
                "unit": unit,
                "t": pd.date_range(start, periods=n, freq="h"),
                "x": RNG.normal(size=n),
                "grade": grade,
            }
        )
        for unit, start, n, grade in [
            ("b", "2020", 20, "G"),
            ("a", "2021-05-05 05:00", 30, "H"),
            ("c", "2020", 9, "G"),
        ]
    ]
    frame = pd.concat(parts, ignore_index=True)
    same(frame, runs=["unit"], conditions=["grade"])
    table = read(frame, runs=["unit"], conditions=["grade"])
    assert [run.key for run in table.runs] == [("b",), ("a",), ("c",)]
    assert [len(run.values) for run in table.runs] == [20, 30, 9]


def test_runs_that_take_turns() -> None:
    frame = pd.DataFrame(
        [(t, u, RNG.normal()) for t in pd.date_range("2020", periods=20) for u in ("q", "p", "r")],
        columns=["ds", "unique_id", "y"],
    )
    same(frame, runs=["unique_id"])
    same(frame.drop(columns="ds"), runs=["unique_id"])


def test_runs_by_whole_numbers_and_index() -> None:
    index = pd.DatetimeIndex(list(pd.date_range("2020", periods=30)) * 2, name="t")
    same(pd.DataFrame({"n": [1] * 30 + [2] * 30, "x": series()}, index=index), runs=["n"])


@settings(max_examples=60, deadline=None)
@given(
    values=arrays(np.float64, (12, 2), elements=st.floats(-1e12, 1e12, allow_nan=False)),
    holes=arrays(np.bool_, (12, 2)),
    decimals=st.integers(0, 12),
)
def test_any_numbers(values: np.ndarray, holes: np.ndarray, decimals: int) -> None:
    values = np.where(holes, np.nan, np.round(values, decimals))
    frame = pd.DataFrame(values, columns=["a", "b"])
    frame["c"] = np.arange(12) % 5 + 0.5
    same(frame)


@settings(max_examples=40, deadline=None)
@given(
    start=st.datetimes(datetime.datetime(1950, 1, 1), datetime.datetime(2050, 1, 1)),
    step=st.sampled_from(STEPS),
    rows=st.integers(8, 40),
)
def test_any_clock(start: datetime.datetime, step: str, rows: int) -> None:
    index = pd.date_range(start.replace(microsecond=0), periods=rows, freq=step)
    same(pd.DataFrame({"x": np.arange(rows) * 0.5}, index=index))


def test_periods_in_a_parquet_file_are_refused(tmp_path: Path) -> None:
    """In a fresh process nothing tells pyarrow of them: they come as numbers."""
    index = pd.period_range("2020-01", periods=N, freq="M", name="month")
    pd.DataFrame({"x": series()}, index=index).to_parquet(tmp_path / "t.parquet")
    code = f"from dowgan.cli import main; main(['fit', {str(tmp_path / 't.parquet')!r}, '-o', {str(tmp_path / 'm')!r}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "period" in done.stderr
    assert "to_timestamp()" in done.stderr


THREADS = """
import os, sys
from pathlib import Path
from dowgan.table.frames import from_parquet
raw = Path(sys.argv[1]).read_bytes()
before = len(os.listdir("/proc/self/task"))
frame, _ = from_parquet(raw, "t.parquet")
print(len(frame.columns), len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted where Linux lists them")
def test_parquet_is_read_without_a_thread(tmp_path: Path) -> None:
    """Beside a thread of Arrow's a process that ends is aborted now and then, with exit code 134."""
    frame = pd.DataFrame({"x": series(), "y": series(), "word": [f"level {i % 3}" for i in range(N)]})
    frame.to_parquet(tmp_path / "t.parquet")
    done = subprocess.run([sys.executable, "-c", THREADS, tmp_path / "t.parquet"], capture_output=True, text=True)
    assert done.stdout.split() == ["3", "0"]


@pytest.mark.parametrize(
    ("name", "values", "upper"),
    [
        ("rh", np.minimum(85 + 12 * RNG.standard_normal(400), 100).round(), 100.0),
        ("valve_pct", 60 * RNG.random(400), 100.0),
        ("level %", 60 * RNG.random(400), 100.0),
        ("growth_pct", RNG.standard_normal(400), None),
        ("wind_dir_deg", np.append(RNG.integers(0, 360, 399), 359), 359.0),
        ("wind direction", np.append(360 * RNG.random(399), 359.5), 360.0),
        ("director", np.append(RNG.integers(0, 360, 399), 359), None),
        ("speed", np.append(90 * RNG.random(399), 100.0), None),
    ],
)
def test_shares_and_directions_have_an_upper_bound(name: str, values: np.ndarray, upper: float | None) -> None:
    assert read(pd.DataFrame({name: values})).schema.column(name).upper == upper


def test_hours_that_count_up_are_a_clock_and_others_are_not() -> None:
    values = np.arange(N) * 0.5
    assert read(pd.DataFrame({"hours": np.arange(N), "x": values})).schema.clock.column == "hours"
    for column in (np.arange(N)[::-1], np.random.default_rng(0).permutation(N)):
        assert read(pd.DataFrame({"remaining_hours": column, "x": values})).schema.clock.kind == "row"
