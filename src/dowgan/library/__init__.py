"""Starting points that come with the program: networks trained on simulated processes, for `--from library:NAME`.

Each file holds a network and the behaviour of the columns that it was trained on, nothing of a table; the files are
made by `bench/library.py`.
"""

import json
from importlib.resources import as_file, files

from dowgan.config import Config
from dowgan.errors import OptionError, unknown
from dowgan.library.processes import PROCESSES
from dowgan.modelfile import read_model
from dowgan.transfer import SOURCE_KINDS, Source

PREFIX = "library:"
ENDING = ".start"


def names() -> tuple[str, ...]:
    """Return the names of all starting points."""
    places = files("dowgan.library").iterdir()
    return tuple(sorted(place.name.removesuffix(ENDING) for place in places if place.name.endswith(ENDING)))


def starting_point(name: str) -> Source:
    """Return a starting point by its name.

    Raises:
        OptionError: none has that name.
    """
    if name not in names():
        raise OptionError(unknown("starting point", name, names()))
    with as_file(files("dowgan.library") / f"{name}{ENDING}") as path:
        return read_model(path, SOURCE_KINDS)


def phrase(name: str) -> str:
    """Say what a starting point was trained on and which recipe takes it."""
    network = starting_point(name).network
    recipe = Config.model_validate(json.loads(network.recipe)).recipe
    told = (PROCESSES.get(name).__doc__ or "").strip().split("\n")[0]
    return f"{told} Its recipe is {recipe}."
