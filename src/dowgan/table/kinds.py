"""What kind of column it is, and the rules that its values keep: whole numbers, decimals, bounds, levels."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dowgan.errors import DataError
from dowgan.table.cells import LIMIT, STATUS, Cells, beyond_limit, decimals_of, is_number
from dowgan.table.clocks import mostly_times, surely_named
from dowgan.table.faults import faulty, usual_range
from dowgan.table.rules import significant
from dowgan.table.schema import Column, Role, Run, Schema

MOST_LABELS = 50  # a text column with more is no category of a plant
MOST_CONDITION_LABELS = 1000
MOST_LEVELS = 12  # distinct values of a number that jumps between settings
ROWS_PER_LEVEL = 20
FEWEST_STEPS = 5  # distinct values of a number that moves in steps
SPAN = 30.0  # times the least size of a value that the greatest is, from which significant digits are looked for
FEWER = 2  # decimals, by which the largest values have less
MOST_SIGNIFICANT = 5
MOST_COUNTED = 2.0**53  # of the last decimal
MOST_SUFFIXED = 12  # labels like 2h, 4h; more of them are numbers with a unit
HELD_ROWS = 8  # rows that a set-point stays where it is, in the mean
STRAY_ROWS = 2  # a value far from all others that comes back is a code rather than a measurement
PILE_ROWS = 5  # a bound must be touched this often
PILE_SHARE = 0.005  # and by this share of the rows
WHOLES = (1.0, 100.0)  # that shares and percentages do not exceed
_PERCENT = re.compile(r"%|percent|(?<![A-Za-z])(?:pct|proz)(?![A-Za-z])", re.IGNORECASE)
_SHARE = re.compile(r"(?<![A-Za-z])(?:frac|fraction|share|prob|probability|anteil)(?![A-Za-z])", re.IGNORECASE)
_DIRECTION = re.compile(
    r"(?<![A-Za-z])(?:dir|direction|azimuth|heading|richtung)(?![A-Za-z])|windrichtung", re.IGNORECASE
)
PILE_RATIO = 4.0  # and this much more often than the values next to it


def understand(cells: Cells, role: Role, runs: Sequence[np.ndarray] = ()) -> Column:
    """Find out the kind and the rules of a column.

    Args:
        cells: the rows that came, before any empty rows are filled in.
        runs: rows [T] of each run in the order of time.

    Raises:
        DataError: it is a time besides the clock, or text with too many values.
    """
    if cells.form == "time" and role != "time":
        raise _second_clock(cells)
    known = cells.values[~np.isnan(cells.values)]
    missing = 1.0 - len(known) / max(len(cells), 1)
    if role in ("value", "condition"):
        _refuse_free_text(cells, role, len(known), runs)
        if missing == 1.0:
            return _column(cells, role, "constant", missing, value=np.nan)
        if missing == 0.0 and np.all(known == known[0]):
            return _column(cells, role, "constant", missing, value=_value(cells, known[0]))
    if cells.form == "text":
        return _column(cells, role, "category", missing)
    if cells.form == "boolean":
        return _column(cells, role, "boolean", missing)
    usual = usual_range(cells.values, runs) if role == "value" else None
    column = _number(cells, role, known[~faulty(known, usual)], missing)
    return replace(column, usual=usual)


def _second_clock(cells: Cells) -> DataError:
    return DataError(
        f"Column '{cells.name}' holds times besides the clock: drop it, or make it the clock with --time {cells.name}."
    )


def _column(
    cells: Cells,
    role: Role,
    kind: str,
    missing: float,
    lower: float | None = None,
    upper: float | None = None,
    levels: tuple[object, ...] | None = None,
    value: object = None,
) -> Column:
    return Column(
        name=cells.name,
        role=role,
        kind=kind,  # type: ignore[arg-type]
        dtype=cells.dtype,
        decimals=cells.decimals if cells.form == "number" else None,
        lower=lower,
        upper=upper,
        levels=() if role == "time" else cells.levels if levels is None else levels,
        missing=round(missing, 6),
        value=value,
        ordered=cells.ordered,
        null=cells.null,
        level_dtype=cells.level_dtype,
    )


def _value(cells: Cells, code: float) -> object:
    if cells.form == "text":
        return cells.levels[int(code)]
    if cells.form == "boolean":
        return bool(code)
    return int(code) if cells.whole else float(code)


def _refuse_free_text(cells: Cells, role: Role, known: int, runs: Sequence[np.ndarray]) -> None:
    if cells.form != "text" or _names_runs(cells, runs):
        return
    if role == "value":
        _refuse_dressed_numbers(cells)
    count, most = len(cells.levels), MOST_LABELS if role == "value" else MOST_CONDITION_LABELS
    used = len(np.unique(cells.values[~np.isnan(cells.values)]))
    if count > most or (known >= 8 and used > 0.9 * known):
        if mostly_times(cells):
            raise _second_clock(cells)
        raise DataError(
            f"Column '{cells.name}' is text with {count} different values, such as '{cells.levels[0]}', and a category "
            f"has at most {most}, which repeat: drop the column, or use --run {cells.name} if each value is one run."
        )


def _names_runs(cells: Cells, runs: Sequence[np.ndarray]) -> bool:
    """Whether a text is something of whole runs, such as the code of a country beside its name."""
    own = [np.unique(values[~np.isnan(values)]) for values in (cells.values[rows] for rows in runs)]
    return len(runs) > 1 and max(map(len, own)) <= 1 and len(cells.levels) <= MOST_CONDITION_LABELS


_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:(?P<mark>[,.' ])\d{3})(?:(?P=mark)\d{3})*(?:[.,]\d+)?")
_SUFFIXED = re.compile(r"[+-]?\d+(?:[.,]\d+)?\s*(?P<unit>[^\d\s.,:/-].*)")


def _refuse_dressed_numbers(cells: Cells) -> None:
    """Raise where text is numbers with marks between thousands or a unit behind them, or times in an unknown form."""
    levels = [str(level).strip() for level in cells.levels]
    if len(levels) <= MOST_SUFFIXED:
        return
    first = levels[0]
    limits = [level for level in levels if LIMIT.fullmatch(level)]
    if limits and all(is_number(level) or level in limits for level in levels if level.lower() not in STATUS):
        raise beyond_limit(cells.name, limits)
    if surely_named(cells.name) and not mostly_times(cells):
        raise DataError(
            f"Column '{cells.name}' is called a time and holds '{first}', which cannot be read as one: "
            "write times such as 2024-01-31 08:00, or drop the column."
        )
    marked = [level for level in levels if _THOUSANDS.fullmatch(level)]
    if len(marked) > 0.8 * len(levels):
        raise DataError(
            f"Column '{cells.name}' holds numbers with marks between thousands, such as '{marked[0]}': "
            "write them without the marks."
        )
    units = Counter(match["unit"] for level in levels if (match := _SUFFIXED.fullmatch(level)))
    unit, count = units.most_common(1)[0] if units else ("", 0)
    if count > 0.8 * len(levels):
        raise DataError(
            f"Column '{cells.name}' holds numbers with '{unit}' behind them, such as '{first}': "
            "leave the unit out of the cells; it may stand in the name or in a row of units under the names."
        )


def stray_notes(columns: Sequence[Column], cells: Mapping[str, Cells]) -> list[str]:
    """Sentences on values that look like codes of a fault: far from all others, and repeated."""
    notes = []
    for column in columns:
        if column.role != "value" or column.kind not in ("float", "integer"):
            continue
        values = cells[column.name].values
        for value, count in _strays(values[~faulty(values, column.usual)]):
            notes.append(
                f"'{column.name}' holds {value:g} in {count} rows, far from its other values; if that means a fault, "
                f"say --missing={value:g}"
            )
    return notes


def fault_notes(columns: Sequence[Column], cells: Mapping[str, Cells]) -> list[str]:
    """Sentences on single values that are taken for faults."""
    notes = []
    for column in columns:
        far = faulty(cells[column.name].values, column.usual)
        if far.any() and column.usual is not None:
            low, high = column.usual
            notes.append(
                f"'{column.name}' is {_some(cells[column.name].values[far])}, far from all its other values "
                f"({low:g} to {high:g}): taken for a fault of the measurement, and nothing is learnt from it"
            )
    return notes


def _some(values: np.ndarray) -> str:
    """The first few of some values in words."""
    first = ", ".join(f"{value:g}" for value in np.unique(values)[:3])
    return f"{first} in {len(values)} row{'s' if len(values) > 1 else ''}"


def step_notes(schema: Schema, runs: Sequence[Run]) -> list[str]:
    """Sentences on columns that look like set-points: few settings, each held for many rows."""
    notes = []
    for place, column in enumerate(schema.channels):
        if column.role != "value" or column.kind not in ("float", "integer") or len(column.levels) < 2:
            continue
        series = [run.values[~np.isnan(run.values[:, place]), place] for run in runs]
        stretches = sum(1 + int(np.count_nonzero(np.diff(values))) for values in series if len(values))
        if sum(map(len, series)) >= HELD_ROWS * stretches:
            notes.append(
                f"'{column.name}' moves in steps between {len(column.levels)} settings; if it is a set-point, "
                f"say --condition {column.name}"
            )
    return notes


def _strays(values: np.ndarray) -> list[tuple[float, int]]:
    """The lowest and the highest value [N], each if it repeats and lies further off than all others spread."""
    distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    found = []
    for side in (slice(None), slice(None, None, -1)):
        ends, often = distinct[side], counts[side]
        if len(ends) > MOST_LEVELS and often[0] >= STRAY_ROWS:
            rest = ends[1:]
            if abs(rest[0] - ends[0]) > 2 * abs(rest[-1] - rest[0]):
                found.append((float(ends[0]), int(often[0])))
    return found


def _number(cells: Cells, role: Role, known: np.ndarray, missing: float) -> Column:
    kind = "integer" if cells.whole else "float"
    if role not in ("value", "condition"):
        return _column(cells, role, kind, missing)
    distinct, counts = np.unique(known, return_counts=True)
    few = len(distinct) <= MOST_LEVELS and len(known) >= ROWS_PER_LEVEL * len(distinct)
    levels = tuple(int(v) if cells.whole else float(v) for v in distinct) if few else ()
    lower = float(distinct[0]) if _piles(counts, len(known)) else 0.0 if distinct[0] >= 0 else None
    upper = float(distinct[-1]) if _piles(counts[::-1], len(known)) else _natural(cells, distinct, int(counts[-1]))
    step, digits = _step(cells, known, len(distinct)), None if levels else _digits(cells, known, len(distinct))
    column = replace(_column(cells, role, kind, missing, lower, upper, levels), step=step, digits=digits)
    return column if digits is None else replace(column, decimals=None)


def _digits(cells: Cells, known: np.ndarray, distinct: int) -> int | None:
    """The significant digits that all values have, where they span decades and decimals say less."""
    sizes = np.abs(known[known != 0])
    if cells.whole or distinct < FEWEST_STEPS or not len(sizes) or sizes.max() < SPAN * sizes.min():
        return None
    top = decimals_of(sizes[sizes >= sizes.max() / 10], 53)
    if top is None or (cells.decimals is not None and top > cells.decimals - FEWER):
        return None  # the largest have as many decimals as the least
    found = (d for d in range(1, MOST_SIGNIFICANT + 1) if np.allclose(significant(sizes, d), sizes, rtol=1e-9, atol=0))
    return next(found, None)


def _step(cells: Cells, known: np.ndarray, distinct: int) -> float | None:
    """The step of which all values are multiples, if it is wider than their last decimal."""
    digits = 0 if cells.whole else cells.decimals
    if digits is None or distinct < FEWEST_STEPS or len(known) < ROWS_PER_LEVEL:
        return None
    counted = np.rint(known * 10.0**digits)
    if np.abs(counted).max() >= MOST_COUNTED:
        return None
    common = int(np.gcd.reduce(counted.astype(np.int64)))
    return round(common / 10.0**digits, digits) if common > 1 else None


def _natural(cells: Cells, distinct: np.ndarray, often: int) -> float | None:
    """The upper bound of values of one sign, and of shares, percentages and directions if values or the name say so."""
    least, most = float(distinct[0]), float(distinct[-1])
    if least < 0:
        return 0.0 if most <= 0 else None
    if most in WHOLES and often >= max(PILE_ROWS, PILE_SHARE * len(cells)):
        return most
    if _PERCENT.search(cells.name) and 1 < most <= 100:
        return 100.0
    if _SHARE.search(cells.name) and most <= 1:
        return 1.0
    if _DIRECTION.search(cells.name) and 350 < most <= 360:
        return 359.0 if cells.whole and most < 360 else 360.0
    return None


def _piles(counts: np.ndarray, rows: int) -> bool:
    """Whether the first of the distinct values (in order) occurs far more often than its neighbours."""
    near = counts[1:21]
    often = counts[0] >= max(PILE_ROWS, PILE_SHARE * rows)
    return bool(often and len(counts) > MOST_LEVELS and counts[0] >= PILE_RATIO * np.mean(near))
