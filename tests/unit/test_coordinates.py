"""Windows whitened: by the prior's covariance, or by their own where they are thousands of whole runs."""

import numpy as np

from dowgan.coordinates import fit_coordinates

STEPS = 6


def parting(count: int, rng: np.random.Generator) -> np.ndarray:
    """Windows [B T 1] that begin alike and part: no process, which is the same at every step, has their covariance."""
    return rng.standard_normal((count, 1, 1)) * np.arange(1.0, STEPS + 1)[:, None] + rng.normal(
        0, 0.2, (count, STEPS, 1)
    )


def test_thousands_of_whole_runs_are_whitened_by_their_own_covariance() -> None:
    rng = np.random.default_rng(0)
    real, drawn = parting(2_000, rng), 3 + 2 * rng.standard_normal((4_000, STEPS, 1))
    coordinates = fit_coordinates(drawn, real, 2_000.0, np.zeros(2_000, dtype=bool))
    scores = coordinates.scores.to_normal(real).reshape(2_000, STEPS)
    assert np.allclose(coordinates.covariance, np.cov(scores, rowvar=False), atol=1e-3)
    carried = coordinates.straight(coordinates.scores.to_normal(drawn))
    assert np.abs(carried.mean(axis=0)).max() < 1e-6
    assert np.allclose(np.cov(carried, rowvar=False), np.eye(STEPS), atol=1e-3)


def test_windows_that_share_rows_are_whitened_by_the_prior() -> None:
    rng = np.random.default_rng(1)
    real, drawn = parting(2_000, rng), rng.standard_normal((4_000, STEPS, 1))
    coordinates = fit_coordinates(drawn, real, 2_000 / STEPS, np.zeros(2_000, dtype=bool))
    assert len(coordinates.carried) == 0
    flat = coordinates.straight(coordinates.scores.to_normal(drawn))
    assert np.allclose(np.cov(flat, rowvar=False), np.eye(STEPS), atol=1e-6)


def test_coordinates_turn_into_the_windows_they_came_from() -> None:
    rng = np.random.default_rng(2)
    real = parting(2_000, rng)
    coordinates = fit_coordinates(rng.standard_normal((4_000, STEPS, 1)), real, 2_000.0, np.zeros(2_000, dtype=bool))
    scores = coordinates.scores.to_normal(real)
    assert np.allclose(coordinates.from_coordinates(coordinates.to_coordinates(scores)), scores, atol=1e-6)


def test_smooth_curves_stay_as_they_are() -> None:
    rng = np.random.default_rng(3)
    phase, pace = rng.uniform(0, 2 * np.pi, (2_000, 1, 1)), rng.uniform(0.1, 0.3, (2_000, 1, 1))
    smooth = np.sin(phase + pace * np.arange(STEPS)[:, None])  # many values at its ends, as an arcsine law has them
    rough = np.sin(rng.uniform(0, 2 * np.pi, (2_000, STEPS, 1)))
    both = np.concatenate([smooth, rough], axis=2)
    drawn = rng.standard_normal((4_000, STEPS, 2))
    scores = fit_coordinates(drawn, both, 2_000.0, np.zeros(2_000, dtype=bool)).scores
    bends = np.abs(np.diff(scores.quantiles, 2, axis=0)).max(axis=0)
    assert bends[0] < 1e-9
    assert bends[1] > 1e-2
