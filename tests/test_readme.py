"""The README holds no figure that a results file does not hold, and names no file that is not there."""

import json
import re
import runpy
from pathlib import Path

from dowgan.cli import app

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_figures_are_those_of_the_results_file() -> None:
    script = runpy.run_path(str(ROOT / "bench/readme.py"))
    for page, mark, file, write in script["TABLES"]:
        first, last = script["marks"](mark)
        results = json.loads((ROOT / "bench/results" / file).read_text())["results"]
        text = (ROOT / page).read_text(encoding="utf-8")
        assert text.split(first)[1].split(last)[0] == write(results), "run: python bench/readme.py"


def test_the_tree_is_the_tree() -> None:
    tree = TEXT.split("src/dowgan/\n")[1].split("tests/")[0]
    named = [
        word.rstrip("/")
        for line in tree.splitlines()
        for word in re.findall(r"[a-z]+(?:\.py|/)", line.strip().split("  ")[0])
    ]
    there = {p.name for p in (ROOT / "src/dowgan").iterdir()} - {
        "__init__.py",
        "__main__.py",
        "__pycache__",
        "py.typed",
    }
    assert set(named) == there


def test_every_command_that_is_named_exists() -> None:
    named = set(re.findall(r"^\$? ?dowgan ([a-z]+)", TEXT, re.M))
    assert named <= set(app)
    assert {"fit", "generate", "densify", "extend", "report", "compare"} <= named
    assert (ROOT / re.search(r"\]\((docs/.*?png)\)", TEXT)[1]).is_file()  # type: ignore[index]
