"""Seasons as waves: of one period or another, or of days that go otherwise than the others of their week.

Shapes: T steps, N rows of all runs, D channels, F waves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, Num

HARMONICS = (1, 2, 4, 8, 12)
DAYS = 7  # of a week
DAYS_OFF = (1, 2)  # of them, in a row, on which a day may go otherwise
STARTS = 24  # hours of a day, at which they may begin
RIDGE = 1e-3

Span = tuple[float, float] | tuple[()]  # where days off begin in a week, and how long they are, in steps; () for none


def waves(
    positions: Num[np.ndarray, " T"], periods: Sequence[float], harmonics: Sequence[int], off: Sequence[Span] = ()
) -> Float[np.ndarray, "T F"]:
    """Cosine and sine of each harmonic of each period at the given positions (in steps).

    Args:
        off: of each period, the part of a week (that period) on which days go otherwise: their harmonics there.
    """
    columns = [np.empty((len(positions), 0))]
    for period, most, span in zip(periods, harmonics, off or [()] * len(periods), strict=True):
        whole = period / DAYS if span else period
        angle = 2 * np.pi * np.outer(positions, np.arange(1, most + 1)) / whole  # [T K]
        if span:
            inside = ((positions - span[0]) % period < span[1]).astype(float)[:, None]
            columns += [inside, inside * np.cos(angle), inside * np.sin(angle)]
        else:
            columns += [np.cos(angle), np.sin(angle)]
    return np.concatenate(columns, axis=1)


def regress(
    design: Float[np.ndarray, "T F"],
    values: Float[np.ndarray, "T D"],
    ridge: float = RIDGE,
    used: Bool[np.ndarray, "F D"] | None = None,
) -> Float[np.ndarray, "F D"]:
    """Ridge regression of every channel on the design, or on the columns of it that it uses, over its known rows."""
    known = ~np.isnan(values)
    out = np.zeros((design.shape[1], values.shape[1]))
    for channel in range(values.shape[1]):
        columns = slice(None) if used is None or used[:, channel].all() else used[:, channel]
        rows = design[known[:, channel]][:, columns]
        if len(rows) > 0:
            gram = rows.T @ rows + ridge * max(len(rows), 1) * np.eye(rows.shape[1])
            out[columns, channel] = np.linalg.solve(gram, rows.T @ values[known[:, channel], channel])
    return out


@dataclass(frozen=True)
class Waves:
    """Seasons: their lengths in steps, the number of harmonics of each, and which channels follow it.

    Of days off the length is a week, and harmonics are those of a day.
    """

    periods: tuple[float, ...]
    harmonics: tuple[int, ...]
    followed: Bool[np.ndarray, "P D"]
    off: tuple[Span, ...]

    def with_one(self, period: float, most: int, followed: Bool[np.ndarray, " D"], off: Span = ()) -> "Waves":
        """These and one more."""
        followed = np.vstack([self.followed, followed])
        return Waves((*self.periods, period), (*self.harmonics, most), followed, (*self.off, off))

    def with_whole(self, period: float, followed: Bool[np.ndarray, " D"]) -> "Waves":
        """These and all harmonics of one, in place of the others for the channels that follow it: what is done at each
        hour of a week by a plan, such as how many are on duty."""
        return replace(self, followed=self.followed & ~followed).with_one(period, int(period / 2), followed)

    def at(self, positions: Num[np.ndarray, " T"]) -> Float[np.ndarray, "T F"]:
        """Return all waves at the given positions (in steps)."""
        return waves(positions, self.periods, self.harmonics, self.off)

    @property
    def _widths(self) -> list[int]:
        """How many waves each has."""
        return [2 * most + bool(span) for most, span in zip(self.harmonics, self.off, strict=True)]

    @property
    def few(self) -> int:
        """How many of the waves come before a season with all of its harmonics."""
        parts = zip(self.periods, self.harmonics, self._widths, strict=True)
        return sum(width for period, most, width in parts if most <= HARMONICS[-1] or most < int(period / 2))

    @property
    def used(self) -> Bool[np.ndarray, "F D"]:
        """Which channels use which waves."""
        return np.repeat(self.followed, np.array(self._widths, dtype=int), axis=0)


def no_waves(channels: int) -> Waves:
    """Return no season at all."""
    return Waves((), (), np.empty((0, channels), dtype=bool), ())


def days_off(positions: Num[np.ndarray, " T"], values: Float[np.ndarray, "T D"], week: float) -> Span:
    """Return on which days of a week values are the most unlike those of the others at the same hours.

    Args:
        positions: of the rows (in steps).
        values: NaN where missing.
        week: its length.
    """
    hours = DAYS * STARTS
    hour = (positions % week * hours / week).astype(int)
    total, count = np.zeros((2, hours, values.shape[1]))
    np.add.at(total, hour, np.nan_to_num(values))
    np.add.at(count, hour, (~np.isnan(values)).astype(float))

    def by_day(inside: Int[np.ndarray, " H"]) -> Float[np.ndarray, "2 S D"]:
        return np.stack([x[inside].reshape(-1, STARTS, values.shape[1]).sum(axis=0) for x in (total, count)])

    best: tuple[float, Span] = (-np.inf, ())
    for start in range(hours):
        turned = (start + np.arange(hours)) % hours
        for days in DAYS_OFF:
            sides = [by_day(part) for part in np.split(turned, [days * STARTS])]
            told = sum(float((sums**2 / np.maximum(rows, 1)).sum()) for sums, rows in sides)
            if told > best[0]:
                best = told, (start * week / hours, days * week / DAYS)
    return best[1]


def mean_square(squares: Float[np.ndarray, "N D"]) -> float:
    """Mean over the known values, infinite where none is known."""
    known = squares[~np.isnan(squares)]
    return float(known.mean()) if known.size else np.inf
