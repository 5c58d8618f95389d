"""States that last: found, drawn as stretches of the table follow one another, and what depends on them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from dowgan import Synthesizer, load
from dowgan.idle import find_idle
from dowgan.states import Rest, find_states
from dowgan.stretch import borders
from dowgan.table import read

ROWS = 2_400


def pump() -> pd.DataFrame:
    """A pump that stands or delivers about 20, its power, a vessel that it heats, and what the panel shows."""
    rng = np.random.default_rng(3)
    on, wander, heat = np.zeros(ROWS, bool), np.zeros(ROWS), np.full(ROWS, 50.0)
    for t in range(1, ROWS):
        on[t] = on[t - 1] ^ (rng.random() < (1 / 40 if on[t - 1] else 1 / 25))
        wander[t] = 0.9 * wander[t - 1] + rng.normal(0, 0.3)
        heat[t] = heat[t - 1] + 0.1 * ((60 if on[t] else 40) - heat[t - 1]) + rng.normal(0, 0.2)
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=ROWS, freq="5min")})
    frame["flow"] = np.where(on, 20 + wander, 0).round(2)
    frame["power"] = np.where(on, 7.5 + 0.3 * wander, 0.2 + rng.normal(0, 0.01, ROWS)).round(2)
    frame["heat"] = heat.round(1)
    return frame


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pump()


@pytest.fixture(scope="module", params=["alone", "shown"])
def model(request: pytest.FixtureRequest, frame: pd.DataFrame) -> Synthesizer:
    """The state is only in the flow, or a column of its own too."""
    shown = frame.assign(state=np.where(frame["flow"] > 0, "run", "stop")) if request.param == "shown" else frame
    return Synthesizer("flagship", random_state=0).fit(shown)


def stretches(frame: pd.DataFrame) -> np.ndarray:
    on = frame["flow"].to_numpy() > 0
    return np.diff(np.flatnonzero(np.diff(on, prepend=~on[0], append=~on[-1])))


def test_what_rests_and_what_is_a_state_is_found(frame: pd.DataFrame) -> None:
    table = read(frame.assign(state=np.where(frame["flow"] > 0, "run", "stop"), noise=np.arange(ROWS) % 2))
    found, rests = find_states(table.schema.channels, table.runs)
    names = [c.name for c in table.schema.channels]
    assert [names[place] for place in found] == ["state"]
    assert [(names[rest.place], rest.value) for rest in rests if isinstance(rest, Rest)] == [("flow", 0.0)]
    assert isinstance(rests[0], Rest)
    assert not rests[0].ramps
    assert 19 < rests[0].other < 21


def compressor(rng: np.random.Generator) -> pd.DataFrame:
    """Its power, about 20 while it idles and about 500 while it delivers, never in between; and a count of faults."""
    on = np.zeros(ROWS, bool)
    for t in range(1, ROWS):
        on[t] = on[t - 1] ^ (rng.random() < 1 / 40)
    power = np.where(on, 500 + 30 * rng.standard_normal(ROWS), 20 + rng.standard_normal(ROWS)).round(1)
    times = pd.date_range("2024-01-01", periods=ROWS, freq="min")
    return pd.DataFrame({"time": times, "power": power, "faults": rng.poisson(0.05, ROWS)})


def test_a_number_is_on_one_side_of_a_gap_for_as_long_as_in_the_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    frame = compressor(rng)
    frame.loc[rng.random(ROWS) < 0.03, "power"] = np.nan
    Synthesizer(random_state=0).fit(frame).save(tmp_path / "model.dowgan")
    model = load(tmp_path / "model.dowgan")
    idle, delivers = (frame["power"][side] for side in (frame["power"] < 100, frame["power"] > 100))
    assert model.model_.rules == [
        f"'power' is at most {idle.max():g} for a while, and then at least {delivers.min():g}"
    ]
    made = model.generate(rows=4 * ROWS)["power"]
    assert not made.between(idle.max(), delivers.min(), inclusive="neither").any()
    switches = [(x > 100).astype(int).diff().abs().mean() for x in (frame["power"].ffill(), made)]
    assert switches[1] == pytest.approx(switches[0], rel=0.3)
    for own, real in ((made[made < 100], idle), (made[made > 100], delivers)):
        assert own.mean() == pytest.approx(real.mean(), abs=0.2 * real.std())
        assert own.std() == pytest.approx(real.std(), rel=0.15)


def test_generated_states_last_and_the_rest_follows(frame: pd.DataFrame, model: Synthesizer) -> None:
    made = model.generate(rows=6_000)
    assert stretches(made).mean() == pytest.approx(stretches(frame).mean(), rel=0.25)
    on = made["flow"] > 0
    assert made["flow"][on].between(15, 25).all(), "it stands or delivers"
    assert made["power"][~on].max() < 1
    assert made["power"][on].min() > 5
    assert made["flow"][on].std() == pytest.approx(frame["flow"][frame["flow"] > 0].std(), rel=0.3)
    assert made["heat"].diff().std() == pytest.approx(frame["heat"].diff().std(), rel=0.3)
    if "state" in made:
        assert ((made["state"] == "run") == on).all()
    early = (made["flow"].head(ROWS) > 0).to_numpy() == (frame["flow"] > 0).to_numpy()
    assert 0.3 < early.mean() < 0.7, "the table's own course is not copied"


def test_each_path_goes_on_with_a_state_of_its_own(frame: pd.DataFrame, model: Synthesizer) -> None:
    ahead = model.extend(steps=60, paths=64)
    on = ahead.paths["flow"].to_numpy().reshape(64, 60) > 0
    now = frame["flow"].iloc[-1] > 0
    assert (on[:, 0] == now).mean() > 0.9
    assert 0.2 < (on[:, -1] == now).mean() < 0.9
    assert np.abs(np.diff(on.astype(int), axis=1)).sum(axis=1).mean() < 5, "it does not flicker"
    assert set(np.unique(ahead.median["flow"] > 0)) <= {False, True}


def test_a_state_can_be_held(model: Synthesizer) -> None:
    assert (model.generate(rows=100, where={"flow": 0})["power"] < 1).all()
    if "state" in [c.name for c in model.schema.channels]:
        assert (model.generate(rows=100, where={"state": "run"})["power"] > 5).all()
        assert (model.extend(steps=30, paths=8, where={"state": "stop"}).paths["power"].iloc[5:] < 2).all()


def test_a_densified_number_changes_sides_in_the_middle_of_a_gap() -> None:
    rng = np.random.default_rng(6)
    frame = compressor(rng)
    on = (frame["power"] > 100).astype(float)
    frame["heat"] = (30 + 20 * on.ewm(span=30).mean() + rng.normal(0, 0.3, ROWS)).round(1)
    coarse = frame.iloc[:401:4].reset_index(drop=True)
    fine = Synthesizer("prior", {"calibrated": False}, random_state=0).fit(frame).densify(coarse, factor=4)
    power, truth = fine["power"].to_numpy(), frame["power"].to_numpy()[:401]
    given = coarse["power"].to_numpy()
    for place in np.flatnonzero(np.diff((given > 100).astype(int))):
        assert ((power[4 * place + 1 : 4 * place + 3] > 100) == (given[place] > 100)).all()
        assert (power[4 * place + 3] > 100) == (given[place + 1] > 100)
    assert np.mean((power > 100) != (truth > 100)) < 0.05
    plain = np.interp(np.arange(401), np.arange(0, 401, 4), coarse["heat"])
    heat = frame["heat"].to_numpy()[:401]
    assert np.mean((fine["heat"] - heat) ** 2) < 1.1 * np.mean((plain - heat) ** 2)


def test_a_meter_that_stands_while_a_pump_does_hides_no_state_between_given_rows() -> None:
    """What each row adds to a total is not known there, and must not speak for the state that the pump is in."""
    frame = compressor(np.random.default_rng(7)).drop(columns="faults")
    frame["gas"] = (1_200 + np.where(frame["power"] > 100, frame["power"] / 9.5, 0).cumsum()).round(1)
    model = Synthesizer("prior", {"calibrated": False}, random_state=0).fit(frame)
    assert "'gas' rests at 0 for a while" in model.model_.rules
    coarse = frame.iloc[:401:4].reset_index(drop=True)
    fine = model.densify(coarse, factor=4)["power"].to_numpy()
    assert np.mean((fine > 100) != (frame["power"].to_numpy()[:401] > 100)) < 0.05


def test_states_of_many_units_are_their_own_and_steps_of_a_recipe_those_of_the_batch() -> None:
    """An alarm goes on and off at other rows than the real unit's did; a recipe's heating begins where it does."""
    rng, parts = np.random.default_rng(6), []
    for unit in range(12):
        alarm = np.repeat(rng.random(16) < 0.3, 10)[:150]
        heating = (np.arange(150) >= 40 + rng.integers(3)) & (np.arange(150) < 90 + rng.integers(3))
        parts.append(
            pd.DataFrame({"unit": unit, "pulse": (80 + 30 * alarm + rng.normal(0, 3, 150)).round(), "alarm": alarm})
        )
        parts[-1]["warm"], parts[-1]["heating"] = (20 + 40 * heating + rng.normal(0, 1, 150)).round(1), heating
    table = pd.concat(parts, ignore_index=True)
    alone = Synthesizer("prior", {"calibrated": False}, runs=["unit"])
    alarms = alone.fit(table[["unit", "pulse", "alarm"]]).generate()
    assert 0.4 < (alarms["alarm"] == table["alarm"]).mean() < 0.8
    assert abs(alarms["alarm"].mean() - table["alarm"].mean()) < 0.12
    assert alarms.groupby("alarm")["pulse"].mean().diff().iloc[1] == pytest.approx(30, abs=3)
    steps = alone.fit(table[["unit", "warm", "heating"]]).generate()
    assert 0.95 < (steps["heating"] == table["heating"]).mean() < 1  # about, and no copy


def test_a_product_that_is_held_has_the_steps_of_its_batches() -> None:
    """Heating begins in row 20 or so for A and in row 60 for B."""
    rng, parts = np.random.default_rng(9), []
    for batch in range(16):
        product, rows = "AB"[batch % 2], int(rng.integers(95, 105))
        heating = np.arange(rows) >= (20 if product == "A" else 60) + rng.integers(5)
        warm = (20 + 40 * heating + rng.normal(0, 1, rows)).round(1)
        parts.append(pd.DataFrame({"batch": batch, "product": product, "warm": warm, "heating": heating}))
    model = Synthesizer("prior", {"calibrated": False}, runs=["batch"]).fit(pd.concat(parts, ignore_index=True))
    for product, row in (("A", 22), ("B", 62)):
        made = model.generate(runs=8, where={"product": product})
        begun = made.groupby("batch")["heating"].apply(lambda own: int(own.to_numpy().argmax()))
        assert (begun - row).abs().max() <= 8


def test_steps_are_found_beside_a_condition_of_the_run() -> None:
    """Cells are charged, rest and are discharged, at a rate that the user names and that never changes in a cycle."""
    rng, parts = np.random.default_rng(4), []
    for cycle in range(18):
        rate = (1, 2)[cycle % 2]
        rows = [60 // rate + int(rng.integers(3)), 10, 60 // rate + int(rng.integers(3)), 8]
        step = np.repeat(["charge", "rest", "discharge", "rest"], rows)
        current = np.repeat([2.5 * rate, 0, -2.5 * rate, 0], rows)
        current = np.where(current == 0, 0, current + rng.normal(0, 0.002, len(step))).round(3)
        warm = (25 + 2 * rate * (current != 0) + rng.normal(0, 0.2, len(step))).round(2)
        parts.append(pd.DataFrame({"cycle": cycle, "rate": rate, "step": step, "current": current, "warm": warm}))
    table = pd.concat(parts, ignore_index=True)
    model = Synthesizer("prior", {"calibrated": False}, runs=["cycle"], conditions=["rate"]).fit(table)
    for made in (model.generate(random_state=1), model.generate(runs=6, where={"rate": "2"}, random_state=2)):
        for _, own in made.groupby("cycle"):
            begun = own["step"][own["step"] != own["step"].shift()]
            assert begun.tolist() == ["charge", "rest", "discharge", "rest"]
            sign = own["step"].map({"charge": 1, "rest": 0, "discharge": -1})
            assert (own["current"] - 2.5 * own["rate"] * sign).abs().max() < 0.1
    assert (made["rate"] == 2).all()
    cut = table[table["cycle"] < 16].groupby("cycle").head(30).reset_index(drop=True)
    ahead = model.extend(cut, steps=8, paths=10).paths
    assert (
        ahead["rate"].to_numpy() == np.repeat([1 + c % 2 for c in range(16)], 8)[None].repeat(10, 0).ravel()
    ).mean() > 0.99


def test_rain_falls_in_events_and_a_sewer_follows() -> None:
    """It begins and ends at little, so that no gap tells it; a wandering level at its end is no such thing."""
    rng, rain, flow = np.random.default_rng(12), np.zeros(3_000), np.zeros(3_000)
    for start in range(100, 2_900, 200):
        length = int(rng.integers(15, 40))
        first = start + int(rng.integers(0, 120))
        rain[first : first + length] = rng.gamma(2, 0.6) * np.sin(np.pi * (np.arange(length) + 0.5) / length)
    rain = np.where(rain > 0, (rain * rng.gamma(8, 1 / 8, 3_000)).round(1).clip(0.1), 0.0)
    for row in range(1, 3_000):
        flow[row] = 0.95 * flow[row - 1] + 0.05 * 300 * rain[row] + rng.normal(0, 4)
    table = pd.DataFrame({"rain": rain, "flow": (400 + flow).round(1)})
    model = Synthesizer("prior").fit(table)
    assert "'rain' rests at 0 for a while" in model.model_.rules
    made = model.generate()
    wet = made["rain"] > 0
    assert wet.mean() == pytest.approx((rain > 0).mean(), abs=0.06)
    events = wet.groupby((wet != wet.shift()).cumsum()).sum()
    assert events[events > 0].median() > 10
    assert made["rain"].rolling(12).sum().corr(made["flow"]) > 0.4

    level = pd.DataFrame({"level": np.cumsum(rng.normal(size=3_000)) * 0.1})
    level["level"] = (level["level"] - level["level"].rolling(200, min_periods=1).mean()).clip(0).round(2)
    warm = (20 + 4 * np.sin(np.arange(3_000) / 60) + 0.01 * np.cumsum(rng.normal(size=3_000))).round()
    for column in (level, pd.DataFrame({"warm": warm})):  # nor is the usual value of what is written in whole degrees
        named = read(column)
        assert find_states(named.schema.channels, named.runs) == ((), ())


def test_a_setting_that_was_changed_three_times_is_changed_about_as_often() -> None:
    """Beside no other state; as a number like others it would jump between its values dozens of times."""
    rng, rows = np.random.default_rng(0), 1_200
    table = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=rows, freq="h")})
    table["set"] = np.repeat([4.0, 5.0, 3.0, 4.0], [400, 250, 300, 250])
    table["temp"] = (table["set"] + lfilter([0.1], [1, -0.9], rng.normal(size=rows))).round(2)
    model = Synthesizer("prior").fit(table)
    for seed in range(3):
        made = model.generate(random_state=seed)
        assert (made["set"].diff().fillna(0) != 0).sum() <= 8
        assert (made["temp"] - made["set"]).abs().mean() < 0.4


def stack(rows: int = 1_600) -> pd.DataFrame:
    """A fuel cell's stack with six outages of six hours, at no hour of the day in particular."""
    rng = np.random.default_rng(4)
    runs = np.ones(rows, dtype=int)
    for start in (131, 402, 650, 911, 1190, 1403):
        runs[start : start + 6] = 0
    noise = np.convolve(rng.standard_normal(rows + 5), np.ones(6) / 6, "valid")
    return pd.DataFrame(
        {
            "time": pd.date_range("2024-01-01", periods=rows, freq="h"),
            "running": runs,
            "hours": 1_200 + np.cumsum(runs),
            "current": (runs * (60 + noise)).round(1),
            "temp": np.where(runs == 1, 65 + noise + rng.normal(0, 0.2, rows), 30 + rng.normal(0, 0.3, rows)).round(1),
        }
    )


