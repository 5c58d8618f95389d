"""Set-points that are driven at a steady rate: they stand at the table's settings, and go from one to the next so."""

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan.ramps import Ramp, find_ramp
from dowgan.table import read

SETTINGS = (18.0, 22.0, 28.0)
RATE = 0.1


def boiler(rows: int = 2_400, seed: int = 0) -> pd.DataFrame:
    """A pressure that follows a set-point, which is driven by a tenth a minute; the load is another matter."""
    rng = np.random.default_rng(seed)
    aims, where = np.empty(rows), 0
    while where < rows:
        long = int(rng.integers(120, 240))
        aims[where : where + long] = rng.choice([s for s in SETTINGS if where == 0 or s != aims[where - 1]])
        where += long
    ramp = Ramp(0, SETTINGS, RATE, RATE, 1)
    sp = ramp.course(aims, float(aims[0]))
    load = np.convolve(rng.standard_normal(rows + 59), 0.95 ** np.arange(60), "valid")
    frame = pd.DataFrame({"sp": sp, "bar": (sp + 0.1 * load + 0.05 * rng.standard_normal(rows)).round(2)})
    frame.insert(0, "time", pd.date_range("2025-01-01", periods=rows, freq="min"))
    return frame.assign(load=load.round(2))


@pytest.fixture(scope="module")
def model() -> dowgan.Synthesizer:
    return dowgan.Synthesizer("prior", random_state=0, conditions=["sp"]).fit(boiler())


def ramps_of(values: np.ndarray) -> int:
    """How many times a number begins to move."""
    moves = np.diff(values) != 0
    return int((moves[1:] & ~moves[:-1]).sum())


def test_a_generated_set_point_stands_and_goes_as_the_tables(model: dowgan.Synthesizer) -> None:
    real, made = boiler(), model.generate(rows=2_400, random_state=1)
    for frame in (real, made):
        steps = np.abs(np.diff(frame["sp"]))
        assert steps.max() < RATE + 1e-9
        assert 0.6 < np.isin(frame["sp"], SETTINGS).mean() < 0.95
        assert 8 <= ramps_of(frame["sp"].to_numpy()) <= 20
    assert (made["bar"] - made["sp"]).std() < 1.5 * (real["bar"] - real["sp"]).std()
    assert (made["bar"] - made["sp"]).abs().max() < 2


def test_an_extension_goes_on_with_the_ramp_that_is_under_way(model: dowgan.Synthesizer) -> None:
    frame = boiler()
    moves = np.abs(np.diff(frame["sp"])) > 0
    row = int(np.flatnonzero(moves[200:-1] & ~moves[199:-2])[0]) + 200 + 4  # four rows on a way
    later = model.extend(frame[:row], steps=10, paths=20)
    step = frame["sp"][row - 1] - frame["sp"][row - 2]
    ahead = frame["sp"][row - 1] + step * np.arange(1, 11)
    assert np.allclose(later.median["sp"], ahead), "the user named it a condition: it goes where it is going"
    assert np.allclose(later.paths["sp"].to_numpy().reshape(20, 10), ahead)


def test_paths_go_to_other_settings_where_the_set_point_is_no_condition() -> None:
    found = dowgan.Synthesizer("prior", {"calibrated": False}, random_state=0).fit(boiler())
    paths = found.extend(steps=400, paths=30).paths["sp"].to_numpy().reshape(30, 400)
    assert np.abs(np.diff(paths, axis=1)).max() < RATE + 1e-9
    assert len(np.unique(paths[:, -1])) > 2


def test_a_given_course_is_followed_and_a_densified_one_lies_on_its_line(model: dowgan.Synthesizer) -> None:
    given = pd.DataFrame({"sp": np.concatenate([np.full(100, 22.0), np.full(100, np.nan)])})
    made = model.generate(rows=200, given=given, random_state=2)
    assert (made["sp"][:100] == 22.0).all()
    assert np.abs(np.diff(made["sp"])).max() < RATE + 1e-9
    coarse = boiler()[::4].reset_index(drop=True)
    finer = model.densify(coarse, factor=4)
    assert np.abs(finer["sp"] - boiler()["sp"][: len(finer)]).max() < 4 * RATE, "no corner is known within a gap"
    assert (np.abs(finer["sp"] - boiler()["sp"][: len(finer)]) < RATE).mean() > 0.95


@pytest.mark.parametrize("kind", ["steps", "wandering", "few", "curved"])
def test_what_is_not_driven_at_a_steady_rate_is_no_ramp(kind: str) -> None:
    frame, rng = boiler(), np.random.default_rng(3)
    sp = frame["sp"].to_numpy()
    frame["sp"] = {
        "steps": np.array(SETTINGS)[np.abs(sp[:, None] - np.array(SETTINGS)).argmin(axis=1)],
        "wandering": (sp + np.cumsum(0.05 * rng.standard_normal(len(sp)))).round(1),
        "few": np.concatenate([np.full(2_000, 18.0), sp[:400] * 0 + np.minimum(18 + 0.1 * np.arange(400), 22)]).round(
            1
        ),
        "curved": (18 + 10 * np.sin(np.pi / 20 * (sp - 18)) ** 2).round(2),
    }[kind]
    table = read(frame)
    assert find_ramp(0, table.schema.channels[0], [table.runs[0].values[:, 0]]) is None


def test_rates_are_found_in_spite_of_rounding() -> None:
    ramp = Ramp(0, (10.0, 20.0), 0.37, 0.28, 0)
    aims = np.repeat([10.0, 20.0, 10.0, 20.0, 10.0], 150)
    frame = pd.DataFrame({"sp": ramp.course(aims, 10.0).astype(int), "x": np.random.default_rng(0).random(750)})
    table = read(frame)
    found = find_ramp(0, table.schema.channels[0], [table.runs[0].values[:, 0]])
    assert found is not None
    assert found.up == pytest.approx(0.37, rel=0.05)
    assert found.down == pytest.approx(0.28, rel=0.05)
    assert (found.aims(table.runs[0].values[:, 0]) == aims).mean() > 0.98


def test_a_set_point_that_goes_by_a_state_is_not_driven_by_itself() -> None:
    frame = boiler()
    on = (frame["sp"].to_numpy() > 18.0).astype(int)  # the state is on wherever the set-point is not at its least
    model = dowgan.Synthesizer("prior", random_state=0).fit(frame.assign(on=on))
    made = model.generate(rows=2_000, random_state=1)
    assert ((made["sp"] > 18.0) == (made["on"] == 1)).mean() > 0.97
