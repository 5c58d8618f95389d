"""Every objective against the formulas of its paper, written again."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from dowgan.config import Objective as Spec
from dowgan.objectives import OBJECTIVES, Batch, Objective

B, T, C = 7, 4, 3


def batch(seed: int = 0, size: int = B, progress: float = 0.0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    real, noise = (torch.randn(size, T, C, generator=random) for _ in "rn")
    return Batch(real + 1, noise, progress, torch.Generator().manual_seed(seed + 1))


class Curved(nn.Module):
    """A small critic with a slope that varies: w . tanh(v x)."""

    def __init__(self, bent: bool = True) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(9)
        self.v = nn.Parameter(0.4 * torch.randn(T * C, T * C, generator=random))
        self.w = nn.Parameter(torch.randn(T * C, 1, generator=random))
        self.bent = bent

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = x.flatten(1) @ self.v
        return (torch.tanh(hidden) if self.bent else hidden) @ self.w

    def slope(self, x: torch.Tensor) -> torch.Tensor:
        """The gradient for x [B T*C], written down by hand."""
        hidden = x.flatten(1) @ self.v
        bend = 1 - torch.tanh(hidden) ** 2 if self.bent else torch.ones_like(hidden)
        return (bend * self.w[:, 0]) @ self.v.T


def log_sigmoid(x: torch.Tensor) -> torch.Tensor:
    return -torch.log(1 + torch.exp(-x))


def made(name: str, **spec: float) -> Objective:
    return OBJECTIVES.get(name)(Spec(name=name, **spec))


def shift(noise: torch.Tensor) -> torch.Tensor:
    return 0.5 * noise - 0.3


def test_bce_is_the_negative_log_likelihood_of_the_first_gan() -> None:
    """-E log D(x) - E log(1 - D(G(z))) and, not saturating, -E log D(G(z)); D = sigmoid(logit)."""
    b, critic, fake = batch(), Curved(), shift(batch().noise)
    objective = made("bce")
    d_real, d_fake = torch.sigmoid(critic(b.real)), torch.sigmoid(critic(fake))
    assert torch.allclose(objective.critic_loss(critic, fake, b), -(d_real.log().mean() + (1 - d_fake).log().mean()))
    assert torch.allclose(objective.generator_loss(shift, critic, b), -d_fake.log().mean())


def test_wgan_is_the_difference_of_means() -> None:
    b, critic, fake = batch(), Curved(), shift(batch().noise)
    objective = made("wgan")
    due = critic(fake).sum() / B - critic(b.real).sum() / B
    assert torch.allclose(objective.critic_loss(critic, fake, b), due)
    assert torch.allclose(objective.generator_loss(shift, critic, b), -critic(fake).sum() / B)


def test_wgan_holds_every_weight_within_its_bound() -> None:
    critic = Curved()
    made("wgan", clip=0.03).after_critic(critic)
    assert max(float(w.detach().abs().max()) for w in critic.parameters()) == pytest.approx(0.03)


def test_wgan_gp_is_the_difference_and_the_penalty_between_real_and_fake() -> None:
    b, critic, fake = batch(), Curved(), shift(batch().noise)
    share = torch.rand(B, 1, 1, generator=torch.Generator().manual_seed(1))
    norm = critic.slope(share * b.real + (1 - share) * fake).square().sum(1).sqrt()
    due = critic(fake).mean() - critic(b.real).mean() + 10 * ((norm - 1) ** 2).mean()
    assert torch.allclose(made("wgan-gp", gamma=10.0).critic_loss(critic, fake, b), due, rtol=1e-4)


def test_r3gan_is_relativistic_with_a_penalty_on_real_and_one_on_fake() -> None:
    """E f(D(G(z)) - D(x)) with f(t) = log(1 + e^t), and gamma/2 (E|grad D(x)|^2 + E|grad D(G(z))|^2)."""
    b, critic, fake = batch(), Curved(), shift(batch().noise)
    objective = made("relativistic", gamma=0.7)
    r1, r2 = (critic.slope(x).square().sum(1).mean() for x in (b.real, fake))
    game = -log_sigmoid(critic(b.real) - critic(fake)).mean()
    assert torch.allclose(objective.critic_loss(critic, fake, b), game + 0.35 * (r1 + r2), rtol=1e-4)
    due = -log_sigmoid(critic(fake) - critic(b.real)).mean()
    assert torch.allclose(objective.generator_loss(shift, critic, b), due, rtol=1e-5)


@pytest.mark.parametrize("name", ["wgan-gp", "relativistic"])
def test_penalties_reach_the_weights(name: str) -> None:
    """With a linear critic the gradient of the penalty is known: 2 gamma/2 * 2 |w| w, or 2 gamma (|w| - 1) w/|w|."""
    b = batch()
    b = replace(b, real=torch.zeros(B, T, C))
    critic = nn.Sequential(nn.Flatten(), nn.Linear(T * C, 1, bias=False))
    made(name, gamma=3.0).critic_loss(critic, torch.zeros(B, T, C), b).backward()
    weight = critic[1].weight
    norm = weight.detach().norm()
    due = 3.0 * 2 * (norm - 1) * weight / norm if name == "wgan-gp" else 3.0 / 2 * 2 * 2 * weight
    assert torch.allclose(weight.grad, due, rtol=1e-4)


def flow_penalty(critic: nn.Module, b: Batch, fake: torch.Tensor) -> float:
    """The penalty of adversarial flow alone, for gamma = 2."""
    with_it, without = (
        made("adversarial-flow", gamma=gamma).critic_loss(
            critic, fake, replace(b, random=torch.Generator().manual_seed(3))
        )
        for gamma in (2.0, 0.0)
    )
    return float((with_it - without).detach())


def test_finite_differences_give_the_gradient_norm_of_a_linear_critic() -> None:
    """E (slope . n)^2 = |slope|^2 over standard normal n; its spread is sqrt(2) |slope|^2."""
    size = 20_000
    b, critic = batch(size=size), Curved(bent=False)
    exact = float(critic.slope(b.real[:1]).square().sum().detach())
    measured = flow_penalty(critic, b, shift(b.noise)) / 2
    assert abs(measured - exact) < 5 * math.sqrt(2 / (2 * size)) * exact


def test_finite_differences_are_close_on_a_curved_critic() -> None:
    size = 20_000
    b, critic = batch(size=size), Curved()
    exact = float(sum(critic.slope(x).square().sum(1).mean().detach() for x in (b.real, shift(b.noise))))
    assert flow_penalty(critic, b, shift(b.noise)) == pytest.approx(exact, rel=0.05)


def test_adversarial_flow_is_the_game_with_centred_logits() -> None:
    b, critic, fake = batch(), Curved(), shift(batch().noise)
    loss = made("adversarial-flow", gamma=0.0).critic_loss(critic, fake, b)
    scores = torch.cat([critic(b.real), critic(fake)])
    due = -log_sigmoid(critic(b.real) - critic(fake)).mean() + 0.01 * scores.mean() ** 2
    assert torch.allclose(loss, due, rtol=1e-5)


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_the_anchor_decays_geometrically_and_moments_are_those_of_the_batch(progress: float) -> None:
    b, critic = batch(progress=progress), Curved()
    fake = shift(b.noise)
    game = -log_sigmoid(critic(fake) - critic(b.real)).mean()
    anchor = 0.8 ** (1 - progress) * 0.02**progress
    moved = ((fake - b.noise) ** 2).mean()
    gap = ((fake.mean(0) - b.real.mean(0)) ** 2).mean() + ((fake.std(0) - b.real.std(0)) ** 2).mean()
    objective = made("adversarial-flow", anchor=0.8, anchor_end=0.02, moments=0.3)
    assert torch.allclose(objective.generator_loss(shift, critic, b), game + anchor * moved + 0.3 * gap, rtol=1e-5)
    free = made("adversarial-flow", anchor=0.0, moments=0.0)
    assert torch.allclose(free.generator_loss(shift, critic, b), game, rtol=1e-5)


def test_flow_learns_the_straight_line() -> None:
    b = batch()
    t = torch.rand(B, 1, 1, generator=torch.Generator().manual_seed(1))
    seen = []

    def velocity(x: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return torch.zeros(B, T, C)

    def no_critic(x: torch.Tensor) -> torch.Tensor:
        raise AssertionError

    loss = made("flow").generator_loss(velocity, no_critic, b)
    assert torch.allclose(loss, ((b.real - b.noise) ** 2).mean())
    assert torch.allclose(seen[0][..., :C], (1 - t) * b.noise + t * b.real)
    assert torch.allclose(seen[0][..., C:], t.expand(B, T, 1))


def test_flow_samples_by_heuns_method() -> None:
    """x' = -x from 1: Heun's factor of a step h is 1 - h + h^2/2; x' = 2t: exact."""
    objective = made("flow", flow_steps=4)
    start = torch.ones(2, T, C)
    assert torch.allclose(objective.sample(lambda x: -x[..., :C], start), start * (1 - 0.25 + 0.25**2 / 2) ** 4)
    assert torch.allclose(objective.sample(lambda x: 2 * x[..., C:].expand(-1, -1, C), start), start + 1)


@pytest.mark.parametrize("name", [n for n in OBJECTIVES.names() if OBJECTIVES.get(n).adversarial])
def test_both_players_have_their_own_direction(name: str) -> None:
    """One critic step widens the gap between real and fake, one generator step lifts the score of the fake."""
    b, critic = batch(size=64), Curved()
    objective = made(name, gamma=0.0, moments=0.0, anchor=0.0, clip=9.0)
    offset = nn.Parameter(torch.zeros(T, C))

    def generator(noise: torch.Tensor) -> torch.Tensor:
        return noise + offset

    def gap() -> float:
        return float((critic(b.real).mean() - critic(generator(b.noise)).mean()).detach())

    before = gap()
    objective.critic_loss(critic, generator(b.noise).detach(), b).backward()
    with torch.no_grad():
        for weight in critic.parameters():
            weight -= 0.01 * weight.grad
    assert gap() > before
    score = float(critic(generator(b.noise)).mean().detach())
    objective.generator_loss(generator, critic, b).backward()
    with torch.no_grad():
        offset -= 0.01 * offset.grad
    assert float(critic(generator(b.noise)).mean().detach()) > score
