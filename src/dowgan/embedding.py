"""A learned embedding of windows: a GRU that embeds, a GRU that recovers, trained to give the windows back.

The first phase of a generator in a latent space, as in Yoon, Jarrett and van der Schaar, "Time-series Generative
Adversarial Networks", NeurIPS 2019, section 3.2, eq. 7 (reconstruction), without their supervised and joint phases:
the second phase is the one training loop, in the embedding.

Shapes: B windows, T steps, D channels, W values of the embedding.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from dowgan.config import Encoder as Spec
from dowgan.model import Encoder
from dowgan.rng import Streams

BATCH = 64


class Autoencoder(nn.Module):
    """Embedder and recovery; an embedded step is the state of a GRU, so it lies in (-1, 1) and knows the past."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.embedder = nn.GRU(channels, width, batch_first=True)
        self.recovery = nn.GRU(width, 2 * width, batch_first=True)
        self.out = nn.Linear(2 * width, channels)

    def recover(self, states: Float[Tensor, "B T W"]) -> Float[Tensor, "B T D"]:
        return self.out(self.recovery(states)[0])


@dataclass(frozen=True)
class Embedding:
    """A trained embedding, on arrays."""

    net: Autoencoder

    def embed(self, windows: Float[np.ndarray, "B T D"]) -> Float[np.ndarray, "B T W"]:
        with torch.no_grad():
            return self.net.embedder(_tensor(windows))[0].numpy().astype(np.float64)

    def recover(self, states: Float[np.ndarray, "B T W"]) -> Float[np.ndarray, "B T D"]:
        with torch.no_grad():
            return self.net.recover(_tensor(states)).numpy().astype(np.float64)

    def stored(self, starts: Float[np.ndarray, "S W"]) -> Encoder:
        """Return what a model file keeps."""
        return Encoder({k: v.numpy().copy() for k, v in self.net.state_dict().items()}, starts)

    @staticmethod
    def restored(kept: Encoder) -> "Embedding":
        """Return the embedding of a model file."""
        channels, width = kept.weights["out.weight"].shape[0], kept.starts.shape[1]
        with torch.random.fork_rng(devices=[]):
            net = Autoencoder(channels, width)
        net.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in kept.weights.items()})
        return Embedding(net.eval())


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def fit_embedding(windows: Float[np.ndarray, "N T D"], spec: Spec, streams: Streams) -> Embedding:
    """Train embedder and recovery on windows of twice the generator's length.

    The second half of each window is recovered from its own states alone, which know the first half: that is how a
    generated window is recovered.

    Args:
        windows: standardised.
        spec: width, steps and rate.
        streams: randomness of weights and batches.
    """
    data, half = _tensor(windows), windows.shape[1] // 2
    random = streams.torch("embedding")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(streams.numpy("embedding-weights").integers(2**62))
        net = Autoencoder(windows.shape[2], spec.width)
    optimizer = torch.optim.Adam(net.parameters(), lr=spec.lr)
    for _ in range(spec.steps):
        batch = data[torch.randint(len(data), (BATCH,), generator=random)]
        states, _ = net.embedder(batch)
        loss = (net.recover(states[:, half:]) - batch[:, half:]).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return Embedding(net.eval().requires_grad_(False))
