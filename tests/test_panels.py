"""Units side by side: each lies where it lies."""

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan.errors import DataError

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


def test_a_code_beside_the_name_of_each_of_many_runs_stays_beside_it() -> None:
    rng, units = np.random.default_rng(2), np.arange(60)
    table = pd.DataFrame({
        "unit": [f"unit {n}" for n in units for _ in range(8)],
        "code": [f"U{n:03d}" for n in units for _ in range(8)],
        "year": np.tile(np.arange(2000, 2008), 60),
        "load": (np.repeat(rng.normal(50, 10, 60), 8) + rng.normal(0, 1, 480)).round(1),
    })  # fmt: skip
    model = dowgan.Synthesizer("prior", {"calibrated": False}, runs=["unit"]).fit(table)
    codes = dict(zip(table["unit"], table["code"], strict=True))
    for made in (model.generate(), model.extend(steps=2, paths=4).median):
        assert (made["code"] == made["unit"].map(codes)).all()
    with pytest.raises(DataError, match="'code' is text with 60 different values"):
        dowgan.Synthesizer("prior").fit(table.drop(columns="unit").iloc[:, [0, 2]])
