"""What a user can get wrong with a table: the whole text, one line each."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dowgan.errors import UserError
from dowgan.table import read


def rows(line, n: int = 12) -> str:
    return "".join(line(i) + "\n" for i in range(n))


UNEVEN = "Up to half of the rows may be missing, but each time must lie on the grid:"
BESIDE = "and only numbers, truth values, labels and times can be: convert it."
FILES = {
    "empty": ("", {}, "'in.csv' is empty: it must have a header and at least 8 rows."),
    "blank": (" \n\n", {}, "'in.csv' is empty: it must have a header and at least 8 rows."),
    "byte order mark": ("\ufeff", {}, "'in.csv' is empty: it must have a header and at least 8 rows."),
    "header only": ("a,b\n", {}, "'in.csv' has a header and no rows: at least 8 rows are needed."),
    "few rows": ("t,a\n1,2\n2,3\n", {}, "'in.csv' has 2 rows, and at least 8 are needed: add more."),
    "one row": ("t,a\n1,2\n", {}, "'in.csv' has 1 row, and at least 8 are needed: add more."),
    "a name twice": (
        "a,b,a\n" + rows(lambda i: "1,2,3"),
        {},
        "Two columns are called 'a': give each its own name.",
    ),
    "long row": (
        "t,a\n" + rows(lambda i: "1,2,3" if i == 5 else f"{i},{i}"),
        {},
        "Row 6 below the header of 'in.csv' has 3 cells, and the header has 2: correct the row ('1,2,3').",
    ),
    "short row": (
        "t,a\n" + rows(lambda i: "1" if i == 5 else f"{i},{i}"),
        {},
        "Row 6 below the header of 'in.csv' has 1 cell, and the header has 2: correct the row ('1').",
    ),
    "no header": (
        rows(lambda i: f"{i}.5,{i}"),
        {},
        "The first row of 'in.csv' holds values (0.5, 0), not names: add a row of column names.",
    ),
    "no numbers": (
        "t,s\n" + rows(lambda i: f"{i},{'ab'[i % 2]}"),
        {},
        "No column of numbers is left beside the clock, runs and conditions: at least one is needed.",
    ),
    "nothing varies": (
        "t,x,y\n" + rows(lambda i: f"{i},1,"),
        {},
        "Every column is constant or empty, so there is nothing to learn: at least one must vary.",
    ),
    "free text": (
        "t,s,x\n" + rows(lambda i: f"{i},name{i},{i % 3}"),
        {},
        "Column 's' is text with 12 different values, such as 'name0', and a category has at most 50, which "
        "repeat: drop "
        "the column, or use --run s if each value is one run.",
    ),
    "many labels": (
        "t,s,x\n" + rows(lambda i: f"{i},n{i % 60},{i % 3}", 200),
        {},
        "Column 's' is text with 60 different values, such as 'n0', and a category has at most 50, which "
        "repeat: drop the "
        "column, or use --run s if each value is one run.",
    ),
    "mixed": (
        "t,x\n" + rows(lambda i: f"{i},{'abc' if i in (4, 7) else i}"),
        {},
        "Column 'x' holds numbers, but row 5 holds 'abc': correct or empty that cell, or drop the column; or say "
        "--missing 'abc' if that stands for a missing value.",
    ),
    "infinite": (
        "t,x\n" + rows(lambda i: f"{i},{'-inf' if i == 4 else i}"),
        {},
        "Column 'x' is infinite in row 5 (1 in all): put a number there or leave it empty.",
    ),
    "a time twice": (
        "t,x\n" + rows(lambda i: f"2020-01-{max(i, 1):02d},{i}"),
        {},
        "1 time in 't' occurs more than once ('2020-01-01'): drop the copies.",
    ),
    "times twice": (
        "t,x\n" + rows(lambda i: f"0{1 + i // 2}/01/2020,{i}"),
        {},
        "6 times in 't' occur more than once, first '01/01/2020', '02/01/2020', '03/01/2020': drop the copies.",
    ),
    "runs": (
        "t,unit,kind,x\n" + rows(lambda i: f"2020-01-{1 + i // 3:02d},{'abc'[i % 3]},{'KKL'[i % 3]},{i}", 30),
        {},
        "10 times in 't' occur more than once, first '2020-01-01', '2020-01-02', '2020-01-03': if rows "
        "belong to several "
        "runs, use --run unit --run kind.",
    ),
    "runs by number": (
        "time_min,batch,x\n" + rows(lambda i: f"{i % 10 * 5},{i // 10},{i}.5", 30),
        {},
        "10 times in 'time_min' occur more than once, first '0', '5', '10': if rows belong to several runs, "
        "use --run batch.",
    ),
    "runs that overlap a little": (
        "t,unit,x,y\n" + rows(lambda i: f"2020-01-{1 + i % 10 + 8 * (i // 10):02d},{'abc'[i // 10]},{i},{-i}", 30),
        {},
        "4 times in 't' occur more than once, first '2020-01-09', '2020-01-10', '2020-01-17': if rows belong to "
        "several runs, use --run unit.",
    ),
    "runs off the grid": (
        "t,batch,x\n"
        + rows(lambda i: f"2020-01-{1 + i // 10:02d} {i % 10:02d}:{7 * (i // 10):02d},B{i // 10},{i}", 40),
        {},
        "The times in 't' are not evenly spaced: after '2020-01-01 09:00' comes '2020-01-02 00:07', and the usual "
        f"step is 1h. {UNEVEN} if 'batch' tells runs apart, use --run batch.",
    ),
    "uneven": (
        "t,x\n" + rows(lambda i: f"2020-01-01 {i:02d}:{i * i % 60:02d},{i}", 20),
        {},
        "The times in 't' are not evenly spaced: after '2020-01-01 00:00' comes '2020-01-01 01:01', and the "
        "usual step is "
        f"15min. {UNEVEN} resample first, e.g. frame.resample('15min').mean().",
    ),
    "jittered": (
        "t,x\n" + rows(lambda i: f"2020-01-01 {i:02d}:00:{i * i % 7:02d},{i}", 20),
        {},
        "The times in 't' are not evenly spaced: after '2020-01-01 00:00:00' comes '2020-01-01 01:00:01', and the "
        f"usual step is 1h. {UNEVEN} round the times first, e.g. frame['t'] = frame['t'].dt.round('1h').",
    ),
    "uneven counter": (
        "time,x\n" + rows(lambda i: f"{i**1.5:.3f},{i}"),
        {},
        "The times in 'time' are not evenly spaced: after '1.0' comes '2.828', and the usual step is 1. "
        f"{UNEVEN} bring the rows to an even step first.",
    ),
    "mostly gaps": (
        "t,x\n" + rows(lambda i: f"2020-01-{i + 1:02d},{i}" if i < 11 else "2021-01-01,3"),
        {},
        "The times in 't' are not evenly spaced: after '2020-01-11' comes '2021-01-01', and the usual step is 1D. "
        f"{UNEVEN} resample first, e.g. frame.resample('1D').mean().",
    ),
    "a run that comes back": (
        "t,grade,x\n" + rows(lambda i: f"2020-01-{i + 1:02d},{'ABC'[i // 3 % 3]},{i}", 24),
        {"runs": ["grade"]},
        "The times in 't' are not evenly spaced: after '2020-01-03' comes '2020-01-10', and the usual step is 1D. "
        f"{UNEVEN} if a run comes back after others, use --condition in place of --run.",
    ),
    "no such time": (
        "time,x\n" + rows(lambda i: f"{i},{i}"),
        {"time": "tme"},
        "Unknown column 'tme'. Did you mean 'time'? Known: time, x.",
    ),
    "no such run": (
        "time,x\n" + rows(lambda i: f"{i},{i}"),
        {"runs": ["batch"]},
        "Unknown column 'batch'. Known: time, x.",
    ),
    "no such condition": (
        "time,grade,x\n" + rows(lambda i: f"{i},{i},1"),
        {"conditions": ["Grade"]},
        "Unknown column 'Grade'. Did you mean 'grade'? Known: grade, time, x.",
    ),
    "twice named": (
        "time,x\n" + rows(lambda i: f"{i},{i}"),
        {"time": "x", "runs": ["x"]},
        "Column 'x' is named twice in --time, --run and --condition: it can be one of them.",
    ),
    "no clock": (
        "s,x\n" + rows(lambda i: f"{'ab'[i % 2]},{i}"),
        {"time": "s"},
        "Column 's' cannot be the clock: row 1 holds 'a'. A clock holds times such as 2024-01-31 08:00, all "
        "written "
        "alike, or evenly spaced numbers.",
    ),
    "not all times": (
        "s,x\n" + rows(lambda i: f"{'soon' if i == 5 else f'2020-01-{i + 1:02d}'},{i}"),
        {},
        "Column 's' cannot be the clock: row 6 holds 'soon'. A clock holds times such as 2024-01-31 08:00, "
        "all written "
        "alike, or evenly spaced numbers.",
    ),
    "a time missing": (
        "s,x\n" + rows(lambda i: f"{'' if i == 5 else f'2020-01-{i + 1:02d}'},{i}"),
        {},
        "Row 6 has nothing in time column 's' (1 in all): fill it in.",
    ),
    "a run missing": (
        "r,x\n" + rows(lambda i: f"{'' if i == 3 else 'a'},{i}"),
        {"runs": ["r"]},
        "Row 4 has nothing in run column 'r' (1 in all): fill it in.",
    ),
    "one row per run": (
        "r,x\n" + rows(lambda i: f"{i},{i}"),
        {"runs": ["r"]},
        "Every run has one row, which makes no series: use fewer --run columns.",
    ),
    "two clocks": (
        "t,u,x\n" + rows(lambda i: f"2020-01-{i + 1:02d},2021-01-{i + 1:02d},{i}"),
        {},
        "Column 'u' holds times besides the clock: drop it, or make it the clock with --time u.",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_files(case: str, tmp_path: Path, monkeypatch) -> None:
    text, options, error = FILES[case]
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text(text)
    with pytest.raises(UserError) as raised:
        read("in.csv", **options)
    assert str(raised.value) == error
    assert "\n" not in error


ENDINGS = ".csv, .csv.gz, .tsv, .tsv.gz, .txt, .txt.gz, .parquet, .pq"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("none.csv", "There is no file 'none.csv': check the path."),
        ("folder", f"'folder' is a folder: give one file, ending in {ENDINGS}."),
        ("a.xlsx", "'a.xlsx' is a workbook: save the sheet as CSV first, with one row of column names."),
        ("a.dat", f"'a.dat' is no kind of table that can be read: it must end in {ENDINGS}."),
        ("cut.csv.gz", "'cut.csv.gz' is a damaged gzip file (Compressed file ended before the end-of-stream marker was "
         "reached): get it again."),
    ],
)  # fmt: skip
def test_paths(name: str, error: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("a.xlsx").write_text("x")
    Path("a.dat").write_text("x")
    Path("cut.csv.gz").write_bytes(gzip.compress(b"t,x\n" * 99, mtime=0)[:-9])
    with pytest.raises(UserError) as raised:
        read(name)
    assert str(raised.value) == error


def test_damaged_parquet(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(UserError, match=r"^'a.parquet' is a damaged Parquet file \(.*\): get it again\.$"):
        read("a.parquet")


N = 20
DAYS = pd.date_range("2020", periods=N)
FRAME = pd.DataFrame({"x": np.arange(N) * 0.5}, index=DAYS)
FRAMES = {
    "two levels of index": (
        FRAME.set_index([FRAME.index, FRAME.x]),
        "The index of the frame has several levels: flatten them, e.g. with frame.reset_index().",
    ),
    "two levels of names": (
        pd.concat({"a": FRAME}, axis=1),
        "The column names of the frame have several levels: flatten them, e.g. with frame.reset_index().",
    ),
    "numbers for names": (
        pd.DataFrame(np.ones((9, 2))),
        "Column name 0 is no text: use frame.rename(columns=str) first.",
    ),
    "durations": (FRAME.assign(d=DAYS - DAYS[0]), f"Column 'd' holds {(DAYS - DAYS[0]).dtype}, {BESIDE}"),
    "periods": (
        FRAME.to_period(),
        "The index holds period[D], which is no clock that can be built: use frame.to_timestamp() first.",
    ),
    "index of durations": (
        FRAME.set_index(DAYS - DAYS[0]),
        f"The index holds {(DAYS - DAYS[0]).dtype}, which is no clock that can be built: use "
        "index.total_seconds() first.",
    ),
    "two clocks": (
        FRAME.assign(d=DAYS + pd.Timedelta("1D")),
        "Column 'd' holds times besides the clock: drop it, or make it the clock with --time d.",
    ),
    "complex": (FRAME.assign(c=1j), f"Column 'c' holds complex128, {BESIDE}"),
    "large": (
        FRAME.assign(b=2**60),
        "Column 'b' holds whole numbers beyond 9007199254740992, which would lose digits: drop it or make it text.",
    ),
    "infinite": (
        FRAME.assign(b=[1, 2, -np.inf, *range(N - 3)]),
        "Column 'b' is infinite in row 3 (1 in all): put a number there or leave it empty.",
    ),
    "mixed": (
        FRAME.assign(b=[1, "x", *range(N - 2)]),
        "Column 'b' holds numbers, but row 2 holds 'x': correct or empty that cell, or drop the column; or say "
        "--missing 'x' if that stands for a missing value.",
    ),
    "mixed text": (
        FRAME.assign(b=["x", "y", 3, *"abcdefghijklmnopq"]),
        "Column 'b' holds text, but row 3 holds '3': correct or empty that cell, or drop the column.",
    ),
    "objects": (FRAME.assign(b=[[1]] * N), f"Column 'b' holds objects such as [1], {BESIDE}"),
    "intervals": (
        FRAME.assign(b=pd.cut(FRAME.x, [-1, 5, 10])),
        "Column 'b' has categories such as Interval(-1, 5, closed='right'), and only text, numbers and truth "
        "values can "
        "be: convert them.",
    ),
    "empty": (FRAME.iloc[:0], "The frame has 0 rows, and at least 8 are needed: add more."),
    "no columns": (FRAME[[]], "The frame has no columns: at least one column of numbers is needed."),
    "a name twice": (
        pd.concat([FRAME, FRAME], axis=1),
        "Two columns are called 'x': give each its own name.",
    ),
    "no time": (
        FRAME.set_index(DAYS.insert(0, pd.NaT)[:N]),
        "Row 1 has nothing in the index (1 in all): fill it in.",
    ),
    "copies": (
        pd.concat([FRAME, FRAME]),
        "20 times in the index occur more than once, first '2020-01-01 00:00:00', '2020-01-02 00:00:00', "
        "'2020-01-03 "
        "00:00:00': drop the copies.",
    ),
}


@pytest.mark.parametrize("case", FRAMES)
def test_frames(case: str) -> None:
    frame, error = FRAMES[case]
    with pytest.raises(UserError) as raised:
        read(frame)
    assert str(raised.value) == error


def test_tourism_and_tennessee_name_their_runs(data) -> None:
    with pytest.raises(UserError) as raised:
        read(data("australia_tourism.csv"))
    assert str(raised.value) == (
        "80 times in 'date_time' occur more than once, first '1998-01-01', '1998-04-01', '1998-07-01': if "
        "rows belong to "
        "several runs, use --run Region --run State --run Purpose."
    )
    with pytest.raises(UserError) as raised:
        read(data("tep_braatz.parquet"))
    assert str(raised.value) == (
        "960 times in 'time_min' occur more than once, first '0', '3', '6': if rows belong to several runs, "
        "use --run fault "
        "--run split."
    )


def test_a_spreadsheets_dates_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("Date,x\n" + "".join(f"{45292 + day},{day % 7}.{day % 10}\n" for day in range(40)))
    assert any("a spreadsheet's 2024-01-01" in note for note in read(path).notes)
