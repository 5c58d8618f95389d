"""A strong two-sample judge: boosted trees on values, differences and simple descriptions of the windows.

Classifier two-sample test, Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017,
arXiv:1610.06545, with histogram-based gradient boosting (Ke et al., "LightGBM", NeurIPS 2017; scikit-learn's)
and the area under the ROC curve on windows that it has not seen:

    score = P(odds of a real window > odds of a generated one)        .5: cannot tell (good), 1: always tells.

Split by blocks of time, see `timesplit`. Trees see what a small recurrent judge does not: rounding, bounds,
repeated values, single odd steps. Compare it with the floor, the same judge between the held-out and the
training block of the real data.
"""

import numpy as np
from jaxtyping import Float, Int

from dowgan.metrics.metric import METRICS, Metric, Score
from dowgan.metrics.threads import one_thread
from dowgan.metrics.timesplit import by_group, by_time
from dowgan.rng import Streams

Array = np.ndarray
MOST_WINDOWS = 4_000  # of each kind to learn from, to bound the time
MOST_STEPS_BY_CHANNEL = 400  # single values that are shown; a longer or wider window is thinned in time
ROUNDS = 100


def features(windows: Float[Array, "N T C"]) -> Float[Array, "N D"]:
    """Describe windows to the trees: values, differences, and a summary of each channel.

    Mean, spread, extremes, net change, mean and greatest ramp, lag-1 product.

    NaN stay NaN, which the trees can take.
    """
    N, T, C = windows.shape
    kept = np.unique(np.linspace(0, T - 1, max(min(T, MOST_STEPS_BY_CHANNEL // C), 2)).round().astype(int))
    change = np.diff(windows, axis=1)
    centred = windows - windows.mean(1, keepdims=True)
    described = [
        windows.mean(1),
        windows.std(1),
        windows.max(1),
        windows.min(1),
        windows[:, -1] - windows[:, 0],
        np.abs(change).mean(1),
        np.abs(change).max(1),
        (centred[:, 1:] * centred[:, :-1]).mean(1),
    ]
    return np.concatenate([windows[:, kept].reshape(N, -1), change[:, kept[:-1]].reshape(N, -1), *described], 1)


def auc(real_scores: Float[Array, "N"], fake_scores: Float[Array, "M"]) -> float:
    """P(a real score is above a generated one), ties counting half (Mann and Whitney 1947)."""
    from scipy.stats import rankdata

    N, M = len(real_scores), len(fake_scores)
    ranks = rankdata(np.concatenate([real_scores, fake_scores]))
    return float((ranks[:N].sum() - N * (N + 1) / 2) / (N * M))


def twosample(
    real: Float[Array, "N T C"],
    fake: Float[Array, "M T C"],
    *,
    groups: tuple[Int[Array, "N"], Int[Array, "M"]] | None = None,
    stride: int = 1,
    seed: int = 0,
    rounds: int = ROUNDS,
) -> float:
    """Return the area under the ROC curve of boosted trees on unseen windows; lower is better, floor .5.

    Args:
        real, fake: windows in the order of time; NaN allowed.
        groups: the run of each window; whole runs are tested. None splits by blocks of time.
        stride: steps between the starts of neighbouring windows (without groups).
        seed: picks the windows where there are too many.
        rounds: of boosting.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    assert real.shape[1:] == fake.shape[1:], f"real windows {real.shape[1:]}, generated {fake.shape[1:]}"
    rng = Streams(seed).numpy("twosample")
    (learn_real, test_real), (learn_fake, test_fake) = splits(real, fake, groups, stride)
    learn_real, learn_fake = even(learn_real, learn_fake, MOST_WINDOWS, rng)
    x = features(np.concatenate([real[learn_real], fake[learn_fake]]))
    y = np.repeat([1, 0], [len(learn_real), len(learn_fake)])
    trees = HistGradientBoostingClassifier(max_iter=rounds, early_stopping=False, random_state=seed)
    with one_thread():
        trees.fit(x, y)
        return auc(*(trees.decision_function(features(w)) for w in (real[test_real], fake[test_fake])))


Split = tuple[Array, Array]


def splits(real: Array, fake: Array, groups: tuple[Array, Array] | None, stride: int) -> tuple[Split, Split]:
    """The split of the real and of the generated windows, by runs or by time."""
    if groups is not None:
        return by_group(groups[0]), by_group(groups[1])
    return by_time(len(real), real.shape[1], stride), by_time(len(fake), fake.shape[1], stride)


def even(real: Array, fake: Array, most: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """As many of each kind, at most `most`, so that the judge gains nothing from a guess."""
    size = min(len(real), len(fake), most)
    return rng.choice(real, size, replace=False), rng.choice(fake, size, replace=False)


def _measure(real: Array, fake: Array, seed: int) -> Score:
    return Score(twosample(real, fake, seed=seed))


METRICS.add("twosample")(
    Metric(
        "twosample",
        "told apart by boosted trees (AUC)",
        better="lower",
        needs="windows",
        cost="slow",
        measure=_measure,
        floor=0.5,
    )
)
