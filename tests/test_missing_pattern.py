"""`generate --gaps`: cells are empty in the pattern of the table's own, in the rhythm of its laboratory and clock."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan import cli

ROWS, EVERY, FIRST = 600, 12, 5


def plant(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """A sensor that fails for hours with its neighbour, a whole number, and a laboratory value in every twelfth row."""
    rng = np.random.default_rng(seed)
    wander = rng.standard_normal((rows, 4)).cumsum(axis=0) / 5
    frame = pd.DataFrame({"time": pd.date_range("2024-03-04", periods=rows, freq="h")})
    frame["flow"], frame["pressure"] = (20 + wander[:, 0]).round(2), (3 + wander[:, 1]).round(3)
    frame["count"] = pd.array(rng.poisson(9, rows), dtype="Int64")
    frame["lab"] = np.where(np.arange(rows) % EVERY == FIRST, (50 + wander[:, 3]).round(1), np.nan)
    for start in range(40, rows, 150):
        frame.loc[start : start + 19, ["flow", "pressure"]] = np.nan
    frame.loc[frame["time"].dt.hour == 3, "count"] = pd.NA  # a backup each night
    return frame


@pytest.fixture(scope="module")
def model() -> dowgan.Synthesizer:
    return dowgan.Synthesizer("prior").fit(plant())


@pytest.mark.parametrize(("rows", "start"), [(600, None), (150, "2024-03-09 17:00"), (2_000, None)])
def test_cells_are_empty_as_in_the_table(model: dowgan.Synthesizer, rows: int, start: str | None) -> None:
    made = model.generate(rows=rows, start=start, gaps=True)
    hour, row = made["time"].dt.hour, ((made["time"] - pd.Timestamp("2024-03-04")) / pd.Timedelta("1h")).astype(int)
    assert ((row % EVERY == FIRST) == made["lab"].notna()).all()
    assert ((hour == 3) == made["count"].isna()).all()
    assert (made["flow"].isna() == made["pressure"].isna()).all()
    assert 0.05 < made["flow"].isna().mean() < 0.25 or rows < 200  # .13 in the table
    whole = model.generate(rows=rows, start=start)
    assert whole.notna().all(axis=None)
    known = made.notna()
    pd.testing.assert_frame_equal(made.where(known), whole.where(known), check_dtype=False)


def test_no_sample_is_taken_on_a_weekend() -> None:
    rng, time = np.random.default_rng(3), pd.date_range("2024-03-04", periods=24 * 42, freq="h")
    frame = pd.DataFrame({"time": time, "level": (5 + 0.1 * rng.normal(size=len(time)).cumsum()).round(2)})
    frame["lab"] = np.where((time.hour == 8) & (time.dayofweek < 5), rng.normal(40, 3, len(time)).round(1), np.nan)
    made = dowgan.Synthesizer("prior", {"calibrated": False}).fit(frame).generate(rows=1_500, gaps=True)
    assert ((made["time"].dt.hour == 8) & (made["time"].dt.dayofweek < 5) == made["lab"].notna()).all()


def test_what_is_given_is_not_taken_away(model: dowgan.Synthesizer) -> None:
    made = model.generate(rows=300, where={"flow": 21.5}, gaps=True)
    assert (made["flow"] == 21.5).all()
    assert made["pressure"].isna().any()


def test_batches_have_their_first_and_last_samples() -> None:
    rng = np.random.default_rng(1)
    runs = []
    for number in range(14):
        rows = int(rng.integers(30, 60))
        lab = np.full(rows, np.nan)
        lab[[0, rows // 2, -1]] = rng.normal(50, 5, 3).round(1)
        runs.append(
            pd.DataFrame({"batch": number, "T": (60 + rng.standard_normal(rows).cumsum()).round(1), "lab": lab})
        )
    made = dowgan.Synthesizer("prior", runs="batch").fit(pd.concat(runs, ignore_index=True)).generate(gaps=True)
    for _, batch in made.groupby("batch"):
        assert batch["lab"].notna().iloc[[0, -1]].all()
        assert 2 <= batch["lab"].notna().sum() <= 4


def test_the_command_says_where_there_is_nothing_to_leave_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = plant()
    frame.to_csv("gaps.csv", index=False)
    frame.assign(flow=frame["flow"].ffill())[["time", "flow"]].dropna().to_csv("whole.csv", index=False)
    for name in ("gaps", "whole"):
        assert cli.run(["fit", f"{name}.csv", "--recipe", "prior", "--quiet", "-o", f"{name}.dowgan"]) == 0
        assert cli.run(["generate", f"{name}.dowgan", "--gaps", "-o", f"{name}.new.csv"]) == 0
    said = capsys.readouterr().err
    assert said.count("note: no cell of the fitted table is empty, so --gaps leaves none empty") == 1
    made, real = (pd.read_csv(name) for name in ("gaps.new.csv", "gaps.csv"))
    np.testing.assert_allclose(made.isna().mean(), real.isna().mean(), atol=0.1)
    assert made["count"].dropna().mod(1).eq(0).all()
    assert ".0" not in Path("gaps.new.csv").read_text().splitlines()[1].split(",")[3]
