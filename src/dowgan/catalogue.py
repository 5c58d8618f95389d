"""What can be named in options, with a phrase for each."""

from collections.abc import Callable
from importlib.resources import files

from dowgan.config import keys, recipe_names
from dowgan.errors import OptionError, unknown


def _first_line(part: object) -> str:
    return (part.__doc__ or "").strip().split("\n")[0]


def _nets() -> dict[str, str]:
    from dowgan.nets import NETS

    return {name: _first_line(part) for name, part in NETS}


def _objectives() -> dict[str, str]:
    from dowgan.objectives import OBJECTIVES

    return {name: _first_line(part) for name, part in OBJECTIVES}


def _noises() -> dict[str, str]:
    from dowgan.noises import NOISES

    return {name: _first_line(part) for name, part in NOISES}


def _metrics() -> dict[str, str]:
    from dowgan.metrics import METRICS

    return {name: f"{part.title} ({part.better} is better)" for name, part in METRICS}


def _recipes() -> dict[str, str]:
    out = {}
    for name in recipe_names():
        text = (files("dowgan.recipes") / f"{name}.toml").read_text(encoding="utf-8")
        out[name] = text.split("\n")[0].removeprefix("#").strip()
    return out


def _library() -> dict[str, str]:
    from dowgan.library import names, phrase

    return {name: phrase(name) for name in names()}


def _settings() -> dict[str, str]:
    out = {}
    for name, field in keys().items():
        default = "" if field.default is None else f" [{field.default}]"
        out[name] = f"{field.description or ''}{default}"
    return out


KINDS: dict[str, Callable[[], dict[str, str]]] = {
    "recipes": _recipes,
    "nets": _nets,
    "objectives": _objectives,
    "noises": _noises,
    "metrics": _metrics,
    "library": _library,
    "settings": _settings,
}


def catalogue(kind: str | None = None) -> dict[str, dict[str, str]]:
    """Return the names of one kind, or of all, each with a phrase.

    Raises:
        OptionError: there is no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise OptionError(unknown("kind", kind, KINDS))
    return {name: make() for name, make in KINDS.items() if kind in (None, name)}
