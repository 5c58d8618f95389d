"""What a metric is: a name, a direction, and a function from real and generated to a score."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dowgan.registry import Registry


@dataclass(frozen=True)
class Score:
    """One number for the whole, and one per channel where that means something."""

    value: float
    channels: tuple[float, ...] = ()  # in the order of the channels, empty where the metric has none


WindowMetric = Callable[[np.ndarray, np.ndarray, int], Score]  # real [N T C], fake [M T C], seed
PairedMetric = Callable[[np.ndarray, np.ndarray, np.ndarray | None], Score]  # truth, median [T C], paths [S T C]


@dataclass(frozen=True)
class Metric:
    """A registered score.

    Args:
        name: as in `dowgan list metrics` and in the JSON.
        title: a phrase for the report.
        better: the good direction.
        needs: "windows" takes (real [N T C], fake [M T C], seed); "paired" takes (truth [T C], median [T C],
            paths [S T C] or None).
        cost: "slow" trains a network.
        measure: the function.
        floor: the value that identical distributions reach with endless data.
    """

    name: str
    title: str
    better: Literal["lower", "higher"]
    needs: Literal["windows", "paired"]
    cost: Literal["fast", "slow"]
    measure: WindowMetric | PairedMetric
    floor: float = 0.0


METRICS: Registry[Metric] = Registry("metric")
