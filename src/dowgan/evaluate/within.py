"""What tags do while another one is in a state: a kiln that stands cools, a machine at rest takes nothing.

A tag's mean over each spell of a state is one number; spells of generated rows are set beside spells of real rows as
blocks of time are. Over the whole table such a fault may be too small to be seen.

Shapes: T and S rows, C channels, K spells.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from dowgan.evaluate.sides import Finding, welch, with_error
from dowgan.evaluate.traits import joined, normal_places
from dowgan.evaluate.values import few_levels
from dowgan.known import mean_known
from dowgan.metrics.marginal import moments

Array = np.ndarray
RARE = 0.0005  # probability below which something is found, corrected for all tags in all states
LASTS = 4.0  # rows of a mean spell of a state, at least: what changes with each row is a count
FEWEST_SPELLS = 5
MOST_SPELLS = 200  # that are looked at, evenly spread
APART = 0.25  # standard deviations that a tag is off, at least


def in_states(real: Sequence[Float[Array, "_ C"]], fake: Sequence[Float[Array, "_ C"]]) -> list[Finding]:
    """Return each tag that is higher or lower in a state than in real rows, by the state in which it is surest.

    Args:
        real, fake: series of numbers and of level numbers, each in the order of time.
    """
    own, made = joined(real), joined(fake)
    mean, scale = moments(own)
    scales = [tuple((x - mean) / scale for x in (own, made)), tuple(normal_places(own, x) for x in (own, made))]
    numbers = np.flatnonzero(~few_levels(own)).tolist()
    looks, found = 0, list[Finding]()
    for state, level in _states(own):
        spells = [_spells(side[:, state] == level) for side in (own, made)]
        if min(map(len, spells)) < FEWEST_SPELLS:
            continue
        looks += len(scales) * len(numbers)
        parts = [[_means(x, part) for x, part in zip(pair, spells, strict=True)] for pair in scales]
        p = np.min([welch(*pair)[1] for pair in parts], axis=0)
        usual, seen = (with_error(part)[1] for part in parts[0])
        found += [
            Finding(f"within {level:g}", tag, float(p[tag]), float(usual[tag]), float(seen[tag]), state)
            for tag in numbers
            if abs(seen[tag] - usual[tag]) > APART
        ]
    surest: dict[int | None, Finding] = {}
    for f in sorted(found, key=lambda f: f.p):
        if f.p * looks < RARE:
            surest.setdefault(f.tag, replace(f, p=f.p * looks))
    return list(surest.values())


def _states(values: Float[Array, "T C"]) -> Iterator[tuple[int, float]]:
    """Channels that are states, and their levels."""
    for channel in np.flatnonzero(few_levels(values)).tolist():
        levels = np.unique(values[~np.isnan(values[:, channel]), channel]).tolist()
        for level in levels if len(levels) > 1 else ():
            spells = _spells(values[:, channel] == level)
            if len(spells) >= FEWEST_SPELLS and np.mean([last - first for first, last in spells]) >= LASTS:
                yield channel, level


def _spells(there: Array) -> list[tuple[int, int]]:
    """First row of each spell, and the row behind it."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _means(values: Float[Array, "T C"], spells: Sequence[tuple[int, int]]) -> Float[Array, "K C"]:
    """Mean of the known values of each channel over each spell."""
    some = [spells[i] for i in np.linspace(0, len(spells) - 1, min(len(spells), MOST_SPELLS)).round().astype(int)]
    out = np.full((len(some), values.shape[1]), np.nan)
    for row, (first, last) in enumerate(some):
        part = values[first:last]
        out[row] = np.where(np.isnan(part).all(axis=0), np.nan, mean_known(part))
    return out
