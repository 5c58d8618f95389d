"""Convolutions over time, the same window length in every layer."""

from jaxtyping import Float
from torch import Tensor, nn

from dowgan.config import Net
from dowgan.nets.net import NETS, Shape, activation

KERNEL = 5


class Conv(nn.Module):
    """Dilated residual convolutions; the critic averages over time."""

    def __init__(self, shape: Shape, spec: Net) -> None:
        super().__init__()
        self.shape = shape
        self.lift = nn.Conv1d(shape.channels, spec.width, 1)
        self.layers = nn.ModuleList(
            nn.Conv1d(spec.width, spec.width, KERNEL, padding="same", dilation=2 ** (i % 4)) for i in range(spec.depth)
        )
        self.act = activation(spec.activation)
        self.drop = nn.Dropout(spec.dropout)
        self.out = nn.Linear(spec.width, shape.outputs if shape.role == "generator" else 1)

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B *out"]:
        hidden = self.lift(x.transpose(1, 2))  # [B W T] inside the convolutions
        for layer in self.layers:
            hidden = hidden + self.drop(self.act(layer(hidden)))
        states = hidden.transpose(1, 2)  # [B T W]
        return self.out(states if self.shape.role == "generator" else states.mean(1))


@NETS.add("conv")
def build(shape: Shape, spec: Net) -> nn.Module:
    """Return a convolutional network."""
    return Conv(shape, spec)
