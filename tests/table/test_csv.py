"""A CSV in, the same bytes out; what is found out about it on the way."""

import gzip
import io
import math
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from dowgan.errors import DataError
from dowgan.table import Table, check, read, to_frame, write

REAL = {
    "hungary_chickenpox.csv": (),
    "homeostat_cstr_dev.csv.gz": ("run_id",),
    "nylon_batches.csv": ("batch_id",),
    "australia_tourism.csv": ("Region", "State", "Purpose"),
    "air_quality_uci.csv.gz": (),
    "energydata_complete.csv.gz": (),
    "stock_data.csv": (),
    "ETTh1.csv": (),
    "classic_co2.csv": (),
    "classic_sunspots.csv": (),
}


def put(tmp_path: Path, text: str | bytes, name: str = "in.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()


def round_trip(path: Path, **options: object) -> Table:
    """Read, give back, check and write; the bytes must be the same."""
    table = read(path, **options)
    frame = to_frame(table.schema, table.runs)
    check(frame, table.schema, rows=len(frame))
    out = path.parent / ("out-" + path.name)
    write(frame, table.schema, out, forbidden=[path])
    assert unpacked(out).decode("latin-1") == unpacked(path).decode("latin-1")
    return table


def rows(line: str, n: int = 12, separator: str = ",") -> str:
    """Lines with {i} and {v} filled in."""
    return "".join(line.format(i=i, v=((i * 7) % 11) / 2, w=(i * 5) % 13) for i in range(n))


@pytest.mark.parametrize("name", REAL)
def test_real_files_come_back_byte_for_byte(name: str, data, tmp_path: Path) -> None:
    path = data(name)
    copy = put(tmp_path, path.read_bytes(), name)
    round_trip(copy, runs=REAL[name])


def test_real_parquet_comes_back(data, tmp_path: Path) -> None:
    table = read(data("tep_braatz.parquet"), runs=("fault", "split"))
    write(to_frame(table.schema, table.runs), table.schema, tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "out.parquet"), pd.read_parquet(data("tep_braatz.parquet"))
    )
    assert (len(table.runs), table.schema.clock.step, table.runs[0].values.shape) == (44, 3, (500, 52))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_separators(separator: str, newline: str, tmp_path: Path) -> None:
    text = "time,a,b\n" + rows("2020-01-01 {i:02d}:00:00,{v},{w}\n")
    text = text.replace(",", separator).replace("\n", newline)
    table = round_trip(put(tmp_path, text))
    assert (table.schema.clock.step, table.schema.source.separator) == ("1h", separator)


def test_decimal_comma(tmp_path: Path) -> None:
    text = "Zeit;Druck;Menge\n" + rows("{i:02d}.03.2020 00:00;{v};{w}\n".replace("{i:02d}", "1{i:d}"), 9)
    text = text.replace(".", ",").replace(",03,2020", ".03.2020")
    table = round_trip(put(tmp_path, text))
    assert table.schema.source.decimal == ","
    assert table.schema.column("Druck").decimals == 1
    assert table.runs[0].values[1, 0] == 3.5


def test_decimal_comma_between_commas_is_quoted(tmp_path: Path) -> None:
    text = "t,x\n" + "".join(f'{i},"{i // 2},{i % 2}5"\n' for i in range(9))
    assert round_trip(put(tmp_path, text)).runs[0].values[3, 0] == 1.15


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    text = "Zeit,Temperatur °C,Ventil\n" + rows("2020-01-01T00:{i:02d},{v},").replace(",2020", ",öffen\n2020") + "zü\n"
    table = round_trip(put(tmp_path, text.encode(encoding)))
    assert table.schema.columns[1].name == "Temperatur °C"
    assert table.schema.column("Ventil").levels == ("zü", "öffen")


def test_units_row(tmp_path: Path) -> None:
    text = "time;TI101;FI202;state\n;°C;m3/h;\n" + rows("2020-01-01 00:{i:02d};{v};{w};run\n")
    table = round_trip(put(tmp_path, text))
    assert table.schema.source.units == ("", "°C", "m3/h", "")
    assert table.rows == 12


def test_decimal_commas_are_found_behind_a_long_standstill(tmp_path: Path) -> None:
    flow = [0.0] * 260 + [i / 4 for i in range(40)]
    text = "day;flow\n" + "".join(f"{i};{v:g}\n".replace(".", ",") for i, v in enumerate(flow))
    table = read(put(tmp_path, text))
    assert table.schema.source.decimal == ","
    assert table.runs[0].values[-1, 0] == 9.75


