"""Seasons as waves: which periods there are, and with how many harmonics each foretells later rows best.

Shapes: T steps, N rows of all runs, L late ones, D channels, F waves.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Num

from dowgan.levels import mean_known
from dowgan.stretch import Stretch, stacked

CYCLES = 2.5  # a season is looked for only if the fitted rows hold that many cycles
GAIN = 0.01  # least drop of the mean squared error (standardised channels) for a part of a season to stay
SURE = 2.0  # standard errors of that drop: white noise gains more than GAIN by chance
SURE_BLOCKS = 8  # blocks of the late rows, whose means tell the standard error also where rows are alike
HARMONICS = (1, 2, 4, 8, 12)
RIDGE = 1e-3


def waves(
    positions: Num[np.ndarray, " T"], periods: Sequence[float], harmonics: Sequence[int]
) -> Float[np.ndarray, "T F"]:
    """Cosine and sine of each harmonic of each period at the given positions (in steps)."""
    columns = [np.empty((len(positions), 0))]
    for period, most in zip(periods, harmonics, strict=True):
        angle = 2 * np.pi * np.outer(positions, np.arange(1, most + 1)) / period  # [T K]
        columns += [np.cos(angle), np.sin(angle)]
    return np.concatenate(columns, axis=1)


def regress(
    design: Float[np.ndarray, "T F"], values: Float[np.ndarray, "T D"], ridge: float = RIDGE
) -> Float[np.ndarray, "F D"]:
    """Ridge regression of every channel on the design, each over the rows where it is known."""
    known = ~np.isnan(values)
    out = np.zeros((design.shape[1], values.shape[1]))
    for channel in range(values.shape[1]):
        rows = design[known[:, channel]]
        if len(rows) > 0:
            gram = rows.T @ rows + ridge * max(len(rows), 1) * np.eye(rows.shape[1])
            out[:, channel] = np.linalg.solve(gram, rows.T @ values[known[:, channel], channel])
    return out


def peaks(stretches: Sequence[Stretch], most: int = 2) -> tuple[float, ...]:
    """Periods of the strongest peaks of the averaged periodogram of the longest stretch, in steps."""
    longest = max(stretches, key=lambda s: len(s.values)).values
    steps = len(longest)
    if steps < 24:
        return ()
    filled = np.where(np.isnan(longest), 0.0, longest)
    line = np.stack([np.ones(steps), np.linspace(-1, 1, steps)], axis=1)
    filled = filled - line @ np.linalg.lstsq(line, filled, rcond=None)[0]
    filled = filled / (filled.std(axis=0) + 1e-12)
    power = np.mean(np.abs(np.fft.rfft(filled * np.hanning(steps)[:, None], axis=0)) ** 2, axis=1)
    first = int(np.ceil(CYCLES * 1.6))
    if len(power) <= first + 2:
        return ()
    found: list[float] = []
    for index in np.argsort(power[first:])[::-1] + first:
        period = steps / (index + _off_centre(power[index - 1 : index + 2]))
        local = np.median(power[max(first, index // 2) : 2 * index + 2])
        if period < 3 or power[index] < 8 * local or len(found) == most:
            break
        if all(abs(period / other - 1) > 0.2 for other in found):
            found.append(float(period))
    return tuple(found)


def _off_centre(three: Float[np.ndarray, " K"]) -> float:
    """Where the peak of a parabola through three logarithms of power lies, in steps from the middle one.

    At the end of a spectrum there are but two, and the middle one is taken.
    """
    if len(three) < 3:
        return 0.0
    left, middle, right = np.log(three + 1e-300)
    bend = left - 2 * middle + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0


def choose_waves(
    early: Sequence[Stretch], late: Sequence[Stretch], candidates: Sequence[float]
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Take season after season, each with the number of harmonics that predicts the late rows best."""
    if not candidates:
        return (), ()
    values, positions, _, _ = stacked(early)
    late_values, late_positions, _, _ = stacked(late)
    span = np.ptp(positions) + 1
    periods: tuple[float, ...] = ()
    harmonics: tuple[int, ...] = ()

    def squares(periods: tuple[float, ...], harmonics: tuple[int, ...]) -> Float[np.ndarray, "L D"]:
        design = np.concatenate([np.ones((len(positions), 1)), waves(positions, periods, harmonics)], axis=1)
        late_design = np.concatenate(
            [np.ones((len(late_positions), 1)), waves(late_positions, periods, harmonics)], axis=1
        )
        rest = late_values - late_design @ regress(design, values)
        return (rest - mean_known(rest)) ** 2  # a shifted level is the trend's or the prior's matter

    best = squares(periods, harmonics)
    for period in sorted(candidates):
        if span < CYCLES * period or period < 2.5:
            continue
        tries = [k for k in HARMONICS if period / k >= 2 and 2 * k * 4 < len(positions)]
        tried = {k: squares((*periods, period), (*harmonics, k)) for k in tries}
        if tried:
            most = min(tried, key=lambda k: mean_square(tried[k]))
            if _gains(best, tried[most]):
                best, periods, harmonics = tried[most], (*periods, period), (*harmonics, most)
    return periods, harmonics


def mean_square(squares: Float[np.ndarray, "N D"]) -> float:
    """Mean over the known values, infinite where none is known."""
    known = squares[~np.isnan(squares)]
    return float(known.mean()) if known.size else np.inf


def _gains(before: Float[np.ndarray, "N D"], after: Float[np.ndarray, "N D"]) -> bool:
    """Say whether squared errors fall by more than they may by chance, which blocks of time tell."""
    blocks = np.array_split(np.nan_to_num(before - after).mean(axis=1), SURE_BLOCKS)
    means = np.array([block.mean() for block in blocks if len(block)])
    chance = float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else 0.0
    return mean_square(before) - mean_square(after) > max(GAIN, SURE * chance)
