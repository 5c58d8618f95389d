"""Commands that judge, and the demo."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from dowgan.cli.checks import check_file
from dowgan.cli.options import (
    AsJson,
    Budget,
    Conditions,
    Data,
    FailUnder,
    Missing,
    ModelFile,
    Quiet,
    Runs,
    Seed,
    Slow,
    Time,
)
from dowgan.cli.program import BELOW, app, kept, talk
from dowgan.cli.showing import show

if TYPE_CHECKING:
    from dowgan.report import Report


@app.command(sort_key=4, help_epilogue="Example: dowgan report my.dowgan data.csv -o report.html")
def report(
    model: ModelFile,
    data: Data,
    /,
    *,
    out: Annotated[str, Parameter(name=["--out", "-o"], help="HTML file to write.")] = "report.html",
    slow: Slow = False,
    fail_under: FailUnder = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Test all three verbs on rows that the model has not seen, and write an HTML report."""
    from dowgan.synthesizer import load

    check_file(out, [model, data])
    result = load(model).report(data, slow=slow, tell=_teller(quiet))
    return _give_report(result, out, fail_under, as_json, quiet)


@app.command(sort_key=5, help_epilogue="Example: dowgan compare data.csv new.csv -o compare.html")
def compare(
    real: Annotated[str, Parameter(help="The real table.")],
    synthetic: Annotated[str, Parameter(help="The table to be judged, from any generator.")],
    /,
    *,
    out: Annotated[str, Parameter(name=["--out", "-o"], help="HTML file to write.")] = "report.html",
    time: Time = None,
    runs: Runs = None,
    conditions: Conditions = None,
    missing: Missing = None,
    slow: Slow = False,
    fail_under: FailUnder = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Judge any generator's table against a real one; no model is needed."""
    from dowgan.report import compare as judge

    check_file(out, [real, synthetic])
    found = judge(real, synthetic, slow, time, runs or (), conditions or (), missing or (), _teller(quiet))
    return _give_report(found, out, fail_under, as_json, quiet)


def _teller(quiet: bool) -> Callable[[str], None]:
    """What says how the judging gets on: its stages, which are phrases, and not each score by its name."""
    return lambda text: talk(f"{text} ...", quiet or " " not in text)


def _give_report(result: "Report", out: str, least: Literal["good", "look"] | None, as_json: bool, quiet: bool) -> int:
    """Write and tell a report; return the exit code."""
    result.to_html(out)
    for sentence in result.verdict:
        talk(str(sentence), quiet)
    if "transfer" in result.scores["about"]:
        talk(f"transfer: {result.scores['about']['transfer']}", quiet)
    talk(f"wrote {out}", quiet)
    if as_json:
        sys.stdout.write(result.to_json() + "\n")
    return 0 if least is None or result.holds(least) else BELOW


@app.command(
    sort_key=6, help_epilogue="Example: dowgan demo; or on a table of your own: dowgan demo data.csv --budget 2m"
)
def demo(
    data: Annotated[str | None, Parameter(help="A table; a simulated plant if left out.")] = None,
    /,
    *,
    folder: Annotated[str, Parameter(name="--folder", help="Where the results go.")] = "demo",
    time: Time = None,
    runs: Runs = None,
    conditions: Conditions = None,
    missing: Missing = None,
    budget: Budget = "1m",
    seed: Seed = 0,
) -> None:
    """Do all of it once, on a simulated plant or on your table: fit, generate, densify, extend, report."""
    from dowgan.showcase import run_demo

    roles = tuple(runs or ()), tuple(conditions or ()), tuple(missing or ())
    with kept(f"what was finished is in {folder}"):
        run_demo(data, Path(folder), time, *roles, budget, seed, talk, lambda table: show(table, False))
