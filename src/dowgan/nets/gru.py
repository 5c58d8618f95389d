"""The founding system's recurrent network: GRU, linear, layer norm, leaky ReLU, dropout, linear, layer norm."""

from jaxtyping import Float
from torch import Tensor, nn

from dowgan.config import Net
from dowgan.errors import OptionError
from dowgan.nets.net import NETS, Shape, activation
from dowgan.space import NET_SPACES, Choice, NetSpace, Real, Whole


class Gru(nn.Module):
    """The same head for both players; the critic reads the last state, the generator every state."""

    def __init__(self, shape: Shape, spec: Net) -> None:
        super().__init__()
        self.shape = shape
        outputs = shape.outputs if shape.role == "generator" else 1
        self.gru = nn.GRU(shape.channels, spec.width, spec.depth, batch_first=True)
        last = [nn.LayerNorm(outputs)] if spec.norm == "layer" and outputs > 1 else []
        self.head = nn.Sequential(
            nn.Linear(spec.width, spec.width),
            nn.LayerNorm(spec.width),
            activation(spec.activation),
            nn.Dropout(spec.dropout),
            nn.Linear(spec.width, outputs),
            *last,
        )

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B *out"]:
        states, _ = self.gru(x)  # [B T W]
        return self.head(states if self.shape.role == "generator" else states[:, -1])


@NETS.add("gru")
def build(shape: Shape, spec: Net) -> nn.Module:
    """Return the founding system's recurrent network.

    Raises:
        OptionError: a norm that it cannot have.
    """
    if spec.norm not in ("none", "layer"):
        raise OptionError(f"The gru net cannot have norm '{spec.norm}'; it can have: none, layer.")
    return Gru(shape, spec)


NET_SPACES.add("gru")(
    NetSpace(
        {
            "width": Choice((24, 48, 96)),
            "depth": Whole(1, 2),
            "activation": Choice(("leaky", "silu")),
            "dropout": Real(0.0, 0.3),
        },
        over_time=True,
    )
)
