"""Plain interpolation between known rows: the naive way to densify, and a part of ours."""

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline, PchipInterpolator

WAYS = ("linear", "pchip", "cubic", "hold")


def interpolate(coarse: Float[np.ndarray, "K D"], factor: int, way: str) -> Float[np.ndarray, "N D"]:
    """Fill factor - 1 rows between any two old rows, each channel from its known values alone.

    Args:
        coarse: old rows, NaN where missing.
        factor: new steps per old step.
        way: "linear", "pchip" (monotone cubic, Fritsch and Butland 1984), "cubic" (natural only inside the known
            span) or "hold" (the last known value).

    Returns:
        (K - 1) * factor + 1 rows; before the first and after the last known value those values are held; a
        channel without known values is NaN.
    """
    assert way in WAYS, way
    old = np.arange(len(coarse)) * factor
    fine = np.arange((len(coarse) - 1) * factor + 1)
    out = np.full((len(fine), coarse.shape[1]), np.nan)
    for channel in range(coarse.shape[1]):
        known = ~np.isnan(coarse[:, channel])
        if known.any():
            out[:, channel] = _through(old[known], coarse[known, channel], fine, way)
    return out


def _through(x: np.ndarray, y: np.ndarray, fine: np.ndarray, way: str) -> Float[np.ndarray, " N"]:
    inside = np.clip(fine, x[0], x[-1])
    if way == "hold":
        return y[np.searchsorted(x, inside, side="right") - 1]
    if way == "linear" or len(x) < 3:
        return np.interp(inside, x, y)
    return (PchipInterpolator if way == "pchip" else CubicSpline)(x, y)(inside)
