"""Written whole or not at all, piece by piece, never over an input; and the contract that is checked before."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dowgan.errors import ContractError, OptionError, UserError
from dowgan.table import Run, Table, Writer, check, read, to_frame, write

TEXT = "t,x,n,s\n" + "".join(f"2020-01-{i:02d},{i / 4:.2f},{i * 3 % 7},{'ab'[i % 2]}\n" for i in range(1, 21))


@pytest.fixture
def table(tmp_path: Path) -> Table:
    (tmp_path / "in.csv").write_text(TEXT)
    return read(tmp_path / "in.csv")


@pytest.fixture
def frame(table: Table) -> pd.DataFrame:
    return to_frame(table.schema, table.runs)


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.parquet"])
def test_pieces_make_the_same_file(name: str, table: Table, frame: pd.DataFrame, tmp_path: Path) -> None:
    write(frame, table.schema, tmp_path / name)
    with Writer(table.schema, tmp_path / ("pieces-" + name)) as writer:
        for at in range(0, len(frame), 6):
            writer.append(frame.iloc[at : at + 6].reset_index(drop=True))
    if name.endswith("parquet"):
        pieces = pd.read_parquet(tmp_path / ("pieces-" + name))
        pd.testing.assert_frame_equal(pieces, pd.read_parquet(tmp_path / name))
        pd.testing.assert_frame_equal(pieces, frame)
    else:
        assert (tmp_path / ("pieces-" + name)).stat().st_size
        read_back = [read(tmp_path / (part + name)).digest for part in ("", "pieces-")]
        assert read_back == [table.digest] * 2


def test_same_bytes_each_time(table: Table, frame: pd.DataFrame, tmp_path: Path) -> None:
    for name in ("a.csv.gz", "b.csv.gz"):
        write(frame, table.schema, tmp_path / name)
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.parquet"])
@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_after_a_failure(name: str, failure, table: Table, frame: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / name).write_text("precious")

    def fail() -> None:
        with Writer(table.schema, tmp_path / name) as writer:
            writer.append(frame)
            raise failure

    with pytest.raises(failure):
        fail()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["in.csv", name])
    assert (tmp_path / name).read_text() == "precious"


def test_a_full_disk(table: Table, frame: pd.DataFrame, tmp_path: Path, monkeypatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError) as raised:
        write(frame, table.schema, tmp_path / "out.csv")
    assert str(raised.value) == (
        f"'{tmp_path}/out.csv' cannot be written (No space left on device): free the place or give another one."
    )
    assert [p.name for p in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("in.csv", "'in.csv' is an input, which is never overwritten: give another name."),
        ("./in.csv", "'./in.csv' is an input, which is never overwritten: give another name."),
        ("out.xlsx", "'out.xlsx' is no kind of table that can be written: it must end in .csv, .csv.gz, .tsv, .tsv.gz, "
         ".txt, .txt.gz, .parquet, .pq."),
        ("folder.csv", "'folder.csv' is a folder: give a file name in it."),
        ("none/out.csv", "There is no folder 'none': make it first."),
    ],
)  # fmt: skip
def test_places_that_cannot_be(
    path: str, error: str, table: Table, frame: pd.DataFrame, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.csv").mkdir()
    with pytest.raises(OptionError) as raised:
        write(frame, table.schema, path, forbidden=["in.csv"])
    assert str(raised.value) == error
    assert Path("in.csv").read_text() == TEXT


def test_a_table_from_a_frame_as_csv(tmp_path: Path) -> None:
    index = pd.date_range("2021-03-27 22:00", periods=10, freq="h", tz="Europe/Berlin", name="when")
    frame = pd.DataFrame(
        {"x": np.arange(10) / 8, "n": pd.array([1, None, *range(8)], dtype="Int64"), "b": [True, False] * 5},
        index=index,
    )
    write(frame, read(frame).schema, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[:6] == [
        "when,x,n,b",
        "2021-03-27 22:00:00+01:00,0.0,1,True",
        "2021-03-27 23:00:00+01:00,0.125,,False",
        "2021-03-28 00:00:00+01:00,0.25,0,True",
        "2021-03-28 01:00:00+01:00,0.375,1,False",
        "2021-03-28 03:00:00+02:00,0.5,2,True",
    ]
    again = read(tmp_path / "out.csv")
    assert (again.schema.clock.tz, again.schema.clock.step) == ("Europe/Berlin", "1h")


def test_bands_and_labels_beside_the_table(table: Table, frame: pd.DataFrame, tmp_path: Path) -> None:
    wide = to_frame(table.schema, table.runs * 2, lead=("path", [0, 1]))
    check(wide, table.schema, rows=40, lead="path")
    wide["x_lo90"] = wide["x"] - 0.001
    write(wide, table.schema, tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[:2] == ["path,t,x,n,s,x_lo90", "0,2020-01-01,0.25,3,b,0.25"]
    assert lines[21] == "1,2020-01-01,0.25,3,b,0.25"


@pytest.mark.parametrize("pandas", [True, False])
def test_parquet_keeps_its_types(pandas: bool, tmp_path: Path) -> None:
    import decimal

    import pyarrow as pa
    import pyarrow.parquet as pq

    cells = pa.table(
        {
            "day": pa.array(pd.date_range("2020", periods=9).date),
            "money": pa.array([decimal.Decimal(i) / 4 for i in range(9)], pa.decimal128(9, 2)),
            "n": pa.array([1, None, 3, 4, 5, 6, 7, 8, 9], pa.int16()),
            "f": pa.array(np.arange(9) / 3, pa.float32()),
            "s": pa.array(list("aabbaabba")).dictionary_encode(),
        }
    )
    if pandas:
        cells = pa.Table.from_pandas(cells.to_pandas())
    pq.write_table(cells, tmp_path / "in.parquet")
    table = read(tmp_path / "in.parquet")
    write(to_frame(table.schema, table.runs), table.schema, tmp_path / "out.parquet")
    back = pq.read_table(tmp_path / "out.parquet")
    came = pq.read_table(tmp_path / "in.parquet")
    assert back.schema.equals(came.schema)
    assert back.to_pydict() == came.to_pydict()
    assert bool(back.schema.metadata) == pandas


def test_values_are_brought_within_their_rules(table: Table) -> None:
    run = table.runs[0]
    wild = np.tile([[-3.0, 2.6, 1.7], [1.23456, -4.0, -1.0]], (4, 1))
    frame = to_frame(table.schema, [Run(run.key, run.start, 0, wild)])
    assert frame.iloc[:2, 1:].to_numpy().tolist() == [[0.0, 3, "b"], [1.25, 0, "a"]]
    check(frame, table.schema, rows=8)


def broken(frame: pd.DataFrame, column: str, row: int, value: object) -> pd.DataFrame:
    frame = frame.copy()
    frame.loc[row, column] = value
    return frame


BREACHES = {
    "columns": (
        lambda f: f[["t", "n", "x", "s"]],
        "The columns are t, n, x, s, and they must be t, x, n, s.",
    ),
    "rows": (lambda f: f.iloc[:19], "There are 19 rows, and there must be 20."),
    "dtype": (lambda f: f.astype({"n": "float64"}), "Column 'n' is float64, and it must be int64."),
    "decimals": (
        lambda f: broken(f, "x", 3, 1.234),
        "Column 'x' holds 1.234, which has more than 2 decimals.",
    ),
    "bound": (lambda f: broken(f, "n", 3, -1), "Column 'n' holds -1, below its bound of 0."),
    "infinite": (lambda f: broken(f, "x", 3, np.inf), "Column 'x' is infinite."),
    "category": (lambda f: broken(f, "s", 3, "c"), "Column 's' holds 'c', which is none of its categories."),
    "clock": (
        lambda f: broken(f, "t", 3, pd.Timestamp("2020-01-03")),
        "The clock in 't' does not go on in steps of D: after 2020-01-03 00:00:00 comes 2020-01-03 00:00:00.",
    ),
    "a gap": (
        lambda f: broken(f, "t", 19, pd.Timestamp("2021")),
        "The clock in 't' does not go on in steps of D.",
    ),
    "index": (lambda f: f.set_index(f.index + 0.5), "The index is a Index, and it must be a RangeIndex."),
    "index name": (lambda f: f.rename_axis("row"), "The index is called 'row', and it must be None."),
}


@pytest.mark.parametrize("case", BREACHES)
def test_breaches_of_the_contract(case: str, table: Table, frame: pd.DataFrame) -> None:
    breach, error = BREACHES[case]
    with pytest.raises(ContractError) as raised:
        check(breach(frame), table.schema, rows=20)
    assert str(raised.value) == error


def test_whole_numbers_have_no_room_for_missing_ones(table: Table) -> None:
    run = table.runs[0]
    with pytest.raises(ContractError) as raised:
        to_frame(table.schema, [replace(run, values=np.full((8, 3), np.nan))])
    assert str(raised.value) == "Column 'n' (int64) would get 8 missing values."
