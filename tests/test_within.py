"""What happens in a state: found where generated rows differ there, and never between real halves."""

import numpy as np
import pandas as pd

from dowgan.evaluate.within import in_states
from dowgan.report import compare

ROWS = 6_000


def kiln(seed: int) -> pd.DataFrame:
    """A kiln that stands now and then, takes no feed then, and cools."""
    rng = np.random.default_rng(seed)
    runs, heat = np.ones(ROWS, dtype=bool), np.full(ROWS, 1_400.0)
    for row in range(1, ROWS):
        runs[row] = runs[row - 1] ^ (rng.random() < (1 / 250 if runs[row - 1] else 1 / 40))
        heat[row] = heat[row - 1] + (0.08 * (1_400 - heat[row - 1]) if runs[row] else 0.03 * (300 - heat[row - 1]))
    heat += rng.normal(0, 3, ROWS)
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=ROWS, freq="5min")})
    frame["state"] = np.where(runs, "ON", "OFF")
    frame["feed"] = np.where(runs, 120 + rng.normal(0, 5, ROWS), 0.0).round(1)
    return frame.assign(heat=heat.round(0))


def hot(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(heat=np.where(frame["state"] == "OFF", 1_390.0, frame["heat"]))


def fed(frame: pd.DataFrame) -> pd.DataFrame:
    every = (frame["state"] == "OFF") & (np.arange(ROWS) % 4 == 0)
    return frame.assign(feed=frame["feed"].where(~every, 118.0))


def test_a_fault_in_a_state_is_told() -> None:
    real, other = kiln(1), kiln(2)
    assert not [j for j in compare(real, other).verdict if "while" in j.text]
    for damage, tag in ((hot, "heat"), (fed, "feed")):
        said = {j.tag: j for j in compare(real, damage(other)).verdict}
        assert said[tag].mark != "good"
        assert f"{tag}: while state is OFF it is" in said[tag].text
        assert "standard deviations higher than in real rows" in said[tag].text


def test_real_halves_are_no_alarm() -> None:
    """Forty pairs of tables of one plant, as numbers."""
    found = 0
    for seed in range(40):
        one, two = (
            kiln(2 * seed + side).assign(state=lambda x: x["state"] == "ON").drop(columns="time").to_numpy(float)
            for side in (0, 1)
        )
        found += bool(in_states([one], [two]))
    assert found <= 1


def test_counts_are_no_states() -> None:
    rng = np.random.default_rng(0)
    count = rng.poisson(2, 2_000).clip(0, 8).astype(float)
    real = np.column_stack([count, count + rng.normal(0, 0.1, 2_000)])
    other = np.column_stack([count, 5 - count])
    assert in_states([real], [other]) == []
