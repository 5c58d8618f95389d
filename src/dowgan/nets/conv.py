"""Convolutions over time, the same window length in every layer."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dowgan.config import Net
from dowgan.nets.net import NETS, Shape, activation
from dowgan.space import NET_SPACES, Choice, NetSpace, Real, Whole

KERNEL = 5


class _OverWidth(nn.Module):
    """Layer norm over the width of each step, inside the convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "B W T"]) -> Float[Tensor, "B W T"]:
        return self.norm(x.transpose(1, 2)).transpose(1, 2)


def _layer(spec: Net, dilation: int) -> nn.Module:
    conv = nn.Conv1d(spec.width, spec.width, KERNEL, padding="same", dilation=dilation)
    if spec.norm == "spectral":
        return spectral_norm(conv)
    norms: dict[str, type[nn.Module]] = {"layer": _OverWidth, "batch": nn.BatchNorm1d}
    return nn.Sequential(conv, norms[spec.norm](spec.width)) if spec.norm in norms else conv


class Conv(nn.Module):
    """Dilated residual convolutions; the critic averages over time."""

    def __init__(self, shape: Shape, spec: Net) -> None:
        super().__init__()
        self.shape = shape
        self.lift = nn.Conv1d(shape.channels, spec.width, 1)
        self.layers = nn.ModuleList(_layer(spec, 2 ** (i % 4)) for i in range(spec.depth))
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


NET_SPACES.add("conv")(
    NetSpace(
        {
            "width": Choice((24, 48, 96)),
            "depth": Whole(2, 5),
            "activation": Choice(("leaky", "silu")),
            "norm": Choice(("none", "layer", "spectral")),
            "dropout": Real(0.0, 0.3),
        },
        over_time=True,
    )
)
