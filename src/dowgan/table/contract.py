"""The round trip as a contract: an output is checked against the schema before it is written."""

from itertools import pairwise

import numpy as np
import pandas as pd

from dowgan.errors import ContractError
from dowgan.table.almanac import is_text
from dowgan.table.cells import TEXT
from dowgan.table.grid import fit
from dowgan.table.labels import numbering
from dowgan.table.rules import broken
from dowgan.table.schema import Column, Schema, is_missing
from dowgan.table.stamps import parse


def check(frame: pd.DataFrame, schema: Schema, *, rows: int, lead: str | None = None) -> None:
    """Refuse a frame that is not the user's own kind of table.

    Args:
        rows: how many there must be.
        lead: name of a column that may stand before the table's own; its values tell series apart.

    Raises:
        ContractError: columns, their order, dtypes, whole numbers, decimals, categories, bounds, number of rows,
            kind of index or step differ; the text names the column.
    """
    names = [*([lead] if lead is not None else []), *(column.name for column in schema.columns)]
    if list(frame.columns) != names:
        raise ContractError(f"The columns are {_some(list(frame.columns))}, and they must be {_some(names)}.")
    if len(frame) != rows:
        raise ContractError(f"There are {len(frame)} rows, and there must be {rows}.")
    for column in schema.columns:
        _dtype(frame, column)
        if column.role != "time" and not is_text(column):
            _values(frame, column)
    _index(frame, schema)
    _clock(frame, schema, lead)


def _some(names: list[str]) -> str:
    return ", ".join(map(str, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _dtype(frame: pd.DataFrame, column: Column) -> None:
    came, due = frame[column.name].dtype, column.dtype
    if due.startswith("object:") or (due == "str" and TEXT == "object"):
        due = "object"
    if due == "category":
        same = isinstance(came, pd.CategoricalDtype)
    elif due.startswith("datetime64"):  # two libraries of time zones call the same zone by the same name
        same = str(came) == due
    else:
        same = came == pd.api.types.pandas_dtype(due)
    if not same:
        raise ContractError(f"Column '{column.name}' is {came}, and it must be {due}.")


def _values(frame: pd.DataFrame, column: Column) -> None:
    series = frame[column.name]
    if column.kind == "constant":
        wrong = series.notna() if is_missing(column.value) else series != column.value
        if wrong.any():
            raise ContractError(
                f"Column '{column.name}' holds {series[wrong].iloc[0]}, and it must be {column.value} throughout."
            )
        return
    if column.kind == "category":
        _levels(series, column)
        return
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    fault = broken(column, values)
    if fault is not None:
        raise ContractError(f"Column '{column.name}' {fault}.")


def _levels(series: pd.Series, column: Column) -> None:
    if isinstance(series.dtype, pd.CategoricalDtype):
        same = tuple(series.cat.categories) == column.levels and bool(series.cat.ordered) == column.ordered
        if not same:
            raise ContractError(f"Column '{column.name}' has other categories than before.")
        return
    odd = set(series.dropna().unique()) - set(column.levels)
    counted = numbering(column.levels) if odd and column.role == "run" else None
    if counted is not None:
        odd = {label for label in odd if not counted.has(str(label))}
    if odd:
        raise ContractError(f"Column '{column.name}' holds '{min(map(str, odd))}', which is none of its categories.")


def _index(frame: pd.DataFrame, schema: Schema) -> None:
    clock = schema.clock
    timed = clock.in_index and clock.kind != "row"
    name = (clock.column or None) if timed else schema.source.index_name
    if frame.index.name != name:
        raise ContractError(f"The index is called {frame.index.name!r}, and it must be {name!r}.")
    if timed == isinstance(frame.index, pd.RangeIndex):
        raise ContractError(f"The index is a {type(frame.index).__name__}, and it must be {_due(timed)}.")


def _due(timed: bool) -> str:
    return "the clock" if timed else "a RangeIndex"


def _clock(frame: pd.DataFrame, schema: Schema, lead: str | None) -> None:
    clock = schema.clock
    if clock.kind == "row" or clock.parts:
        return
    held = frame.index.to_series() if clock.in_index else frame[clock.column]
    times = _as_clock(held, schema)
    keys = [*([lead] if lead is not None else []), *schema.run_names]
    groups = (
        frame.reset_index(drop=True).groupby(keys, sort=False, observed=True).indices.values()
        if keys
        else [np.arange(len(frame))]
    )
    series = [times[np.sort(rows)] for rows in groups if len(rows)]
    grid = fit(clock, series)
    wrong = grid is None or any(not np.array_equal(steps, np.arange(len(steps))) for steps in grid.steps)
    if wrong:
        place = next((f": after {a} comes {b}" for t in series for a, b in pairwise(t) if b <= a), "")
        raise ContractError(f"The clock in {clock.called} does not go on in steps of {clock.step}{place}.")


def _as_clock(held: pd.Series, schema: Schema) -> pd.Index:
    clock = schema.clock
    if clock.kind != "datetime":
        return pd.Index(held.to_numpy(dtype=np.float64 if clock.kind == "float" else np.int64))
    if pd.api.types.is_datetime64_any_dtype(held.dtype) or clock.text_format is None:
        return pd.DatetimeIndex(held)
    times = parse([str(v) for v in held], clock.text_format)
    if times is None:
        raise ContractError(f"Column '{clock.column}' holds a time that is not written as {clock.text_format}.")
    return times.tz_convert(clock.tz) if clock.tz and times.tz is not None else times
