"""Alarms: what is on where a limit is passed is on there, and nowhere else, in all that is made."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from dowgan import Synthesizer, compare
from dowgan.alarms import find_alarms
from dowgan.table import read

ROWS = 1_500


def vessel(seed: int = 0) -> pd.DataFrame:
    """An alarm above 8 bar or below 20 %, a pump that makes its flow, and a lamp that nothing tells."""
    rng = np.random.default_rng(seed)
    slow = lfilter([0.3], [1.0, -0.95], rng.normal(size=(3, ROWS)), axis=1)
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=ROWS, freq="5min")})
    frame["pressure"], frame["level"] = (6.5 + slow[0]).round(2), (40 + 12 * slow[1]).round(1).clip(0)
    frame["alarm"] = (frame["pressure"] > 8) | (frame["level"] < 20)
    frame["pump"] = np.repeat(rng.random(ROWS // 30) < 0.5, 30)
    frame["flow"] = np.where(frame["pump"], 20 + slow[2], 0).round(1)
    frame["lamp"] = np.where(np.repeat(rng.random(ROWS // 25) < 0.5, 25), "red", "green")
    return frame


def told(frame: pd.DataFrame) -> pd.Series:
    return (frame["pressure"] > 8) | (frame["level"] < 20)


@pytest.fixture(scope="module")
def model() -> Synthesizer:
    return Synthesizer("prior").fit(vessel()[:1_200])


def test_the_limits_are_found_and_said(model: Synthesizer) -> None:
    (alarm,) = model.model_.relations.alarms
    names = [column.name for column in model.schema.channels]
    assert alarm.words(names) in (
        "'alarm' is True where 'pressure' > 8 or 'level' < 20",
        "'alarm' is True where 'level' < 20 or 'pressure' > 8",
    )
    assert f"{alarm.words(names)}, and is kept so" in model.model_.rules


def test_it_is_on_where_a_limit_is_passed_in_all_verbs(model: Synthesizer) -> None:
    table = vessel()
    coarse = table[1_200::4].reset_index(drop=True)
    finer = model.densify(coarse, factor=4)
    made = model.generate(rows=3_000)
    for out in (made, finer, model.extend(steps=100, paths=10).paths):
        assert (out["alarm"] == told(out)).all()
    assert (finer["alarm"].iloc[::4].to_numpy() == coarse["alarm"].to_numpy()).all()
    assert 0.5 < made["alarm"].mean() / table["alarm"].mean() < 2


def test_rows_that_know_better_lift_it(model: Synthesizer) -> None:
    """Somebody has acknowledged it."""
    coarse = vessel()[1_200::4].reset_index(drop=True)
    coarse["alarm"] &= np.arange(len(coarse)) % 2 == 0
    finer = model.densify(coarse, factor=4)
    assert (finer["alarm"].iloc[::4].to_numpy() == coarse["alarm"].to_numpy()).all()
    assert finer.notna().all(axis=None)


def test_a_break_is_said() -> None:
    table, wrong = vessel(), vessel(1)
    assert not any("breaks" in judgement.text for judgement in compare(table, wrong).verdict)
    wrong["alarm"] = np.roll(wrong["alarm"], 40)
    text = next(j.text for j in compare(table, wrong).verdict if j.tag == "alarm" and "breaks" in j.text)
    assert "breaks the rule that 'alarm' is True where" in text


@pytest.mark.parametrize(
    "made",
    [
        lambda rng, x: np.where(rng.random(len(x)) < 0.1, 1.0, 0.0),
        lambda rng, x: np.where(x > 1.5 + 0.2 * rng.normal(size=len(x)), 1.0, 0.0),
        lambda rng, x: np.where(np.arange(len(x)) > len(x) - 40, 1.0, 0.0),
    ],
    ids=["chance", "about a limit", "the end"],
)
def test_what_no_limit_tells_is_none(made: Callable[[np.random.Generator, np.ndarray], np.ndarray]) -> None:
    rng = np.random.default_rng(4)
    x = lfilter([0.3], [1.0, -0.95], rng.normal(size=ROWS))
    frame = pd.DataFrame({"x": x.round(3), "y": rng.normal(size=ROWS).round(3), "flag": made(rng, x).astype(int)})
    table = read(frame)
    values = np.concatenate([run.values for run in table.runs])
    assert find_alarms(table.schema.channels, values, [0, 1]) == ()


def test_what_an_equation_needs_is_drawn_and_not_told_last() -> None:
    """A surcharge by a flag; and limits of a column in steps lie half a step behind the last value."""
    rng = np.random.default_rng(7)
    weight = 10 * rng.random(ROWS)
    frame = pd.DataFrame({"weight": weight.round(3), "price": (20 * rng.random(ROWS)).round(2)})
    frame["heavy"] = (frame["weight"] > 8).astype(int)
    frame["fee"] = (frame["price"] + 5 * frame["heavy"]).round(2)
    made = Synthesizer("prior", {"calibrated": False}).fit(frame).generate()
    assert (
        (made["fee"] - made["price"] - 5 * made["heavy"]).abs() > 0.01
    ).mean() < 0.02  # but where the fee is at an end
    valve = pd.DataFrame({"valve": 5 * rng.integers(0, 21, ROWS), "x": rng.random(ROWS).round(3)})
    valve["open"] = valve["valve"] > 60
    table = read(valve)
    (alarm,) = find_alarms(table.schema.channels, np.concatenate([run.values for run in table.runs]), [0, 1])
    assert (alarm.limits[0].last, alarm.limits[0].value) == (60, 62.5)


def test_a_blower_that_never_lasts_and_its_power_say_the_same() -> None:
    """It is on for three or four rows and off for as long, so it is no state that lasts; its power tells it."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(3, 5, 400)
    on = np.repeat(np.arange(400) % 2 == 0, lengths)[:1_200]
    frame = pd.DataFrame(
        {
            "time": pd.date_range("2024-01-01", periods=1_200, freq="15min"),
            "blower": on.astype(int),
            "power": np.where(on, 60 + rng.normal(0, 1, 1_200), 0).round(1),
            "flow": (300 + 20 * np.sin(np.arange(1_200) / 15.3) + rng.normal(0, 3, 1_200)).round(0),
        }
    )
    made = Synthesizer("prior").fit(frame).generate(rows=1_200, random_state=1)
    assert ((made["blower"] == 1) == (made["power"] > 0)).all()
    assert 0.4 < made["blower"].mean() < 0.6
