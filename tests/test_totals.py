"""Totals never fall: generated from where the table begins, extended from where it ends, densified in between."""

from pathlib import Path

import numpy as np
import pandas as pd

import dowgan
from dowgan.table.schema import Column, Run
from dowgan.totals import find_totals

ROWS = 900


def meter() -> pd.DataFrame:
    """A flow, what it adds up to, a counter with a gap that stands at the end, and a level that also falls."""
    rng = np.random.default_rng(0)
    flow = np.zeros(ROWS)
    for t in range(1, ROWS):
        flow[t] = 0.9 * flow[t - 1] + rng.standard_normal()
    flow = np.maximum(5 + flow, 0).round(2)
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=ROWS, freq="10min"), "flow": flow})
    frame["total"] = (1_000 + flow.cumsum()).round(2)
    pieces = rng.poisson(3, ROWS)
    pieces[-40:] = 0
    frame["pieces"] = pieces.cumsum().astype(float)
    frame.loc[100:120, "pieces"] = np.nan
    frame["level"] = rng.standard_normal(ROWS).cumsum().round(2)
    return frame


def test_totals_rise_in_all_verbs(tmp_path: Path) -> None:
    frame = meter()
    dowgan.Synthesizer().fit(frame).save(tmp_path / "model.dowgan")
    model = dowgan.load(tmp_path / "model.dowgan")
    names = [model.schema.channels[place].name for place in model.model_.totals.columns]
    assert names == ["total", "pieces"]
    made, finer, later = model.generate(), model.densify(frame, factor=3), model.extend(steps=50, paths=60)
    for name in names:
        for table in (made, finer, later.median):
            assert (table[name].diff().dropna() >= 0).all()
        assert made[name].iloc[0] == frame[name].iloc[0]
        gained, real = (table[name].iloc[-1] - table[name].iloc[0] for table in (made, frame))
        assert abs(gained / real - 1) < 0.2
        known = frame[name].notna().to_numpy()
        assert (finer[name].iloc[::3].to_numpy()[known] == frame[name].to_numpy()[known]).all()
        path = later.paths.groupby("path")[name]
        assert (path.diff().dropna() >= 0).all()
        assert (path.first() >= frame[name].iloc[-1]).all()
    assert later.median["total"].iloc[-1] > frame["total"].iloc[-1] + 50
    assert (made["level"].diff().dropna() < 0).any()


def test_bands_of_a_densified_total_hold_the_truth() -> None:
    frame = meter()
    model = dowgan.Synthesizer("prior", {"calibrated": False}).fit(frame.iloc[:600])
    table = dowgan.table.read(frame.iloc[600:841:4], schema=model.schema)
    ((_, middle, paths),) = model.fill(table, 4, paths=60)
    total, truth = 1, frame["total"].to_numpy()[600:841]
    low, high = np.quantile(paths[:, :, total], [0.05, 0.95], axis=0)
    hidden = np.arange(len(truth)) % 4 != 0
    assert 0.8 < np.mean((low <= truth + 0.01) & (truth - 0.01 <= high), where=hidden) < 0.99
    for path in (middle, *paths):
        assert (np.diff(path[:, total]) >= 0).all()
        assert (path[::4, total] == truth[::4]).all()


def test_a_total_that_is_given_is_followed() -> None:
    model = dowgan.Synthesizer("prior").fit(meter())
    given = pd.DataFrame({"total": 2_000 + np.arange(60) * 9.0})
    made = model.generate(given=given)
    assert (made["total"] == given["total"]).all()
    assert made["flow"].mean() > 5.5  # as much as the total asks for


def restarting() -> pd.DataFrame:
    """A day's energy, which begins again at midnight, and a meter of four digits, hour by hour."""
    rng = np.random.default_rng(1)
    times = pd.date_range("2024-01-01", periods=24 * 40, freq="h")
    rate = np.maximum(0.2, 5 + 4 * np.sin(2 * np.pi * (times.hour - 8) / 24) + rng.normal(0, 1, len(times)))
    rate = np.asarray(rate)
    today = pd.Series(rate).groupby(times.date).cumsum().round(1)
    frame = pd.DataFrame({"time": times, "today": today, "meter": ((rate * 30).cumsum() % 10_000).astype(int)})
    frame.loc[200:203, ["today", "meter"]] = np.nan
    return frame.assign(meter=frame["meter"].astype("Int64"))


