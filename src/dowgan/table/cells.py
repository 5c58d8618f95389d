"""The cells of one column, from text or from pandas, as numbers, truth values, labels or times."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dowgan.errors import DataError
from dowgan.table.schema import MOST_DECIMALS, CellText, Style

NULLS = ("", "nan", "na", "null", "#n/a", "n/a", "#na", "<na>", "none", "nat")  # missing in any column
NONE = "none"  # but in a column of labels: no alarm, no product
STATUS = (  # missing in a column of numbers: words that plant historians write in place of a value
    *NULLS, "-", "--", "?", "bad", "bad input", "bad data", "bad quality", "i/o timeout", "no data", "no result",
    "no value", "shutdown", "pt created", "scan off", "comm fail", "over range", "under range", "calc failed",
    "not connect", "intf shut", "configure", "arc off-line", "failed", "error", "#value!", "#div/0!", "#ref!",
    "#num!", "#name?", "#nv", "#wert!", "#bezug!", "#zahl!", "---", "k.a.", "n.v.",
)  # fmt: skip
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
LIMIT = re.compile(r"\s*[<>≤≥]=?\s*[+-]?\d*[.,]?\d+(?:[eE][+-]?\d+)?\s*")  # beyond what is measured: <0.05
_TRUTHS = (("False", "True"), ("false", "true"), ("FALSE", "TRUE"))
TEXT = str(pd.Series(["a"]).dtype)  # what this pandas holds text in: "object" up to 2, "str" from 3 on
MOST_CODES = 100  # digits with leading zeros that are names
_EXACT = 2.0**53  # whole numbers beyond this are not exact as floats


@dataclass(frozen=True, eq=False)
class Cells:
    """One column of N cells.

    Args:
        form: what the cells are; "time" only for pandas times, text that may be a time is "text".
        values: float64 [N], NaN missing; truth values 0/1; labels as index into levels; zeros for times.
        levels: the labels.
        whole: no number has a fraction.
        decimals: None = full precision.
        times: [N], for form "time".
        bad: how many cells held a status word, and which.
    """

    name: str
    form: Literal["number", "boolean", "text", "time"]
    values: np.ndarray
    dtype: str
    levels: tuple[object, ...] = ()
    whole: bool = False
    decimals: int | None = None
    text: CellText | None = None
    null: str = "nan"
    ordered: bool = False
    level_dtype: str = ""
    times: pd.DatetimeIndex | None = None
    bad: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> "Cells":
        """The same column with only these rows."""
        times = None if self.times is None else self.times[rows]
        return replace(self, values=self.values[rows], times=times)


def is_number(text: str, decimal: str = ".") -> bool:
    """Whether a cell's text is a number."""
    return _NUMBER.fullmatch(text.strip().replace(decimal, ".")) is not None


def from_text(name: str, cells: pa.Array, decimal: str, quoted: bool, labels: bool, codes: Sequence[str] = ()) -> Cells:
    """Find out what a column of text holds.

    Args:
        cells: string [N].
        quoted: whether every cell stands in quotation marks.
        labels: whether mixed text is allowed (run and condition columns).
        codes: words and numbers that stand for a missing number.

    Raises:
        DataError: numbers are mixed with text that is no status word, or a number is infinite or has too many digits.
    """
    trimmed = pc.utf8_trim_whitespace(cells)
    lower = pc.utf8_lower(trimmed)
    missing = pc.is_in(lower, value_set=pa.array([*STATUS, *(code.lower() for code in codes)]))
    plain = pc.replace_substring(trimmed, ",", ".") if decimal == "," else trimmed
    masked = pc.if_else(missing, None, plain)
    if pc.all(pc.is_in(lower, value_set=pa.array(NULLS))).as_py() is not False:
        return _empty(name, cells, quoted)
    numbers = None if masked.null_count == len(masked) else _cast(masked)
    named = labels and numbers is not None and (_has_leading_zeros(masked) or _inexact(masked, numbers))
    if numbers is not None and not named and not _codes(masked):
        coded = np.isin(numbers, numeric(codes))
        if coded.any() and not np.all(coded | np.isnan(numbers)):
            missing = pc.or_(missing, pa.array(coded))
            masked, numbers = pc.if_else(missing, None, masked), np.where(coded, np.nan, numbers)
        if _inexact(masked, numbers):
            raise too_long(name)
        return _numbers(name, trimmed, masked, numbers, missing, quoted)
    if numbers is None and not labels:
        _refuse_mixed(name, trimmed, masked)
    return _labels(name, cells, lower, quoted)


