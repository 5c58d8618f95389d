"""A direction goes on from 359 to 0: it is a point on a circle, and not a place on a line."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

import dowgan
from dowgan.codes import find_turn, fit_code
from dowgan.table import read

ROWS = 1_500


def off(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees between directions, the short way."""
    return np.abs((np.asarray(a, float) - np.asarray(b, float) + 180) % 360 - 180)


@pytest.fixture(scope="module")
def wind() -> pd.DataFrame:
    """Hourly wind that turns by and by, mostly from the north, and a temperature that is low with it."""
    rng = np.random.default_rng(5)
    drift = np.zeros((ROWS, 2))
    for k in range(1, ROWS):
        drift[k] = 0.96 * drift[k - 1] + 0.25 * rng.standard_normal(2)
    x, y = drift[:, 0] + 0.5, drift[:, 1] - 0.1
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=ROWS, freq="h")})
    frame["wind_dir"] = (np.rad2deg(np.arctan2(y, x)).round() % 360).astype(int)
    frame["temp"] = (10 - 4 * np.cos(np.arctan2(y, x)) + rng.normal(0, 0.5, ROWS)).round(1)
    return frame


@pytest.fixture(scope="module")
def model(wind: pd.DataFrame) -> dowgan.Synthesizer:
    return dowgan.Synthesizer().fit(wind)


def test_it_is_found_and_said(model: dowgan.Synthesizer) -> None:
    assert "'wind_dir' is a direction: 360 is 0 again" in model.model_.rules


@pytest.mark.parametrize(("unit", "first"), [(1.0, 0.0), (1.0, -180.0), (np.pi / 180, 0.0), (np.pi / 180, -180.0)])
def test_all_usual_ranges_are_known(wind: pd.DataFrame, unit: float, first: float) -> None:
    values = (wind["wind_dir"].to_numpy() + first) * unit  # mostly about the ends
    column = read(pd.DataFrame({"x": values + 1e-9})).schema.channels[0]
    turn = find_turn(column, values)
    assert turn == pytest.approx((360 * unit, first * unit))
    assert turn is not None
    code = fit_code(0, column, values, turn)
    assert code.back(code.forward(values)) == pytest.approx(values)


def test_what_only_has_such_a_range_is_none(wind: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    ramp = np.clip(180 + np.cumsum(rng.normal(0, 20, ROWS)), 0, 359)
    switched = np.where(np.arange(ROWS) // 20 % 2, 355.0, 5.0) + rng.normal(0, 2, ROWS)
    for values in (ramp, switched, rng.uniform(0, 360, ROWS), wind["temp"].to_numpy()):
        assert find_turn(read(pd.DataFrame({"x": values})).schema.channels[0], values) is None


def test_generated_wind_turns_as_it_does(wind: pd.DataFrame, model: dowgan.Synthesizer) -> None:
    made = model.generate(rows=ROWS)
    assert made["wind_dir"].between(0, 359).all()
    steps, real = (off(f["wind_dir"][1:], f["wind_dir"][:-1]).mean() for f in (made, wind))
    assert steps == pytest.approx(real, rel=0.4)
    north, own = (np.mean(off(f["wind_dir"], 0) < 45) for f in (made, wind))
    assert north == pytest.approx(own, abs=0.1)
    colder, as_cold = (np.corrcoef(np.cos(np.deg2rad(f["wind_dir"])), f["temp"])[0, 1] for f in (made, wind))
    assert colder == pytest.approx(as_cold, abs=0.1)


def test_finer_rows_go_the_short_way(wind: pd.DataFrame, model: dowgan.Synthesizer) -> None:
    coarse = wind.iloc[::4].reset_index(drop=True)
    finer = model.densify(coarse, factor=4)
    truth = wind["wind_dir"].iloc[: len(finer)]
    line = np.interp(np.arange(len(finer)), 4 * np.arange(len(coarse)), coarse["wind_dir"])
    assert off(finer["wind_dir"], truth).mean() < 0.8 * off(line, truth).mean()
    assert (finer["wind_dir"].iloc[::4].to_numpy() == coarse["wind_dir"].to_numpy()).all()


def test_the_middle_of_paths_lies_among_them(wind: pd.DataFrame, model: dowgan.Synthesizer) -> None:
    last = wind.iloc[: np.flatnonzero(off(wind["wind_dir"], 0)[200:] < 3)[0] + 201]
    later = model.extend(last, steps=3, paths=100)
    paths = later.paths.groupby("time")["wind_dir"]
    assert (paths.max() - paths.min() > 180).all()  # some on either side of north
    assert (off(later.median["wind_dir"], 0) < 45).all()


@pytest.mark.parametrize("north", [0, 360])
def test_tens_of_degrees_keep_their_north(wind: pd.DataFrame, north: int) -> None:
    """What is nearer to 360 than to 350 is north, as the table writes it."""
    tens = (wind["wind_dir"] / 10).round().astype(int) * 10 % 360
    frame = wind.assign(wind_dir=tens.where(tens > 0, north))
    made = dowgan.Synthesizer("prior", {"calibrated": False}).fit(frame).generate(rows=4_000)["wind_dir"]
    assert set(made) <= set(frame["wind_dir"])
    assert (made == north).mean() == pytest.approx((frame["wind_dir"] == north).mean(), rel=0.5)


def test_a_furnace_that_every_batch_heats_to_355_is_none() -> None:
    heat = np.concatenate([np.linspace(1, 355, 60 + k) for k in range(10)])
    batch = np.concatenate([np.full(60 + k, k) for k in range(10)])
    model = dowgan.Synthesizer("prior", {"calibrated": False}, runs=["batch"])
    model.fit(pd.DataFrame({"batch": batch, "heat": heat.round(1), "flow": np.sin(np.arange(len(heat))).round(2)}))
    assert not any("direction" in rule for rule in model.model_.rules)


def test_bands_lie_across_north(wind: pd.DataFrame, model: dowgan.Synthesizer) -> None:
    last = wind.iloc[: np.flatnonzero(off(wind["wind_dir"], 0)[200:] < 3)[0] + 201]
    band = model.extend(last, steps=3, paths=100).band()
    width = (band["wind_dir_hi90"] - band["wind_dir_lo90"]) % 360
    assert (width < 180).all()
    assert ((band["wind_dir"] - band["wind_dir_lo90"]) % 360 <= width).all()


def test_a_wind_that_never_comes_from_the_east_turns_no_faster_than_it_does() -> None:
    """It is a way along an arc across north and not a point on a circle, which takes jumps near its middle."""
    rng = np.random.default_rng(8)
    slow = lfilter([1.0], [1.0, -0.98], rng.normal(0, 16, 3_000))
    way = np.clip(slow, -140, 140) + lfilter([1.0], [1.0, -0.8], rng.normal(0, 2, 3_000))
    frame = pd.DataFrame(
        {"wind": np.round(way - 30) % 360, "speed": np.round(8 + 0.02 * slow + rng.normal(0, 1, 3_000), 1)}
    )
    model = dowgan.Synthesizer("prior").fit(frame)
    (code,) = (code for code in model.model_.channels.codes if code.turn)
    assert code.power == "arc"
    made = model.generate(random_state=1)
    steps = [np.mean(off(table["wind"][1:], table["wind"][:-1]) ** 2) ** 0.5 for table in (frame, made)]
    assert steps[1] == pytest.approx(steps[0], rel=0.15)
    assert made["wind"].between(0, 359).all()
    assert (made["wind"] > 330).any()
    assert (made["wind"] < 30).any()
