"""Clocks that stand out of hours: found, told, counted, made finer."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan.errors import DataError, OptionError
from dowgan.table import Clock, read
from dowgan.table.opening import name, parse

HOURS = pd.date_range("2025-01-06", "2025-03-30", freq="h", unit="us")
DAYTIME = (HOURS.hour >= 8) & (HOURS.hour < 20)
SHOP = HOURS[DAYTIME & (HOURS.dayofweek < 5)]
SATURDAYS = HOURS[(HOURS.dayofweek == 5) & (HOURS.hour >= 9) & (HOURS.hour < 14)]
MINUTES = pd.date_range("2025-01-06", "2025-02-28", freq="5min", unit="us")
FLOOR = MINUTES[(MINUTES.dayofweek < 5) & (MINUTES.hour * 60 + MINUTES.minute >= 570) & (MINUTES.hour < 16)]
DAYS = pd.date_range("2025-01-06", periods=200, freq="D", unit="us")
READINGS = HOURS[:1200][HOURS[:1200].hour.isin([6, 12, 18])]


def clock_of(times: pd.DatetimeIndex) -> Clock:
    return read(pd.DataFrame({"t": times, "x": np.arange(len(times)) * 0.5})).schema.clock


@pytest.mark.parametrize(
    ("times", "step"),
    [
        (SHOP, "1h MON-FRI 08:00-20:00"),
        (SHOP[:84], "1h MON-FRI 08:00-20:00"),
        (SHOP[~SHOP.normalize().isin([pd.Timestamp("2025-02-03")])], "1h MON-FRI 08:00-20:00"),
        (SHOP.union(SATURDAYS), "1h MON-FRI 08:00-20:00, SAT 09:00-14:00"),
        (SHOP[SHOP.hour != 12], "1h MON-FRI 08:00-12:00 13:00-20:00"),
        (SHOP.tz_localize("Europe/Berlin"), "1h MON-FRI 08:00-20:00"),
        (HOURS[HOURS.dayofweek < 5], "1h MON-FRI"),
        (DAYS[DAYS.dayofweek < 6], "D MON-SAT"),
        (DAYS[DAYS.dayofweek < 6].tz_localize("Europe/Berlin"), "D MON-SAT"),
        (DAYS[DAYS.dayofweek.isin([0, 2, 4])], "D MON, WED, FRI"),
        (HOURS[(HOURS.hour < 2) | (HOURS.hour >= 18)], "1h MON-SUN 00:00-02:00 18:00-24:00"),
        (FLOOR, "5min MON-FRI 09:30-16:00"),
        (READINGS, "6h MON-SUN 06:00-24:00"),
    ],
)
def test_hours_are_found(times: pd.DatetimeIndex, step: str) -> None:
    clock = clock_of(times)
    assert clock.step == step
    assert clock.times(times[0], 20)[0] == times[0]
    assert clock.positions(times[0], times) is not None


@pytest.mark.parametrize(
    "times",
    [
        HOURS,
        HOURS[np.random.default_rng(0).random(len(HOURS)) > 0.3],  # gaps by chance
        HOURS[:240].delete(slice(60, 150)),  # one outage
        HOURS[(HOURS.hour != 2)],  # a calibration each night
        HOURS[:72][DAYTIME[:72]],  # three days tell too little
    ],
)
def test_gaps_are_no_closing_times(times: pd.DatetimeIndex) -> None:
    assert clock_of(times).step in ("h", "1h")


def test_business_days_are_called_so() -> None:
    weekdays = DAYS[DAYS.dayofweek < 5]
    assert clock_of(weekdays).step == clock_of(weekdays.delete([30, 31])).step == "B"


def test_times_of_no_grid_are_refused() -> None:
    rng = np.random.default_rng(1)
    times = SHOP + pd.to_timedelta(rng.integers(0, 3000, len(SHOP)), unit="s")
    with pytest.raises(DataError, match="not evenly spaced"):
        clock_of(times)


def test_a_shop_stays_shut_on_sundays() -> None:
    clock = clock_of(DAYS[DAYS.dayofweek < 6])
    assert clock.after(pd.Timestamp("2025-07-19"), 2).tolist() == [
        pd.Timestamp("2025-07-21"),
        pd.Timestamp("2025-07-22"),
    ]
    assert clock.finer(2).times(pd.Timestamp("2025-07-19"), 3)[1:].tolist() == [
        pd.Timestamp("2025-07-19 12:00"),
        pd.Timestamp("2025-07-21"),
    ]
    assert clock.cycles() == (6,)


def test_steps_go_over_nights_and_weekends() -> None:
    clock = clock_of(SHOP)
    assert clock.times(SHOP[0], len(SHOP)).equals(SHOP)
    assert clock.after(SHOP[-1], 1)[0] == pd.Timestamp("2025-03-31 08:00")
    assert clock.steps_between(SHOP[3], SHOP[400]) == 397
    assert clock.steps_between(SHOP[400], SHOP[3]) == -397
    assert clock.steps_between(SHOP[0], pd.Timestamp("2025-01-11 13:00")) == 59  # a Saturday: the last row before
    assert not clock.has(SHOP[0], pd.Timestamp("2025-01-08 21:00"))
    assert clock.periods() == (12, 60, 3130.65)
    assert clock_of(SHOP.union(SATURDAYS)).cycles() == (65,)


def test_summer_time_shifts_no_hour() -> None:
    times = clock_of(SHOP.tz_localize("Europe/Berlin")).times(SHOP.tz_localize("Europe/Berlin")[-1], 14)
    assert times[1] == pd.Timestamp("2025-03-31 08:00", tz="Europe/Berlin")
    assert times[-1] == pd.Timestamp("2025-04-01 08:00", tz="Europe/Berlin")


@pytest.mark.parametrize("factor", [2, 7])
def test_a_finer_clock_ends_at_closing_time(factor: int) -> None:
    clock = clock_of(SHOP)
    fine = clock.finer(factor)
    times = fine.times(SHOP[0], len(SHOP) * factor)
    assert times[::factor].equals(SHOP)
    assert times.is_monotonic_increasing
    assert times.hour.max() == 19
    assert np.array_equal(fine.positions(times[0], times), np.arange(len(times)))
    assert clock.factor("15min") == 4


def test_hours_are_written_and_read_again() -> None:
    for text in ("MON-FRI 08:00-12:00 13:00-17:00, SAT 09:00-14:00", "MON", "MON-SUN 06:00:30-22:00:30"):
        hours = parse(text)
        assert hours is not None
        assert name(hours) == text
    for text in ("", "MON-FRI 8-20", "XXX 08:00-20:00", "08:00-20:00"):
        assert parse(text) is None


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, dowgan.Synthesizer]:
    """Calls at a desk that is open from 8 to 20 on weekdays, many in the morning, with a holiday."""
    rng = np.random.default_rng(2)
    times = SHOP[~SHOP.normalize().isin([pd.Timestamp("2025-02-03")])]
    calls = rng.poisson(20 + 60 * np.exp(-(((times.hour - 10) / 2) ** 2)))
    frame = pd.DataFrame({"slot": times.strftime("%d/%m/%Y %H:%M"), "calls": calls})
    return frame, dowgan.Synthesizer().fit(frame)


def test_all_verbs_keep_the_hours(desk: tuple[pd.DataFrame, dowgan.Synthesizer]) -> None:
    frame, model = desk
    made = model.generate(rows=300)
    assert made["slot"].tolist() == SHOP[:300].strftime("%d/%m/%Y %H:%M").tolist()
    by_hour = made.groupby(pd.to_datetime(made["slot"], dayfirst=True).dt.hour)["calls"].mean()
    assert by_hour[10] > 2 * by_hour[19]
    finer = model.densify(frame, every="30min")
    known = finer[finer["slot"].isin(frame["slot"])]
    assert known["calls"].tolist() == frame["calls"].tolist()
    assert pd.to_datetime(finer["slot"], dayfirst=True).dt.hour.between(8, 19).all()
    later = model.extend(frame, steps=14).median
    assert later["slot"].iloc[[0, 11, 12]].tolist() == [
        "31/03/2025 08:00",
        "31/03/2025 19:00",
        "01/04/2025 08:00",
    ]


def test_a_start_out_of_hours_is_refused(desk: tuple[pd.DataFrame, dowgan.Synthesizer], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="nearest are 2025-05-30 19:00:00 and 2025-06-02 08:00:00"):
        desk[1].generate(rows=5, start="2025-06-01 12:00")
    saved = tmp_path / "desk.dowgan"
    desk[1].save(saved)
    assert dowgan.load(saved).schema.clock == desk[1].schema.clock


def test_a_table_with_other_hours_is_told_apart() -> None:
    """A model of opening hours takes its wider steps; one of all hours does not take rows without their nights."""
    values = np.arange(len(SHOP)) * 0.5
    shop = read(pd.DataFrame({"t": SHOP, "x": values})).schema
    fourth = SHOP[:60][SHOP[:60].hour.isin([8, 12, 16])]
    table = read(pd.DataFrame({"t": fourth, "x": values[: len(fourth)]}), schema=shop)
    assert table.schema.clock.step == "4h MON-FRI 08:00-20:00"
    every = read(pd.DataFrame({"t": HOURS, "x": np.arange(len(HOURS)) * 0.5})).schema
    with pytest.raises(DataError, match="the model's is 1h"):
        read(pd.DataFrame({"t": SHOP, "x": values}), schema=every)


def test_days_of_a_plain_generator_are_judged_beside_a_shop() -> None:
    rng = np.random.default_rng(5)
    real, made = (pd.DataFrame({"t": t, "x": rng.normal(size=len(t))}) for t in (DAYS[DAYS.dayofweek < 6], DAYS))
    assert dowgan.compare(real, made).scores["generate"]


def test_fine_steps_are_no_opening_hours() -> None:
    times = pd.date_range("2025-01-06", periods=2_000, freq="1ms").delete(100)
    assert clock_of(times).step == "1ms"


def test_a_clock_that_goes_through_the_small_hours_of_a_zone_stays_one_of_all_hours() -> None:
    times = HOURS[(HOURS.hour < 4) | (HOURS.hour >= 10)].tz_localize("Europe/Berlin")
    assert clock_of(times).step == "1h"
