"""The founding system's recurrent network: GRU, linear, layer norm, leaky ReLU, dropout, linear, layer norm."""

from jaxtyping import Float
from torch import Tensor, nn

from dowgan.config import Net
from dowgan.nets.net import NETS, Shape, activation


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
    """Return the founding system's recurrent network."""
    return Gru(shape, spec)
