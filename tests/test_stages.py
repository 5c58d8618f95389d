"""Runs that go through the same steps, each as long as it takes: what happens halfway through a step is the same."""

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan.stages import find_stages

RATES = (0.5, 1.0, 2.0)


def cycles(count: int = 24, seed: int = 0) -> pd.DataFrame:
    """A cell is charged at one of three rates, rests and is discharged: its voltage goes by how far it is."""
    rng, parts = np.random.default_rng(seed), []
    for cycle in range(count):
        rate = RATES[cycle % 3]
        rows = [int(30 / rate) + int(rng.integers(3)), 8, 26 + int(rng.integers(3)), 6]
        up, down = (np.linspace(0, 1, n) for n in (rows[0], rows[2]))
        volts = [3.2 + up**0.5 + 0.05 * rate, np.full(8, 4.18), 4.1 - down**2 - 0.08 * rate, np.full(6, 3.2)]
        added = [2.4 * up, np.full(8, 2.4), 2.3 * down, np.full(6, 2.3)]
        parts.append(
            pd.DataFrame(
                {
                    "cycle": cycle,
                    "rate": rate,
                    "step": np.repeat(["charge", "rest", "discharge", "rest"], rows),
                    "volts": (np.concatenate(volts) + rng.normal(0, 0.002, sum(rows))).round(4),
                    "added": (np.concatenate(added) + rng.normal(0, 0.004, sum(rows))).round(4),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def model() -> dowgan.Synthesizer:
    return dowgan.Synthesizer(random_state=0, runs=["cycle"], conditions=["rate"]).fit(cycles())


def test_a_step_goes_the_same_way_whatever_it_takes(model: dowgan.Synthesizer) -> None:
    assert model.model_.channels.stages is not None
    made, back = model.generate(random_state=1), []
    for _, own in made.groupby("cycle"):
        for step, sign in (("charge", 1), ("discharge", -1)):
            part = own[own["step"] == step]
            volts, added = (part[name].to_numpy() for name in ("volts", "added"))
            assert sign * (volts[-1] - volts[0]) > 0.7
            back.append(sign * np.diff(volts) < -0.05)
            assert added[-1] - added[0] > 1.9
            assert added[0] < 0.4, "it begins anew at once"
        last = own[(own["step"] == "rest") & (own["step"].shift(-1) != "discharge")]["volts"].iloc[-1]
        assert last == pytest.approx(3.2, abs=0.1), "each rest is its own"
    assert np.concatenate(back).mean() < 0.02


def test_a_cycle_goes_on_where_it_is(model: dowgan.Synthesizer) -> None:
    whole = cycles(seed=3)
    for rate, gone in ((0.5, 30), (2.0, 8)):
        one = whole[(whole["rate"] == rate) & (whole["cycle"] < 3)].reset_index(drop=True)
        later = model.extend(one[:gone], steps=4, paths=20).median
        assert later["added"].to_numpy() == pytest.approx(one["added"][gone : gone + 4].to_numpy(), abs=0.25)
        assert later["volts"].to_numpy() == pytest.approx(one["volts"][gone : gone + 4].to_numpy(), abs=0.2)


def test_a_finer_cycle_lies_near_its_course(model: dowgan.Synthesizer) -> None:
    whole = cycles(seed=4)
    fine = model.densify(whole.groupby("cycle").nth[::2].reset_index(drop=True), factor=2)
    for cycle, own in fine.groupby("cycle"):
        true = whole[whole["cycle"] == cycle][: len(own)]
        off = np.abs(own["volts"].to_numpy() - true["volts"].to_numpy())
        inside = (own["step"].to_numpy() == true["step"].to_numpy()) & (true["step"] == "charge").to_numpy()
        assert np.median(off[inside]) < 0.02


def test_places_follow_the_steps() -> None:
    slow, fast = np.repeat([0, 1, 2, 1], [20, 4, 10, 4]), np.repeat([3, 4, 5, 4], [10, 4, 6, 4])
    steps = np.array([0, 1, 2, 0, 1, 2])  # of regimes at two rates
    stages = find_stages([slow, fast, slow, fast], steps)
    assert stages is not None
    assert stages.order.tolist() == [0, 1, 2, 1]
    places = [stages.places(course) for course in (slow, fast)]
    assert places[0][10] == pytest.approx(places[1][5], abs=0.5), "halfway through the first step"
    assert places[0][20] == pytest.approx(places[1][10], abs=0.01), "at the first row of the second"
    assert stages.places(slow[:10])[-1] == pytest.approx(places[0][9]), "a step under way lasts as long as usual"
    assert stages.places(slow[24:])[0] == pytest.approx(places[0][24]), "a run of which the beginning is not known"
    assert find_stages([slow, fast[::-1]], steps) is None
