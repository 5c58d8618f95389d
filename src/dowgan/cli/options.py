"""Options that several commands have."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token


def _whole(_: Any, tokens: Sequence[Token]) -> int:
    """A whole number as it is written: 1.5 is none, not 2."""
    try:
        return int(tokens[0].value)
    except ValueError as error:
        raise ValueError(f"'{tokens[0].value}' is no whole number.") from error


Whole = Annotated[int, Parameter(converter=_whole)]

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
Seed = Annotated[Whole, Parameter(name="--seed", help="Seed of all randomness: same seed, same bytes.")]
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
Workers = Annotated[Whole | None, Parameter(name="--workers", help="Processes; as many as processors if left out.")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Scores as JSON on stdout.")]
Slow = Annotated[
    bool, Parameter(name="--slow", negative="", show_default=False, help="Also the scores that train networks.")
]
FailUnder = Annotated[
    Literal["good", "look"] | None,
    Parameter(name="--fail-under", help="Exit with code 3 if the verdict of a verb or tag is worse: good or look."),
]
