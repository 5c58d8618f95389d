"""A residual multilayer perceptron on the flattened window: the net of most recipes in the prior's coordinates."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dowgan.config import Net
from dowgan.nets.net import NETS, Shape, activation, linear
from dowgan.space import NET_SPACES, Choice, NetSpace, Real, Whole


class _Block(nn.Module):
    """x + s W2 act(W1 norm(x)); the scale s starts at a tenth, for a stable depth (after Zhang et al. 2019, Fixup)."""

    def __init__(self, width: int, spec: Net) -> None:
        super().__init__()
        self.norm = {"layer": nn.LayerNorm, "batch": nn.BatchNorm1d}.get(spec.norm, lambda _: nn.Identity())(width)
        self.first = linear(width, width, spec)
        self.act = activation(spec.activation)
        self.drop = nn.Dropout(spec.dropout)
        self.second = linear(width, width, spec)
        self.scale = nn.Parameter(torch.full((1,), 0.1))

    def forward(self, x: Float[Tensor, "B W"]) -> Float[Tensor, "B W"]:
        return x + self.scale * self.second(self.drop(self.act(self.first(self.norm(x)))))


class Mlp(nn.Module):
    """Flatten, lift to the hidden width, residual blocks, one linear layer out."""

    def __init__(self, shape: Shape, spec: Net) -> None:
        super().__init__()
        self.shape = shape
        outputs = shape.steps * shape.outputs if shape.role == "generator" else 1
        self.lift = linear(shape.steps * shape.channels, spec.width, spec)
        self.blocks = nn.Sequential(*[_Block(spec.width, spec) for _ in range(spec.depth)])
        self.act = activation(spec.activation)
        self.out = nn.Linear(spec.width, outputs)

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B *out"]:
        out = self.out(self.act(self.blocks(self.lift(x.flatten(1)))))
        return out.view(len(x), self.shape.steps, -1) if self.shape.role == "generator" else out


@NETS.add("mlp")
def build(shape: Shape, spec: Net) -> nn.Module:
    """Return a residual MLP."""
    return Mlp(shape, spec)


NET_SPACES.add("mlp")(
    NetSpace(
        {
            "width": Choice((64, 128, 256)),
            "depth": Whole(1, 4),
            "activation": Choice(("silu", "leaky", "gelu")),
            "norm": Choice(("none", "layer", "spectral")),
            "dropout": Real(0.0, 0.3),
        }
    )
)
