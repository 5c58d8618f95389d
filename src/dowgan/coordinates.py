"""The coordinates in which networks work: whitened windows, each coordinate normal by its own quantiles.

In them the prior is N(0, I), so a network that starts from the identity starts from the prior. One round of
rotation-based iterative Gaussianisation (Laparra, Camps-Valls and Malo 2011, IEEE TNN 22:537).

Shapes: B windows, T steps, D channels, U = T * D coordinates.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dowgan.marginals import Marginals, fit_marginals
from dowgan.process import Process

FEW = 60.0  # independent windows at which measured quantiles weigh as much as a normal distribution


@dataclass(frozen=True)
class Coordinates:
    """Windows of normal scores to coordinates and back.

    Attributes:
        steps: T.
        whiten: [TD U], columns are eigenvectors over the root of their variance.
        colour: [U TD], the inverse.
        marginals: quantiles of each coordinate.
    """

    steps: int
    whiten: Float[np.ndarray, "TD U"]
    colour: Float[np.ndarray, "U TD"]
    marginals: Marginals

    def to_coordinates(self, windows: Float[np.ndarray, "B T D"]) -> Float[np.ndarray, "B U"]:
        return self.marginals.to_normal(self.straight(windows))

    def from_coordinates(self, coordinates: Float[np.ndarray, "B U"]) -> Float[np.ndarray, "B T D"]:
        flat = self.marginals.from_normal(coordinates) @ self.colour
        return flat.reshape(len(flat), self.steps, -1)

    def straight(self, windows: Float[np.ndarray, "B T D"]) -> Float[np.ndarray, "B U"]:
        """Return the whitened windows without the quantile maps: N(0, I) for draws of the process."""
        return windows.reshape(len(windows), -1) @ self.whiten


def fit_coordinates(process: Process, windows: Float[np.ndarray, "B T D"], independent: float) -> Coordinates:
    """Fit the coordinates of windows.

    Args:
        process: covariances of the windows.
        windows: real ones, in normal scores, without missing values.
        independent: about how many of them do not overlap.
    """
    steps = windows.shape[1]
    variance, vectors = np.linalg.eigh(process.covariance(steps))
    variance, vectors = variance[::-1], vectors[:, ::-1]  # largest first
    root = np.sqrt(variance)
    whiten = vectors / root
    weight = independent / (independent + FEW)
    marginals = fit_marginals(windows.reshape(len(windows), -1) @ whiten, weight)
    return Coordinates(steps, whiten, (vectors * root).T, marginals)
