"""Batches begin as the table's do, and what is used up never comes back."""

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan.batches import by_place
from dowgan.covariances import parts_of
from dowgan.errors import OptionError
from dowgan.falling import find_falling
from dowgan.model import Past
from dowgan.setpoints import fit_setpoints
from dowgan.spells import spells_of
from dowgan.table import read
from dowgan.trajectories import fit_trajectories


def fermentation(runs: int = 12) -> pd.DataFrame:
    """Batches of a slow start and a fast middle that begin at seven o'clock, every other day; sugar is used up."""
    rng, parts = np.random.default_rng(3), []
    for number in range(runs):
        rows = int(rng.integers(60, 90))
        start = pd.Timestamp("2024-01-08 07:00") + pd.Timedelta(hours=48 * number)
        times = pd.date_range(start, periods=rows, freq="20min")
        hours, most = np.arange(rows) / 3, rng.normal(30, 2)
        mass = most / (1 + (most / rng.normal(0.5, 0.05) - 1) * np.exp(-rng.normal(0.35, 0.03) * hours))
        sugar = np.maximum(0, 40 - 1.35 * (mass - mass[0]))
        warm = (37 + rng.normal(0, 0.05, rows)).round(2)
        noisy = (mass * (1 + rng.normal(0, 0.01, rows))).round(2)
        own = {"batch": f"F{number}", "time": times, "mass": noisy, "sugar": sugar.round(1)}
        parts.append(pd.DataFrame(own | {"warm": warm, "warm_K": (warm + 273.15).round(2)}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def batches() -> pd.DataFrame:
    return fermentation()


@pytest.fixture(scope="module")
def model(batches: pd.DataFrame) -> dowgan.Synthesizer:
    return dowgan.Synthesizer(runs=["batch"]).fit(batches)


def test_batches_begin_small_and_move_together(batches: pd.DataFrame, model: dowgan.Synthesizer) -> None:
    made = model.generate(runs=24)
    first = made.groupby("batch", sort=False)["mass"].first()
    assert first.between(0.0, 1.5).all()
    assert first.mean() == pytest.approx(batches.groupby("batch")["mass"].first().mean(), abs=0.2)
    assert made["mass"].corr(made["sugar"]) < -0.95
    ends = made.groupby("batch")["mass"].last().mean(), batches.groupby("batch")["mass"].last().mean()
    assert ends[0] == pytest.approx(ends[1], abs=3)


def test_what_is_used_up_never_rises(batches: pd.DataFrame, model: dowgan.Synthesizer) -> None:
    assert "'sugar' never rises within a run" in model.model_.rules
    begun = batches[batches.groupby("batch").cumcount() < 40].reset_index(drop=True)
    coming = model.extend(begun, steps=12, paths=6)
    for table in (model.generate(), model.densify(batches, factor=3), coming.median):
        assert (table.groupby("batch")["sugar"].diff().dropna() <= 0).all()
    assert (coming.paths.groupby(["batch", "path"])["sugar"].diff().dropna() <= 0).all()
    last = begun.groupby("batch")["sugar"].last()
    assert (coming.median.groupby("batch")["sugar"].first() <= last).all()


def test_what_is_measured_once_in_a_batch_is_one_of_the_batch(batches: pd.DataFrame) -> None:
    table = batches.assign(purity=np.nan)
    ends = table.groupby("batch", sort=False).tail(1).index
    table.loc[ends, "purity"] = np.linspace(93, 98, len(ends)).round(2)
    model = dowgan.Synthesizer("prior", runs=["batch"]).fit(table)
    begun = table[table.groupby("batch").cumcount() < 30].reset_index(drop=True)
    for made in (model.generate(runs=20), model.densify(table, factor=2), model.extend(begun, steps=4).median):
        assert made["purity"].between(93, 98).all()
        assert (made.groupby("batch")["purity"].nunique() == 1).all()


def test_further_batches_come_behind_the_table(batches: pd.DataFrame, model: dowgan.Synthesizer) -> None:
    made = model.generate(runs=30).groupby("batch", sort=False)["time"].agg(["first", "last"])
    assert (made["first"].to_numpy()[1:] > made["last"].to_numpy()[:-1]).all()
    assert (made["first"].dt.hour == 7).all()


def test_a_course_is_given_for_one_batch_at_a_time(batches: pd.DataFrame, model: dowgan.Synthesizer) -> None:
    given = batches[["batch", "warm"]].head(140)
    with pytest.raises(OptionError) as raised:
        model.generate(given=given)
    assert str(raised.value) == (
        "The given table holds 2 runs, and what is given is one run's course: give the rows of one 'batch' at a time, "
        "with --runs 1."
    )
    one = given[given["batch"] == "F0"]
    assert model.generate(given=one, runs=1)["warm"].tolist() == one["warm"].tolist()


def test_only_what_falls_in_every_run_is_said_to_fall(batches: pd.DataFrame) -> None:
    table = read(batches, runs=["batch"])
    assert [course.columns for course in find_falling(table.schema.channels, table.runs)] == [(1,)]
    batches = batches.copy()
    batches.loc[5, "sugar"] = 39.0
    table = read(batches, runs=["batch"])
    assert find_falling(table.schema.channels, table.runs) == []


def test_no_structure_of_slow_channels_has_impossible_covariances() -> None:
    rng = np.random.default_rng(0)
    slow = [np.cumsum(np.cumsum(rng.normal(0, 0.01, (90, 1)), axis=0), axis=0) for _ in range(12)]
    runs = [np.column_stack([s, -s + rng.normal(0, 1e-3, s.shape), rng.normal(0, 1, (90, 2))]) for s in slow]
    scale = np.concatenate(runs).std(axis=0)
    for lagged in parts_of([run / scale for run in runs], 48, 6).values():
        assert np.diag(lagged[0]).min() > 0.5
        assert np.abs(lagged).max() < 2.5


# constants of runs


def patients(count: int = 40) -> pd.DataFrame:
    """Stays of different length; an older patient's pressure is higher, and a treatment lets it fall in time."""
    rng, parts = np.random.default_rng(6), []
    for number in range(count):
        rows, age, drug = int(rng.integers(14, 30)), int(rng.integers(25, 90)), str(rng.choice(["none", "drug"]))
        noise = np.zeros(rows)
        for row in range(1, rows):
            noise[row] = 0.7 * noise[row - 1] + rng.normal(0, 2)
        pressure = 120 + 0.5 * (age - 55) - 0.8 * np.arange(rows) * (drug == "drug") + noise
        own = {"patient": f"P{number:03d}", "age": age, "drug": drug, "weight": round(rng.normal(70, 9), 1)}
        parts.append(pd.DataFrame(own | {"pressure": pressure.round(), "pulse": rng.normal(70, 4, rows).round()}))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("named", [[], ["age", "drug"]])
def test_constants_of_a_run_tell_how_it_goes(named: list[str]) -> None:
    stays = patients()
    model = dowgan.Synthesizer("prior", runs=["patient"], conditions=named).fit(stays)
    assert any(rule.startswith("'pressure' goes with what is a run's own: 'age'") for rule in model.model_.rules)
    assert not any(rule.startswith("'pulse' goes with") for rule in model.model_.rules)

    def slope(table: pd.DataFrame) -> float:
        each = table.groupby("patient").agg(age=("age", "first"), pressure=("pressure", "mean"))
        return float(np.polyfit(each["age"], each["pressure"], 1)[0])

    made = model.generate(runs=80)
    assert (made.groupby("patient")[["age", "drug", "weight"]].nunique() == 1).all(axis=None)
    assert slope(made) == pytest.approx(slope(stays), abs=0.12)
    old, young = (model.generate(runs=40, where={"age": age})["pressure"].mean() for age in (85, 30))
    assert old - young == pytest.approx(0.5 * 55, abs=6)
    late = {d: t[t.groupby("patient").cumcount() >= 10]["pressure"].mean() for d, t in made.groupby("drug")}
    assert late["none"] - late["drug"] > 6
    begun = stays[stays.groupby("patient").cumcount() < 8].assign(patient=lambda t: "N" + t["patient"])
    ahead = model.extend(begun, steps=6, paths=20)
    off = ahead.median.groupby("patient")["pressure"].mean() - begun.groupby("patient")["pressure"].mean()
    assert abs(off[begun.groupby("patient")["drug"].first() == "none"].mean()) < 2.5


def test_constants_count_by_the_place_also_in_a_coarser_table() -> None:
    """Batches that lie apart at their end, by what they are fed."""
    rng, parts = np.random.default_rng(2), []
    for number in range(16):
        feed = round(float(rng.uniform(1, 3)), 2)
        grown = feed * np.linspace(0, 1, 41) ** 2 + rng.normal(0, 0.01, 41)
        parts.append(pd.DataFrame({"batch": f"B{number:02d}", "feed": feed, "grown": grown.round(3)}))
    batches = pd.concat(parts, ignore_index=True)
    model = dowgan.Synthesizer("prior", {"calibrated": False}, runs=["batch"]).fit(batches)
    assert "'grown' goes with what is a run's own: 'feed'" in model.model_.rules
    fine = model.densify(batches[batches.index % 41 % 2 == 0].reset_index(drop=True), factor=2)
    assert np.abs(fine["grown"] - batches["grown"]).max() < 0.08


def test_a_constant_that_is_unknown_of_a_run_is_the_usual_one() -> None:
    stays = patients(12).assign(age=lambda t: t["age"].where(t["patient"] != "P003").astype("Int64"))
    made = dowgan.Synthesizer("prior", runs=["patient"]).fit(stays).generate()
    assert made["age"].min() >= 25


# set-points of each run


def reactor(runs: int = 16) -> pd.DataFrame:
    """Batches that are heated to 80, 85 or 90 degrees, held there, and cooled; a pressure follows the temperature."""
    rng, parts = np.random.default_rng(4), []
    for number in range(runs):
        heat, hold, cool = (int(n) for n in rng.integers((8, 14, 8), (12, 26, 12)))
        top = float(rng.choice([80, 85, 90]))
        course = np.concatenate([np.linspace(25, top, heat), np.full(hold, top), np.linspace(top - 5, 30, cool)])
        rows, off = len(course), np.zeros(heat + hold + cool)
        for row in range(1, rows):
            off[row] = 0.7 * off[row - 1] + rng.normal(0, 0.2)
        warm = course + off
        own = {
            "batch": f"R{number:03d}",
            "phase": np.repeat(["heat", "hold", "cool"], [heat, hold, cool]),
            "set_point": course.round(1),
            "temperature": warm.round(2),
            "pressure": (1 + 0.02 * (warm - 25) + rng.normal(0, 0.01, rows)).round(3),
        }
        parts.append(pd.DataFrame(own))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def reactions() -> pd.DataFrame:
    return reactor()


@pytest.fixture(scope="module")
def reactor_model(reactions: pd.DataFrame) -> dowgan.Synthesizer:
    return dowgan.Synthesizer("prior", {"calibrated": False}, runs=["batch"]).fit(reactions)


def test_a_batch_keeps_its_own_set_point(reactions: pd.DataFrame, reactor_model: dowgan.Synthesizer) -> None:
    made = reactor_model.generate(runs=32)
    held = made[made["phase"] == "hold"].groupby("batch")
    assert (held["set_point"].nunique() == 1).all()
    assert set(held["set_point"].first()) == {80.0, 85.0, 90.0}
    assert np.abs(held["temperature"].mean() - held["set_point"].first()).max() < 1
    for column, most in (("temperature", 0.05), ("pressure", 0.003)):
        means = (table[table["phase"] == "hold"].groupby("set_point")[column].mean() for table in (made, reactions))
        assert np.abs(np.subtract(*means)).max() < 10 * most
    off = (table["temperature"] - table["set_point"] for table in (made, reactions))
    assert np.divide(*(part.std() for part in off)) == pytest.approx(1, abs=0.15)


def test_a_batch_under_way_goes_on_to_its_own_set_point(
    reactions: pd.DataFrame, reactor_model: dowgan.Synthesizer
) -> None:
    begun = reactions[reactions.groupby("batch").cumcount() < 16].replace({"batch": {"R000": "R100"}})
    coming = reactor_model.extend(begun, steps=20, paths=12).paths
    paths = coming.groupby(["batch", "path"], sort=False)
    now = coming["batch"].map(begun.groupby("batch")["set_point"].last())
    assert begun.groupby("batch")["phase"].last().eq("hold").all()
    assert (coming["set_point"] == now)[coming["phase"] == "hold"].all()
    cooled = coming[coming["phase"] == "cool"]
    assert (cooled.groupby(["batch", "path"])["set_point"].diff().dropna() <= 0).all()
    assert paths["set_point"].last()[paths["phase"].last() == "cool"].min() == pytest.approx(30, abs=3)
    assert np.abs(coming["temperature"] - coming["set_point"]).quantile(0.95) < 1.5


def test_densified_set_points_run_straight(reactions: pd.DataFrame, reactor_model: dowgan.Synthesizer) -> None:
    fine = reactor_model.densify(reactions, factor=4)
    own = fine[fine["batch"] == "R003"]["set_point"].to_numpy()
    given = reactions[reactions["batch"] == "R003"]["set_point"].to_numpy()
    assert np.abs(own - np.interp(np.arange(len(own)) / 4, np.arange(len(given)), given)).max() <= 0.05 + 1e-9


def test_what_is_no_trajectory() -> None:
    """Noise, a slow value that rounding holds, rare pulses and what is the same in all runs are drawn."""
    rng, rows = np.random.default_rng(1), 40
    frame = pd.DataFrame({"run": np.repeat(np.arange(10), rows), "noise": rng.normal(0, 1, 10 * rows).round(2)})
    frame["slow"] = np.concatenate([np.cumsum(rng.normal(0, 0.05, rows)) for _ in range(10)]).round(1)
    frame["pulse"] = np.where(rng.random(10 * rows) < 0.03, 9, 0)
    frame["same"] = 7.0
    frame["ramp"] = np.concatenate(
        [np.minimum(np.arange(rows) * slope, 20) for slope in rng.uniform(0.5, 2, 10)]
    ).round(1)
    frame["follows"] = (0.1 * frame["ramp"] + rng.normal(0, 0.05, 10 * rows)).round(3)
    table = read(frame, runs=["run"])
    columns, names = table.schema.channels, [column.name for column in table.schema.channels]
    found = fit_trajectories(columns, table.runs, range(len(columns)))
    assert [names[place] for place in found.columns] == ["ramp"]
    courses = [(run.values, np.zeros(len(run.values), dtype=int)) for run in table.runs]
    followers = fit_setpoints(range(len(columns)), courses, 1, found.columns).followers
    assert [(names[column], names[leader]) for column, leader, _ in followers] == [("follows", "ramp")]
    assert followers[0][2] == pytest.approx(0.1, abs=0.005)
    assert fit_trajectories(columns, table.runs[:7], range(len(columns))).columns == ()


def test_states_that_drift_along_runs_go_with_the_place_and_others_do_not() -> None:
    """Doses of patients who get well, each at a pace of his own, and a machine that is on or off at any time."""
    rng = np.random.default_rng(6)

    def runs(down: float) -> list[Past]:
        out = []
        for _ in range(14):
            level, course = int(rng.integers(0, 5)) if down == 0.3 else 4, []
            for _ in range(int(rng.integers(11, 20))):
                course += [level] * 10
                level = int(np.clip(level + rng.choice([-1, 0, 1], p=[down, 0.7 - down, 0.3]), 0, 4))
            parts = spells_of(np.array(course))
            nothing = np.empty((len(parts), 0))
            out.append(Past((), 0, 0, len(course), parts, np.empty((0, 1)), np.zeros(1), nothing))
        return out

    assert by_place(runs(0.6))
    assert not by_place(runs(0.3))


def test_generated_batches_are_none_of_the_table_with_their_order_and_results() -> None:
    """Bread of two sorts, one loaf after another: other lengths and losses in another order, none begins too soon."""
    rng, parts, start = np.random.default_rng(6), [], pd.Timestamp("2024-02-05 05:00")
    for number in range(30):
        sort = rng.choice(["rye", "wheat"])
        rows = int((40 if sort == "rye" else 25) + rng.integers(0, 8))
        heat = 200 - 25 * np.exp(-np.arange(rows) / 6) + rng.normal(0, 1) + rng.normal(0, 0.5, rows)
        loss = (9.5 if sort == "rye" else 14) + rng.normal(0, 0.4)
        times = pd.date_range(start, periods=rows, freq="min")
        own = {"batch": f"B{number:02d}", "time": times, "sort": sort, "heat": heat.round(1), "loss": np.nan}
        parts.append(pd.DataFrame(own))
        parts[-1].loc[rows - 1, "loss"] = round(loss, 2)
        start = times[-1] + pd.Timedelta(minutes=int(rng.integers(10, 40)))
    table = pd.concat(parts, ignore_index=True)
    made = dowgan.Synthesizer("prior", runs=["batch"]).fit(table).generate(random_state=1)
    (was, now) = (frame.groupby("batch", sort=False) for frame in (table, made))
    assert now.ngroups == 30
    assert sorted(now.size()) == sorted(was.size())
    assert list(now.size()) != list(was.size())
    assert sorted(now["sort"].first()) == sorted(was["sort"].first())
    losses = now["loss"].first()
    assert losses.isin(was["loss"].last()).mean() < 0.4
    for sort in ("rye", "wheat"):
        real, drawn = (frame["loss"].last()[frame["sort"].first() == sort] for frame in (was, now))
        assert drawn.mean() == pytest.approx(real.mean(), abs=0.3)
        assert drawn.std() == pytest.approx(real.std(), rel=0.5)
    begins, ends = now["time"].first(), now["time"].last()
    assert (begins.iloc[1:].to_numpy() > ends.iloc[:-1].to_numpy()).all()
