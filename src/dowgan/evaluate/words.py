"""Findings in words: what was seen, beside what real rows do, in one sentence."""

import math
from collections.abc import Sequence

from dowgan.evaluate.sides import Finding


def words(found: Finding, names: Sequence[str], labels: Sequence[tuple[str, ...]] = ()) -> str:
    """Return the sentence of a finding.

    Args:
        names: of the channels.
        labels: of the level numbers of each, empty for numbers; () where there are none.
    """
    kind, _, lag = found.kind.partition(" ")
    who = "Rows" if found.tag is None else f"{names[found.tag]}:"
    if found.tag is None:
        return _of_whole(found, kind, lag)
    if kind in ("spread", "steps", "memory", "rhythm", "calm"):
        return f"{who} {_AMOUNT[kind].format(lag=lag)} {_times(found)} in real rows{_reason(found, kind)}."
    return {
        "level": lambda: f"{who} its level is {_shift(found)} the real one.",
        "relation": lambda: f"{who} it lies {_shift(found)} where the other tags put it in real rows.",
        "told": lambda: f"{who} it strays {_strays(found)} as far as in real rows from where the other tags put it.",
        "clock": lambda: f"{who} it strays {_strays(found)} as far as in real rows from where the clock puts it.",
        "hours": lambda: (
            f"{who} {found.fake:.1%} of its rows stand at its usual value, or not, where the clock says otherwise; "
            f"{found.real:.1%} of the real ones do."
        ),
        "within": lambda: f"{who} while {names[found.detail]} is {_level(found, lag, labels)} it is {_higher(found)}.",
        "ties": lambda: f"{who} it moves with the other tags {_share(found)} as closely as in real rows.",
        "late": lambda: f"{who} it comes {_steps(found.detail)} against the other tags.",
        "swapped": lambda: f"{who} it looks like {names[found.detail]}, and that like it: swapped.",
        "drift": lambda: (
            f"{who} over the span it drifts by {found.fake:+.2g} standard deviations"
            f"{' ' + lag if lag else ''}, the real one by {found.real:+.2g}."
        ),
        "pile": lambda: f"{who} {found.fake:.1%} of the rows stand at its {_end(found)} value: clipped.",
        "regime": lambda: f"{who} {_gone(found)}.",
        "stays": lambda: f"{who} its state {_as_often(found)} in real rows.",
        "rounding": lambda: f"{who} values have more than {found.detail} decimals, the real ones have not: unrounded.",
    }[kind]()


_AMOUNT = {
    "spread": "its spread is",
    "steps": "its changes from step to step are",
    "memory": "its changes over {lag} steps are",
    "rhythm": "its changes from one cycle of {lag} steps to the next are",
    "calm": "its smallest changes are",
    "quiet": "the changes at low values are",
}


def _of_whole(found: Finding, kind: str, lag: str) -> str:
    if kind in _AMOUNT:
        what = _AMOUNT[kind].format(lag=lag).replace("its ", "the ", 1)
        return f"In all tags together {what} {_times(found)} in real rows{_reason(found, kind)}."
    return {
        "direction": lambda: "Time runs backwards: what tells past from future in real rows points the other way.",
        "level": lambda: f"All tags together lie {_shift(found)} the real level.",
        "relation": lambda: f"Tags lie {_shift(found)} where the other tags put them in real rows.",
        "ties": lambda: f"Tags move with each other {_share(found)} as closely as in real rows.",
        "pile": lambda: f"{found.fake:.1%} of the values stand at the {_end(found)} value of their tag: clipped.",
    }[kind]()


def _times(found: Finding) -> str:
    """The ratio of traits on a logarithmic scale."""
    ratio = math.exp(max(-9.0, min(found.fake - found.real, 9.0)))
    return f"{ratio:.2f} times those" if ratio < 10 else f"{ratio:,.0f} times those"


def _strays(found: Finding) -> str:
    return f"{math.exp(min(found.fake - found.real, 9.0)):.2g} times"


def _as_often(found: Finding) -> str:
    if found.real == 0:
        return "changes, and never does so"
    return f"changes {found.fake / found.real:.3g} times as often as"


def _reason(found: Finding, kind: str) -> str:
    more = found.fake > found.real
    return {
        "memory": ", so rows are out of order or soon forgotten" if more else ", so rows move too little",
        "rhythm": ", so its rhythm is weaker or less regular" if more else ", so each cycle is too much like the last",
        "steps": "" if more else ", so they are smoothed or shrunk",
        "calm": ", so noise was added" if more else ", so they are smoothed or shrunk",
        "quiet": ", so noise was added" if more else ", so they are smoothed or shrunk",
    }.get(kind, "")


def _shift(found: Finding) -> str:
    off = found.fake - found.real
    return f"{abs(off):.2g} standard deviations {'above' if off > 0 else 'below'}"


def _level(found: Finding, level: str, labels: Sequence[tuple[str, ...]]) -> str:
    own = labels[found.detail] if labels else ()
    return own[int(float(level))] if own else level


def _higher(found: Finding) -> str:
    off = found.fake - found.real
    return f"{abs(off):.2g} standard deviations {'higher' if off > 0 else 'lower'} than in real rows"


def _share(found: Finding) -> str:
    return f"{max(found.fake, 0.0) / found.real:.2g} times" if found.real > 0 else "not"


def _steps(late: int) -> str:
    steps = "step" if abs(late) == 1 else "steps"
    return f"{abs(late)} {steps} {'later' if late > 0 else 'earlier'} than in real rows"


def _end(found: Finding) -> str:
    return "greatest" if found.detail > 0 else "least"


def _gone(found: Finding) -> str:
    where = {1: f"above {found.fake:.4g}", -1: f"below {found.fake:.4g}", 0: f"in state {found.fake:g}"}[found.detail]
    return f"no rows {where}, where {found.real:.0%} of the real ones lie: a regime is missing"
