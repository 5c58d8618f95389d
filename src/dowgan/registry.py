"""Parts that are found by name: nets, objectives, metrics, noises, data sets."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from dowgan.errors import OptionError, unknown

Part = TypeVar("Part")


class Registry(Generic[Part]):
    """Names and the parts behind them, in the order in which they were added.

    Args:
        noun: what the parts are, for the error text: "net", "metric".
    """

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._parts: dict[str, Part] = {}

    def add(self, name: str) -> Callable[[Part], Part]:
        """Return a decorator that files a part under a name."""

        def file(part: Part) -> Part:
            assert name not in self._parts, f"two parts are called {name!r}"
            self._parts[name] = part
            return part

        return file

    def get(self, name: str) -> Part:
        """Return the part of that name.

        Raises:
            OptionError: no part has it; the text names the closest.
        """
        if name not in self._parts:
            raise OptionError(unknown(self.noun, name, self._parts))
        return self._parts[name]

    def names(self) -> tuple[str, ...]:
        return tuple(self._parts)

    def __iter__(self) -> Iterator[tuple[str, Part]]:
        return iter(self._parts.items())
