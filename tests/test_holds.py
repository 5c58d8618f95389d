"""Values that stand still: found where the table's do and a draw's do not, and held for as long."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.signal import lfilter

import dowgan
from dowgan.holds import Deadband, Hold, find_holds, repeats
from dowgan.lengths import Lengths
from dowgan.stretch import borders
from dowgan.table import read
from dowgan.table.schema import Column, Run

HOURS = 600
FIRST = np.zeros(1, dtype=int)  # position of the first row


def column(name: str, **more: object) -> Column:
    return replace(Column(name, "value", "float", "float64", decimals=2), **more)


def run(values: np.ndarray) -> Run:
    return Run((), pd.Timestamp("2024-01-01"), 0, values)


def plant(seed: int = 0) -> pd.DataFrame:
    """A flow, two laboratory values of every sixth hour, and a set-point that the grade settles."""
    rng = np.random.default_rng(seed)
    state = np.zeros((HOURS, 3))
    for hour in range(1, HOURS):
        state[hour] = 0.9 * state[hour - 1] + rng.standard_normal(3)
    lab = np.repeat(state[::6, 1:], 6, axis=0)[:HOURS]
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=HOURS, freq="h")})
    frame["flow"], frame["lab"], frame["again"] = (100 + state[:, 0]).round(2), lab[:, 0].round(2), lab[:, 1].round(2)
    frame["grade"] = np.repeat(["A", "B", "A", "C"], HOURS // 4)
    frame["setpoint"] = frame["grade"].map({"A": 50.0, "B": 61.5, "C": np.nan})
    loose = frame["setpoint"].isna()
    frame.loc[loose, "setpoint"] = rng.normal(55, 1, loose.sum()).round(1)
    return frame


def lengths(values: np.ndarray) -> np.ndarray:
    """How long values stand, without the first and the last."""
    return np.diff(np.flatnonzero(np.diff(values)))


def test_a_laboratory_value_stands_as_long_as_in_the_table() -> None:
    frame = plant()
    model = dowgan.Synthesizer(conditions=["grade"]).fit(frame)
    (hold,) = model.model_.holds  # found together, and the flow is left alone
    assert [model.schema.channels[i].name for i in hold.columns] == ["lab", "again"]
    made = model.generate(rows=2_000)
    for name in ("lab", "again"):
        assert np.median(lengths(made[name].to_numpy())) == 6
        assert abs(made[name].std() / frame[name].std() - 1) < 0.25
    assert (np.diff(made["flow"]) == 0).mean() < 0.03
    assert ((np.diff(made["lab"]) != 0) == (np.diff(made["again"]) != 0)).mean() > 0.98  # but for equal neighbours
    longer = model.generate(rows=2_500)
    assert longer.iloc[:500].equals(made.iloc[:500])  # a row depends on those before it only


def test_a_set_point_that_a_condition_settles_is_exact_in_all_verbs() -> None:
    frame = plant()
    model = dowgan.Synthesizer("prior", conditions=["grade"]).fit(frame)
    made = model.generate(rows=1_000)
    assert (made.loc[made["grade"] == "A", "setpoint"] == 50.0).all()
    assert (made.loc[made["grade"] == "B", "setpoint"] == 61.5).all()
    assert made.loc[made["grade"] == "C", "setpoint"].nunique() > 10
    assert (model.extend(steps=5, where={"grade": "B"}).median["setpoint"] == 61.5).all()


def test_a_set_point_does_not_change_with_the_laboratory() -> None:
    """Both stand in most rows, and so often at once: what counts is whether they change at once."""
    rng = np.random.default_rng(3)
    lab = np.repeat(rng.random(600).round(3), 10)
    steps = np.repeat(rng.random(40).round(3), 150)
    real, drawn = np.stack([lab, steps], axis=1), rng.random((6_000, 2)).round(3)
    found = find_holds([column("lab"), column("set")], [run(real)], [run(drawn)])
    assert [hold.columns for hold in found] == [(0,), (1,)]
    assert set(found[0].lengths.rows) == {10}
    assert set(found[1].lengths.rows) == {150}


def test_a_sample_is_taken_at_the_same_hours_as_in_the_table() -> None:
    frame = plant().drop(columns=["grade", "setpoint"])
    model = dowgan.Synthesizer("prior").fit(frame)
    (hold,) = model.model_.holds
    assert (hold.lengths.every, hold.lengths.phase) == (6, 0)
    made = model.generate(rows=1_000, start="2024-05-05 04:00")
    changed = made.loc[made["lab"].diff().fillna(0) != 0, "time"]
    assert set(changed.dt.hour) == {0, 6, 12, 18}


def test_an_extended_sample_stands_until_the_next() -> None:
    frame = plant().drop(columns=["grade", "setpoint"])
    model = dowgan.Synthesizer("prior", {"calibrated": False}).fit(
        frame.iloc[:596]
    )  # two more rows of the last sample are known to come
    ahead = model.extend(steps=40, paths=20)
    for path in (ahead.median["lab"].to_numpy(), *ahead.runs[0][:, :, 1]):
        assert (path[:4] == frame["lab"].iloc[595]).all()
        assert (path[4:].reshape(6, 6) == path[4::6, None]).all()
    assert len(np.unique(ahead.runs[0][:, -1, 1])) > 10


def test_paths_stand_on_from_where_the_table_ends_as_often_as_it_stood() -> None:
    rng, level, sent = np.random.default_rng(0), np.zeros(1_500), np.zeros(1_500)
    for t in range(1, len(level)):
        level[t] = 0.97 * level[t - 1] + rng.standard_normal()
        sent[t] = level[t] if abs(level[t] - sent[t - 1]) > 1.5 else sent[t - 1]
    kept = np.maximum.accumulate(np.where(rng.random(len(level)) < 0.2, np.arange(len(level)), 0))
    frame = pd.DataFrame({"level": level, "held": level[kept], "sent": sent}).round(3)
    model = dowgan.Synthesizer("prior", {"calibrated": False}).fit(frame)
    paths, few = (model.extend(steps=120, paths=count).runs[0] for count in (60, 20))
    assert (paths[:20] == few).all()
    for place, name in ((1, "held"), (2, "sent")):
        assert abs((np.diff(paths[:, :, place]) == 0).mean() - (frame[name].diff() == 0).mean()) < 0.06
        assert abs((paths[:, 0, place] == frame[name].iloc[-1]).mean() - 0.8) < 0.2


def test_a_transmitter_sends_when_its_value_has_moved() -> None:
    """Long rests where it is calm, none where it moves: held for lengths by chance it would jump."""
    rng = np.random.default_rng(8)
    paths = []
    for _ in range(2):
        lively = np.repeat(rng.random(80) < 0.3, 100)
        paths.append(np.cumsum(rng.standard_normal(8_000) * np.where(lively, 0.3, 0.02)))
    real, drawn = (path[:, None] for path in paths)
    real = real.copy()
    Deadband((0,), 0.2).apply(real[None], np.empty((1, 8_000)), FIRST)
    (band,) = find_holds([column("level", decimals=6)], [run(real)], [run(drawn)])
    assert isinstance(band, Deadband)
    assert abs(band.width / 0.2 - 1) < 0.2
    made = drawn[None].copy()
    band.apply(made, np.empty((1, 8_000)), FIRST)
    assert np.abs(np.diff(made[0, :, 0])).max() < 1.3 * np.abs(np.diff(real[:, 0])).max()


def test_runs_do_not_hold_what_others_held() -> None:
    frame = plant()
    model = dowgan.Synthesizer("prior", conditions=["grade"]).fit(frame)
    few, more = model.generate(rows=30, runs=3), model.generate(rows=30, runs=90)
    assert few.equals(more.iloc[:90])
    first = more.groupby("run")["lab"].apply(lambda values: int(lengths(np.append(np.inf, values))[0]))
    assert set(first) >= {1, 2, 3, 4, 5, 6}  # a run begins anywhere within a value's time
    assert (first <= 6).mean() > 0.9  # but for equal neighbours, 4 in 100 of numbers that are written with two decimals


def test_lengths_go_by_level_and_chance_repeats_are_not_counted() -> None:
    rng = np.random.default_rng(1)
    low = rng.random(400) < 0.5
    stands = np.where(low, 1, 8)
    real = np.repeat(np.where(low, 0.0, 10.0) + rng.random(400).round(2), stands)[:, None]
    drawn = (10 * rng.random((4_000, 1))).round(2)
    (hold,) = find_holds([column("a")], [run(real)], [run(drawn)])
    long = np.array([hold.lengths.rows @ np.diff(shares, prepend=0.0) for shares in hold.lengths.shares])
    assert long[0] < 1.2
    assert long[-1] > 7.5
    values = drawn[None].copy()
    hold.apply(values, rng.random((1, 4_000)), FIRST)
    held = repeats([column("a")], [run(values[0])])[0]
    assert abs(held - repeats([column("a")], [run(real)])[0]) < 0.06


def test_a_draw_that_repeats_as_often_needs_no_hold() -> None:
    rng = np.random.default_rng(2)
    counts, other = (rng.poisson(0.5, (3_000, 1)).astype(float) for _ in range(2))
    assert find_holds([column("n", kind="integer")], [run(counts)], [run(other)]) == ()


def test_a_value_is_never_held_on_by_an_equal_one() -> None:
    hold = Hold((0,), 0, Lengths(np.empty(0), np.array([2]), np.ones((1, 1)), np.ones(1), 1, 0))
    values = np.array([1.0, 5, 1, 1, 7, 8, 9, 9, 9, 9])[None, :, None]
    hold.apply(values, np.zeros((1, 10)), FIRST)
    assert values[0, :, 0].tolist() == [1, 5, 5, 1, 1, 8, 8, 9, 9, 9]


def test_missing_values_are_no_repeats() -> None:
    """A flow of which a third is missing moves in every row that is there."""
    rng = np.random.default_rng(4)
    flow = rng.standard_normal((900, 1)).cumsum(axis=0).round(2)
    drawn = rng.standard_normal((900, 1)).cumsum(axis=0).round(2)
    flow[rng.random(900) < 0.3] = np.nan
    assert repeats([column("flow")], [run(flow)])[0] < 0.02
    assert find_holds([column("flow")], [run(flow)], [run(drawn)]) == ()


def test_a_value_stands_until_it_is_last_known() -> None:
    """Three known rows and then a gap, again and again: three rows, not six."""
    values = np.repeat(np.random.default_rng(5).random(200).round(3), 6)
    values[np.arange(1_200) % 6 > 2] = np.nan
    drawn = np.random.default_rng(6).random((1_200, 1))
    (hold,) = find_holds([column("lab", decimals=3)], [run(values[:, None])], [run(drawn)])
    assert set(hold.lengths.rows) == {3}


def test_missing_values_do_not_end_a_hold() -> None:
    frame = plant().drop(columns=["grade", "setpoint"])
    frame.loc[5:200:7, "lab"] = np.nan
    model = dowgan.Synthesizer("prior").fit(frame)
    table = read(frame)
    assert repeats(table.schema.channels, table.runs)[1] > 0.8
    assert np.median(lengths(model.generate()["lab"].to_numpy())) == 6


def test_samples_keep_their_changes_where_windows_are_calibrated() -> None:
    frame = plant().drop(columns=["grade", "setpoint"])
    made = dowgan.Synthesizer("prior").fit(frame).generate(rows=3_000)
    changes = [np.abs(np.diff(lab[::6])).mean() for lab in (made["lab"].to_numpy(), frame["lab"].to_numpy())]
    assert abs(changes[0] / changes[1] - 1) < 0.15


def test_samples_between_given_rows_are_known_where_hours_are() -> None:
    frame = plant().drop(columns=["grade", "setpoint"])
    model = dowgan.Synthesizer("prior", {"calibrated": False}).fit(frame)
    given = frame.iloc[1:598:4]  # samples come at whole sixes of rows, none of them given but by chance
    assert model.densify(given, factor=4)["lab"].tolist() == frame["lab"].iloc[1:598].tolist()


def test_a_price_stands_also_where_the_table_has_seen_few_of_them() -> None:
    rng = np.random.default_rng(8)
    price = np.repeat(np.round(20 + rng.normal(0, 2, 18), 1), 10)
    sold = np.round(300 - 8 * price + rng.normal(0, 15, 180))
    model = dowgan.Synthesizer("prior", {"calibrated": False}).fit(pd.DataFrame({"price": price, "sold": sold}))
    made = model.generate(rows=600)
    assert abs((made["price"].diff() == 0).mean() - 0.9) < 0.05


def test_what_rests_at_one_value_alone_is_not_held() -> None:
    """Rain that a draw breaks into shorter showers repeats its zeros less often: a hold would keep other values."""
    rng = np.random.default_rng(3)
    rain = np.where(np.arange(2_000) % 40 < 4, rng.gamma(1, 2, 2_000).round(2) + 0.01, 0.0)
    drawn = np.where(rng.random(2_000) < 0.1, rng.gamma(1, 2, 2_000).round(2) + 0.01, 0.0)
    columns, runs = (column("rain"),), [run(rain[:, None])]
    assert repeats(columns, runs)[0] > repeats(columns, [run(drawn[:, None])])[0] + 0.05
    assert find_holds(columns, runs, [run(drawn[:, None])]) == ()
    price = np.repeat(rng.choice([0.0, 0.0, 1.1, 1.2, 1.3], 200), 10) + 0.0
    assert len(find_holds(columns, [run(price[:, None])], [run(drawn[:, None])])) == 1  # it stands beside 0 as well


def test_a_daily_sample_stands_until_the_next_one_and_is_no_noise() -> None:
    """Empty cells between samples, of which the other columns tell nothing: what they do in between was never seen."""
    rng, rows = np.random.default_rng(7), 1_440
    times = pd.date_range("2024-10-01", periods=rows, freq="h")
    slow = lfilter([0.3], [1.0, -0.95], rng.normal(size=(3, rows)), axis=1)
    frame = pd.DataFrame({"time": times, **{f"x{i}": (10 + x).round(2) for i, x in enumerate(slow)}})
    samples = (600 + 60 * rng.standard_normal(rows)).round(0)
    frame["cod"] = np.where(times.hour == 7, samples, np.nan)
    model = dowgan.Synthesizer("prior").fit(frame)
    made = model.generate(rows=rows, random_state=1)
    changed = made["cod"].diff().abs() > 0
    assert set(made.loc[changed, "time"].dt.hour) == {7}
    assert 0.6 < made["cod"].std() / frame["cod"].std() < 1.4
    later = model.extend(steps=60, paths=5).paths
    assert set(later.loc[later.groupby("path")["cod"].diff().abs() > 0, "time"].dt.hour) == {7}
    finer = model.densify(frame, factor=2)["cod"].to_numpy()
    assert np.std(np.diff(finer)) < 0.25 * frame["cod"].std(), "between samples it moves smoothly"


def by_hand(rows: int = 2_400, seed: int = 0) -> pd.DataFrame:
    """A valve that moves in every row, but stands wherever it is while it is held by hand; three settings."""
    rng = np.random.default_rng(seed)
    mode, sp = np.zeros(rows, dtype=bool), np.zeros(rows)
    for start in range(150, rows - 100, 300):
        begin = start + int(rng.integers(0, 80))
        mode[begin : begin + int(rng.integers(30, 60))] = True
    for start in range(0, rows, 170):
        sp[start : start + 170] = rng.choice([2.0, 2.5, 3.0])
    valve = 50 + np.convolve(rng.standard_normal(rows + 39), np.ones(40) / 6, "valid") * 2
    for row in range(1, rows):
        valve[row] = valve[row - 1] if mode[row] and mode[row - 1] else valve[row]
    temp = 80 - 4 * sp + 0.2 * (valve - 50) + rng.normal(0, 0.1, rows)
    frame = pd.DataFrame({"sp": sp, "mode": np.where(mode, "MANUAL", "AUTO"), "valve": valve.round(2)})
    return frame.assign(temp=temp.round(2))


def test_a_valve_that_is_held_by_hand_stands_where_it_is() -> None:
    """Also beside a set-point that the user names and that changes: the mode is a state all the same."""
    frame = by_hand()
    model = dowgan.Synthesizer("prior", random_state=0, conditions=["sp"]).fit(frame)
    paths = model.extend(steps=200, paths=10).paths
    assert (paths["sp"] == frame["sp"].iloc[-1]).all()
    for made in (model.generate(rows=4_800, random_state=1), *(own for _, own in paths.groupby("path"))):
        hand = (made["mode"] == "MANUAL").to_numpy()
        moves = np.diff(made["valve"]) != 0
        assert not moves[hand[1:] & hand[:-1]].any()
    made = model.generate(rows=4_800, random_state=1)
    spells = np.diff(borders((made["mode"] == "MANUAL").to_numpy().astype(int)))
    assert np.median(spells) > 20
    assert 0.05 < (made["mode"] == "MANUAL").mean() < 0.35
    assert (np.diff(made["valve"])[(made["mode"] == "AUTO").to_numpy()[1:]] != 0).mean() > 0.8
    assert len(made["valve"][made["mode"] == "MANUAL"].unique()) > 6
