"""Write a table the way it came: whole or not at all, and piece by piece where it is long."""

import base64
import gzip
import io
import os
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dowgan.errors import OptionError, UserError
from dowgan.files import PERMISSIONS
from dowgan.table.schema import Schema
from dowgan.table.sniff import ENDINGS
from dowgan.table.texts import columns_of, header, lines, text_layout

_PIECE = 100_000  # rows turned into text at a time
_BOMS = {"utf-8": "\ufeff", "utf-16-le": "\ufeff", "utf-16-be": "\ufeff"}


def write(frame: pd.DataFrame, schema: Schema, path: str | Path, *, forbidden: Iterable[str | Path] = ()) -> None:
    """Write a frame by the ending of the path: .csv, .csv.gz, .tsv, .parquet, or "-" for a CSV on stdout.

    Args:
        schema: how its source was written; a CSV gets the same separator, decimal mark, encoding, formats.
        forbidden: files that must not be overwritten: the inputs.

    Raises:
        OptionError: the ending is not known, or the path is one of the forbidden.
        UserError: the file cannot be written; nothing is left behind.
    """
    with Writer(schema, path, forbidden=forbidden) as writer:
        writer.append(frame)


class Writer:
    """A table that is written piece by piece, beside its place, and put there when it is whole.

    On an error, Ctrl-C included, what was written is removed, and a file that lay there before is untouched.

    Args:
        schema: how the source was written.
        path: where to, by its ending; "-" is a CSV on stdout.
        forbidden: files that must not be overwritten.
    """

    def __init__(self, schema: Schema, path: str | Path, *, forbidden: Iterable[str | Path] = ()) -> None:
        self.schema = schema
        self.path = str(path)
        self.forbidden = tuple(map(str, forbidden))
        self._temporary: Path | None = None
        self._raw: IO[bytes] | None = None
        self._packed: Any = None
        self._parquet: pq.ParquetWriter | None = None
        self._pieces = 0

    def __enter__(self) -> "Writer":
        _check_path(self.path, self.forbidden)
        if self.path == "-":
            self._raw = sys.stdout.buffer
            return self
        target = Path(self.path)
        try:
            handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
            self._temporary = Path(name)
            self._raw = os.fdopen(handle, "wb")
        except OSError as error:
            raise _unwritable(self.path, error) from error
        if target.name.lower().endswith(".gz"):
            self._packed = gzip.GzipFile(filename="", mode="wb", fileobj=self._raw, mtime=0)
        return self

    def append(self, frame: pd.DataFrame) -> None:
        """Write the next rows; all pieces have the same columns.

        Raises:
            UserError: the disk is full or gone.
        """
        try:
            if self.path.lower().endswith((".parquet", ".pq")):
                self._append_parquet(frame)
            else:
                self._append_text(frame)
        except BrokenPipeError:  # the reader of stdout has had enough
            raise
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self._pieces += 1

    def _append_parquet(self, frame: pd.DataFrame) -> None:
        table = arrow(frame, self.schema)
        if self._parquet is None:
            assert self._raw is not None
            self._parquet = pq.ParquetWriter(self._raw, table.schema)
        self._parquet.write_table(table.cast(self._parquet.schema))

    def _append_text(self, frame: pd.DataFrame) -> None:
        layout = text_layout(self.schema, self.path)
        names, cells = columns_of(frame, self.schema)
        out: Any = self._packed or self._raw
        encoding = layout.source.encoding
        if self._pieces == 0:
            mark = _BOMS[encoding] if layout.source.bom else ""
            out.write((mark + header(names, layout.source)).encode(encoding))
        for at in range(0, len(frame), _PIECE):
            part = [column.iloc[at : at + _PIECE] for column in cells]
            text = lines(names, part, layout)
            out.write(text if encoding == "utf-8" else text.decode().encode(encoding, errors="replace"))
        out.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.path == "-":
            return
        try:
            if kind is None:
                self._finish()
        except OSError as failure:
            raise _unwritable(self.path, failure) from failure
        finally:
            self._drop()

    def _finish(self) -> None:
        assert self._raw is not None
        assert self._temporary is not None
        for part in (self._parquet, self._packed):
            if part is not None:
                part.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()
        self._temporary.chmod(PERMISSIONS)
        self._temporary.replace(self.path)
        self._temporary = None

    def _drop(self) -> None:
        """Close and remove what was not finished."""
        if self._temporary is None:
            return
        for part in (self._parquet, self._packed, self._raw):
            if part is not None:
                with suppress(OSError, ValueError):  # a full disk fails again on closing; the file goes anyway
                    part.close()
        self._temporary.unlink(missing_ok=True)
        self._temporary = None


def _check_path(path: str, forbidden: tuple[str, ...]) -> None:
    if path == "-":
        return
    target = Path(path)
    if not target.name.lower().endswith(ENDINGS):
        raise OptionError(f"'{path}' is no kind of table that can be written: it must end in {', '.join(ENDINGS)}.")
    if any(other != "-" and target.resolve() == Path(other).resolve() for other in forbidden):
        raise OptionError(f"'{path}' is an input, which is never overwritten: give another name.")
    if target.is_dir():
        raise OptionError(f"'{path}' is a folder: give a file name in it.")
    if not target.parent.is_dir():
        raise OptionError(f"There is no folder '{target.parent}': make it first.")


def _unwritable(path: str, error: OSError) -> UserError:
    called = "stdout" if path == "-" else f"'{path}'"
    return UserError(f"{called} cannot be written ({error.strerror or error}): free the place or give another one.")


def arrow(frame: pd.DataFrame, schema: Schema) -> pa.Table:
    """The frame as an Arrow table, with the types of the source's Arrow schema where they fit."""
    if schema.source.arrow is None:
        return pa.Table.from_pandas(frame)
    old = pa.ipc.read_schema(io.BytesIO(base64.b64decode(schema.source.arrow)))
    keep_index = bool(old.metadata and b"pandas" in old.metadata)
    table = pa.Table.from_pandas(frame, preserve_index=None if keep_index else schema.clock.in_index)
    for i, field in enumerate(table.schema):
        place = old.get_field_index(field.name)
        if place >= 0 and old.field(place).type != field.type:
            table = _cast(table, i, old.field(place))
    return table if keep_index else table.replace_schema_metadata(None)


def _cast(table: pa.Table, i: int, field: pa.Field) -> pa.Table:
    try:
        return table.set_column(i, field, _recoded(table.column(i), field.type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # e.g. fractional times where there were whole ones
        return table


def _recoded(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if not (pa.types.is_dictionary(kind) and pa.types.is_dictionary(column.type)):
        return column.cast(kind)
    parts = [
        pa.DictionaryArray.from_arrays(
            part.indices.cast(kind.index_type), part.dictionary.cast(kind.value_type), ordered=kind.ordered
        )
        for part in column.chunks
    ]
    return pa.chunked_array(parts, kind)
