"""A turbine's power by the wind: what lies on a curve of another column does so in what is made."""

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan.curves import fit_curves
from dowgan.lookup import find_lookups
from dowgan.table import read

KNOWN = np.array([0.0, 3.0, 5.0, 8.0, 12.0, 25.0])
POWER = np.array([0.0, 0.0, 100.0, 520.0, 2000.0, 2000.0])


def turbine(rows: int = 2_000) -> pd.DataFrame:
    rng, slow = np.random.default_rng(7), np.zeros(rows)
    for row in range(1, rows):
        slow[row] = 0.98 * slow[row - 1] + rng.normal(0, 0.2)
    wind = (8 * np.exp(0.4 * slow)).clip(0.5, 24).round(1)
    power = (np.interp(wind, KNOWN, POWER) * (1 + rng.normal(0, 0.02, rows))).clip(0, 2000).round()
    warm = (0.02 * power + 15 + rng.normal(0, 0.4, rows)).round(1)
    return pd.DataFrame({"wind": wind, "power": power, "bearing": warm})


def off(table: pd.DataFrame) -> pd.Series:
    return (table["power"] - np.interp(table["wind"], KNOWN, POWER))[table["wind"].between(5.5, 11)]


def test_a_power_lies_on_its_curve_in_all_that_is_made() -> None:
    table = turbine()
    model = dowgan.Synthesizer("prior").fit(table[:1_500])
    assert "'power' lies on a curve of 'wind'" in model.model_.rules
    late = table[1_500:].reset_index(drop=True)
    ahead = model.extend(table[:1_500], steps=40, paths=20).paths
    for made in (model.generate(rows=3_000, random_state=1), model.densify(late, factor=3), ahead):
        assert off(made).std() < 2.5 * off(table).std()
    made = model.generate(rows=3_000, random_state=2)
    assert made["bearing"].corr(made["power"]) > 0.98
    assert (made["power"] == 2000).mean() > 0.3 * (table["power"] == 2000).mean()


