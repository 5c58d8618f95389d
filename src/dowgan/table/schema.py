"""What is known of a table: its columns, its clock, how it was written; and its values by run."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from dowgan.errors import OptionError
from dowgan.table.clock import Clock

Role = Literal["value", "condition", "run", "time"]
Kind = Literal["float", "integer", "boolean", "category", "constant"]
Style = Literal["fixed", "trim", "bare"]
MOST_DECIMALS = 10  # a column with more decimals than this has full float precision


@dataclass(frozen=True)
class Column:
    """One column of the user's table.

    Args:
        dtype: the pandas dtype to give back.
        decimals: decimals of the text, or of the values if they are fixed (<= 10); None = full float precision.
        lower: learned physical bound: 0 if no value is negative, or the value that the column piles up at.
        upper: only where the values pile up at the maximum (saturation).
        step: of which all values are multiples, where that is more than their decimals say: a valve's 5 %; None if not.
        digits: significant ones of all values where they span decades, such as 3 of 1.19e-07; None if they are more.
        levels: a category's values in order; a number's distinct values if they are few (<= 12) on many rows.
        missing: share of missing values.
        value: a constant column's value, NaN if all is missing.
        ordered: whether the categories have an order (pandas).
        null: how pandas held a missing value: "nan", "None", "NA" or "NaT".
        level_dtype: the dtype of the levels of a pandas category.
        told: what the clock tells the column by: a format of its own ("%d/%m/%Y"), or a name in almanac.py, for which
            value is added, or codes has the value of each hour, weekday or the like; "" if it is modelled.
        zone: in which the clock tells it, such as the local hour beside times in UTC; "" for the clock's own.
        schedule: whether it is modelled though the clock tells it: a plant's hours, by which other columns go.
        usual: least and greatest of the values that are no faults (faults.py), None where none is one.
    """

    name: str
    role: Role
    kind: Kind
    dtype: str
    decimals: int | None = None
    lower: float | None = None
    upper: float | None = None
    step: float | None = None
    digits: int | None = None
    levels: tuple[object, ...] = ()
    missing: float = 0.0
    value: object = None
    ordered: bool = False
    null: str = "nan"
    level_dtype: str = ""
    told: str = ""
    zone: str = ""
    codes: tuple[float, ...] = ()
    schedule: bool = False
    usual: tuple[float, float] | None = None

    @property
    def labelled(self) -> bool:
        """Whether it holds labels or truth values, and the numbers of these stand for them."""
        return self.kind in ("category", "boolean")

    @property
    def labels(self) -> tuple[str, ...]:
        """What a user calls its levels, and the values of a boolean; none where there are neither."""
        return tuple(map(str, self.levels)) or (("False", "True") if self.kind == "boolean" else ())

    @property
    def counts(self) -> bool:
        """Whether its levels are whole numbers one after another: pieces, not codes."""
        levels = self.levels
        return self.kind == "integer" and len(levels) > 1 and levels[-1] - levels[0] == len(levels) - 1  # type: ignore[operator]

    def in_steps(self, values: np.ndarray) -> bool:
        """Whether there is a step, and all values [N] are multiples of it."""
        return self.step is not None and bool(np.all(np.abs(values / self.step % 1 - 0.5) > 0.5 - 1e-6))


@dataclass(frozen=True)
class CellText:
    """How the cells of one column were written.

    Args:
        decimals: decimals written; None = the shortest text that gives the same float.
        style: "fixed" keeps trailing zeros, "trim" cuts them down to one decimal (19.0), "bare" cuts all (19).
        quoted: whether cells stand in quotation marks although they need none.
        null: the text of a missing value.
        words: the texts of false and true, for a boolean column.
        exponent: whether some numbers were written like 1e-05.
    """

    name: str
    decimals: int | None = None
    style: Style = "trim"
    quoted: bool = False
    null: str = ""
    words: tuple[str, str] | None = None
    exponent: bool = True


@dataclass(frozen=True)
class Source:
    """How the table was written or held, to give back the same kind of table.

    Args:
        separator: between cells of a CSV.
        decimal: decimal mark.
        encoding: of the text, without its byte order mark.
        bom: whether the file begins with a byte order mark.
        newline: line end.
        units: the row of units under the header, one text per column, or None.
        quoted_header: whether the names stand in quotation marks.
        texts: the cells of each column.
        codes: numbers and words that the user says stand for a missing value, such as -200.
        interleaved: rows of the runs take turns (sorted by time, then run).
        arrow: base64 of the Arrow schema of a Parquet file.
        index: start and step of a frame's RangeIndex.
        index_name: name of the index.
    """

    kind: Literal["csv", "parquet", "frame"]
    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    bom: bool = False
    newline: str = "\n"
    units: tuple[str, ...] | None = None
    quoted_header: bool = False
    texts: tuple[CellText, ...] = ()
    codes: tuple[str, ...] = ()
    interleaved: bool = False
    arrow: str | None = None
    index: tuple[int, int] = (0, 1)
    index_name: str | None = None

    def text(self, name: str) -> CellText | None:
        """How the cells of a column were written, None if the source had no text for it."""
        return next((text for text in self.texts if text.name == name), None)


@dataclass(frozen=True)
class Schema:
    """The columns in the user's order, the clock, and how the table was written."""

    columns: tuple[Column, ...]
    clock: Clock
    source: Source

    @property
    def channels(self) -> tuple[Column, ...]:
        """What is modelled: value and condition columns that vary, not with the clock or as a schedule, in order."""
        modelled = (c for c in self.columns if c.role in ("value", "condition") and (not c.told or c.schedule))
        return tuple(c for c in modelled if c.kind != "constant")

    @property
    def labels(self) -> tuple[tuple[str, ...], ...]:
        """What the level numbers of each channel stand for, empty for numbers."""
        return tuple(c.labels if c.labelled else () for c in self.channels)

    @property
    def run_names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns if c.role == "run")

    @property
    def condition_names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns if c.role == "condition")

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(c for c in self.columns if c.name == name)

    def with_column(self, column: Column) -> "Schema":
        """The same schema with one column replaced by the one of the same name."""
        return replace(self, columns=tuple(column if c.name == column.name else c for c in self.columns))

    def unit(self, name: str) -> str:
        """The unit that a column has in the row of units, "" if none is known."""
        units = self.source.units or ()
        found = {text.name: unit for text, unit in zip(self.source.texts, units, strict=False)}
        return found.get(name, "").strip().strip("-")

    @property
    def told_parts(self) -> tuple[str, ...]:
        """What each of the columns tells that hold the clock together."""
        return tuple(self.column(name).told for name in self.clock.parts)

    def typed(self, value: str | int | float) -> Any:
        """A clock value that a user gave, with day and month in the order in which the table's columns have them.

        Raises:
            OptionError: it cannot be read as a value of the clock.
        """
        formats = " ".join(text_format for text_format in self.told_parts if "%" in text_format)
        return replace(self.clock, text_format=self.clock.text_format or formats or None).typed(value)

    def refuse_taken(self, *names: str) -> None:
        """Refuse names of columns that are to stand beside those of the table.

        Raises:
            OptionError: the table has a column of one of the names.
        """
        own = {column.name for column in self.columns}
        taken = next((name for name in names if name in own), None)
        if taken is not None:
            raise OptionError(f"A column '{taken}' is to be added, and the table has one: rename it and fit again.")

    def to_json(self) -> str:
        """One line of JSON that `from_json` turns back into an equal schema."""
        return json.dumps(asdict(self), default=_plain, allow_nan=True, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """The inverse of `to_json`."""
        raw = json.loads(text)
        source = raw["source"]
        source["texts"] = tuple(CellText(**_tuples(t)) for t in source["texts"])
        return cls(
            columns=tuple(Column(**_tuples(c)) for c in raw["columns"]),
            clock=Clock(**_tuples(raw["clock"])),
            source=Source(**_tuples(source)),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())


@dataclass(frozen=True, eq=False)
class Run:
    """One unbroken series on the clock.

    Args:
        key: values of the run columns, () if there are none.
        start: clock value of the first row.
        offset: steps from the first time of the table to start, so that seasons line up over runs.
        values: float64 [T C] with C the schema's channels; user's units, NaN missing, category codes, booleans 0/1.
        faults: (row, channel, value) of those that are not in values, since they are faults of a measurement.
    """

    key: tuple[object, ...]
    start: Any
    offset: int
    values: np.ndarray
    faults: tuple[tuple[int, int, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Table:
    """A table that was read: what is known of it and its values by run.

    Args:
        digest: sha256 of the names and values.
        notes: what was inferred or changed, in sentences.
        strange: what is said of a column that has what the model's table never has; it is told where a table is judged.
    """

    schema: Schema
    runs: tuple[Run, ...]
    digest: str
    notes: tuple[str, ...] = ()
    strange: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(len(run.values) for run in self.runs)

    @property
    def known_rows(self) -> int:
        """How many rows hold a value: times that were missing are rows too, and hold none."""
        return sum(int((~np.isnan(run.values)).any(axis=1).sum()) for run in self.runs)

    @property
    def question(self) -> str:
        """A sha256 of the names, the values and what each column is taken for."""
        roles = (f"{column.name}\0{column.role}\0{column.kind}" for column in self.schema.columns)
        return hashlib.sha256("\0".join([self.digest, *roles]).encode()).hexdigest()


def is_missing(value: object) -> bool:
    """Whether a single value stands for a missing one."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _plain(value: object) -> object:
    assert isinstance(value, np.generic), f"{value!r} has no place in a schema"
    return value.item()


def _tuples(raw: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
