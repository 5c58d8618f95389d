"""The program: what its commands hang on, and how it ends."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cyclopts import App, CycloptsError, UnusedCliTokensError

from dowgan import __version__
from dowgan.errors import UserError

BELOW = 3  # exit code of a verdict worse than asked for

app = App(
    name="dowgan",
    version=__version__,
    help="Synthetic, finer and longer time series from one fitted model, on your own table.",
    suppress_keyboard_interrupt=False,
    help_epilogue="First: dowgan fit data.csv -o my.dowgan, then: dowgan generate my.dowgan -n 1000 -o new.csv",
)


def talk(text: str, quiet: bool = False) -> None:
    """Print a line of talk to stderr."""
    if not quiet:
        sys.stderr.write(text + "\n")


@contextmanager
def kept(what: str) -> Iterator[None]:
    """Let Ctrl-C say what it leaves behind."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(what) from None


def main(tokens: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code."""
    sys.exit(run(sys.argv[1:] if tokens is None else tokens))


def _one_line(said: str) -> str:
    """What an error says on one line; what a file holds cannot act on the terminal."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(said.split()))


def _misuse(error: CycloptsError) -> str:
    """What was wrong with a command line, and where its options are told."""
    said = str(error)
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        said = f"{' '.join(map(repr, error.unused_tokens))} is more than the command takes."
    return f"{said} See {' '.join(['dowgan', *(error.command_chain or ())])} --help."


def run(tokens: Sequence[str]) -> int:
    """Run a command; return 0 done, 1 the user's mistake (one line on stderr), 2 wrong usage, 3 a verdict too bad."""
    try:
        code = app(list(tokens), exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        talk(f"dowgan: {_one_line(_misuse(error))}")
        return 2
    except UserError as error:
        talk(f"dowgan: {_one_line(str(error))}")
        return 1
    except KeyboardInterrupt as stop:
        talk(f"dowgan: interrupted; {str(stop) or 'nothing was written'}.")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer has nowhere to go
        return 0
    return code if code == BELOW else 0
