"""The command line: options in, one call, a table or a text out. stdout is data, stderr is talk.

Exit codes: 0 done, 1 a mistake of the user in one line, 2 wrong usage, 3 a verdict worse than --fail-under.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from dowgan import __version__
from dowgan.errors import OptionError, UserError

if TYPE_CHECKING:
    from dowgan.report import Report
    from dowgan.synthesizer import Synthesizer
    from dowgan.table import Table

DEFAULT_MODEL = "model.dowgan"
BELOW = 3  # exit code of a verdict worse than asked for

app = App(
    name="dowgan",
    version=__version__,
    help="Synthetic, finer and longer time series from one fitted model, on your own table.",
    suppress_keyboard_interrupt=False,
    help_epilogue="First: dowgan fit data.csv -o my.dowgan, then: dowgan generate my.dowgan -n 1000 -o new.csv",
)

Data = Annotated[
    str, Parameter(allow_leading_hyphen=True, help="Table: .csv, .csv.gz, .tsv, .parquet, or - for a CSV on stdin.")
]
ModelFile = Annotated[str, Parameter(help="Model file made by `dowgan fit`.")]
Out = Annotated[
    str,
    Parameter(
        name=["--out", "-o"], allow_leading_hyphen=True, help="Output: .csv, .csv.gz, .parquet, or - for stdout."
    ),
]
Time = Annotated[str | None, Parameter(name="--time", help="Time column; found by itself if left out.")]
Runs = Annotated[
    list[str] | None,
    Parameter(name="--run", negative="", help="Column whose values tell runs, batches or units apart; repeatable."),
]
Conditions = Annotated[
    list[str] | None,
    Parameter(name="--condition", negative="", help="Column that is given rather than generated; repeatable."),
]
Missing = Annotated[
    list[str] | None,
    Parameter(
        name="--missing",
        negative="",
        allow_leading_hyphen=True,
        help="Number or word that stands for a missing value, such as -200; repeatable.",
    ),
]
Recipe = Annotated[str, Parameter(name="--recipe", help="Name of a recipe (`dowgan list recipes`) or a TOML file.")]
Settings = Annotated[
    list[str] | None,
    Parameter(name="--set", negative="", help="One setting, KEY=VALUE, such as train.steps=2000; repeatable."),
]
Seed = Annotated[int, Parameter(name="--seed", help="Seed of all randomness: same seed, same bytes.")]
Budget = Annotated[str | None, Parameter(name="--budget", help="Longest training time, such as 90s, 5m or 1h.")]
Where = Annotated[
    list[str] | None,
    Parameter(name="--where", negative="", help="Hold a column at a value, COL=VALUE; repeatable."),
]
Given = Annotated[str | None, Parameter(name="--given", help="Table of columns that are given row by row.")]
Quiet = Annotated[bool, Parameter(name="--quiet", negative="", show_default=False, help="Say nothing but errors.")]
Resume = Annotated[
    bool, Parameter(name="--resume", negative="", show_default=False, help="Go on with what the folder holds.")
]
Workers = Annotated[int | None, Parameter(name="--workers", help="Processes; as many as processors if left out.")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Scores as JSON on stdout.")]
Slow = Annotated[
    bool, Parameter(name="--slow", negative="", show_default=False, help="Also the scores that train networks.")
]


def talk(text: str, quiet: bool = False) -> None:
    """Print a line of talk to stderr."""
    if not quiet:
        sys.stderr.write(text + "\n")


def _pairs(texts: Sequence[str] | None) -> dict[str, str]:
    out = {}
    for text in texts or ():
        name, sign, value = text.partition("=")
        if not sign:
            raise OptionError(f"'{text}' holds nothing; write COL=VALUE, such as --where grade=B.")
        out[name] = value
    return out


def _show(table: "Table", quiet: bool) -> None:
    """What was understood of the table, and how to change it."""
    if quiet:
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table as Grid

    from dowgan.table import describe

    said = describe(table)
    grid = Grid(box=box.SIMPLE_HEAD, title=f"{said.size}; clock: {said.clock}", title_justify="left")
    for name in ("column", "kind", "rules", "missing", "first value"):
        grid.add_column(name, overflow="fold")
    for line in said.lines:
        grid.add_row(line.name, line.kind, line.rules, line.missing, line.example)
    console = Console(stderr=True)
    console.print(grid)
    for note in said.notes:
        console.print(f"note: {note}", markup=False)
    console.print("To change this: --time COL, --run COL, --condition COL, --missing VALUE.", style="dim")


@app.command(
    sort_key=0, help_epilogue="Example: dowgan fit data.csv --run batch --condition grade --budget 5m -o my.dowgan"
)
def fit(
    data: Data,
    /,
    *,
    out: Annotated[str, Parameter(name=["--out", "-o"], help="Model file to write.")] = DEFAULT_MODEL,
    time: Time = None,
    runs: Runs = None,
    conditions: Conditions = None,
    missing: Missing = None,
    recipe: Annotated[
        str | None,
        Parameter(
            name="--recipe",
            help="Name of a recipe (`dowgan list recipes`) or a TOML file; flagship if left out, with --from that of "
            "the model to begin with.",
        ),
    ] = None,
    settings: Settings = None,
    budget: Budget = None,
    seed: Seed = 0,
    start: Annotated[
        str | None, Parameter(name="--from", help="Begin with the weights of a model of a like table, or library:NAME.")
    ] = None,
    track: Annotated[
        str | None,
        Parameter(name="--track", help="Also pass the training's figures on: tensorboard:FOLDER or mlflow:URI."),
    ] = None,
    dry_run: Annotated[
        bool, Parameter(name="--dry-run", negative="", show_default=False, help="Print the resolved recipe and stop.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fit a table: print what was understood, then progress, then scores; write a model file."""
    from dowgan.config import seconds
    from dowgan.progress import Progress
    from dowgan.synthesizer import Synthesizer, configured
    from dowgan.table import read
    from dowgan.track import tracking

    asked = list(settings or ()) + ([f"train.budget={seconds(budget)}"] if budget else [])
    config = configured(recipe, asked, start)
    if recipe is None and start is not None:
        talk(f"recipe: {config.recipe}, that of {start}; --recipe NAME takes another", quiet)
    if dry_run:
        sys.stdout.write(config.to_toml())
        return
    _check_file(out, [data, *([start] if start else [])])
    roles = tuple(runs or ()), tuple(conditions or ())
    table = read(data, time=time, runs=roles[0], conditions=roles[1], missing=tuple(missing or ()))
    _show(table, quiet)
    with Progress(quiet, config.train.budget) as progress, tracking(track, config, progress.update, talk) as update:
        model = Synthesizer(recipe, asked, time, *roles, seed, update, start)
        try:
            model.fit_table(table, config)
        except KeyboardInterrupt:
            if not hasattr(model, "model_"):
                raise
            talk("interrupted before the calibration was done: the model so far is saved without it", quiet)
    model.save(out)
    _tell_fit(model, out, as_json, quiet)


