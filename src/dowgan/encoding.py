"""Runs of a table in channels: their regimes, their levels taken off, and without what only repeats a value.

Shapes: T rows of a run, D channels.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from jaxtyping import Int

from dowgan.channels import Channels
from dowgan.holds import Hold
from dowgan.known import first_or_none
from dowgan.levels import Level
from dowgan.stretch import Pace, Stretch, borders
from dowgan.succession import find_timetable
from dowgan.table.schema import Run

CLIP = 12.0  # channels are cut at so many standard deviations before they are fitted


def regimes_of(channels: Channels, runs: Sequence[Run], cycles: Sequence[int]) -> list[Int[np.ndarray, " _T"]]:
    """Return the regimes of runs: where states that were found are missing, as the clock tells by the other rows.

    Args:
        cycles: of the clock in rows.
    """
    regimes = [channels.regimes.of(run.values) for run in runs]
    known = [channels.regimes.known(run.values) for run in runs]
    if not channels.regimes.found or all(rows.all() for rows in known):
        return regimes
    pieces = []
    for run, regime, rows in zip(runs, regimes, known, strict=True):
        edges = borders(rows.astype(int))
        pieces += [(run.offset + int(a), regime[a:b]) for a, b in pairwise(edges.tolist()) if rows[a]]
    timetable = find_timetable(pieces, len(channels.regimes), cycles)
    if timetable is None:
        return regimes
    return [channels.regimes.by_clock(timetable, run.values, run.offset) for run in runs]


def stretch_of(channels: Channels, run: Run) -> Stretch:
    """Return a run in channels, its level taken off."""
    return levelled(channels, run, channels.pace(len(run.values)))[0]


def levelled(
    channels: Channels, run: Run, pace: Pace, before: float = 0.0, regime: Int[np.ndarray, " T"] | None = None
) -> tuple[Stretch, Level]:
    """Return a run, or what follows so many places of it, in channels, its level taken off; and that level.

    Args:
        regime: of its rows; None if its values tell it.
    """
    regime = channels.regimes.of(run.values) if regime is None else regime
    encoded = channels.encode(run.values, channels.setpoints.told(regime, run.values))
    places = before + pace.places(regime)
    level = channels.level(run.key, first_or_none(run.values), encoded, places)
    return Stretch(level.off(encoded, places), run.offset, regime, pace), level


def unheld(channels: Channels, beats: Sequence[Hold], stretch: Stretch) -> Stretch:
    """Leave of values that stand from beat to beat only those at the beats.

    What happens between two samples is not known, and nothing of it is seen in what is made; that the table repeats the
    first of them would be matched at the price of the changes from sample to sample.
    """
    values = stretch.values.copy()
    for hold in beats:
        off = (stretch.positions - hold.lengths.phase) % hold.lengths.every != 0
        found = (channels.first_channel(column) for column in hold.columns)
        for channel in (c for c in found if c is not None):  # a set-point that the regimes tell is none
            values[off, channel] = np.nan
    return replace(stretch, values=values)


def unflagged(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Leave out channels that have but two values, such as an alarm's: set against a normal distribution their few
    jumps would be all that windows are carried by, and the hours of all other channels would be lost."""
    values = np.concatenate([s.values for s in stretches])
    flags = [len(np.unique(channel[~np.isnan(channel)])) <= 2 for channel in values.T]
    return [replace(s, values=np.where(flags, np.nan, s.values)) for s in stretches]


def calm(stretch: Stretch) -> Stretch:
    return replace(stretch, values=np.clip(stretch.values, -CLIP, CLIP))