def test_totals_that_begin_again_do_so_when_they_did(tmp_path: Path) -> None:
    frame = restarting()
    dowgan.Synthesizer("prior").fit(frame).save(tmp_path / "model.dowgan")
    model = dowgan.load(tmp_path / "model.dowgan")
    assert [again.words() for again in model.model_.totals.again] == [
        "begins again every 24 rows",
        "begins again at 0 behind 10,000",
    ]
    given = frame[::3].reset_index(drop=True)
    finer = model.densify(given, factor=3)
    known = given["today"].notna().to_numpy()
    assert (finer["today"].to_numpy()[::3][known] == given["today"].to_numpy()[known]).all()
    assert (finer["today"] - frame["today"][: len(finer)]).abs().max() < 12
    for table in (
        model.generate(),
        model.generate(start="2024-05-05 07:00", rows=300),
        finer,
        model.extend(steps=60).median,
    ):
        falls = table["today"].diff() < 0
        assert (falls == (table["time"].dt.hour == 0)).iloc[1:].all()
        wraps = table["meter"].astype(float).diff()
        assert (wraps[wraps < 0] < -9_000).all()
        assert table["meter"].between(0, 9_999).all()
    assert model.extend(steps=24).median["today"].iloc[0] < 5


def test_a_count_of_each_shift_begins_again_at_its_hours() -> None:
    rng = np.random.default_rng(2)
    times = pd.date_range("2024-01-01 03:00", periods=24 * 30, freq="h")
    made = rng.poisson(100, len(times))
    shift = ((times.hour - 6) // 8).to_numpy() + 3 * times.dayofyear.to_numpy()
    frame = pd.DataFrame({"time": times, "count": pd.Series(made).groupby(shift).cumsum()})
    model = dowgan.Synthesizer("prior").fit(frame)
    assert model.model_.totals.again[0].words() == "begins again 3 times every 24 rows"
    finer = model.densify(frame[::2].reset_index(drop=True), factor=2)
    for table in (model.generate(), finer, model.extend(steps=30).median):
        fell = table["time"][table["count"].diff() < 0].dt.hour
        assert set(fell) == {6, 14, 22}


def test_a_saw_is_no_total() -> None:
    column, rows = Column("x", "value", "float", dtype="float64"), np.arange(300.0)
    for values in (rows % 37, np.minimum(rows % 48, 24) * 1.5, np.where(rows % 24 == 5, 40.0, rows % 24)):
        assert find_totals([column], [Run((), 0, 0, values[:, None])], (24,)).columns == ()


def test_what_is_no_total() -> None:
    column, rng = Column("x", "value", "float", "float64"), np.random.default_rng(1)
    rising = np.sort(rng.random(200))[:, None]
    ramps = {
        "falls once": np.concatenate([rising, rising[:1]]),
        "one step": np.repeat([0.0, 1.0], 100)[:, None] + 1e-9 * np.arange(200)[:, None],
        "few rows": rising[:20],
    }
    for name, values in ramps.items():
        assert find_totals([column], [Run((), 0, 0, values)]).columns == (), name
    assert find_totals([column], [Run((), 0, 0, rising)]).columns == (0,)


def test_fewer_rows_of_a_total_are_no_drift() -> None:
    rng = np.random.default_rng(0)
    flow = 20 + 2 * np.sin(np.arange(2_000) / 20) + rng.normal(0, 0.3, 2_000)
    frame = pd.DataFrame({"flow": flow.round(2), "meter": 1_000 + flow.cumsum().round(1)})
    found = dowgan.compare(frame.head(1_400), frame.tail(600).assign(meter=lambda f: f["meter"] - 28_000))
    assert [str(sentence) for sentence in found.verdict if sentence.tag == "meter" and sentence.mark == "bad"] == []
    emptied = frame.tail(600).assign(meter=frame["meter"].tail(600)[::-1].to_numpy())
    assert any(s.tag == "meter" and s.mark == "bad" for s in dowgan.compare(frame.head(1_400), emptied).verdict)


def test_a_total_that_stands_at_the_end_bounds_no_other_rows() -> None:
    frame = meter()[["flow", "pieces"]].interpolate()
    later = frame.assign(pieces=frame["pieces"] + 500)
    broken = [s for s in dowgan.compare(frame, later).verdict if s.tag == "pieces" and s.mark == "bad"]
    assert [str(sentence) for sentence in broken] == []


def test_states_that_the_rises_of_a_total_tell_are_those_of_the_table() -> None:
    """A battery's charge rises in one step of a cycle and rests in the others; each step is drawn, and extended."""
    rng, parts = np.random.default_rng(5), []
    for cycle in range(1, 13):
        charge, rest, discharge = (int(n) for n in rng.integers((24, 6, 24), (30, 10, 30)))
        step = np.repeat(["CHARGE", "REST", "DISCHARGE", "REST2"], [charge, rest, discharge, rest])
        current = np.select([step == "CHARGE", step == "DISCHARGE"], [1.5, -2.0]) + rng.normal(0, 0.002, len(step))
        own = {"cycle": cycle, "step": np.where(step == "REST2", "REST", step), "current": current.round(3)}
        total = np.cumsum(np.maximum(np.where(step == "CHARGE", current, 0), 0) / 30).round(3)
        parts.append(pd.DataFrame(own | {"charged": total}))
    table = pd.concat(parts, ignore_index=True)
    model = dowgan.Synthesizer("prior", runs=["cycle"]).fit(table)

    def order(frame: pd.DataFrame) -> set[str]:
        return set(frame.groupby("cycle")["step"].agg(lambda s: ">".join(s[s != s.shift()])))

    made = model.generate(runs=12)
    assert order(made) == order(table) == {"CHARGE>REST>DISCHARGE>REST"}
    assert made["current"][made["step"] == "REST"].abs().max() < 0.1
    assert model.extend(steps=5, paths=4).median["charged"].notna().all()


def test_meters_add_up_in_all_verbs() -> None:
    """Two meters and that of the whole; and memory of which one part never shrinks."""
    rng, rows = np.random.default_rng(0), 900
    a = (5 + 2 * np.sin(np.arange(rows) / 24 * 2 * np.pi) + rng.normal(0, 0.5, rows)).clip(0).round(1)
    b = (3 + rng.normal(0, 0.4, rows)).clip(0).round(1)
    meters = pd.DataFrame({"A": 1_000 + a.cumsum().round(1), "B": 500 + b.cumsum().round(1)})
    meters["all"] = (meters["A"] + meters["B"] + 20).round(1)
    used = (20 + rng.normal(0, 0.3, rows).cumsum().clip(-10, 10)).round(2)
    cached = np.minimum(5 + rng.exponential(0.01, rows).cumsum(), 20).round(2)
    memory = pd.DataFrame({"used": used, "cached": cached, "free": (64 - used - cached).round(2)})
    for frame, off in (
        (meters, lambda x: x["all"] - x["A"] - x["B"] - 20),
        (memory, lambda x: x["used"] + x["cached"] + x["free"] - 64),
    ):
        model = dowgan.Synthesizer("prior", {"calibrated": False}).fit(frame)
        later = model.extend(frame, steps=50, paths=3)
        finer = model.densify(frame.iloc[::4].reset_index(drop=True), factor=4)
        for made in (model.generate(), later.median, later.paths, finer):
            assert off(made).abs().max() < 1e-9
        pd.testing.assert_frame_equal(finer.iloc[::4].reset_index(drop=True), frame.iloc[::4].reset_index(drop=True))
        whole = model.generate(rows=100)
        assert (whole[model.schema.channels[1].name].diff().dropna() >= 0).all()


def test_a_price_list_that_rises_now_and_then_never_falls() -> None:
    """Thirteen steps in three years; until here a level between settings, which fell as often as it rose."""
    rng = np.random.default_rng(7)
    index = 100 + np.cumsum(np.where(np.arange(900) % 70 == 69, np.round(rng.uniform(0.4, 2.2, 900), 1), 0.0))
    frame = pd.DataFrame({"day": pd.date_range("2021-01-01", periods=900), "index": index.round(1)})
    frame["sold"] = rng.poisson(400, 900)
    model = dowgan.Synthesizer().fit(frame)
    made = model.generate()["index"].diff().dropna()
    assert (made >= 0).all()
    assert 3 <= (made > 0).sum() <= 40
    later = model.extend(steps=60).median["index"]
    assert later.iloc[0] >= frame["index"].iloc[-1]
    assert later.is_monotonic_increasing
