"""Judge generated rows against real ones: every score beside its floor and its naive value.

Shapes: N windows, T steps of a window, C channels, S splits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from dowgan.baselines import block_bootstrap
from dowgan.errors import DataError
from dowgan.evaluate.blocks import Split, against_held_out, halves, hop_for, rows_in, window_for, windows
from dowgan.evaluate.checks import CHECKS
from dowgan.evaluate.copying import judge_copying
from dowgan.evaluate.findings import find_traits
from dowgan.evaluate.plain import known_mean, plain
from dowgan.evaluate.sides import Finding, block_count
from dowgan.evaluate.told import off_the_clock, untold
from dowgan.evaluate.traits import joined
from dowgan.evaluate.values import few_levels, find_values
from dowgan.evaluate.verdict import ALARM, BAD, GOOD, LOOK, mark
from dowgan.evaluate.within import in_states
from dowgan.evaluate.words import words
from dowgan.metrics import METRICS, Metric, Score
from dowgan.metrics.marginal import moments
from dowgan.metrics.metric import PairedMetric, WindowMetric
from dowgan.metrics.seams import FEWEST_BORDERS, find_seams
from dowgan.rng import Streams

CERTAIN = 1e-4  # probability below which what is off is bad
SLIGHT = 0.1  # on the scale of a trait, what is off by less is no more than worth a look
MEASURED = (
    "spread",
    "steps",
    "memory",
    "rhythm",
    "calm",
    "quiet",
    "level",
    "relation",
    "told",
    "clock",
    "within",
)  # logarithms, or deviations
Begun = tuple[Sequence[int], Sequence[int]]  # the clock's positions of the first rows of real and of generated runs
BY_ITSELF = ("authenticity",)  # is about the training windows, so `judge_copying` measures it


@dataclass(frozen=True)
class Cut:
    """The windows of one split."""

    reference: Float[np.ndarray, "N T C"]
    real: Float[np.ndarray, "K T C"]
    fake: Float[np.ndarray, "M T C"]
    naive: Float[np.ndarray, "_ T C"]


def judge_generation(
    real: Sequence[Float[np.ndarray, "_ C"]],
    fake: Sequence[Float[np.ndarray, "_ C"]],
    names: Sequence[str],
    *,
    train: Sequence[Float[np.ndarray, "_ C"]] | None = None,
    window: int = 24,
    slow: bool = False,
    seed: int = 0,
    cycles: Sequence[int] = (),
    begun: Begun = ((), ()),
    labels: Sequence[tuple[str, ...]] = (),
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Score generated series against real ones.

    Args:
        real: real runs; those that the generator has not seen, if `train` is given.
        fake: generated runs, best as many rows as `train` (as `real` without it).
        names: of the channels.
        train: real runs that the generator was fitted on; their own distance from `real` is the floor. Without it the
            floor is the distance between two halves of `real`.
        window: steps of a window, at most.
        slow: also the metrics that train a network (minutes).
        seed: of the bootstrap and the judges.
        cycles: rows of a day, a week and so on, see `Clock.cycles`.
        begun: where on the clock the runs begin, those of `train` (of `real` without it) and generated ones; empty if
            that is not known.
        labels: of the level numbers of each channel, empty for numbers; () where there are none.
        progress: called with the name of each score before it is measured.

    Returns:
        Plain nested data, see `dowgan.report.Report.scores["generate"]`.

    Raises:
        DataError: a table is too short to be cut into windows.
    """
    cuts = cuts_of(real, fake, train, window, seed)
    steps = cuts[0].fake.shape[1]
    tell = progress or (lambda name: None)
    out: dict[str, Any] = {"window": steps, "windows": len(cuts[0].reference), "splits": len(cuts), "metrics": {}}
    for metric in _metrics(slow):
        tell(metric.name)
        found = _scored(metric.measure, cuts[:1] if metric.cost == "slow" else cuts, seed)
        if found is not None:
            entry = _entry(found, names, metric.better, metric.floor)
            out["metrics"][metric.name] = {"title": metric.title, "better": metric.better} | entry
    known = real if train is None else train
    out["spread"] = _spreads(known, real if train is not None else halves(real, fake, steps)[0].real, fake, names)
    tell("what is off, by name")
    return out | judge_faults(known, fake, names, real if train is not None else None, steps, cycles, begun, labels)


