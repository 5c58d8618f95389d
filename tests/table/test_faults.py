"""Single values far from all others are kept in the table, and nothing is learnt from them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan.table import read
from dowgan.table.faults import usual_range


def plant(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    times = pd.date_range("2025-01-01", periods=rows, freq="h")
    temp = 80 + np.convolve(rng.standard_normal(rows + 9), np.ones(10) / 3, "valid")
    flow = 12 + 0.5 * (temp - 80) + rng.normal(0, 0.2, rows)
    return pd.DataFrame({"time": times, "temp": temp.round(2), "flow": flow.round(2)})


def test_a_spike_and_a_dead_sensor_are_faults() -> None:
    values = plant()["temp"].to_numpy()
    assert usual_range(values.astype(float)) is None
    values[[30, 200]] = 850.0, -273.15
    low, high = usual_range(values) or (0.0, 0.0)
    assert 70 < low < high < 90


def test_absolute_zero_is_a_fault_also_beside_two_levels_of_operation() -> None:
    rng = np.random.default_rng(1)
    values = np.where(np.arange(900) % 300 < 30, 30.0, 62.0) + rng.normal(0, 1, 900)
    values[333] = -273.15
    low, _ = usual_range(values) or (0.0, 0.0)
    assert 20 < low < 35


@pytest.mark.parametrize("kind", ["flood", "leaks", "burst", "sales", "prices"])
def test_what_a_process_may_do_is_no_fault(kind: str) -> None:
    rng = np.random.default_rng(0)
    rows = np.arange(1_000)
    values = {
        "flood": 2 + rng.normal(0, 0.1, 1_000) + 60 * np.exp(-np.clip(rows - 500, 0, None) / 20) * (rows >= 500),
        "leaks": 10.0 ** (rng.normal(-8, 0.6, 1_000) + 2.5 * (rows == 500)),
        "burst": (rng.random(1_000) < 0.05) * 1.0 + 50 * (rows == 500),
        "prices": 60 + 25 * np.sin(rows / 4) + rng.normal(0, 8, 1_000) - 300 * (rows == 500),
        "sales": rng.poisson(40, 1_000) + 300 * (rows == 500),
    }[kind]
    assert usual_range(values.astype(float)) is None


def test_nothing_is_learnt_from_faults_and_densify_keeps_them(tmp_path: Path) -> None:
    frame = plant()
    frame.loc[100, "flow"], frame.loc[[250, 251], "temp"] = 1e9, [-273.15, 850.0]
    path = tmp_path / "plant.csv"
    frame.to_csv(path, index=False)
    table = read(path)
    assert [c.lower for c in table.schema.channels] == [0.0, 0.0]
    assert [note for note in table.notes if "taken for a fault" in note]
    model = dowgan.Synthesizer("prior", random_state=0).fit(path)
    made = model.generate(rows=400, random_state=1)
    assert made["temp"].between(60, 100).all()
    assert made["flow"].max() < 30
    assert made["temp"].corr(made["flow"]) > 0.8
    finer = model.densify(path, factor=2)
    assert (finer["flow"].to_numpy()[::2] == frame["flow"].to_numpy()).all()
    assert (finer["temp"].to_numpy()[::2] == frame["temp"].to_numpy()).all()
    assert finer["temp"].to_numpy()[1::2].min() > 60, "a new row beside a fault follows the usual ones"


def test_faults_are_no_gaps_and_are_found_in_later_tables_and_in_rows_of_several_units() -> None:
    frame = plant().assign(count=lambda x: (200 + 10 * x["temp"]).astype(int))
    spiked = frame.copy()
    spiked.loc[100, "count"] = 60_000
    model = dowgan.Synthesizer("prior", random_state=0)
    assert model.fit(spiked).generate(gaps=True)["count"].max() < 2_000
    finer = model.fit(frame).densify(spiked, factor=4)["count"]
    assert finer[400] == 60_000
    assert finer.drop(400).max() < 2_000
    units = pd.concat([plant().assign(unit=unit) for unit in range(5)])
    units.loc[77, "temp"] = -999.0
    for order in (["unit", "time"], ["time", "unit"]):
        table = read(units.sort_values(order).reset_index(drop=True), runs="unit")
        assert sum(len(run.faults) for run in table.runs) == 5


def test_another_way_to_run_is_no_fault() -> None:
    """A table at quite another level than the one with a fault that was fitted keeps its values in what is known."""
    frame = plant()
    frame.loc[100, "temp"] = -273.15
    model = dowgan.Synthesizer("prior", {"calibrated": False}, random_state=0).fit(frame)
    table = read(plant().assign(temp=lambda x: x["temp"] + 500), schema=model.schema)
    assert not any(run.faults for run in table.runs)
    assert table.runs[0].values[:, 0].min() > 500
