"""Units side by side: each lies where it lies."""

import numpy as np
import pandas as pd
import pytest

import dowgan

SIZES = {"S01": 200.0, "S02": 100.0, "S03": 350.0, "S04": 45.0}


def shops(days: int = 420) -> pd.DataFrame:
    """Shops of different sizes, closed on Sundays and busy on Saturdays, which sell about half as many units."""
    rng, parts = np.random.default_rng(9), []
    for shop, size in SIZES.items():
        dates = pd.date_range("2022-01-01", periods=days)
        usual = size * np.where(dates.dayofweek == 5, 1.6, 1.0) * np.exp(rng.normal(0, 0.1, days))
        customers = np.where(dates.dayofweek == 6, 0, rng.poisson(usual))
        units = rng.poisson(0.5 * customers)
        parts.append(pd.DataFrame({"date": dates, "shop": shop, "customers": customers, "units": units}))
    return pd.concat(parts, ignore_index=True)


def test_shops_keep_their_sizes_in_spite_of_closed_days() -> None:
    table = shops()
    model = dowgan.Synthesizer("prior", runs=["shop"]).fit(table)
    made = model.generate(random_state=1)
    for column in ("customers", "units"):
        real, own = (t.groupby("shop")[column].mean() for t in (table, made))
        assert (own / real).to_dict() == pytest.approx(dict.fromkeys(SIZES, 1.0), abs=0.15)
    sundays = pd.to_datetime(made["date"]).dt.dayofweek == 6
    assert (made["customers"][sundays] == 0).mean() > 0.9
    ahead = model.extend(steps=14, paths=20).median
    assert ahead.groupby("shop")["customers"].mean()["S03"] > 5 * ahead.groupby("shop")["customers"].mean()["S04"]
