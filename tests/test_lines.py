"""Columns that run along straight lines: found where the table's do and a draw's do not, and joined as the table's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan.lengths import Lengths
from dowgan.lines import Lines, find_lines
from dowgan.polish import Map
from dowgan.table.schema import Column, Run

HOURS = 300
TENS = 6 * HOURS
FREE = Map(np.array([-100.0, 100.0]), np.array([-100.0, 100.0]))


def run(values: np.ndarray) -> Run:
    return Run((), pd.Timestamp("2024-01-01"), 0, values)


def column(decimals: int | None) -> Column:
    return replace(Column("a", "value", "float", "float64"), decimals=decimals)


@pytest.fixture(scope="module")
def weather() -> pd.DataFrame:
    """A room that moves every ten minutes, and the weather of every whole hour, joined by straight lines."""
    rng = np.random.default_rng(0)
    state = np.zeros((TENS + 6, 3))
    for row in range(1, len(state)):
        state[row] = 0.97 * state[row - 1] + rng.standard_normal(3)
    hours = np.arange(0, TENS + 6, 6)
    corners = np.column_stack([(10 + state[hours, 0]).round(1), np.abs(3 + state[hours, 1]).round(0)])
    joined = [np.interp(np.arange(TENS), hours, values) for values in corners.T]
    return pd.DataFrame(
        {
            "time": pd.date_range("2024-01-01", periods=TENS, freq="10min"),
            "room": (20 + state[:TENS, 2]).round(2),
            "outside": joined[0],
            "wind": joined[1],
        }
    )


def bends(values: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.abs(np.diff(values, 2)) > 1e-6) + 1


def test_hourly_weather_bends_at_whole_hours_and_on_whole_values(weather: pd.DataFrame, tmp_path: Path) -> None:
    model = dowgan.Synthesizer("prior").fit(weather)
    (lines,) = (found for found in model.model_.holds if isinstance(found, Lines))
    assert [model.schema.channels[i].name for i in lines.columns] == ["outside", "wind"]
    assert lines.decimals == (1, 0)
    assert (lines.lengths.every, lines.lengths.phase) == (6, 0)
    model.save(tmp_path / "model.dowgan")
    made = dowgan.load(tmp_path / "model.dowgan").generate(rows=2_000, start="2024-03-03 03:20")
    for name, decimals in (("outside", 1), ("wind", 0)):
        values = made[name].to_numpy()
        at = bends(values)
        assert set(made["time"].dt.minute.iloc[at]) == {0}
        assert np.abs(values[at] - values[at].round(decimals)).max() < 1e-9
        assert abs(values.std() / weather[name].std() - 1) < 0.25
        steps = np.abs(np.diff(values)), np.abs(np.diff(weather[name]))
        assert abs(steps[0].mean() / steps[1].mean() - 1) < 0.35
    assert (np.diff(made["room"], 2) == 0).mean() < 0.05
    assert (made["wind"] >= 0).all()
    longer = model.generate(rows=2_500, start="2024-03-03 03:20")
    assert longer.iloc[:500].equals(made.iloc[:500])


def test_densified_weather_runs_straight_between_the_hours_that_came(weather: pd.DataFrame) -> None:
    model = dowgan.Synthesizer("prior", {"calibrated": False}).fit(weather)
    hourly, tens = weather.iloc[:601:6], weather.iloc[:601]
    fine = model.densify(hourly, factor=6)
    for name in ("outside", "wind"):
        assert np.allclose(fine[name], tens[name])
    assert not np.allclose(fine["room"], tens["room"])
    twice = model.densify(tens, factor=2)["outside"].to_numpy()
    assert np.allclose(twice[1::2], (twice[:-1:2] + twice[2::2]) / 2)
    late = model.densify(weather.iloc[3:604:6], factor=6)["outside"]  # corners lie between the rows
    assert not np.allclose(np.diff(late, 2)[:5], 0)


def test_extended_weather_bends_at_whole_hours(weather: pd.DataFrame) -> None:
    model = dowgan.Synthesizer("prior", {"calibrated": False}).fit(weather.iloc[:1_503])
    ahead = model.extend(steps=40, paths=20)
    for path in (ahead.median["outside"].to_numpy(), *ahead.runs[0][:, :, 1]):
        whole = np.concatenate([weather["outside"].iloc[1_494:1_503], path])
        assert set((bends(whole[:-1]) + 1_494) % 6) == {0}


def test_a_draw_that_runs_as_straight_needs_no_lines() -> None:
    rng = np.random.default_rng(1)
    real, drawn = (np.cumsum(rng.choice([-1.0, 1.0], 500).repeat(8))[:, None] for _ in range(2))
    assert find_lines([column(0)], [run(real)], [run(drawn)]) == ()


def test_values_that_are_rounded_off_a_line_still_lie_on_it() -> None:
    rng = np.random.default_rng(2)
    at = np.arange(0, 4_001, 10)
    real = np.interp(np.arange(4_000), at, 100 * rng.random(len(at))).round(2)[:, None]
    drawn = (100 * rng.random((4_000, 1))).round(2)
    (lines,) = find_lines([column(2)], [run(real)], [run(drawn)])
    assert np.average(lines.lengths.rows, weights=np.diff(lines.lengths.shares[0], prepend=0)) == pytest.approx(10, 0.1)


def test_lines_reach_over_both_ends_of_a_run() -> None:
    lines = Lines((0,), (0,), (FREE,), Lengths(np.empty(0), np.array([4]), np.ones((1, 1)), np.empty(0), 4, 0))
    values = np.array([0.5, 9, 2.2, 9, 9, 9, 6.1, 9, 6.6])[None, :, None]
    lines.apply(values, np.full((1, 9), 0.5), np.array([2]))  # corners at rows 2 and 6, and beyond both ends
    assert values[0, :, 0].tolist() == [0.5, 1.25, 2, 3, 4, 5, 6, 6.25, 6.5]


def test_a_run_within_one_line_is_straight() -> None:
    lines = Lines((0,), (None,), (FREE,), Lengths(np.empty(0), np.array([40]), np.ones((1, 1)), np.empty(0), 1, 0))
    values = np.random.default_rng(3).random((5, 12, 1))
    ends = values[:, [0, -1], 0].copy()
    lines.apply(values, np.full((5, 12), 0.2), np.zeros(5, dtype=int))
    assert np.abs(np.diff(values[:, :, 0], 2)).max() < 1e-12
    assert np.allclose(values[:, [0, -1], 0], ends)


def test_a_count_that_goes_up_and_down_by_one_is_no_line() -> None:
    rng = np.random.default_rng(0)
    count = np.clip(30 + np.cumsum(rng.integers(-1, 2, 1_200)), 20, 40).astype(float)[:, None]
    noise = rng.integers(20, 41, (1_200, 1)).astype(float)
    beds = replace(Column("beds", "value", "integer", "int64"), decimals=0)
    assert find_lines([beds], [run(count)], [run(noise)]) == ()
