"""A tank's level, a store's goods: what flows add up to."""

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan.stocks import find_stocks
from dowgan.table import read

ROWS = 1_600


def tank() -> pd.DataFrame:
    """A pump empties the tank from 80 on, down to 30; the level is that before the flows of its row."""
    rng, level, pumps, rows = np.random.default_rng(5), 50.0, False, []
    for _ in range(ROWS):
        pumps = level > 80 or (pumps and level > 30)
        inflow = 20 + 4 * np.sin(len(rows) / 40) + rng.normal(0, 0.5)
        outflow = 50 + rng.normal(0, 1) if pumps else 0.0
        rows.append((round(inflow, 1), round(outflow, 1), round(level, 2)))
        level += 0.05 * (rows[-1][0] - rows[-1][1])
    frame = pd.DataFrame(rows, columns=["inflow", "outflow", "level"])
    return frame.assign(time=pd.date_range("2024-03-01", periods=ROWS, freq="10min"))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return tank()


@pytest.fixture(scope="module")
def model(table: pd.DataFrame) -> dowgan.Synthesizer:
    return dowgan.Synthesizer("prior").fit(table[:1_200])


def test_a_level_follows_its_flows_and_stays_where_it_was(table: pd.DataFrame, model: dowgan.Synthesizer) -> None:
    assert "'level' adds up what 'inflow' and 'outflow' let in and out" in model.model_.rules
    made = model.generate(rows=3_000, random_state=1)
    added, net = made["level"].diff(), 0.05 * (made["inflow"] - made["outflow"]).shift(1)
    assert (added - net).abs().quantile(0.95) < 0.05
    assert made["level"].mean() == pytest.approx(table["level"].mean(), abs=4)
    assert made["level"].std() == pytest.approx(table["level"].std(), rel=0.15)
    changes = [(t["outflow"].gt(0).astype(int).diff() != 0).mean() for t in (made, table)]
    assert changes[0] == pytest.approx(changes[1], rel=0.25)


def test_a_pump_starts_where_it_did(table: pd.DataFrame, model: dowgan.Synthesizer) -> None:
    made = model.generate(rows=3_000, random_state=2)
    starts = made["outflow"].gt(0) & ~made["outflow"].gt(0).shift(1, fill_value=True)
    assert made["level"][starts].median() == pytest.approx(80, abs=4)


def test_a_level_tells_between_given_rows_when_its_pump_stopped(table: pd.DataFrame, model: dowgan.Synthesizer) -> None:
    late = table[1_200:1_593].reset_index(drop=True)
    fine = model.densify(late[::4].reset_index(drop=True), factor=4)
    line = pd.DataFrame(
        {c: np.interp(np.arange(393), np.arange(0, 393, 4), late[c][::4]) for c in ("level", "outflow")}
    )
    for column, share in (("level", 0.2), ("outflow", 0.5)):
        errors = [((t[column] - late[column]) ** 2).mean() for t in (fine, line)]
        assert errors[0] < share * errors[1]


def test_a_level_goes_on_by_its_flows(table: pd.DataFrame, model: dowgan.Synthesizer) -> None:
    ahead = model.extend(table[:1_400], steps=60, paths=40)
    paths = ahead.paths.groupby("path")
    first = paths.first()
    now = table.iloc[1_399]
    assert np.allclose(first["level"], now["level"] + 0.05 * (now["inflow"] - now["outflow"]), atol=0.1)
    off = (
        paths["level"].diff()
        - 0.05 * (ahead.paths["inflow"] - ahead.paths["outflow"]).groupby(ahead.paths["path"]).shift()
    )
    assert off.abs().quantile(0.95) < 0.05
    low, high = (paths["level"].nth(range(60)).groupby(ahead.paths["time"]).quantile(q) for q in (0.05, 0.95))
    full = table[:1_400].assign(level=lambda t: t["level"] + 20)  # fuller than it ever was
    assert model.extend(full, steps=3, paths=4).median["level"].iloc[0] == pytest.approx(
        first["level"].iloc[0] + 20, abs=0.1
    )
    true = table["level"][1_400:1_460].to_numpy()
    assert ((true >= low.to_numpy() - 0.5) & (true <= high.to_numpy() + 0.5)).mean() > 0.7


