"""The configuration of a fit: the only place where a default stands. A recipe is a TOML file of it."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dowgan.errors import OptionError, unknown

DEFAULT_RECIPE = "flagship"
SECTIONS = ("generator", "critic", "objective", "encoder", "train")


class Part(BaseModel):
    """A section of the configuration; unknown keys are refused, values cannot be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Net(Part):
    """The shape of a network."""

    net: str = Field("mlp", description="kind of network, see `dowgan list nets`")
    width: int = Field(256, ge=1, le=8192, description="hidden width")
    depth: int = Field(3, ge=1, le=64, description="hidden layers or blocks")
    activation: Literal["relu", "leaky", "silu", "gelu", "tanh"] = Field("silu", description="hidden activation")
    norm: Literal["none", "layer", "batch", "spectral"] = Field("none", description="normalisation of hidden layers")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of hidden values dropped in training")


class Objective(Part):
    """What the players minimise."""

    name: str = Field("adversarial-flow", description="see `dowgan list objectives`")
    gamma: float = Field(0.02, ge=0, description="weight of the critic's gradient penalties")
    anchor: float = Field(0.5, ge=0, description="weight of the distance that the generator moves, at the start")
    anchor_end: float = Field(0.05, ge=0, description="the same at the end")
    moments: float = Field(1.0, ge=0, description="weight of the batch's mean and variance against the data's")
    clip: float = Field(0.01, gt=0, description="bound of the critic's weights (wgan)")
    flow_steps: int = Field(8, ge=1, le=1000, description="steps of the integrator that samples (flow)")


class Train(Part):
    """The training loop."""

    steps: int | None = Field(None, ge=0, description="generator steps; unset: from the size of the table")
    epochs: int | None = Field(None, ge=1, description="passes over the windows, instead of steps")
    batch: int = Field(128, ge=2, description="windows per step")
    lr: float = Field(2e-4, gt=0, description="learning rate of the generator")
    critic_lr: float | None = Field(None, gt=0, description="learning rate of the critic; unset: as the generator's")
    optimizer: Literal["adam", "rmsprop", "sgd"] = "adam"
    beta1: float = Field(0.0, ge=0, lt=1)
    beta2: float = Field(0.99, ge=0, lt=1)
    decay: bool = Field(True, description="rates fall to zero along half a cosine")
    critic_steps: int = Field(1, ge=1, description="critic steps per generator step")
    ema: float = Field(
        0.999, ge=0, lt=1, description="decay of the averaged generator weights; 0 takes them as they are"
    )
    checks: int = Field(20, ge=1, description="how often the held-out fidelity is measured")
    patience: int = Field(8, ge=1, description="measurements without a better one before training stops")
    budget: float | None = Field(None, gt=0, description="seconds after which training stops")
    keep: Literal["best", "last"] = Field("best", description="which weights: best on held-out rows, or the last")
    collapse: Literal["error", "warn"] = Field("error", description="what a generator without spread leads to")
    all_rows: bool = Field(False, description="train on the held-out rows too; their fidelity then flatters")
    check_steps: int | None = Field(
        None, ge=1, description="steps of the windows that fidelity is measured on; unset: whole windows"
    )
    body_rate: float = Field(
        1.0, ge=0, le=1, description="factor on the rate of weights taken from another model; 0 freezes them"
    )


class Encoder(Part):
    """The recurrent embedding that a generator works in (space = "embedding")."""

    width: int = Field(24, ge=1, le=1024, description="values of the embedding per step")
    steps: int = Field(1500, ge=1, description="training steps of embedder and recovery, before the generator's")
    lr: float = Field(3e-3, gt=0, description="their learning rate")


class Config(Part):
    """Everything that a fit can be told."""

    recipe: str = Field(DEFAULT_RECIPE, description="name of the recipe this began as")
    window: int | None = Field(None, ge=1, le=4096, description="steps of a window; unset: from the size of the table")
    space: Literal["prior", "standard", "raw", "embedding"] = Field(
        "prior",
        description="where the network works: prior coordinates, standardised values, values as they are, an embedding",
    )
    trained: bool = Field(True, description="false: no network")
    calibrated: bool = Field(
        True, description="correct the finished generator's covariance and quantiles in closed form (space = prior)"
    )
    noise: str = Field("white", description="input noise, see `dowgan list noises`")
    generator: Net = Net()
    critic: Net = Net()
    objective: Objective = Objective()
    encoder: Encoder = Encoder()
    train: Train = Train()

    def to_toml(self) -> str:
        """Return the whole configuration as a recipe file."""
        raw = self.model_dump(exclude_none=True)
        head = {k: v for k, v in raw.items() if not isinstance(v, dict)}
        lines = [f"{k} = {_toml(v)}" for k, v in head.items()]
        for name, part in raw.items():
            if isinstance(part, dict):
                lines += ["", f"[{name}]", *(f"{k} = {_toml(v)}" for k, v in part.items())]
        return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """A plain value as TOML: JSON, which escapes a little otherwise."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that come with the program."""
    return tuple(
        sorted(f.name.removesuffix(".toml") for f in files("dowgan.recipes").iterdir() if f.name.endswith(".toml"))
    )


