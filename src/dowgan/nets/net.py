"""What a network is: windows in, windows or scores out. It knows no loss."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from dowgan.config import Net
from dowgan.registry import Registry


@dataclass(frozen=True)
class Shape:
    """What a network takes and gives.

    Attributes:
        steps, channels: of the windows that go in.
        role: "generator" gives windows of the same steps and `outputs` channels, "critic" one score per window.
        outputs: channels that come out of a generator.
    """

    steps: int
    channels: int
    role: Literal["generator", "critic"]
    outputs: int


Build = Callable[[Shape, Net], nn.Module]
NETS: Registry[Build] = Registry("net")


def activation(name: str) -> nn.Module:
    """Return a new activation layer."""
    return {
        "relu": nn.ReLU(),
        "leaky": nn.LeakyReLU(0.2),
        "silu": nn.SiLU(),
        "gelu": nn.GELU(),
        "tanh": nn.Tanh(),
    }[name]


def linear(inputs: int, outputs: int, spec: Net) -> nn.Module:
    """Return a linear layer, spectrally normalised where the configuration says so (Miyato et al. 2018)."""
    layer = nn.Linear(inputs, outputs)
    return spectral_norm(layer) if spec.norm == "spectral" else layer


def after(width: int, spec: Net) -> list[nn.Module]:
    """Return what follows a hidden linear layer: norm, activation, dropout."""
    norms: dict[str, list[nn.Module]] = {"layer": [nn.LayerNorm(width)], "batch": [nn.BatchNorm1d(width)]}
    drop: list[nn.Module] = [nn.Dropout(spec.dropout)] if spec.dropout else []
    return [*norms.get(spec.norm, []), activation(spec.activation), *drop]
