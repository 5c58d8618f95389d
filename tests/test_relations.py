"""Rules between columns: found where they always hold, kept in what is made, what is given left alone."""

from dataclasses import replace

import numpy as np
import pandas as pd

import dowgan
from dowgan.relations import Relations, find_relations
from dowgan.table.schema import Column

RULES = Relations(below=((0, 1), (1, 2)))


def prices(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """A wandering price with its low and high, and a copy of it with a hole."""
    rng = np.random.default_rng(seed)
    price = (50 + rng.standard_normal(rows).cumsum()).round(2)
    low, high = (price + sign * rng.exponential(0.5, rows) for sign in (-1, 1))
    frame = pd.DataFrame({"price": price, "low": low.round(2), "high": high.round(2), "again": price})
    frame["volume"] = rng.integers(100, 200, rows)
    frame.loc[40:44, "again"] = np.nan
    return frame


def columns(frame: pd.DataFrame) -> list[Column]:
    return [Column(name, "value", "float", "float64", decimals=2) for name in frame]


def test_rules_are_found_where_they_hold_by_more_than_chance() -> None:
    frame = prices()
    found = find_relations(columns(frame), frame.to_numpy(float))
    assert found == Relations(same=((3, 0),), below=((1, 0), (0, 2)))
    frame["far"] = frame["high"] + 1000  # never below, but neither would it be by chance
    assert replace(find_relations(columns(frame), frame.to_numpy(float)), formulas=()) == found


def test_columns_of_unlike_units_are_not_put_in_order() -> None:
    frame = prices()
    units = ["", "EUR", "kg", "", ""]
    found = find_relations(columns(frame), frame.to_numpy(float), units)
    assert found.below == ((1, 0), (0, 2))  # of one of the two no unit is known
    assert find_relations(columns(frame), frame.to_numpy(float), ["t", "EUR", "kg", "", ""]).below == ()


def balances(rows: int = 400) -> pd.DataFrame:
    """Two flows that make up a third, three fractions that make up one, and a pump that stands or delivers."""
    rng = np.random.default_rng(4)
    wander = np.abs(rng.standard_normal((rows, 5)).cumsum(axis=0)) + 5
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=rows, freq="h")})
    frame["a"], frame["b"] = wander[:, 0].round(1), wander[:, 1].round(1)
    frame["out"] = (frame["a"] + frame["b"]).round(1)
    share = (wander[:, 2:4] / wander[:, 2:].sum(axis=1, keepdims=True)).round(3)
    frame["x"], frame["y"], frame["z"] = share[:, 0], share[:, 1], (1 - share.sum(axis=1)).round(3)
    frame["pump"] = np.where(np.repeat(rng.random(rows // 20) < 0.5, 20), (20 + rng.random(rows)).round(2), 0.0)
    return frame


def off(frame: pd.DataFrame) -> float:
    """By how much the rows of `balances` do not add up at most."""
    return max(
        (frame["a"] + frame["b"] - frame["out"]).abs().max(), (frame[["x", "y", "z"]].sum(axis=1) - 1).abs().max()
    )


def test_sums_and_empty_ranges_are_kept_in_all_verbs() -> None:
    frame = balances()
    model = dowgan.Synthesizer("prior").fit(frame)
    assert model.model_.notes[-3:] == (
        "'out' = 'a' + 'b', and is kept so",
        "'x' + 'y' + 'z' = 1, and is kept so",
        "'pump' is never between 0 and 20, and is kept so",
    )
    made, finer, later = model.generate(rows=900), model.densify(frame, factor=3), model.extend(steps=30)
    for table in (made, finer, later.median, later.paths):
        assert off(table) < 1e-9
        assert not table["pump"].between(0.001, 19.999).any()
    assert finer.iloc[::3].reset_index(drop=True).equals(frame)
    assert 0.3 < (made["pump"] == 0).mean() / (frame["pump"] == 0).mean() < 1.7


def test_parts_follow_a_total_that_is_given() -> None:
    model = dowgan.Synthesizer("prior").fit(balances())
    given = pd.DataFrame({"out": [30.0] * 40})
    made = model.generate(given=given)
    assert (made["out"] == 30).all()
    assert off(made) < 1e-9


def test_one_row_that_breaks_a_rule_is_enough() -> None:
    frame = prices()
    frame.loc[7, "low"] = frame.loc[7, "price"] + 0.01
    frame.loc[9, "again"] = frame.loc[9, "price"] + 0.01
    found = find_relations(columns(frame), frame.to_numpy(float))
    assert found.same == ()
    assert not {(1, 0), (3, 0)} & set(found.below)
    assert {(0, 3), (3, 2)} <= set(found.below)  # and so price is never above high


def test_few_rows_and_other_decimals_make_no_rule() -> None:
    frame = prices(40)
    assert find_relations(columns(frame), frame.to_numpy(float)) == Relations()
    frame = prices()
    other = [replace(c, decimals=3) if c.name == "low" else c for c in columns(frame)]
    assert (1, 0) not in find_relations(other, frame.to_numpy(float)).below


def phases(rows: int = 400) -> pd.DataFrame:
    """Three currents that add up to nothing."""
    noise, turn = np.random.default_rng(3).standard_normal((rows, 2)), np.arange(rows) / 7
    frame = pd.DataFrame({"a": 10 * np.sin(turn) + noise[:, 0], "b": 10 * np.sin(turn + 2.1) + noise[:, 1]}).round(2)
    return frame.assign(c=(-frame["a"] - frame["b"]).round(2))


def test_parts_of_a_sum_may_be_negative() -> None:
    frame = phases()
    model = dowgan.Synthesizer("prior").fit(frame)
    assert model.model_.notes[-1] == "'a' + 'b' + 'c' = 0, and is kept so"
    for made in (model.generate(), model.densify(frame, factor=2)):
        assert made.sum(axis=1).abs().max() < 1e-9
        assert (abs(made.std() / frame.std() - 1) < 0.1).all()


def test_a_sum_that_given_rows_break_is_not_kept_there() -> None:
    frame = balances()[["a", "b", "out"]]
    model = dowgan.Synthesizer("prior", ["calibrated=false"]).fit(frame)
    other = frame.iloc[-40:].reset_index(drop=True).assign(out=lambda f: (f["out"] + 40).round(1))
    finer = model.densify(other, factor=2)
    middle = (other["out"].to_numpy()[1:] + other["out"].to_numpy()[:-1]) / 2
    assert np.abs(finer["out"].to_numpy()[1::2] - middle).max() < 10
    later = model.extend(other, steps=5).median["out"]
    assert later.between(0, 2 * other["out"].max()).all()


def test_what_is_given_stays_and_the_rest_follows() -> None:
    free = np.full((1, 3), np.nan)
    assert RULES.keep(np.array([[3.0, 1.0, 2.0]]), free).tolist() == [[2.0, 2.0, 2.0]]
    assert RULES.keep(np.array([[3.0, 1.0, 2.0]]), np.array([[np.nan, 1.0, np.nan]])).tolist() == [[1.0, 1.0, 2.0]]
    assert RULES.keep(np.array([[3.0, 4.0, 9.0]]), np.array([[np.nan, np.nan, 2.0]])).tolist() == [[2.0, 2.0, 2.0]]
    assert RULES.keep(np.array([[3.0, 1.0, 2.0]]), np.array([[5.0, np.nan, 2.0]]))[0, [0, 2]].tolist() == [5.0, 2.0]
    equal = Relations(same=((1, 0),))
    assert equal.keep(np.array([[3.0, 1.0]]), np.array([[np.nan, 7.0]])).tolist() == [[7.0, 7.0]]


def test_ends_are_columns_that_others_never_cross() -> None:
    bars = Relations(below=((2, 0), (2, 3), (0, 1), (3, 1)))
    assert [(e.place, e.others, e.sign) for e in bars.ends()] == [(1, (0, 3), 1.0), (2, (0, 3), -1.0)]
    assert [(e.place, e.others) for e in Relations(below=((0, 1),)).ends()] == [(1, (0,))]
    assert bars.ends()[1].nearest(np.array([[4.0, 9.0, 1.0, 3.0]])).tolist() == [3.0]


def test_distances_are_as_large_as_in_the_table_and_ties_as_rare() -> None:
    frame = prices(600)
    made = dowgan.Synthesizer().fit(frame).generate(rows=3000)
    for low, high in (("low", "price"), ("price", "high")):
        own, wanted = made[high] - made[low], frame[high] - frame[low]
        assert abs(own.mean() / wanted.mean() - 1) < 0.15
        assert (own < 0.005).mean() < 0.05


def indices(rows: int) -> pd.DataFrame:
    """Two that wander, one above the other in the first half and below it in the second."""
    rng = np.random.default_rng(2)
    wander = rng.standard_normal((rows, 2)).cumsum(axis=0) * 0.2
    over = np.linspace(40, -40, rows)
    rise = np.linspace(0, 60, rows)
    return pd.DataFrame(
        np.round(100 + rise[:, None] + wander + np.stack([0 * over, over], axis=1), 2), columns=["a", "b"]
    )


def test_one_that_never_came_near_the_other_may_cross_it_later() -> None:
    early = indices(1_200).iloc[:500]
    assert (early["a"] < early["b"]).all()
    assert not find_relations(columns(early), early.to_numpy(float)).below


def test_a_rule_that_given_rows_break_is_not_kept_there() -> None:
    """Else all that lies between given rows would be moved to the middle of the two."""
    frame = prices(400)[["low", "high"]]
    model = dowgan.Synthesizer("prior", ["calibrated=false"]).fit(frame)
    assert model.model_.relations.below == ((0, 1),)
    other = frame.iloc[:40].rename(columns={"low": "high", "high": "low"})[["low", "high"]]
    finer = model.densify(other, factor=2)
    between = (finer["low"] - finer["high"]).iloc[1::2]
    assert (between > 0.2).mean() > 0.8
    later = model.extend(other, steps=3).median
    assert later.notna().all().all()


def test_the_three_verbs_keep_the_rules() -> None:
    frame = prices()
    model = dowgan.Synthesizer("prior").fit(frame)
    assert any("'low' is never above 'price'" in note for note in model.model_.notes)
    made = [
        model.generate(rows=2000),
        model.densify(frame, factor=4),
        model.extend(steps=40, paths=20).median,
        model.generate(given=frame[["low"]].assign(**{c: np.nan for c in frame if c != "low"})),
    ]
    for table in made:
        assert (table["low"] <= table["price"]).all()
        assert (table["price"] <= table["high"]).all()
        assert (table["price"] == table["again"]).all()
    assert made[3]["low"].equals(frame["low"])
