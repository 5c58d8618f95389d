"""Commands that make a model, and the three verbs."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dowgan.cli.checks import check_file, check_tables, pairs
from dowgan.cli.options import (
    AsJson,
    Budget,
    Conditions,
    Data,
    Given,
    Missing,
    ModelFile,
    Out,
    Quiet,
    Runs,
    Seed,
    Settings,
    Time,
    Where,
    Whole,
)
from dowgan.cli.program import app, talk
from dowgan.cli.showing import show

if TYPE_CHECKING:
    from dowgan.synthesizer import Synthesizer

DEFAULT_MODEL = "model.dowgan"


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
    check_file(out, [data, *(name for name in (start, recipe) if name)])
    roles = tuple(runs or ()), tuple(conditions or ())
    table = read(data, time=time, runs=roles[0], conditions=roles[1], missing=tuple(missing or ()))
    show(table, quiet)
    with Progress(quiet, config.train.budget) as progress, tracking(track, config, progress.update, talk) as update:
        model = Synthesizer(recipe, asked, time, *roles, seed, update, start, tell=progress.tell)
        try:
            model.fit_table(table, config)
        except KeyboardInterrupt:
            if not hasattr(model, "model_"):
                raise
            talk("interrupted before the calibration was done: the model so far is saved without it", quiet)
    model.save(out)
    _tell_fit(model, out, as_json, quiet)


def _tell_fit(model: "Synthesizer", out: str, as_json: bool, quiet: bool) -> None:
    from dowgan.progress import gain

    record = model.model_.training
    talk(f"fitted in {model.fit_seconds_:.0f} s: {record.stopped}", quiet)
    for note in (n for n in model.model_.notes if n.startswith(("transfer:", "window:"))):
        talk(note, quiet)
    for rule in model.model_.rules:
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
        Whole | None,
        Parameter(name=["--rows", "-n"], help="Rows in all, or of each run with --runs; the table's if left out."),
    ] = None,
    runs: Annotated[Whole | None, Parameter(name="--runs", help="How many independent runs.")] = None,
    out: Out = "-",
    start: Annotated[str | None, Parameter(name="--start", help="First clock value; the table's if left out.")] = None,
    where: Where = None,
    given: Given = None,
    gaps: Annotated[
        bool,
        Parameter(
            name="--gaps", negative="", show_default=False, help="Leave cells empty in the pattern of the table's own."
        ),
    ] = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Write a synthetic table: same columns, kinds, units and step as the fitted one."""
    from dowgan.synthesizer import load
    from dowgan.table import write

    check_tables([out], [model, *([given] if given else [])])
    fitted = load(model)
    frame, _ = fitted.generated(rows, runs, start, pairs(where), given, seed, gaps)
    write(frame, fitted.schema, out, forbidden=[model, *([given] if given else [])])
    talk(f"wrote {len(frame):,} synthetic rows to {_named(out)}", quiet)
    if gaps and not fitted.model_.gaps.columns:
        talk("note: no cell of the fitted table is empty, so --gaps leaves none empty", quiet)


def _named(path: str) -> str:
    return "stdout" if path == "-" else path


@app.command(sort_key=2, help_epilogue="Example: dowgan densify my.dowgan data.csv --every 10min -o finer.csv")
def densify(
    model: ModelFile,
    data: Data,
    /,
    *,
    factor: Annotated[Whole | None, Parameter(name="--factor", help="New steps per old step.")] = None,
    every: Annotated[str | None, Parameter(name="--every", help="The new step instead, such as 10min.")] = None,
    out: Out = "-",
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Write a table at a finer step; every value that was there is kept."""
    from dowgan.synthesizer import load
    from dowgan.table import read, write

    check_tables([out], [model, data])
    fitted = load(model)
    table = read(data, schema=fitted.schema)
    frame, schema, notes = fitted.densified(table, factor, every, seed)
    write(frame, schema, out, forbidden=[model, data])
    talk(f"wrote {len(frame):,} rows ({table.known_rows:,} of them as they came) to {_named(out)}", quiet)
    for note in notes:
        talk(f"note: {note}", quiet)


@app.command(sort_key=3, help_epilogue="Example: dowgan extend my.dowgan data.csv --steps 52 --bands 0.9 -o later.csv")
def extend(
    model: ModelFile,
    data: Annotated[
        str | None,
        Parameter(allow_leading_hyphen=True, help="Table to go on from; the fitted table's end if left out."),
    ] = None,
    /,
    *,
    steps: Annotated[Whole, Parameter(name="--steps", help="Rows to add to each run.")],
    paths: Annotated[Whole, Parameter(name="--paths", help="Joint sample paths behind median and bands.")] = 200,
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
    check_tables([out, *([paths_out] if paths_out else [])], inputs)
    fitted = load(model)
    table = read(data, schema=fitted.schema) if data else None
    result = fitted.extended(table, steps, paths, pairs(where), given, seed)
    made = result.median if bands is None else result.band(bands)
    every = result.paths if paths_out else None
    write(made, result.schema, out, forbidden=inputs)
    talk(f"wrote {len(made):,} rows to {_named(out)}", quiet)
    if paths_out and every is not None:
        write(every, result.schema, paths_out, forbidden=inputs)
        talk(f"wrote {paths} paths to {paths_out}", quiet)