def _cut(split: Split, steps: int, streams: Streams, number: int) -> Cut:
    rows = rows_in(split.real)
    copied = block_bootstrap(split.real, rows, steps, streams.numpy("bootstrap", number))
    hop = hop_for(rows)
    sets = [windows(x, steps, hop) for x in (split.reference, split.real, split.fake, [copied])]
    count = min(map(len, sets))
    if not count:
        raise DataError(
            f"{rows} rows, half of the shorter table, hold no window of {steps} rows: give tables of at least "
            f"{2 * steps} rows, whose runs are not shorter than {steps}."
        )
    return Cut(*(x[:: max(1, len(x) // count)][:count] for x in sets))


def _metrics(slow: bool) -> list[Metric]:
    """What is measured: the registered metrics of windows, and the checks."""
    known = [m for _, m in METRICS if m.needs == "windows" and m.name not in BY_ITSELF and (slow or m.cost == "fast")]
    checks = [
        Metric(name, title, "lower", needs="windows", cost="fast", measure=_as_measure(check), floor=0.0)
        for name, (title, check) in CHECKS.items()
    ]
    return known + checks


def _as_measure(check: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> WindowMetric:
    def measure(real: np.ndarray, fake: np.ndarray, seed: int) -> Score:
        channels = check(real, fake)
        return Score(known_mean(channels), tuple(map(float, channels)))

    return measure


@dataclass(frozen=True)
class Scored:
    """A score of generated, real and bootstrapped windows on every split [S], and by channel [S C]."""

    total: dict[str, np.ndarray]
    channels: dict[str, np.ndarray]


def _scored(measure: WindowMetric | PairedMetric, cuts: Sequence[Cut], seed: int) -> Scored | None:
    """Measure on all splits; None where the measure says nothing about this table."""
    total: dict[str, list[float]] = {}
    channels: dict[str, list[tuple[float, ...]]] = {}
    for cut in cuts:
        for name, other in (("value", cut.fake), ("floor", cut.real), ("naive", cut.naive)):
            score = measure(*_alike(cut.reference, other), seed)  # type: ignore[arg-type]
            total.setdefault(name, []).append(score.value)
            channels.setdefault(name, []).append(score.channels)
    found = Scored({k: np.array(v) for k, v in total.items()}, {k: np.array(v) for k, v in channels.items()})
    return None if np.isnan(found.total["value"]).all() else found


def _alike(reference: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same places missing in both, so that no judge can tell them apart by their gaps."""
    gaps = np.isnan(reference) | np.isnan(other)
    if not gaps.any():
        return reference, other
    return np.where(gaps, np.nan, reference), np.where(gaps, np.nan, other)


def _entry(found: Scored, names: Sequence[str], better: str, best: float) -> dict[str, Any]:
    out = _line(found.total, better, best)
    if found.channels["value"].shape[-1]:
        floors = found.channels["floor"].max(0)
        common = np.median(floors[~np.isnan(floors)]) if not np.isnan(floors).all() else np.nan
        out["tags"] = {
            name: _line({k: v[:, i] for k, v in found.channels.items()}, better, best, float(common))
            for i, name in enumerate(names)
            if not np.isnan(found.channels["value"][:, i]).all()
        }
    return out


def _line(sides: dict[str, np.ndarray], better: str, best: float, common: float = 0.0) -> dict[str, Any]:
    """Mean score, floor and naive over the splits, the worst floor, and the mark that follows.

    Args:
        common: the usual worst floor of a tag; a tag's own is measured on few splits and does not go below it.
    """
    value, floor, naive = (known_mean(sides[k]) for k in ("value", "floor", "naive"))
    sign = 1.0 if better == "lower" else -1.0
    worst = sign * float(np.max(sign * sides["floor"]))
    told, ratio = mark(value, max(worst, common) if better == "lower" else worst, better, best)
    known = told if np.isfinite(value) and np.isfinite(worst) else None
    return plain({"value": value, "floor": floor, "floor_worst": worst, "naive": naive, "ratio": ratio, "mark": known})


def _spreads(
    known: Sequence[np.ndarray], other: Sequence[np.ndarray], fake: Sequence[np.ndarray], names: Sequence[str]
) -> dict[str, Any]:
    """Standard deviation of generated rows over that of the known real rows; the floor is that of other real rows."""
    base, real, made = (moments(np.concatenate(list(x)))[1] for x in (known, other, fake))
    return {
        name: plain({"ratio": float(made[i] / base[i]), "floor": float(real[i] / base[i])})
        for i, name in enumerate(names)
    }


def judge_faults(
    known: Sequence[Float[np.ndarray, "_ C"]],
    fake: Sequence[Float[np.ndarray, "_ C"]],
    names: Sequence[str],
    unseen: Sequence[Float[np.ndarray, "_ C"]] | None,
    steps: int,
    cycles: Sequence[int] = (),
    begun: Begun = ((), ()),
    labels: Sequence[tuple[str, ...]] = (),
) -> dict[str, Any]:
    """What the verdict is made of: findings by name, seams and copies.

    Args:
        known: real runs; those that the generator was fitted on, if `unseen` is given.
        unseen: real runs that it has not seen; None if halves of the known ones must take their place.
        steps: of a window.
        cycles: rows of a day, a week and so on.
        begun: where on the clock the runs of both begin, empty if that is not known.
        labels: of the level numbers of each channel, empty for numbers; () where there are none.
    """
    return {
        "blocks": block_count(min(len(joined(known)), len(joined(fake)))),
        "findings": find(known, fake, names, cycles, labels, unseen or (), begun),
        "seams": judge_seams(known, fake),
        "memorisation": judge_copying(known, fake, unseen, steps),
    }


def cuts_of(
    real: Sequence[Float[np.ndarray, "_ C"]],
    fake: Sequence[Float[np.ndarray, "_ C"]],
    train: Sequence[Float[np.ndarray, "_ C"]] | None,
    window: int,
    seed: int,
) -> list[Cut]:
    """Windows of all splits: of held-out against training rows, or of halves of the real rows without those."""
    blocks = rows_in(real) // (8 if train is None else 1)
    steps = window_for([*real, *fake, *(train or ())], window, max(blocks, 2))
    splits = halves(real, fake, steps) if train is None else against_held_out(real, train, fake)
    return [_cut(split, steps, Streams(seed), number) for number, split in enumerate(splits)]


def find(
    real: Sequence[Float[np.ndarray, "_ C"]],
    fake: Sequence[Float[np.ndarray, "_ C"]],
    names: Sequence[str],
    cycles: Sequence[int] = (),
    labels: Sequence[tuple[str, ...]] = (),
    unseen: Sequence[Float[np.ndarray, "_ C"]] = (),
    begun: Begun = ((), ()),
) -> list[dict[str, Any]]:
    """What is off in generated rows, the most certain first; empty for real rows but once in some hundred tables."""
    of_numbers = np.flatnonzero(~few_levels(np.concatenate(list(real))))
    found = []
    if len(of_numbers):
        own, made = ([x[:, of_numbers] for x in side] for side in (real, fake))
        with np.errstate(invalid="ignore", divide="ignore"):
            for f in find_traits(own, made, cycles):
                tag = None if f.tag is None else int(of_numbers[f.tag])
                detail = int(of_numbers[f.detail]) if f.kind == "swapped" else f.detail
                found.append(replace(f, tag=tag, detail=detail))
    found += [*find_values(real, fake, unseen), *untold(real, fake), *in_states(real, fake)]
    found += off_the_clock(real, fake, begun, cycles) if begun[0] else []
    return [plain(_told(f, names, labels)) for f in sorted(found, key=lambda f: f.p)]


def _told(found: Finding, names: Sequence[str], labels: Sequence[tuple[str, ...]] = ()) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "tag": None if found.tag is None else names[found.tag],
        "p": found.p,
        "real": found.real,
        "fake": found.fake,
        "mark": BAD if found.p < CERTAIN and not _slight(found) else LOOK,
        "text": words(found, names, labels),
    }


def _slight(found: Finding) -> bool:
    """Whether it is certain but of little weight: a tenth off, or a tenth of a standard deviation, or as often."""
    if found.kind == "stays":
        return abs(found.fake - found.real) < SLIGHT * found.real
    return found.kind.partition(" ")[0] in MEASURED and abs(found.fake - found.real) < SLIGHT


def judge_seams(
    real: Sequence[Float[np.ndarray, "_ C"]], fake: Sequence[Float[np.ndarray, "_ C"]]
) -> dict[str, Any] | None:
    """Look for the most seam-like block length in the longest generated series; None if it is too short."""
    longest, usual = (max(x, key=len) for x in (fake, real))
    if min(len(longest), len(usual)) < 8 * FEWEST_BORDERS:
        return None
    seen = ~np.isnan(np.diff(usual, axis=0)).all(axis=0)  # of a daily sample no real step is known
    if not seen.any():
        return None
    found = find_seams(longest[:, seen], usual[:, seen])
    told = BAD if found.p < ALARM / 10 else LOOK if found.p < ALARM else GOOD
    return plain({"length": found.length, "offset": found.offset, "z": found.z, "p": found.p, "mark": told})
