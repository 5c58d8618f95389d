"""What is refused before any work begins, and what options hold."""

import os
from collections.abc import Sequence
from pathlib import Path

from dowgan.errors import OptionError


def pairs(texts: Sequence[str] | None) -> dict[str, str]:
    out = {}
    for text in texts or ():
        name, sign, value = text.partition("=")
        if not sign:
            raise OptionError(f"'{text}' holds nothing; write COL=VALUE, such as --where grade=B.")
        out[name] = value
    return out


def check_target(path: str, inputs: Sequence[str]) -> None:
    """Refuse early what could not be written in the end."""
    target = Path(path)
    if any(Path(i).exists() and target.exists() and target.samefile(i) for i in inputs if i != "-"):
        raise OptionError(f"'{path}' is an input and would be overwritten; choose another output with -o.")
    if path == "-":
        return
    if not target.parent.is_dir():
        raise OptionError(f"There is no folder '{target.parent}' to write '{target.name}' into; make it first.")
    if target.is_dir():
        raise OptionError(f"'{path}' is a folder; give the name of a file in it with -o.")
    if not os.access(target.parent, os.W_OK):
        raise OptionError(f"The folder '{target.parent}' cannot be written; choose another place with -o.")


def check_file(path: str, inputs: Sequence[str]) -> None:
    """Refuse early what could not be written in the end, stdout included: this is no table."""
    if path == "-":
        raise OptionError("This is no table and cannot go to stdout; give a file with -o.")
    check_target(path, inputs)


def check_tables(paths: Sequence[str], inputs: Sequence[str]) -> None:
    """Refuse early tables that could not be written in the end, or only one over the other."""
    from dowgan.table.sniff import ENDINGS

    for path in paths:
        check_target(path, inputs)
        if path != "-" and not Path(path).name.lower().endswith(ENDINGS):
            raise OptionError(f"'{path}' is no kind of table that can be written: it must end in {', '.join(ENDINGS)}.")
    if len({Path(path).resolve() for path in paths}) < len(paths):
        raise OptionError(f"Two outputs go to '{paths[0]}'; give each a place of its own.")


def at_least_one(count: int, noun: str) -> int:
    if count < 1:
        raise OptionError(f"{count} {noun} are not possible; ask for at least 1.")
    return count
