"""How channels answer to a change of regime: found where it recurs, none where not, the same on a finer grid."""

import numpy as np
import pytest

from dowgan.response import Response, fit_response, widened
from dowgan.season import Season
from dowgan.seasonal import fit_season
from dowgan.stretch import Stretch

ROWS, DWELL, SLOW = 4_000, 60, 12.0
LEVELS = np.array([[-1.0, 0.5], [1.0, -0.5]])


def regimes(rng: np.random.Generator) -> np.ndarray:
    lengths = rng.integers(DWELL // 2, 2 * DWELL, ROWS)
    return np.repeat(np.arange(ROWS) % 2, lengths)[:ROWS]


def heated(regime: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """A first-order answer to the first channel's level; the second is at its level at once."""
    out, decay = LEVELS[regime], np.exp(-1 / SLOW)
    for t in range(1, len(out)):
        out[t, 0] = decay * out[t - 1, 0] + (1 - decay) * LEVELS[regime[t], 0]
    return out + noise


def test_a_slow_channel_is_followed_and_a_fast_one_left_alone() -> None:
    rng = np.random.default_rng(0)
    regime = regimes(rng)
    values = heated(regime, 0.1 * rng.standard_normal((ROWS, 2)))
    response = fit_response([values - LEVELS[regime]], [regime], LEVELS)
    late = regimes(rng)
    off = response.level(late, 1.0) + LEVELS[late] - heated(late, np.zeros((ROWS, 2)))
    assert np.abs(off[:, 0]).max() < 0.15  # a jump is 2
    assert np.abs(off[:, 1]).max() < 0.1


def test_noise_has_no_response() -> None:
    rng = np.random.default_rng(1)
    regime = regimes(rng)
    response = fit_response([rng.standard_normal((ROWS, 2))], [regime], LEVELS)
    assert np.abs(response.level(regime, 1.0)).max() < 0.3


def test_without_changes_within_runs_there_is_none() -> None:
    rests = [np.ones((50, 2)), np.ones((50, 2))]
    response = fit_response(rests, [np.zeros(50, dtype=int), np.ones(50, dtype=int)], LEVELS)
    assert not len(response.constants)
    assert not response.level(np.array([0, 1, 1]), 1.0).any()


@pytest.mark.parametrize("factor", [2, 5])
def test_a_finer_grid_passes_through_the_same_values(factor: int) -> None:
    rng = np.random.default_rng(2)
    response = Response(np.array([2.0, 9.0]), LEVELS[:, :1], rng.standard_normal((2, 2)), np.zeros((2, 2)))
    regime = np.repeat([0, 1, 0, 1], [5, 7, 3, 9])
    fine = np.repeat(regime, factor)[: (len(regime) - 1) * factor + 1]
    assert np.allclose(response.level(fine, 1 / factor)[::factor], response.level(regime, 1.0))


def test_values_are_less_sure_behind_a_change() -> None:
    rng = np.random.default_rng(3)
    regime = regimes(rng)
    plain = Response(np.array([2.0, 9.0]), LEVELS[:, :1], np.zeros((2, 2)), np.zeros((2, 2)))
    wide = np.stack([np.sqrt(1 + 4 * plain.left(regime, 1.0)[:, 1]), np.ones(ROWS)], axis=1)
    found = np.exp(widened(plain, [rng.standard_normal((ROWS, 2)) * wide], [regime]).log_width(regime, 1.0))
    assert np.abs(np.log(found[:, 0] / wide[:, 0])).max() < 0.3
    assert found[:, 1].max() < 1.2


def test_what_regimes_add_comes_off_and_back_on() -> None:
    rng = np.random.default_rng(4)
    regime = regimes(rng)
    stretch = Stretch(heated(regime, 0.1 * rng.standard_normal((ROWS, 2)) * (1 + regime[:, None])), 0, regime)
    season: Season = fit_season([stretch], (), 2)
    where = (stretch.positions.astype(float), regime, np.arange(ROWS, dtype=float))
    plain = season.without_moves(stretch.values, *where)
    assert np.allclose(season.with_moves(plain, *where), stretch.values)
    means, spreads = (np.array([part[regime == r].std(axis=0) for r in (0, 1)]) for part in (stretch.values, plain))
    assert np.abs(spreads[1] / spreads[0] - 1).max() < 0.15 < np.abs(means[1] / means[0] - 1).max()
