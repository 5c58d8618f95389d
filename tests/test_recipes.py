"""The founding system's recipes: their parts and numbers, and that each runs end to end from the command line."""

from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch

from dowgan import Synthesizer
from dowgan.cli import run
from dowgan.config import resolve
from dowgan.embedding import fit_embedding
from dowgan.errors import OptionError
from dowgan.nets import NETS, Shape
from dowgan.nets.dense import Dense
from dowgan.networks import told_of
from dowgan.noises import NOISES, stored
from dowgan.objectives import OBJECTIVES, Batch
from dowgan.objectives.wasserstein import Clipped
from dowgan.players import make_players, tell
from dowgan.rng import Streams
from dowgan.train import _batches, _step, default_steps
from small_tables import waves

RECIPES = ("dense-gan", "wgan", "gru-wgan", "conv-gan", "encoder-gan", "wgan-gp", "r3gan", "flow")
LENGTH = {"dense-gan": ["train.epochs=2"]}


def quick(recipe: str) -> list[str]:
    """Settings that make a recipe short without changing its parts."""
    few = LENGTH.get(recipe, ["train.steps=6"])
    return [*few, "train.checks=2", "encoder.steps=20", "train.collapse=warn", "calibrated=false"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_runs_from_the_command_line(recipe: str, tmp_path: Path) -> None:
    data, model = tmp_path / "data.csv", tmp_path / "a.dowgan"
    waves(200).to_csv(data, index=False)
    settings = [part for text in quick(recipe) for part in ("--set", text)]
    assert run(["fit", str(data), "-o", str(model), "--recipe", recipe, "--quiet", *settings]) == 0
    for name in ("one.csv", "two.csv"):
        assert run(["generate", str(model), "-n", "70", "-o", str(tmp_path / name), "--quiet"]) == 0
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    made = pd.read_csv(tmp_path / "one.csv")
    assert list(made) == ["time", "slow", "fast", "skewed"]
    assert len(made) == 70


@pytest.mark.parametrize("recipe", ["dense-gan", "conv-gan", "encoder-gan"])
def test_rows_and_runs_do_not_depend_on_how_many_are_asked_for(recipe: str) -> None:
    model = Synthesizer(recipe, quick(recipe)).fit(waves(200))
    few, many = model.generate(30), model.generate(200)
    pd.testing.assert_frame_equal(few, many.head(30))
    two, three = model.generate(20, runs=2), model.generate(20, runs=3)
    pd.testing.assert_frame_equal(two, three.head(40))


def test_raw_space_refuses_given_values_but_densifies_and_extends_by_the_prior() -> None:
    frame = waves(200)
    model = Synthesizer("dense-gan", quick("dense-gan")).fit(frame)
    assert len(model.extend(steps=5, paths=8).median) == 5
    assert len(model.densify(frame.head(20), factor=2)) == 39
    with pytest.raises(OptionError) as error:
        model.generate(10, where={"slow": "3"})
    assert str(error.value) == (
        "The network of this model works in space 'raw' and cannot follow given values, only conditions; "
        "fit with --recipe flagship for that."
    )


def test_the_default_trains_no_network_and_refuses_its_settings() -> None:
    frame = waves(240).assign(batch=np.repeat(np.arange(10), 24))
    model = Synthesizer("flagship", {"train.budget": 0.1}, runs=("batch",)).fit(frame)
    assert model.model_.network is None
    assert model.model_.transport is not None
    with pytest.raises(OptionError) as error:
        Synthesizer("flagship", {"train.steps": 10}).fit(frame)
    assert str(error.value) == (
        "The recipe 'flagship' trains no network, so 'train.steps' changes nothing; "
        "add --recipe adversarial, or another that trains one."
    )


def test_a_network_in_the_prior_starts_from_the_windows_of_the_prior() -> None:
    """They are not white: of a few runs that all rise, each of their windows rises too."""
    rise = np.tile(np.linspace(0, 10, 24), 10) + np.random.default_rng(0).normal(0, 0.3, 240)
    frame = pd.DataFrame({"a": rise.round(3), "batch": np.repeat(np.arange(10), 24)})
    with mock.patch("dowgan.networks.stored", wraps=stored) as kept:
        Synthesizer("flow", quick("flow"), runs=("batch",)).fit(frame)
    windows = kept.call_args.args[0]
    assert windows.shape[1] == 1
    assert windows.std(axis=0).max() < 1.5
    model = Synthesizer("flow", [*quick("flow"), "train.lr=1e-9"], runs=("batch",)).fit(frame)
    made = model.generate(rows=24, runs=200)
    assert np.corrcoef(made["a"], np.tile(np.arange(24), 200))[0, 1] > 0.9  # untrained, it gives the prior back


def test_structured_noise_is_refused_in_the_prior() -> None:
    with pytest.raises(OptionError) as error:
        Synthesizer("r3gan", [*quick("r3gan"), "noise=seasonal"]).fit(waves(200))
    assert str(error.value) == ("Noise 'seasonal' needs --set space=standard: in space 'prior' the prior is the noise.")


# parts and numbers


def test_dense_gan_has_the_decks_layers() -> None:
    config = resolve("dense-gan")
    widths = {
        role: [
            (m.in_features, m.out_features)
            for m in NETS.get("dense")(shape, spec).modules()
            if hasattr(m, "in_features")
        ]
        for role, shape, spec in (
            ("generator", Shape(1, 20, "generator", 20), config.generator),
            ("critic", Shape(1, 20, "critic", 1), config.critic),
        )
    }
    assert widths == {"generator": [(20, 18), (18, 36), (36, 20)], "critic": [(20, 144), (144, 72), (72, 36), (36, 1)]}
    critic = Dense(Shape(1, 20, "critic", 1), config.critic)
    kinds = [type(m).__name__ for m in critic.layers]
    assert kinds == ["Linear", "ReLU", "Dropout"] * 3 + ["Linear"]
    assert [m.p for m in critic.layers if isinstance(m, torch.nn.Dropout)] == [0.2] * 3


def test_dense_gan_has_the_decks_training() -> None:
    config = resolve("dense-gan")
    train = config.train
    assert (config.window, config.space, config.objective.name) == (1, "raw", "bce")
    assert (train.epochs, train.batch, train.lr, train.optimizer) == (100, 18, 0.002, "adam")
    assert (train.beta1, train.beta2, train.ema, train.decay, train.all_rows) == (0.9, 0.999, 0.0, False, True)
    assert default_steps(522, config) == 100 * 29


def test_wgan_has_the_papers_defaults() -> None:
    for recipe in ("wgan", "gru-wgan"):
        config = resolve(recipe)
        train = config.train
        assert (train.optimizer, train.lr, train.batch, train.critic_steps) == ("rmsprop", 5e-5, 64, 5)
        assert (config.objective.name, config.objective.clip, train.ema, train.decay) == ("wgan", 0.01, 0.0, False)


def test_gru_head_is_the_decks() -> None:
    net = NETS.get("gru")(Shape(12, 4, "generator", 4), resolve("gru-wgan").generator)
    kinds = [type(m).__name__ for m in net.head]  # type: ignore[union-attr]
    assert kinds == ["Linear", "LayerNorm", "LeakyReLU", "Dropout", "Linear", "LayerNorm"]
    assert net.head[3].p == 0.1  # type: ignore[index, union-attr]


# Algorithm 1 of the Wasserstein GAN


def _toy_game() -> tuple:
    config = resolve("wgan", ["generator.width=3", "critic.width=2", "train.batch=8"])
    objective = Clipped(config.objective)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        players = make_players(4, 2, config, objective)
    random = torch.Generator().manual_seed(2)
    batches = [(torch.randn(8, 4, 2, generator=random) + 1, torch.randn(8, 4, 2, generator=random)) for _ in range(6)]
    return config, objective, players, batches


def _rmsprop(weight: torch.Tensor, slope: torch.Tensor, square: torch.Tensor, rate: float) -> None:
    """Tieleman and Hinton 2012, lecture 6.5: w -= rate g / (sqrt(mean of g^2) + eps)."""
    square.mul_(0.99).add_(0.01 * slope**2)
    weight.sub_(rate * slope / (square.sqrt() + 1e-8))


def test_one_step_is_algorithm_1_by_hand() -> None:
    config, objective, players, batches = _toy_game()
    with torch.random.fork_rng():
        twin = _toy_game()[2]
    told = torch.zeros(8, 4, 0)
    feed = iter(batches)

    def draw(step: int, turn: int) -> tuple[Batch, torch.Tensor]:
        real, noise = next(feed)
        return Batch(real, noise, 0.0, torch.Generator()), told

    _step(players, objective, draw, 0, config)

    alpha, clip = 5e-5, 0.01
    w, theta = list(twin.critic.parameters()), list(twin.generator.parameters())
    squares = [torch.zeros_like(p) for p in w]
    for real, noise in batches[:5]:
        value = twin.critic(real).mean() - twin.critic(twin.generator(noise).detach()).mean()
        slopes = torch.autograd.grad(value, w)
        with torch.no_grad():
            for weight, slope, square in zip(w, slopes, squares, strict=True):
                _rmsprop(weight, -slope, square, alpha)  # ascent
                weight.clamp_(-clip, clip)
    slopes = torch.autograd.grad(-twin.critic(twin.generator(batches[5][1])).mean(), theta)
    with torch.no_grad():
        for weight, slope in zip(theta, slopes, strict=True):
            _rmsprop(weight, slope, torch.zeros_like(weight), alpha)
    for ours, hand in ((players.critic, twin.critic), (players.generator, twin.generator)):
        for a, b in zip(ours.parameters(), hand.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-8)


def test_clipping_bound_holds_after_every_critic_step() -> None:
    bounds: list[float] = []
    clip = Clipped.after_critic

    def spy(self: Clipped, critic: torch.nn.Module) -> None:
        clip(self, critic)
        bounds.append(max(float(w.detach().abs().max()) for w in critic.parameters()))

    with mock.patch.object(Clipped, "after_critic", spy):
        Synthesizer("wgan", [*quick("wgan"), "train.lr=0.05"]).fit(waves(200))
    assert len(bounds) == 6 * 5
    assert max(bounds) <= 0.01 + 1e-9
    assert min(bounds) > 0.009  # the bound is at work


# epochs, conditions, embedding


def test_an_epoch_shows_every_window_once_to_the_critic() -> None:
    config = resolve("dense-gan", ["train.epochs=2", "train.batch=4"])
    windows = torch.arange(10.0).reshape(10, 1, 1)
    draw = _batches(windows, torch.zeros(10, 1, 0), config, NOISES.get("white"), 6, Streams(0).torch("x"))
    for _ in range(2):
        seen = torch.cat([draw(step, 0)[0].real.flatten() for step in range(3)])
        assert sorted(seen.tolist()) == list(range(10))
        draw(0, -1)  # the generator's turn takes none of them
    assert default_steps(10, config) == 6
    assert default_steps(10, resolve("wgan", ["train.epochs=10", "train.batch=4"])) == 10 * 3 // 5


def test_asked_epochs_replace_the_recipes_steps_and_both_are_refused() -> None:
    assert resolve("wgan", ["train.epochs=3"]).train.steps is None
    assert resolve("dense-gan", ["train.steps=3"]).train.epochs is None
    with pytest.raises(OptionError) as error:
        resolve("wgan", ["train.epochs=3", "train.steps=3"])
    assert str(error.value) == "Both train.steps and train.epochs are set; they say the same thing twice: set one."


def test_players_are_told_the_condition() -> None:
    assert told_of(np.array([0, 0, 0]), 1).shape == (3, 0)
    np.testing.assert_array_equal(told_of(np.array([1, 0]), 2), [[0, 1], [1, 0]])
    seen: list[torch.Tensor] = []
    told = torch.tensor([[[1.0]], [[2.0]]])
    tell(lambda x: seen.append(x) or x, told)(torch.zeros(4, 1, 3))  # type: ignore[func-returns-value]
    assert seen[0][:, 0, 3].tolist() == [1, 2, 1, 2]  # two batches behind each other


@pytest.mark.long
def test_conv_gan_follows_the_condition() -> None:
    frame = waves(320)
    grade = np.repeat(["A", "B"], 40)[np.arange(320) % 80]
    frame["slow"] = frame["slow"] + 40 * (grade == "B")
    frame["grade"] = grade
    settings = [
        *quick("conv-gan"),
        "train.steps=500",
        "window=8",
        "generator.width=16",
        "critic.width=16",
        "train.lr=0.003",
    ]
    model = Synthesizer("conv-gan", settings, conditions=["grade"]).fit(frame)
    a, b = (model.generate(400, where={"grade": g}) for g in ("A", "B"))
    assert set(a["grade"]) == {"A"}
    assert set(b["grade"]) == {"B"}
    assert b["slow"].mean() > a["slow"].mean() + 20  # 40 apart in the data


def test_embedding_learns_to_give_windows_back() -> None:
    t = np.arange(12)
    phase = np.random.default_rng(0).uniform(0, 6.3, (200, 1))
    windows = np.stack([np.sin(0.7 * t + phase), np.cos(0.7 * t + phase)], axis=2)
    spec = resolve("encoder-gan", ["encoder.steps=150", "encoder.width=8", "encoder.lr=0.01"]).encoder
    embedding = fit_embedding(windows, spec, Streams(0))
    states = embedding.embed(windows)
    error = np.mean((embedding.recover(states[:, 6:]) - windows[:, 6:]) ** 2)
    assert error < 0.2 * windows.var()  # a net that learns nothing has 1.0
    assert np.abs(states).max() < 1


def test_every_net_and_objective_declares_its_space() -> None:
    from dowgan.space import NET_SPACES, OBJECTIVE_SPACES

    assert set(NET_SPACES.names()) == set(NETS.names())
    assert set(OBJECTIVE_SPACES.names()) == set(OBJECTIVES.names())
