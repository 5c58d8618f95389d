"""What is looked at tag by tag beside the registered metrics: what an engineer would look for in a trend plot.

Each takes real and generated windows [N T C] and returns one distance per channel, 0 for equal, NaN where it says
nothing about a channel.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from dowgan.metrics.marginal import moments, wasserstein

Array = np.ndarray
Check = Callable[[Array, Array], Array]
FEW_LEVELS = 12  # a channel with at most so many different values is one of states
RETURNS = 3  # times that each of them comes at least, on the average: a dozen laboratory values are no states
TAILS = (0.002, 0.01, 0.99, 0.998)
CLIP = 4.0  # standard deviations at which a step is cut before its cube is taken


def ramps(real: Float[Array, "N T C"], fake: Float[Array, "M T C"]) -> Float[Array, "C"]:
    """Wasserstein distance of the changes from step to step, in standard deviations of the real changes."""
    return wasserstein(np.diff(real, axis=1), np.diff(fake, axis=1))


def tails(real: Float[Array, "N T C"], fake: Float[Array, "M T C"]) -> Float[Array, "C"]:
    """Mean distance of the outermost quantiles, in standard deviations."""
    flat = [x.reshape(-1, x.shape[2]) for x in (real, fake)]
    ours, theirs = (np.stack([_quantiles(column) for column in x.T], axis=1) for x in flat)
    return np.abs(ours - theirs).mean(0) / moments(flat[0])[1]


def _quantiles(column: Float[Array, " n"]) -> Float[Array, " Q"]:
    known = column[~np.isnan(column)]
    return np.quantile(known, TAILS) if len(known) else np.full(len(TAILS), np.nan)


def direction(real: Float[Array, "N T C"], fake: Float[Array, "M T C"]) -> Float[Array, "C"]:
    """Difference of the skewness of the steps, which changes its sign when time runs backwards."""
    return np.abs(_skew(real) - _skew(fake))


def _skew(windows: Float[Array, "N T C"]) -> Float[Array, "C"]:
    step = np.diff(windows, axis=1).reshape(-1, windows.shape[2])
    step = np.clip(step / np.sqrt(moments(step)[0] ** 2 + moments(step)[1] ** 2), -CLIP, CLIP)
    return moments(step**3)[0]


def _of_states(windows: Float[Array, "N T C"]) -> list[Array]:
    """The different values of each channel, empty where it has one or is not of states."""
    out = []
    for column in windows.reshape(-1, windows.shape[2]).T:
        levels = np.unique(column[~np.isnan(column)])
        few = of_states(column, views=windows.shape[1])  # a row is in as many windows as they have steps
        out.append(levels if few and len(levels) > 1 else np.empty(0))
    return out


def of_states(values: Float[Array, " N"], views: int = 1) -> bool:
    """Whether values, each of which is in the array at most so many times, are so few that they are states."""
    known = values[~np.isnan(values)]
    levels = len(np.unique(known))
    return levels <= FEW_LEVELS and RETURNS * levels * views <= len(known)


def states(real: Float[Array, "N T C"], fake: Float[Array, "M T C"]) -> Float[Array, "C"]:
    """Share of the rows that would have to change state (total variation), for channels of few values."""
    out = np.full(real.shape[2], np.nan)
    for channel, levels in enumerate(_of_states(real)):
        if len(levels):
            ours, theirs = (_shares(x[..., channel], levels) for x in (real, fake))
            out[channel] = 0.5 * (np.abs(ours - theirs).sum() + abs(ours.sum() - theirs.sum()))
    return out


def _shares(values: Float[Array, "N T"], levels: Float[Array, " L"]) -> Float[Array, " L"]:
    known = np.maximum((~np.isnan(values)).sum(), 1)
    return np.array([(values == level).sum() for level in levels]) / known


def dwell(real: Float[Array, "N T C"], fake: Float[Array, "M T C"]) -> Float[Array, "C"]:
    """Logarithm of the ratio of how often the state changes, for channels of few values."""
    out = np.full(real.shape[2], np.nan)
    for channel, levels in enumerate(_of_states(real)):
        if len(levels):
            ours, theirs = (_changes(x[..., channel]) for x in (real, fake))
            out[channel] = abs(np.log(ours / theirs))
    return out


def _changes(values: Float[Array, "N T"]) -> float:
    """Share of the steps at which the state changes, with half a change added."""
    step = np.diff(values, axis=1)
    known = ~np.isnan(step)
    return float(((step[known] != 0).sum() + 0.5) / (known.sum() + 1))


CHECKS: dict[str, tuple[str, Check]] = {
    "ramps": ("changes from step to step (Wasserstein, in standard deviations)", ramps),
    "tails": ("outermost values (in standard deviations)", tails),
    "direction": ("direction of time (skewness of the changes)", direction),
    "states": ("share of each state (total variation)", states),
    "dwell": ("how long a state lasts (logarithm of the ratio)", dwell),
}
