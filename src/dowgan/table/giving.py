"""Arrays by run, back into the user's own kind of frame."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from dowgan.errors import ContractError
from dowgan.table import almanac
from dowgan.table.calendar import UNITS, YEAR_DAYS, known, years
from dowgan.table.cells import TEXT
from dowgan.table.clock import Clock
from dowgan.table.rules import keep
from dowgan.table.schema import Column, Run, Schema, is_missing
from dowgan.table.stamps import extend, render

_STRINGS = ("string", "string[python]", "string[pyarrow]", "large_string[pyarrow]")
_SIZES = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "day of the year": 86400, "month": 31 * 86400}
SHOWN = 3  # names of columns in a note
_NULLS: dict[str, object] = {"nan": np.nan, "None": None, "NA": pd.NA, "NaT": pd.NaT}


def to_frame(schema: Schema, runs: Sequence[Run], *, lead: tuple[str, Iterable[object]] | None = None) -> pd.DataFrame:
    """The inverse of `read`: clock, run columns, constants, dtypes, categories; values are brought within their rules.

    Args:
        runs: values [T C] of the schema's channels, by run.
        lead: name and labels (one per run) of a column to put first, such as ("path", range(200)).

    Raises:
        ContractError: a column of whole numbers without room for missing values has one.
    """
    lengths = [len(run.values) for run in runs]
    times = _times(schema.clock, runs)
    values = np.concatenate([run.values for run in runs])  # [N C]
    channel = {column.name: i for i, column in enumerate(schema.channels)}
    key = {name: i for i, name in enumerate(schema.run_names)}
    columns: dict[str, Any] = {}
    if lead is not None:
        columns[lead[0]] = np.repeat(np.array(list(lead[1])), lengths)
    for column in schema.columns:
        if column.role == "time":
            columns[column.name] = clock_values(schema.clock, times, column.dtype)
        elif column.told:
            columns[column.name] = told_values(column, schema.clock, times)
        elif column.role == "run":
            columns[column.name] = _keys(column, [run.key[key[column.name]] for run in runs], lengths)
        elif column.kind == "constant":
            columns[column.name] = _constant(column, len(values))
        else:
            columns[column.name] = restored(column, keep(column, values[:, channel[column.name]]))
    frame = pd.DataFrame(columns)
    frame = _ordered(frame, schema, times, lengths)
    return frame


def with_faults(schema: Schema, runs: Sequence[Run], factor: int) -> tuple[Schema, list[Run]]:
    """Put the faults of given rows back where they stood, and open the bounds of their columns for them.

    Args:
        runs: values [N C] of a series that has so many steps for one of the table, with the table's faults.
        factor: how many.
    """
    places = sorted({place for run in runs for _, place, _ in run.faults})
    if not places:
        return schema, list(runs)
    out, opened = [], schema
    for run in runs:
        values = run.values.copy()
        for place in places:
            values[:, place] = keep(schema.channels[place], values[:, place])
        for row, place, value in run.faults:
            values[row * factor, place] = value
        out.append(replace(run, values=values))
    for place in places:
        opened = opened.with_column(
            replace(schema.channels[place], lower=None, upper=None, step=None, digits=None, levels=())
        )
    return opened, out


def _times(clock: Clock, runs: Sequence[Run]) -> pd.Index:
    starts = pd.Index([run.start for run in runs])
    steps = clock.positions(starts.min(), starts) if clock.even and len(runs) > 1 else None
    if steps is not None:
        return clock.at(
            starts.min(), np.concatenate([s + np.arange(len(r.values)) for s, r in zip(steps, runs, strict=True)])
        )
    parts = [clock.times(run.start, len(run.values)) for run in runs]
    return parts[0] if len(parts) == 1 else parts[0].append(parts[1:])


def _ordered(frame: pd.DataFrame, schema: Schema, times: pd.Index, lengths: Sequence[int]) -> pd.DataFrame:
    """The frame with its index, and with its rows in turns if the runs take turns in the table."""
    clock = schema.clock
    if schema.source.interleaved and len(lengths) > 1:
        places = np.concatenate([np.arange(n) for n in lengths]) if clock.kind == "row" else times
        order = np.asarray(pd.Index(places).argsort(kind="stable"))
        frame, times = frame.iloc[order].reset_index(drop=True), times[order]
    if clock.in_index and clock.kind != "row":
        frame.index = _index(clock, times)
    else:
        start, step = schema.source.index
        start, step = (int(times[0]), int(clock.step)) if clock.kind == "row" and len(times) else (start, step)
        frame.index = pd.RangeIndex(start, start + step * len(frame), step, name=schema.source.index_name)
    return frame


def _index(clock: Clock, times: pd.Index) -> pd.Index:
    values = clock_values(clock, times, clock.dtype)
    index = pd.Index(values, dtype=values.dtype, name=clock.column or None)
    if clock.freq is None or not isinstance(index, pd.DatetimeIndex):
        return index
    try:
        return pd.DatetimeIndex(index, freq=clock.freq, name=index.name)
    except ValueError:  # several runs, or a freq with holidays
        return index


def clock_values(clock: Clock, times: pd.Index, dtype: str) -> Any:
    """Clock values [N] as the table held them: times, text, or numbers."""
    if clock.kind != "datetime":
        return times.astype(dtype or times.dtype)
    assert isinstance(times, pd.DatetimeIndex)
    if dtype.startswith("object:"):
        return _boxed(times.date if dtype == "object:date" else times.to_pydatetime(), "object")
    if dtype.startswith("timestamp"):  # Arrow
        return pd.array(times, dtype=dtype)  # type: ignore[call-overload]
    if dtype.startswith("datetime64") or clock.text_format is None:
        return times
    texts = render(times, clock.text_format)
    if dtype.startswith(("int", "uint", "Int", "UInt")):
        return pd.array([int(text) for text in texts], dtype=dtype)  # type: ignore[call-overload]
    return pd.Categorical(texts) if dtype == "category" else _boxed(texts, dtype)


def told_values(column: Column, clock: Clock, times: pd.Index) -> Any:
    """Values [N] of a column that the clock tells, as the table held them."""
    assert isinstance(times, pd.DatetimeIndex)
    if not almanac.is_text(column):
        return restored(column, almanac.numbers(column, times))
    own = almanac.local(times, column.zone)
    dated = own.normalize() if column.told == almanac.DATE else own
    return clock_values(replace(clock, text_format=column.told), dated, column.dtype)


def _boxed(values: Any, dtype: str) -> Any:
    """Objects or text [N]; a model of pandas 3 may have the dtype "str", which pandas 2 holds as objects."""
    if dtype == "object" or dtype not in (TEXT, *_STRINGS):
        return pd.Series(values, dtype=object).array
    return pd.array(values, dtype=dtype)


def _keys(column: Column, keys: Sequence[object], lengths: Sequence[int]) -> Any:
    if column.kind == "category":
        column = replace(column, levels=tuple(dict.fromkeys((*column.levels, *keys))))
        place = {level: i for i, level in enumerate(column.levels)}  # new runs have labels of their own
        codes = [float(place[key]) for key in keys]
    else:
        codes = [float(key) for key in keys]  # type: ignore[arg-type]
    return restored(column, np.repeat(np.array(codes), lengths))


def _constant(column: Column, rows: int) -> Any:
    if is_missing(column.value):
        if column.dtype == "category":
            return restored(replace(column, kind="category"), np.full(rows, np.nan))
        if column.level_dtype or column.dtype in ("object", "str") or column.dtype.startswith("string"):
            return restored(replace(column, kind="category", levels=()), np.full(rows, np.nan))
        return restored(replace(column, kind="float"), np.full(rows, np.nan))
    if column.levels:
        place = [*column.levels].index(column.value)
        return restored(replace(column, kind="category"), np.full(rows, float(place)))
    kind = "boolean" if isinstance(column.value, bool) else "integer" if isinstance(column.value, int) else "float"
    return restored(replace(column, kind=kind), np.full(rows, float(column.value)))  # type: ignore[arg-type]


def restored(column: Column, values: np.ndarray) -> Any:
    """Numbers [N] that keep the column's rules, in its dtype; codes become labels.

    Raises:
        ContractError: a value is missing where the dtype has no room for that.
    """
    missing = np.isnan(values)
    if column.kind == "category":
        return _labels(column, values, missing)
    dtype = column.dtype
    if missing.any() and (dtype == "bool" or (dtype.startswith(("int", "uint")) and "[" not in dtype)):
        raise ContractError(f"Column '{column.name}' ({dtype}) would get {int(missing.sum())} missing values.")
    if column.kind == "boolean":
        plain: Any = np.where(missing, 0, values).astype(bool)
    elif column.kind == "integer" and not dtype.lower().startswith(("float", "double")):
        plain = _within(dtype, np.where(missing, 0, values))
    else:
        plain = values
    if dtype == "object":
        boxed = np.array(plain.tolist(), dtype=object)
        boxed[missing] = _NULLS[column.null]
        return _boxed(boxed, "object")
    if isinstance(pd.api.types.pandas_dtype(dtype), np.dtype):
        return plain.astype(dtype)
    array: Any = pd.array(plain, dtype=dtype)
    if missing.any():
        array[missing] = pd.NA
    return array


def _within(dtype: str, values: np.ndarray) -> np.ndarray:
    """Whole numbers [N] as int64, no larger than the dtype can hold."""
    plain = dtype.lower().split("[")[0]
    info = np.iinfo(plain if plain.startswith(("int", "uint")) else "int64")
    low, high = max(info.min, -(2**53)), min(int(info.max), 2**53)
    return np.clip(np.rint(values), low, high).astype(np.int64)


def _labels(column: Column, codes: np.ndarray, missing: np.ndarray) -> Any:
    whole = np.where(missing, -1, codes).astype(np.int64)
    if column.dtype == "category":
        categories = pd.Index(list(column.levels), dtype=column.level_dtype or None)
        return pd.Categorical.from_codes(whole, categories=categories, ordered=column.ordered)
    labels = np.array([*column.levels, None], dtype=object)[whole]
    if column.dtype in ("object", "str"):
        labels[missing] = _NULLS[column.null]
    return _boxed(labels, column.dtype)


def _amounts(schema: Schema, factor: int) -> list[str]:
    """A note on columns that may be amounts of a step, such as pieces or cases: what is given is kept, not divided."""
    whole = [c for c in schema.channels if c.role == "value" and c.kind == "integer" and c.lower == 0 and not c.told]
    names = [c.name for c in whole if c.upper is None and c.step is None and (c.counts or not c.levels)]
    if not names:
        return []
    some = ", ".join(f"'{name}'" for name in names[:SHOWN]) + (f" and {len(names) - SHOWN} more" * (len(names) > SHOWN))
    return [
        f"{some}: what is counted per row, such as pieces, is still per old step in the new rows, not 1/{factor} of it"
    ]


def refined(schema: Schema, factor: int) -> tuple[Schema, tuple[str, ...]]:
    """The schema of the same table with `factor` times as many steps, and what had to change in it.

    Raises:
        OptionError: the factor is below 1.
    """
    clock = schema.clock.finer(factor)
    notes = []
    if clock.kind == "float" and schema.clock.kind == "integer":
        notes.append(f"'{clock.column or 'the index'}' becomes fractional: its step is {clock.step:g}")
        clock = replace(clock, dtype="float64" if clock.dtype else "")
    if clock.text_format is not None and clock != schema.clock:
        text_format = extend(clock.text_format, _seconds(clock), clock.divide == 1)
        if text_format != clock.text_format:
            notes.append(f"times in '{clock.column}' are written as {text_format} instead of {clock.text_format}")
        clock = replace(clock, text_format=text_format)
    finer = replace(schema, clock=clock)
    for column in schema.columns:
        if column.role == "time":
            finer = finer.with_column(_finer_time(column, schema.clock, clock))
        elif "%M" in column.told:
            day = "" if "%d" in column.told else "%Y-%m-%d "
            told = extend(day + column.told, _seconds(clock), clock.divide == 1).removeprefix(day)
            notes += [] if told == column.told else [f"'{column.name}' is written as {told} instead of {column.told}"]
            finer = finer.with_column(replace(column, told=told))
    if factor > 1 and clock.parts and not _tells(finer):
        notes.append(f"{clock.called} do not tell the finer times apart: some rows have the same ones")
    if factor > 1:
        notes += _amounts(schema, factor)
    texts = tuple(
        replace(t, decimals=clock.decimals, style="trim") if t.name == clock.column and clock.kind == "float" else t
        for t in schema.source.texts
    )
    return replace(finer, source=replace(schema.source, texts=texts)), tuple(notes)


def _tells(schema: Schema) -> bool:
    """Whether the columns that hold the clock together tell each of its times apart."""
    sizes = (1 if "%S" in part else 60 if "%M" in part else _SIZES.get(part, 366 * 86400) for part in schema.told_parts)
    finest = min(sizes)
    return schema.clock.divide == 1 and _seconds(schema.clock) % finest == 0


def _seconds(clock: Clock) -> float:
    """Mean length of a step in seconds, 0 for whole months."""
    step = known(clock.step)
    if step.kind == "month" and clock.divide == 1:
        return 0.0
    if step.kind in ("tick", "open"):
        return step.count / 1e9 / clock.divide
    days = step.count if step.kind in ("day", "business") else years(step) * YEAR_DAYS
    return days * 86400 / clock.divide


def _finer_time(column: Column, old: Clock, new: Clock) -> Column:
    if new.kind == "float" and old.kind == "integer":
        return replace(column, kind="float", dtype="float64", decimals=new.decimals)
    if new.kind == "float":
        return replace(column, decimals=new.decimals)
    if column.dtype.startswith("datetime64") and new.unit != old.unit:
        assert new.unit in UNITS
        return replace(column, dtype=column.dtype.replace(f"[{old.unit}", f"[{new.unit}"))
    return column
