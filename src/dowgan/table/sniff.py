"""A CSV as it lies on the disk: encoding, separator, decimal mark, header, row of units, cells as text."""

import codecs
import csv
import gzip
import io
import re
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from dowgan.errors import DataError
from dowgan.table.cells import STATUS, is_number
from dowgan.table.schema import Source
from dowgan.table.stamps import readings

SEPARATORS = (",", ";", "\t", "|")
ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz", ".parquet", ".pq")
_SAMPLE = 200  # rows and a few more, looked at to find out how the table is written
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+(,\d+)?(?:[eE][+-]?\d+)?\s*")  # or a whole number among such
_LINES = 50  # lines looked at to find the separator and the row of names
_FOREIGN = (  # how files begin that are often called .csv and are none
    (b"PK\x03\x04", "an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"<", "a web page or XML"),
    (b"[{", "JSON"),
    (b"{", "JSON"),
)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True, eq=False)
class Sheet:
    """The cells of a CSV as text, by column [N], and which columns are in quotation marks throughout."""

    names: tuple[str, ...]
    columns: tuple[pa.Array, ...]
    quoted: tuple[bool, ...]
    source: Source
    notes: tuple[str, ...]


def load(path: str) -> bytes:
    """The bytes of a file, or of stdin for "-"; gzip is unpacked.

    Raises:
        DataError: there is no such file, it cannot be read, it is empty, or its ending is not known.
    """
    raw = sys.stdin.buffer.read() if path == "-" else _file(Path(path))
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError) as error:
            raise DataError(f"'{path}' is a damaged gzip file ({error}): get it again.") from error
    if not raw.removeprefix(codecs.BOM_UTF8).strip():
        raise DataError(f"'{path}' is empty: it must have a header and at least 8 rows.")
    return raw


def _file(path: Path) -> bytes:
    if path.is_dir():
        raise DataError(f"'{path}' is a folder: give one file, ending in {', '.join(ENDINGS)}.")
    if not path.exists():
        raise DataError(f"There is no file '{path}': check the path.")
    if path.suffix.lower() in (".xlsx", ".xls", ".xlsm", ".ods"):
        raise DataError(f"'{path}' is a workbook: save the sheet as CSV first, with one row of column names.")
    if path.is_file() and not path.name.lower().endswith(ENDINGS):  # a pipe may have any name
        raise DataError(f"'{path}' is no kind of table that can be read: it must end in {', '.join(ENDINGS)}.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}.") from error


def sniff(raw: bytes, path: str) -> Sheet:
    """Take a CSV apart.

    Args:
        path: what to call it in an error.

    Raises:
        DataError: no rows, no names, a name twice, a row with more or fewer cells than names, or a quotation mark or a
            letter that is cut off.
    """
    _refuse_foreign(raw, path)
    text, encoding, bom = _decode(raw, path)
    try:
        text, separator, notes = _tidied(text)
        head = _head(text)
        names, lines = _header(head, separator)
    except csv.Error as error:
        raise DataError(f"'{path}' has a quotation mark that is not closed ({error}): close it.") from error
    _check_names(names, lines, path)
    columns = _columns(text, separator, len(names), path)
    decimal = _decimal(columns, separator)
    units = _units(columns, decimal)
    columns = tuple(column.slice(1) for column in columns) if units else columns
    marks = _quoted(head, separator, len(names))
    source = Source(
        kind="csv",
        separator=separator,
        decimal=decimal,
        encoding=encoding,
        bom=bom,
        newline="\r\n" if "\r\n" in head else "\n",
        units=units,
        quoted_header=bool(marks) and all(marks[0]),
    )
    quoted = tuple(bool(rows) and all(rows) for rows in zip(*marks[1 + bool(units) :], strict=True))
    sheet = Sheet(names, columns, quoted or (False,) * len(names), source, notes)
    return _without_empty(sheet)


def _decode(raw: bytes, path: str) -> tuple[str, str, bool]:
    for mark, encoding in _BOMS:
        if raw.startswith(mark):
            try:
                return raw[len(mark) :].decode(encoding), encoding, True
            except UnicodeDecodeError as error:
                raise DataError(f"'{path}' begins as {encoding} and is not ({error.reason}): save it again.") from error
    for encoding in ("utf-8", "cp1252"):
        try:
            return raw.decode(encoding), encoding, False
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1"), "latin-1", False


