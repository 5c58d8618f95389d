"""Toy data with known theory for the scores' tests."""

import numpy as np
import pytest

Array = np.ndarray


def within(value: float, theory: float, standard_error: float, z: float = 5.0) -> None:
    """Right code fails once in 1.7 million runs; a wrong scale or sign fails at once."""
    off = abs(value - theory) / standard_error
    assert off <= z, f"{value:.4g} is {off:.1f} standard errors from {theory:.4g}, allowed {z}"


def autoregression(rng: np.random.Generator, count: int, steps: int, channels: int, phi: float = 0.8) -> Array:
    """Stationary AR(1) windows [count steps channels] of unit variance, channels independent."""
    x = np.empty((count, steps, channels))
    x[:, 0] = rng.standard_normal((count, channels))
    for t in range(1, steps):
        x[:, t] = phi * x[:, t - 1] + np.sqrt(1 - phi**2) * rng.standard_normal((count, channels))
    return x


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
