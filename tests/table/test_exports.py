"""Tables as historians and spreadsheets write them: read where that is safe, else one line that says what to do."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dowgan.errors import UserError
from dowgan.table import Table, describe, read, to_frame, write

N = 60
TIMES = pd.date_range("2024-01-01", periods=N, freq="15min")
TEMP = [f"{80 + i % 23 / 7:.2f}" for i in range(N)]
FLOW = [f"{10 + i % 17 / 3:.1f}" for i in range(N)]
ROWS = [f"{str(t)[:16]},{a},{b}" for t, a, b in zip(TIMES, TEMP, FLOW, strict=True)]
NAMES = "time,temp,flow"


def put(folder: Path, *lines: str, encoding: str = "utf-8", name: str = "in.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def replaced(column: int, cell: str, every: int) -> list[str]:
    """The rows with that cell in every so-manieth row of a column."""
    split = [row.split(",") for row in ROWS]
    return [
        ",".join(cell if k == column and i % every == 0 else c for k, c in enumerate(r)) for i, r in enumerate(split)
    ]


def plain(table: Table) -> None:
    """It is the table of two tags on a clock of 15 minutes, whatever stood around it."""
    assert table.schema.clock.step == "15min"
    assert table.rows == N
    assert [column.kind for column in table.schema.channels] == ["float", "float"]
    assert np.array_equal(table.runs[0].values[:, 0], [float(cell) for cell in TEMP])


GERMAN = [row.replace(",", ";").replace(".", ",") for row in ROWS]
READ = {
    "semicolons and decimal commas": ["Zeit;Temp. Kopf;Durchfluss", *GERMAN],
    "a separator told to the spreadsheet": ["sep=;", "Zeit;Temp. Kopf;Durchfluss", *GERMAN],
    "byte order mark": ["\ufeff" + NAMES, *ROWS],
    "units": [NAMES, "-,degC,m3/h", *ROWS],
    "a comment above": ["# exported by the historian", NAMES, *ROWS],
    "lines above": ["Unit 7", "from, to", "", NAMES, *ROWS],
    "a separator more in every row": [NAMES, *(row + "," for row in ROWS)],
    "a column more without a name": [NAMES + ",", *(row + "," for row in ROWS)],
    "spaces around names and cells": [" time , temp top , flow ", *(row.replace(",", " , ") for row in ROWS)],
    "empty lines between": [NAMES, *(line for row in ROWS for line in (row, ""))],
    "tabs": [line.replace(",", "\t") for line in (NAMES, *ROWS)],
    "a comma in a name": ['time,"temp, top",flow', *ROWS],
    "AM and PM": [
        NAMES,
        *(f"{t.month}/{t.day}/{t.year} {t:%I:%M %p},{r.split(',', 1)[1]}" for t, r in zip(TIMES, ROWS, strict=True)),
    ],
    "date and time apart": ["Date,Time,temp,flow", *(row.replace(" ", ",", 1) for row in ROWS)],
    "month in letters": [
        NAMES,
        *(f"{t:%d-%b-%y %H:%M},{r.split(',', 1)[1]}" for t, r in zip(TIMES, ROWS, strict=True)),
    ],
}


@pytest.mark.parametrize("case", READ)
def test_what_can_be_read_is_read(case: str, tmp_path: Path) -> None:
    plain(read(put(tmp_path, *READ[case])))


def test_old_encodings(tmp_path: Path) -> None:
    table = read(put(tmp_path, "Zeit;Wärme;Fluß", *GERMAN, encoding="cp1252"))
    plain(table)
    assert [column.name for column in table.schema.channels] == ["Wärme", "Fluß"]
    plain(read(put(tmp_path, *(line.replace(",", "\t") for line in (NAMES, *ROWS)), encoding="utf-16")))


def test_what_was_left_out_is_said(tmp_path: Path) -> None:
    for case, note in {
        "a comment above": "1 line above the names left out, first '# exported by the historian'",
        "lines above": "3 lines above the names left out, first 'Unit 7'",
        "a separator more in every row": "1 empty column without a name is left out",
    }.items():
        assert read(put(tmp_path, *READ[case])).notes == (note,)


def test_status_words_are_missing(tmp_path: Path) -> None:
    for word in ("n/a", "Bad", "I/O Timeout", "#N/A", "--", "NaN"):
        table = read(put(tmp_path, NAMES, *replaced(1, word, 7)))
        assert np.flatnonzero(np.isnan(table.runs[0].values[:, 0])).tolist() == list(range(0, N, 7)), word


def test_an_index_written_by_pandas_is_a_counter(tmp_path: Path) -> None:
    table = read(put(tmp_path, "Unnamed: 0,temp", *(f"{i},{cell}" for i, cell in enumerate(TEMP))))
    assert table.schema.clock.column == "Unnamed: 0"


def test_zeros_and_empty_columns_are_given_back(tmp_path: Path) -> None:
    path = put(tmp_path, NAMES + ",spare,dead", *(row + ",0," for row in ROWS))
    table = read(path)
    plain(table)
    write(to_frame(table.schema, table.runs), table.schema, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == path.read_text()


def test_a_code_that_may_mean_a_fault_is_pointed_out(tmp_path: Path) -> None:
    table = read(put(tmp_path, NAMES, *replaced(1, "-200", 9)))
    assert table.notes == (
        "'temp' holds -200 in 7 rows, far from its other values; if that means a fault, say --missing=-200",
    )
    assert table.runs[0].values[0, 0] == -200, "nothing is changed unasked"
    assert read(put(tmp_path, NAMES, *ROWS)).notes == ()


def test_a_column_like_a_set_point_is_pointed_out(tmp_path: Path) -> None:
    path = put(
        tmp_path, "time,sp,temp", *(f"{row.split(',')[0]},{70 + 5 * (i // 20)},{i % 7}.5" for i, row in enumerate(ROWS))
    )
    said = "'sp' moves in steps between 3 settings; if it is a set-point, say --condition sp"
    assert read(path).notes == (said,)
    assert read(path, conditions=["sp"]).notes == ()


@pytest.mark.parametrize("code", ["-200", "-200.0", "-2e2"])
def test_codes_that_are_said_to_be_missing(code: str, tmp_path: Path) -> None:
    path = put(tmp_path, NAMES, *replaced(1, "-200", 9))
    table = read(path, missing=code)
    values = table.runs[0].values[:, 0]
    assert np.flatnonzero(np.isnan(values)).tolist() == list(range(0, N, 9))
    assert table.schema.column("temp").decimals == 2
    assert "7 cells of 'temp' read as missing: '-200'" in table.notes
    again = read(path, schema=table.schema)
    assert np.array_equal(again.runs[0].values, table.runs[0].values, equal_nan=True), "the model knows the codes"
    frame = read(pd.read_csv(path), missing=code)
    assert np.array_equal(frame.runs[0].values, table.runs[0].values, equal_nan=True)


def test_a_word_that_is_said_to_be_missing(tmp_path: Path) -> None:
    table = read(put(tmp_path, NAMES, *replaced(2, "gestört", 9)), missing=["gestört"])
    assert np.isnan(table.runs[0].values[::9, 1]).all()


def test_units_are_shown(tmp_path: Path) -> None:
    lines = describe(read(put(tmp_path, *READ["units"]))).lines
    assert [line.rules.split(";")[0] for line in lines] == ["", "in degC", "in m3/h"]


DAYS = [row.replace(" ", ",", 1) for row in ROWS]
SUNDAY = pd.date_range("2024-10-26", periods=N, freq="h", tz="Europe/Berlin").tz_localize(None)
SAVE = "save the table as CSV first, with one row of column names."
REFUSED = {
    "no names": (
        ROWS,
        "The first row of 'in.csv' holds values (2024-01-01 00:00, 80.00, 10.0), not names: add a row of column names.",
    ),
    "times in words": (
        [NAMES, *(f'"Monday, January {t.day}, 2024 {t:%H:%M}",1.{i % 7},2' for i, t in enumerate(TIMES))],
        "Column 'time' is called a time and holds 'Monday, January 1, 2024 00:00', which cannot be read as one: write "
        "times such as 2024-01-31 08:00, or drop the column.",
    ),
    "thousands": (
        ["time,temp", *(f'{row.split(",")[0]},"1,{i:03d}.5"' for i, row in enumerate(ROWS))],
        "Column 'temp' holds numbers with marks between thousands, such as '1,000.5': write them without the marks.",
    ),
    "units in the cells": (
        ["time,temp", *(f"{row.split(',')[0]},{i / 4} degC" for i, row in enumerate(ROWS))],
        "Column 'temp' holds numbers with 'degC' behind them, such as '0.0 degC': leave the unit out of the cells; it "
        "may stand in the name or in a row of units under the names.",
    ),
    "per cent": (
        ["time,open", *(f"{row.split(',')[0]},{20 + i % 30}%" for i, row in enumerate(ROWS))],
        "Column 'open' holds numbers with '%' behind them, such as '20%': leave the unit out of the cells; it may "
        "stand in the name or in a row of units under the names.",
    ),
    "below detection": (
        [NAMES, *replaced(1, "<0.5", 10)],
        "Column 'temp' holds numbers, and marks of values beyond a limit such as '<0.5': put a number in their place, "
        "such as half of the limit; or call them missing with --missing '<0.5', which loses that they are so low.",
    ),
    "a total below": (
        [NAMES, *ROWS, "Total,,700"],
        "Column 'time' cannot be the clock: row 61 holds 'Total'. A clock holds times such as 2024-01-31 08:00, all "
        "written alike, or evenly spaced numbers.",
    ),
    "cut off": (
        [NAMES, *ROWS, "2024-01-01 15:00,8"],
        "Row 61 below the header of 'in.csv' has 2 cells, and the header has 3: correct the row "
        "('2024-01-01 15:00,8').",
    ),
    "names twice": (
        ["time,temp,temp", *ROWS],
        "Two columns are called 'temp': give each its own name.",
    ),
    "two rows": ([NAMES, *ROWS[:2]], "'in.csv' has 2 rows, and at least 8 are needed: add more."),
    "spaces between cells": (
        ["time temp flow", *(row.replace(" ", "T").replace(",", " ") for row in ROWS)],
        "The cells of 'in.csv' are parted by spaces: use commas, semicolons, tabs or '|'.",
    ),
    "numbers too long": (
        ["time,temp,id", *(f"{row.rsplit(',', 1)[0]},{1234567890123456789 + i}" for i, row in enumerate(ROWS))],
        "Column 'id' holds whole numbers beyond 9007199254740992, which would lose digits: drop it or make it text.",
    ),
    "one row for each tag": (
        ["tag,timestamp,value", *(f"{tag},{row.rsplit(',', 1)[0]}" for row in ROWS for tag in ("TI1", "FI2"))],
        "60 times in 'timestamp' occur more than once, first '2024-01-01 00:00', '2024-01-01 00:15', "
        "'2024-01-01 00:30': if rows belong to several runs, use --run tag; if 'tag' names tags of one plant, give "
        "each a column first: frame.pivot(index='timestamp', columns='tag', values='value').",
    ),
    "the clocks go back": (
        ["time,temp", *(f"{str(t)[:16]},{cell}" for t, cell in zip(SUNDAY, TEMP, strict=True))],
        "1 time in 'time' occurs more than once ('2024-10-27 02:00'): if the clocks go back there, write the times "
        "in UTC or with their offset, such as 02:00+01:00.",
    ),
    "a web page": (["<!DOCTYPE html><html>", "</html>"], f"'in.csv' is a web page or XML, not a CSV: {SAVE}"),
    "JSON": (['[{"time": 1}', "]"], f"'in.csv' is JSON, not a CSV: {SAVE}"),
    "a workbook": (["PK\x03\x04", "x"], f"'in.csv' is an Excel workbook, not a CSV: {SAVE}"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, error = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    put(tmp_path, *lines)
    with pytest.raises(UserError) as raised:
        read("in.csv")
    assert str(raised.value) == error


def test_last_decimals_that_are_always_zero_stay_zero(tmp_path: Path) -> None:
    """A meter that resolves 0.01 and is written with three decimals gets no thousandths."""
    path, out = tmp_path / "t.csv", tmp_path / "out.csv"
    put(
        tmp_path,
        NAMES,
        *(f"{str(t)[:16]},{temp}0,{flow}" for t, temp, flow in zip(TIMES, TEMP, FLOW, strict=True)),
        name="t.csv",
    )
    table = read(path)
    assert table.schema.column("temp").decimals == 2
    write(to_frame(table.schema, table.runs), table.schema, out)
    assert out.read_bytes() == path.read_bytes()
