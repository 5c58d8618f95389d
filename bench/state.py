"""The state of the code that measures: what a row of a results file was measured by."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@cache
def code(*scripts: str) -> str:
    """The last commit of the program and of some scripts; with a plus if a file has been changed since.

    Args:
        scripts: names in `bench/` that the figures depend on beside the program.
    """
    places = ["src", *(f"bench/{name}.py" for name in scripts)]
    return _said("log", "-1", "--format=%h", "--", *places) + "+" * bool(_said("status", "--porcelain", "--", *places))


def _said(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
