"""What others tell exactly: found where it holds in every row, worked out again in all verbs, and missed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan.formula import Formula
from dowgan.formulas import find_formulas
from dowgan.table import read
from dowgan.table.schema import Column

ROWS = 400


def wandering(rng: np.random.Generator, rows: int = ROWS) -> np.ndarray:
    """A first-order autoregression of spread 1."""
    out = np.zeros(rows)
    for row in range(1, rows):
        out[row] = 0.95 * out[row - 1] + np.sqrt(1 - 0.95**2) * rng.standard_normal()
    return out


def accounts(rows: int = ROWS) -> pd.DataFrame:
    """Units that are sold at a price, a temperature in two scales, a yield, and a power worked out unrounded."""
    rng = np.random.default_rng(3)
    x = np.stack([wandering(rng, rows) for _ in range(7)])
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=rows, freq="h")})
    frame["units"], frame["price"] = np.maximum(40 + 8 * x[0], 1).round().astype(int), (5 + 0.4 * x[1]).round(2)
    frame["revenue"] = (frame["units"] * frame["price"]).round(2)
    frame["celsius"] = (80 + 5 * x[2]).round(1)
    frame["fahrenheit"] = (1.8 * frame["celsius"] + 32).round(1)
    frame["feed"] = (30 + 4 * x[3]).round(2)
    frame["product"] = (frame["feed"] * (0.8 + 0.05 * x[4])).round(2)
    frame["yield"] = (100 * frame["product"] / frame["feed"]).round(1)
    volts, amperes = 230 + 2 * x[5], np.abs(10 + 2 * x[6])
    frame["V"], frame["I"], frame["kW"] = volts.round(1), amperes.round(2), (volts * amperes / 1000).round(3)
    return frame


def off(frame: pd.DataFrame) -> pd.DataFrame:
    """How far each row is from the four equations, in halves of the last decimal."""
    power = frame["V"] * frame["I"] / 1000
    return pd.DataFrame(
        {
            "revenue": (frame["revenue"] - frame["units"] * frame["price"]).abs() / 0.005,
            "fahrenheit": (frame["fahrenheit"] - 1.8 * frame["celsius"] - 32).abs() / 0.05,
            "yield": (frame["yield"] - 100 * frame["product"] / frame["feed"]).abs() / 0.05,
            "kW": (frame["kW"] - power).abs() / (0.0005 + power * (0.05 / frame["V"] + 0.005 / frame["I"])),
        }
    )


def columns(frame: pd.DataFrame) -> list[Column]:
    return [Column(name, "value", "float", "float64", decimals=2) for name in frame]


@pytest.fixture(scope="module")
def model() -> dowgan.Synthesizer:
    return dowgan.Synthesizer("prior").fit(accounts())


def test_the_equations_of_a_table_are_found_and_said(model: dowgan.Synthesizer) -> None:
    said = "\n".join(model.model_.rules)
    for equation in (
        "'revenue' = 'units' x 'price'",
        "'fahrenheit' = 1.8 x 'celsius' + 32",
        "'yield' = 100 x 'product' / 'feed'",
        "'kW' = 0.001 x 'V' x 'I'",
    ):
        assert equation in said


def test_they_hold_in_all_verbs(model: dowgan.Synthesizer) -> None:
    made = model.generate(rows=1_000, random_state=1)
    assert (off(made) < 1.03).all(axis=None)
    later = model.extend(steps=30, paths=20, random_state=1)
    assert (off(later.paths) < 1.03).all(axis=None)
    assert (off(later.median) < 1.03).all(axis=None)
    frame = accounts()
    coarse = frame[::4].reset_index(drop=True)
    fine = model.densify(coarse, factor=4)
    assert (off(fine) < 1.03).all(axis=None)
    pd.testing.assert_frame_equal(fine[::4].reset_index(drop=True), coarse)


def test_what_was_told_tells_its_sources_where_it_is_given(model: dowgan.Synthesizer) -> None:
    frame = accounts()[["time", "revenue"]].head(50)
    made = model.generate(rows=50, given=frame, random_state=2)
    np.testing.assert_array_equal(made["revenue"], frame["revenue"])
    assert (made["revenue"] - made["units"] * made["price"]).abs().max() < 0.5 * made["price"].max()  # whole units


def test_a_laboratory_of_few_rows_hides_no_equation() -> None:
    frame = accounts()
    frame["lab"] = np.where(np.arange(ROWS) % 40 == 3, frame["yield"] + 0.3, np.nan)
    table = read(frame)
    names = [column.name for column in table.schema.channels]
    found = find_formulas(table.schema.channels, table.runs[0].values, range(len(names)))
    assert {names[rule.place] for rule in found} == {"revenue", "fahrenheit", "yield", "kW"}


def test_nothing_is_found_by_chance() -> None:
    rng = np.random.default_rng(5)
    x = np.stack([wandering(rng) for _ in range(6)], axis=1)
    coarse = np.column_stack([np.round(x[:, :3]), np.round(x[:, 3:], 1)])
    for values in (x, coarse, np.repeat(coarse[::50], 50, axis=0)):
        names = pd.DataFrame(values, columns=list("abcdef"))
        assert find_formulas(columns(names), values, range(6)) == ()
    near = np.column_stack([x[:, 0], x[:, 1], x[:, 0] * x[:, 1] + 0.1 * rng.standard_normal(ROWS)]).round(2)
    assert find_formulas(columns(pd.DataFrame(near, columns=list("abc"))), near, range(3)) == ()


def test_chains_are_in_order_and_never_in_a_circle() -> None:
    rng = np.random.default_rng(6)
    units, price, share = (np.exp(0.3 * wandering(rng)) for _ in range(3))
    tax, net = 0.2 * units * price, 0.8 * units * price * share
    values = np.column_stack([tax, net, units, price, share, units * price])
    frame = pd.DataFrame(values, columns=["tax", "net", "units", "price", "share", "gross"])
    found = find_formulas([Column(n, "value", "float", "float64") for n in frame], values, range(6))
    assert len(found) == 3
    told = set[int]()
    for rule in reversed(found):
        told.add(rule.place)
    seen = set(range(6)) - told
    for rule in found:
        assert set(rule.sources) <= seen
        seen.add(rule.place)


def test_columns_that_are_never_above_zero_together_are_no_product() -> None:
    rng = np.random.default_rng(7)
    one = np.arange(ROWS) // 20 % 2 == 0
    x = np.exp(0.3 * np.stack([wandering(rng) for _ in range(3)], axis=1))
    values = np.column_stack([np.where(one, x[:, 0], 0.0), np.where(one, 0.0, x[:, 1]), x[:, 2]])
    assert find_formulas(columns(pd.DataFrame(values, columns=list("abc"))), values, range(3)) == ()


def test_a_source_of_few_levels_is_not_solved_for() -> None:
    rule = Formula(2, (0, 1), (1.0, 1.0), 1.0, True, (None,) * 3, (None,) * 3, (False, True), False)
    values, known = np.array([[2.0, 1.0, 12.0]]), np.array([[False, False, True]])
    rule.keep(values, known)
    np.testing.assert_array_equal(values, [[2.0, 6.0, 12.0]])


def test_compare_says_which_equation_is_broken(tmp_path: Path) -> None:
    frame = accounts(1_200)
    frame.head(600).to_csv(tmp_path / "real.csv", index=False)
    late = frame.tail(600).reset_index(drop=True)
    later = dowgan.compare(tmp_path / "real.csv", late)
    assert not any("breaks" in judgement.text for judgement in later.verdict)
    late["revenue"] = (late["revenue"] * (1 + 0.02 * np.random.default_rng(0).standard_normal(600))).round(2)
    found = dowgan.compare(tmp_path / "real.csv", late)
    text = next(j.text for j in found.verdict if j.tag == "revenue")
    assert "breaks the rule that 'revenue' = 'units' x 'price' in" in text
    assert read(tmp_path / "real.csv").rows == 600


def test_sources_are_taken_as_they_are_written_in_steps() -> None:
    """A battery's charge by a clock that ticks every 30 seconds."""
    rng = np.random.default_rng(4)
    seconds = 30 * (60 + 20 * wandering(rng, 900)).round().astype(int)
    frame = pd.DataFrame(
        {"seconds": seconds, "charge": (seconds * 2 / 3600).round(4), "volts": rng.normal(4, 0.1, 900)}
    )
    made = dowgan.Synthesizer("prior", {"calibrated": False}).fit(frame).generate()
    assert (made["seconds"] % 30 == 0).all()
    assert (made["charge"] - made["seconds"] * 2 / 3600).abs().max() < 1e-4


