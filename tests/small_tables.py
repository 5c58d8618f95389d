"""Small tables on which networks train in seconds."""

import numpy as np
import pandas as pd


def waves(rows: int = 240, seed: int = 0, names: tuple[str, ...] = ("slow", "fast", "skewed")) -> pd.DataFrame:
    """Three columns that behave differently: long memory, short memory, and one with a long tail."""
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((rows, 3))
    memory = np.array([0.95, 0.2, 0.6])
    out = np.zeros((rows, 3))
    for row in range(1, rows):
        out[row] = memory * out[row - 1] + np.sqrt(1 - memory**2) * drawn[row]
    values = np.stack([20 + 4 * out[:, 0], 3 * out[:, 1], np.exp(out[:, 2])], axis=1)
    frame = pd.DataFrame(values.round(4), columns=list(names))
    frame.insert(0, "time", pd.date_range("2024-01-01", periods=rows, freq="h"))
    return frame