def test_a_column_alone_may_have_decimal_commas(tmp_path: Path) -> None:
    table = round_trip(put(tmp_path, "x\n" + "".join(f"{i},{i % 10}\n" for i in range(30))))
    assert table.runs[0].values[7, 0] == 7.7


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\xef\xbb\xbftime,x\xb0\n" + b"1,2\n" * 9, "begins as utf-8 and is not"),
        (b'time,note\n1,"3 in pipe\n' + b"2,fine\n" * 30_000, "has a quotation mark that is not closed"),
    ],
)
def test_what_is_cut_off_is_refused(tmp_path: Path, raw: bytes, said: str) -> None:
    (tmp_path / "cut.csv").write_bytes(raw)
    with pytest.raises(DataError, match=said):
        read(tmp_path / "cut.csv")


def test_no_last_newline_and_quoted_cells(tmp_path: Path) -> None:
    text = '"date","x","name"\n' + "".join(f'"2020-01-{i:02d}",{i / 4:.2f},"a, b{i % 2}"\n' for i in range(1, 13))
    round_trip(put(tmp_path, text))


@pytest.mark.parametrize(
    ("first", "cells"),
    [
        ("fixed", ["0.50", "1.25", "2.00", "3.10"]),
        ("trim", ["0.5", "1.25", "2.0", "3.1"]),
        ("bare", ["0.5", "1.25", "2", "3.1"]),
        ("whole", ["1", "20", "300", "-4"]),
        ("whole as floats", ["1.0", "20.0", "300.0", "-4.0"]),
        ("whole with gaps", ["1", "", "300", "-4"]),
        ("full", ["5.827000141143799", "5.692999839782715", "5.1570000648498535", "5.0900001525878915"]),
        ("small", ["1e-05", "0.25", "2.5e-07", "3.0"]),
        ("plain small", ["0.00001", "0.25000", "0.00020", "3.00000"]),
        ("truth", ["true", "false", "true", "true"]),
        ("TRUTH", ["TRUE", "FALSE", "", "TRUE"]),
        ("words", ["NA", "1.5", "NA", "2.5"]),
        ("NaN", ["NaN", "1.5", "2.25", "2.5"]),
        ("nothing", ["", "", "", ""]),
        ("the same", ["7.50", "7.50", "7.50", "7.50"]),
        ("same text", ["on", "on", "on", "on"]),
        ("labels", ["on", "off", "", "trip"]),
        ("codes", ["A1", "B2", "A1", "-"]),
    ],
)
def test_cells_are_written_as_they_came(first: str, cells: list[str], tmp_path: Path) -> None:
    text = "t,x,y\n" + "".join(f"{i},{cell},{i % 5}.5\n" for i, cell in enumerate(cells * 3))
    round_trip(put(tmp_path, text))


@pytest.mark.parametrize(
    ("text_format", "step"),
    [
        ("%d/%m/%Y", "W-MON"), ("%m/%d/%Y", "W-MON"), ("%d.%m.%Y %H:%M", "15min"), ("%Y%m%d", "D"), ("%Y-%m", "MS"),
        ("%d-%b-%Y %H:%M:%S", "10s"), ("%d-%b-%y", "D"), ("%Y/%m/%d %H:%M", "h"), ("%Y%m%d%H%M", "15min"),
        ("%m/%d/%Y %I:%M %p", "h"), ("%Y-%m-%dT%H:%M:%SZ", "h"), ("%d/%m/%y", "ME"), ("%m/%d/%Y", "MS"),
        ("%d/%m/%Y", "MS"), ("%Y-%m-%d", "QE"), ("%Y-%m-%d", "B"), ("%Y-%m-%d", "YS"),
    ],
)  # fmt: skip
def test_formats_of_time(text_format: str, step: str, tmp_path: Path) -> None:
    times = pd.date_range("2020-03-01", periods=40, freq=step)
    text = "when,x\n" + "".join(f"{t.strftime(text_format)},{i % 7}.5\n" for i, t in enumerate(times))
    table = round_trip(put(tmp_path, text))
    assert table.schema.clock.kind == "datetime"
    assert list(table.schema.clock.times(table.runs[0].start, 40)) == list(times.tz_localize(table.schema.clock.tz))


def test_times_without_leading_zeros(tmp_path: Path) -> None:
    times = pd.date_range("2020-01-01", periods=60, freq="12h")
    text = "date,x\n" + "".join(
        f"{t.month}/{t.day}/{t.year} {t.hour}:{t.minute:02d},{i % 7}\n" for i, t in enumerate(times)
    )
    table = round_trip(put(tmp_path, text))
    assert table.schema.clock.text_format == "%-m/%-d/%Y %-H:%M"


