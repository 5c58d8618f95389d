"""Set-points that the regimes tell, and batches that go the same way at their own pace."""

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan.channels import fit_channels
from dowgan.encoding import stretch_of, unheld
from dowgan.holds import Hold
from dowgan.lengths import Lengths
from dowgan.setpoints import fit_setpoints
from dowgan.table import read

LEVELS = {"A": 80.0, "B": 86.0, "C": 76.0}
RAMP, STAYS = 20, 130
NOISE = 0.1


def campaigns(count: int = 12) -> pd.DataFrame:
    """Campaigns of three grades; between two of them the set-point goes over in a straight line."""
    rng = np.random.default_rng(0)
    grades = ["A"]
    while len(grades) < count:
        grades.append(str(rng.choice([g for g in LEVELS if g != grades[-1]])))
    parts = []
    for number, grade in enumerate(grades):
        if number:
            way = np.linspace(LEVELS[grades[number - 1]], LEVELS[grade], RAMP + 2)[1:-1]
            parts.append(pd.DataFrame({"grade": grade, "phase": "transition", "sp": way}))
        rows = STAYS + int(rng.integers(0, 40))
        parts.append(pd.DataFrame({"grade": grade, "phase": "steady", "sp": np.full(rows, LEVELS[grade])}))
    frame = pd.concat(parts, ignore_index=True)
    frame["pv"] = (frame["sp"] + NOISE * rng.standard_normal(len(frame))).round(3)
    flow = np.convolve(rng.standard_normal(len(frame)), 0.9 ** np.arange(30))[: len(frame)]
    return frame.assign(flow=(10 + flow).round(3))


@pytest.fixture(scope="module")
def model() -> dowgan.Synthesizer:
    return dowgan.Synthesizer("prior", conditions=["grade", "phase"]).fit(campaigns())


def settled(frame: pd.DataFrame) -> pd.Series:
    return frame["grade"].map(LEVELS)


def test_a_generated_set_point_stands_and_goes_over_as_the_tables(model: dowgan.Synthesizer) -> None:
    made = model.generate(3_000)
    steady = made["phase"] == "steady"
    assert 0.7 < steady.mean() < 0.98
    assert (made["sp"] == settled(made))[steady].all()
    bends = np.diff(made["sp"], 2)
    assert np.abs(bends[(~steady).to_numpy()[:-2] & (~steady).to_numpy()[2:]]).max() < 1e-6
    off = made["pv"] - made["sp"]
    assert 0.8 * NOISE < off[steady].std() < 1.2 * NOISE
    assert off[~steady].std() < 1.5 * NOISE


def test_a_short_piece_knows_what_lies_around_it(model: dowgan.Synthesizer) -> None:
    pieces = model.generate(24, 300, random_state=1).groupby("run")
    moving = pieces["sp"].apply(lambda sp: float(np.ptp(sp)) > 0)
    within = pieces["phase"].apply(lambda phase: (phase == "transition").any())
    assert within.sum() > 20
    assert moving[within].mean() > 0.9


def test_densify_and_extend_keep_set_points(model: dowgan.Synthesizer) -> None:
    frame = campaigns()
    coarse = frame.iloc[::2]
    fine = model.densify(coarse, factor=2)
    assert np.allclose(fine["sp"], np.interp(np.arange(len(fine)) / 2, np.arange(len(coarse)), coarse["sp"]))
    coming = pd.DataFrame({"grade": "B", "phase": ["transition"] * RAMP + ["steady"] * 10})
    last = frame["sp"].iloc[-1]
    ahead = model.extend(frame, steps=len(coming), paths=20, given=coming).median
    assert np.allclose(ahead["sp"].iloc[:RAMP], np.linspace(last, LEVELS["B"], RAMP + 2)[1:-1])
    assert (ahead["sp"].iloc[RAMP:] == LEVELS["B"]).all()
    assert np.abs(ahead["pv"] - ahead["sp"]).max() < 3 * NOISE


def test_a_given_set_point_is_followed(model: dowgan.Synthesizer) -> None:
    given = pd.DataFrame({"sp": np.linspace(78, 84, 100)})
    made = model.generate(given=given)
    assert np.allclose(made["sp"], given["sp"])
    assert (made["pv"] - made["sp"]).std() < 2 * NOISE


def test_what_no_regime_tells() -> None:
    rng = np.random.default_rng(0)
    regime = np.tile(np.repeat([0, 1, 2, 1], [100, 20, 100, 20]), 6)
    values = np.stack([np.array([1.0, 0.0, 2.0])[regime], rng.standard_normal(len(regime))], axis=1)
    values[regime == 1, 0] = rng.uniform(0, 3, (regime == 1).sum())  # settled at rest, anywhere in between
    found = fit_setpoints([0, 1], [(values, regime)], 3)
    assert found.columns == ()
    assert found.followers == ()
    assert np.array_equal(found.settled[:, 0], [1.0, np.nan, 2.0], equal_nan=True)
    assert np.array_equal(found.told(regime)[:, 0], found.settled[regime, 0], equal_nan=True)


def batches(count: int = 24) -> pd.DataFrame:
    """Batches that heat, hold and cool, of 50 to 110 rows."""
    rng, parts = np.random.default_rng(1), []
    for number in range(count):
        share = np.linspace(0, 1, int(rng.integers(50, 110)))
        course = np.interp(share, [0, 0.3, 0.7, 1], [20, 80, 80, 45])
        parts.append(pd.DataFrame({"batch": number, "temp": (course + rng.standard_normal(len(share))).round(2)}))
    return pd.concat(parts, ignore_index=True)


def test_batches_of_any_length_begin_and_end_as_the_tables() -> None:
    model = dowgan.Synthesizer(runs=["batch"]).fit(batches())
    made = model.generate().groupby("batch")["temp"]
    assert made.size().nunique() > 5
    assert made.first().between(14, 26).mean() > 0.9
    assert made.last().between(39, 51).mean() > 0.9
    assert made.max().between(76, 86).mean() > 0.9


def test_a_set_point_with_a_beat_leaves_the_other_channels_alone() -> None:
    table = read(campaigns(), conditions=("grade", "phase"))
    channels = fit_channels(table.schema, table.runs)
    place = [column.name for column in table.schema.channels].index("sp")
    assert channels.first_channel(place) is None
    always = Lengths(np.empty(0), np.array([24]), np.ones((1, 1)), np.empty(0), 24, 0)
    stretch = stretch_of(channels, table.runs[0])
    assert np.array_equal(unheld(channels, [Hold((place,), None, always)], stretch).values, stretch.values)


def test_a_set_point_that_the_table_never_had_stays_what_it_is() -> None:
    rng = np.random.default_rng(3)
    point = np.repeat(rng.choice([95.0, 100.0], 30), 40)
    frame = pd.DataFrame({"point": point, "value": (point + rng.normal(0, 0.4, len(point))).round(2)})
    model = dowgan.Synthesizer("prior", {"calibrated": False}).fit(frame)
    assert "'point' is a state of its own" in model.model_.rules
    end = pd.DataFrame({"point": 107.0, "value": 107 + rng.normal(0, 0.4, 60).round(2)})
    end.loc[:19, ["point", "value"]] -= 7
    ahead = model.extend(end, steps=4, paths=8)
    assert (ahead.paths.groupby("path")["point"].first() == 107).all()
    fine = model.densify(end, factor=3)
    assert (fine["point"][60:] == 107).all()
    assert (fine["point"][:58] == 100).all()
