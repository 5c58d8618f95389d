"""The shortest tables that are taken: all three verbs work on them."""

import numpy as np
import pandas as pd
import pytest

import dowgan

NOISE = np.random.default_rng(0).standard_normal((600, 2)).round(2)


def works(frame: pd.DataFrame, **options: object) -> None:
    model = dowgan.Synthesizer(**options).fit(frame)  # type: ignore[arg-type]
    assert np.isfinite(model.generate()[["x", "y"]]).all().all()
    finer = model.densify(frame, factor=2)
    assert np.isfinite(finer[["x", "y"]]).all().all()
    assert np.isfinite(model.extend(steps=3, paths=20).median[["x", "y"]]).all().all()


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("rows", [8, 10, 13, 20])
def test_a_few_years(rows: int) -> None:
    frame = pd.DataFrame({"year": 2000 + np.arange(rows), "x": NOISE[:rows, 0].cumsum(), "y": NOISE[:rows, 1]})
    works(frame, time="year")


@pytest.mark.parametrize("rows", [8, 12])
def test_many_short_runs(rows: int) -> None:
    unit, some = np.repeat(np.arange(40), rows), NOISE[: 40 * rows]
    works(pd.DataFrame({"unit": unit, "x": some[:, 0], "y": some[:, 1]}), runs=["unit"])


def test_short_runs_beside_a_long_one() -> None:
    unit = np.repeat(np.arange(8), [5, 5, 5, 5, 5, 5, 5, 40])
    works(pd.DataFrame({"unit": unit, "x": NOISE[:75, 0], "y": NOISE[:75, 1]}), runs=["unit"])


def test_one_column_and_a_window_of_one_row() -> None:
    frame = pd.DataFrame({"x": NOISE[:100, 0].cumsum().round(2)})
    made = dowgan.Synthesizer("dense-gan", {"train.steps": 5}).fit(frame).generate(rows=30)
    assert made["x"].notna().all()


def test_few_rows_of_many_countries_keep_the_steps_of_each() -> None:
    """Populations from a million to a thousand millions grow by a few per cent in each of twelve rows."""
    rng, names = np.random.default_rng(5), [f"{a}{b}" for a in "ABCDEFGH" for b in "abcdefgh"]
    parts = []
    for name in names:
        people = np.exp(rng.normal(16, 1.5) + np.cumsum(rng.normal(0.09, 0.05, 12)))
        parts.append(pd.DataFrame({"country": name, "year": 1950 + 5 * np.arange(12), "people": people.round()}))
        parts[-1]["rate"] = (20 + rng.normal(0, 3, 12)).round(1)
    table = pd.concat(parts, ignore_index=True)
    made = dowgan.Synthesizer("prior", runs=["country"]).fit(table).generate(random_state=1)
    steps = [np.log(frame["people"]).groupby(frame["country"]).diff().std() for frame in (table, made)]
    assert steps[1] < 2 * steps[0]
    assert np.log(made["people"]).std() == pytest.approx(np.log(table["people"]).std(), rel=0.2)
