"""A second table read as the model's table."""

import numpy as np
import pandas as pd
import pytest

from dowgan.errors import DataError
from dowgan.table import check, describe, read, to_frame

RNG = np.random.default_rng(0)


def plant(rows: int = 60, start: str = "2020", freq: str = "h", **columns: object) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "t": pd.date_range(start, periods=rows, freq=freq),
            "flow": RNG.gamma(2.0, 3.0, rows).round(2),
            "count": RNG.integers(0, 30, rows),
            "grade": np.resize(["A", "B", "B", "C"], rows).astype(object),
            "fixed": 7.5,
        }
    )
    return frame.assign(**columns)


MODEL = read(plant(), conditions=["grade"]).schema


def test_the_same_kind_of_table() -> None:
    frame = plant(30, "2021")
    table = read(frame, schema=MODEL)
    assert table.schema.condition_names == ("grade",)
    pd.testing.assert_frame_equal(to_frame(table.schema, table.runs), frame)


def test_known_values_are_never_changed() -> None:
    frame = plant(9, "2021", flow=[-1.0, 2.3456, *range(7)], count=[*np.arange(8.0), 2.5], grade=["B"] * 9)
    table = read(frame, schema=MODEL)
    back = to_frame(table.schema, table.runs)
    check(back, table.schema, rows=9)
    pd.testing.assert_frame_equal(back, frame)
    assert table.runs[0].values[0, 2] == 1.0  # B is the model's second grade


def test_columns_in_another_order_and_one_too_many() -> None:
    frame = plant()[["grade", "t", "fixed", "count", "flow"]].assign(more=1.0)
    table = read(frame, schema=MODEL)
    assert [c.name for c in table.schema.columns] == ["t", "flow", "count", "grade", "fixed"]
    assert table.notes == ("columns that the model does not know are left out: more",)


def test_short_tables() -> None:
    assert read(plant(1), schema=MODEL).schema.clock.step == "1h"
    assert read(plant(2), schema=MODEL).rows == 2


def test_a_coarser_table_for_densify() -> None:
    table = read(plant(20, freq="4h"), schema=MODEL)
    assert table.schema.clock.step == "4h"
    monthly = read(pd.DataFrame({"t": pd.date_range("2020", periods=40, freq="MS"), "x": RNG.normal(size=40)})).schema
    quarters = pd.DataFrame({"t": pd.date_range("2020", periods=4, freq="QS"), "x": RNG.normal(size=4)})
    assert read(quarters, schema=monthly).schema.clock.step == "QS"


def test_some_business_days_for_densify() -> None:
    days = pd.DataFrame({"t": pd.bdate_range("2020", periods=90), "x": RNG.normal(size=90)})
    schema = read(days).schema
    for every in (3, 4, 5, 10):
        some = read(days.iloc[::every], schema=schema)
        clock = some.schema.clock.finer(every)
        assert some.schema.clock.step == f"{every}B"
        assert clock.step == schema.clock.step == "B"
        fine = clock.at(some.runs[0].start, np.arange(len(days) // every * every - every))
        assert list(fine) == days["t"].iloc[: len(fine)].tolist()
    sundays = pd.DataFrame({"t": pd.date_range("2020-01-05", periods=9, freq="W"), "x": RNG.normal(size=9)})
    with pytest.raises(DataError, match="The step of the table is W-SUN, and the model's is B"):
        read(sundays, schema=schema)


def test_index_in_place_of_a_column() -> None:
    table = read(plant().set_index("t"), schema=MODEL)
    assert table.schema.clock.in_index
    assert [c.name for c in table.schema.columns] == ["flow", "count", "grade", "fixed"]


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (plant().drop(columns="count"), "The frame lacks column 'count', which the model knows: add it."),
        (
            plant(grade="D"),
            "Column 'grade' holds 'D', which the model does not know: it knows A, B, C.",
        ),
        (
            plant(fixed=np.arange(60)),
            "Column 'fixed' was constant (7.5) when the model was fitted, and varies here: fit a new model on a table "
            "in which it varies.",
        ),
        (
            plant(flow=list("ab") * 30),
            "Column 'flow' holds text here and numbers in the model: make it numbers.",
        ),
        (plant(grade=1.5), "Column 'grade' holds numbers here and text in the model: make it text."),
        (
            plant(freq="90min"),
            "The step of the table is 90min, and the model's is 1h: it must be the same or a multiple.",
        ),
        (
            plant(freq="10min"),
            "The step of the table is 10min, and the model's is 1h: it must be the same or a multiple.",
        ),
        (
            plant(t=np.arange(60)),
            "The step of the table is 1, and the model's is 1h: it must be the same or a multiple.",
        ),
    ],
)
def test_tables_that_do_not_fit(frame: pd.DataFrame, error: str) -> None:
    with pytest.raises(DataError) as raised:
        read(frame, schema=MODEL)
    assert str(raised.value) == error


def test_what_was_understood() -> None:
    said = describe(read(plant(), conditions=["grade"]))
    assert said.clock == "'t', step 1h, 2020-01-01 to 2020-01-03 11:00:00"
    assert said.size == "60 rows, 3 channels"
    assert [(line.name, line.kind, line.rules) for line in said.lines] == [
        ("t", "time", ""),
        ("flow", "number", "at least 0; 2 decimals"),
        ("count", "whole number", "at least 0"),
        ("grade", "condition, category", "one of A, B, C"),
        ("fixed", "constant", "given back as it is"),
    ]
