"""Rectified flow: no game, a velocity field along straight lines from noise to data.

Liu, Gong and Liu, "Flow Straight and Fast", ICLR 2023, arXiv:2209.03003, eq. 1; Heun's method to sample.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from dowgan.objectives.objective import OBJECTIVES, Batch, Critic, Generator, Objective, Windows
from dowgan.space import OBJECTIVE_SPACES, Choice, Real


@OBJECTIVES.add("flow")
class Flow(Objective):
    """E |x1 - x0 - v(x_t, t)|^2 with x_t = (1 - t) x0 + t x1."""

    adversarial = False
    time_input = 1

    def generator_loss(self, generator: Generator, critic: Critic, batch: Batch) -> Float[Tensor, ""]:
        t = torch.rand(len(batch.real), 1, 1, generator=batch.random)
        between = (1 - t) * batch.noise + t * batch.real
        return (batch.real - batch.noise - generator(_with_time(between, t))).square().mean()

    def sample(self, generator: Generator, noise: Windows) -> Windows:
        count, x = self.spec.flow_steps, noise
        for step in range(count):
            t, after = (torch.full((len(x), 1, 1), (step + i) / count) for i in (0, 1))
            first = generator(_with_time(x, t))
            second = generator(_with_time(x + first / count, after))
            x = x + (first + second) / (2 * count)
        return x


def _with_time(x: Windows, t: Float[Tensor, "B 1 1"]) -> Float[Tensor, "B T K"]:
    return torch.cat([x, t.expand(-1, x.shape[1], 1)], dim=2)


OBJECTIVE_SPACES.add("flow")({"objective.flow_steps": Choice((4, 8, 16)), "train.lr": Real(2e-4, 3e-3, log=True)})
