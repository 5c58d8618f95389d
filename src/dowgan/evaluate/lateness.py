"""Channels that come too late or too early against the others.

Shapes: L ways to be late, K and M blocks, C channels.
"""

import numpy as np
from jaxtyping import Float

from dowgan.evaluate import traits
from dowgan.evaluate.sides import FEWEST_BLOCKS, SHORTEST_BLOCK, Finding, Sides, sides_of, welch, with_error
from dowgan.evaluate.traits import MOST_LATE

Array = np.ndarray
FINE = 40  # blocks for what is over within some rows
RARE = 0.01  # probability below which a tag is late, corrected as if all ways to be late were looks of their own
LEAST_PEAK = 0.5  # of the real one, that a tie to the other tags must have elsewhere to be a late one


def late_tags(sides: Sides) -> tuple[list[Finding], Sides]:
    """Channels that come too late or too early against the others, and the tables with that put right.

    The most striking one is put right first, since the channels that are tied to it look early then.
    """
    out: list[Finding] = []
    while len(out) < sides.raw[0].shape[1] // 2:
        found = [f for f in _lateness(sides) if f.p < RARE and f.tag not in [o.tag for o in out]]
        if not found:
            break
        best = min(found, key=lambda f: f.p)
        out.append(best)
        assert best.tag is not None
        sides = _shifted(sides, best.tag, best.detail)
    return out, sides


def _shifted(sides: Sides, tag: int, late: int) -> Sides:
    """The generated channel `late` steps earlier."""
    raw = sides.raw[1].copy()
    raw[:, tag] = np.roll(raw[:, tag], -late)
    raw[-late if late > 0 else 0 : None if late > 0 else -late, tag] = np.nan
    changed = sides_of(sides.raw[0], raw)
    assert changed is not None
    return changed


def _lateness(sides: Sides) -> list[Finding]:
    channels = sides.raw[0].shape[1]
    rows = min(map(len, sides.raw))
    if channels < 2 or rows < 8 * MOST_LATE:
        return []
    first, second = _profiles(sides)
    means = [np.nan_to_num(with_error(x.reshape(len(x), -1))[1]).reshape(x.shape[1:]) for x in (first, second)]
    c, new = np.arange(channels), means[1].argmax(0)
    t, p = welch(*(x[:, new, c] - x[:, MOST_LATE, c] for x in (first, second)))
    late = (means[0].argmax(0) == MOST_LATE) & (new != MOST_LATE) & (t > 0)
    late &= means[1][new, c] > LEAST_PEAK * means[0][MOST_LATE, c]
    looks = 2 * MOST_LATE * channels
    return [
        Finding("late", i, min(1.0, float(p[i]) * looks), 0.0, float(new[i] - MOST_LATE), int(new[i] - MOST_LATE))
        for i in np.flatnonzero(late).tolist()
    ]


def _profiles(sides: Sides) -> tuple[Float[Array, "K L C"], Float[Array, "M L C"]]:
    """Ties to the other channels by lateness, of the values and of the changes together."""
    parts = []
    count = [max(FEWEST_BLOCKS, min(FINE, len(x) // (SHORTEST_BLOCK // 2))) for x in sides.normal]
    for change in (np.asarray, lambda x: np.diff(x, axis=0)):
        tables = [change(x) for x in sides.normal]
        pattern = traits.ties(tables[0])
        parts.append([traits.lateness(x, pattern, n, MOST_LATE) for x, n in zip(tables, count, strict=True)])
    return parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]