def test_milliseconds(tmp_path: Path) -> None:
    times = pd.date_range("2020-01-01", periods=60, freq="125ms")
    text = "ts,x\n" + "".join(f"{t.isoformat(timespec='milliseconds')},{i % 7}\n" for i, t in enumerate(times))
    assert round_trip(put(tmp_path, text)).schema.clock.step == "125ms"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_offsets_name_the_zone(zone: str, tmp_path: Path) -> None:
    times = pd.date_range("2021-03-01", periods=5000, freq="h", tz=zone)
    text = "time,x\n" + "".join(f"{t.isoformat()},{i % 7}\n" for i, t in enumerate(times))
    clock = round_trip(put(tmp_path, text)).schema.clock
    assert clock.tz == ("UTC+05:30" if zone == "Asia/Kolkata" else zone)


def test_status_words_are_missing(tmp_path: Path) -> None:
    words = ["Bad", "I/O Timeout", "No Data", "NaN", "NA", "", "null", "-", "#N/A"]
    text = "time,TI1\n" + "".join(f"2020-01-01 00:{i:02d},{words[i] if i < 9 else i / 2}\n" for i in range(20))
    table = read(put(tmp_path, text))
    assert np.isnan(table.runs[0].values[:9, 0]).all()
    assert table.schema.column("TI1").missing == 0.45
    assert table.notes == ("4 cells of 'TI1' read as missing: 'Bad', 'I/O Timeout', 'No Data', '-'",)


def test_good_and_bad_are_labels_where_no_numbers_are(tmp_path: Path) -> None:
    text = "t,q,x\n" + "".join(f"{i},{'Bad' if i % 3 else 'Good'},{i % 4}.5\n" for i in range(12))
    assert round_trip(put(tmp_path, text)).schema.column("q").levels == ("Bad", "Good")


def test_none_is_a_label_among_labels_and_missing_elsewhere(tmp_path: Path) -> None:
    rows = [
        f"{i},{'High' if i % 4 == 0 else 'None'},{'None' if i % 3 == 0 else i % 2 > 0},{i if i % 5 else 'None'}\n"
        for i in range(20)
    ]
    schema = round_trip(put(tmp_path, "t,alarm,ok,x\n" + "".join(rows))).schema
    assert schema.column("alarm").levels == ("High", "None")
    assert (schema.column("ok").kind, schema.column("ok").missing) == ("boolean", 0.35)
    assert (schema.column("x").kind, schema.column("x").missing) == ("integer", 0.2)


def test_day_first_is_told_from_month_first_by_the_step(tmp_path: Path) -> None:
    days = "date,x\n" + "".join(f"0{i}/01/2020,{i}\n" for i in range(1, 10))
    table = read(put(tmp_path, days))
    assert table.schema.clock.step == "D"
    assert table.notes == ("'date' may have day and month the other way round; read as %d/%m/%Y",)
    text = "date,x\n" + "".join(f"01/{i:02d}/2020,{i}\n" for i in range(1, 13)) + "01/01/2021,5\n"
    assert read(put(tmp_path, text)).schema.clock.step == "MS"


