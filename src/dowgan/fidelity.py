"""A small score of generated windows against held-out ones, cheap enough to be measured during training.

The mean of five differences, each zero for equal distributions: marginals (Wasserstein-1), steps (the same of first
differences), autocorrelation, cross-correlation, and spread. Lower is better.

Shapes: B windows, T steps, D channels.
"""

import numpy as np
from jaxtyping import Float

QUANTILES = 101
LEAST_SPREAD = 1e-6  # on the common scale, below which a channel does not move


def _wasserstein(a: Float[np.ndarray, "N D"], b: Float[np.ndarray, "M D"]) -> float:
    """Mean over channels of the Wasserstein-1 distance, in standard deviations of b."""
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    gap = np.abs(np.quantile(a, levels, axis=0) - np.quantile(b, levels, axis=0)).mean(axis=0)
    return float(np.mean(gap / (b.std(axis=0) + 1e-9)))


def _autocorrelation(windows: Float[np.ndarray, "B T D"], lags: int) -> Float[np.ndarray, "L D"]:
    centred = windows - windows.mean(axis=(0, 1))
    power = np.mean(centred**2, axis=(0, 1)) + 1e-12
    return np.stack([np.mean(centred[:, h:] * centred[:, :-h], axis=(0, 1)) / power for h in range(1, lags + 1)])


def _correlation(windows: Float[np.ndarray, "B T D"]) -> Float[np.ndarray, "D D"]:
    flat = windows.reshape(-1, windows.shape[2])
    centred = (flat - flat.mean(axis=0)) / (flat.std(axis=0) + 1e-9)
    return centred.T @ centred / len(flat)


def fidelity(fake: Float[np.ndarray, "B T D"], held_out: Float[np.ndarray, "M T D"]) -> float:
    """Return the score; inputs on a common scale.

    Channels that do not move in the held-out windows give no scale to measure by, and are left out if others move.
    """
    moving = held_out.std(axis=(0, 1)) > LEAST_SPREAD
    if moving.any() and not moving.all():
        fake, held_out = fake[..., moving], held_out[..., moving]
    parts = [_wasserstein(*(w.reshape(-1, w.shape[2]) for w in (fake, held_out)))]
    if fake.shape[1] > 2:
        steps = (np.diff(w, axis=1).reshape(-1, w.shape[2]) for w in (fake, held_out))
        parts.append(_wasserstein(*steps))
        lags = max(1, fake.shape[1] // 2)
        parts.append(float(np.abs(_autocorrelation(fake, lags) - _autocorrelation(held_out, lags)).mean()))
    parts.append(float(np.abs(_correlation(fake) - _correlation(held_out)).mean()))
    spread = [w.std(axis=(0, 1)) + 1e-9 for w in (fake, held_out)]
    parts.append(float(np.abs(np.log(spread[0] / spread[1])).mean()))
    return float(np.mean(parts))
