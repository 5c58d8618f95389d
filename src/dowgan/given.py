"""What a user gives in advance: values to hold (`--where`), columns row by row (`--given`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from dowgan.conditions import level_of, named_conditions
from dowgan.errors import OptionError, unknown
from dowgan.model import Model
from dowgan.table import Column, Schema
from dowgan.table.rules import significant

if TYPE_CHECKING:
    from pandas import DataFrame

    from dowgan.table.cells import Cells


def code_of(column: Column, text: str) -> float:
    """The number that stands for a value of a column: the level number of a category, 0 or 1 of a truth value.

    Raises:
        OptionError: the column cannot hold it.
    """
    if column.kind in ("float", "integer"):
        try:
            return float(text)
        except ValueError as error:
            raise OptionError(f"'{column.name}' is a number and cannot be held at '{text}'.") from error
    return level_of(column, text)


def given_values(
    model: Model, where: Mapping[str, str], given: DataFrame | None, rows: int | None
) -> Float[np.ndarray, "N C"] | None:
    """The values that are given, NaN elsewhere; None if none are.

    Args:
        model: fitted.
        where: columns that are held; conditions among them are not among the values, they choose regimes.
        given: a table of columns that are given row by row.
        rows: how many are asked for; None for as many as the given table has.

    Raises:
        OptionError: a column or value that the model does not know, or more rows are asked for than are given.
    """
    columns = model.table_schema.channels
    names = [c.name for c in columns]
    for name in where:
        _refuse_told(model.table_schema, name)
        if name in model.table_schema.run_names:
            raise OptionError(f"'{name}' tells runs apart, and generated runs have keys of their own: leave it out.")
        if name not in names:
            raise OptionError(unknown("column", name, names))
    regimes = named_conditions(model, model.table_schema)
    held = {name: code_of(columns[names.index(name)], v) for name, v in where.items() if name not in regimes}
    if given is None and not held:
        return None
    parts = {} if given is None else trajectory(given, model.table_schema)
    if given is not None and rows is not None and len(given) < rows:
        raise OptionError(f"The given table has {len(given)} rows, and {rows} are asked for.")
    count = rows or (max(p.rows for p in model.past) if given is None else len(given))
    fixed = np.full((count, len(names)), np.nan)
    for name, values in parts.items():
        fixed[:, names.index(name)] = values[:count]
    for name, code in held.items():
        fixed[:, names.index(name)] = code
    return fixed


def widened(schema: Schema, fixed: np.ndarray | None) -> Schema:
    """The schema with room for given values [N C], which stand as they were given whatever the table held.

    Raises:
        OptionError: a column of whole numbers is given a fraction, or a value is infinite.
    """
    for place, column in enumerate(schema.channels if fixed is not None else ()):
        assert fixed is not None
        known = np.unique(fixed[~np.isnan(fixed[:, place]), place])
        if column.kind not in ("float", "integer") or not len(known):
            continue
        fractions = known != np.rint(known)
        if column.kind == "integer" and column.dtype.lower().startswith(("float", "double")) and fractions.any():
            column = replace(column, kind="float", decimals=0)  # whole numbers by chance
        odd = known[np.isinf(known) | ((column.kind == "integer") & fractions)]
        if len(odd):
            raise OptionError(f"'{column.name}' cannot be {odd[0]:g}: it is a column of {_KINDS[column.kind]}.")
        exact = column.decimals is None or np.array_equal(np.round(known, column.decimals), known)
        column = replace(
            column,
            step=column.step if column.in_steps(known) else None,
            levels=tuple(np.union1d(np.array(column.levels, float), known).tolist()) if column.levels else (),
            lower=None if column.lower is None else min(column.lower, float(known[0])),
            upper=None if column.upper is None else max(column.upper, float(known[-1])),
            decimals=column.decimals if exact else None,
            digits=None
            if column.digits is None or (significant(known, column.digits) != known).any()
            else column.digits,
        )
        schema = schema.with_column(column)
    return schema


_KINDS = {"float": "finite numbers", "integer": "whole numbers"}


def frame_of(given: DataFrame | str | Path, schema: Schema) -> DataFrame:
    """A given table as a frame; a file is opened as one that is fitted.

    Raises:
        OptionError: there is no such file, or the table holds several runs.
        DataError: it is empty, damaged, or no table.
    """
    import pandas as pd

    from dowgan.table.intake import opened

    if isinstance(given, pd.DataFrame):
        frame = given
    elif not Path(given).is_file():
        raise OptionError(f"There is no file '{given}' with given columns.")
    else:
        frame = pd.DataFrame({cells.name: _plain(cells) for cells in opened(given, schema).columns})
    keys = [name for name in schema.run_names if name in frame.columns]
    several = frame[keys].drop_duplicates() if keys else frame[:0]
    if len(several) > 1:
        raise OptionError(
            f"The given table holds {len(several)} runs, and what is given is one run's course: give the rows of one "
            f"'{keys[-1]}' at a time, with --runs 1."
        )
    return frame


def _plain(cells: Cells) -> Any:
    """The cells of a column as numbers, labels or times."""
    known = ~np.isnan(cells.values)
    if cells.form == "time":
        return cells.times
    if cells.form == "text":
        codes = (int(code) if there else None for code, there in zip(cells.values, known, strict=True))
        return [None if code is None else str(cells.levels[code]) for code in codes]
    return cells.values.astype(np.int64) if cells.whole and known.all() else cells.values


def _refuse_told(schema: Schema, name: str) -> None:
    """Raise an OptionError if the clock tells a column of that name."""
    if any(column.name == name and column.told for column in schema.columns):
        raise OptionError(
            f"Column '{name}' follows the clock and cannot be given: leave it out, or fit with --condition {name}."
        )


def _check_told(frame: DataFrame, schema: Schema) -> None:
    """Refuse a given column that the clock tells, unless it says the same as the clock of the given table.

    Raises:
        OptionError: it says something else, or there is no clock beside it.
    """
    from dowgan.table.giving import told_values

    named = [column for column in schema.columns if column.told and column.name in frame.columns]
    first = first_time(frame, schema) if named else None
    for column in named:
        due = None if first is None else told_values(column, schema.clock, schema.clock.times(first, len(frame)))
        if due is None or frame[column.name].astype(str).tolist() != [str(value) for value in due]:
            _refuse_told(schema, column.name)


def first_time(frame: DataFrame, schema: Schema) -> Any:
    """The clock value of the first row of a given table; None where it has no column of the schema's clock.

    Raises:
        OptionError: its times are not those of the clock, one after another.
        DataError: columns that hold the clock together do not hold times.
    """
    readings = _readings(frame, schema)
    if readings is None:
        return None
    for times in readings:
        steps = schema.clock.positions(times[0], times)
        if steps is not None and np.array_equal(steps, np.arange(len(steps))):
            return times[0]
    raise OptionError(f"The times of the given table must follow one another in steps of {schema.clock.step}.")


def _readings(frame: DataFrame, schema: Schema) -> list[Any] | None:
    """The times of a given table, in every way in which they can be read; None where it has none.

    Raises:
        OptionError: they are not written as the clock is.
        DataError: columns that hold the clock together do not hold times.
    """
    import pandas as pd

    from dowgan.table.frames import from_series
    from dowgan.table.placing import joined

    clock = schema.clock
    if clock.parts and set(clock.parts) <= set(frame.columns):
        return [found.values for found in joined([from_series(frame[name], name) for name in clock.parts], schema)]
    if clock.in_index and clock.kind == "datetime" and isinstance(frame.index, pd.DatetimeIndex):
        texts = frame.index.to_series()
    elif clock.column in frame.columns:
        texts = frame[clock.column]
    else:
        return None
    times = clock.read(texts)
    if times is None:
        raise OptionError(
            f"'{clock.column}' of the given table is not written as the model's clock is: '{texts.iloc[0]}'."
        )
    return [times]


def trajectory(frame: DataFrame, schema: Schema) -> dict[str, np.ndarray]:
    """The columns of a given table that the model knows, as numbers or level numbers.

    Raises:
        OptionError: it has none of them, or a value that a column does not have.
    """
    import pandas as pd

    _check_told(frame, schema)
    names = [c for c in schema.channels if c.name in frame.columns]
    if not names:
        raise OptionError(unknown("column", str(frame.columns[0]), [c.name for c in schema.channels]))
    out = {}
    for column in names:
        if column.kind == "category":
            levels = {str(level): i for i, level in enumerate(column.levels)}
            texts = frame[column.name].astype(str).where(frame[column.name].notna())
            odd = sorted(set(texts.dropna()) - set(levels))
            if odd:
                raise OptionError(f"'{column.name}' has no value '{odd[0]}'. Known: {', '.join(levels)}.")
            out[column.name] = texts.map(levels).to_numpy(dtype=float)
        else:
            numbers = pd.to_numeric(frame[column.name], errors="coerce")
            wrong = frame[column.name][numbers.isna() & frame[column.name].notna()]
            if len(wrong):
                raise OptionError(f"'{column.name}' of the given table holds '{wrong.iloc[0]}', which is no number.")
            out[column.name] = numbers.to_numpy(dtype=float, na_value=np.nan)
    return out