def _check_target(path: str, inputs: Sequence[str]) -> None:
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


def _check_file(path: str, inputs: Sequence[str]) -> None:
    """Refuse early what could not be written in the end, stdout included: this is no table."""
    if path == "-":
        raise OptionError("This is no table and cannot go to stdout; give a file with -o.")
    _check_target(path, inputs)


def _check_tables(paths: Sequence[str], inputs: Sequence[str]) -> None:
    """Refuse early tables that could not be written in the end, or only one over the other."""
    from dowgan.table.writing import ENDINGS

    for path in paths:
        _check_target(path, inputs)
        if path != "-" and not Path(path).name.lower().endswith(ENDINGS):
            raise OptionError(f"'{path}' is no kind of table that can be written: it must end in {', '.join(ENDINGS)}.")
    if len({Path(path).resolve() for path in paths}) < len(paths):
        raise OptionError(f"Two outputs go to '{paths[0]}'; give each a place of its own.")


def _tell_fit(model: "Synthesizer", out: str, as_json: bool, quiet: bool) -> None:
    from dowgan.progress import gain

    record = model.model_.training
    talk(f"fitted in {model.fit_seconds_:.0f} s: {record.stopped}", quiet)
    for note in (n for n in model.model_.notes if n.startswith(("transfer:", "window:"))):
        talk(note, quiet)
    names = [c.name for c in model.schema.channels]
    for rule in (*model.model_.relations.words(names), *model.model_.totals.words(names)):
        talk(f"rule found: {rule}", quiet)
    brought = gain(model.model_)
    if brought is not None:
        talk(brought, quiet)
    talk(f"wrote {out}; next: dowgan generate {out} -n 1000 -o new.csv", quiet)
    if as_json:
        figures = {
            "seconds": model.fit_seconds_,
            "chosen_step": record.chosen,
            "fidelity": dict(zip(record.checks, record.fidelity, strict=True)).get(record.chosen),
            "fidelity_prior": record.fidelity[0] if record.fidelity else None,
        }
        sys.stdout.write(json.dumps(figures | {"model": out}) + "\n")


