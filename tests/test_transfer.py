"""Weights of another model: matched, turned, taken, and told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from dowgan import Synthesizer, load
from dowgan.cli import run
from dowgan.config import Config, resolve
from dowgan.errors import OptionError
from dowgan.library import names, starting_point
from dowgan.library.processes import PROCESSES, simulate
from dowgan.model import Model
from dowgan.networks import generator_of
from dowgan.transfer import Maps, Side, carry, channel_names, maps, match, orthogonal, side_of, turned
from small_tables import waves

QUICK = ["train.steps=30", "train.checks=2", "train.collapse=warn", "calibrated=false", "window=8", "train.keep=last"]
SMALL = [*QUICK, "generator.width=16", "critic.width=16", "generator.depth=1", "critic.depth=1"]


@pytest.fixture(scope="module")
def old() -> Synthesizer:
    return Synthesizer("adversarial", SMALL).fit(waves(300))


@pytest.fixture(scope="module")
def old_standard() -> Synthesizer:
    return Synthesizer("wgan", [*QUICK, "train.lr=0.01"]).fit(waves(300))


def side(model: Model) -> Side:
    return side_of(model.table_schema, model.channels, model.window, model.coordinates)


def start_weights(old: Synthesizer, frame: pd.DataFrame, recipe: str, settings: list[str]) -> Synthesizer:
    """A model that has taken weights and not trained a step."""
    return Synthesizer(recipe, [*settings, "train.steps=0"], start=old).fit(frame)


def test_columns_match_by_name_first() -> None:
    a, b = (side(Synthesizer("prior", ["calibrated=false", "window=8"]).fit(waves(200, s)).model_) for s in (0, 1))
    mixed = replace(b, names=("fast", "skewed", "slow"))
    assert match(a, mixed).old == (1, 2, 0)
    assert match(a, mixed).by_name == 3


def test_columns_without_a_name_match_by_behaviour() -> None:
    model = Synthesizer("prior", ["calibrated=false", "window=8"])
    a = side(model.fit(waves(600)).model_)
    other = waves(600, 3)[["time", "skewed", "slow", "fast"]].set_axis(["time", "x", "y", "z"], axis=1)
    b = side(model.fit(other).model_)
    found = match(a, b)
    assert found.by_name == 0
    assert [a.names[i] for i in found.old] == ["skewed", "slow", "fast"]


def test_more_columns_than_the_other_table_start_alone() -> None:
    model = Synthesizer("prior", ["calibrated=false", "window=8"])
    few = side(model.fit(waves(200)[["time", "slow"]]).model_)
    many = side(model.fit(waves(200)).model_)
    assert match(few, many).old == (0, -1, -1)
    assert match(many, few).old == (0,)


def test_same_table_turns_nothing() -> None:
    own = side(Synthesizer("prior", ["calibrated=false", "window=8"]).fit(waves(200)).model_)
    turn = turned(own, own, match(own, own))
    np.testing.assert_allclose(turn, np.eye(24), atol=1e-6)


def test_orthogonal_keeps_lengths_and_leaves_unknown_directions_out() -> None:
    across = np.random.default_rng(0).standard_normal((5, 3)) * [1.0, 10.0, 0.1]
    turn = orthogonal(across)
    np.testing.assert_allclose(turn.T @ turn, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(orthogonal(np.diag([2.0, 0.0, -3.0])), np.diag([1.0, 0.0, -1.0]), atol=1e-12)


def test_same_table_begins_with_the_old_function(old: Synthesizer) -> None:
    new = start_weights(old, waves(300), "adversarial", [s for s in SMALL if "steps" not in s])
    coordinates = np.random.default_rng(0).standard_normal((64, 24))
    before, after = (generator_of(m.model_.network)(coordinates) for m in (old, new))
    np.testing.assert_allclose(after, before, atol=1e-4)
    assert np.abs(before - coordinates).max() > 0.01  # the old network does something


def test_columns_in_another_order_keep_the_function_in_standard_space(old_standard: Synthesizer) -> None:
    order = ["skewed", "slow", "fast"]
    settings = [s for s in QUICK if "steps" not in s]
    new = start_weights(old_standard, waves(300)[["time", *order]], "wgan", settings)
    from dowgan.train import restore

    nets = [restore(m.model_.network)[0] for m in (old_standard, new)]
    noise = torch.randn(16, 8, 3, generator=torch.Generator().manual_seed(0))
    turn = [["slow", "fast", "skewed"].index(name) for name in order]
    with torch.no_grad():
        torch.testing.assert_close(nets[1](noise[..., turn]), nets[0](noise)[..., turn], rtol=1e-4, atol=1e-5)


def test_other_columns_and_counts_take_what_fits_and_say_so(old: Synthesizer, tmp_path: Path, capsys) -> None:
    old.save(tmp_path / "old.dowgan")
    frame = waves(200, 4, ("one", "two", "slow"))
    frame["more"] = frame["one"].cumsum()
    frame.to_csv(tmp_path / "data.csv", index=False)
    words = [
        "fit",
        str(tmp_path / "data.csv"),
        "--recipe",
        "adversarial",
        "--from",
        str(tmp_path / "old.dowgan"),
        "-o",
        str(tmp_path / "n.dowgan"),
    ]
    assert run([*words, *(w for s in SMALL for w in ("--set", s))]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("transfer: ")]
    assert told[0].startswith("transfer: 1 of 4 columns matched by name, 2 by behaviour (")
    assert told[0].endswith("1 without a counterpart (more)") or "without a counterpart" in told[0]
    assert told[1] == "transfer: generator: 9 of 9 weights taken"
    assert told[2] == "transfer: critic: 9 of 9 weights taken"


def test_another_width_starts_new_and_says_so(old: Synthesizer) -> None:
    settings = [s.replace("generator.width=16", "generator.width=24") for s in SMALL]
    model = Synthesizer("adversarial", settings, start=old).fit(waves(200))
    told = [n for n in model.model_.notes if n.startswith("transfer: generator")]
    assert told == [
        "transfer: generator: 2 of 9 weights taken; new: net.lift.weight, net.lift.bias, "
        "net.blocks.0.first.weight, net.blocks.0.first.bias and 3 more"
    ]


def test_unknown_directions_keep_their_new_weights() -> None:
    fresh = {"first.weight": np.ones((2, 3)), "first.bias": np.zeros(2), "last.weight": np.ones((3, 2))}
    source = {"first.weight": np.full((2, 2), 5.0), "first.bias": np.full(2, 7.0), "last.weight": np.full((2, 2), 5.0)}
    turn = np.array([[1.0, 0], [0, 1], [0, 0]])
    out, taken = carry(fresh, source, Maps({2: turn}, {2: turn}), "generator")
    np.testing.assert_array_equal(out["first.weight"], [[5, 5, 1], [5, 5, 1]])
    np.testing.assert_array_equal(out["last.weight"], [[5, 5], [5, 5], [1, 1]])
    assert taken == set(fresh)
    out, _ = carry(fresh, source, Maps({2: turn}, {2: turn}), "critic")
    np.testing.assert_array_equal(out["last.weight"], fresh["last.weight"])


def test_body_rate_of_zero_freezes_what_was_taken(old: Synthesizer) -> None:
    frozen = Synthesizer("adversarial", [*SMALL, "train.body_rate=0", "train.ema=0"], start=old).fit(waves(300))
    for name, weight in old.model_.network.weights.items():
        np.testing.assert_allclose(frozen.model_.network.weights[name], weight, atol=1e-4)


def test_what_cannot_be_taken_is_refused(old: Synthesizer) -> None:
    with pytest.raises(OptionError) as error:
        Synthesizer("wgan", QUICK, start=old).fit(waves(200))
    assert str(error.value) == (
        "Nothing can be taken from that model: its network works in space 'prior', that of the recipe 'wgan' in "
        "'standard'; the recipe of that model is 'adversarial'."
    )
    plain = Synthesizer("prior", ["calibrated=false"]).fit(waves(200))
    with pytest.raises(OptionError, match=r"^Nothing can be taken from that model: it has no network"):
        Synthesizer("adversarial", QUICK, start=plain).fit(waves(200))


def test_transfer_starts_better_on_the_same_process() -> None:
    """The first rows of a table, begun from a model of the whole: nearer to the data before any step is done."""
    settings = [*SMALL, "space=standard", "train.lr=0.003"]
    long = Synthesizer("wgan-gp", [*settings, "train.steps=80"]).fit(waves(400))
    short = start_weights(long, waves(400).head(150), "wgan-gp", [s for s in settings if "steps" not in s])
    fresh = Synthesizer("wgan-gp", [*settings, "train.steps=0"]).fit(waves(400).head(150))
    assert short.model_.training.fidelity[0] < 0.8 * fresh.model_.training.fidelity[0]


def test_channel_names_tell_levels_apart() -> None:
    frame = waves(200)
    frame["kind"] = np.random.default_rng(0).choice(["a", "b", "c"], 200)
    model = Synthesizer("prior", ["calibrated=false", "window=8"]).fit(frame).model_
    names = channel_names(model.table_schema, model.channels)
    assert names == ("slow", "fast", "skewed", "kind/0", "kind/1", "kind/2")
    turn = maps(side(model), side(model), match(side(model), side(model)), "standard")
    assert set(turn.inputs) == {6, 48}


# the library


def test_library_holds_a_small_starting_point_for_every_process() -> None:
    from importlib.resources import files

    assert set(names()) == set(PROCESSES.names())
    for name in names():
        assert (files("dowgan.library") / f"{name}.start").stat().st_size < 300_000  # type: ignore[attr-defined]
        source = starting_point(name)
        assert len(source.side.names) == len(source.side.behaviour) == source.network.channels
        assert all(np.isfinite(w).all() for w in source.network.weights.values())
    with pytest.raises(OptionError) as error:
        starting_point("count")
    assert (
        str(error.value)
        == "Unknown starting point 'count'. Did you mean 'counts'? Known: batches, counts, drifts, plant."
    )


def test_processes_are_what_they_say() -> None:
    """Counts are whole with a yearly season; drifts remember long; the same seed gives the same table."""
    made = {name: simulate(name, 1_000).iloc[:, 1:].to_numpy() for name in PROCESSES.names()}
    assert all(np.isfinite(values).all() and values.shape == (1_000, 20) for values in made.values())
    assert (made["counts"] == np.rint(made["counts"])).all()
    assert (made["counts"] >= 0).all()
    same, half = (np.corrcoef(made["counts"][:-h].sum(1), made["counts"][h:].sum(1))[0, 1] for h in (52, 26))
    assert same > 0.5 > 0 > half
    slow = made["drifts"] - made["drifts"].mean(0)
    assert (slow[20:] * slow[:-20]).mean() > 0.25 * (slow**2).mean()
    assert simulate("plant", 50).equals(simulate("plant", 50))
    assert not simulate("plant", 50).equals(simulate("plant", 50, seed=1))


def test_library_is_a_start_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waves(160).to_csv(tmp_path / "data.csv", index=False)
    words = ["fit", str(tmp_path / "data.csv"), "-o", str(tmp_path / "m.dowgan"), "--set", "train.steps=2"]
    assert run([*words, "--recipe", "gru-gan", "--from", "library:drifts"]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("transfer: ")]
    assert told[0].startswith("transfer: 0 of 3 columns matched by name, 3 by behaviour (")
    assert told[1:] == [
        "transfer: generator: 10 of 10 weights taken",
        "transfer: critic: 10 of 10 weights taken",
    ]
    assert run([*words, "--recipe", "adversarial", "--from", "library:drifts"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "dowgan: Nothing can be taken from that model: its network works in space 'standard', that of the recipe "
        "'adversarial' in 'prior'; the recipe of that model is 'gru-gan'."
    )


def test_without_a_recipe_the_starting_points_is_taken_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also the nets as that model has them, so that every weight fits; what is set is set on top."""
    waves(160).to_csv(tmp_path / "data.csv", index=False)
    words = ["fit", str(tmp_path / "data.csv"), "-o", str(tmp_path / "new.dowgan"), "--set", "train.steps=2"]
    assert run([*words, "--from", "library:drifts"]) == 0
    told = capsys.readouterr().err
    assert "\nrecipe: gru-gan, that of library:drifts; --recipe NAME takes another\n" in f"\n{told}"
    assert "transfer: generator: 10 of 10 weights taken\n" in told
    wide = Synthesizer("wgan", [*QUICK, "generator.width=7"]).fit(waves(200))
    wide.save(tmp_path / "wide.dowgan")
    assert run([*words, "--from", str(tmp_path / "wide.dowgan")]) == 0
    told = capsys.readouterr().err
    assert f"recipe: wgan, that of {tmp_path}/wide.dowgan; --recipe NAME takes another\n" in told
    assert "transfer: generator: 6 of 6 weights taken\n" in told
    new = resolve(Config.model_validate_json(load(tmp_path / "new.dowgan").model_.recipe))
    assert (new.generator.width, new.train.steps, new.window) == (7, 2, 8)
    assert Synthesizer(start=wide).fit(waves(100)).model_.recipe == wide.model_.recipe
    assert run([*words, "--from", "library:drifts", "--dry-run"]) == 0
    assert capsys.readouterr().out == resolve("gru-gan", ["train.steps=2"]).to_toml()