def farm() -> pd.DataFrame:
    """A turbine whose power is limited now and then, and which is stopped for a few hours in each week."""
    rng, rows = np.random.default_rng(11), 3_000
    slow = np.zeros(rows)
    for row in range(1, rows):
        slow[row] = 0.98 * slow[row - 1] + rng.normal(0, 0.2)
    wind = (6.5 * np.exp(0.6 * slow)).clip(0.5, 24).round(1)
    limit = np.repeat(rng.choice([100, 60, 40], rows // 75, p=[0.6, 0.2, 0.2]), 75)
    stopped = np.isin(np.arange(rows) // 15 % 15, [4]) & (np.arange(rows) // 225 % 2 == 0)
    power = (np.interp(wind, KNOWN, POWER) * (1 + rng.normal(0, 0.02, rows))).clip(0, 20 * limit).round()
    pitch = np.where(wind < 3, 20.0, (2.5 * (np.interp(wind, [7, 24], [0, 8]) - limit / 60)).clip(0).round(1))
    return pd.DataFrame(
        {
            "wind": wind,
            "limit": limit,
            "status": np.where(stopped, "STOP", "OK"),
            "pitch": np.where(stopped, 88.0, pitch),
            "power": np.where(stopped, 0, power),
        }
    )


def test_a_limited_turbine_keeps_its_limits_and_rests_below_the_least_wind() -> None:
    table = farm()
    model = dowgan.Synthesizer("prior").fit(table)
    assert {"'power' lies on a curve of 'wind'", "'status' is a state of its own"} <= set(model.model_.rules)
    made = model.generate(rows=4_000, random_state=1)
    runs = made["status"] == "OK"
    assert (~runs).mean() > 0.3 * (table["status"] == "STOP").mean()
    assert (made["power"] <= 20 * made["limit"]).all()
    assert (made.loc[~runs, ["pitch", "power"]] == [88, 0]).all().all()
    calm = runs & (made["wind"] < 2.9)
    assert (made.loc[calm, ["pitch", "power"]] == [20, 0]).all(axis=1).mean() > 0.98
    likely = np.minimum(np.interp(made["wind"], KNOWN, POWER), 20 * made["limit"])
    assert (made["power"] - likely)[runs].abs().mean() < 25


def test_straight_ties_and_loose_ones_are_no_curves() -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(-2, 2, 3_000)
    values = np.column_stack([x, 2 * x + rng.normal(0, 0.05, 3_000), x**2 + rng.normal(0, 0.5, 3_000)])
    regime = np.zeros(3_000, dtype=int)
    assert fit_curves(values, regime, [0, 1, 2], 1) == ()
    bent = np.column_stack([x, x**2 + rng.normal(0, 0.05, 3_000)])
    (curve,) = fit_curves(bent, regime, [0, 1], 1)
    assert (curve.column, curve.of) == (1, 0)
    again = bent.copy()
    curve.off(again, regime)
    curve.on(again, regime)
    assert np.allclose(again, bent)


def test_a_straight_tie_is_one_where_regimes_have_quantiles_of_their_own() -> None:
    """The power of a solar plant is nearly that of its sun, in the regime of the day; the later column is told."""
    rng = np.random.default_rng(4)
    day = np.repeat(np.arange(40) % 2, 100)
    sun = np.where(day == 1, rng.uniform(50, 900, 4_000), 0.0)
    values = np.column_stack([sun, np.where(day == 1, 0.1 * sun + rng.normal(0, 1, 4_000), 0.0)])
    (curve,) = fit_curves(values, day, [0, 1], 2)
    assert (curve.column, curve.of) == (1, 0)
    assert fit_curves(values, np.zeros(4_000, dtype=int), [0, 1], 1) == ()


def test_a_curve_is_learned_where_the_wind_blows() -> None:
    """A calm half says nothing of strong winds; the rows of a status have a curve of their own, few as they are."""
    rng = np.random.default_rng(5)
    wind = np.concatenate([rng.uniform(2, 9, 1_500), rng.uniform(2, 25, 1_500)])
    power = np.interp(wind, KNOWN, POWER) + rng.normal(0, 20, 3_000)
    faulty = np.arange(3_000) % 1_000 >= 980
    values = np.column_stack([wind, np.where(faulty, -5.0, power)])
    (curve,) = fit_curves(values, faulty.astype(int), [0, 1], 2)
    assert (curve.column, curve.of) == (1, 0)
    again = np.column_stack([np.full(2, 15.0), np.zeros(2)])
    curve.on(again, np.array([0, 1]))
    assert abs(again[0, 1] - 2_000) < 50
    assert again[1, 1] == -5


def river(rows: int = 3_000, seed: int = 3) -> pd.DataFrame:
    """A level with floods of different height, and the discharge that a rating curve gives for it, as it is written."""
    rng, level = np.random.default_rng(seed), np.zeros(rows)
    flood = (rng.random(rows) < 0.012) * rng.gamma(1.5, 0.35, rows)
    for row in range(1, rows):
        level[row] = 0.97 * level[row - 1] + flood[row]
    level = (0.9 + level + 0.02 * np.convolve(rng.standard_normal(rows + 29), np.ones(30) / 30**0.5, "valid")).round(3)
    rain = np.round(20 * flood + rng.gamma(0.2, 1.0, rows), 1)
    return pd.DataFrame({"level": level, "flow": rating(level), "rain": rain})


def rating(level: np.ndarray) -> np.ndarray:
    return (7.5 * np.clip(level - 0.35, 0, None) ** 1.7).round(2)


def test_what_each_value_tells_is_looked_up() -> None:
    table = river()
    model = dowgan.Synthesizer("prior", random_state=0).fit(table)
    assert "'level' tells 'flow' along a curve, and is kept so" in model.model_.rules
    later = river(seed=4)[:400]
    given = pd.DataFrame({"flow": rating(np.linspace(1.0, 2.0, 100))})
    ahead = model.extend(steps=40, paths=20).paths
    made = [model.generate(rows=2_000, random_state=1), model.densify(later, factor=3), ahead]
    made.append(model.generate(rows=100, given=given, random_state=2))
    assert (made[-1]["flow"] == given["flow"]).all()
    for frame in made:
        off = np.abs(frame["flow"] - rating(frame["level"].to_numpy()))
        seen = frame["level"].between(table["level"].min(), table["level"].max())
        assert (off > 0.011)[seen].mean() < 0.03, off.describe()
        assert off.max() < 0.15  # a level between those of the table, at the top of the highest flood


def test_numbers_that_tell_each_other_by_chance_or_without_a_curve_are_not_looked_up() -> None:
    rng = np.random.default_rng(5)
    code = rng.permutation(200)
    level = rng.integers(0, 200, 3_000)
    noisy = (7.5 * level + rng.normal(0, 3, 3_000)).round(1)
    table = read(pd.DataFrame({"level": level, "code": code[level], "noisy": noisy, "own": rng.normal(0, 1, 3_000)}))
    assert find_lookups(table.schema.channels, table.runs[0].values, range(4)) == ()


def test_a_laboratory_of_few_samples_goes_by_what_tells_it() -> None:
    rng = np.random.default_rng(9)
    slow = np.convolve(rng.standard_normal(2_879 + 120), np.ones(120) / 120**0.5, "valid")
    top = (79 + 0.4 * slow + rng.normal(0, 0.02, len(slow))).round(2)
    purity = (98 - 1.8 * (top - 79) + rng.normal(0, 0.15, len(slow))).round(2)
    other = (50 + rng.normal(0, 3, len(slow))).round(1)
    frame = pd.DataFrame(
        {"time": pd.date_range("2024-05-06", periods=len(slow), freq="min"), "top": top, "other": other}
    )
    frame["purity"] = np.where(np.arange(len(slow)) % 60 == 0, purity, np.nan)
    frame["free"] = np.where(np.arange(len(slow)) % 60 == 0, rng.normal(5, 1, len(slow)).round(2), np.nan)
    model = dowgan.Synthesizer("prior", random_state=0).fit(frame)
    assert [(c.column, c.of) for c in model.model_.channels.curves] == [(2, 0)]
    made = model.generate(rows=3_000, random_state=1)
    assert made["purity"].corr(made["top"]) < -0.85
    assert abs(made["free"].corr(made["top"])) < 0.5
    given = pd.DataFrame({"top": np.repeat([78.6, 79.4], 200)})
    told = model.generate(rows=400, given=given, random_state=2).groupby("top")["purity"].mean()
    assert told[79.4] - told[78.6] == pytest.approx(-1.8 * 0.8, abs=0.3)
