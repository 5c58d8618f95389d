"""What a search may try: ranges as data. Each net and objective declares its own next to its code."""

from collections.abc import Mapping
from dataclasses import dataclass

from dowgan.registry import Registry


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[str | int | float, ...]


@dataclass(frozen=True)
class Whole:
    """A whole number from low to high; even in its logarithm if `log`."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True)
class Real:
    """A number from low to high; even in its logarithm if `log`."""

    low: float
    high: float
    log: bool = False


Range = Choice | Whole | Real
Space = Mapping[str, Range]


@dataclass(frozen=True)
class NetSpace:
    """What may be tried of a net: options by their name in a network's section.

    Attributes:
        over_time: it needs windows with a time axis, which the prior's coordinates do not have.
    """

    options: Space
    over_time: bool = False


NET_SPACES: Registry[NetSpace] = Registry("net that can be searched")
OBJECTIVE_SPACES: Registry[Space] = Registry("objective that can be searched")  # whole keys, such as objective.gamma
