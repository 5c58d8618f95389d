"""The command line: options in, one call, a table or a text out. stdout is data, stderr is talk.

Exit codes: 0 done, 1 a mistake of the user in one line, 2 wrong usage, 3 a verdict worse than --fail-under.
"""

from dowgan.cli import modelling, parts, reports, studies  # each adds its commands
from dowgan.cli.program import app, main, run

__all__ = ["app", "main", "modelling", "parts", "reports", "run", "studies"]
