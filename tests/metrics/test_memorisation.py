"""Copies are found, new draws are not taken for copies."""

import numpy as np
import pytest
from metric_toys import autoregression, within

from dowgan.metrics.memorisation import authenticity, exact_share, lowest, memorisation, nearest

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def sets():
    return [autoregression(RNG(seed), 1_500, 6, 2) for seed in (0, 1, 2)]


def test_nearest_is_the_least_root_mean_square_difference():
    rng = RNG(3)
    rows, among = rng.standard_normal((7, 4)), rng.standard_normal((9, 4))
    full = np.sqrt(((rows[:, None] - among) ** 2).mean(2))
    distance, place = nearest(rows, among)
    np.testing.assert_allclose(distance, full.min(1))
    np.testing.assert_array_equal(place, full.argmin(1))


def test_nearest_compares_known_places_only():
    rows, among = np.array([[1.0, np.nan, 3.0]]), np.array([[9.0, 0.0, 9.0], [1.0, 5.0, np.nan]])
    distance, place = nearest(rows, among)
    assert (distance[0], place[0]) == (0, 1)


def test_nearest_leaves_out_overlapping_rows():
    line = np.arange(10.0)[:, None]
    distance, _ = nearest(line, line, apart=3)
    np.testing.assert_array_equal(distance, 3)


def test_a_look_at_some_training_windows_changes_no_other_distance(sets):
    whole, part = memorisation(*sets, apart=3), memorisation(*sets, apart=3, looks=100)
    places = np.linspace(0, len(sets[0]) - 1, 100).astype(int)
    np.testing.assert_allclose(part.train, whole.train[places])
    assert (part.authenticity, part.authenticity_held_out) == (whole.authenticity, whole.authenticity_held_out)


def test_new_draws_are_as_near_as_held_out_ones(sets):
    found = memorisation(*sets, apart=1)
    within(found.closer, 0.5, np.sqrt(1 / 12 * 2 / 1_500))
    within(found.copies, 0.01, np.sqrt(2 * 0.01 / 1_500))
    within(found.authenticity, found.authenticity_held_out, np.sqrt(0.5 / 1_500))
    assert found.lowest[0] > 0.5 * found.lowest[1]


def test_a_minority_of_copies_is_found_by_the_lowest_percent(sets):
    train, held_out, new = sets
    few = new.copy()
    few[:45] = train[:45] + 1e-3
    found = memorisation(train, held_out, few, apart=1)
    assert found.lowest[0] < 0.05 * found.lowest[1]
    assert found.copies > 0.03
    assert np.median(found.fake) > 0.9 * np.median(found.held_out)  # a median would have hidden them


def test_exact_copies_are_found_at_any_place_and_in_their_order_only():
    known, new = RNG(5).standard_normal((2, 400, 3)).round(1)
    known[7, 1] = np.nan
    made = np.concatenate([new[:101], known[3:53]])  # 142 windows of which the last 41 are copied
    assert exact_share([made], [known], 10) == pytest.approx(41 / 142)
    assert exact_share([known[::-1]], [known], 10) == 0
    assert exact_share([np.zeros((30, 3))], [np.zeros((50, 3))], 10) == 0
    idle = np.stack([np.zeros(50), np.zeros(50), np.arange(50) % 25 < 20], axis=1)  # but for a tariff
    assert exact_share([idle[:30]], [idle], 10) == 0
    assert exact_share([new[:5]], [known], 10) == 0


def test_copies_are_not_authentic(sets):
    train, _, new = sets
    assert authenticity(train, train + 1e-6, apart=1) == 0
    assert authenticity(train, new, apart=1) > 0.3


def test_lowest_takes_at_least_one():
    assert lowest(np.array([3.0, 2.0])) == 2
    assert lowest(np.arange(200.0)) == 0.5
