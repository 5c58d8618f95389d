"""The paired scores against closed forms."""

import numpy as np
import pytest
from metric_toys import within
from scipy.stats import norm
from sklearn.metrics import r2_score

from dowgan.metrics import METRICS, paired

RNG = np.random.default_rng


@pytest.fixture
def truth():
    return RNG(0).standard_normal((200, 3)) * [1, 10, 0.1] + [0, 100, 5]


def test_r2_matches_scikit_learn(truth):
    guess = truth + RNG(1).standard_normal(truth.shape) * [0.5, 5, 0.05]
    np.testing.assert_allclose(paired.r2(truth, guess), r2_score(truth, guess, multioutput="raw_values"))
    assert paired.r2_median(truth, guess) == pytest.approx(np.median(paired.r2(truth, guess)))
    assert paired.r2_pooled(truth, guess) == pytest.approx(r2_score(truth.ravel(), guess.ravel()))


def test_r2_of_the_mean_is_zero_and_of_a_constant_unknown(truth):
    np.testing.assert_allclose(paired.r2(truth, np.tile(truth.mean(0), (200, 1))), 0, atol=1e-12)
    assert np.isnan(paired.r2(np.ones((5, 1)), np.ones((5, 1)))).all()


def test_steps_without_truth_do_not_count(truth):
    guess = truth + 1
    holes = truth.copy()
    holes[::3] = np.nan
    kept = ~np.isnan(holes[:, 0])
    for score in (paired.r2, paired.mse, paired.mae):
        np.testing.assert_allclose(score(holes, guess), score(truth[kept], guess[kept]))
    paths = guess + RNG(2).standard_normal((20, *truth.shape))
    for score in (paired.crps, paired.coverage):
        np.testing.assert_allclose(score(holes, paths), score(truth[kept], paths[:, kept]))
    assert np.isnan(paired.pit(holes, paths)[::3]).all()


def test_errors_are_in_the_column_s_units(truth):
    np.testing.assert_allclose(paired.mae(truth, truth + np.array([1, 2, 3])), [1, 2, 3])
    np.testing.assert_allclose(paired.mse(truth, truth + np.array([1, 2, 3])), [1, 4, 9])


def test_crps_is_the_double_sum_and_the_absolute_error_of_one_path(truth):
    paths = truth + RNG(3).standard_normal((7, *truth.shape))
    pairs = np.abs(paths[:, None] - paths).sum((0, 1)) / (2 * 7 * 6)
    np.testing.assert_allclose(paired.crps(truth, paths), (np.abs(paths - truth).mean(0) - pairs).mean(0))
    np.testing.assert_allclose(paired.crps(truth, paths[:1]), paired.mae(truth, paths[0]))


def test_crps_of_a_normal_is_its_closed_form_for_any_number_of_paths():
    """Gneiting and Raftery 2007, eq. 20; the fair estimator has no bias even with three paths."""
    y, count = 0.7, 40_000
    theory = y * (2 * norm.cdf(y) - 1) + 2 * norm.pdf(y) - 1 / np.sqrt(np.pi)
    for paths in (3, 30):
        found = paired.crps(np.full((count, 1), y), RNG(4).standard_normal((paths, count, 1)))[0]
        within(found, theory, 1.5 / np.sqrt(count))


def test_coverage_and_pit_of_calibrated_paths():
    rng, count = RNG(5), 20_000
    truth, paths = rng.standard_normal((count, 1)), rng.standard_normal((19, count, 1))
    within(paired.coverage(truth, paths)[0], 0.9, np.sqrt(0.09 / count))
    place = paired.pit(truth, paths)
    within(place.mean(), 0.5, np.sqrt(1 / 12 / count))
    within(place.var(), (1 - 1 / 400) / 12, 0.1 / np.sqrt(count))


def test_shares_of_the_paths_are_even_for_right_paths_and_for_ties():
    rng, count = RNG(5), 20_000
    truth, paths = rng.standard_normal((count, 1)), rng.standard_normal((19, count, 1))
    for share in paired.pit_shares(truth, paths):
        within(share, 0.1, np.sqrt(0.09 / count))
    still = np.full((8, 1), 3.0)
    np.testing.assert_allclose(paired.pit_shares(still, np.full((5, 8, 1), 3.0)), 0.1)
    np.testing.assert_allclose(paired.pit_shares(still, np.full((9, 8, 1), 4.0)), [1, *[0] * 9], atol=1e-12)


def test_narrow_paths_are_seen():
    rng = RNG(6)
    truth, paths = rng.standard_normal((2_000, 1)), 0.3 * rng.standard_normal((50, 2_000, 1))
    assert paired.coverage(truth, paths)[0] < 0.5
    assert METRICS.get("coverage").measure(truth, paths[0], paths).value > 0.4
    assert METRICS.get("pit").measure(truth, paths[0], paths).value > 0.2


@pytest.mark.parametrize("name", [name for name, metric in METRICS if metric.needs == "paired"])
def test_registered_scores_prefer_the_better_guess(name, truth):
    metric, rng = METRICS.get(name), RNG(7)
    centre = truth + 0.3 * truth.std(0) * rng.standard_normal(truth.shape)
    paths = centre + 0.3 * truth.std(0) * rng.standard_normal((40, *truth.shape))
    bad_centre = centre + 2 * truth.std(0)
    good = metric.measure(truth, centre, paths)
    bad = metric.measure(truth, bad_centre, paths + 2 * truth.std(0))
    assert (bad.value < good.value) if metric.better == "higher" else (bad.value > good.value)
    assert len(good.channels) == 3


@pytest.mark.parametrize("name", [name for name, metric in METRICS if metric.needs == "paired"])
def test_registered_scores_know_what_needs_paths(name, truth):
    value = METRICS.get(name).measure(truth, truth, None).value
    assert np.isnan(value) if name in ("coverage", "pit") else value == METRICS.get(name).floor