@pytest.mark.parametrize("rows", [150, 400, 599, 929])
def test_a_ratio_is_told_in_the_form_that_tells_the_others(rows: int) -> None:
    """Customers are sales over the mean basket too, rounded; but so the basket would not be sales over customers."""
    rng = np.random.default_rng(4)
    customers = np.round(700 * (1 + 0.3 * np.sin(np.arange(929) / 50)) + rng.normal(0, 60, 929))
    sales = np.round(customers * (24 + rng.normal(0, 1.5, 929)), 2)
    basket = np.round(sales / customers, 2)
    frame = pd.DataFrame({"sales": sales, "customers": customers.astype(int), "basket": basket})[:rows]
    table = read(frame)
    columns, values = table.schema.channels, table.runs[0].values
    (found,) = find_formulas(columns, values, range(3))
    assert found.words([c.name for c in columns]) == "'basket' = 'sales' / 'customers'"


def test_a_percentage_is_told_by_its_counts_and_not_one_of_them_by_it() -> None:
    """Counts that are worked out of a rounded percentage have another one. Few of many: rounding is coarse."""
    rng = np.random.default_rng(2)
    calls = rng.poisson(60, 1_200) + 1
    lost = rng.binomial(calls, rng.beta(0.4, 6, 1_200))
    frame = pd.DataFrame({"calls": calls, "lost": lost, "lost_pct": (100 * lost / calls).round(1)})
    table = read(frame)
    found = find_formulas(table.schema.channels, table.runs[0].values, [0, 1, 2])
    assert [rule.words(list(frame)) for rule in found] == ["'lost_pct' = 100 x 'lost' / 'calls'"]


def test_a_share_is_told_by_its_counts_and_stays_below_one() -> None:
    """Three decimals of some hundred requests tell the hits too; what is made has a ratio of both and no more hits."""
    rng = np.random.default_rng(6)
    requests = rng.poisson(np.exp(5 + 0.6 * wandering(rng, 2_000))) + 1
    hits = rng.binomial(requests, 1 - 0.2 * rng.beta(1, 4, 2_000))
    frame = pd.DataFrame({"requests": requests, "hits": hits, "ratio": (hits / requests).round(3)})
    model = dowgan.Synthesizer("prior", random_state=0).fit(frame)
    assert "'ratio' = 'hits' / 'requests', and is kept so" in model.model_.rules
    made = model.generate(rows=4_000, random_state=1)
    assert (made["hits"] <= made["requests"]).all()
    assert (made["ratio"] - made["hits"] / made["requests"]).abs().max() < 0.00051
