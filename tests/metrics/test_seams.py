"""Planted seams are found, series without are not accused."""

import numpy as np
import pytest
from metric_toys import autoregression

from dowgan.metrics.seams import find_seams, folded, seams

RNG = np.random.default_rng


def whole(seed, steps=4_000, channels=3):
    return autoregression(RNG(seed), 1, steps, channels, 0.95)[0]


def pieced(seed, block=24, channels=3):
    """Independent blocks, put one after the other."""
    return autoregression(RNG(seed), 4_000 // block, block, channels, 0.95).reshape(-1, channels)


def test_seams_of_a_seamless_series_are_like_other_steps():
    p = np.array([seams(whole(seed), 24).p for seed in range(40)])
    assert p.min() > 0.05 / 40 / 5, p.min()
    assert (p > 0.3).mean() > 0.4


def test_seams_between_independent_blocks_are_found_in_each_channel():
    found = seams(pieced(0), 24)
    assert found.p < 1e-6
    assert found.z["jump"] > 5
    assert min(found.channels["jump"]) > 4
    assert seams(pieced(0)[5:], 24, offset=19).p < 1e-6
    assert seams(pieced(0)[5:], 24).p > 1e-3


def test_lag1_sees_borders_that_were_smoothed_to_the_mean():
    """Blocks that all begin at the mean have small jumps in size but no memory over the border."""
    found = seams(pieced(1), 24)
    assert found.z["lag1"] < -5


def test_a_real_rhythm_is_no_seam():
    """A step every 24 hours in the real data too: alarm without the period, none with it."""
    step = 2.0 * (np.arange(4_000) % 24 < 12)[:, None]
    real, new = whole(2) + step, whole(3) + step
    assert seams(new, 24).p < 1e-6
    assert seams(new, 24, real=real, period=24).p > 1e-3
    assert seams(pieced(4) + step[:3_984], 24, real=real, period=24).p < 1e-4


def test_unknown_block_length_is_found():
    found = find_seams(pieced(5)[7:])
    assert (found.length % 24, found.offset % 24) == (0, 17)
    assert found.p < 1e-6
    assert find_seams(whole(6)).p > 1e-3
    rhythm = (np.arange(4_000) % 24 == 0)[:, None] * 3.0
    assert find_seams(whole(7) + rhythm, whole(8) + rhythm).p > 1e-3


def test_missing_values_are_left_out():
    series = pieced(9)
    series[RNG(0).random(series.shape) < 0.1] = np.nan
    assert seams(series, 24).p < 1e-6


@pytest.mark.parametrize("steps", [30, 100])
def test_short_series_have_an_answer(steps):
    assert 0 < seams(whole(10, steps), 12).p <= 1


def test_steps_that_are_all_alike_have_no_rhythm():
    """Nothing is divided by a spread of zero, or by one of rounding."""
    assert find_seams(np.zeros((200, 2))).p == 1
    assert not folded(np.full(8_000, 0.1), 24).any()
