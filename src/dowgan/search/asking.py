"""What a search is about, and the settings that a trial tries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna import Trial

from dowgan.config import Config, resolve
from dowgan.errors import OptionError, unknown
from dowgan.space import NET_SPACES, OBJECTIVE_SPACES, Choice, Range, Whole
from dowgan.table import Table

WINDOWS = (12, 24, 48)  # lengths that are tried
ROOM = 8  # windows that the longest run must have room for
YARDSTICK = 12  # steps on which fidelity is measured while windows differ in length
AIMS = ("time",)


@dataclass(frozen=True)
class Task:
    """What a search is about; the same for all of its workers.

    Attributes:
        recipe, settings: what is not searched.
        against: "time" to weigh fidelity against fit seconds; None for fidelity alone.
        storage: Optuna's URL of a database, or the path of a journal file.
        seed: of trials and of what is tried.
        deadline: epoch seconds at which the search ends, None for none.
    """

    recipe: str
    settings: tuple[str, ...]
    against: str | None
    storage: str
    seed: int
    deadline: float | None

    @property
    def held(self) -> frozenset[str]:
        """Keys that the user has set, which are not searched."""
        return frozenset(s.partition("=")[0].strip() for s in self.settings)

    def base(self) -> Config:
        """Return what every trial begins with.

        Raises:
            OptionError: the recipe has no network, the aim is unknown, or a setting is wrong.
        """
        if self.against not in (None, *AIMS):
            raise OptionError(unknown("aim", self.against, AIMS))
        config = resolve(self.recipe, list(self.settings))
        if not config.trained:
            raise OptionError(f"The recipe '{config.recipe}' trains no network: search another.")
        return config


class _Asker:
    """Asks a trial for one setting after another, but not for what the user has set."""

    def __init__(self, trial: Trial, base: Config, held: frozenset[str]) -> None:
        self.trial, self.base, self.held = trial, base, held
        self.tried: dict[str, Any] = {}

    def ask(self, key: str, space: Range, name: str | None = None) -> Any:
        """Return the value of a setting; `name` tells spaces of the same key apart."""
        if key in self.held or key in self.tried:
            return self.tried.get(key, self._set(key))
        self.tried[key] = _drawn(self.trial, name or key, space)
        return self.tried[key]

    def _set(self, key: str) -> Any:
        section, _, field = key.rpartition(".")
        return getattr(getattr(self.base, section) if section else self.base, field)


def _drawn(trial: Trial, name: str, space: Range) -> Any:
    if isinstance(space, Choice):
        return space.values[0] if len(space.values) == 1 else trial.suggest_categorical(name, space.values)
    if isinstance(space, Whole):
        return trial.suggest_int(name, space.low, space.high, log=space.log)
    return trial.suggest_float(name, space.low, space.high, log=space.log)


def suggest(trial: Trial, base: Config, held: frozenset[str], windows: Sequence[int]) -> dict[str, Any]:
    """Return the settings of a trial: objective, nets, training, noise and window, each from its declared space.

    Args:
        base: the recipe with what the user has set.
        held: keys that are not searched.
        windows: lengths that the table has room for.
    """
    from dowgan.noises import NOISES
    from dowgan.objectives import OBJECTIVES
    from dowgan.train import SPACE

    asker = _Asker(trial, base, held)
    objective = asker.ask("objective.name", Choice(OBJECTIVE_SPACES.names()))
    for key, space in OBJECTIVE_SPACES.get(objective).items():
        asker.ask(key, space, f"{objective}/{key}")
    adversarial = OBJECTIVES.get(objective).adversarial
    for role in ("generator", "critic") if adversarial else ("generator",):
        kinds = tuple(n for n, s in NET_SPACES if base.space != "prior" or not s.over_time)
        net = asker.ask(f"{role}.net", Choice(kinds))
        for option, space in NET_SPACES.get(net).options.items():
            asker.ask(f"{role}.{option}", space, f"{net}/{role}.{option}")
    for key, space in SPACE.items():
        if adversarial or key != "train.critic_steps":
            asker.ask(key, space)
    if base.space != "prior":
        asker.ask("noise", Choice(NOISES.names()))
    if len(windows) > 1:
        asker.ask("window", Choice(tuple(windows)))
    return asker.tried


def _windows(table: Table, base: Config, held: frozenset[str]) -> tuple[int, ...]:
    longest = max(len(run.values) for run in table.runs)
    return () if "window" in held or base.window == 1 else tuple(w for w in WINDOWS if longest >= ROOM * w)


def trial_config(trial: Trial, table: Table, task: Task) -> Config:
    """Return the configuration that a trial stands for."""
    base = task.base()
    tried = suggest(trial, base, task.held, _windows(table, base, task.held))
    settings: dict[str, Any] = dict(s.split("=", 1) for s in task.settings) | tried
    if "window" in tried:
        settings["train.check_steps"] = YARDSTICK
    return resolve(task.recipe, settings)
