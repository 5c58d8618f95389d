"""Train a network for a table, and use it: between the closed-form part of a model and the training loop.

Shapes: B windows, T steps, D channels, U coordinates.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from dowgan.config import Config
from dowgan.fidelity import fidelity
from dowgan.fitting import Fitted
from dowgan.model import Network, Training
from dowgan.rng import Streams
from dowgan.sampling import Refine
from dowgan.train import Progress, assert_alive, fit_generator, restore

CHECKED = 1024  # windows that a fidelity is measured on
DRAWN = 4096  # windows that show whether a generator has collapsed


def train_network(
    fitted: Fitted, config: Config, streams: Streams, progress: Progress | None
) -> tuple[Network, Training]:
    """Train a generator in the prior's coordinates.

    Raises:
        CollapseError: the generator lost the spread of the data, and the recipe does not allow that.
    """
    train, held = fitted.windows[~fitted.held_out], fitted.windows[fitted.held_out]
    held = held if len(held) >= 16 else fitted.windows
    to_windows = fitted.coordinates.from_coordinates
    truth = to_windows(held[:: max(1, len(held) // CHECKED)])

    def score(sample: Callable[[int], Float[np.ndarray, "B 1 U"]]) -> float:
        return fidelity(to_windows(sample(CHECKED)[:, 0]), truth)

    network, training = fit_generator(train[:, None], score, config, streams, progress)
    refine = generator_of(network)
    note = assert_alive(refine(streams.numpy("alive").standard_normal((DRAWN, train.shape[1]))), fitted.windows, config)
    return network, replace(training, stopped=f"{training.stopped}. {note}".strip(". "))


def generator_of(network: Network) -> Refine:
    """Return a trained generator as a function on coordinates."""
    generator, objective, _ = restore(network)

    def refine(coordinates: Float[np.ndarray, "B U"]) -> Float[np.ndarray, "B U"]:
        noise = torch.from_numpy(coordinates.astype(np.float32))[:, None]
        with torch.no_grad():
            return objective.sample(generator, noise)[:, 0].numpy().astype(np.float64)

    return refine
