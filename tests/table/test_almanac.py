"""Columns that the clock tells, and clocks that stand in several columns."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan.errors import DataError, OptionError
from dowgan.table import read, refined, to_frame, write
from dowgan.table.summary import clock_line
from small_tables import waves

HOURS = pd.date_range("2023-11-14 05:00", periods=24 * 45, freq="h")


def wave(times: pd.DatetimeIndex) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.round(5 + np.sin(2 * np.pi * times.hour / 24) + rng.normal(0, 0.3, len(times)), 2)


def told(frame: pd.DataFrame) -> dict[str, str]:
    return {column.name: column.told for column in read(frame).schema.columns if column.told}


def apart(times: pd.DatetimeIndex, parts: str = "year month day hour") -> pd.DataFrame:
    columns = {part: getattr(times, part) for part in parts.split()}
    return pd.DataFrame(columns | {"x": wave(times)})


def test_a_clock_in_parts(tmp_path: Path) -> None:
    apart(HOURS).to_csv(tmp_path / "t.csv", index=False)
    model = dowgan.Synthesizer(random_state=0).fit(tmp_path / "t.csv")
    assert model.schema.clock.step == "1h"
    later = pd.date_range(HOURS[-1] + pd.Timedelta("1h"), periods=24 * 10, freq="h")
    made = model.extend(steps=len(later), paths=3).median
    assert later.year.nunique() == 2
    for part in ("year", "month", "day", "hour"):
        assert np.array_equal(made[part], getattr(later, part)), part
        assert made[part].dtype == np.int64


def test_the_text_comes_back(tmp_path: Path) -> None:
    frame = pd.DataFrame({
        "Date": HOURS.strftime("%d/%m/%Y"), "Time": HOURS.strftime("%H:%M:%S"), "x": wave(HOURS),
        "shift": np.array(["night", "early", "late"])[HOURS.hour // 8],
    })  # fmt: skip
    path, out = tmp_path / "t.csv", tmp_path / "out.csv"
    frame.to_csv(path, index=False)
    table = read(path)
    write(to_frame(table.schema, table.runs), table.schema, out)
    assert out.read_bytes() == path.read_bytes()
    assert [c.name for c in table.schema.channels] == ["x", "shift"]  # which is a schedule
    assert table.schema.clock.parts == ("Date", "Time")


def test_what_follows_the_clock() -> None:
    frame = pd.DataFrame({"x": wave(HOURS)}, index=HOURS)
    frame["hour"], frame["dow"], frame["month_from_0"] = HOURS.hour, HOURS.dayofweek + 1, HOURS.month - 1
    frame["weekend"] = HOURS.dayofweek >= 5
    frame["tariff"] = np.where((HOURS.dayofweek < 5) & (HOURS.hour >= 8) & (HOURS.hour < 20), "peak", "low")
    frame["price"] = np.where(HOURS.hour < 6, 0.19, 0.29)
    frame["day"] = HOURS.normalize()
    frame["year"] = 2023
    assert told(frame) == {
        "hour": "hour", "dow": "weekday", "month_from_0": "month", "weekend": "weekday", "tariff": "hour of the week",
        "price": "hour", "day": "date", "year": "year",
    }  # fmt: skip


def test_what_does_not_follow_it() -> None:
    frame = pd.DataFrame({"x": wave(HOURS)}, index=HOURS)
    frame["workday"] = (HOURS.dayofweek < 5) & (HOURS.strftime("%m-%d") != "12-25")
    frame["number"] = np.arange(len(HOURS))
    frame["alarm"] = np.isin(np.arange(len(HOURS)), [100, 101, 102, 300, 301]).astype(int)
    frame["lamp"] = ((HOURS.hour > 7) ^ (np.random.default_rng(0).random(len(HOURS)) < 0.01)).astype(int)
    assert told(frame) == {}


def test_days_that_are_counted_within_one_year_are_counted_on() -> None:
    days = pd.date_range("2024-02-01", periods=60, freq="D")
    frame = pd.DataFrame({"x": wave(days), "number": days.dayofyear}, index=days)
    assert told(frame) == {}
    assert told(frame.rename(columns={"number": "dayofyear"})) == {"dayofyear": "day of the year"}


def test_a_table_of_nothing_else_is_modelled() -> None:
    assert told(pd.DataFrame({"on": (HOURS.hour > 6).astype(int)}, index=HOURS)) == {}


def test_a_start_is_read_in_the_order_of_the_date_column() -> None:
    times = pd.date_range("2023-02-06", periods=40 * 24, freq="h")
    date, hour = times.strftime("%d.%m.%Y"), times.strftime("%H:%M")
    frame = pd.DataFrame({"Datum": date, "Uhrzeit": hour, "x": np.sin(np.arange(len(times)))})
    made = dowgan.Synthesizer("prior", {"calibrated": False}).fit(frame).generate(rows=3, start="01.03.2023 05:00")
    assert made["Datum"].tolist() == ["01.03.2023"] * 3
    assert made["Uhrzeit"].tolist() == ["05:00", "06:00", "07:00"]


@pytest.mark.parametrize(("parts", "step"), [("year month", "MS"), ("year quarter", "QS"), ("year dayofyear", "D")])
def test_parts_without_hours(parts: str, step: str) -> None:
    times = pd.date_range("1999-01-01", periods=60, freq=step)
    table = read(apart(times, parts))
    assert table.schema.clock.step == step
    assert table.runs[0].start == times[0]


def test_hours_from_1_to_24() -> None:
    frame = apart(HOURS)
    frame["hour"] += 1
    table = read(frame)
    assert table.runs[0].start == HOURS[0]
    pd.testing.assert_frame_equal(to_frame(table.schema, table.runs), frame, check_dtype=False)
    few = frame.iloc[2::4].reset_index(drop=True)  # the hours 8, 12, 16 and so on, of which none is 24
    again = read(few, schema=table.schema)
    assert again.runs[0].start == HOURS[2]


def test_finer_steps_keep_what_is_told() -> None:
    frame = pd.DataFrame({
        "Date": HOURS.strftime("%d/%m/%Y"), "Time": HOURS.strftime("%H:%M"), "x": wave(HOURS), "hour": HOURS.hour,
    })  # fmt: skip
    schema = read(frame).schema
    finer, notes = refined(schema, 4)
    assert not notes
    table = read(frame)
    run = table.runs[0]
    values = np.repeat(run.values, 4, axis=0)
    made = to_frame(finer, [type(run)(run.key, run.start, run.offset, values)])
    assert made["Time"].iloc[:5].tolist() == ["05:00", "05:15", "05:30", "05:45", "06:00"]
    assert made["hour"].iloc[:5].tolist() == [5, 5, 5, 5, 6]
    assert made["Date"].iloc[19 * 4] == "15/11/2023"
    finest, said = refined(schema, 240)
    assert finest.column("Time").told == "%H:%M:%S"
    assert "written as" in said[0]
    assert "do not tell" in refined(read(apart(HOURS)).schema, 4)[1][0]


def test_a_table_that_breaks_what_is_told() -> None:
    frame = pd.DataFrame({"x": wave(HOURS), "hour": HOURS.hour}, index=HOURS)
    schema = read(frame).schema
    frame.iloc[7, 1] = 5
    with pytest.raises(DataError) as raised:
        read(frame, schema=schema)
    assert str(raised.value) == (
        "'hour' follows the clock in the model's table and not in this one, first in row 8: mend it, "
        "or fit a new model."
    )
    assert "in 1 rows" in " ".join(read(frame, schema=schema, judged=True).notes)


def test_the_finer_of_two_times_is_the_clock(tmp_path: Path) -> None:
    frame = pd.DataFrame({"date": HOURS.strftime("%Y-%m-%d"), "at": HOURS.strftime("%Y-%m-%d %H:%M"), "x": wave(HOURS)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    schema = read(tmp_path / "t.csv").schema
    assert schema.clock.column == "at"
    assert schema.column("date").told == "%Y-%m-%d"


def test_times_that_occur_twice_are_still_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"date": HOURS.strftime("%Y-%m-%d %H:%M"), "index": range(len(HOURS)), "x": wave(HOURS)})
    frame.loc[5, "date"] = frame.loc[4, "date"]
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="occurs more than once"):
        read(tmp_path / "t.csv")


def test_what_is_told_cannot_be_given_otherwise(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"time": HOURS, "x": wave(HOURS), "shift": np.array(["night", "early", "late"])[HOURS.hour // 8]}
    )
    model = dowgan.Synthesizer("prior", ["calibrated=false"]).fit(frame)
    said = "Column 'shift' follows the clock and cannot be given: leave it out, or fit with --condition shift."
    few = frame.iloc[30:40]
    for given in (few.assign(shift="late"), few[["x", "shift"]]):
        with pytest.raises(OptionError) as raised:
            model.generate(given=given)
        assert str(raised.value) == said
    with pytest.raises(OptionError) as raised:
        model.generate(rows=3, where={"shift": "late"})
    assert str(raised.value) == said
    made = model.generate(given=few)
    assert made["shift"].tolist() == few["shift"].tolist()


def test_given_rows_stand_at_the_times_of_a_clock_in_parts() -> None:
    frame = apart(HOURS)
    model = dowgan.Synthesizer("prior", ["calibrated=false"]).fit(frame)
    given = frame.iloc[30:40].reset_index(drop=True)
    made = model.generate(given=given)
    pd.testing.assert_frame_equal(made, given, check_dtype=False)


@pytest.mark.parametrize(("name", "first"), [("hour", 0), ("HourEnding", 1)])
def test_dates_with_the_number_of_the_hour_beside_them(name: str, first: int) -> None:
    """As markets of power write them, from 0 to 23 or from 1 to 24."""
    times = pd.date_range("2024-01-01", periods=24 * 20, freq="h")
    frame = pd.DataFrame({"date": times.strftime("%m/%d/%Y"), name: times.hour + first, "price": waves(480)["slow"]})
    table = read(frame)
    assert table.schema.clock.parts == ("date", name)
    model = dowgan.Synthesizer("prior", {"calibrated": False}).fit(frame)
    made, later = model.generate(rows=100), model.extend(frame, steps=30, paths=3).median
    pd.testing.assert_frame_equal(made[["date", name]], frame[["date", name]].head(100))
    due = pd.date_range("2024-01-21", periods=30, freq="h")
    assert later["date"].tolist() == due.strftime("%m/%d/%Y").tolist()
    assert later[name].tolist() == (due.hour + first).tolist()
    early = frame.iloc[24 * 4 : 24 * 4 + 10].reset_index(drop=True)  # the fifth of January, or the first of May
    assert model.extend(early, steps=1, paths=3).median["date"].tolist() == ["01/05/2024"]
    given = pd.DataFrame({"date": ["03/02/2025"] * 2, name: [7, 8], "price": [1.0, 2.0]})
    assert model.generate(given=given)["date"].tolist() == ["03/02/2025"] * 2


@pytest.mark.parametrize(
    ("zone", "own"), [("America/New_York", ""), ("UTC+03:00", ""), ("UTC-05:00", ""), ("Etc/UTC", "Europe/Berlin")]
)
def test_hours_of_another_zone_are_told_too(zone: str, own: str) -> None:
    """Times in UTC or of a place, and beside them month, day and hour of another one, which has summer time or not."""
    times = pd.date_range("2013-01-01 06:00", periods=2_400, freq="h", tz=own or "UTC")
    there = times.tz_convert(zone)
    frame = pd.DataFrame({"month": there.month, "day": there.day, "hour": there.hour, "time": times})
    frame["temp"] = np.sin(np.arange(2_400) ** 1.1).round(3)
    model = dowgan.Synthesizer("prior", {"calibrated": False}).fit(frame)
    assert {column.zone for column in model.schema.columns if column.told} == {zone}
    for table in (model.generate(rows=3_000), model.extend(steps=1_000).median, model.densify(frame, factor=2)):
        there = table["time"].dt.tz_convert(zone).dt
        assert (table[["month", "day", "hour"]].to_numpy() == np.stack([there.month, there.day, there.hour], 1)).all()


def test_month_and_day_without_a_year() -> None:
    """Some year is taken, a leap year if it has a 29th of February, and it goes on beyond December."""
    for start, leap in (("2023-05-01", False), ("2023-11-01", True)):
        times = pd.date_range(start, periods=300)
        times = times if leap else times[:200]
        table = pd.DataFrame({"Month": times.month, "Day": times.day, "x": wave(times)})
        read_in = read(table)
        assert read_in.schema.clock.parts == ("Month", "Day")
        assert "some year, as none is told" in clock_line(read_in)
        made = dowgan.Synthesizer("prior", {"calibrated": False}).fit(table).generate(rows=500)
        later = pd.date_range("1999-11-01" if leap else "2001-05-01", periods=500)
        assert (made[["Month", "Day"]].to_numpy() == np.stack([later.month, later.day], axis=1)).all()
