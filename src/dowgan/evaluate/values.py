"""Values that stand out by themselves: a pile at an end, a range that never comes, states that change too often or
too seldom, more digits than the real ones have.

Shapes: T and S rows, C channels.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.stats import poisson

from dowgan.evaluate.checks import of_states
from dowgan.evaluate.sides import Finding, sides_of, welch, with_error
from dowgan.evaluate.traits import joined
from dowgan.metrics.marginal import moments

Array = np.ndarray
RARE = 0.01  # probability below which something is found
ENDS = (0.25, 0.2, 0.1)  # shares of the values at an end that make a range of their own
LEAST_STATE = 0.05  # share of the rows from which a state counts
GONE = 0.02  # share of the usual number of rows below which a range is gone
MOST_DIGITS = 6
ON_GRID = 0.995  # share of the real values that must have no more digits
OFF_GRID = 0.9  # share of the generated values below which they have more
CLOSE = 1e-6  # relative room for 32-bit numbers
MANIFOLD = 2.0  # times the share of real values at an end that a pile has at least
NATURAL = 6.0  # the same at an end to which real values come back again and again, such as 0 of a count
PILE = 4  # separate times at one end value from which a pile may be one


def find_values(
    real: Sequence[Float[Array, "_ C"]], fake: Sequence[Float[Array, "_ C"]], unseen: Sequence[Float[Array, "_ C"]] = ()
) -> list[Finding]:
    """Piles, missing ranges, wrong stays and lost rounding, the most certain first.

    Args:
        real, fake: runs.
        unseen: real runs that the generator was not fitted on, from which its user's decimals may come.
    """
    own, made = joined(real), joined(fake)
    found = [*_piles(own, made), *_gone(own, made), *_stays(own, made), *_digits(joined([*real, *unseen]), made)]
    return sorted(found, key=lambda f: f.p)


def few_levels(values: Float[Array, "T C"]) -> Array:
    """Which channels hold so few different values that they are states."""
    return np.array([of_states(x) for x in values.T])


def _piles(real: Float[Array, "T C"], fake: Float[Array, "S C"]) -> list[Finding]:
    """The greatest or least value comes back again and again, where the real one and that value in real rows do not:
    clipped."""
    out: list[Finding] = []
    ratio = max(len(fake) / len(real), 1.0)  # a short series too comes to its own greatest value at least once
    channels = [c for c, few in enumerate(few_levels(real)) if not few and not np.isnan(fake[:, c]).all()]
    counts: list[tuple[float, int, int, float, float]] = []
    for side in (1.0, -1.0):
        for c in channels:
            own, made = side * real[:, c], side * fake[:, c]
            ends = np.nanmax(own), np.nanmax(made)
            usual, seen = max(_times_at(own, end) for end in ends), _times_at(made, ends[1])
            shares = [max(_share_at(own, end) for end in ends), _share_at(made, ends[1])]
            natural = usual > 1 and ends[0] == ends[1]
            if shares[1] < (NATURAL if natural else MANIFOLD) * shares[0]:
                usual, seen = 0, 0
            p = float(poisson.sf(seen - 1, (usual + 1) * ratio)) * 2 * len(channels)
            if seen >= PILE and p < RARE:
                out.append(Finding("pile", c, p, shares[0], shares[1], int(side)))
            counts.append((side, usual, seen, shares[0], shares[1]))
    for side in (1.0, -1.0):
        usual, seen = (sum(int(x[i]) for x in counts if x[0] == side) for i in (1, 2))
        p = 2 * float(poisson.sf(seen - 1, (2 * usual + 1) * ratio))
        if seen >= PILE and p < RARE:
            mean = [float(np.mean([x[i] for x in counts if x[0] == side])) for i in (3, 4)]
            out.append(Finding("pile", None, p, mean[0], mean[1], int(side)))
    return out


def _times_at(values: Float[Array, "T"], end: float) -> int:
    """How often the series comes to a value."""
    at = values == end
    return int(at[0]) + int((at[1:] & ~at[:-1]).sum())


def _share_at(values: Float[Array, "T"], end: float) -> float:
    return float((values == end).sum() / max((~np.isnan(values)).sum(), 1))


def _gone(real: Float[Array, "T C"], fake: Float[Array, "S C"]) -> list[Finding]:
    """A range of values that many real blocks reach and no generated one does: a regime is missing.

    If a range is found in a share q of the real blocks, none of M blocks reaches it with probability (1 - q)^M; blocks
    that are alike count as fewer.
    """
    sides = sides_of(real, fake)
    if sides is None:
        return []
    out: list[Finding] = []
    own, made = sides.blocks
    numbers = 2 * len(ENDS) * int((~few_levels(real)).sum())
    for c, few in enumerate(few_levels(real)):
        whole = np.concatenate(own)[:, c]
        ranges = _ranges(whole, bool(few))
        looks = len(ranges) if few else numbers
        for sign, at in ranges:
            usual = float(np.nanmean(_within(whole, sign, at)))
            seen = float(np.nanmean(_within(np.concatenate(made)[:, c], sign, at)))
            if usual >= LEAST_STATE and seen <= GONE * usual:
                reached = np.array([[_within(x[:, c], sign, at).any()] for x in own], float)
                p = min(1.0, looks * _never(reached, len(made)))
                mean, scale = (x[c] for x in moments(real))
                out.append(Finding("regime", c, p, usual, float(mean + at * scale), sign))
    widest = {(f.tag, f.detail, f.fake if f.detail == 0 else 0.0): f for f in reversed(out) if f.p < RARE}
    return list(widest.values())


def _never(reached: Float[Array, "K 1"], blocks: int) -> float:
    """Probability that none of so many blocks reaches a range, by which of the real blocks do.

    Blocks that are alike count as fewer, by as much as the error of their mean is wider.
    """
    count, mean, error = (float(x[0]) for x in with_error(reached))
    alone = float(reached.var(ddof=1)) / count
    wider = error / alone if alone > 0 else 1.0
    return float((1 - mean * count / (count + 1)) ** (blocks / wider))


def _ranges(values: Float[Array, "T"], few: bool) -> list[tuple[int, float]]:
    """Sign (1 above, -1 below, 0 equal) and value of what counts as a range, the widest first."""
    known = values[~np.isnan(values)]
    if few:
        return [(0, float(level)) for level in np.unique(known)] if len(np.unique(known)) > 1 else []
    if not len(known):
        return []
    return [(sign, float(np.quantile(known, q))) for end in ENDS for sign, q in ((-1, end), (1, 1 - end))]


def _within(values: Float[Array, "T"], sign: int, at: float) -> Array:
    return np.abs(values - at) < 1e-9 if sign == 0 else sign * (values - at) > 0


def _stays(real: Float[Array, "T C"], fake: Float[Array, "S C"]) -> list[Finding]:
    """States that change more or less often: square roots of the changes in blocks of time (Bartlett 1936)."""
    sides, states = sides_of(real, fake), np.flatnonzero(few_levels(real))
    if sides is None:
        return []
    first, second = sides.of_blocks(lambda x: np.sqrt(_changes(x[:, states])))
    p = welch(first, second)[1] * len(states)
    own, made = (with_error(x**2)[1] for x in (first, second))
    rare = np.flatnonzero(p < RARE).tolist()
    return [Finding("stays", int(states[i]), float(p[i]), float(own[i]), float(made[i])) for i in rare]


def _changes(block: Float[Array, "T K"]) -> Float[Array, "K"]:
    """Share of the steps at which a state changes, NaN where none is known."""
    step = np.diff(block, axis=0)
    known = (~np.isnan(step)).sum(0)
    return np.where(known > 0, (np.abs(np.nan_to_num(step)) > 0).sum(0) / np.maximum(known, 1), np.nan)


def _digits(real: Float[Array, "T C"], fake: Float[Array, "S C"]) -> list[Finding]:
    """Generated values with more decimals than the real ones have."""
    out: list[Finding] = []
    for c in range(real.shape[1]):
        own, made = (x[~np.isnan(x[:, c]), c] for x in (real, fake))
        digits = next((d for d in range(MOST_DIGITS) if len(own) and _on_grid(own, d) >= ON_GRID), None)
        share = _on_grid(made, digits) if digits is not None and len(made) else 1.0
        if share < OFF_GRID:
            out.append(Finding("rounding", c, 0.0, 1.0, share, digits or 0))
    return out


def _on_grid(values: Float[Array, "n"], digits: int) -> float:
    room = CLOSE * np.maximum(np.abs(values), 1.0)
    return float((np.abs(values - np.round(values, digits)) <= room).mean())
