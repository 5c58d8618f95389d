"""Randomness as an argument: named streams from one seed.

A stream depends on the seed and its own name only, so one more stream changes none of the others, and row 7 is
the same in any batch. Nothing here touches a global random state.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

CHUNK = 64  # rows that share one stream; rows are always drawn and computed in whole chunks


@dataclass(frozen=True)
class Streams:
    """All the randomness of one model or one call."""

    seed: int

    def _entropy(self, name: str, index: int) -> int:
        text = f"{self.seed}/{name}/{index}".encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:16], "big")

    def numpy(self, name: str, index: int = 0) -> np.random.Generator:
        """Return a NumPy generator of its own for that name and index."""
        return np.random.Generator(np.random.Philox(key=self._entropy(name, index)))

    def torch(self, name: str, index: int = 0) -> torch.Generator:
        """Return a PyTorch generator (CPU) of its own for that name and index."""
        import torch

        return torch.Generator().manual_seed(self._entropy(name, index) % 2**63)

    def normal(self, name: str, start: int, stop: int, width: int) -> np.ndarray:
        """Draw standard normal rows `start` to `stop`; a row does not depend on which others are asked for.

        Returns:
            float64 [stop - start, width].
        """
        first, last = start // CHUNK, -(-stop // CHUNK)
        chunks = [self.numpy(name, chunk).standard_normal((CHUNK, width)) for chunk in range(first, last)]
        rows = np.concatenate(chunks) if chunks else np.empty((0, width))
        return rows[start - first * CHUNK : stop - first * CHUNK]
