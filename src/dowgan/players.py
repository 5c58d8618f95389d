"""Generator and critic of a training, with their optimizers; made anew, or from another model.

Shapes: B windows of a batch, T steps, C channels, K noise channels, R what is told of each row.
"""

from collections.abc import Callable
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dowgan.config import Config, Net
from dowgan.nets import NETS, Shape
from dowgan.objectives import Objective

Windows = Float[Tensor, "B T C"]
Start = Callable[[str, dict[str, Tensor]], tuple[dict[str, Tensor], frozenset[str]]]


class Generator(nn.Module):
    """A network in its space.

    Args:
        shape, spec: of the network.
        residual: it adds to the noise.
        still: it starts from nothing, so that in the prior's coordinates training begins at the prior.
    """

    def __init__(self, shape: Shape, spec: Net, residual: bool, still: bool) -> None:
        super().__init__()
        self.net = NETS.get(spec.net)(shape, spec)
        self.outputs = shape.outputs
        self.residual = residual
        if still:
            last = [m for m in self.net.modules() if isinstance(m, nn.Linear)][-1]
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, noise: Float[Tensor, "B T K"]) -> Windows:
        moved = self.net(noise)
        return noise[..., : self.outputs] + moved if self.residual else moved


@dataclass(frozen=True)
class Players:
    """The two networks, the averaged generator, and their optimisers."""

    generator: Generator
    critic: nn.Module | None
    average: Generator
    generator_opt: torch.optim.Optimizer
    critic_opt: torch.optim.Optimizer | None


@dataclass(frozen=True)
class Told:
    """Conditions that both players are told: of the training windows, and of the windows drawn for a check."""

    train: Float[Tensor, "N T R"]
    check: Float[Tensor, "M T R"]


def tell(net: Callable[[Tensor], Tensor], told: Float[Tensor, "B T R"]) -> Callable[[Tensor], Tensor]:
    """Return a player that is told the conditions of its windows, which may be several batches behind each other."""
    if not told.shape[2]:
        return net
    return lambda x: net(torch.cat([x, told.repeat(len(x) // len(told), 1, 1)], dim=2))


def _optimizer(net: nn.Module, config: Config, lr: float, taken: frozenset[str] = frozenset()) -> torch.optim.Optimizer:
    """Weights taken from another model learn at their own, lower rate."""
    train = config.train
    named = list(net.named_parameters())
    parts = [([w for n, w in named if n not in taken], lr), ([w for n, w in named if n in taken], lr * train.body_rate)]
    groups = [{"params": weights, "lr": rate} for weights, rate in parts if weights]
    if train.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=lr)
    if train.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=lr)
    return torch.optim.Adam(groups, lr=lr, betas=(train.beta1, train.beta2))


def _begin(net: nn.Module, role: str, start: Start | None) -> frozenset[str]:
    """Give a network the weights that it begins with; return the names of those that were taken."""
    if start is None:
        return frozenset()
    weights, taken = start(role, net.state_dict())
    net.load_state_dict(weights)
    return taken


def make_players(
    steps: int, channels: int, config: Config, objective: Objective, told: int = 0, start: Start | None = None
) -> Players:
    """Build the networks and their optimisers; weights come from torch's current random state."""
    residual = config.space == "prior" and objective.adversarial
    inputs = channels + objective.time_input + told
    shape = Shape(steps, inputs, "generator", channels)
    generator = Generator(shape, config.generator, residual, config.space == "prior")
    taken = _begin(generator, "generator", start)
    critic, critic_opt = None, None
    if objective.adversarial:
        critic = NETS.get(config.critic.net)(Shape(steps, channels + told, "critic", 1), config.critic)
        kept = _begin(critic, "critic", start)
        critic_opt = _optimizer(critic, config, config.train.critic_lr or config.train.lr, kept)
    average = deepcopy(generator).requires_grad_(False)
    return Players(generator, critic, average, _optimizer(generator, config, config.train.lr, taken), critic_opt)


def no_critic(x: Windows) -> Float[Tensor, "B 1"]:
    raise AssertionError("this objective has no critic")


@contextmanager
def frozen(net: nn.Module | None) -> Any:
    """Weights of a network that only passes gradients on."""
    if net is not None:
        net.requires_grad_(False)
    yield
    if net is not None:
        net.requires_grad_(True)
