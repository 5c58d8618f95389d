"""Numbers as JSON can hold them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float


def known_mean(values: Float[np.ndarray, " n"]) -> float:
    """Mean of the values that are known, NaN if none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The same entries with None for what is no number."""
    return {key: number(value) if isinstance(value, float) else value for key, value in entry.items()}


def number(value: float) -> float | None:
    """A float, None if it is not finite."""
    return float(value) if np.isfinite(value) else None


def plain_list(values: Float[np.ndarray, " n"]) -> list[float | None]:
    """A list of floats, None where a value is not finite."""
    return [number(float(v)) for v in values]
