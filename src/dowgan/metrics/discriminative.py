"""Discriminative score of the published tables: can a tiny recurrent judge tell real from generated windows?

Yoon et al., "Time-series generative adversarial networks", NeurIPS 2019, section 5.1; the protocol here is
the one of their released code, which everyone ports: one GRU layer of `int(C / 2)` units, a dense unit on the
last state, Adam 1e-3, 2,000 iterations of 128 real and 128 generated windows, random 80/20 splits of both,
and on the 20 %

    score = |0.5 - accuracy|        0: cannot tell them apart (good), 0.5: always can (bad).

The judge is small, so a low score proves little (it cannot see what `twosample` sees), and with windows that
overlap its random split leaks: this is for comparison with published figures. It varies by about .02 from
repeat to repeat.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dowgan.metrics import recurrent
from dowgan.metrics.metric import METRICS, Metric, Score
from dowgan.metrics.threads import one_thread
from dowgan.rng import Streams

Array = np.ndarray
BATCH = 128  # of real and of generated windows each
ITERATIONS = 2_000
TRAINING_SHARE = 0.8
LONGEST_PASS = 4_096  # windows that are judged at once, to bound the memory


def minmax(
    real: Float[Array, "N T C"], fake: Float[Array, "M T C"]
) -> tuple[Float[Array, "N T C"], Float[Array, "M T C"]]:
    """Scale each channel to 0-1 by the least and the greatest real value, as the published protocol does.

    A constant channel becomes 0. Generated values outside of the real range stay outside of 0-1.
    """
    low, high = real.min((0, 1)), real.max((0, 1))
    span = np.where(high > low, high - low, 1.0)
    return (real - low) / span, (fake - low) / span


def discriminative(
    real: Float[Array, "N T C"],
    fake: Float[Array, "M T C"],
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    iterations: int = ITERATIONS,
) -> Float[Array, "R"]:
    """Return |0.5 - accuracy| of one freshly trained judge per seed; lower is better, 0.5 is the worst.

    With as many generated as real windows this is the published score. Otherwise the accuracy is the mean of
    both classes', so that the larger one does not decide. A seed's score does not depend on the other seeds.

    Args:
        real, fake: windows, already scaled by `minmax` if they are to be compared with published figures.
        seeds: one repeat each; the repeats are trained side by side.
        iterations: 2,000 in the protocol; tests use fewer.
    """
    assert real.shape[1:] == fake.shape[1:], f"real windows {real.shape[1:]}, generated {fake.shape[1:]}"
    rngs = [Streams(seed).numpy("discriminative") for seed in seeds]
    layout = recurrent.Layout(real.shape[2], max(real.shape[2] // 2, 1))
    flat = layout.start(rngs)
    real_split = [_split(rng, len(real)) for rng in rngs]
    fake_split = [_split(rng, len(fake)) for rng in rngs]
    pool = np.concatenate([real, fake]).astype(np.float32)
    with one_thread():
        _train(layout, flat, pool, real_split, fake_split, len(real), rngs, iterations)
        return np.array(
            [
                _score(layout, flat[i : i + 1], pool, real_split[i][1], fake_split[i][1] + len(real))
                for i in range(len(seeds))
            ]
        )


def _split(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    order = rng.permutation(count)
    cut = int(count * TRAINING_SHARE)
    return order[:cut], order[cut:]


def _train(
    layout: recurrent.Layout,
    flat: Float[Array, "R P"],
    pool: Float[Array, "NM T C"],
    real_split: list[tuple[Array, Array]],
    fake_split: list[tuple[Array, Array]],
    shift: int,
    rngs: list[np.random.Generator],
    iterations: int,
) -> None:
    parts, adam = layout.parts(flat), recurrent.Adam(flat)
    real_train = [train for train, _ in real_split]
    fake_train = [train + shift for train, _ in fake_split]
    for _ in range(iterations):
        picks = [
            np.concatenate([_pick(rng, real), _pick(rng, fake)])
            for rng, real, fake in zip(rngs, real_train, fake_train, strict=True)
        ]
        real_count = min(BATCH, len(real_train[0]))
        x = recurrent.batches(pool, np.stack(picks))
        adam.descend(judge_gradient(layout, parts, x, real_count))


def _pick(rng: np.random.Generator, rows: Array) -> Array:
    return rows[rng.choice(len(rows), min(BATCH, len(rows)), replace=False, shuffle=False)]


def judge_gradient(
    layout: recurrent.Layout, parts: recurrent.Parts, x: Float[Array, "T R C B"], real_count: int
) -> Float[Array, "R P"]:
    """Gradient of the mean cross-entropy on the real plus that on the generated windows (real ones first)."""
    trace = recurrent.run(parts, x)
    last = trace.states[-1]  # [R H B]
    real, fake = real_count, x.shape[3] - real_count
    label = np.repeat(np.array([1, 0], x.dtype), (real, fake))
    weight = np.repeat(np.array([1 / real, 1 / fake], x.dtype), (real, fake))
    miss = (_probability(parts, last) - label) * weight  # [R 1 B]
    slope = recurrent.gradient(layout, parts, trace, (parts.head.swapaxes(1, 2) * miss)[None])
    into = layout.parts(slope)
    into.head[:] = np.matmul(miss, last.swapaxes(1, 2))
    into.offset[:] = miss.sum(2, keepdims=True)
    return slope


def _probability(parts: recurrent.Parts, last: Float[Array, "R H B"]) -> Float[Array, "R 1 B"]:
    return 0.5 + 0.5 * np.tanh(0.5 * (np.matmul(parts.head, last) + parts.offset))


def judge_logits(
    layout: recurrent.Layout, flat: Float[Array, "1 P"], windows: Float[Array, "N T C"]
) -> Float[Array, "N"]:
    """Return the judge's log odds that each window is real."""
    parts, found = layout.parts(flat), []
    for at in range(0, len(windows), LONGEST_PASS):
        rows = np.arange(at, min(at + LONGEST_PASS, len(windows)))
        last = recurrent.run(parts, recurrent.batches(windows, rows[None])).states[-1]
        found.append((np.matmul(parts.head, last) + parts.offset).ravel())
    return np.concatenate(found)


def _score(layout: recurrent.Layout, flat: Array, pool: Array, real_rows: Array, fake_rows: Array) -> float:
    hits_real = (judge_logits(layout, flat, pool[real_rows]) > 0).mean()
    hits_fake = (judge_logits(layout, flat, pool[fake_rows]) <= 0).mean()
    return float(abs(0.5 - (hits_real + hits_fake) / 2))


def _measure(real: Array, fake: Array, seed: int) -> Score:
    scaled = minmax(real, fake)
    return Score(float(discriminative(*scaled, seeds=range(5 * seed, 5 * seed + 5)).mean()))


METRICS.add("discriminative")(
    Metric(
        "discriminative",
        "told apart by the published tiny judge",
        better="lower",
        needs="windows",
        cost="slow",
        measure=_measure,
    )
)
