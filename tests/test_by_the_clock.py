"""What the clock tells is at its hours in all that is made; what is a run's own stays so."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

import dowgan
from dowgan.succession import find_timetable, follows_clock

HOURS = 1_999  # the last one is 06:00
DAYS = 900


def shift() -> pd.DataFrame:
    """A machine that delivers 80 from 08 to 17 h and rests else, and one that idles at 20 then."""
    rng = np.random.default_rng(3)
    times = pd.date_range("2024-02-05", periods=HOURS, freq="h")
    on = (times.hour >= 8) & (times.hour < 18)
    rests = np.where(on, 80 * (1 + 0.03 * rng.standard_normal(HOURS)), 0.0).round(1)
    return pd.DataFrame({"time": times, "rests": rests, "idles": (20 + 80 * on + rng.normal(0, 3, HOURS)).round(1)})


def shop() -> pd.DataFrame:
    """A shop that is closed on Sundays and on a few other days, when nothing is sold."""
    rng = np.random.default_rng(4)
    days = pd.date_range("2021-01-01", periods=DAYS)
    closed = (days.dayofweek == 6) | np.isin(np.arange(DAYS), rng.choice(DAYS, 20, replace=False))
    usual = np.array([149, 133, 144, 157, 197, 238, 200])[days.dayofweek]
    sold = np.where(closed, 0, usual * np.exp(rng.normal(0, 0.1, DAYS))).round().astype(int)
    frame = pd.DataFrame({"day": days, "open": np.where(closed, "no", "yes"), "sold": sold})
    return frame.assign(alarm=(rng.random(DAYS) < 0.03).astype(int))


def sun() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    times = pd.date_range("2024-05-01", periods=1_200, freq="h")
    height = np.maximum(0, np.sin((times.hour - 6) / 12 * np.pi))
    cloud = np.clip(0.7 + np.convolve(rng.normal(0, 0.1, 1_209), np.ones(10), "valid") / 2, 0.05, 1)
    return pd.DataFrame({"time": times, "power": (500 * height * cloud).round(1)})


def test_shifts_begin_and_end_at_their_hours() -> None:
    frame = shift()
    model = dowgan.Synthesizer().fit(frame)
    for table in (model.generate(rows=2_000), model.extend(steps=240).median):
        on = (table["time"].dt.hour >= 8) & (table["time"].dt.hour < 18)
        assert ((table["rests"] > 0) == on).mean() > 0.97
        assert ((table["idles"] > 60) == on).mean() > 0.97
        assert table["rests"][table["rests"] > 0].mean() == pytest.approx(80, abs=1)


def test_shifts_are_found_again_between_every_fourth_row() -> None:
    frame = shift()
    model = dowgan.Synthesizer("prior", {"calibrated": False}).fit(frame.head(1_200))
    late = frame[1_200:][:793].reset_index(drop=True)
    finer = model.densify(late[::4].reset_index(drop=True), factor=4)
    assert ((finer["rests"] > 0) == (late["rests"] > 0)).all()
    assert (finer["idles"] - late["idles"]).abs().max() < 15


def test_a_shop_is_closed_when_it_was_and_sells_nothing_then() -> None:
    frame = shop()
    model = dowgan.Synthesizer("prior").fit(frame)
    usual = frame["sold"].groupby(frame["day"].dt.dayofweek).mean()
    for seed in range(2):
        made = model.generate(random_state=seed)
        assert (made["sold"][made["open"] == "no"] == 0).all()
        assert (made["open"][made["day"].dt.dayofweek == 6] == "no").mean() > 0.85
        assert (made["sold"].groupby(made["day"].dt.dayofweek).mean() - usual).abs().max() < 25
    later = model.extend(steps=28).median
    assert ((later["sold"] == 0) == (later["day"].dt.dayofweek == 6)).all()


def test_there_is_no_sun_at_night() -> None:
    frame = sun()
    model = dowgan.Synthesizer("prior").fit(frame)
    for table in (model.generate(rows=1_000), model.extend(steps=72, paths=20).paths):
        night = (table["time"].dt.hour < 6) | (table["time"].dt.hour > 18)
        assert (table["power"][night] == 0).all()
        assert table["power"][table["time"].dt.hour == 12].mean() > 200
    lost = frame.copy()
    lost.loc[lost.index[-3:], "power"] = np.nan
    later = model.extend(lost, steps=24, paths=20).paths
    assert (later["power"][(later["time"].dt.hour < 6) | (later["time"].dt.hour > 18)] == 0).all()


def test_a_gap_of_two_days_has_sun_by_day_alone() -> None:
    """From midnight on, from noon on, and at the end; what plain ways say over such a gap is left out."""
    rng = np.random.default_rng(0)
    time = pd.date_range("2024-05-01", periods=24 * 60, freq="h")
    cloud = np.zeros(len(time))
    for hour in range(1, len(time)):
        cloud[hour] = 0.95 * cloud[hour - 1] + rng.normal(0, 0.3)
    height = np.maximum(0, np.sin((time.hour - 5) / 15 * np.pi)) * ((time.hour >= 5) & (time.hour <= 20))
    truth = (800 * height * (1 - 0.6 / (1 + np.exp(-cloud)))).to_numpy().round()
    temp = (15 + 6 * np.sin((time.hour - 9) / 24 * 2 * np.pi) + 2 * cloud).round(1)
    frame = pd.DataFrame({"time": time, "temp": temp, "sun": truth})
    gaps = np.zeros(len(time), dtype=bool)
    for first in (480, 732, 1_405):
        gaps[first : first + 51] = True
    broken = frame.assign(sun=frame["sun"].mask(gaps))
    filled = dowgan.Synthesizer().fit(broken).densify(broken, factor=2)["sun"].to_numpy()[::2]
    night = gaps[: len(filled)] & np.isin(time.hour, (22, 23, 0, 1, 2, 3))[: len(filled)]
    assert (filled[night] == 0).all()
    off = np.abs(filled - truth[: len(filled)])[gaps[: len(filled)]]
    assert off.mean() < 0.35 * truth[gaps].std()


def test_what_never_changes_within_a_run_does_not_in_what_is_made() -> None:
    rng = np.random.default_rng(6)
    patient = np.repeat(np.arange(30), rng.integers(12, 50, 30))
    own = pd.DataFrame({"sex": rng.choice(["m", "f"], 30), "age": rng.integers(20, 90, 30)}).loc[patient]
    frame = own.reset_index(drop=True).assign(patient=patient, pulse=rng.normal(70, 5, len(patient)).round())
    model = dowgan.Synthesizer("prior", runs=["patient"]).fit(frame)
    first = frame.groupby("patient")[["sex", "age"]].first()
    made = model.generate()
    for table in (made, model.densify(frame, factor=2), model.extend(steps=4, paths=3).paths):
        assert (table.groupby("patient")[["sex", "age"]].nunique() == 1).all().all()
        assert table is made or table.groupby("patient")[["sex", "age"]].first().equals(first)
    own = made.groupby("patient")[["sex", "age"]].first()
    assert sorted(own["sex"]) == sorted(first["sex"])
    assert own["age"].between(first["age"].min(), first["age"].max()).all()


def test_only_what_the_clock_tells_is_told_by_it() -> None:
    rng = np.random.default_rng(7)
    by_hour = (np.arange(HOURS) % 24 > 8).astype(int)
    by_chance = np.cumsum(rng.random(HOURS) < 0.05) % 2
    of_its_own = (np.arange(HOURS) % 37 < 12).astype(int)
    found = [find_timetable([(0, x)], 2, (24, 168)) for x in (by_hour, by_chance, of_its_own)]
    assert [None if table is None else table.period for table in found] == [24, None, 37]
    assert [follows_clock([(0, x)], 2, (24,)) for x in (by_hour, by_chance, of_its_own)] == [True, False, True]


def test_a_cyclic_process_keeps_its_cycle() -> None:
    rng = np.random.default_rng(9)
    phase = np.arange(1_200) % 8
    pressure = np.array([1, 4, 5, 5.2, 3, 1.5, 1.2, 1.1])[phase] + rng.normal(0, 0.05, 1_200)
    frame = pd.DataFrame({"feed": np.where(phase < 4, "open", "closed"), "vent": (phase == 5).astype(int)})
    model = dowgan.Synthesizer("prior").fit(frame.assign(pressure=pressure.round(3)))
    for table in (model.generate(), model.extend(steps=80).median):
        vented = np.flatnonzero(table["vent"])
        assert set(np.diff(vented)) == {8}
        assert ((table["feed"] == "open").to_numpy() == ((np.arange(len(table)) - vented[0] + 5) % 8 < 4)).all()
    assert model.generate()["pressure"].groupby(phase).std().max() < 0.4


def test_columns_keep_the_steps_that_they_move_in() -> None:
    rng = np.random.default_rng(8)
    wander = np.convolve(rng.standard_normal(809), np.ones(10) / 3, "valid")
    frame = pd.DataFrame({"valve": np.clip(np.round(10 + 4 * wander) * 5, 0, 100), "other": wander.round(3)})
    model = dowgan.Synthesizer("prior").fit(frame)
    for table in (model.generate(rows=900), model.densify(frame, factor=3), model.extend(steps=9).median):
        assert (table["valve"] % 5 == 0).all()
    odd = frame.head(60).copy()
    odd.loc[7, "valve"] = 52.0
    assert model.densify(odd, factor=2)["valve"][14] == 52


def test_a_plan_for_each_half_hour_of_the_week_is_kept() -> None:
    """How many are on duty: steps within a day that differ by weekday, and one more or less now and then."""
    rng = np.random.default_rng(8)
    times = pd.date_range("2025-01-06", periods=24 * 7 * 14, freq="h")
    plan = np.random.default_rng(1).integers(4, 25, size=(7, 24))
    duty = plan[times.dayofweek, times.hour] + (rng.random(len(times)) < 0.2)
    load = 40 + 8 * np.sin(2 * np.pi * times.hour / 24) + lfilter([1.0], [1.0, -0.8], rng.normal(size=len(times)))
    made = dowgan.Synthesizer("prior").fit(pd.DataFrame({"time": times, "load": load.round(1), "duty": duty}))
    out = made.generate(rows=len(times), random_state=1)
    within = out.groupby([out["time"].dt.dayofweek, out["time"].dt.hour])["duty"].std()
    assert within.mean() < 0.25 * out["duty"].std()


def test_what_the_clock_rules_out_does_not_come_nor_stay() -> None:
    """A second state that comes by chance takes none of the nights to noon: of few days each phase has few rows."""
    rng = np.random.default_rng(7)
    times = pd.date_range("2025-03-03", periods=20 * 96, freq="15min")
    hour = times.hour + times.minute / 60
    day = np.abs(hour - 12.5) < 6 + np.repeat(rng.normal(0, 0.4, 20), 96)
    chance = np.repeat(rng.random(len(times) // 8) < 0.3, 8)
    frame = pd.DataFrame({"time": times, "sun": np.where(day, 300 + 80 * rng.random(len(times)), 0).round()})
    frame["pump"] = chance.astype(int)
    made = dowgan.Synthesizer("prior", random_state=0).fit(frame).generate(rows=10 * len(frame), random_state=1)
    noon, night = ((made["time"].dt.hour.isin(hours)) for hours in ([11, 12, 13], [23, 0, 1, 2]))
    assert (made["sun"][noon] == 0).mean() < 0.01
    assert (made["sun"][night] > 0).mean() < 0.01


def test_a_phase_that_hardly_differs_from_day_to_day_stays_sharp() -> None:
    """Nights are alike to a tenth of a degree, days are not: what carries windows to the table's knows no phase."""
    rng = np.random.default_rng(8)
    times = pd.date_range("2025-03-03", periods=30 * 48, freq="30min")
    sun = np.clip(np.sin(np.pi * (times.hour + times.minute / 60 - 6) / 12), 0, None)
    clear = np.repeat(rng.uniform(0.6, 1.4, 30), 48)
    frame = pd.DataFrame({"time": times, "inside": (17 + 6 * sun * clear + rng.normal(0, 0.05, len(times))).round(2)})
    frame["power"] = (20 + 3 * lfilter([0.3], [1, -0.95], rng.standard_normal(len(times)))).round(1)
    made = dowgan.Synthesizer(random_state=0).fit(frame).generate(rows=len(frame), random_state=1)
    for x in (frame, made):
        night = x["inside"][x["time"].dt.hour.isin([1, 2, 3])]
        assert abs(night.mean() - 17) < 0.1
        assert night.std() < 0.2
    noon = [x["inside"][x["time"].dt.hour == 12].std() for x in (frame, made)]
    assert noon[1] > 0.6 * noon[0]


