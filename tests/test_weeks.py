"""A week that one column has beside others that wander: in what is made its weekends are where the table's are."""

import numpy as np
import pandas as pd

import dowgan
from dowgan.waves import days_off

DAYS = 19 * 7


def power(seed: int = 0) -> pd.DataFrame:
    """Load by the hour that falls on weekends and wanders; winds, a level and a price, that have no week."""
    rng = np.random.default_rng(seed)
    hours = 24 * DAYS
    time = pd.date_range("2023-02-06", periods=hours, freq="h")
    slow = np.zeros((6, hours))
    for row in range(1, hours):
        slow[:, row] = 0.98 * slow[:, row - 1] + np.sqrt(1 - 0.98**2) * rng.standard_normal(6)
    day = np.sin(2 * np.pi * (time.hour - 8) / 24)
    load = 52_000 + 9_000 * day - 8_000 * (time.dayofweek >= 5) + 2_500 * slow[0]
    wind, price = 9_000 * np.exp(0.7 * slow[1]), 60 + 20 * day + 15 * slow[2]
    frame = pd.DataFrame({"time": time, "load": load.round(), "wind": wind.round(), "price": price.round(2)})
    return frame.assign(**{f"level_{i}": slow[3 + i].round(2) for i in range(3)})


def drop(frame: pd.DataFrame) -> float:
    """How much less the load is on weekends."""
    weekend = frame["time"].dt.dayofweek >= 5
    return float(frame["load"][~weekend].mean() - frame["load"][weekend].mean())


def test_a_week_of_one_column_is_kept_beside_others_without() -> None:
    frame = power()
    model = dowgan.Synthesizer("prior").fit(frame)
    assert 0.7 < drop(model.generate()) / drop(frame) < 1.3
    assert 0.7 < drop(model.extend(steps=14 * 24, paths=20).median) / drop(frame) < 1.3
    season = model.model_.window.season
    assert 168.0 in season.periods


def site(seed: int = 0) -> pd.DataFrame:
    """Four weeks of charging: on workdays a peak at 9 and one at 18 h, on weekends one at 15 h; nothing at night."""
    rng = np.random.default_rng(seed)
    time = pd.date_range("2024-04-01", periods=28 * 48, freq="30min")
    hour, weekend = time.hour + time.minute / 60, time.dayofweek >= 5
    peaks = [np.exp(-((hour - at) ** 2) / wide) for at, wide in ((9, 2), (18, 6), (15, 12))]
    usual = np.where(weekend, 35 * peaks[2], 60 * peaks[0] + 50 * peaks[1])
    slow = np.convolve(rng.standard_normal(len(time) + 5), np.ones(6) / 6**0.5, "valid")
    load = np.where(usual > 2, np.maximum(usual * np.exp(0.25 * slow), 0.1), 0).round(1)
    return pd.DataFrame({"time": time, "load": load, "volt": (230 + rng.normal(0, 1, len(time))).round(1)})


def test_days_off_go_otherwise_hour_by_hour() -> None:
    frame = site()
    model = dowgan.Synthesizer("prior", random_state=0).fit(frame)
    later = model.extend(steps=14 * 48, paths=20).median
    for made, near in ((model.generate(rows=len(frame), random_state=1), 0.35), (later, 0.25)):
        real, got = (x.groupby([x["time"].dt.dayofweek >= 5, x["time"].dt.hour])["load"].mean() for x in (frame, made))
        for day in (False, True):
            assert np.abs(real[day] - got[day]).max() < near * real[day].max(), (day, real[day], got[day])


def test_days_off_are_told_wherever_the_table_begins() -> None:
    rng = np.random.default_rng(0)
    rows = np.arange(6 * 168)
    off = (rows - 40) % 168 < 48
    values = np.where(off, 0.0, np.sin(2 * np.pi * rows / 24) + 1)[:, None] + 0.1 * rng.standard_normal((len(rows), 1))
    assert days_off(rows, values, 168.0) == (40.0, 48.0)
