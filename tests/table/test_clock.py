"""The clock: built, continued, made finer; every old time is kept."""

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from dowgan.errors import OptionError
from dowgan.table import Clock, check, read, refined, to_frame
from dowgan.table.calendar import name, parse
from dowgan.table.stamps import extend, readings, render

STARTS = {
    "ME": "2020-01-31",
    "QE": "2020-03-31",
    "YE": "2019-12-31",
    "W-MON": "2020-01-06",
    "B": "2020-01-06",
}
STEPS = ["250ms", "10min", "h", "D", "W-MON", "MS", "ME", "QS", "QE", "YS", "YE", "B"]


def clock(step: str, tz: str | None = None) -> Clock:
    return Clock("datetime", "t", step=step, tz=tz)


def start(step: str, tz: str | None = None) -> pd.Timestamp:
    return pd.Timestamp(STARTS.get(step, "2020-01-01"), tz=tz)


@pytest.mark.parametrize("tz", [None, "UTC", "Europe/Berlin"])
@pytest.mark.parametrize("step", STEPS)
def test_times_are_those_of_pandas(step: str, tz: str | None) -> None:
    due = pd.date_range(start(step, tz), periods=60, freq=step, unit="us")
    assert clock(step, tz).times(start(step, tz), 60).equals(due)
    assert clock(step, tz).after(due[9], 5).equals(due[10:15])
    assert clock(step, tz).steps_between(due[3], due[40]) == 37
    assert clock(step, tz).steps_between(due[40], due[3]) == -37


@pytest.mark.parametrize("tz", [None, "Europe/Berlin"])
@pytest.mark.parametrize("factor", [2, 3, 4, 7, 12, 24])
@pytest.mark.parametrize("step", STEPS)
def test_a_finer_clock_keeps_every_time(step: str, factor: int, tz: str | None) -> None:
    coarse, fine = clock(step, tz), clock(step, tz).finer(factor)
    times = fine.times(start(step, tz), 40 * factor)
    assert times[::factor].equals(coarse.times(start(step, tz), 40))
    assert times.is_monotonic_increasing
    assert times.is_unique
    assert np.array_equal(fine.positions(times[0], times), np.arange(40 * factor))


@pytest.mark.parametrize(
    ("step", "factor", "finer"),
    [("QS", 3, "MS"), ("QE", 3, "ME"), ("YS", 12, "MS"), ("YS", 4, "QS"), ("YE", 4, "QE"), ("YE", 12, "ME"),
     ("D", 24, "1h"), ("W-MON", 7, "D"), ("h", 4, "15min"), ("10min", 10, "1min"), ("250ms", 1000, "250us"),
     ("W-MON", 14, "12h"),
     ("6MS", 2, "QS")],
)  # fmt: skip
def test_finer_steps_of_the_calendar(step: str, factor: int, finer: str) -> None:
    fine = clock(step).finer(factor)
    assert (fine.step, fine.divide) == (finer, 1)


def test_months_are_cut_into_equal_parts_where_the_calendar_has_none() -> None:
    fine = clock("MS").finer(4)
    times = fine.times(pd.Timestamp("2021-02-01"), 5)
    assert list(times) == [pd.Timestamp(2021, 2, day) for day in (1, 8, 15, 22)] + [pd.Timestamp(2021, 3, 1)]


def test_counters() -> None:
    assert Clock("integer", "t", step=6).finer(3) == Clock("integer", "t", step=2)
    fine = Clock("integer", "year", step=1).finer(4)
    assert (fine.kind, fine.step, fine.decimals) == ("float", 0.25, 2)
    assert fine.times(1700, 5).tolist() == [1700, 1700.25, 1700.5, 1700.75, 1701]
    assert Clock("float", "t", step=0.1, decimals=1).times(0.0, 4).tolist() == [0, 0.1, 0.2, 0.3]
    assert Clock("row").finer(4).times(10, 3).tolist() == [10, 11, 12]


