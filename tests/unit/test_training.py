"""The training loop: it learns, it keeps the best, it ends when it should, and it says when it failed."""

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from dowgan import Synthesizer
from dowgan.config import Config, resolve
from dowgan.errors import CollapseError, OptionError
from dowgan.fidelity import fidelity
from dowgan.model import Network, Training
from dowgan.noises import NOISES, white
from dowgan.objectives import OBJECTIVES
from dowgan.rng import Streams
from dowgan.train import STEPS as STEP_RANGE
from dowgan.train import assert_alive, default_steps, fit_generator, restore

ROWS, STEPS, CHANNELS = 512, 4, 2
Sample = Callable[[int], np.ndarray]


def windows(rows: int = ROWS, seed: int = 0) -> np.ndarray:
    """Windows around 2, three times as wide in the first channel as in the second."""
    rng = np.random.default_rng(seed)
    level = rng.standard_normal((rows, 1, CHANNELS)) * [0.9, 0.3]
    return 2 + level + 0.1 * rng.standard_normal((rows, STEPS, CHANNELS))


def small(recipe: str = "adversarial", **settings: object) -> Config:
    keys = {"generator.width": 32, "critic.width": 32, "generator.depth": 1, "critic.depth": 1, "train.batch": 64}
    return resolve(recipe, keys | {k.replace("__", "."): v for k, v in settings.items()})


def train(config: Config, score: Callable[[Sample], float] | None = None) -> tuple[Network, Training]:
    truth = windows(seed=1)
    return fit_generator(
        windows(), score or (lambda sample: fidelity(sample(256), truth)), config, Streams(0), None, white
    )


def drawn(network: Network, count: int = 1_000) -> np.ndarray:
    generator, objective, config = restore(network)
    noise = NOISES.get(config.noise)((count, STEPS, CHANNELS), torch.Generator().manual_seed(5))
    with torch.no_grad():
        return objective.sample(generator, noise).numpy().astype(float)


FAST_GAMES = {
    "adversarial-flow": {"train__lr": 2e-3, "objective__anchor": 0.0, "objective__moments": 0.0},
    "relativistic": {"train__lr": 2e-3, "objective__gamma": 0.1},
    "wgan-gp": {"train__lr": 2e-3, "train__critic_steps": 2, "train__beta1": 0.0, "objective__gamma": 1.0},
    "bce": {"train__lr": 2e-3, "train__beta1": 0.5},
    "flow": {"train__lr": 5e-3, "train__beta1": 0.9},
    "wgan": {"train__lr": 1e-3, "train__critic_steps": 3, "train__optimizer": "rmsprop", "objective__clip": 0.1},
}


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_a_tiny_overfit_that_a_flipped_sign_cannot_pass(name: str) -> None:
    """The data lie around 2 and the noise around 0: the generator must go there, whatever the game is."""
    config = small(
        space="standard",
        objective__name=name,
        train__steps=200,
        train__keep="last",
        train__ema=0.9,
        train__decay=False,
        **FAST_GAMES[name],
    )
    network, training = train(config)
    out = drawn(network)
    assert np.abs(out.mean(axis=(0, 1)) - 2).max() < 0.6, "the level"
    assert out[..., 0].std() > 1.3 * out[..., 1].std() or name in ("wgan", "bce"), "the spread of each channel"
    assert training.fidelity[-1] < (0.7 if name == "bce" else 0.5) * training.fidelity[0]


