"""Extensions weigh plain ways to foretell by backtests: the more of them, the surer they do better than the prior."""

import numpy as np
import pandas as pd

import dowgan
from dowgan.calibrate import Tried, mixture_of
from dowgan.metrics.paired import crps
from dowgan.verbs import OUTLOOKS, Mixture, Paths

ROWS, STEPS = 1_200, 40


def tried(better: float, seed: int, count: int = 12, rows: int = 48) -> list[Tried]:
    """Backtests of one channel in which the last value is nearer than the prior's median by so much in the mean."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        truth = rng.standard_normal((rows, 1)).cumsum(axis=0) * 0.1
        last = truth + rng.standard_normal()
        prior = truth + rng.choice([-1, 1]) * (np.abs(rng.standard_normal()) + better)
        guesses = np.stack([prior, prior, last, prior])
        paths = prior + rng.standard_normal((64, rows, 1))
        out.append(Tried(truth, Paths(prior, paths, np.ones((rows, 1)), guesses)))
    return out


def test_what_is_surely_better_is_taken_and_what_may_be_chance_is_not() -> None:
    at = 1 + OUTLOOKS.index("last")
    surely = [mixture_of(tried(3.0, seed), 3).weights[at, 0] for seed in range(5)]
    hardly = [mixture_of(tried(-0.3, seed), 3).weights[at, 0] for seed in range(5)]
    assert min(surely) > 0.5, surely
    assert np.mean(hardly) < 0.3, hardly


def test_bands_are_those_of_the_mixture() -> None:
    found = tried(3.0, 0)
    mixture = mixture_of(found, len(found))
    prior = Mixture(np.eye(1 + len(OUTLOOKS))[:, [0]], np.ones(1))
    alone = np.concatenate([one.ratios(prior) for one in found])
    assert np.allclose(mixture.weights.sum(axis=0), 1)
    assert mixture.band[0] < np.quantile(alone, 0.9)


def wandering(seed: int) -> pd.DataFrame:
    steps = np.random.default_rng(seed).standard_normal(ROWS + STEPS) * 0.4
    days = pd.date_range("2018-01-01", periods=ROWS + STEPS, freq="B")
    return pd.DataFrame({"day": days, "price": np.round(60 + steps.cumsum(), 2)})


def test_a_price_is_foretold_from_where_it_is() -> None:
    ours, plain = [], []
    for seed in range(4):
        frame = wandering(seed)
        paths = (
            dowgan.Synthesizer("prior", {"calibrated": False}).fit(frame.iloc[:ROWS]).extend(steps=STEPS).paths["price"]
        )
        truth = frame["price"].to_numpy()[ROWS:]
        ours.append(float(crps(truth[:, None], paths.to_numpy().reshape(-1, STEPS, 1))[0]))
        plain.append(float(np.abs(truth - frame["price"].iloc[ROWS - 1]).mean()))
    assert np.mean(ours) < np.mean(plain), (ours, plain)


def test_white_noise_is_not_foretold_from_its_last_row() -> None:
    values = np.random.default_rng(1).standard_normal(ROWS).round(3)
    frame = pd.DataFrame({"day": pd.date_range("2018-01-01", periods=ROWS, freq="D"), "x": values})
    weights = dowgan.Synthesizer("prior", {"calibrated": False}).fit(frame).model_.calibration.outlook.weights
    assert weights[0, 0] > 0.8