def _codes(cells: pa.Array) -> bool:
    """Whether digits are names: all of one length, some with leading zeros, and few of them, such as 0417 and 1033."""
    if not _has_leading_zeros(cells):
        return False
    lengths = pc.unique(pc.utf8_length(cells)).drop_null()
    few = len(pc.unique(cells)) <= min(MOST_CODES, len(cells) // 4)
    return few and len(lengths) == 1 and pc.all(pc.utf8_is_digit(cells)).as_py() is True


def numeric(codes: Sequence[str]) -> np.ndarray:
    """Those of the codes for a missing value that are numbers."""
    return np.array([float(code.replace(",", ".")) for code in codes if is_number(code.replace(",", "."))])


def _inexact(cells: pa.Array, numbers: np.ndarray) -> bool:
    """Whether there are whole numbers with more digits than a float holds."""
    large = np.abs(numbers) > _EXACT
    digits = pc.match_substring_regex(cells, r"^[+-]?\d+$")
    return bool(large.any()) and bool(pc.any(pc.and_(pa.array(large), digits)).as_py())


def too_long(name: str) -> DataError:
    """The error for whole numbers with more digits than a float holds."""
    return DataError(
        f"Column '{name}' holds whole numbers beyond {_EXACT:.0f}, which would lose digits: drop it or make it text."
    )


def _cast(cells: pa.Array) -> np.ndarray | None:
    for cleaned in (cells, None):
        cleaned = pc.replace_substring_regex(cells, r"^\+", "") if cleaned is None else cleaned
        try:
            return np.asarray(pc.cast(cleaned, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        except pa.ArrowInvalid:
            continue
    return None


def _has_leading_zeros(cells: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, r"^0\d")).as_py())


def _empty(name: str, cells: pa.Array, quoted: bool) -> Cells:
    null = cells[0].as_py() if len(cells) else ""
    return Cells(name, "number", np.full(len(cells), np.nan), "float64", text=CellText(name, null=null, quoted=quoted))


def _numbers(
    name: str, trimmed: pa.Array, masked: pa.Array, numbers: np.ndarray, missing: pa.Array, quoted: bool
) -> Cells:
    refuse_infinite(name, numbers)
    nulls = Counter(pc.filter(trimmed, missing).to_pylist())
    words = {word: count for word, count in nulls.items() if word.lower() not in NULLS}
    plain = {word: count for word, count in nulls.items() if word not in words}
    text = replace(_style(name, masked, numbers), quoted=quoted, null=max(plain, key=lambda w: plain[w], default=""))
    whole = _whole(numbers)
    return Cells(
        name,
        "number",
        numbers,
        "int64" if whole and text.decimals == 0 and not nulls else "float64",
        whole=whole,
        decimals=0 if whole else _needed(text, numbers),
        text=text,
        bad=tuple(word for word, count in words.items() for _ in range(count)),
    )


def _needed(text: CellText, values: np.ndarray) -> int | None:
    """The decimals that values have: written to a fixed number, the last of them may be zeros throughout."""
    if text.style != "fixed" or text.decimals is None:
        return text.decimals
    found = decimals_of(values, 53)
    return text.decimals if found is None else min(text.decimals, found)


def _whole(values: np.ndarray) -> bool:
    known = values[~np.isnan(values)]
    return bool(len(known)) and bool(np.all(known == np.rint(known)) and np.all(np.abs(known) <= _EXACT))


def _style(name: str, cells: pa.Array, numbers: np.ndarray) -> CellText:
    """How the numbers were written."""
    exponent = bool(pc.any(pc.match_substring_regex(cells, "[eE]")).as_py())
    if exponent:
        decimals = decimals_of(numbers, 53)
        return CellText(name, decimals, "trim", exponent=True)
    lengths, dots = pc.utf8_length(cells), pc.find_substring(cells, ".")
    counts = pc.if_else(pc.less(dots, 0), 0, pc.subtract(pc.subtract(lengths, dots), 1)).drop_null().to_numpy()
    most, least = int(counts.max()), int(counts.min())
    style: Style = "fixed" if most == least and most else "bare" if least == 0 else "trim"
    if style == "fixed" and most > MOST_DECIMALS:
        style = "trim"
    return CellText(name, most if most <= MOST_DECIMALS else None, style, exponent=most > MOST_DECIMALS)


def _refuse_mixed(name: str, trimmed: pa.Array, masked: pa.Array) -> None:
    """Raise if most cells are numbers, and so the others are mistakes."""
    like = pc.match_substring_regex(masked, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
    known = len(masked) - masked.null_count
    if 2 * (pc.sum(like).as_py() or 0) <= known:
        return
    row = pc.index(pc.fill_null(like, True), False).as_py()
    odd = pc.unique(pc.filter(masked, pc.invert(pc.fill_null(like, True)))).to_pylist()
    if all(map(LIMIT.fullmatch, odd)):
        raise beyond_limit(name, odd)
    raise mixed(name, row + 1, trimmed[row].as_py())


def beyond_limit(name: str, marks: Sequence[str]) -> DataError:
    """The error for a column of numbers with such as <0.05 among them."""
    told = " ".join(f"--missing '{mark}'" for mark in marks[:3])
    return DataError(
        f"Column '{name}' holds numbers, and marks of values beyond a limit such as '{marks[0]}': put a number in "
        f"their place, such as half of the limit; or call them missing with {told}, which loses that they are so low."
    )


def mixed(name: str, row: int, value: object, what: str = "numbers") -> DataError:
    """The error for a column with something else in it; rows count from 1 below the header."""
    cure = f"; or say --missing '{value}' if that stands for a missing value" if what == "numbers" else ""
    return DataError(
        f"Column '{name}' holds {what}, but row {row} holds '{value}': correct or empty that cell, or drop the column"
        f"{cure}."
    )


def refuse_infinite(name: str, values: np.ndarray) -> None:
    """Raise a DataError that names the first infinite value [N]."""
    rows = np.flatnonzero(np.isinf(values))
    if len(rows):
        raise DataError(
            f"Column '{name}' is infinite in row {rows[0] + 1} ({len(rows)} in all): "
            "put a number there or leave it empty."
        )


def _labels(name: str, cells: pa.Array, lower: pa.Array, quoted: bool) -> Cells:
    missing = pc.is_in(lower, value_set=pa.array(NULLS))
    words = pc.drop_null(pc.unique(pc.if_else(missing, None, cells))).to_pylist()
    truths = next((pair for pair in _TRUTHS if len(words) <= 2 and {*words} <= {*pair}), None)
    if truths is None:
        missing = pc.and_not(missing, pc.equal(lower, NONE))
    null = next(iter(Counter(pc.filter(cells, missing).to_pylist()).most_common(1)), ("", 0))[0]
    trimmed = pc.utf8_trim_whitespace(cells)
    if not pc.any(pc.match_substring_regex(trimmed, r"^\D")).as_py():  # padded times; padded labels stay as they are
        cells = trimmed
    coded = pc.dictionary_encode(pc.if_else(missing, None, cells))
    levels, codes = sort_levels(coded.dictionary.to_pylist(), coded.indices)
    text = CellText(name, None, "trim", quoted, null, truths)
    if truths is not None:
        codes = codes + (levels == (truths[1],))
        dtype = "boolean" if np.isnan(codes).any() else "bool"
        return Cells(name, "boolean", codes, dtype, text=text, null="NA")
    return Cells(name, "text", codes, TEXT, levels=levels, text=text)


def sort_levels(levels: Sequence[str], indices: pa.Array) -> tuple[tuple[str, ...], np.ndarray]:
    """Labels in order and float codes [N] into them, NaN missing."""
    order = sorted(range(len(levels)), key=levels.__getitem__)
    rank = np.empty(len(levels))
    rank[order] = np.arange(len(levels))
    index = indices.to_numpy(zero_copy_only=False)
    known = ~np.isnan(index) if index.dtype.kind == "f" else np.ones(len(index), bool)
    codes = np.full(len(index), np.nan)
    codes[known] = rank[index[known].astype(np.int64)]
    return tuple(levels[i] for i in order), codes


def decimals_of(values: np.ndarray, bits: int) -> int | None:
    """The fewest decimals (<= 10) that give back all values [N]; None if none do or the float cannot tell.

    Args:
        bits: bits of the mantissa: 53 for float64, 24 for float32.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    kind = np.float32 if bits == 24 else np.float64
    largest = float(np.max(np.abs(known)))
    for decimals in range(MOST_DECIMALS + 1):
        if largest * 10.0**decimals > 2.0 ** (bits - 2):
            return None
        if all(
            np.array_equal(np.round(part, decimals).astype(kind), part.astype(kind)) for part in (known[:1000], known)
        ):
            return decimals
    return None
