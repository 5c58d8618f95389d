"""Wasserstein losses, the critic held Lipschitz by clipping or by a gradient penalty.

Arjovsky, Chintala and Bottou, "Wasserstein GAN", 2017, arXiv:1701.07875, Algorithm 1.
Gulrajani et al., "Improved Training of Wasserstein GANs", NIPS 2017, arXiv:1704.00028, Algorithm 1.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from dowgan.objectives.objective import OBJECTIVES, Batch, Critic, Generator, Objective, Windows
from dowgan.space import OBJECTIVE_SPACES, Choice, Real


@OBJECTIVES.add("wgan")
class Clipped(Objective):
    """The critic's weights are clipped to [-c, c] behind each of its steps (Algorithm 1, line 7)."""

    def critic_loss(self, critic: Critic, fake: Windows, batch: Batch) -> Float[Tensor, ""]:
        return critic(fake).mean() - critic(batch.real).mean()

    def generator_loss(self, generator: Generator, critic: Critic, batch: Batch) -> Float[Tensor, ""]:
        return -critic(generator(batch.noise)).mean()

    def after_critic(self, critic: torch.nn.Module) -> None:
        with torch.no_grad():
            for weight in critic.parameters():
                weight.clamp_(-self.spec.clip, self.spec.clip)


@OBJECTIVES.add("wgan-gp")
class Penalised(Objective):
    """gamma (|grad D(x^)| - 1)^2 at uniform mixtures of real and fake (Algorithm 1, lines 6-7)."""

    def critic_loss(self, critic: Critic, fake: Windows, batch: Batch) -> Float[Tensor, ""]:
        share = torch.rand(len(fake), 1, 1, generator=batch.random)
        mixed = (share * batch.real + (1 - share) * fake).requires_grad_()
        slope = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)[0]
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        return critic(fake).mean() - critic(batch.real).mean() + self.spec.gamma * penalty

    def generator_loss(self, generator: Generator, critic: Critic, batch: Batch) -> Float[Tensor, ""]:
        return -critic(generator(batch.noise)).mean()


OBJECTIVE_SPACES.add("wgan")(
    {
        "objective.clip": Real(0.003, 0.1, log=True),
        "train.optimizer": Choice(("rmsprop",)),
        "train.critic_steps": Choice((3, 5)),
    }
)
OBJECTIVE_SPACES.add("wgan-gp")({"objective.gamma": Real(1.0, 20.0, log=True), "train.critic_steps": Choice((2, 5))})