def test_missing_rows_are_filled(tmp_path: Path) -> None:
    lines = [f"2020-01-01 {i:02d}:00,{i},x{i % 2}\n" for i in range(24) if i not in (3, 4, 9)]
    table = read(put(tmp_path, "t,n,s\n" + "".join(lines)))
    assert table.notes == ("3 missing times filled with empty rows",)
    assert table.rows == 24
    assert np.flatnonzero(np.isnan(table.runs[0].values[:, 0])).tolist() == [3, 4, 9]
    frame = to_frame(table.schema, table.runs)
    assert (str(frame.n.dtype), frame.n[5], frame.s[3] is np.nan) == ("float64", 5.0, True)
    write(frame, table.schema, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[3:6] == [
        "2020-01-01 02:00,2,x0",
        "2020-01-01 03:00,,",
        "2020-01-01 04:00,,",
    ]


def test_unsorted_rows_are_sorted(tmp_path: Path) -> None:
    table = read(put(tmp_path, "t,n\n" + "".join(f"2020-01-{i:02d},{i}\n" for i in range(20, 0, -1))))
    assert table.notes == ("rows sorted by time",)
    assert table.runs[0].values[:3, 0].tolist() == [1, 2, 3]


def test_index_column_of_pandas(tmp_path: Path) -> None:
    assert round_trip(put(tmp_path, ",x\n" + rows("{i},{v}\n"))).schema.clock.column == ""


def test_trailing_separators_and_empty_rows(tmp_path: Path) -> None:
    text = "date;x;;\n" + "".join(f"2020-01-{i:02d};{i};;\n" for i in range(1, 13)) + ";;;\n;;;\n"
    table = read(put(tmp_path, text))
    assert table.notes == ("2 empty columns without a name are left out", "2 empty rows are left out")
    assert table.rows == 12


def test_one_column(tmp_path: Path) -> None:
    round_trip(put(tmp_path, "x\n" + rows("{v}\n")))


def test_newline_in_a_cell(tmp_path: Path) -> None:
    round_trip(put(tmp_path, "t,s,x\n" + "".join(f'{i},"a\nb{i % 2}",{i % 3}.5\n' for i in range(10))))


def test_stdin_and_stdout(monkeypatch, tmp_path: Path, capfdbinary) -> None:
    text = b"t,x\n" + b"".join(b"%d,%d.5\n" % (i, i % 4) for i in range(10))

    class Stdin:
        buffer = io.BytesIO(text)

    monkeypatch.setattr("sys.stdin", Stdin)
    table = read("-")
    write(to_frame(table.schema, table.runs), table.schema, "-")
    assert capfdbinary.readouterr().out == text


def test_codes_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    codes = ("0417", "1033", "0999")
    rows = "".join(f"{i},{codes[i % 3]},{i % 2}.5\n" for i in range(40))
    assert round_trip(put(tmp_path, "t,code,x\n" + rows)).schema.column("code").levels == tuple(sorted(codes))
    counted = "".join(f"{i},{i:04d}\n" for i in range(40))
    assert read(put(tmp_path, "t,code\n" + counted)).schema.column("code").kind == "integer"  # too many for names


def test_run_names_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    text = "batch,x\n" + "".join(f"{i // 6:03d},{i % 4}.5\n" for i in range(18))
    table = round_trip(put(tmp_path, text), runs=["batch"])
    assert [run.key for run in table.runs] == [("000",), ("001",), ("002",)]


def test_speed(data, tmp_path: Path) -> None:
    import time

    began = time.perf_counter()
    read(data("ETTh1.csv"))
    read(data("energydata_complete.csv.gz"))
    assert time.perf_counter() - began < 3


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    columns=st.lists(
        st.tuples(st.integers(0, 6), st.lists(st.integers(-9999, 9999), min_size=12, max_size=12)),
        min_size=1,
        max_size=4,
    ),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    comma=st.booleans(),
)
def test_any_fixed_decimals(columns, separator: str, comma: bool, tmp_path: Path) -> None:
    columns[0][1][0] = columns[0][1][1] + 1  # one column varies
    cells = [[f"{v / 10**d:.{d}f}" for v in values] for d, values in columns]
    lines = [separator.join(["t", *(f"c{i}" for i in range(len(cells)))])]
    lines += [separator.join([str(i), *row]) for i, row in enumerate(zip(*cells, strict=True))]
    text = "\n".join(lines) + "\n"
    if comma and separator != ",":
        text = text.replace(".", ",")
    if "-0" in text.replace(",", "."):  # a written negative zero is read as one
        text = text.replace("-0\n", "0\n")
    round_trip(put(tmp_path, text))


def test_levels_and_bounds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    flow = np.clip(rng.normal(5, 4, 500), 0, 8).round(2)
    lines = [f"{i},{flow[i]},{(70, 75, 80)[i // 50 % 3]},{rng.normal():.3f}" for i in range(500)]
    schema = read(put(tmp_path, "t,flow,sp,x\n" + "\n".join(lines))).schema
    assert (schema.column("flow").lower, schema.column("flow").upper) == (0.0, 8.0)
    assert schema.column("sp").levels == (70, 75, 80)
    assert schema.column("x").lower is None
    assert math.isclose(schema.column("x").missing, 0)


@pytest.mark.parametrize("clock", [True, False])
def test_labels_that_may_be_those_of_runs_are_named(tmp_path: Path, clock: bool) -> None:
    frame = pd.DataFrame({"batch": np.repeat(["B1", "B2", "B3"], 10), "x": np.arange(30) % 7})
    grade = np.repeat(["a", "b", "a"], 10)
    said = "'batch' has one value after another; if these are runs, say --run batch"
    if not clock:
        assert read(frame).notes == (said,)
        assert read(frame, runs=["batch"]).notes == ()
        assert read(frame.assign(batch=grade)).notes == ()
        return
    even = pd.date_range("2024-01-01", periods=30, freq="h")
    apart = even + pd.to_timedelta(np.repeat([0, 5, 9], 10), "h")
    assert read(frame.assign(time=even)).notes == ()
    assert read(frame.assign(time=apart)).notes == ("9 missing times filled with empty rows", said)
    assert read(frame.assign(time=apart, batch=grade)).notes == ("9 missing times filled with empty rows",)
