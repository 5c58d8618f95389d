"""A week that one column has beside others that wander: in what is made its weekends are where the table's are."""

import numpy as np
import pandas as pd

import dowgan

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
