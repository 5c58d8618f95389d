"""The scores of windows against theory, and whether they find what was planted."""

import numpy as np
import pytest
from metric_toys import autoregression, within
from scipy.stats import ks_2samp, norm, wasserstein_distance

from dowgan.metrics import METRICS
from dowgan.metrics.autocorrelation import autocorrelation, autocorrelations
from dowgan.metrics.crosscorrelation import crosscorrelation, lagged
from dowgan.metrics.gru_judge import gru_judge
from dowgan.metrics.marginal import kolmogorov_smirnov, spread_ratio, wasserstein
from dowgan.metrics.spectrum import power, spectrum
from dowgan.metrics.timesplit import by_group, by_time
from dowgan.metrics.twosample import auc, twosample

RNG = np.random.default_rng
WINDOWED = [name for name, metric in METRICS if metric.needs == "windows" and metric.cost == "fast"]


@pytest.fixture(scope="module")
def real():
    return autoregression(RNG(0), 800, 16, 3)


@pytest.fixture(scope="module")
def other():
    return autoregression(RNG(1), 800, 16, 3)


def test_marginals_match_scipy_and_theory():
    rng, n = RNG(2), 20_000
    x, y = rng.standard_normal((n, 1)), rng.standard_normal((n, 1)) + 0.5
    assert kolmogorov_smirnov(x, y)[0] == pytest.approx(ks_2samp(x[:, 0], y[:, 0]).statistic)
    assert wasserstein(x, y)[0] == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]) / x.std())
    within(kolmogorov_smirnov(x, y)[0], 2 * norm.cdf(0.25) - 1, np.sqrt(0.5 / n))
    within(wasserstein(x, y)[0], 0.5, np.sqrt(2 / n))


def test_spread_ratio_is_that_of_the_standard_deviations(real):
    np.testing.assert_allclose(spread_ratio(real, real * [0.8, 1, 2]), [0.8, 1, 2])
    np.testing.assert_array_equal(spread_ratio(np.ones((4, 2)), np.array([[1, 2], [1, 3.0]])), [1, np.inf])


def test_marginals_ignore_nan_and_shuffling(real):
    holes = real.copy()
    holes[::2, 3] = np.nan
    shuffled = RNG(0).permutation(holes.reshape(-1, 3)).reshape(real.shape)
    assert kolmogorov_smirnov(holes, shuffled).max() == 0
    assert kolmogorov_smirnov(real, np.full_like(real, np.nan)).shape == (3,)
    assert np.isnan(kolmogorov_smirnov(real, np.full_like(real, np.nan))).all()


def test_autocorrelation_is_phi_to_the_lag():
    count, steps, phi = 4_000, 16, 0.8
    found = autocorrelations(autoregression(RNG(3), count, steps, 1, phi), 4)[:, 0]
    for lag in range(1, 5):
        within(found[lag], phi**lag, 1 / np.sqrt(count))  # one independent product a window is the worst case
    assert found[0] == pytest.approx(1)


def test_autocorrelation_sees_shuffled_rows_in_the_right_channel(real, other):
    damaged = other.copy()
    damaged[:, :, 1] = RNG(0).permuted(damaged[:, :, 1], axis=1)
    found = autocorrelation(real, damaged)
    assert found.argmax() == 1
    assert found[1] > 5 * found[[0, 2]].max()


def test_lagged_correlation_finds_the_delay_and_its_side():
    x = RNG(4).standard_normal((500, 20, 1))
    late = np.concatenate([RNG(5).standard_normal((500, 3, 1)), x[:, :-3]], 1)  # follows three steps later
    found = lagged(np.concatenate([x, late], 2), 5)
    within(found[3, 0, 1], 1.0, 1 / np.sqrt(500 * 17))
    assert np.abs(found[:, 1, 0]).max() < 5 / np.sqrt(500 * 15)


def test_crosscorrelation_sees_a_lag_and_a_swap(real):
    tied = np.concatenate([real[:, :, :1], real[:, :, :1] + 0.3 * real[:, :, 1:2], real[:, :, 2:]], 2)
    delayed = tied.copy()
    delayed[:, :, 1] = np.roll(tied[:, :, 1], 2, axis=1)
    floor = crosscorrelation(tied[:400], tied[400:]).max()
    assert crosscorrelation(tied, delayed)[0, 1] > 4 * floor
    assert crosscorrelation(tied, tied[:, :, [0, 2, 1]]).max() > 4 * floor
    assert crosscorrelation(tied, tied).max() == 0


