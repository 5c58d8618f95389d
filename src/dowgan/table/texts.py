"""The cells of a table as text, in the way in which its source wrote them."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from dowgan.table.schema import CellText, Schema, Source
from dowgan.table.stamps import iso, render

_BAND = re.compile(r"(.+)_(?:lo|hi)\d+(?:\.\d+)?")  # columns beside the table's own: NAME_lo90


def text_layout(schema: Schema, path: str) -> Schema:
    """The schema with the separator that the ending of the path asks for."""
    source = schema.source
    if ".tsv" in Path(path).name.lower() and source.separator != "\t":
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


def lines(names: list[str], columns: list[pd.Series], schema: Schema) -> str:
    """The rows as text, each with its line end."""
    cells = [cell_texts(column, name, schema) for name, column in zip(names, columns, strict=True)]
    separator, newline = schema.source.separator, schema.source.newline
    if len(cells) == 1:  # an empty line would be no row
        return "".join((text or '""') + newline for text in cells[0])
    return "".join(separator.join(row) + newline for row in zip(*cells, strict=True))


def cell_texts(column: pd.Series, name: str, schema: Schema) -> list[str]:
    """One column [N] as the source would have written it."""
    text = _text_of(name, schema)
    clock = schema.clock
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        times = pd.DatetimeIndex(column)
        own = name == (clock.column or "") and clock.text_format is not None
        shown = render(times, clock.text_format if own and clock.text_format else iso(times))
        return [_quote(t, schema.source.separator, text.quoted) for t in shown]
    missing = column.isna().to_numpy()
    if pd.api.types.is_bool_dtype(column.dtype) or text.words is not None:
        words = text.words or ("False", "True")
        shown = [words[bool(v)] if not gone else text.null for v, gone in zip(column, missing, strict=True)]
    elif pd.api.types.is_numeric_dtype(column.dtype):
        shown = numbers(column.to_numpy(dtype=np.float64, na_value=np.nan), text, _whole(name, column, schema))
        if schema.source.decimal != ".":
            shown = [t.replace(".", schema.source.decimal) for t in shown]
    else:
        shown = [text.null if gone else str(v) for v, gone in zip(column, missing, strict=True)]
    if (
        text.quoted
        or not pd.api.types.is_numeric_dtype(column.dtype)
        or schema.source.decimal == schema.source.separator
    ):
        return [
            t if gone else _quote(t, schema.source.separator, text.quoted)
            for t, gone in zip(shown, missing, strict=True)
        ]
    return shown


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


def numbers(values: np.ndarray, text: CellText, whole: bool) -> list[str]:
    """Numbers [N] in the style of their column, with a point."""
    if text.decimals and text.style == "fixed":
        template = f"%.{text.decimals}f"
        shown = [template % v for v in values.tolist()]
    elif (whole and text.style != "trim") or (whole and text.decimals is None):
        shown = [str(int(v)) if v == v else "" for v in values.tolist()]
    else:
        shown = [repr(v) for v in (values if text.decimals is None else np.round(values, text.decimals)).tolist()]
        if not text.exponent:
            shown = [_plain(t) if "e" in t else t for t in shown]
        if text.style == "bare":
            shown = [t.removesuffix(".0") for t in shown]
    if np.isnan(values).any():
        shown = [text.null if gone else t for t, gone in zip(shown, np.isnan(values).tolist(), strict=True)]
    return shown


def _plain(text: str) -> str:
    return np.format_float_positional(float(text), trim="0")