def _recipe(name: str) -> dict[str, Any]:
    if name.endswith(".toml"):
        if not Path(name).is_file():
            raise OptionError(f"There is no recipe file '{name}'.")
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"The recipe file '{name}' cannot be read as text: {error}.") from error
    elif name in recipe_names():
        text = (files("dowgan.recipes") / f"{name}.toml").read_text(encoding="utf-8")
    else:
        raise OptionError(unknown("recipe", name, recipe_names()))
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"The recipe '{name}' is not TOML: {error}.") from error
    flat = next((part for part in SECTIONS if not isinstance(raw.get(part, {}), dict)), None)
    if flat is not None:
        raise OptionError(f"'{flat}' of the recipe '{name}' is {raw[flat]!r}, and it is a section: [{flat}].")
    return raw


def keys(kind: type[BaseModel] = Config, prefix: str = "") -> dict[str, Any]:
    """Return every settable key, such as `train.lr`, with its field."""
    out: dict[str, Any] = {}
    for name, info in kind.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            out |= keys(info.annotation, f"{prefix}{name}.")
        else:
            out[prefix + name] = info
    return out


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text


def resolve(recipe: str | Config = DEFAULT_RECIPE, settings: Mapping[str, Any] | Sequence[str] = ()) -> Config:
    """Return a recipe with settings applied.

    Args:
        recipe: a name, the path of a TOML file, or the configuration of another fit.
        settings: `{"train.steps": 2000}` or `["train.steps=2000"]`.

    Raises:
        OptionError: no such recipe or key, or a value out of its range.
    """
    raw = recipe.model_dump(exclude_none=True) if isinstance(recipe, Config) else {"recipe": recipe} | _recipe(recipe)
    asked = _pairs(settings)
    for one, other in (("epochs", "steps"), ("steps", "epochs")):  # what is asked for replaces the recipe's length
        if f"train.{one}" in asked and f"train.{other}" not in asked:
            raw.get("train", {}).pop(other, None)
    for key, value in asked.items():
        if key not in keys():
            raise OptionError(unknown("setting", key, keys()))
        section, _, name = key.rpartition(".")
        (raw.setdefault(section, {}) if section else raw)[name] = _value(value) if isinstance(value, str) else value
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            raise OptionError(unknown("setting", place, keys())) from error
        raise OptionError(f"Setting '{place}' is {first['input']!r}: {first['msg'].lower()}.") from error
    idle = [key for key in asked if key.partition(".")[0] in SECTIONS]
    if not config.trained and set(idle) - {"train.budget"}:
        raise OptionError(
            f"The recipe '{config.recipe}' trains no network, so '{idle[0]}' changes nothing; "
            "add --recipe adversarial, or another that trains one."
        )
    if config.train.steps is not None and config.train.epochs is not None:
        raise OptionError("Both train.steps and train.epochs are set; they say the same thing twice: set one.")
    return config


def _pairs(settings: Mapping[str, Any] | Sequence[str]) -> dict[str, Any]:
    if isinstance(settings, Mapping):
        return dict(settings)
    out = {}
    for text in settings:
        key, sign, value = text.partition("=")
        if not sign:
            raise OptionError(f"'{text}' sets nothing; write KEY=VALUE, such as train.steps=2000.")
        out[key.strip()] = value.strip()
    return out


def seconds(text: str) -> float:
    """Return a duration such as "5m", "90s", "1h" or "45" in seconds.

    Raises:
        OptionError: it is no duration.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h)?", text.strip().lower())
    if not found or float(found[1]) <= 0:
        raise OptionError(f"'{text}' is no duration; write for example 90s, 5m or 1h.")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600, None: 1}[found[2]]