def test_what_is_off_in_a_state_stays_off_and_outages_are_no_schedule() -> None:
    table = read(stack())
    assert not find_idle(table.schema.channels, table.runs, table.schema.clock.cycles())
    made = Synthesizer("prior", random_state=0).fit(stack()).generate(rows=1_600, random_state=1)
    off = made["running"] == 0
    assert 12 <= off.sum() <= 72
    assert (made.loc[off, "current"] == 0).all()
    assert (made.loc[~off, "current"] > 0).all()
    assert (made["hours"].diff().iloc[1:] == made["running"].iloc[1:]).all()
    running = made["running"].to_numpy()
    edges = borders(running)
    assert np.median(np.diff(edges)[running[edges[:-1]] == 0]) == 6


def test_where_power_is_drawn_a_car_is_there() -> None:
    """Cars stay on when they are full, so that power rests at 0 with cars there, and never flows without one."""
    rng = np.random.default_rng(6)
    rows = 1_600
    slow = np.convolve(rng.standard_normal(rows + 159), np.ones(160) / 160**0.5, "valid")
    cars = np.clip(np.round(2 + 2 * slow), 0, 9).astype(int)
    charging = (np.repeat(rng.random(rows // 25) < 0.6, 25)) & (cars > 0)
    power = np.where(charging, 7 + 2 * cars + rng.normal(0, 1, rows), 0).round(1)
    frame = pd.DataFrame({"time": pd.date_range("2025-01-06", periods=rows, freq="7min"), "power": power, "cars": cars})
    model = Synthesizer("prior", random_state=0).fit(frame)
    assert [state.place for state in model.model_.channels.regimes.states] == [0]
    paths = model.extend(steps=200, paths=10).paths
    for made in (model.generate(rows=3 * rows, random_state=1), paths):
        assert (made["power"] > 0).mean() > 0.2
        assert ((made["power"] > 0) & (made["cars"] == 0)).mean() == 0
    assert (model.generate(rows=3 * rows, random_state=1)["cars"] == 0).mean() > 0.03


def test_a_piston_is_densified_along_its_ramps() -> None:
    """It stands at 48, and goes to 8 and back along straight lines."""
    rng, parts = np.random.default_rng(9), []
    for _ in range(60):
        stands, stays = int(rng.integers(8, 20)), int(rng.integers(6, 14))
        parts += [np.full(stands, 48.0), np.linspace(48, 8, 9)[1:], np.full(stays, 8.0) + rng.normal(0, 0.1, stays)]
        parts += [np.linspace(8, 48, 15)[1:-1]]
    piston = np.concatenate(parts).round(2)
    frame = pd.DataFrame({"time": pd.date_range("2025-01-01", periods=len(piston), freq="s")})
    frame["piston"], frame["heat"] = piston, (70 + rng.standard_normal(len(piston)).cumsum() / 9).round(2)
    coarse = frame[::2].reset_index(drop=True)
    model = Synthesizer("prior", {"calibrated": False}, random_state=0).fit(coarse)
    rests = {state.place: state.ramps for state in model.model_.channels.regimes.states if isinstance(state, Rest)}
    assert rests == {0: True}
    finer = model.densify(coarse, factor=2)
    truth, new = piston[: len(finer)], np.arange(len(finer)) % 2 == 1
    line = np.interp(np.arange(len(finer)), np.arange(0, len(finer), 2), truth[::2])
    assert np.mean((finer["piston"] - truth)[new] ** 2) < 1.5 * np.mean((line - truth)[new] ** 2) + 0.05


def test_a_lot_that_stands_is_not_settled_by_a_few_trials_within_it() -> None:
    rows = 1_200
    rng = np.random.default_rng(0)
    trial = np.zeros(rows, dtype=int)
    for start in range(305, 390, 18):
        trial[start : start + 9] = 1
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=rows, freq="h")})
    frame["trial"] = np.where(trial == 1, "yes", "no")
    frame["lot"] = np.repeat(rng.normal(5, 1, 12).round(3), 100)
    frame["temp"] = (20 + lfilter([1.0], [1.0, -0.9], rng.standard_normal(rows))).round(2)
    model = Synthesizer("prior", {"calibrated": False}, random_state=0).fit(frame)
    assert np.isnan(model.model_.channels.regimes.settled).all()
