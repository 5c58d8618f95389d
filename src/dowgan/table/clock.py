"""The clock of a table. It is never generated: it is built from a start, a step and a number of rows."""

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dowgan.errors import OptionError

if TYPE_CHECKING:
    from pandas import Index, Series
else:  # pandas is imported when a clock is used, so that `dowgan --help` stays fast
    Index = Any

PARTS = (4.0, 12.0, 24.0, 52.1775, 365.2425)  # of a year, by which a float may count
NEAR = 0.005  # of such a part, by which a step written with few decimals may miss it


@dataclass(frozen=True)
class Clock:
    """Evenly spaced times, row numbers or readings of a counter.

    Args:
        kind: "row" means that the table has no time: rows are numbered.
        column: name of the time column, or of the index if `in_index`.
        in_index: whether the times are the frame's index.
        step: for times an offset such as "10min", "W-MON", "ME", "QS", "B", or "1h MON-FRI 08:00-20:00" for a clock
            that stands out of hours; else the difference of two values.
        tz: time zone, such as "Europe/Berlin" or "UTC+01:00".
        text_format: how the times were written (strptime codes; "%-d" = no leading zero, "%3f" = milliseconds).
        divide: equal parts into which each step is cut (finer clocks of months and the like).
        unit: resolution of the times: "s", "ms", "us" or "ns".
        decimals: decimals of a float clock, None = full precision.
        freq: the `freq` of the pandas index, None if it had none.
        dtype: the pandas dtype of the index, if `in_index`.
        parts: names of the columns that hold date and time of day, or year, month and so on, where none holds both.
    """

    kind: Literal["datetime", "integer", "float", "row"]
    column: str | None = None
    in_index: bool = False
    step: str | int | float = 1
    tz: str | None = None
    text_format: str | None = None
    divide: int = 1
    unit: str = "us"
    decimals: int | None = None
    freq: str | None = None
    dtype: str = ""
    parts: tuple[str, ...] = ()

    @property
    def called(self) -> str:
        """How to name the clock in a sentence."""
        if self.parts:
            return " and ".join((", ".join(f"'{name}'" for name in self.parts[:-1]), f"'{self.parts[-1]}'"))
        return f"'{self.column}'" if self.column else "the index"

    def periods(self) -> tuple[float, ...]:
        """Seasons of the calendar in steps: (24, 168, 8766) for hours; () where there is no calendar.

        A clock of parts of a year, such as 1949.0833, has the year.
        """
        if self.kind == "float":
            return tuple(part for part in PARTS if abs(1 / float(self.step) - part) < NEAR * part)
        if self.kind != "datetime":
            return ()
        from dowgan.table.calendar import seasons

        return seasons(self.step, self.divide)

    def cycles(self) -> tuple[int, ...]:
        """Those of the `periods` that are whole rows, so that rows have phases in them, the shortest first."""
        whole = (round(period) for period in sorted(self.periods()) if abs(period - round(period)) < 1e-6 * period)
        return tuple(whole)

    @property
    def even(self) -> bool:
        """Whether from any of its times the same times are told, to the last bit."""
        if self.kind != "datetime":
            return self.kind != "float"
        from dowgan.table.calendar import known

        return self.divide == 1 and known(self.step).kind in ("tick", "open")

    def times(self, start: Any, n: int) -> Index:
        """The n clock values from start on, start included."""
        return self.at(start, np.arange(n))

    def after(self, last: Any, n: int) -> Index:
        """The n clock values that follow last."""
        return self.at(last, np.arange(1, n + 1))

    def at(self, start: Any, steps: np.ndarray) -> Index:
        """The clock values at whole numbers of steps [N] from start.

        Raises:
            OptionError: the times would leave the years that pandas can hold.
        """
        import pandas as pd

        if self.kind == "datetime":
            from dowgan.table.calendar import at

            return at(self.step, self.divide, start, steps, self.unit)
        if self.kind == "float":
            values = float(start) + steps * float(self.step)
            return pd.Index(values if self.decimals is None else np.round(values, self.decimals))
        return pd.Index(int(start) + steps * int(self.step))

    def positions(self, start: Any, times: Index) -> np.ndarray | None:
        """Whole numbers of steps [N] from start to each time, None if a time is off the grid."""
        steps = self.whole_steps(start, times)
        built = self.at(start, steps)
        if self.kind == "float":
            off = np.abs(np.asarray(built) - np.asarray(times, float))
            return steps if np.all(off <= self._tolerance()) else None
        if self.kind == "datetime":
            from dowgan.table.calendar import same

            return steps if same(built, times, self.unit) else None
        return steps if np.array_equal(np.asarray(built), np.asarray(times)) else None

    def has(self, start: Any, value: Any) -> bool:
        """Whether a value lies on the grid that goes through start."""
        import pandas as pd

        return self.positions(start, pd.Index([value])) is not None

    def _tolerance(self) -> float:
        """How far a float may be off the grid: more if times were rounded to decimals that the step does not have."""
        step = abs(float(self.step))
        if self.decimals is None or math.isclose(round(step, self.decimals), step, rel_tol=1e-9):
            return 1e-6 * step
        return min(0.51 * 10.0**-self.decimals, step / 10)

    def steps_between(self, a: Any, b: Any) -> int:
        """Whole steps from clock value a to b, negative if b is earlier; rounded down if b is off the grid."""
        import pandas as pd

        return int(self.whole_steps(a, pd.Index([b]))[0])

    def whole_steps(self, start: Any, times: Index) -> np.ndarray:
        """Whole steps [N] from start to each time, rounded down (floats: to the nearest) where it is off the grid."""
        if self.kind == "datetime":
            from dowgan.table.calendar import guess

            return guess(self.step, self.divide, start, times, self.unit)
        distance = (np.asarray(times) - start) / self.step
        rounded = np.rint(distance) if self.kind == "float" else np.floor(distance)
        return rounded.astype(np.int64)

    def finer(self, factor: int) -> "Clock":
        """The clock with `factor` times as many steps; every old time is one of its times.

        Months, quarters and years are cut into months or quarters where that works out, else into equal parts.
        A counter whose step is not divisible becomes a float clock. Row numbers stay row numbers.

        Raises:
            OptionError: the factor is below 1, or the times would be finer than a nanosecond.
        """
        if factor < 1:
            raise OptionError(f"The factor is {factor}; it must be a whole number from 1 up.")
        if factor == 1 or self.kind == "row":
            return self
        if self.kind == "datetime":
            from dowgan.table.calendar import finer

            return finer(self, factor)
        if self.kind == "integer" and int(self.step) % factor == 0:
            return replace(self, step=int(self.step) // factor)
        step = self.step / factor  # type: ignore[operator]
        return replace(self, kind="float", step=step, decimals=_decimals(step, self.decimals or 0))

    def factor(self, every: str) -> int:
        """How many steps of `every` ("10min", "MS", or a number for a counter) make one step of this clock.

        Raises:
            OptionError: the step is no whole multiple of `every`; the text says what is allowed.
        """
        if self.kind == "row":
            raise OptionError(f"Step '{every}' needs a clock, and this table has none: use --factor instead.")
        if self.kind == "datetime":
            from dowgan.table.calendar import factor

            return factor(self.step, self.divide, every)
        return _number_factor(float(self.step), every)

    def encode(self, value: Any) -> str | int | float:
        """A clock value as JSON can hold it; `decode` is the inverse."""
        if self.kind == "datetime":
            return str(value.isoformat())
        return float(value) if self.kind == "float" else int(value)

    def read(self, column: "Series") -> Index | None:
        """The clock values in a column of another table; None if one is none, or is written in another way."""
        import pandas as pd

        if self.kind != "datetime":
            numbers = pd.to_numeric(column, errors="coerce")
            return None if numbers.isna().any() else pd.Index(numbers)
        from dowgan.table.stamps import parse

        times: pd.DatetimeIndex | None
        if pd.api.types.is_datetime64_any_dtype(column.dtype) or self.text_format is None:
            times = pd.DatetimeIndex(pd.to_datetime(column, errors="coerce"))
        else:
            times = parse(column.astype(str).tolist(), self.text_format)
        if times is not None and times.tz is None and self.tz is not None:
            times = times.tz_localize(self.tz, ambiguous="NaT", nonexistent="NaT")
        return None if times is None or times.hasnans else times

    def typed(self, value: str | int | float) -> Any:
        """A clock value that a user gave, with day and month in the order in which the table has them.

        Raises:
            OptionError: it cannot be read as a value of this clock.
        """
        if self.kind == "datetime" and isinstance(value, str):
            from dowgan.table.stamps import typed

            with suppress(ValueError):
                value = typed(value, self.text_format)
        return self.decode(value)

    def decode(self, value: str | int | float) -> Any:
        """A clock value from text or number, in this clock's time zone.

        Raises:
            OptionError: it cannot be read as a value of this clock.
        """
        try:
            if self.kind == "datetime":
                from dowgan.table.calendar import stamp

                return stamp(value, self.tz, self.unit)
            if self.kind == "integer" and isinstance(value, float) and not value.is_integer():
                raise ValueError(value)
            return float(value) if self.kind == "float" else int(value)
        except (ValueError, TypeError, OverflowError) as error:
            kind = {"datetime": "a time such as 2024-01-31 or 2024-01-31T08:00", "float": "a number"}
            raise OptionError(
                f"'{value}' is no value of this clock; it must be {kind.get(self.kind, 'a whole number')}."
            ) from error


def _decimals(step: float, least: int) -> int | None:
    fits = (d for d in range(least, 11) if math.isclose(round(step, d), step, rel_tol=1e-12))
    return next(fits, None)


def _number_factor(step: float, every: str) -> int:
    try:
        part = float(every)
    except ValueError:
        part = math.nan
    ratio = step / part if part > 0 else math.nan
    if not ratio >= 1 or not math.isclose(ratio, round(ratio), rel_tol=1e-9):
        allowed = ", ".join(f"{step / k:g}" for k in (2, 3, 4, 5, 10))
        raise OptionError(
            f"'{every}' does not divide the step of {step:g} into equal parts; allowed are numbers such as {allowed}."
        )
    return round(ratio)
