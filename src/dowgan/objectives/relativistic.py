"""Relativistic pairing losses with zero-centred gradient penalties, alone and with an optimal-transport anchor.

Huang et al., "The GAN is dead; long live the GAN!", NeurIPS 2024, arXiv:2501.05441, eq. 3 and 4 (R3GAN).
Lin et al., "Adversarial Flow Models", 2025, arXiv:2511.22475: penalties by finite differences, logit centring, and
an anchor |G(z) - z|^2 whose weight decays.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from dowgan.objectives.objective import OBJECTIVES, Batch, Critic, Generator, Objective, Windows
from dowgan.space import OBJECTIVE_SPACES, Real

STEP = 0.1  # of the finite differences, in standard deviations of a coordinate
CENTRING = 0.01  # weight that keeps the logits around zero


@OBJECTIVES.add("relativistic")
class Relativistic(Objective):
    """softplus of paired differences, gamma/2 (|grad D(x)|^2 + |grad D(G(z))|^2) in full."""

    def critic_loss(self, critic: Critic, fake: Windows, batch: Batch) -> Float[Tensor, ""]:
        both = torch.cat([batch.real, fake]).requires_grad_()
        score = critic(both)
        slope = torch.autograd.grad(score.sum(), both, create_graph=True)[0]
        penalty = slope.flatten(1).square().sum(1).mean() * 2  # the mean over both halves, twice: their sum
        real, invented = score.chunk(2)
        return softplus(invented - real).mean() + self.spec.gamma / 2 * penalty

    def generator_loss(self, generator: Generator, critic: Critic, batch: Batch) -> Float[Tensor, ""]:
        return softplus(critic(batch.real) - critic(generator(batch.noise))).mean()


@OBJECTIVES.add("adversarial-flow")
class AdversarialFlow(Objective):
    """The same game near the identity; the penalties cost one more forward pass instead of a double backward."""

    def critic_loss(self, critic: Critic, fake: Windows, batch: Batch) -> Float[Tensor, ""]:
        both = torch.cat([batch.real, fake])
        shift = STEP * torch.randn(both.shape, generator=batch.random)
        score, moved = critic(torch.cat([both, both + shift])).chunk(2)
        real, invented = score.chunk(2)
        penalty = ((moved - score) / STEP).square().mean() * 2  # E over directions of (slope . n)^2 = |slope|^2
        centring = CENTRING * score.mean().square()
        return softplus(invented - real).mean() + self.spec.gamma / 2 * penalty + centring

    def generator_loss(self, generator: Generator, critic: Critic, batch: Batch) -> Float[Tensor, ""]:
        fake = generator(batch.noise)
        game = softplus(critic(batch.real) - critic(fake)).mean()
        weight = (
            self.spec.anchor * (self.spec.anchor_end / self.spec.anchor) ** batch.progress if self.spec.anchor else 0.0
        )
        moved = (fake - batch.noise).square().mean()
        return game + weight * moved + self.spec.moments * moment_gap(fake, batch.real)


def moment_gap(fake: Windows, real: Windows) -> Float[Tensor, ""]:
    """Mean squared difference of the batch means and standard deviations of every coordinate."""
    mean = (fake.mean(0) - real.mean(0)).square().mean()
    spread = (fake.std(0) - real.std(0)).square().mean()
    return mean + spread


OBJECTIVE_SPACES.add("relativistic")({"objective.gamma": Real(0.005, 2.0, log=True)})
OBJECTIVE_SPACES.add("adversarial-flow")(
    {
        "objective.gamma": Real(0.005, 0.5, log=True),
        "objective.anchor": Real(0.05, 2.0, log=True),
        "objective.anchor_end": Real(0.005, 0.2, log=True),
        "objective.moments": Real(0.1, 3.0, log=True),
    }
)
