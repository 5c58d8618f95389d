"""What columns do in a regime: have one value in all of its rows, or keep off an end that they often are at elsewhere.

Shapes: T rows, N rows of runs, C columns (the schema's channels), R regimes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from dowgan.known import ends_of
from dowgan.regimes import Regimes
from dowgan.stretch import times_at
from dowgan.table.schema import Column, Run

SETTLED = (3, 12)  # changes to or from one value that a column has in all rows of a regime, and rows, at least
MOSTLY = 0.5  # of the ends of its spells, at which it must change, and it seldom has the value elsewhere:
SELDOM = 0.2  # share of the other rows
PILE = 0.02  # share of the rows at a column's least or greatest value, from which a regime that never has it
REACHED = 20  # rows of a regime at an end of its own, at least
ALONE = 5.0  # times as many as at the value next to it
ENDLESS = np.array([-np.inf, np.inf])
NEVER = (6, 20.0)  # keeps off it: in so many spells of the regime, and as so many of its rows would be there by chance


def with_settled(regimes: Regimes, columns: Sequence[Column], runs: Sequence[Run], places: Sequence[int]) -> Regimes:
    """Return regimes with the values that some columns have in all rows of one and seldom elsewhere, and with the ends
    that they keep off, or come to, in one alone.

    Args:
        columns: the schema's channels.
        runs: of the table.
        places: the columns that may have one; at least one of them is left to be modelled.
    """
    settled, ends = np.full((len(regimes), len(columns)), np.nan), regimes.ends.copy()
    courses = [regimes.of(run.values) for run in runs]
    values, regime = np.concatenate([run.values for run in runs]), np.concatenate(courses)
    piles = {place: _piled(values[:, place]) for place in places}
    looked = [place for place in places if place not in regimes.telling and columns[place].role == "value"]
    for number in range(len(regimes)):
        inside, outside = values[regime == number], values[regime != number]
        often_there = times_at(courses, number) >= NEVER[0]
        for place in looked:
            off = _ends_kept_off(piles[place], inside[:, place]) if often_there else ENDLESS
            ends[:, number, place] = np.where(np.isfinite(off), off, _ends_reached(piles[place], inside[:, place]))
        for place in looked:
            known, elsewhere = (part[~np.isnan(part[:, place]), place] for part in (inside, outside))
            if len(known) < SETTLED[1] or np.ptp(known) or not len(elsewhere):
                continue
            beside = _beside(runs, courses, number, place)
            often, changed = (elsewhere == known[0]).mean(), beside != known[0]
            if often <= SELDOM and changed.sum() >= SETTLED[0] and changed.mean() >= MOSTLY:
                settled[number, place] = known[0]
    found = replace(regimes, settled=settled, ends=ends)
    return regimes if set(places) <= set(found.told) else found


def _piled(every: Float[np.ndarray, " N"]) -> Float[np.ndarray, "2 2"]:
    """The least and the greatest value of a column, and the shares of its rows that have them."""
    ends = ends_of(every[:, None])[:, 0]
    known = every[~np.isnan(every)]
    return np.stack([ends, [(known == end).sum() / max(len(known), 1) for end in ends]])


def _ends_kept_off(piled: Float[np.ndarray, "2 2"], inside: Float[np.ndarray, " K"]) -> Float[np.ndarray, " two"]:
    """The ends of a column in the rows of a regime, endless ones where it does not keep off those of all rows."""
    (every, shares), own = piled, ends_of(inside[:, None])[:, 0]
    sure = (shares >= PILE) & (shares * (~np.isnan(inside)).sum() >= NEVER[1])
    return np.where(sure & (own != every), own, ENDLESS)


def _ends_reached(piled: Float[np.ndarray, "2 2"], inside: Float[np.ndarray, " K"]) -> Float[np.ndarray, " two"]:
    """The ends at which a column often is in the rows of a regime and nowhere near, as a power is that is limited;
    endless ones where it has none but those of all rows."""
    values, count = np.unique(inside[~np.isnan(inside)], return_counts=True)
    if len(values) < 2:
        return ENDLESS
    ends, at, beside = values[[0, -1]], count[[0, -1]], count[[1, -2]]
    sure = (at >= max(REACHED, PILE * count.sum())) & (at >= ALONE * beside)
    return np.where(sure & (ends != piled[0]), ends, ENDLESS)


def _beside(
    runs: Sequence[Run], courses: Sequence[Int[np.ndarray, " _T"]], number: int, place: int
) -> Float[np.ndarray, " N"]:
    """The known values of a column in the rows right before and behind the spells of a regime."""
    out = [np.empty(0)]
    for run, course in zip(runs, courses, strict=True):
        edges = np.flatnonzero(np.diff(course))
        near = np.concatenate([edges[course[edges + 1] == number], edges[course[edges] == number] + 1])
        out.append(run.values[near, place])
    found = np.concatenate(out)
    return found[~np.isnan(found)]
