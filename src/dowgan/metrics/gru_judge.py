"""A recurrent judge with room to see: a GRU of 64 units, tested on unseen blocks of time.

As `discriminative` (Yoon et al. 2019) but with 64 units instead of a few, channels standardised instead of
min-max scaled, a split by blocks of time instead of a random one, and the area under the ROC curve: .5 cannot
tell (good), 1 always tells. It sees dynamics over a whole window, which trees see only piecewise.
"""

import numpy as np
from jaxtyping import Float, Int

from dowgan.metrics import recurrent
from dowgan.metrics.discriminative import BATCH, judge_gradient, judge_logits
from dowgan.metrics.marginal import moments
from dowgan.metrics.metric import METRICS, Metric, Score
from dowgan.metrics.threads import one_thread
from dowgan.metrics.twosample import auc, splits
from dowgan.rng import Streams

Array = np.ndarray
HIDDEN = 64
ITERATIONS = 500
RATE = 3e-3
FARTHEST = 10.0  # standard deviations; a wilder value tells no more and would swamp the sums


def gru_judge(
    real: Float[Array, "N T C"],
    fake: Float[Array, "M T C"],
    *,
    groups: tuple[Int[Array, "N"], Int[Array, "M"]] | None = None,
    stride: int = 1,
    seed: int = 0,
    iterations: int = ITERATIONS,
) -> float:
    """Return the area under the ROC curve of a GRU of 64 on unseen windows; lower is better, .5 is the floor.

    A missing value is shown as the channel's mean.

    Args:
        real, fake: windows in the order of time.
        groups: the run of each window; whole runs are tested. None splits by blocks of time.
        stride: steps between the starts of neighbouring windows (without groups).
        seed: of the weights and batches.
        iterations: batches of 128 real and 128 generated windows.
    """
    assert real.shape[1:] == fake.shape[1:], f"real windows {real.shape[1:]}, generated {fake.shape[1:]}"
    rng = Streams(seed).numpy("gru_judge")
    (learn_real, test_real), (learn_fake, test_fake) = splits(real, fake, groups, stride)
    mean, scale = moments(real[learn_real].reshape(-1, real.shape[2]))
    shown = [np.nan_to_num((x - mean) / scale).clip(-FARTHEST, FARTHEST).astype(np.float32) for x in (real, fake)]
    pool, learn_fake = np.concatenate(shown), learn_fake + len(real)
    layout = recurrent.Layout(real.shape[2], HIDDEN)
    flat = layout.start([rng])
    parts, adam = layout.parts(flat), recurrent.Adam(flat, RATE)
    with one_thread():
        for _ in range(iterations):
            picks = np.concatenate([rng.choice(learn_real, BATCH), rng.choice(learn_fake, BATCH)])
            adam.descend(judge_gradient(layout, parts, recurrent.batches(pool, picks[None]), BATCH))
        odds = [judge_logits(layout, flat, x[rows]) for x, rows in zip(shown, (test_real, test_fake), strict=True)]
    return auc(*odds)


def _measure(real: Array, fake: Array, seed: int) -> Score:
    return Score(gru_judge(real, fake, seed=seed))


METRICS.add("gru_judge")(
    Metric(
        "gru_judge",
        "told apart by a GRU of 64 (AUC)",
        better="lower",
        needs="windows",
        cost="slow",
        measure=_measure,
        floor=0.5,
    )
)
