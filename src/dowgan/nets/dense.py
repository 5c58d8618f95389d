"""The founding system's dense networks: widths 1-2 in the generator, 8-4-2 in the critic."""

from jaxtyping import Float
from torch import Tensor, nn

from dowgan.config import Net
from dowgan.nets.net import NETS, Shape, after, linear
from dowgan.space import NET_SPACES, Choice, NetSpace, Real


class Dense(nn.Module):
    """Plain layers on the flattened window.

    Generator: inputs -> w -> 2w -> outputs. Critic: inputs -> 8w -> 4w -> 2w -> 1; its score is the logit, the
    sigmoid belongs to the loss.
    """

    def __init__(self, shape: Shape, spec: Net) -> None:
        super().__init__()
        self.shape = shape
        generator = shape.role == "generator"
        widths = [spec.width * k for k in ((1, 2) if generator else (8, 4, 2))]
        outputs = shape.steps * shape.outputs if generator else 1
        layers: list[nn.Module] = []
        inputs = shape.steps * shape.channels
        for width in widths:
            layers += [linear(inputs, width, spec), *after(width, spec)]
            inputs = width
        self.layers = nn.Sequential(*layers, nn.Linear(inputs, outputs))

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B *out"]:
        out = self.layers(x.flatten(1))
        return out.view(len(x), self.shape.steps, -1) if self.shape.role == "generator" else out


@NETS.add("dense")
def build(shape: Shape, spec: Net) -> nn.Module:
    """Return the founding system's dense network."""
    return Dense(shape, spec)


NET_SPACES.add("dense")(
    NetSpace(
        {
            "width": Choice((18, 32, 64)),
            "activation": Choice(("relu", "leaky", "silu")),
            "norm": Choice(("none", "layer", "batch", "spectral")),
            "dropout": Real(0.0, 0.4),
        }
    )
)