def _refuse_foreign(raw: bytes, path: str) -> None:
    start = raw[:200].removeprefix(codecs.BOM_UTF8).lstrip()
    kind = next((kind for mark, kind in _FOREIGN if start.startswith(mark)), None)
    if kind is not None:
        raise DataError(f"'{path}' is {kind}, not a CSV: save the table as CSV first, with one row of column names.")


def _head(text: str) -> str:
    return text[: text.find("\n", 200_000) + 1 or None]


def _tidied(text: str) -> tuple[str, str, tuple[str, ...]]:
    """The text without lines above the names and with as many names as cells; the separator; what was done."""
    head = _head(text)
    separator, width = _separator(head)
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=separator)
    rows: list[tuple[int, list[str]]] = []  # lines before each row, and its cells
    before = 0
    for row in reader:
        if row:
            rows.append((before, row))
        before = reader.line_num
        if len(rows) == _LINES:
            break
    place = next((i for i, (_, row) in enumerate(rows) if len(row) >= width - _trails(rows, width)), 0)
    skipped, names = rows[place]
    notes: tuple[str, ...] = ()
    if skipped and all(len(row) < width for _, row in rows[:place]) and not any(map(_is_value, names)):
        text = text[_line_start(text, skipped) :]
        first = separator.join(rows[0][1])[:40] if place else ""
        notes = (f"{skipped} line{'' if skipped == 1 else 's'} above the names left out, first '{first}'",)
    else:
        names = rows[0][1] if rows else []
    if len(names) == width - 1 and _trails(rows, width):
        end = text.find("\n")
        cut = end - 1 if text[end - 1] == "\r" else end
        text = text[:cut] + separator + text[cut:]
    return text, separator, notes


def _trails(rows: list[tuple[int, list[str]]], width: int) -> bool:
    """Whether every full row ends in a separator, so that its last cell is none."""
    return width > 2 and all(not row[-1].strip() for _, row in rows if len(row) == width)


def _is_value(name: str) -> bool:
    return is_number(name) or bool(readings([name.strip()]))


def _line_start(text: str, lines: int) -> int:
    place = 0
    for _ in range(lines):
        place = text.find("\n", place) + 1
    return place


def _separator(head: str) -> tuple[str, int]:
    """The mark that cuts the most lines into the same number of cells, and that number."""
    lines = [line for line in head.splitlines() if line.strip()][:_LINES]

    def score(separator: str) -> tuple[int, int]:
        counts = Counter(len(row) for row in csv.reader(lines, delimiter=separator))
        width, alike = max(counts.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
        return (alike if width > 1 else 0, width)

    if len(lines) > 1 and "," not in lines[0] and all(map(_DECIMAL_COMMA.fullmatch, lines[1:])):
        return ";", 1  # a column alone
    best = max(SEPARATORS, key=score)
    alike, width = score(best)
    return (best, width) if alike else (",", 1)


def _header(head: str, separator: str) -> tuple[tuple[str, ...], int]:
    """The names, and how many rows of the head have cells."""
    rows = [row for row in csv.reader(io.StringIO(head, newline=""), delimiter=separator) if row]
    return tuple(rows[0]), len(rows)


def _check_names(names: tuple[str, ...], rows: int, path: str) -> None:
    short = all(name.isdigit() and len(name) < 4 for name in names)  # 0, 1, 2 may be names
    if any(map(is_number, names)) and all(map(_is_value, names)) and not short:
        raise DataError(
            f"The first row of '{path}' holds values ({', '.join(names[:3])}), not names: add a row of column names."
        )
    if rows < 2:
        raise DataError(f"'{path}' has a header and no rows: at least 8 rows are needed.")


def _columns(text: str, separator: str, width: int, path: str) -> tuple[pa.Array, ...]:
    first = [len(line.split()) for line in text[:10_000].splitlines()[:2]]
    if width == 1 and first[0] == first[-1] > 1:
        raise DataError(f"The cells of '{path}' are parted by spaces: use commas, semicolons, tabs or '|'.")
    odd: list[pa_csv.InvalidRow] = []

    def refuse(row: pa_csv.InvalidRow) -> str:
        odd.append(row)
        return "error"

    names = [str(i) for i in range(width)]
    raw = text.encode()
    for threads in (True, False):  # only one thread can tell the number of an odd row
        try:
            table = pa_csv.read_csv(
                io.BytesIO(raw),
                pa_csv.ReadOptions(column_names=names, use_threads=threads, block_size=1 << 24),
                pa_csv.ParseOptions(
                    delimiter=separator,
                    newlines_in_values='"' in text,
                    ignore_empty_lines=width > 1,
                    invalid_row_handler=refuse,
                ),
                pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), check_utf8=False),
            )
            return tuple(table.column(i).combine_chunks().slice(1) for i in range(width))
        except pa.ArrowInvalid as error:
            failure = error
    if not odd:
        raise DataError(f"'{path}' cannot be read as a CSV: {failure}.")
    row = odd[-1]
    where = f"Row {row.number - 1} below the header" if row.number else "A row"
    raise DataError(
        f"{where} of '{path}' has {_count(row.actual_columns)}, and the header has {row.expected_columns}: "
        f"correct the row ('{row.text[:60]}')."
    )


