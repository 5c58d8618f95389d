"""The rules of a column, kept by projection: bounds, levels, whole numbers, decimals."""

import numpy as np

from dowgan.table.schema import Column


def keep(column: Column, values: np.ndarray) -> np.ndarray:
    """The nearest allowed values.

    Args:
        values: float64 [N] in the user's units, NaN missing; category codes and truth values may be fractions.
    """
    if column.kind == "category":
        return np.clip(np.rint(values), 0, max(len(column.levels) - 1, 0))
    if column.kind == "boolean":
        return np.where(np.isnan(values), np.nan, values >= 0.5)
    values = np.clip(values, column.lower, column.upper) if _bounded(column) else values
    if column.levels:
        return nearest(values, np.array(column.levels, float))
    if column.step is not None:
        values = np.round(values / column.step) * column.step
    if column.kind == "integer":
        return rounded(values, 0)
    if column.digits is not None:
        return significant(values, column.digits)
    return values if column.decimals is None else rounded(values, column.decimals)


def significant(values: np.ndarray, digits: int) -> np.ndarray:
    """Values [N] rounded to so many significant digits, as text would have them."""
    return np.array([float(f"{value:.{digits - 1}e}") for value in values.tolist()])


def rounded(values: np.ndarray, decimals: int) -> np.ndarray:
    """Values [N] rounded; what was below zero does not become a negative zero."""
    near = np.round(values, decimals)
    return np.where((near == 0) & (values != 0), 0.0, near)


def _bounded(column: Column) -> bool:
    return column.lower is not None or column.upper is not None


def nearest(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The nearest of the levels [K], in order, for each value [N]; NaN stays."""
    middles = (levels[1:] + levels[:-1]) / 2
    snapped = levels[np.searchsorted(middles, values)]
    return np.where(np.isnan(values), np.nan, snapped)


def broken(column: Column, values: np.ndarray) -> str | None:
    """What a rule finds wrong with values [N] (codes for categories), in words; None if nothing."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    if np.isinf(known).any():
        return "is infinite"
    if column.kind == "integer" and np.any(known != np.rint(known)):
        return f"holds {known[known != np.rint(known)][0]}, which is no whole number"
    if column.lower is not None and known.min() < column.lower:
        return f"holds {known.min():g}, below its bound of {column.lower:g}"
    if column.upper is not None and known.max() > column.upper:
        return f"holds {known.max():g}, above its bound of {column.upper:g}"
    if column.decimals is not None and column.kind == "float":
        rounded = np.round(known, column.decimals)
        off = np.abs(known - rounded) > 1e-6 * np.maximum(np.abs(known), 1e-6)  # room for float32
        if off.any():
            return f"holds {float(known[off][0])!r}, which has more than {column.decimals} decimals"
    if column.digits is not None:
        off = np.abs(known - significant(known, column.digits)) > 1e-6 * np.abs(known)
        if off.any():
            return f"holds {float(known[off][0])!r}, which has more than {column.digits} significant digits"
    if column.levels and column.kind != "category":
        off = nearest(known, np.array(column.levels, float)) != known
        if off.any():
            return f"holds {known[off][0]:g}, which is none of its {len(column.levels)} levels"
    return None
