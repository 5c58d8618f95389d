"""What an objective is: the losses of both players on a batch. It knows no network."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dowgan.config import Objective as Spec
from dowgan.registry import Registry

Windows = Float[Tensor, "B T C"]
Critic = Callable[[Windows], Float[Tensor, "B 1"]]
Generator = Callable[[Float[Tensor, "B T K"]], Windows]


@dataclass(frozen=True)
class Batch:
    """What both players see in one step.

    Attributes:
        real, noise: windows of the data and the generator's input.
        progress: share of the training that is done, 0 to 1.
        random: for whatever else must be drawn.
    """

    real: Windows
    noise: Windows
    progress: float
    random: torch.Generator


class Objective:
    """Losses of an adversarial game; subclasses are final."""

    adversarial = True  # whether there is a critic
    time_input = 0  # channels that the generator gets beside its noise

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def critic_loss(self, critic: Critic, fake: Windows, batch: Batch) -> Float[Tensor, ""]:
        """Return what the critic minimises; the fake windows carry no gradient."""
        raise NotImplementedError

    def generator_loss(self, generator: Generator, critic: Critic, batch: Batch) -> Float[Tensor, ""]:
        """Return what the generator minimises."""
        raise NotImplementedError

    def after_critic(self, critic: torch.nn.Module) -> None:
        """Do what the method does to the critic behind each of its steps."""

    def sample(self, generator: Generator, noise: Windows) -> Windows:
        """Return windows for noise."""
        return generator(noise)


OBJECTIVES: Registry[type[Objective]] = Registry("objective")
