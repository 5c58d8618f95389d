"""What a user can get wrong, said in one line: what came, what is allowed, what to do."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that the user can mend; the command line prints it as one line and exits with 1."""


class DataError(UserError):
    """The table cannot be used as it is."""


class OptionError(UserError):
    """An option or setting has a value that is not allowed."""


class ModelError(UserError):
    """A model file cannot be read or does not fit the table."""


class ContractError(UserError):
    """An output would break the round trip: it is not written."""


class CollapseError(UserError):
    """The trained generator lost the spread or the variety of the data."""


def unknown(noun: str, name: object, known: Iterable[str]) -> str:
    """Say that a name is not known, with the closest known ones.

    Args:
        noun: what the name should be one of, such as "net" or "column".
        name: what the user wrote.
        known: all names that exist.
    """
    names = sorted(map(str, known))
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return f"Unknown {noun} '{name}'.{hint} Known: {shown}."