def test_a_model_without_a_network_is_no_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waves(100).to_csv(tmp_path / "data.csv", index=False)
    Synthesizer("flagship", ["calibrated=false"]).fit(waves(100)).save(tmp_path / "old.dowgan")
    words = [
        "fit",
        str(tmp_path / "data.csv"),
        "--from",
        str(tmp_path / "old.dowgan"),
        "-o",
        str(tmp_path / "n.dowgan"),
    ]
    assert run(words) == 1
    assert capsys.readouterr().err == (
        "dowgan: Nothing can be taken from that model: it has no network (recipe 'flagship').\n"
    )


def test_conditions_of_a_table_start_new_beside_weights_that_are_taken() -> None:
    frame = waves(200)
    frame["grade"] = np.array(["A", "B"])[np.arange(200) // 25 % 2]
    model = Synthesizer("gru-gan", ["train.steps=2"], conditions=("grade",), start="library:drifts").fit(frame)
    told = [n for n in model.model_.notes if n.startswith("transfer: generator")]
    assert told == ["transfer: generator: 10 of 10 weights taken"]
    old = starting_point("drifts").network.weights["net.gru.weight_hh_l0"]
    np.testing.assert_allclose(model.model_.network.weights["net.gru.weight_hh_l0"], old, atol=0.05)


def test_norm_behind_the_last_layer_is_turned_with_it() -> None:
    """The deck's recurrent network ends with a layer norm: its gains belong to the columns."""
    fresh = {"first.weight": np.zeros((2, 2)), "last.weight": np.zeros((2, 2)), "norm.weight": np.zeros(2)}
    source = {"first.weight": np.eye(2), "last.weight": np.eye(2), "norm.weight": np.array([5.0, 7.0])}
    swap = np.array([[0.0, 1], [1, 0]])
    out, _ = carry(fresh, source, Maps({2: swap}, {2: swap}), "generator")
    np.testing.assert_array_equal(out["norm.weight"], [7, 5])


# whether it helps


@pytest.mark.long
def test_the_report_says_whether_it_helped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The tested model begins as the model did, and is compared with the same begun with nothing, both ways round."""
    settings = ["space=standard", "window=8", "train.lr=0.003", "train.checks=2", "train.collapse=warn"]
    good = Synthesizer("wgan-gp", [*settings, "train.steps=150"]).fit(waves(400))
    bad = Synthesizer("wgan-gp", [*settings, "train.steps=0"]).fit(waves(400))
    for weight in bad.model_.network.weights.values():
        weight *= 3.0
    waves(300).to_csv(tmp_path / "data.csv", index=False)
    for name, model, told in (("good", good, "it helps"), ("bad", bad, "it does not help here")):
        start = tmp_path / f"{name}.dowgan"
        model.save(start)
        new = Synthesizer("wgan-gp", [*settings, "train.steps=4"], start=start).fit(tmp_path / "data.csv")
        new.save(tmp_path / "new.dowgan")
        about = new.report(tmp_path / "data.csv").scores["about"]
        assert f"begun with {start}: " in about["transfer"]
        assert about["transfer"].endswith(f"To begin with other weights: {told}.")
        assert f" --from {start} " in about["command"]
    start.unlink()
    words = ["report", str(tmp_path / "new.dowgan"), str(tmp_path / "data.csv"), "-o", str(tmp_path / "report.html")]
    assert run(words) == 0
    said = f"The tested model began with nothing: what this one began with ({start}) is not there."
    assert f"transfer: {said}\n" in capsys.readouterr().err
    assert said in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "is not measured on another table" in new.report(waves(90, seed=9)).scores["about"]["transfer"]


def test_a_report_of_a_model_that_began_with_nothing_says_nothing_of_transfer() -> None:
    model = Synthesizer("wgan-gp", ["window=8", "train.steps=4", "train.checks=2", "train.collapse=warn"])
    assert "transfer" not in model.fit(waves(200)).report(waves(200)).scores["about"]