def test_two_weeks_tell_which_days_are_off() -> None:
    """A press that runs on workdays from 6 to 18 h, no more than two weekends of it seen."""
    rng = np.random.default_rng(2)
    times = pd.date_range("2025-03-06", periods=2 * 7 * 48, freq="30min")
    on = (times.dayofweek < 5) & (times.hour >= 6) & (times.hour < 18)
    drift = lfilter([1.0], [1.0, -0.9], rng.normal(0, 0.4, len(times)))
    power = np.where(on, 60 + 3 * drift, 4 + 0.3 * rng.standard_normal(len(times)))
    turns = np.where(on, rng.normal(1_500, 10, len(times)), 0).round().astype(int)
    frame = pd.DataFrame({"time": times, "power": power.round(1), "turns": turns})
    model = dowgan.Synthesizer("prior").fit(frame)
    for table in (model.generate(rows=2_000, random_state=1), model.extend(steps=336).median):
        clock = table["time"].dt
        on = (clock.dayofweek < 5) & (clock.hour >= 6) & (clock.hour < 18)
        assert ((table["turns"] > 0) == on).mean() > 0.99


def test_an_hour_of_each_sunday_in_which_all_is_down_stays_so() -> None:
    """Three such hours in the table: calls and answers stand at zero in them and nowhere else, faults in others too."""
    rng = np.random.default_rng(4)
    times = pd.date_range("2024-09-02", periods=21 * 96, freq="15min")
    down = (times.dayofweek == 6) & (times.hour == 22)
    usual = 200 * np.exp(0.6 * np.sin(2 * np.pi * (times.hour + times.minute / 60 - 9) / 24))
    calls = np.where(down, 0, rng.poisson(usual))
    frame = pd.DataFrame({"time": times, "calls": calls, "faults": rng.binomial(calls, 0.004)})
    frame["answer"] = np.where(down, 0, 80 + 0.1 * calls + rng.normal(0, 4, len(times))).round(1)
    model = dowgan.Synthesizer("prior").fit(frame)
    for table in (model.generate(random_state=1), model.extend(steps=700).median):
        window = (table["time"].dt.dayofweek == 6) & (table["time"].dt.hour == 22)
        assert (table.loc[window, ["calls", "faults", "answer"]] == 0).all().all()
        assert (table.loc[~window, ["calls", "answer"]] > 0).all().all()
        assert window.sum() >= 4
