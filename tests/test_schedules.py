"""A plant's hours, in a column that the clock tells: it is on when it was, and what goes by it does in all verbs."""

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan.report.backtest import dense_cases
from dowgan.table import read

DAYS = 35


def chiller(days: int = DAYS) -> pd.DataFrame:
    """A machine that runs on weekdays from six to eight: flow and load then, none else; a room that warms up else."""
    rng = np.random.default_rng(3)
    time = pd.date_range("2024-03-04", periods=48 * days, freq="30min")
    on = (time.dayofweek < 5) & (time.hour >= 6) & (time.hour < 20)
    load, room, at = np.zeros(len(time)), np.zeros(len(time)), 20.0
    for row in range(len(time)):
        at += 0.15 * ((18 if on[row] else 26) - at)
        load[row] = 100 + 0.9 * (load[row - 1] - 100) + rng.normal(0, 4) if on[row] and on[row - 1] else 100.0
        room[row] = at + rng.normal(0, 0.1)
    frame = pd.DataFrame({"time": time, "on": on, "load": np.where(on, load, 0.0).round(1)})
    return frame.assign(flow=np.where(on, 24 + 0.2 * rng.standard_normal(len(time)), 0.0).round(2), room=room.round(1))


@pytest.fixture(scope="module")
def model() -> dowgan.Synthesizer:
    return dowgan.Synthesizer("prior").fit(chiller(28))


def test_it_is_on_when_it_was_and_the_rest_follows(model: dowgan.Synthesizer) -> None:
    real = chiller()
    late = real[48 * 28 :].reset_index(drop=True)
    dense = model.densify(late[::4].reset_index(drop=True), factor=4)
    for made, due in (
        (model.generate(rows=len(real)), real),
        (model.extend(steps=len(late)).median, late),
        (dense, late[: len(dense)]),
    ):
        assert made["on"].tolist() == due["on"].tolist()
        assert (made.loc[~made["on"], ["load", "flow"]] == 0).all(axis=None)
        assert (made.loc[made["on"], ["load", "flow"]] > 0).all(axis=None)
        assert abs(made["room"][made["on"]].mean() - due["room"][made["on"]].mean()) < 1
        assert abs(made["room"][~made["on"]].mean() - due["room"][~made["on"]].mean()) < 1
    later = model.extend(steps=len(late)).median
    assert (later["load"] - late["load"]).abs().mean() < 10


def test_the_report_fills_rows_by_the_hours_that_they_have(model: dowgan.Synthesizer) -> None:
    late = read(chiller()[48 * 28 :].reset_index(drop=True), schema=model.schema)
    ((_, case),) = dense_cases(model, late)  # load, flow and room; the thinned table keeps the clock of the whole one
    np.testing.assert_array_equal(case.middle[:, :2] > 0, case.truth[:, :2] > 0)
    assert np.abs(case.middle[:, 2] - case.truth[:, 2]).mean() < 0.3


def test_it_is_said_and_cannot_be_given(model: dowgan.Synthesizer) -> None:
    assert "'on' is a schedule of the clock, by which others go" in model.model_.rules
    with pytest.raises(dowgan.errors.OptionError, match="follows the clock and cannot be given"):
        model.generate(rows=10, where={"on": True})
