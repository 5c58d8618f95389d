"""Single values far from all others, such as a dead sensor's -273.15 or a spike of 1e9: faults of a measurement.

They are few, alone between usual values, and lie many times further off than all others spread. A flood or a peak of
sales rises from values between, and is none. What is learnt, foretold or judged is so without them.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

FAR = 10.0  # times the range of the usual values that a fault lies beyond it
FAR_NEGATIVE = 5.0  # the same below 0, where no usual value is
FAR_LOG = 3.0  # the same in logarithms, above values that are all positive: leak rates span decades
SHARE = 0.005  # of the values, that may be faults
FEWEST = 3  # that may be in a short table
LONGEST = 3  # values of a fault that follow one another
DISTINCT = 20  # usual values at least, so that there is a range


def usual_range(
    values: Float[np.ndarray, " N"], runs: Sequence[Int[np.ndarray, " _T"]] = ()
) -> tuple[float, float] | None:
    """Return least and greatest of the values that are no faults, None where none is a fault.

    Args:
        values: of a column, NaN missing.
        runs: rows of each run in the order of time, for rows that are not.
    """
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    most = max(FEWEST, int(SHARE * len(known)))
    if len(distinct) < DISTINCT + 2 * most:
        return None
    ordered = np.sort(known)
    low, high = float(ordered[most]), float(ordered[-most - 1])
    for _ in range(2):  # the range that one side has left may make room for the other
        low, high = _reach(distinct, low, high)
    inside = known[(known >= low) & (known <= high)]
    if len(inside) == len(known) or len(np.unique(inside)) < DISTINCT:
        return None
    return (low, high) if _few(values, (low, high), runs) else None


def usual_beside(
    values: Float[np.ndarray, " N"], usual: tuple[float, float] | None, runs: Sequence[Int[np.ndarray, " _T"]] = ()
) -> tuple[float, float] | None:
    """Return the usual range of a fitted table if few values of another one lie far from it, else None: it has another
    unit, or another way to run."""
    return usual if usual is not None and _few(values, usual, runs) else None


def _few(values: Float[np.ndarray, " N"], usual: tuple[float, float], runs: Sequence[Int[np.ndarray, " _T"]]) -> bool:
    """Whether values far from the usual ones are few and alone."""
    far = faulty(values, usual)
    longest = max(_longest(far[rows]) for rows in runs or [np.arange(len(far))])
    return int(far.sum()) <= max(FEWEST, int(SHARE * (~np.isnan(values)).sum())) and longest <= LONGEST


def faulty(values: Float[np.ndarray, " N"], usual: tuple[float, float] | None) -> Bool[np.ndarray, " N"]:
    """Say which values lie as far from the usual ones as faults do."""
    if usual is None:
        return np.zeros(len(values), dtype=bool)
    low, high = usual
    return (values < _start(low, high)) | (values > _end(low, high))


def _reach(distinct: Float[np.ndarray, " N"], low: float, high: float) -> tuple[float, float]:
    """The range, led on over neighbouring values until the next one is far."""
    for value in distinct[distinct > high]:
        if value > _end(low, high):
            break
        high = float(value)
    for value in distinct[distinct < low][::-1]:
        if value < _start(low, high):
            break
        low = float(value)
    return low, high


def _start(low: float, high: float) -> float:
    """Below which values are far."""
    far = low - FAR * (high - low)
    return max(far, min(0.0, low - FAR_NEGATIVE * (high - low))) if low >= 0 else far


def _end(low: float, high: float) -> float:
    """Above which values are far."""
    end = high + FAR * (high - low)
    return max(end, high * (high / low) ** FAR_LOG) if low > 0 else end


def _longest(flags: Bool[np.ndarray, " N"]) -> int:
    """The most flags that follow one another."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