@pytest.mark.parametrize(
    ("step", "periods"),
    [("h", (24, 168, 8766)), ("W-MON", (52.1775,)), ("MS", (12,)), ("ME", (12,)), ("QS", (4,)), ("5min", (288, 2016)),
     ("B", (5, 261)), ("YS", ()), ("D", (7, 365.243))],
)  # fmt: skip
def test_seasons(step: str, periods: tuple[float, ...]) -> None:
    assert clock(step).periods() == periods


def test_row_numbers_have_no_season() -> None:
    assert Clock("row").periods() == Clock("integer", step=5).periods() == ()


@pytest.mark.parametrize(
    ("step", "every", "factor"),
    [("h", "10min", 6), ("h", "1h", 1), ("D", "1h", 24), ("W-MON", "1D", 7), ("QS", "MS", 3), ("YS", "1Q", 4),
     ("h", "5 minutes", 12), ("h", "30s", 120), ("2h", "0.5h", 4)],
)  # fmt: skip
def test_factor(step: str, every: str, factor: int) -> None:
    assert clock(step).factor(every) == factor


@pytest.mark.parametrize(
    ("of", "every", "text"),
    [
        (
            clock("h"),
            "7min",
            "'7min' does not divide the step of h into equal parts; allowed are 30min, 20min, 15min, 12min, "
            "10min or "
            "another part.",
        ),
        (
            clock("h"),
            "often",
            "'often' is no step of time; write a number and a unit, such as 10min, 1h, 1D, 1W or 1MS.",
        ),
        (
            clock("MS"),
            "1D",
            "'1D' does not divide the step of MS into equal parts; allowed are whole factors only: use --factor.",
        ),
        (Clock("row"), "1h", "Step '1h' needs a clock, and this table has none: use --factor instead."),
        (
            Clock("integer", "t", step=5),
            "2",
            "'2' does not divide the step of 5 into equal parts; allowed are numbers such as 2.5, 1.66667, 1.25, "
            "1, 0.5.",
        ),
    ],
)
def test_factors_that_are_none(of: Clock, every: str, text: str) -> None:
    with pytest.raises(OptionError) as error:
        of.factor(every)
    assert str(error.value) == text


def test_factor_below_one() -> None:
    with pytest.raises(OptionError) as error:
        clock("h").finer(0)
    assert str(error.value) == "The factor is 0; it must be a whole number from 1 up."


def test_times_end() -> None:
    with pytest.raises(OptionError) as error:
        Clock("datetime", "t", step="YS", unit="ns").times(pd.Timestamp("2020-01-01"), 300)
    assert str(error.value) == (
        "300 steps of YS from 2020-01-01 end in the year 2319, and times end in 2261: ask for fewer rows."
    )
    assert clock("YS").times(pd.Timestamp("2020-01-01"), 300)[-1].year == 2319


@pytest.mark.parametrize(
    ("of", "value"),
    [(clock("h", "Europe/Berlin"), pd.Timestamp("2021-10-31 01:30Z").tz_convert("Europe/Berlin")),
     (clock("D"), pd.Timestamp("2020")),
     (Clock("integer"), 7), (Clock("float"), 0.1), (Clock("row"), 3)],
)  # fmt: skip
def test_values_as_json(of: Clock, value: object) -> None:
    assert of.decode(of.encode(value)) == value
    assert str(of.decode(of.encode(value))) == str(value)


def test_a_start_that_is_none() -> None:
    with pytest.raises(OptionError) as error:
        clock("h").decode("soon")
    assert str(error.value) == (
        "'soon' is no value of this clock; it must be a time such as 2024-01-31 or 2024-01-31T08:00."
    )


