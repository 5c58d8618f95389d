"""Recipes and settings: what is refused, in full, and that a resolved recipe says everything."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dowgan.catalogue import catalogue
from dowgan.config import DEFAULT_RECIPE, Config, keys, recipe_names, resolve, seconds
from dowgan.errors import OptionError


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_resolves_and_comes_back_from_its_own_text(name: str, tmp_path: Path) -> None:
    config = resolve(name)
    assert config.recipe == name
    path = tmp_path / "again.toml"
    path.write_text(config.to_toml())
    assert resolve(str(path)) == config
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_the_founding_recipes_are_there() -> None:
    due = {"flagship", "adversarial", "prior", "dense-gan", "wgan", "gru-wgan", "conv-gan", "wgan-gp", "r3gan", "flow"}
    assert due <= set(recipe_names())
    assert DEFAULT_RECIPE in recipe_names()


def test_every_key_can_be_set_and_is_described() -> None:
    told = catalogue("settings")["settings"]
    assert set(told) == set(keys())
    for key, field in keys().items():
        if field.default is not None:
            assert resolve("adversarial", {key: field.default}) is not None


def test_settings_as_text_and_as_values_are_the_same() -> None:
    texts = ["train.steps=20", "train.lr=1e-3", "generator.net=conv", "window=12", "calibrated=false", "noise = white"]
    values = {
        "train.steps": 20,
        "train.lr": 1e-3,
        "generator.net": "conv",
        "window": 12,
        "calibrated": False,
        "noise": "white",
    }
    assert resolve("adversarial", texts) == resolve("adversarial", values)


REFUSED = {
    "train.step=5": "Unknown setting 'train.step'. Did you mean 'train.steps'? Known: ",
    "steps=5": "Unknown setting 'steps'. ",
    "train.steps=-1": "Setting 'train.steps' is -1: input should be greater than or equal to 0.",
    "train.steps=many": "Setting 'train.steps' is 'many': input should be a valid integer, unable to parse string as "
    "an integer.",
    "generator.dropout=1.5": "Setting 'generator.dropout' is 1.5: input should be less than 1.",
    "train.batch=1": "Setting 'train.batch' is 1: input should be greater than or equal to 2.",
    "space=latent": "Setting 'space' is 'latent': input should be 'prior', 'standard', 'raw' or 'embedding'.",
    "window": "'window' sets nothing; write KEY=VALUE, such as train.steps=2000.",
}


@pytest.mark.parametrize("setting", list(REFUSED))
def test_a_wrong_setting(setting: str) -> None:
    with pytest.raises(OptionError) as error:
        resolve("adversarial", [setting])
    assert str(error.value).startswith(REFUSED[setting])


def test_the_whole_text_of_an_unknown_recipe() -> None:
    with pytest.raises(OptionError) as error:
        resolve("wgann")
    assert str(error.value) == f"Unknown recipe 'wgann'. Did you mean 'wgan'? Known: {', '.join(recipe_names())}."


def test_recipe_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("window = 9\n[train]\nlr = 1e-3\n")
    assert resolve(str(path)).window == 9
    path.write_text("window = [")
    with pytest.raises(OptionError, match="is not TOML: "):
        resolve(str(path))
    path.write_text("[train]\nrate = 1\n")
    with pytest.raises(OptionError, match=r"^Unknown setting 'train\.rate'\."):
        resolve(str(path))


def test_epochs_and_steps_replace_each_other_but_do_not_go_together() -> None:
    assert resolve("dense-gan", ["train.steps=5"]).train.epochs is None
    assert resolve("wgan", ["train.epochs=5"]).train.steps is None
    with pytest.raises(OptionError) as error:
        resolve("wgan", ["train.epochs=5", "train.steps=5"])
    text = "Both train.steps and train.epochs are set; they say the same thing twice: set one."
    assert str(error.value) == text


@given(st.floats(0.1, 1e6, allow_nan=False), st.sampled_from(["s", "m", "h", ""]))
def test_durations(count: float, unit: str) -> None:
    text = f"{count:.3f}{unit}"
    assert seconds(text) == pytest.approx(float(f"{count:.3f}") * {"s": 1, "m": 60, "h": 3600, "": 1}[unit])


@pytest.mark.parametrize("text", ["", "5 days", "-3m", "0", "m5", "1h30m", "nan"])
def test_no_durations(text: str) -> None:
    with pytest.raises(OptionError, match="is no duration; write for example 90s, 5m or 1h"):
        seconds(text)


@given(st.text(max_size=20))
def test_text_settings_survive_a_recipe_file(noise: str) -> None:
    config = Config(noise=noise)
    assert Config.model_validate(tomllib.loads(config.to_toml())) == config
