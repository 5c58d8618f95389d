"""The trials of a study: a grid of settings, several seeds each."""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dowgan.config import Config, resolve
from dowgan.errors import OptionError

NAME = 120  # most letters of a trial's file name before its mark
Axes = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Trial:
    """One point of the grid with one seed.

    Attributes:
        point: the value of each axis.
        config: all settings.
        seed: of weights, batches and noise.
        digest: of the table and what its columns are taken for.
    """

    point: dict[str, str]
    config: Config
    seed: int
    digest: str

    @property
    def name(self) -> str:
        """The name of its file: what was asked, and a mark that differs wherever anything differs."""
        told = f"{self.digest}/{self.config.model_dump_json()}/{self.seed}"
        mark = hashlib.sha256(told.encode()).hexdigest()[:12]
        asked = "_".join([*(f"{k}={v}" for k, v in self.point.items()), f"seed={self.seed}"]).replace("/", "-")
        return f"{asked[:NAME]}_{mark}"


def parse_grid(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the axes of a grid written as KEY=VALUE,VALUE,...

    Raises:
        OptionError: an axis without values, or the same axis twice.
    """
    out: dict[str, tuple[str, ...]] = {}
    for text in texts:
        key, sign, values = text.partition("=")
        points = tuple(v.strip() for v in values.split(",") if v.strip())
        if not sign or not points:
            raise OptionError(f"'{text}' is no axis; write KEY=VALUE,VALUE, such as --grid train.epochs=100,500,1000.")
        if key.strip() in out:
            raise OptionError(f"The axis '{key.strip()}' is given twice; put all its values behind one --grid.")
        out[key.strip()] = points
    if not out:
        raise OptionError("A study needs at least one axis, such as --grid train.epochs=100,500,1000.")
    return out


def lay_out(grid: Axes, recipe: str, settings: Sequence[str], seeds: Sequence[int], digest: str) -> list[Trial]:
    """Return all trials of a grid.

    Raises:
        OptionError: an unknown key, a value out of its range, a key that is both set and an axis, or a recipe that
            trains no network.
    """
    fixed = dict.fromkeys(s.partition("=")[0].strip() for s in settings)
    both = next((key for key in grid if key in fixed), None)
    if both:
        raise OptionError(f"'{both}' is both set and an axis of the grid; leave out one of them.")
    if {"train.steps", "train.epochs"} <= set(grid) | set(fixed):
        raise OptionError("Both train.steps and train.epochs are given; they say the same thing twice: use one.")
    if not resolve(recipe, settings).trained:
        raise OptionError(f"The recipe '{recipe}' trains no network: study another.")
    out = []
    for values in itertools.product(*grid.values()):
        point = dict(zip(grid, values, strict=True))
        config = resolve(recipe, [*settings, *(f"{k}={v}" for k, v in point.items()), "train.collapse=warn"])
        out += [Trial(point, config, seed, digest) for seed in seeds]
    return out
