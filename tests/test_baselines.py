"""The plain methods: what they copy, and that their paths are as wide as their errors."""

import numpy as np
import pytest

from dowgan import baselines
from dowgan.metrics.paired import coverage

RNG = np.random.default_rng


@pytest.fixture
def season():
    return np.sin(2 * np.pi * np.arange(120) / 12)[:, None] * [1, 5]


def test_block_bootstrap_is_made_of_real_blocks():
    first, second = np.arange(40.0)[:, None], np.arange(100.0, 130.0)[:, None]
    made = baselines.block_bootstrap([first, second], 103, 10, RNG(0))
    assert made.shape == (103, 1)
    for start in range(0, 100, 10):
        np.testing.assert_array_equal(np.diff(made[start : start + 10, 0]), 1)
    assert set(made[:, 0]) <= set(first[:, 0]) | set(second[:, 0])


def test_block_bootstrap_picks_every_start_as_often():
    made = baselines.block_bootstrap([np.arange(10.0)[:, None]], 70_000, 7, RNG(1))[::7, 0]
    counts = np.bincount(made.astype(int), minlength=4)
    assert len(counts) == 4
    assert np.abs(counts - 2_500).max() < 5 * np.sqrt(2_500 * 0.75)


def test_block_bootstrap_of_short_runs_uses_them_whole():
    made = baselines.block_bootstrap([np.arange(3.0)[:, None]], 7, 24, RNG(0))[:, 0]
    np.testing.assert_array_equal(made, [0, 1, 2, 0, 1, 2, 0])


def test_last_value_skips_missing_ones():
    history = np.array([[1.0, 2.0, np.nan], [3.0, np.nan, np.nan]])
    np.testing.assert_array_equal(baselines.last_value(history, 2), [[3, 2, np.nan]] * 2)


def test_seasonal_methods_continue_a_pure_season(season):
    for method in (baselines.seasonal_naive, baselines.seasonal_mean):
        np.testing.assert_allclose(method(season[:100], 20, 12), season[100:], atol=1e-12)
        np.testing.assert_allclose(method(season[:60], 60, 12.0), season[60:], atol=1e-12)


def test_seasonal_naive_is_the_last_season_and_mean_that_of_all():
    history = np.repeat([1.0, 2.0, 6.0], 4)[:, None]
    np.testing.assert_array_equal(baselines.seasonal_naive(history, 6, 4)[:, 0], 6)
    np.testing.assert_array_equal(baselines.seasonal_mean(history, 6, 4)[:, 0], 3)


def test_periods_that_are_not_whole_do_not_drift():
    """52.1775 weeks over 40 years: a period of 52 would be off by seven weeks for the mean."""
    phase = np.arange(2_087 + 52) / 52.1775
    wave = np.cos(2 * np.pi * phase)[:, None]
    mean = baselines.seasonal_mean(wave[:2_087], 52, 52.1775)
    assert np.abs(mean - wave[2_087:]).max() < 0.07  # half a week of phase
    naive = baselines.seasonal_naive(wave[:2_087], 52, 52.1775)
    assert np.abs(naive - wave[2_087:]).max() < 0.13
    assert not np.isnan(naive).any()


def test_seasonal_methods_take_missing_values_and_short_histories(season):
    holes = season[:100].copy()
    holes[88:94] = np.nan
    np.testing.assert_allclose(baselines.seasonal_naive(holes, 12, 12), season[100:112], atol=1e-12)
    short = baselines.seasonal_mean(season[:5], 12, 12)
    np.testing.assert_allclose(short[:7], np.tile(season[4], (7, 1)))  # phases never seen: the last value
    np.testing.assert_allclose(short[7:], season[:5], atol=1e-12)


def test_seasonal_methods_do_not_look_ahead(season):
    assert not np.isnan(baselines._seasonal_mean(season, 12, 12, 60)).any()
    changed = season.copy()
    changed[60:] = 99
    np.testing.assert_array_equal(
        baselines._seasonal_mean(season, 12, 12, 60), baselines._seasonal_mean(changed, 12, 12, 60)
    )


def test_paths_are_centred_and_cover():
    """White noise on a season: errors of seasonal naive have twice its variance, of the mean little more."""
    rng = RNG(2)
    series = 3 * np.sin(2 * np.pi * np.arange(1_320) / 12)[:, None] + rng.standard_normal((1_320, 1))
    history, truth = series[:1_200], series[1_200:1_212]
    naive = baselines.seasonal_naive_paths(history, 12, 12, 2_000, RNG(3))
    mean = baselines.seasonal_mean_paths(history, 12, 12, 2_000, RNG(3))
    assert naive.shape == mean.shape == (2_000, 12, 1)
    assert naive.std(0).mean() == pytest.approx(np.sqrt(2), rel=0.1)
    assert mean.std(0).mean() == pytest.approx(1.0, rel=0.1)
    np.testing.assert_allclose(mean.mean(0), baselines.seasonal_mean(history, 12, 12), atol=0.2)
    assert coverage(truth, naive)[0] >= 0.8
    assert coverage(truth, mean)[0] >= 0.6


def test_walks_widen_with_the_root_of_the_horizon():
    walk = RNG(4).standard_normal((5_000, 1)).cumsum(0)
    paths = baselines.last_value_paths(walk, 64, 3_000, RNG(5))
    width = paths.std(0)[:, 0]
    assert width[0] == pytest.approx(1, rel=0.1)
    assert width[63] == pytest.approx(8, rel=0.1)
    naive = baselines.seasonal_naive_paths(walk[:1_000], 36, 12, 3_000, RNG(6)).std(0)[:, 0]
    assert naive[30] > naive[0]


def test_paths_keep_the_ties_between_channels():
    shared = RNG(7).standard_normal((400, 1))
    for paths in (
        baselines.seasonal_naive_paths(shared * [1, 2], 5, 10, 50, RNG(8)),
        baselines.seasonal_mean_paths(shared * [1, 2], 5, 10, 50, RNG(8)),
        baselines.last_value_paths(shared * [1, 2], 5, 50, RNG(8)),
    ):
        np.testing.assert_allclose(paths[:, :, 1], 2 * paths[:, :, 0], atol=1e-9)
