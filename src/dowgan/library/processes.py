"""Simulated processes that starting points are trained on: equations and constants of our own.

Each is like a family of real tables without being any of them: counts with a season, tags of a plant that follow set
points, smooth batches, and slow drifts under noise.

Shapes: T rows, C columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from dowgan.registry import Registry
from dowgan.rng import Streams

if TYPE_CHECKING:
    from pandas import DataFrame

Process = Callable[[int, np.random.Generator], Float[np.ndarray, "T C"]]
PROCESSES: Registry[Process] = Registry("process")
COLUMNS = 20  # most real tables have fewer, so that each of their columns finds a counterpart
YEAR = 52.1775  # weeks
CLOCK = {"counts": "W-MON", "plant": "5min", "batches": "min", "drifts": "h"}


def memory(rows: int, keep: Float[np.ndarray, " C"], rng: np.random.Generator) -> Float[np.ndarray, "T C"]:
    """Stationary autoregressions of order 1 with variance 1."""
    drawn = rng.standard_normal((rows, len(keep)))
    out = np.empty_like(drawn)
    out[0] = drawn[0]
    for row in range(1, rows):
        out[row] = keep * out[row - 1] + np.sqrt(1 - keep**2) * drawn[row]
    return out


def mixed(rows: int, keep: float, sources: int, rng: np.random.Generator) -> Float[np.ndarray, "T C"]:
    """A few common sources with that memory, mixed at random; variance 1 in each column."""
    mixing = rng.standard_normal((sources, COLUMNS))
    common = memory(rows, np.full(sources, keep), rng)
    return common @ (mixing / np.sqrt((mixing**2).sum(axis=0)))


@PROCESSES.add("counts")
def counts(rows: int, rng: np.random.Generator) -> Float[np.ndarray, "T C"]:
    """Weekly counts of regions that share a yearly season and outbreaks; zeros and a long tail.

    Poisson counts whose logarithmic rate is level, wave, common and own autoregression.
    """
    level, swing = rng.uniform(2.0, 4.5, COLUMNS), rng.uniform(0.6, 1.1, COLUMNS)
    angle = 2 * np.pi * (np.arange(rows) / YEAR + rng.random())
    wave = np.outer(np.cos(angle) + 0.3 * np.cos(2 * angle), swing)
    shared = 0.35 * memory(rows, np.array([0.85]), rng)
    own = 0.45 * memory(rows, rng.uniform(0.2, 0.7, COLUMNS), rng)
    return rng.poisson(np.exp(np.minimum(level + wave + shared + own, 7.0))).astype(float)


@PROCESSES.add("plant")
def plant(rows: int, rng: np.random.Generator) -> Float[np.ndarray, "T C"]:
    """Coupled tags of a plant: set points that step, tags that follow with a lag, common load, noise of the meters."""
    held = rng.integers(20, 120, rows)
    turns = np.repeat(np.arange(rows), held)[:rows]
    moves = rng.standard_normal((rows, 4))[turns]  # four set points, each held for a while
    mixing = rng.standard_normal((4, COLUMNS)) / 2
    aim = moves @ mixing + 0.6 * mixed(rows, 0.97, 3, rng)
    lag = rng.uniform(0.02, 0.6, COLUMNS)
    out = np.empty((rows, COLUMNS))
    out[0] = aim[0]
    for row in range(1, rows):
        out[row] = out[row - 1] + lag * (aim[row] - out[row - 1])
    return 50 + 5 * (out + rng.uniform(0.02, 0.3, COLUMNS) * rng.standard_normal(out.shape))


@PROCESSES.add("batches")
def batches(rows: int, rng: np.random.Generator) -> Float[np.ndarray, "T C"]:
    """Smooth courses of batches: ramps between plateaus that all tags share, hardly any noise."""
    held = rng.integers(25, 60, rows)
    levels = rng.standard_normal((rows, 3))[np.repeat(np.arange(rows), held)[:rows]]
    out = levels @ (rng.standard_normal((3, COLUMNS)) / np.sqrt(3))
    for keep in (rng.uniform(0.7, 0.93, COLUMNS), rng.uniform(0.5, 0.9, COLUMNS)):  # two lags behind each other
        for row in range(1, rows):
            out[row] = keep * out[row - 1] + (1 - keep) * out[row]
    return 100 + 10 * (out + 0.02 * rng.standard_normal(out.shape))


@PROCESSES.add("drifts")
def drifts(rows: int, rng: np.random.Generator) -> Float[np.ndarray, "T C"]:
    """Slow drifts, common and own, under noise of several sizes; some columns are skewed."""
    slow = 0.7 * mixed(rows, 0.995, 3, rng) + 0.5 * memory(rows, rng.uniform(0.9, 0.999, COLUMNS), rng)
    seen = slow + rng.uniform(0.05, 0.8, COLUMNS) * rng.standard_normal((rows, COLUMNS))
    bend = np.where(rng.random(COLUMNS) < 0.3, 0.5, 0.0)
    return np.where(bend > 0, np.exp(bend * seen), 10 + seen)


def simulate(name: str, rows: int, seed: int = 0) -> DataFrame:
    """Return a table of a process, with a clock.

    Args:
        name: of `PROCESSES`.
        rows: length.
        seed: of its constants and its course.

    Raises:
        OptionError: no process has that name.
    """
    import pandas as pd

    values = PROCESSES.get(name)(rows, Streams(seed).numpy(f"library/{name}"))
    frame = pd.DataFrame(values.round(3), columns=[f"{name}-{i:02d}" for i in range(1, COLUMNS + 1)])
    frame.insert(0, "time", pd.date_range("2000-01-03", periods=rows, freq=CLOCK[name]))
    return frame
