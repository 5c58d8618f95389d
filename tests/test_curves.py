"""A turbine's power by the wind: what lies on a curve of another column does so in what is made."""

import numpy as np
import pandas as pd

import dowgan
from dowgan.curves import fit_curves

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