@app.command(sort_key=1, help_epilogue="Example: dowgan generate my.dowgan -n 5000 --where grade=B -o new.csv")
def generate(
    model: ModelFile,
    /,
    *,
    rows: Annotated[
        int | None,
        Parameter(name=["--rows", "-n"], help="Rows in all, or of each run with --runs; the table's if left out."),
    ] = None,
    runs: Annotated[int | None, Parameter(name="--runs", help="How many independent runs.")] = None,
    out: Out = "-",
    start: Annotated[str | None, Parameter(name="--start", help="First clock value; the table's if left out.")] = None,
    where: Where = None,
    given: Given = None,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Write a synthetic table: same columns, kinds, units and step as the fitted one."""
    from dowgan.synthesizer import load
    from dowgan.table import write

    _check_tables([out], [model, *([given] if given else [])])
    fitted = load(model)
    frame, _ = fitted.generated(rows, runs, start, _pairs(where), given, seed)
    write(frame, fitted.schema, out, forbidden=[model, *([given] if given else [])])
    talk(f"wrote {len(frame):,} synthetic rows to {_named(out)}", quiet)


def _named(path: str) -> str:
    return "stdout" if path == "-" else path


@app.command(sort_key=2, help_epilogue="Example: dowgan densify my.dowgan data.csv --every 10min -o finer.csv")
def densify(
    model: ModelFile,
    data: Data,
    /,
    *,
    factor: Annotated[int | None, Parameter(name="--factor", help="New steps per old step.")] = None,
    every: Annotated[str | None, Parameter(name="--every", help="The new step instead, such as 10min.")] = None,
    out: Out = "-",
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Write a table at a finer step; every value that was there is kept."""
    from dowgan.synthesizer import load
    from dowgan.table import read, write

    _check_tables([out], [model, data])
    fitted = load(model)
    table = read(data, schema=fitted.schema)
    frame, schema = fitted.densified(table, factor, every, seed)
    write(frame, schema, out, forbidden=[model, data])
    talk(f"wrote {len(frame):,} rows ({table.rows:,} of them as they came) to {_named(out)}", quiet)


@app.command(sort_key=3, help_epilogue="Example: dowgan extend my.dowgan data.csv --steps 52 --bands 0.9 -o later.csv")
def extend(
    model: ModelFile,
    data: Annotated[
        str | None,
        Parameter(allow_leading_hyphen=True, help="Table to go on from; the fitted table's end if left out."),
    ] = None,
    /,
    *,
    steps: Annotated[int, Parameter(name="--steps", help="Rows to add to each run.")],
    paths: Annotated[int, Parameter(name="--paths", help="Joint sample paths behind median and bands.")] = 200,
    bands: Annotated[
        float | None,
        Parameter(name="--bands", help="Also columns NAME_lo90, NAME_hi90 for a coverage of 0.9."),
    ] = None,
    paths_out: Annotated[str | None, Parameter(name="--paths-out", help="Also write every path here.")] = None,
    out: Out = "-",
    where: Where = None,
    given: Given = None,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Write the rows that follow: the median of joint paths, on request with bands and the paths."""
    from dowgan.synthesizer import load
    from dowgan.table import read, write

    inputs = [model, *([data] if data else []), *([given] if given else [])]
    _check_tables([out, *([paths_out] if paths_out else [])], inputs)
    fitted = load(model)
    table = read(data, schema=fitted.schema) if data else None
    result = fitted.extended(table, steps, paths, _pairs(where), given, seed)
    write(result.median if bands is None else result.band(bands), result.schema, out, forbidden=inputs)
    talk(f"wrote {len(result.median):,} rows to {_named(out)}", quiet)
    if paths_out:
        write(result.paths, result.schema, paths_out, forbidden=inputs)
        talk(f"wrote {paths} paths to {paths_out}", quiet)


FailUnder = Annotated[
    Literal["good", "look"] | None,
    Parameter(name="--fail-under", help="Exit with code 3 if the verdict of a verb or tag is worse: good or look."),
]


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

    _check_file(out, [model, data])
    result = load(model).report(data, slow=slow)
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
    slow: Slow = False,
    fail_under: FailUnder = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Judge any generator's table against a real one; no model is needed."""
    from dowgan.report import compare as judge

    _check_file(out, [real, synthetic])
    found = judge(real, synthetic, slow=slow, time=time, runs=runs or (), conditions=conditions or ())
    return _give_report(found, out, fail_under, as_json, quiet)


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
    budget: Budget = "1m",
    seed: Seed = 0,
) -> None:
    """Do all of it once, on a simulated plant or on your table: fit, generate, densify, extend, report."""
    from dowgan.showcase import run_demo

    roles = tuple(runs or ()), tuple(conditions or ())
    run_demo(data, Path(folder), time, *roles, budget, seed, talk, lambda table: _show(table, False))


@app.command(
    sort_key=7, help_epilogue="Example: dowgan study data.csv --grid train.epochs=100,500 --grid train.lr=0.01,0.001"
)
def study(
    data: Data,
    /,
    *,
    grid: Annotated[
        list[str],
        Parameter(
            name="--grid", negative="", help="An axis, KEY=VALUE,VALUE, such as train.epochs=100,500; repeatable."
        ),
    ],
    out: Annotated[str, Parameter(name=["--out", "-o"], help="Folder of the results.")] = "study",
    recipe: Recipe = "dense-gan",
    settings: Settings = None,
    seeds: Annotated[int, Parameter(name="--seeds", help="How many seeds each point is trained with.")] = 3,
    time: Time = None,
    runs: Runs = None,
    conditions: Conditions = None,
    workers: Workers = None,
    resume: Resume = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train every point of a grid of settings: a table, and a figure of losses and fidelity."""
    from dowgan.study import FIGURE, TABLE, lay_out, parse_grid, rows_of, run_study
    from dowgan.table import read
    from dowgan.workers import processors

    axes = parse_grid(grid)
    lay_out(axes, recipe, settings or (), range(1), "")  # options first, then the table
    table = read(data, time=time, runs=tuple(runs or ()), conditions=tuple(conditions or ()))
    trials = lay_out(axes, recipe, settings or (), range(_at_least_one(seeds, "seeds")), table.digest)
    done = run_study(table, trials, Path(out), workers or processors(), resume, lambda text: talk(text, quiet))
    talk(f"wrote {Path(out) / TABLE} and {Path(out) / FIGURE}", quiet)
    if as_json:
        sys.stdout.write(json.dumps(rows_of(done)) + "\n")


def _at_least_one(count: int, noun: str) -> int:
    if count < 1:
        raise OptionError(f"{count} {noun} are not possible; ask for at least 1.")
    return count


@app.command(sort_key=8, help_epilogue="Example: dowgan search data.csv --trials 20 --budget 30m")
def search(
    data: Data,
    /,
    *,
    trials: Annotated[int, Parameter(name="--trials", help="Trials in total, with those of earlier calls.")] = 50,
    budget: Annotated[str | None, Parameter(name="--budget", help="Time for all of it, such as 30m.")] = None,
    out: Annotated[str, Parameter(name=["--out", "-o"], help="Folder of the results.")] = "search",
    recipe: Recipe = "adversarial",
    settings: Settings = None,
    against: Annotated[str | None, Parameter(name="--against", help="Weigh fidelity against this too: time.")] = None,
    storage: Annotated[
        str | None, Parameter(name="--storage", help="Optuna storage, such as postgresql://...; a journal if left out.")
    ] = None,
    time: Time = None,
    runs: Runs = None,
    conditions: Conditions = None,
    seed: Seed = 0,
    workers: Workers = None,
    resume: Resume = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Search for the settings with the best held-out fidelity; --set holds a setting. Needs Optuna."""
    from time import time as now

    from dowgan.config import seconds
    from dowgan.search import JOURNAL, Task, best_of, run_search
    from dowgan.table import read
    from dowgan.workers import processors

    end = None if budget is None else now() + seconds(budget)
    folder = Path(out)
    task = Task(recipe, tuple(settings or ()), against, storage or str(folder / JOURNAL), seed, end)
    table = read(data, time=time, runs=tuple(runs or ()), conditions=tuple(conditions or ()))
    count = _at_least_one(trials, "trials")
    best = run_search(table, task, count, folder, workers or processors(), resume, lambda text: talk(text, quiet))
    talk(f"wrote {best}; next: dowgan fit {data} --recipe {best}", quiet)
    if as_json:
        sys.stdout.write(json.dumps(best_of(folder)) + "\n")


@app.command(name="app", sort_key=9, help_epilogue="Example: dowgan app --port 8600")
def web(
    *,
    port: Annotated[int, Parameter(name="--port", help="Port of the page.")] = 8501,
    address: Annotated[
        str, Parameter(name="--address", help="What the page listens on; localhost is this machine alone.")
    ] = "localhost",
    limit: Annotated[int, Parameter(name="--upload-limit", help="Most megabytes of an uploaded file.")] = 200,
    browser: Annotated[bool, Parameter(name="--browser", help="Open a browser.")] = True,
) -> None:
    """Serve the web page: the whole work without code. Needs Streamlit: pip install 'dowgan[app]'."""
    from dowgan.app import serve

    serve(address, port, limit, browser, talk)


@app.command(name="list", sort_key=10, help_epilogue="Example: dowgan list recipes")
def list_parts(
    kind: Annotated[
        str | None, Parameter(help="nets, objectives, noises, recipes, metrics, library or settings.")
    ] = None,
    /,
) -> None:
    """List what can be named in options: nets, objectives, noises, recipes, metrics, library, settings."""
    from dowgan.catalogue import catalogue

    for name, entries in catalogue(kind).items():
        sys.stdout.write(f"{name}\n")
        for entry, text in entries.items():
            sys.stdout.write(f"  {entry:<28} {text}\n".rstrip() + "\n")


def main(tokens: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code."""
    sys.exit(run(sys.argv[1:] if tokens is None else tokens))


def _one_line(error: Exception) -> str:
    """An error on one line; what a file holds cannot act on the terminal."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(str(error).split()))


def run(tokens: Sequence[str]) -> int:
    """Run a command; return 0 done, 1 the user's mistake (one line on stderr), 2 wrong usage, 3 a verdict too bad."""
    try:
        code = app(list(tokens), exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        talk(f"dowgan: {_one_line(error)} See dowgan --help.")
        return 2
    except UserError as error:
        talk(f"dowgan: {_one_line(error)}")
        return 1
    except KeyboardInterrupt:
        talk("dowgan: interrupted; nothing was written.")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer has nowhere to go
        return 0
    return code if code == BELOW else 0
