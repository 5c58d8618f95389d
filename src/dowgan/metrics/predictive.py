"""Predictive score of the published tables: does a forecaster trained on generated windows work on real ones?

Yoon et al., "Time-series generative adversarial networks", NeurIPS 2019, section 5.1, by the protocol of
their released code: one GRU layer of `int(C / 2)` units and a sigmoid unit at every step, the first C - 1
channels at t to the last channel at t + 1, absolute error, Adam 1e-3, 5,000 iterations of 128 generated
windows; the score is the mean absolute error on all real windows (scaled to 0-1). Lower is better; the floor
is the score of a forecaster trained on real windows, and on most published sets every method reaches it.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dowgan.metrics import recurrent
from dowgan.metrics.discriminative import BATCH, LONGEST_PASS, minmax
from dowgan.metrics.metric import METRICS, Metric, Score
from dowgan.metrics.threads import one_thread
from dowgan.rng import Streams

Array = np.ndarray
ITERATIONS = 5_000


def predictive(
    real: Float[Array, "N T C"],
    fake: Float[Array, "M T C"],
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    iterations: int = ITERATIONS,
) -> Float[Array, "R"]:
    """Return the mean absolute error on real windows of a forecaster per seed, trained on generated ones.

    A table of one channel has no other channels to predict from: its own value at t predicts its value at t +
    1.

    Args:
        real, fake: windows scaled to 0-1 by `minmax` (the forecaster's sigmoid cannot leave 0-1).
        seeds: one repeat each; the repeats are trained side by side.
        iterations: 5,000 in the protocol; tests use fewer.
    """
    assert real.shape[1:] == fake.shape[1:], f"real windows {real.shape[1:]}, generated {fake.shape[1:]}"
    rngs = [Streams(seed).numpy("predictive") for seed in seeds]
    channels = real.shape[2]
    layout = recurrent.Layout(max(channels - 1, 1), max(channels // 2, 1))
    flat = layout.start(rngs)
    parts, adam = layout.parts(flat), recurrent.Adam(flat)
    past, future = _lesson(fake)
    with one_thread():
        for _ in range(iterations):
            size = min(BATCH, len(fake))
            picks = np.stack([rng.choice(len(fake), size, replace=False, shuffle=False) for rng in rngs])
            x, y = recurrent.batches(past, picks), recurrent.batches(future, picks)
            adam.descend(forecast_gradient(layout, parts, x, y))
        return _errors(parts, *_lesson(real))


def _lesson(windows: Float[Array, "N T C"]) -> tuple[Float[Array, "N S D"], Float[Array, "N S 1"]]:
    """What is known at t and what is asked for at t + 1, S = T - 1."""
    single = windows.astype(np.float32)
    inputs = single[:, :-1] if windows.shape[2] == 1 else single[:, :-1, :-1]
    return inputs, single[:, 1:, -1:]


def forecast_gradient(
    layout: recurrent.Layout, parts: recurrent.Parts, x: Float[Array, "S R D B"], y: Float[Array, "S R 1 B"]
) -> Float[Array, "R P"]:
    """Gradient of the mean absolute error of the forecasts."""
    trace = recurrent.run(parts, x)
    states = trace.states[1:]  # [S R H B]
    guess = _forecast(parts, states)
    miss = np.sign(guess - y) * guess * (1 - guess) / np.asarray(y[:, 0].size, y.dtype)  # [S R 1 B]
    slope = recurrent.gradient(layout, parts, trace, parts.head.swapaxes(1, 2) * miss)
    into = layout.parts(slope)
    into.head[:] = np.matmul(miss, states.swapaxes(2, 3)).sum(0)
    into.offset[:] = miss.sum((0, 3), keepdims=True)[0]
    return slope


def _forecast(parts: recurrent.Parts, states: Float[Array, "S R H B"]) -> Float[Array, "S R 1 B"]:
    return 0.5 + 0.5 * np.tanh(0.5 * (np.matmul(parts.head, states) + parts.offset))


def _errors(parts: recurrent.Parts, past: Float[Array, "N S D"], future: Float[Array, "N S 1"]) -> Float[Array, "R"]:
    total, repeats = np.zeros(len(parts.head)), len(parts.head)
    for at in range(0, len(past), LONGEST_PASS // 4):
        rows = np.arange(at, min(at + LONGEST_PASS // 4, len(past)))
        x = recurrent.batches(past, np.tile(rows, (repeats, 1)))
        y = recurrent.batches(future, rows[None])
        guess = _forecast(parts, recurrent.run(parts, x).states[1:])
        total += np.abs(guess - y).sum((0, 2, 3), dtype=float)
    return total / future.size


def _measure(real: Array, fake: Array, seed: int) -> Score:
    return Score(float(predictive(*minmax(real, fake), seeds=(seed,))[0]))


METRICS.add("predictive")(
    Metric(
        "predictive",
        "error on real windows of a forecaster trained on generated ones",
        better="lower",
        needs="windows",
        cost="slow",
        measure=_measure,
        floor=float("nan"),
    )
)
