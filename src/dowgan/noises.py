"""What the generator starts from: noise windows with or without structure.

Shapes: B windows, T steps, C channels. Every noise has mean 0 and variance 1 in each entry.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dowgan.registry import Registry

Noise = Callable[[Sequence[int], torch.Generator], Float[Tensor, "B T C"]]
NOISES: Registry[Noise] = Registry("noise")
MEMORY = 0.9  # of the autoregressive noise
LENGTH = 4.0  # steps over which the Gaussian-process noise is alike
RANK = 3  # of the low-rank noise


@NOISES.add("white")
def white(shape: Sequence[int], random: torch.Generator) -> Float[Tensor, "B T C"]:
    """Independent everywhere."""
    return torch.randn(*shape, generator=random)


@NOISES.add("window")
def window(shape: Sequence[int], random: torch.Generator) -> Float[Tensor, "B T C"]:
    """One draw per window and channel, the same at every step."""
    batch, steps, channels = shape
    return torch.randn(batch, 1, channels, generator=random).expand(batch, steps, channels)


@NOISES.add("autoregressive")
def autoregressive(shape: Sequence[int], random: torch.Generator) -> Float[Tensor, "B T C"]:
    """x[t] = a x[t-1] + sqrt(1 - a^2) e[t], stationary from the first step."""
    drawn = torch.randn(*shape, generator=random)
    out = [drawn[:, 0]]
    for step in range(1, shape[1]):
        out.append(MEMORY * out[-1] + (1 - MEMORY**2) ** 0.5 * drawn[:, step])
    return torch.stack(out, dim=1)


@NOISES.add("gaussian-process")
def gaussian_process(shape: Sequence[int], random: torch.Generator) -> Float[Tensor, "B T C"]:
    """Smooth over time: covariance exp(-(s - t)^2 / (2 LENGTH^2))."""
    steps = torch.arange(shape[1], dtype=torch.float64)
    covariance = torch.exp(-((steps[:, None] - steps) ** 2) / (2 * LENGTH**2)) + 1e-6 * torch.eye(shape[1])
    root = torch.linalg.cholesky(covariance / covariance[0, 0]).float()
    return torch.einsum("st,btc->bsc", root, torch.randn(*shape, generator=random))


@NOISES.add("seasonal")
def seasonal(shape: Sequence[int], random: torch.Generator) -> Float[Tensor, "B T C"]:
    """A wave of one cycle per window with a random phase and size for each window and channel."""
    batch, steps, channels = shape
    angle = 2 * torch.pi * torch.arange(steps) / steps
    pair = torch.randn(batch, 2, channels, generator=random)
    return angle.cos()[None, :, None] * pair[:, :1] + angle.sin()[None, :, None] * pair[:, 1:]


@NOISES.add("low-rank")
def low_rank(shape: Sequence[int], random: torch.Generator) -> Float[Tensor, "B T C"]:
    """A few sources common to all channels, mixed by fixed orthogonal cosines."""
    batch, steps, channels = shape
    rank = min(RANK, channels)
    place = torch.pi * torch.outer(torch.arange(rank) + 0.5, torch.arange(channels) + 0.5) / channels
    mixing = place.cos()
    mixing = mixing / mixing.square().sum(0).sqrt()
    return torch.randn(batch, steps, rank, generator=random) @ mixing


def stored(windows: Float[np.ndarray, "N T C"]) -> Noise:
    """Return a noise that takes windows drawn in advance, each as often as chance has it."""
    rows = torch.from_numpy(np.ascontiguousarray(windows, dtype=np.float32))
    return lambda shape, random: rows[torch.randint(len(rows), (shape[0],), generator=random)]
