"""Whether generated rows are copies of known ones: how near their windows come, beside those of unseen real rows.

Shapes: N and M windows, T steps, C channels.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from dowgan.evaluate.blocks import halves, rows_in, windows
from dowgan.evaluate.plain import plain, plain_list
from dowgan.evaluate.verdict import ALARM, BAD, GOOD, LOOK
from dowgan.metrics.memorisation import LOWEST, Memorisation, exact_share, memorisation

MOST_KNOWN = 6_000  # windows that copies are looked for in; of more, every n-th, since a copy may begin at any row
LOOKS = 600  # windows of each other kind that are looked at for that
TURNS = 3  # ways to halve the real rows where no unseen ones are at hand
FEWEST_BESIDE = 4  # windows that share no row, below which nothing is said of copies: neighbours are alike
NEAR_SHARE = (0.2, 0.5)  # of near-copies, of which .01 are expected, that is worth a look, and that is bad


def side_by_side(series: Sequence[Float[np.ndarray, "_ C"]], steps: int) -> int:
    """How many windows the series hold that share no row."""
    return sum(len(x) // steps for x in series)


def nearest_by_chance(share: float, made: int, unseen: int) -> float:
    """Probability that the nearest windows, a share of the generated ones in number, are all generated ones.

    If generated windows are like unseen ones, each choice of the nearest k is as likely (Fisher 1935, permutation).

    Args:
        made, unseen: windows that share no row, of either side.
    """
    count = math.ceil(share * made)
    return math.exp(_log_factorial_ratio(made, count) - _log_factorial_ratio(made + unseen, count))


def _log_factorial_ratio(n: int, k: int) -> float:
    """log of n! / (n - k)!, minus infinity where k is above n."""
    return math.lgamma(n + 1) - math.lgamma(n - k + 1) if k <= n else -math.inf


def judge_copying(
    known: Sequence[Float[np.ndarray, "_ C"]],
    fake: Sequence[Float[np.ndarray, "_ C"]],
    unseen: Sequence[Float[np.ndarray, "_ C"]] | None,
    steps: int,
) -> dict[str, Any]:
    """Distances of generated and of unseen real windows to the nearest known window.

    Args:
        unseen: None if halves of the known rows must take turns as known and as unseen ones.
    """
    turns = [[(known, unseen)]] if unseen is not None else _in_turn(known, steps)
    made = _at_most(LOOKS, fake, steps)
    found = [[_compared(seen, new, made, steps) for seen, new in turn] for turn in turns]
    each = [f for turn in found for f in turn]
    distances, usual = (np.concatenate(x) for x in ([f.fake for f in each], [f.held_out for f in each]))
    near = float(np.mean([np.any([_near(f) for f in turn], axis=0).mean() for turn in found]))
    lowest = [float(np.mean([f.lowest[i] for f in each])) for i in (0, 1)]
    by_chance = float(np.mean([exact_share(new, seen, steps) for turn in turns for seen, new in turn]))
    exact = max(exact_share(fake, known, steps) - by_chance, 0.0)
    beside = [side_by_side(fake, steps), side_by_side(turns[0][0][1], steps)]
    sure = exact > ALARM or _told_apart(near, *beside)
    told = BAD if exact > ALARM or near > NEAR_SHARE[1] else LOOK if near > NEAR_SHARE[0] else GOOD
    quantiles = np.linspace(0, 1, 101)
    return plain(
        {
            "lowest": lowest[0],
            "lowest_held_out": lowest[1],
            "median": float(np.median(distances)),
            "median_held_out": float(np.median(usual)),
            "authenticity": float(np.mean([f.authenticity for f in each])),
            "authenticity_held_out": float(np.mean([f.authenticity_held_out for f in each])),
            "closer": float(np.mean([f.closer for f in each])),
            "near_copies": near,
            "exact_copies": exact,
            "side_by_side": beside,
            "sure": sure,
            "mark": told if sure else LOOK,
            "quantiles": plain_list(np.quantile(distances, quantiles, method="inverted_cdf")),
            "quantiles_held_out": plain_list(np.quantile(usual, quantiles, method="inverted_cdf")),
        }
    )


Turn = list[tuple[Sequence[np.ndarray], Sequence[np.ndarray]]]


def _in_turn(real: Sequence[Float[np.ndarray, "_ C"]], steps: int) -> list[Turn]:
    """Known and unseen rows: halves of the real ones in several ways, each half in either part."""
    return [[(s.real, s.reference), (s.reference, s.real)] for s in halves(real, real, steps)[:TURNS]]


def _compared(
    known: Sequence[np.ndarray], unseen: Sequence[np.ndarray], made: Float[np.ndarray, "M T C"], steps: int
) -> Memorisation:
    return memorisation(_at_most(MOST_KNOWN, known, steps), _at_most(LOOKS, unseen, steps), made, steps, LOOKS)


def _at_most(count: int, series: Sequence[np.ndarray], steps: int) -> Float[np.ndarray, "_ T C"]:
    return windows(series, steps, max(1, -(-rows_in(series) // count)))


def _near(found: Memorisation) -> Bool[np.ndarray, " M"]:
    """Which generated windows are nearer to a known one than 99 % of unseen and of other known windows are."""
    own = found.train[np.isfinite(found.train)]
    return found.fake < min(np.quantile(x, LOWEST) for x in (found.held_out, own) if len(x))


def _told_apart(near: float, made: int, unseen: int) -> bool:
    """Whether so many near windows, or all of them if none are, would be more than chance."""
    share = near if near > NEAR_SHARE[0] else 1.0
    return min(made, unseen) >= FEWEST_BESIDE and nearest_by_chance(share, made, unseen) < ALARM