def _count(cells: int) -> str:
    return "1 cell" if cells == 1 else f"{cells} cells"


def _decimal(columns: tuple[pa.Array, ...], separator: str) -> str:
    """The comma if cells like 1,5 occur and none like 1.5; not if all look like thousands (1,234) between commas."""
    cells = [cell.strip() for column in columns for cell in _some(column)]
    if any(re.fullmatch(r"[+-]?\d*\.\d+", cell) for cell in cells):
        return "."
    commas = [cell for cell in cells if re.fullmatch(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", cell)]
    if separator == ",":
        commas = [cell for cell in commas if not re.fullmatch(r"[+-]?\d{1,3},\d{3}", cell)]
    return "," if commas else "."


def _some(column: pa.Array) -> list[str]:
    """Some of the cells, from all over the column."""
    return column[:: max(1, len(column) // _SAMPLE)].to_pylist()


def _units(columns: tuple[pa.Array, ...], decimal: str) -> tuple[str, ...] | None:
    """The first row, if it has text over most columns that hold numbers and a number over none."""
    first = [column[0].as_py() for column in columns if len(column)]
    over = []
    for column, cell in zip(columns, first, strict=False):
        below = [c for c in _some(column.slice(1)) if c.strip().lower() not in STATUS]
        if below and all(is_number(c, decimal) for c in below):
            over.append(cell)
    texts = [cell for cell in over if cell.strip() and (cell.strip().lower() not in STATUS or cell.strip() == "-")]
    if not over or any(is_number(cell, decimal) for cell in over) or 2 * len(texts) < len(over):
        return None
    return tuple(first) if any(cell.strip().lower() not in STATUS for cell in texts) else None


def _quoted(head: str, separator: str, width: int) -> list[list[bool]]:
    """For the first lines, which cells stand in quotation marks; the header comes first."""
    if '"' not in head:
        return [[False] * width] * 2
    cell = re.compile(rf'("(?:[^"]|"")*"|[^{re.escape(separator)}]*)(?:{re.escape(separator)}|$)')
    lines = [line for line in head.splitlines() if line.strip()][:20]
    rows = [[text.startswith('"') for text in cell.findall(line)[:width]] for line in lines]
    return [row for row in rows if len(row) == width]


def _without_empty(sheet: Sheet) -> Sheet:
    """The sheet without empty columns that have no name, which trailing separators make."""
    empty = [
        not name.strip() and len(column) and set(column.unique().to_pylist()) <= {"", None}
        for name, column in zip(sheet.names, sheet.columns, strict=True)
    ]
    if not any(empty):
        return sheet
    keep = [i for i, dropped in enumerate(empty) if not dropped]
    units = sheet.source.units
    source = sheet.source if units is None else replace(sheet.source, units=tuple(units[i] for i in keep))
    return Sheet(
        tuple(sheet.names[i] for i in keep),
        tuple(sheet.columns[i] for i in keep),
        tuple(sheet.quoted[i] for i in keep),
        source,
        (*sheet.notes, _left_out(sum(map(bool, empty)))),
    )


def _left_out(columns: int) -> str:
    which = "1 empty column without a name is" if columns == 1 else f"{columns} empty columns without a name are"
    return f"{which} left out"