@given(
    st.sampled_from(["h", "min", "s", "ms", "us", "ns", "D", "B", "MS", "ME", "QS", "QE", "YS", "YE"]),
    st.integers(1, 99),
)
def test_names_of_steps_are_read_again(unit: str, count: int) -> None:
    step = parse(f"{count}{unit}")
    assert step is not None
    assert parse(name(step)) == step
    assert parse(name(step, weekday=2)) == step


@settings(deadline=None)
@given(
    st.datetimes(pd.Timestamp("1901-01-01"), pd.Timestamp("2099-01-01")),
    st.sampled_from(
        [
            "%Y-%m-%d",
            "%d.%m.%Y %H:%M:%S",
            "%Y-%m-%dT%H:%M:%S.%3f",
            "%m/%d/%Y %I:%M %p",
            "%d-%^b-%Y",
            "%Y%m%d",
            "%-d/%-m/%Y",
        ]
    ),
)
def test_what_is_rendered_is_read_again(moment, text_format: str) -> None:
    times = pd.date_range(moment, periods=40, freq="D")
    texts = render(times, text_format)
    assert any(render(r.times, r.text_format) == texts for r in readings(texts))


@pytest.mark.parametrize(
    ("first", "step", "text_format", "texts"),
    [
        ("2005-03-01", "MS", "%b %Y", ["Mar 2005", "Apr 2005"]),
        ("2005-05-01", "MS", "%B %Y", ["May 2005", "June 2005"]),
        ("2005-11-01", "MS", "%^b-%y", ["NOV-05", "DEC-05"]),
        ("2005-11-01", "MS", "%Y %b", ["2005 Nov", "2005 Dec"]),
        ("2005-11-01", "MS", "%YM%m", ["2005M11", "2005M12"]),
        ("2005-07-01", "QS", "%YQ%q", ["2005Q3", "2005Q4"]),
        ("2005-07-01", "QS", "%Y-Q%q", ["2005-Q3", "2005-Q4"]),
        ("2005-07-01", "QS", "Q%q %Y", ["Q3 2005", "Q4 2005"]),
        ("2020-12-21", "W-MON", "%G-W%V", ["2020-W52", "2020-W53"]),
        ("2020-12-21", "W-MON", "%G W%V", ["2020 W52", "2020 W53"]),
    ],
)
def test_periods_without_a_day_are_a_clock(first: str, step: str, text_format: str, texts: list[str]) -> None:
    times = pd.date_range(first, periods=16, freq=step)
    written = render(times, text_format)
    assert written[:2] == texts
    table = read(pd.DataFrame({"when": written, "x": np.arange(16) * 0.5}))
    clock = table.schema.clock
    assert (clock.column, clock.step, clock.text_format) == ("when", step, text_format)
    assert table.runs[0].start == times[0]
    assert clock.typed(texts[1]) == times[1]
    assert to_frame(table.schema, table.runs)["when"].tolist() == written


@pytest.mark.parametrize(
    ("text_format", "seconds", "finer"),
    [("%YQ%q", 0.0, "%Y-%m"), ("%G-W%V", 86400.0, "%Y-%m-%d"), ("%b %Y", 86400.0 * 10, "%Y-%m-%d")],
)
def test_a_finer_period_has_a_date(text_format: str, seconds: float, finer: str) -> None:
    assert extend(text_format, seconds, whole=True) == finer


