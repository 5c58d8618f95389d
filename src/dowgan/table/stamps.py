"""Times as text: find the format, read it, write the same text again.

A format is made of strptime codes and five more: "%-d" has no leading zero, "%3f" has three decimals of a second,
"%:z" is an offset with a colon, "%^b" is a month in capitals, "%q" is the quarter of a year. A period without a day,
such as a month, a quarter or an ISO week ("%G-W%V"), stands for its first day.
"""

import itertools
import re
import zoneinfo
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dowgan.errors import OptionError
from dowgan.table.calendar import UNITS, ints

_TOKEN = re.compile(r"%([-:^\d]?)([YmdHMSfyIpbBzqGV])")
_DATES = (  # (pattern, the formats that it may be); the separator is group "s"
    (re.compile(r"\d{4}(?P<s>[-/.])\d{1,2}(?P=s)\d{1,2}"), ("%Y{s}%m{s}%d",)),
    (re.compile(r"\d{1,2}(?P<s>[-/.])\d{1,2}(?P=s)\d{4}"), ("%d{s}%m{s}%Y", "%m{s}%d{s}%Y")),
    (re.compile(r"\d{1,2}(?P<s>[-/.])\d{1,2}(?P=s)\d{2}(?!\d)"), ("%d{s}%m{s}%y", "%m{s}%d{s}%y")),
    (re.compile(r"\d{1,2}(?P<s>[-/. ])[A-Za-z]{3}(?P=s)\d{4}"), ("%d{s}%b{s}%Y",)),
    (re.compile(r"\d{1,2}(?P<s>[-/. ])[A-Za-z]{3}(?P=s)\d{2}(?!\d)"), ("%d{s}%b{s}%y",)),
    (re.compile(r"[A-Za-z]{3}(?P<s>[-/. ])\d{1,2}(?P=s)\d{4}"), ("%b{s}%d{s}%Y",)),
    (re.compile(r"\d{14}"), ("%Y%m%d%H%M%S",)),
    (re.compile(r"\d{12}"), ("%Y%m%d%H%M",)),
    (re.compile(r"\d{8}"), ("%Y%m%d",)),
    (re.compile(r"\d{4}(?P<s>[-/])\d{2}"), ("%Y{s}%m",)),
    (re.compile(r"\d{4}M\d{2}"), ("%YM%m",)),
    (re.compile(r"\d{4}(?P<s>[- ]?)Q[1-4]"), ("%Y{s}Q%q",)),
    (re.compile(r"Q[1-4](?P<s>[-/ ]?)\d{4}"), ("Q%q{s}%Y",)),
    (re.compile(r"\d{4}(?P<s>[- ]?)W\d{2}"), ("%G{s}W%V",)),
    (re.compile(r"\d{4}(?P<s>[-/. ]?)[A-Za-z]{3,9}"), ("%Y{s}%b", "%Y{s}%B")),
    (re.compile(r"[A-Za-z]{3,9}(?P<s>[-/. ]?)\d{4}"), ("%b{s}%Y", "%B{s}%Y")),
    (re.compile(r"[A-Za-z]{3,9}(?P<s>[-/. ])\d{2}(?!\d)"), ("%b{s}%y", "%B{s}%y")),
)
_QUARTER = re.compile("Q([1-4])")
_TIME = re.compile(
    r"(?P<gap>[ T]+)(?P<h>\d{1,2}):\d{2}(?P<s>:\d{2}(?:(?P<dot>[.,])(?P<f>\d{1,9}))?)?(?P<p> ?[AaPp][Mm])?"
)
_ZONE = re.compile(r"(?P<gap> ?)(?P<z>Z|UTC|[+-]\d{2}:?\d{2})")
_LIKELY = (
    "Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
    "Europe/Helsinki", "Australia/Sydney",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Stamps:
    """Texts read as times: how, and what came out."""

    text_format: str
    times: pd.DatetimeIndex


def readings(texts: Sequence[str]) -> tuple[Stamps, ...]:
    """All ways in which every one of the texts [N] is a time; two where day and month cannot be told apart."""
    if not len(texts):
        return ()
    found = (_read(texts, text_format) for text_format in _formats(texts[0]))
    return tuple(reading for reading in found if reading is not None)


def _formats(text: str) -> Iterator[str]:
    for pattern, formats in _DATES:
        match = pattern.match(text)
        if match is None:
            continue
        rest = _rest(text[match.end() :])
        if rest is not None:
            separator = match.groupdict().get("s", "")
            yield from (date.format(s=separator) + rest for date in formats)
            return


def _rest(text: str) -> str | None:
    """The format of what follows the date, None if it is no time of day."""
    time, zone = "", ""
    match = _TIME.match(text)
    if match is not None:
        second = (":%S" if match["s"] else "") + (f"{match['dot']}%{len(match['f'])}f" if match["f"] else "")
        half = match["p"]
        time = match["gap"] + ("%I" if half else "%H") + ":%M" + second + (half[:-2] + "%p" if half else "")
        text = text[match.end() :]
    match = _ZONE.match(text)
    if match is not None:
        offset = "%:z" if ":" in match["z"] else "%z"
        zone = match["gap"] + (match["z"] if match["z"] in ("Z", "UTC") else offset)
        text = text[match.end() :]
    return time + zone if not text else None


def _read(texts: Sequence[str], text_format: str) -> Stamps | None:
    few = [texts[i] for i in np.linspace(0, len(texts) - 1, min(len(texts), 200)).astype(int)]
    if parse(few, text_format) is None:  # most wrong formats fail here, at once
        return None
    times = parse(texts, text_format)
    if times is None:
        return None
    return Stamps(_padding(texts, times, text_format), times)


def parse(texts: Sequence[str], text_format: str) -> pd.DatetimeIndex | None:
    """Read texts [N] in one format, to the microsecond; None if one does not have it."""
    plain = _TOKEN.sub(lambda token: "%" + token[2], text_format)
    offsets = "%z" in plain
    if "Q%q" in plain:
        plain = plain.replace("Q%q", "%m")
        texts = [_QUARTER.sub(lambda found: f"{3 * int(found[1]) - 2:02d}", text) for text in texts]
    if "%V" in plain:
        plain, texts = plain + "-%u", [text + "-1" for text in texts]
    try:
        times = pd.DatetimeIndex(pd.to_datetime(list(texts), format=plain, utc=offsets))
    except (ValueError, OverflowError):
        return None
    if times.hasnans:
        return None
    fine = re.search(r"%(\d)f", text_format)
    times = times.as_unit("ns" if fine and int(fine[1]) > 6 else "us")
    if offsets:
        return times.tz_convert(_zone(texts, times))
    return times.tz_localize("UTC") if plain.endswith(("Z", "UTC")) else times


def _zone(texts: Sequence[str], times: pd.DatetimeIndex) -> str:
    """The time zone with these offsets: a fixed one, or a named one that changes its clocks at these times."""
    minutes = np.array([_minutes(text) for text in texts])
    if np.all(minutes == minutes[0]):
        sign, (hours, rest) = "-" if minutes[0] < 0 else "+", divmod(abs(int(minutes[0])), 60)
        return "UTC" if minutes[0] == 0 else f"UTC{sign}{hours:02d}:{rest:02d}"
    few = np.linspace(0, len(times) - 1, min(len(times), 200)).astype(int)
    for zone in (*_LIKELY, *sorted(zoneinfo.available_timezones() - {"Factory", "localtime"})):
        if np.array_equal(_offsets(times[few].tz_convert(zone)), minutes[few]) and np.array_equal(
            _offsets(times.tz_convert(zone)), minutes
        ):
            return zone
    return "UTC"


def _minutes(text: str) -> int:
    sign, digits = -1 if text.rstrip("0123456789:").endswith("-") else 1, re.sub(r".*[+-]|:", "", text)
    return sign * (int(digits[:2]) * 60 + int(digits[2:]))


def _offsets(times: pd.DatetimeIndex) -> np.ndarray:
    return (ints(times.tz_localize(None), "s") - ints(times, "s")) // 60


def typed(text: str, text_format: str | None) -> str:
    """Return what a user typed as a time in the order of year, month and day, if it is written as the format says."""
    period = parse([text], text_format) if text_format and "d" not in text_format else None
    if period is not None:
        return str(period[0])
    date = next((d for d, order in (("%d", "dm"), ("%m", "md")) if text_format and _order(text_format) == order), None)
    if date is None or re.match(r"\s*\d{1,2}[-/. ]\d{1,2}[-/. ]\d{2,4}", text) is None:
        return text
    return str(pd.to_datetime(text, dayfirst=date == "%d", format="mixed"))


def _order(text_format: str) -> str:
    """Which of day and month a format begins with: "dm", "md", or "" where the year comes first."""
    codes = [token[2] for token in _TOKEN.finditer(text_format)]
    return "".join(codes[:2]) if codes[:2] in (["d", "m"], ["m", "d"]) else ""


def _padding(texts: Sequence[str], times: pd.DatetimeIndex, text_format: str) -> str:
    """The format with the leading zeros, and the case of the month, that the texts show."""
    few = np.unique(np.linspace(0, len(times) - 1, min(len(times), 1000)).astype(int))
    sample, shown = times[few], [texts[i] for i in few]
    for codes in itertools.product(
        ("%d", "%-d"), ("%m", "%-m"), ("%H", "%-H"), ("%I", "%-I"), ("%b", "%^b"), ("%B", "%^B")
    ):
        trial = text_format
        for code in codes:
            trial = trial.replace("%" + code[-1], code)
        if render(sample, trial) == shown:
            return trial
    return text_format


def render(times: pd.DatetimeIndex, text_format: str) -> list[str]:
    """Write times [N] in a format, on their own wall clock.

    Raises:
        OptionError: a year has more than four digits.
    """
    return rendered(times, text_format).to_pylist()


def rendered(times: pd.DatetimeIndex, text_format: str) -> pa.Array:
    """Do what `render` does; return the texts as an Arrow array, which is faster for many."""
    if len(times) and times.max().year > 9999:
        raise OptionError(f"Times after the year 9999 cannot be written as {text_format}: ask for fewer rows.")
    parts: list[Any] = []
    end = 0
    for token in _TOKEN.finditer(text_format):
        parts += [text_format[end : token.start()], _component(times, token[1], token[2])]
        end = token.end()
    return pc.binary_join_element_wise(*parts, text_format[end:], "")


def _component(times: pd.DatetimeIndex, flag: str, code: str) -> pa.Array:
    """The texts [N] of one code."""
    wide = 0 if flag == "-" else 2
    match code:
        case "Y":
            return _padded(times.year, 4)
        case "y":
            return _padded(times.year % 100, 2)
        case "m" | "d" | "H" | "M" | "S":
            field = {"m": "month", "d": "day", "H": "hour", "M": "minute", "S": "second"}[code]
            return _padded(getattr(times, field), wide)
        case "q":
            return _padded(times.quarter, 1)
        case "G" | "V":
            return _padded(times.isocalendar()["year" if code == "G" else "week"], 4 if code == "G" else 2)
        case "I":
            return _padded((times.hour - 1) % 12 + 1, wide)
        case "f":
            digits = int(flag or 6)
            return _padded((times.microsecond.astype(np.int64) * 1000 + times.nanosecond) // 10 ** (9 - digits), digits)
        case "z":
            return _each(_offsets(times), lambda first: _offset_text(int(_offsets(times[first])[0]), flag))
    upper = str.upper if flag == "^" else str
    kinds = times.hour // 12 if code == "p" else times.month
    return _each(kinds, lambda first: upper(times[first].strftime("%" + code)[0]))


def _padded(numbers: Any, width: int) -> pa.Array:
    return pc.ascii_lpad(pa.array(np.asarray(numbers, np.int64)).cast(pa.string()), width, "0")


def _each(kinds: Any, text: Callable[[np.ndarray], str]) -> pa.Array:
    """Texts [N] that depend on a few kinds only: each is worked out at the first time of its kind."""
    _, first, places = np.unique(np.asarray(kinds), return_index=True, return_inverse=True)
    return pa.array([text(first[i : i + 1]) for i in range(len(first))], pa.string()).take(pa.array(places))


def _offset_text(minutes: int, colon: str) -> str:
    size = abs(minutes)
    return f"{'-' if minutes < 0 else '+'}{size // 60:02d}{colon}{size % 60:02d}"


def iso(times: pd.DatetimeIndex) -> str:
    """The shortest usual format that loses nothing of these times."""
    nanoseconds = (
        ints(times.tz_localize(None), "ns" if times.unit == "ns" else "us")
        * UNITS["ns" if times.unit == "ns" else "us"]
        if len(times)
        else np.zeros(0, np.int64)
    )
    zone = "%:z" if times.tz is not None else ""
    if not zone and not np.any(nanoseconds % (24 * 3600 * 10**9)):
        return "%Y-%m-%d"
    for digits, size in ((0, 10**9), (3, 10**6), (6, 10**3), (9, 1)):
        if not np.any(nanoseconds % size):
            return "%Y-%m-%d %H:%M:%S" + (f".%{digits}f" if digits else "") + zone
    raise AssertionError("a time is finer than a nanosecond")


def extend(text_format: str, seconds: float, whole: bool) -> str:
    """A format for a finer step: with the day, the time of day, seconds or their decimals where the step needs them.

    Args:
        seconds: the step, a mean one where its length varies; 0 for whole months, which need nothing.
        whole: whether the times lie on multiples of the step; else they are written to the second.
    """
    if not seconds:
        return "%Y-%m" if "%q" in text_format else text_format
    if "d" not in text_format:
        text_format = text_format.replace("%m", "%m-%d") if re.match("%Y[-/]%m", text_format) else "%Y-%m-%d"
    if whole and seconds % 86400 == 0:
        return text_format
    compact = ":" not in text_format and text_format.startswith("%Y%m%d")
    colon, gap = ("", "") if compact else (":", " ")
    if "H" not in text_format and "I" not in text_format:
        text_format += f"{gap}%H{colon}%M"
    if "%S" not in text_format and not (whole and seconds % 60 == 0):
        text_format = text_format.replace("%M", f"%M{colon}%S")
    if whole and seconds % 1:
        digits = next((d for d in (3, 6) if round(seconds * 10**d, 3) % 1 == 0), 9)
        shown = re.search(r"%(\d)f", text_format)
        if shown is None:
            text_format = text_format.replace("%S", f"%S.%{digits}f")
        elif int(shown[1]) < digits:
            text_format = text_format.replace(shown[0], f"%{digits}f")
    return text_format
