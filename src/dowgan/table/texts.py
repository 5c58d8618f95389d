"""The cells of a table as text, in the way in which its source wrote them."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dowgan.table.schema import CellText, Schema, Source
from dowgan.table.stamps import iso, rendered

_EXPONENT = 1e-4  # numbers below this are written with an exponent, where the source does that
_COUNTED = 1e15  # counts up to this are exact as floats, and no two of them give the same float
_BAND = re.compile(r"(.+)_(?:lo|hi)\d+(?:\.\d+)?")  # columns beside the table's own: NAME_lo90


def text_layout(schema: Schema, path: str) -> Schema:
    """The schema with the separator that the ending of the path asks for."""
    source = schema.source
    if path.lower().endswith((".tsv", ".tsv.gz")) and source.separator != "\t":
        source = replace(source, separator="\t")
    return replace(schema, source=source)


def columns_of(frame: pd.DataFrame, schema: Schema) -> tuple[list[str], list[pd.Series]]:
    """Names and columns of a text, the index first if it is the clock."""
    names, columns = [str(name) for name in frame.columns], [frame.iloc[:, i] for i in range(frame.shape[1])]
    if schema.clock.in_index and schema.clock.kind != "row":
        return [schema.clock.column or "", *names], [frame.index.to_series().reset_index(drop=True), *columns]
    return names, columns


def header(names: list[str], source: Source) -> str:
    """The row of names and, if there was one, the row of units, each with its line end."""
    quote = source.quoted_header
    rows = [source.separator.join(_quote(name, source.separator, quote) for name in names)]
    if source.units is not None:
        known = dict(zip((text.name for text in source.texts), source.units, strict=False))
        rows.append(source.separator.join(_quote(known.get(name, ""), source.separator, False) for name in names))
    return "".join(row + source.newline for row in rows)


def _quote(text: str, separator: str, always: bool) -> str:
    if always or separator in text or '"' in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def lines(names: list[str], columns: list[pd.Series], schema: Schema) -> bytes:
    """The rows as UTF-8 text, each with its line end."""
    cells = [cell_texts(column, name, schema) for name, column in zip(names, columns, strict=True)]
    if len(cells) == 1:  # an empty line would be no row
        cells = [pc.if_else(pc.equal(cells[0], ""), '""', cells[0])]
    rows = pc.binary_join_element_wise(*cells, schema.source.separator)
    rows = pc.binary_join_element_wise(rows, schema.source.newline, "")
    whole = rows.buffers()[2]  # the texts lie in it one behind the other
    return b"" if whole is None else whole.to_pybytes()


def cell_texts(column: pd.Series, name: str, schema: Schema) -> pa.Array:
    """One column [N] as the source would have written it."""
    text = _text_of(name, schema)
    clock, separator = schema.clock, schema.source.separator
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        times = pd.DatetimeIndex(column)
        own = name == (clock.column or "") and clock.text_format is not None
        shown = rendered(times, clock.text_format if own and clock.text_format else iso(times))
        return _quoted(shown) if text.quoted or separator in shown[0].as_py() else shown
    if pd.api.types.is_bool_dtype(column.dtype) or text.words is not None:
        words = text.words or ("False", "True")
        return _labels(column, lambda value: words[bool(value)], text, separator)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        return _labels(column, str, text, separator)
    values, whole = column.to_numpy(dtype=np.float64, na_value=np.nan), _whole(name, column, schema)
    decimal = schema.source.decimal
    shown = numbers(values, text, whole, decimal)
    if text.quoted:
        shown = _quoted(shown)
    elif decimal == separator:
        shown = pc.if_else(pc.match_substring(shown, separator), _quoted(shown), shown)
    missing = np.isnan(values)
    return pc.if_else(pa.array(missing), text.null, shown) if missing.any() else shown


def _quoted(cells: pa.Array) -> pa.Array:
    """Cells, which have no quotation marks of their own, in them."""
    return pc.binary_join_element_wise('"', cells, '"', "")


def _labels(column: pd.Series, word: Callable[[object], str], text: CellText, separator: str) -> pa.Array:
    """Labels [N], each worked out once."""
    codes, used = pd.factorize(column)
    texts = [_quote(word(value), separator, text.quoted) for value in used]
    return pa.array([*texts, text.null], pa.string()).take(pa.array(np.where(codes < 0, len(texts), codes)))


def _text_of(name: str, schema: Schema) -> CellText:
    match = _BAND.fullmatch(name)
    text = schema.source.text(name) or (schema.source.text(match[1]) if match else None)
    if text is not None:
        return text
    column = next((c for c in schema.columns if c.name == name or (match and c.name == match[1])), None)
    decimals = column.decimals if column is not None and column.kind == "float" else None
    return CellText(name, decimals)


def _whole(name: str, column: pd.Series, schema: Schema) -> bool:
    own = next((c for c in schema.columns if c.name == name), None)
    return pd.api.types.is_integer_dtype(column.dtype) or (
        own is not None and own.kind == "integer" and schema.source.kind == "csv" and own.role != "time"
    )


def numbers(values: np.ndarray, text: CellText, whole: bool, decimal: str = ".") -> pa.Array:
    """Numbers [N] in the style of their column; what stands where one is missing is the caller's to replace."""
    known = np.where(np.isnan(values), 0.0, values)
    if whole and (text.style == "bare" or text.decimals is None):
        return pa.array(known.astype(np.int64)).cast(pa.string())
    if whole and text.style == "fixed" and not text.decimals:
        return pa.array(known.astype(np.int64)).cast(pa.string())
    tiny = text.exponent and bool(np.any((known != 0) & (np.abs(known) < _EXPONENT)))
    if text.decimals is not None and not tiny:
        counted = np.rint(known * 10.0**text.decimals)
        if np.all(np.abs(counted) < _COUNTED):
            return _points(counted.astype(np.int64), np.signbit(known), text, decimal)
    shown = [repr(v) for v in (known if text.decimals is None else np.round(known, text.decimals)).tolist()]
    if not text.exponent:
        shown = [_plain(t) if "e" in t else t for t in shown]
    if text.style == "bare":
        shown = [t.removesuffix(".0") for t in shown]
    return pa.array([t.replace(".", decimal) for t in shown] if decimal != "." else shown, pa.string())


def _points(counted: np.ndarray, negative: np.ndarray, text: CellText, decimal: str) -> pa.Array:
    """Numbers as counts [N] of their last decimal, with a point put in."""
    assert text.decimals is not None
    before, behind = np.divmod(np.abs(counted), 10**text.decimals)
    signs = pa.array(["", "-"]).take(pa.array(negative.astype(np.int8)))
    parts = pc.ascii_lpad(pa.array(behind).cast(pa.string()), text.decimals, "0")
    if text.style != "fixed" or not text.decimals:
        parts = pc.ascii_rtrim(parts, "0")
        last = "" if text.style == "bare" else f"{decimal}0"
        parts = pc.if_else(pc.equal(parts, ""), last, pc.binary_join_element_wise(decimal, parts, ""))
        return pc.binary_join_element_wise(signs, pa.array(before).cast(pa.string()), parts, "")
    return pc.binary_join_element_wise(signs, pa.array(before).cast(pa.string()), decimal, parts, "")


def _plain(text: str) -> str:
    return np.format_float_positional(float(text), trim="0")