@pytest.mark.parametrize(
    ("times", "factor", "last", "notes"),
    [
        (
            pd.date_range("2020", periods=9, freq="D").strftime("%d/%m/%Y"),
            4,
            "09/01/2020 18:00",
            ("times in 't' are written as %d/%m/%Y %H:%M instead of %d/%m/%Y",),
        ),
        (pd.date_range("2020", periods=9, freq="W-MON").strftime("%d/%m/%Y"), 7, "08/03/2020", ()),
        (
            pd.date_range("2020", periods=9, freq="h").strftime("%Y-%m-%d %H:%M"),
            120,
            "2020-01-01 08:59:30",
            ("times in 't' are written as %Y-%m-%d %H:%M:%S instead of %Y-%m-%d %H:%M",),
        ),
        (
            pd.date_range("2020", periods=9, freq="D").strftime("%Y%m%d"),
            2,
            "202001091200",
            ("times in 't' are written as %Y%m%d%H%M instead of %Y%m%d",),
        ),
        (pd.date_range("2020", periods=9, freq="QS").strftime("%Y-%m"), 3, "2022-03", ()),
        (np.arange(1700, 1709), 4, 1708.75, ("'t' becomes fractional: its step is 0.25",)),
        (np.arange(0, 90, 10), 5, 88, ()),
        (np.arange(9) * 0.5, 5, 4.4, ()),
    ],
)
def test_a_finer_table(times: object, factor: int, last: object, notes: tuple[str, ...]) -> None:
    frame = pd.DataFrame({"t": np.asarray(times), "x": np.arange(9) * 0.5})
    table = read(frame)
    schema, said = refined(table.schema, factor)
    assert said == notes
    run = table.runs[0]
    fine = to_frame(schema, [type(run)(run.key, run.start, 0, np.repeat(run.values, factor, axis=0))])
    check(fine, schema, rows=9 * factor)
    assert fine["t"].iloc[-1] == last
    if not notes:
        assert fine["t"].iloc[::factor].tolist() == frame["t"].tolist()


def test_amounts_per_row_are_pointed_out() -> None:
    """Nothing that was given is changed, so a count of a week is none of a day in the rows between."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.poisson(2.0, (60, 5)), columns=list("abcde")).assign(x=rng.normal(5, 1, 60))
    _, said = refined(read(frame).schema, 7)
    assert said == (
        "'a', 'b', 'c' and 2 more: what is counted per row, such as pieces, is still per old step in the new rows, not "
        "1/7 of it",
    )
    assert refined(read(frame).schema, 1)[1] == ()
    assert refined(read(frame[["x"]]).schema, 7)[1] == ()


def test_a_finer_index_keeps_a_freq() -> None:
    frame = pd.DataFrame({"x": np.arange(20.0)}, index=pd.date_range("2020", periods=20, freq="h", tz="Europe/Berlin"))
    table = read(frame)
    schema, _ = refined(table.schema, 4)
    run = table.runs[0]
    fine = to_frame(schema, [type(run)((), run.start, 0, np.repeat(run.values, 4, axis=0))])
    assert fine.index.equals(pd.date_range("2020", periods=80, freq="15min", tz="Europe/Berlin"))
    assert fine.index.freqstr == "15min"


@pytest.mark.parametrize(
    ("text", "text_format", "read"),
    [
        ("05.03.2024", "%d.%m.%Y %H:%M", "2024-03-05"),
        ("05.03.2024 10:15", "%d.%m.%Y %H:%M", "2024-03-05 10:15"),
        ("03/05/2024 4:30 PM", "%m/%d/%Y %I:%M %p", "2024-03-05 16:30"),
        ("2024-03-05", "%d.%m.%Y", "2024-03-05"),
        ("2024-03-05", None, "2024-03-05"),
    ],
)
def test_a_typed_time_has_day_and_month_as_the_table_has_them(text: str, text_format: str | None, read: str) -> None:
    assert replace(clock("15min"), text_format=text_format).typed(text) == pd.Timestamp(read)


@pytest.mark.parametrize(
    ("text_format", "step", "wider"),
    [
        ("%m/%d/%Y %I:%M %p", 450.0, "%m/%d/%Y %I:%M:%S %p"),
        ("%m/%d/%Y %I:%M %p", 300.0, "%m/%d/%Y %I:%M %p"),
        ("%Y-%m-%d %H:%M:%S.%3f", 0.0025, "%Y-%m-%d %H:%M:%S.%6f"),
    ],
)
def test_finer_times_are_written_in_full(text_format: str, step: float, wider: str) -> None:
    assert extend(text_format, step, whole=True) == wider