def test_in_the_priors_coordinates_it_starts_from_the_identity() -> None:
    network, training = train(small(train__steps=0))
    generator, _, _ = restore(network)
    noise = torch.randn(9, STEPS, CHANNELS, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(generator(noise), noise)
    assert training.chosen == 0


def test_the_best_weights_are_kept() -> None:
    """A score that is best at the third look keeps the weights of that step."""
    scores = iter([5.0, 4.0, 1.0, 3.0, 3.0, 3.0, 3.0])
    network, training = train(small(train__steps=60, train__checks=6, train__patience=99), lambda sample: next(scores))
    assert training.chosen == 20
    assert training.checks == (0, 10, 20, 30, 40, 50, 60)
    short, _ = train(small(train__steps=20, train__checks=1, train__decay=False, train__keep="last"))
    assert set(network.weights) == set(short.weights)
    scores = iter([5.0, 4.0, 1.0, 3.0, 3.0, 3.0, 3.0])
    _, last = train(
        small(train__steps=60, train__checks=6, train__patience=99, train__keep="last"), lambda sample: next(scores)
    )
    assert last.chosen == 60


def test_patience() -> None:
    scores = iter([1.0, *[2.0] * 50])
    _, training = train(small(train__steps=400, train__checks=40, train__patience=3), lambda sample: next(scores))
    assert training.checks[-1] == 30
    assert training.stopped == "no better fidelity in 3 measurements"


def test_the_budget_is_kept() -> None:
    began = time.monotonic()
    _, training = train(small(train__steps=10**6, train__checks=10**6, train__patience=10**6, train__budget=0.5))
    assert time.monotonic() - began < 5
    assert training.stopped == "the budget of 0.5 s was used up"


def test_ctrl_c_keeps_the_best_so_far() -> None:
    def stop(step: int, steps: int, figures: object) -> None:
        if step == 12:
            raise KeyboardInterrupt

    score = iter([3.0, 2.0, 1.0, 0.5])
    config = small(train__steps=100, train__checks=20)
    network, training = fit_generator(windows(), lambda sample: next(score), config, Streams(0), stop, white)
    assert training.stopped == "interrupted at step 12"
    assert training.chosen == 10
    assert all(np.isfinite(w).all() for w in network.weights.values())


def test_losses_that_are_not_finite_end_it_with_the_best_weights() -> None:
    config = small(space="standard", train__steps=50, train__lr=1e18, train__optimizer="sgd", objective__name="wgan-gp")
    network, training = train(config)
    assert training.stopped.startswith("the losses were no longer finite at step")
    assert all(np.isfinite(w).all() for w in network.weights.values())


def test_the_bound_of_wgan_is_held_behind_every_critic_step(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = OBJECTIVES.get("wgan")
    clip, seen = kind.after_critic, []

    def watched(self: object, critic: torch.nn.Module) -> None:
        clip(self, critic)  # type: ignore[arg-type]
        seen.append(max(float(w.detach().abs().max()) for w in critic.parameters()))

    monkeypatch.setattr(kind, "after_critic", watched)
    network, _ = train(small("wgan", train__steps=6, objective__clip=0.02))
    assert len(seen) == 6 * 5
    assert max(seen) <= 0.02 + 1e-9
    assert max(np.abs(w).max() for w in network.critic.values()) <= 0.02 + 1e-9


def test_the_critic_takes_as_many_steps_as_it_is_told() -> None:
    for turns in (1, 4):
        steps = default_steps(640, small("dense-gan", train__epochs=2, train__critic_steps=turns))
        assert steps == 2 * 10 // turns
    assert default_steps(640, small(train__steps=17)) == 17
    assert [default_steps(windows, small()) for windows in (10, 10**6)] == list(STEP_RANGE)


def test_progress_ends_at_all_steps_and_not_beyond() -> None:
    told = []

    def take(step: int, steps: int, figures: object) -> None:
        told.append((step, steps))

    fit_generator(windows(), lambda sample: 1.0, small(train__steps=7), Streams(0), take, white)
    assert told == [(step, 7) for step in range(1, 8)]


# collapse


def test_a_collapsed_generator_is_an_error_in_one_line() -> None:
    real = windows()
    fake = real.mean(axis=0, keepdims=True) + 0.02 * (real - real.mean(axis=0))
    with pytest.raises(CollapseError) as error:
        assert_alive(fake, real, small())
    assert str(error.value) == (
        "The generator has collapsed: its windows differ by 2% of what real ones do. "
        "Train it otherwise (--set objective.gamma=..., --recipe adversarial) or use --recipe flagship."
    )
    assert assert_alive(fake, real, small(train__collapse="warn")).startswith("The generator has collapsed")
    assert assert_alive(real, real, small()) == ""


def test_a_fit_that_collapses_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    def dead(*arguments: object) -> np.ndarray:
        return np.zeros((64, 1, 4 * 1)) + 1e-3 * np.arange(64)[:, None, None]

    monkeypatch.setattr("dowgan.networks._drawn", dead)
    frame = pd.DataFrame({"x": np.sin(np.arange(60.0)) + np.random.default_rng(0).random(60)})
    with pytest.raises(CollapseError):
        Synthesizer("adversarial", {"train.steps": 2, "window": 4}).fit(frame)


def test_structured_noise_needs_another_space() -> None:
    import pandas as pd

    frame = pd.DataFrame({"x": np.random.default_rng(0).standard_normal(60)})
    with pytest.raises(OptionError) as error:
        Synthesizer("adversarial", {"train.steps": 2, "noise": "seasonal"}).fit(frame)
    text = "Noise 'seasonal' needs --set space=standard: in space 'prior' the prior is the noise."
    assert str(error.value) == text


# noise


@pytest.mark.parametrize("name", NOISES.names())
def test_every_noise_has_mean_0_and_variance_1(name: str) -> None:
    count = 20_000
    noise = NOISES.get(name)((count, 6, 4), torch.Generator().manual_seed(0))
    assert noise.shape == (count, 6, 4)
    assert noise.dtype == torch.float32
    assert noise.mean(0).abs().max() < 5 / count**0.5
    assert (noise.var(0) - 1).abs().max() < 5 * (2 / count) ** 0.5
    again = NOISES.get(name)((count, 6, 4), torch.Generator().manual_seed(0))
    assert torch.equal(noise, again)


def test_structured_noise_has_its_structure() -> None:
    shape = (20_000, 8, 4)

    def across(name: str, a: tuple[int, int], b: tuple[int, int]) -> float:
        noise = NOISES.get(name)(shape, torch.Generator().manual_seed(1))
        return float((noise[:, a[0], a[1]] * noise[:, b[0], b[1]]).mean())

    error = 5 * (2 / shape[0]) ** 0.5
    assert abs(across("white", (0, 0), (1, 0))) < error
    assert abs(across("window", (0, 0), (7, 0)) - 1) < error
    assert abs(across("autoregressive", (0, 0), (3, 0)) - 0.9**3) < error
    assert abs(across("gaussian-process", (0, 0), (4, 0)) - np.exp(-0.5)) < error
    assert abs(across("seasonal", (0, 0), (2, 0))) < error, "a quarter of a wave"
    assert abs(across("seasonal", (0, 0), (4, 0)) + 1) < error, "half a wave"
    low = NOISES.get("low-rank")(shape, torch.Generator().manual_seed(1))[:, 0]
    size = torch.linalg.eigvalsh(low.T @ low / len(low))
    assert size[0] < 1e-5 < 0.5 < size[1], "three sources behind four channels"


# fidelity


def wavy(rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    phase = rng.random((rows, 1, 1)) * 2 * np.pi
    steps = np.arange(12)[None, :, None]
    return np.sin(steps / 2 + phase) * [1.0, 0.8, -0.5] + 0.2 * rng.standard_normal((rows, 12, 3))


def test_fidelity_leaves_out_what_does_not_move_in_the_held_out_windows() -> None:
    """A set-point that stood still there made it 29 million, whatever the other channels did."""
    rng = np.random.default_rng(0)
    fake, truth = rng.standard_normal((2, 200, 8, 3))
    still = truth.copy()
    still[..., 1] = 0.3
    assert fidelity(fake, still) == fidelity(fake[..., [0, 2]], truth[..., [0, 2]])


def test_fidelity_is_zero_for_the_same_and_small_for_alike_windows() -> None:
    assert fidelity(wavy(500, 0), wavy(500, 0)) == 0
    assert fidelity(wavy(4_000, 0), wavy(4_000, 1)) < 0.03


DAMAGE = {
    "level": lambda x, s: x + s,
    "spread": lambda x, s: x * (1 + s),
    "noise": lambda x, s: x + s * np.random.default_rng(3).standard_normal(x.shape),
    "order in time": lambda x, s: np.where(
        np.random.default_rng(4).random(x.shape[:2])[..., None] < s, x[:, ::-1].copy() * -1, x
    ),
    "ties between channels": lambda x, s: np.concatenate(
        [x[..., :2], np.where(np.random.default_rng(5).random(len(x))[:, None, None] < s, -1, 1) * x[..., 2:]], axis=2
    ),
}


@pytest.mark.parametrize("name", list(DAMAGE))
def test_fidelity_grows_with_the_damage(name: str) -> None:
    real = wavy(3_000, 1)
    scores = [fidelity(DAMAGE[name](wavy(3_000, 0), size), real) for size in (0.0, 0.15, 0.4)]
    assert scores[0] < scores[1] < scores[2], scores
