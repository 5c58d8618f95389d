"""Pandas frames and Parquet files, taken apart into cells."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dowgan.errors import DataError
from dowgan.table.cells import (
    _EXACT,
    STATUS,
    Cells,
    decimals_of,
    mixed,
    numeric,
    refuse_infinite,
    sort_levels,
    too_long,
)
from dowgan.table.schema import Source

_LABELS = (str, bool, int, float, np.bool_, np.integer, np.floating)  # what a category may be made of


@dataclass(frozen=True, eq=False)
class Parts:
    """A table taken apart: columns, the index if it may be a clock, how the table was held, what was changed."""

    columns: tuple[Cells, ...]
    index: Cells | None
    freq: str | None
    source: Source
    notes: tuple[str, ...]


def from_parquet(raw: bytes, path: str) -> tuple[pd.DataFrame, Source]:
    """A Parquet file as a frame, and the Arrow schema to write it with.

    Raises:
        DataError: it is damaged, or holds periods.
    """
    try:  # without a thread: a process that ends beside Arrow's, such as with an error, is aborted now and then
        table = pq.ParquetFile(pa.BufferReader(raw), pre_buffer=False).read(use_threads=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"'{path}' is a damaged Parquet file ({str(error)[:80]}): get it again.") from error
    schema = base64.b64encode(table.schema.serialize().to_pybytes()).decode()
    for i, field in enumerate(table.schema):
        if (field.metadata or {}).get(b"ARROW:extension:name") == b"pandas.period":
            raise DataError(
                f"Column '{field.name}' holds periods, which Parquet keeps as numbers: use to_timestamp() first."
            )
        if pa.types.is_decimal(field.type):
            table = table.set_column(i, field.name, table.column(i).cast(pa.float64()))
    return table.to_pandas(date_as_object=False, use_threads=False), Source("parquet", arrow=schema)


def from_frame(frame: pd.DataFrame, source: Source) -> Parts:
    """Take a frame apart; the source says which numbers and words stand for a missing value.

    Raises:
        DataError: nested names or index, or a column that is neither numbers, labels, truth values nor times.
    """
    if isinstance(frame.columns, pd.MultiIndex) or isinstance(frame.index, pd.MultiIndex):
        named = isinstance(frame.columns, pd.MultiIndex)
        which = "column names of the frame have" if named else "index of the frame has"
        raise DataError(f"The {which} several levels: flatten them, e.g. with frame.reset_index().")
    odd = next((name for name in frame.columns if not isinstance(name, str)), None)
    if odd is not None:
        raise DataError(f"Column name {odd!r} is no text: use frame.rename(columns=str) first.")
    columns = tuple(from_series(frame[name], name, source.codes) for name in frame.columns)
    return Parts(columns, *_index(frame.index, source))


def _index(index: pd.Index, source: Source) -> tuple[Cells | None, str | None, Source, tuple[str, ...]]:
    name = None if index.name is None else str(index.name)
    if isinstance(index, pd.RangeIndex) and index.step > 0:
        source = replace(source, index=(index.start, index.step), index_name=name)
        return None, None, source, ()
    if isinstance(index, pd.PeriodIndex | pd.TimedeltaIndex):
        use = "frame.to_timestamp()" if isinstance(index, pd.PeriodIndex) else "index.total_seconds()"
        raise DataError(f"The index holds {index.dtype}, which is no clock that can be built: use {use} first.")
    cells = from_series(pd.Series(index), "" if name is None else name)
    return cells, getattr(index, "freqstr", None), replace(source, index_name=name), ()


def from_series(series: pd.Series, name: str, codes: Sequence[str] = ()) -> Cells:
    """One column of a frame as cells.

    Args:
        codes: words and numbers that stand for a missing number.

    Raises:
        DataError: it holds something that is no number, label, truth value or time.
    """
    dtype, kind = series.dtype, pd.api.types
    text = _dtype_name(dtype)
    if isinstance(dtype, pd.CategoricalDtype):
        return _category(series, name, dtype)
    if kind.is_bool_dtype(dtype):
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        return Cells(name, "boolean", values, text, null="NA" if text != "bool" else "nan")
    if kind.is_datetime64_any_dtype(dtype):
        return _times(series, name, text)
    if kind.is_numeric_dtype(dtype) and not kind.is_complex_dtype(dtype) and not isinstance(dtype, pd.SparseDtype):
        return _number(series, name, text, codes)
    if isinstance(dtype, pd.StringDtype) or (text.startswith("string") and "pyarrow" in text):
        return _text(series, name, text)
    if kind.is_object_dtype(dtype):
        return _objects(series, name, codes)
    raise DataError(
        f"Column '{name}' holds {dtype}, and only numbers, truth values, labels and times can be: convert it."
    )


def _dtype_name(dtype: Any) -> str:
    if isinstance(dtype, pd.StringDtype) and str(dtype) != "str":
        return f"string[{dtype.storage}]"
    return str(dtype)


def _number(series: pd.Series, name: str, dtype: str, codes: Sequence[str] = ()) -> Cells:
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    coded = np.isin(values, numeric(codes))
    coded &= not np.all(coded | np.isnan(values))
    bad = tuple(f"{value:g}" for value in values[coded])
    values = np.where(coded, np.nan, values)
    refuse_infinite(name, values)
    known = values[~np.isnan(values)]
    if pd.api.types.is_integer_dtype(series.dtype) and len(known) and np.abs(known).max() > _EXACT:
        raise too_long(name)
    single = dtype in ("float32", "Float32", "float[pyarrow]")
    decimals = decimals_of(values, 24 if single else 53)
    whole = (len(known) > 0 and decimals == 0) or pd.api.types.is_integer_dtype(series.dtype)
    return Cells(
        name,
        "number",
        values,
        dtype,
        whole=bool(whole),
        decimals=0 if whole else decimals,
        null=_null_of(series),
        bad=bad,
    )


def _null_of(series: pd.Series) -> str:
    null = series[series.isna()].head(1)
    if len(null) == 0 or isinstance(null.iloc[0], float):
        return "nan"
    return "None" if null.iloc[0] is None else "NA"


def _times(series: pd.Series, name: str, dtype: str) -> Cells:
    times = pd.DatetimeIndex(series)
    values = np.where(series.isna().to_numpy(), np.nan, 0.0)
    return Cells(name, "time", values, dtype, times=times, null="NaT")


def _category(series: pd.Series, name: str, dtype: pd.CategoricalDtype) -> Cells:
    levels = tuple(dtype.categories.tolist())
    odd = next((level for level in levels if not isinstance(level, _LABELS)), None)
    if odd is not None:
        raise DataError(
            f"Column '{name}' has categories such as {odd!r}, and only text, numbers and truth values can be: "
            "convert them."
        )
    codes = np.where(series.cat.codes < 0, np.nan, series.cat.codes)
    return Cells(
        name, "text", codes.astype(np.float64), "category", levels=levels, ordered=bool(dtype.ordered),
        level_dtype=_dtype_name(dtype.categories.dtype),
    )  # fmt: skip


def _text(series: pd.Series, name: str, dtype: str) -> Cells:
    coded = pa.array(series.astype(object), pa.string(), from_pandas=True).dictionary_encode()
    levels, codes = sort_levels(coded.dictionary.to_pylist(), coded.indices)
    return Cells(name, "text", codes, dtype, levels=levels, null=_null_of(series))


def _objects(series: pd.Series, name: str, codes: Sequence[str]) -> Cells:
    inferred = pd.api.types.infer_dtype(series, skipna=True)
    if inferred in ("string", "empty"):
        return _text(series, name, "object")
    if inferred in ("datetime", "datetime64", "date"):
        return _times(pd.to_datetime(series), name, "object:" + inferred)
    if inferred == "boolean":
        values = np.array([np.nan if pd.isna(v) else float(v) for v in series])
        return Cells(name, "boolean", values, "object", null=_null_of(series))
    if inferred in ("integer", "floating", "mixed-integer-float"):
        numbers = _number(pd.Series(pd.to_numeric(series), dtype=np.float64), name, "object", codes)
        return replace(numbers, null=_null_of(series))
    return _with_status(series, name, codes)


def _with_status(series: pd.Series, name: str, codes: Sequence[str]) -> Cells:
    """Numbers with status words among them; anything else is an error."""
    words = {*STATUS, *(code.lower() for code in codes)}
    text = series.map(lambda v: isinstance(v, str) and v.strip().lower() in words)
    rest = series.where(~text.astype(bool))
    if pd.api.types.infer_dtype(rest, skipna=True) in ("integer", "floating", "mixed-integer-float"):
        numbers = _number(pd.to_numeric(rest).astype(np.float64), name, "float64", codes)
        return replace(numbers, bad=(*series[text.astype(bool)], *numbers.bad))
    for what, kinds in (("numbers", (int, float, np.number)), ("text", (str,))):
        fits = np.array([isinstance(v, kinds) or v is None or v is pd.NA for v in series])
        row = int(np.argmin(fits))
        if 2 * fits.sum() >= len(series):
            raise mixed(name, row + 1, series.iloc[row], what)
    first = next(v for v in series if not pd.api.types.is_scalar(v) or not pd.isna(v))
    raise DataError(
        f"Column '{name}' holds objects such as {first!r}, and only numbers, truth values, labels and times can be: "
        "convert it."
    )