def test_spectrum_of_white_noise_is_flat_and_of_its_variance():
    count = 4_000
    found = power(2 * RNG(6).standard_normal((count, 32, 1)))[2:-1, 0]  # the first two lose power to the mean
    for line in found:
        within(line, 4.0, 4.0 / np.sqrt(count))


def test_spectrum_of_a_gain_is_its_decibels(real):
    np.testing.assert_allclose(spectrum(real, 2 * real), 20 * np.log10(2), rtol=1e-4)
    assert spectrum(real, real).max() == 0


def test_spectrum_sees_white_noise_of_a_tenth(real, other):
    smooth, fresh = (x.cumsum(1) for x in (real, other))
    noisy = fresh + 0.1 * smooth.std() * RNG(7).standard_normal(fresh.shape)
    assert spectrum(smooth, noisy).min() > 3 * spectrum(smooth, fresh).max()


def test_spectrum_of_a_channel_that_stands_still_is_bounded(real):
    still = np.full_like(real, 7.1)
    assert power(still).max() == 0
    most = 10 * np.log10(1e6 * (real.shape[1] // 2) + 1)
    for first, second in ((still, real), (real, still)):
        off = spectrum(first, second)
        assert ((off > 50) & (off < most)).all()


def test_constant_and_missing_channels_have_scores(real):
    odd = real.copy()
    odd[:, :, 1] = 7.0
    for measure in (kolmogorov_smirnov, wasserstein, autocorrelation, spectrum):
        assert measure(odd, odd)[1] == 0, measure
    odd[:, :, 2] = np.nan
    for measure in (kolmogorov_smirnov, wasserstein, autocorrelation, spectrum):
        assert np.isfinite(measure(odd, odd)[:2]).all(), measure
    assert np.isfinite(crosscorrelation(odd, odd)).all()


@pytest.mark.parametrize("name", WINDOWED)
def test_registered_scores_rank_damage_below_sameness(name, real, other):
    metric = METRICS.get(name)
    damaged = np.repeat(real[:8], 100, 0) * [1.5, 1, 1]
    damaged[:, :, 1] = damaged[:, :, 0]
    same, worse = metric.measure(real, other, 0).value, metric.measure(real, damaged, 0).value
    assert (worse > 2 * same) if metric.better == "lower" else (worse < same), (same, worse)


def test_split_by_time_leaves_no_shared_step():
    learn, test = by_time(2_000, 24)
    assert np.abs(learn[:, None] - test).min() == 24
    assert 0.15 < len(test) / 2_000 < 0.35
    assert len(learn) > 1_000
    runs = np.repeat(np.arange(8), 10)
    learn, test = by_group(runs)
    assert not set(runs[learn]) & set(runs[test])


def test_split_by_time_works_for_few_windows():
    for count in (80, 100, 200):
        learn, test = by_time(count, 24)
        assert len(learn), count
        assert len(test), count
        assert np.abs(learn[:, None] - test).min() >= 24


def test_auc_is_a_probability():
    assert auc(np.array([1.0, 2.0]), np.array([0.0, 1.5])) == 0.75
    assert auc(np.zeros(3), np.zeros(4)) == 0.5


def test_boosted_trees_tell_damage_and_not_sameness(real, other):
    same = twosample(real, other, rounds=30)
    within(same, 0.5, np.sqrt(1 / 12 * 2 / 200))
    rounded = np.round(other, 1)
    rounded[:, 1:] = rounded[:, :-1]  # repeated values
    assert twosample(real, rounded, rounds=30) > 0.9
    assert twosample(real, other * [1, 1, 0.8], rounds=30) > same + 0.05


def test_boosted_trees_gain_nothing_from_overlapping_copies():
    """One block of a series against another is near .5, which a random split would not be."""
    series = autoregression(RNG(8), 1, 4_000, 2, 0.9)[0]
    windows = np.lib.stride_tricks.sliding_window_view(series, 16, axis=0).transpose(0, 2, 1)
    assert abs(twosample(windows[:1_900], windows[2_000:], rounds=30) - 0.5) < 0.15


def test_gru_judge_tells_dynamics_and_not_sameness(real, other):
    within(gru_judge(real, other, iterations=60), 0.5, np.sqrt(1 / 12 * 2 / 200))
    assert gru_judge(real, RNG(0).permuted(other, axis=1), iterations=120) > 0.9


def test_gru_judge_takes_runs_and_nan(real, other):
    holes = other.copy()
    holes[RNG(0).random(holes.shape) < 0.1] = np.nan
    runs = np.repeat(np.arange(8), 100)
    assert 0 <= gru_judge(real, holes, groups=(runs, runs), iterations=3) <= 1
