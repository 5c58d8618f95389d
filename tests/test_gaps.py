"""Missing values, trends, switches and levels: what is made of such tables lies and moves as the tables do."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dowgan
from dowgan.verbs import better_on_a_line, trial_gaps

ROWS = 1_200


def wander(rng: np.random.Generator, memory: float = 0.95) -> np.ndarray:
    out = np.zeros(ROWS)
    for t in range(1, ROWS):
        out[t] = memory * out[t - 1] + rng.standard_normal()
    return out


def hourly(**columns: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"time": pd.date_range("2024-01-01", periods=ROWS, freq="h")} | columns)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_missing_values_do_not_make_a_series_rough(share: float) -> None:
    rng = np.random.default_rng(0)
    whole = wander(rng)
    made = dowgan.Synthesizer("prior").fit(hourly(x=np.where(rng.random(ROWS) < share, np.nan, whole)))
    steps = np.mean([made.generate(random_state=seed)["x"].diff().std() for seed in range(3)])
    assert abs(steps / np.diff(whole).std() - 1) < 0.15


@pytest.mark.parametrize("every", [2, 12])
def test_a_value_that_is_sampled_now_and_then_moves_as_it_does(every: int) -> None:
    rng = np.random.default_rng(4)
    whole = wander(rng)
    frame = hourly(lab=np.where(np.arange(ROWS) % every, np.nan, whole), x=wander(rng, 0.8))
    model = dowgan.Synthesizer("prior").fit(frame)
    spread, steps = np.std(whole[::every]), np.std(np.diff(whole[::every]))
    made = [model.generate(random_state=seed)["lab"] for seed in range(3)]
    assert abs(np.mean([m.std() for m in made]) / spread - 1) < 0.15
    assert abs(np.mean([m.diff(every).std() for m in made]) / steps - 1) < 0.25
    paths = model.extend(steps=240, paths=20).paths["lab"]
    assert paths.std() > 0.5 * spread


def test_what_lies_on_a_trend_moves_alike_all_along() -> None:
    rng = np.random.default_rng(1)
    frame = hourly(y=100 + 0.2 * np.arange(ROWS) + wander(rng, 0.7))
    made = dowgan.Synthesizer("prior").fit(frame).generate()
    for table in (frame, made):
        steps = [np.diff(part).std() for part in np.array_split(table["y"].to_numpy(), 6)]
        assert max(steps) < 1.4 * min(steps)
    assert abs(made["y"].iloc[-50:].mean() - frame["y"].iloc[-50:].mean()) < 10


def test_a_growth_curve_is_generated_as_one() -> None:
    rng = np.random.default_rng(5)
    grown = 100 * np.exp(1.5 * np.linspace(0, 1, 200)) + np.cumsum(rng.standard_normal(200))
    frame = pd.DataFrame({"time": pd.date_range("1970-01-01", periods=200, freq="MS"), "m1": grown.round(1)})
    made = dowgan.Synthesizer(random_state=0).fit(frame).generate()["m1"]
    assert np.corrcoef(made, frame["m1"])[0, 1] > 0.9
    assert made.diff().std() < 2 * frame["m1"].diff().std()


def test_a_trend_that_has_ended_does_not_draw_what_is_filled_in() -> None:
    rng = np.random.default_rng(6)
    whole = wander(rng, 0.8) - 0.1 * np.minimum(np.arange(ROWS), 60)
    model = dowgan.Synthesizer("prior", {"calibrated": False}).fit(hourly(x=whole).iloc[:60])
    late = hourly(x=whole).iloc[60:161]
    fine = model.densify(late.iloc[::4], factor=4)["x"].to_numpy()
    plain = np.interp(np.arange(len(fine)), np.arange(0, len(fine), 4), late["x"].iloc[::4])
    assert np.mean((fine - late["x"]) ** 2) < 1.05 * np.mean((plain - late["x"]) ** 2)


def test_densify_does_not_guess_when_a_setpoint_was_switched() -> None:
    ratios = []
    for seed in (2, 3, 4):
        rng = np.random.default_rng(seed)
        setpoint = np.repeat(rng.permutation(np.tile([60.0, 75.0, 90.0], 7)), ROWS // 20)[:ROWS]
        level = np.full(ROWS, setpoint[0])
        for t in range(1, ROWS):
            level[t] = level[t - 1] + (setpoint[t] - level[t - 1]) / 15
        frame = hourly(sp=setpoint, pv=(level + 0.2 * rng.standard_normal(ROWS)).round(2))
        model = dowgan.Synthesizer("prior", {"calibrated": False}, conditions=["sp"]).fit(frame.iloc[:700])
        late = frame.iloc[700:1_189]
        fine = model.densify(late.iloc[::4], factor=4)["pv"].to_numpy()
        plain = np.interp(np.arange(len(fine)), np.arange(0, len(fine), 4), late["pv"].iloc[::4])
        errors = [np.mean((guess - late["pv"].to_numpy()) ** 2) for guess in (fine, plain)]
        ratios.append(errors[0] / errors[1])
        assert fine.max() < late["pv"].max() + 1
    assert np.mean(ratios) < 1.05


def test_runs_keep_levels_of_their_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    parts = [hourly(y=unit * (100 + wander(rng, 0.7))).iloc[:200].assign(unit=f"U{unit}") for unit in range(1, 6)]
    frame = pd.concat(parts, ignore_index=True)
    dowgan.Synthesizer(runs=["unit"]).fit(frame).save(tmp_path / "model.dowgan")
    model = dowgan.load(tmp_path / "model.dowgan")
    real = frame.groupby("unit")["y"]
    steps = real.apply(lambda y: y.diff().std()).mean()
    made = model.generate().groupby("unit")["y"]
    assert (made.mean() / real.mean() - 1).abs().max() < 0.02
    assert (np.log(made.std() / real.std())).abs().max() < 0.3
    assert abs(made.apply(lambda y: y.diff().std()).mean() / steps - 1) < 0.15
    ahead = model.extend(steps=30).median.groupby("unit")["y"].mean()
    assert (ahead / real.mean() - 1).abs().max() < 0.02
    other = frame[frame["unit"] == "U3"].assign(unit="new", y=lambda f: f["y"] + 450)
    assert abs(model.extend(other, steps=30).median["y"].mean() - 750) < 8


def test_runs_of_a_single_series_begin_in_any_regime() -> None:
    rng = np.random.default_rng(5)
    grade = np.repeat(["A", "B", "C", "A", "C", "B"], ROWS // 6)
    level = pd.Series(grade).map({"A": 0.0, "B": 20.0, "C": 40.0}).to_numpy()
    frame = hourly(grade=grade, x=level + wander(rng, 0.5))
    made = dowgan.Synthesizer("prior", conditions=["grade"]).fit(frame).generate(rows=12, runs=60)
    assert made["grade"].value_counts(normalize=True).between(0.15, 0.55).all()
    real, drawn = (table.groupby("grade")["x"].mean() for table in (frame, made))
    assert (drawn - real).abs().max() < 3


def test_long_gaps_are_on_a_line_where_that_tells_hidden_values_better() -> None:
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.standard_normal((800, 2)), axis=0)
    walk[300:320, 0], walk[500:515, 0], walk[40:42, 1] = np.nan, np.nan, np.nan
    hidden = trial_gaps(walk)
    assert hidden[:, 0].sum() > 200
    edges = np.flatnonzero(np.diff(np.pad(hidden[:, 0], 1).astype(int)))
    assert set(edges[1::2] - edges[::2]) == {15, 20}, "as long as its own"
    assert not hidden[:, 1].any(), "it has no long gap"
    assert not hidden[np.isnan(walk)].any()
    off = walk + 5 * rng.standard_normal(walk.shape)
    assert better_on_a_line(walk, off, hidden).tolist() == [True, False]
    assert better_on_a_line(walk, walk, hidden).tolist() == [False, False]