def test_goods_in_a_store_are_counted_exactly() -> None:
    rng = np.random.default_rng(8)
    sold, got, goods = rng.poisson(6, 500), np.zeros(500, dtype=int), np.zeros(500, dtype=int)
    for day in range(500):
        before = goods[day - 1] if day else 60
        sold[day] = min(sold[day], before)
        got[day] = 60 if before < 25 else 0
        goods[day] = before + got[day] - sold[day]
    days = pd.date_range("2023-01-01", periods=500)
    store = pd.DataFrame({"day": days, "sold": sold, "delivered": got, "goods": goods})
    made = dowgan.Synthesizer("prior").fit(store).generate(random_state=3)
    assert made["goods"].dtype == np.int64
    assert made["goods"].between(store["goods"].min() - 8, store["goods"].max() + 8).all()
    assert (made["goods"].diff() == made["delivered"] - made["sold"]).mean() > 0.97
    came = made["delivered"] > 0
    assert made["goods"].shift(1)[came].mean() == pytest.approx(store["goods"].shift(1)[got > 0].mean(), abs=4.5)


def test_nobody_gets_lost_in_a_ward() -> None:
    """Patients come and go in counts of every row; of those that come some are admitted."""
    rng = np.random.default_rng(2)
    came = rng.poisson(6 * (1 + 0.9 * np.sin(np.arange(1_500) * np.pi / 12)))
    left, there, now = np.zeros(1_500, dtype=int), np.zeros(1_500, dtype=int), 48
    for hour in range(1_500):
        left[hour] = rng.binomial(now, 0.12)
        now = there[hour] = now + came[hour] - left[hour]
    ward = pd.DataFrame({"came": came, "left": left, "there": there, "admitted": rng.binomial(came, 0.3)})
    model = dowgan.Synthesizer("prior").fit(ward)
    assert "'there' adds up what 'came' and 'left' let in and out" in model.model_.rules
    made = model.generate(rows=1_500, random_state=1)
    paths = model.extend(ward, steps=200, paths=20).paths
    for rows in (made, paths):
        added = rows["there"].diff() if rows is made else rows.groupby("path")["there"].diff()
        assert (added.isna() | (added == rows["came"] - rows["left"])).mean() > 0.99
        assert (rows["admitted"] <= rows["came"]).all()
        assert rows["came"].mean() == pytest.approx(6, rel=0.2)


def test_few_beds_are_a_stock_too() -> None:
    """From 19 to 30: a count of twelve values is none of codes, and no flow is lost at its ends."""
    rng, now, rows = np.random.default_rng(4), 25, []
    for _ in range(1_500):
        left = rng.binomial(now - 19, 0.05)
        came = min(rng.poisson(0.3), 30 - now + left)
        now += came - left
        rows.append((came, left, now))
    ward = pd.DataFrame(rows, columns=["came", "left", "beds"])
    made = dowgan.Synthesizer("prior", random_state=0).fit(ward).generate(rows=3_000, random_state=1)
    assert (made["beds"].diff().iloc[1:] == (made["came"] - made["left"]).iloc[1:]).all()
    assert made["beds"].between(19, 30).all()


def test_what_is_no_stock() -> None:
    """A heated room loses heat by its own warmth, and two sensors of a level show it by themselves."""
    rng, n = np.random.default_rng(3), 1_500
    heat = 10 + np.repeat(rng.uniform(0, 20, n // 10), 10)
    room = np.zeros(n)
    for row in range(1, n):
        room[row] = room[row - 1] + 0.1 * heat[row - 1] - 0.06 * room[row - 1]
    level = tank()
    twin = level.assign(twin=(level["level"] * 9.81 + rng.normal(0, 0.5, ROWS)).round(2))
    for frame in (pd.DataFrame({"heat": heat, "room": room}), twin):
        table = read(frame.round(3))
        assert find_stocks(table.schema.channels, table.runs, ()) == ()
