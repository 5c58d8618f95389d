"""What was understood of a table, in plain data that the command line or the web page shows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dowgan.table.almanac import is_text
from dowgan.table.giving import told_values
from dowgan.table.schema import Column, Schema, Table, is_missing

_KINDS = {"float": "number", "integer": "whole number", "boolean": "true or false"}
_ROLES = {"run": "run", "condition": "condition", "time": "time", "value": ""}

WITHOUT_A_YEAR = {"month", "day", "hour", "minute", "second"}  # what the columns of a clock may tell that has none


@dataclass(frozen=True)
class Line:
    """One column in words: name, kind, rules (unit, levels, bounds, decimals), missing ("4 %" or ""), first value."""

    name: str
    kind: str
    rules: str
    missing: str
    example: str


@dataclass(frozen=True)
class Description:
    """A table in words: its columns, its clock, its size, and what was inferred or changed."""

    lines: tuple[Line, ...]
    clock: str
    size: str
    notes: tuple[str, ...]


def describe(table: Table) -> Description:
    """Say in words what was understood of a table."""
    schema = table.schema
    lines = tuple(_line(column, table) for column in schema.columns)
    runs = len(table.runs)
    count = f"{table.rows:,} rows" + (f" in {runs:,} runs" if schema.run_names else "")
    return Description(lines, clock_line(table), f"{count}, {len(schema.channels)} channels", table.notes)


def clock_line(table: Table) -> str:
    """The clock in one line: where it is, its step, from when to when."""
    clock = table.schema.clock
    if clock.kind == "row":
        return "no clock: rows are numbered (say --time COL if there is one)"
    last = max(clock.at(run.start, np.array([len(run.values) - 1]))[0] for run in table.runs)
    first = min(run.start for run in table.runs)
    step = f"{clock.step}" + (f" / {clock.divide}" if clock.divide > 1 else "")
    extra = [text for text in (clock.tz, clock.text_format) if text]
    if clock.parts and {*table.schema.told_parts} <= WITHOUT_A_YEAR:
        extra.append("some year, as none is told")
    return f"{clock.called}, step {step}, {_shown(first)} to {_shown(last)}" + (
        f" ({', '.join(extra)})" if extra else ""
    )


def _shown(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return str(value).removesuffix(" 00:00:00")
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _line(column: Column, table: Table) -> Line:
    kind = "date or time" if is_text(column) else _KINDS.get(column.kind, column.kind)
    role = _ROLES[column.role]
    kind = role if role == "time" else f"{role}, {kind}" if role else kind
    missing = f"{column.missing:.0%}" if column.missing >= 0.005 else "few" if column.missing else ""
    return Line(column.name, kind, "; ".join(_rules(column, table.schema)), missing, _example(column, table))


def _rules(column: Column, schema: Schema) -> list[str]:
    rules = []
    units = schema.unit(column.name)
    if units:
        rules.append(f"in {units}")
    if column.told:
        rules.append(f"follows the clock ({column.told}{' in ' + column.zone if column.zone else ''})")
    elif column.levels:
        shown = ", ".join(map(str, column.levels[:6]))
        rules.append(f"one of {shown}" + (f" and {len(column.levels) - 6} more" if len(column.levels) > 6 else ""))
    elif column.role not in ("time", "run"):
        rules += [f"at least {column.lower:g}"] if column.lower is not None else []
        rules += [f"at most {column.upper:g}"] if column.upper is not None else []
    if column.step is not None and not column.levels:
        rules.append(f"in steps of {column.step:.10g}")
    elif column.digits is not None:
        rules.append(f"{column.digits} significant digit{'' if column.digits == 1 else 's'}")
    elif column.kind == "float" and column.decimals is not None and column.role == "value":
        rules.append(f"{column.decimals} decimal{'' if column.decimals == 1 else 's'}")
    if column.kind == "constant":
        rules.append("empty" if is_missing(column.value) else "given back as it is")
    return rules


def _example(column: Column, table: Table) -> str:
    schema, run = table.schema, table.runs[0]
    if column.role == "time":
        return _shown(run.start)
    if column.told:
        return _shown(told_values(column, schema.clock, schema.clock.times(run.start, 1))[0])
    if column.role == "run":
        return str(run.key[schema.run_names.index(column.name)])
    if column.kind == "constant":
        return "" if is_missing(column.value) else str(column.value)
    place = [c.name for c in schema.channels].index(column.name)
    known = run.values[~np.isnan(run.values[:, place]), place]
    if not len(known):
        return ""
    if column.kind == "category":
        return str(column.levels[int(known[0])])
    return str(bool(known[0])) if column.kind == "boolean" else f"{known[0]:.10g}"
