"""Run the commands and the code of the pages and paste what they say beneath: `python docs/pages.py`.

In a block `console` each line that begins with `$ ` is run; `console error` says that it must fail with 1. A block
`python` is run; if a block `text` follows, what was printed goes there. All pages share one folder, in the order of the
site, which begins with `plant.csv`, a small simulated plant.
"""

import contextlib
import io
import os
import re
import shlex
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from dowgan import cli
from dowgan.demo import simulate

DOCS = Path(__file__).resolve().parent
PAGES = ("index.md", "your-csv.md", "verbs.md", "report.md", "recipes.md", "conditions.md", "scale.md", "adding.md")
ROWS = 432  # three days of the plant
FENCE = re.compile(r"^```(console error|console|python)\n(.*?)^```\n(\n```text\n(.*?)^```\n)?", re.M | re.S)
MOST_LINES = 30  # of what a command says


@contextlib.contextmanager
def workshop() -> Iterator[Path]:
    """A folder with the table of the pages, as the current one."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        columns, os.environ["COLUMNS"] = os.environ.get("COLUMNS"), "110"
        try:
            simulate(ROWS).table.to_csv("plant.csv", index=False)
            yield Path(name)
        finally:
            os.chdir(before)
            del os.environ["COLUMNS"]
            if columns is not None:
                os.environ["COLUMNS"] = columns


def played(text: str) -> str:
    """Return a page with the outputs of its blocks as they are now.

    Raises:
        AssertionError: a command ended otherwise than the page says.
    """
    names: dict[str, object] = {}

    def play(found: re.Match[str]) -> str:
        kind, body, shown = found[1], found[2], found[3]
        if kind == "python":
            said = _captured(lambda: exec(compile(body, "page", "exec"), names) or 0)[1]
            return f"```python\n{body}```\n" + (f"\n```text\n{said}```\n" if shown else "")
        expected = int(kind.endswith("error"))
        commands = [line[2:] for line in body.splitlines() if line.startswith("$ ")]
        return f"```{kind}\n" + "".join(f"$ {command}\n{_said(command, expected)}" for command in commands) + "```\n"

    return FENCE.sub(play, text)


def _said(command: str, expected: int) -> str:
    words = shlex.split(command, comments=True)
    if words[0] == "head":
        lines = Path(words[2]).read_text(encoding="utf-8").splitlines()[: int(words[1][1:])]
        return "".join(f"{line}\n" for line in lines)
    assert words[0] == "dowgan", f"the pages run dowgan and head only, not {words[0]}"
    code, said = _captured(lambda: cli.run(words[1:]))
    assert code == expected, f"{command}: ended with {code}\n{said}"
    lines = [line.rstrip() for line in said.splitlines() if not line.endswith("in closed form")]
    cut = [*lines[:MOST_LINES], "..."] if len(lines) > MOST_LINES else lines
    return "".join(f"{line}\n" for line in cut)


def _captured(work: Callable[[], int]) -> tuple[int, str]:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = work()
    out.flush()
    return code, out.buffer.getvalue().decode()  # type: ignore[attr-defined]


def main() -> None:
    """Run every page and write it with its outputs."""
    with workshop():
        for name in PAGES:
            page = DOCS / name
            page.write_text(played(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
