"""From scores to words: good, look or bad, by what real data score against real data.

No threshold belongs to a table: a score is good if it is no worse than the worst of the floors (real rows against
other real rows of the same size), worth a look up to twice as far off, bad beyond.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

Mark = Literal["good", "look", "bad"]
GOOD: Mark = "good"
LOOK: Mark = "look"
BAD: Mark = "bad"
ORDER: tuple[Mark, ...] = (GOOD, LOOK, BAD)
TWICE = 2.0  # times the worst floor beyond which a score is bad
CLOSE = 1.05  # an error up to this many times the best naive one counts as level with it
AIM = 0.9  # coverage of the bands
COVERAGE_ROOM = 0.05  # that a band may be off, beside its own sampling error
SHARE_OF_TAGS = 0.1  # share of tags that are off before the verb as a whole is

PHRASES = {
    "ks": "the distribution of its values",
    "wasserstein": "the distribution of its values",
    "autocorrelation": "its memory (autocorrelation)",
    "crosscorrelation": "how it moves with the other tags",
    "spectrum": "its power at some frequencies",
    "spread": "its spread",
    "ramps": "its changes from step to step",
    "tails": "its outermost values",
    "direction": "the direction of time in it",
    "states": "how often it is in each state",
    "dwell": "how long it stays in a state",
}


@dataclass(frozen=True)
class Judgement:
    """One sentence of the verdict.

    Attributes:
        verb: "generate", "densify" or "extend".
        tag: the column it is about; None for the verb as a whole.
        mark: good, look or bad.
        text: the reason, one sentence.
        measure: the score that decided.
    """

    verb: str
    tag: str | None
    mark: Mark
    text: str
    measure: str

    def __str__(self) -> str:
        return f"{self.verb}: {self.mark}: {self.text}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def mark(value: float, floor_worst: float, better: str, best: float) -> tuple[Mark, float]:
    """Judge a score by the worst floor; also return how many times as far from the ideal it is.

    Args:
        best: the ideal value; NaN where there is none, then only "good" and "look" are told apart.
    """
    if np.isnan(value) or np.isnan(floor_worst):
        return GOOD, float("nan")
    if np.isnan(best):
        worse = value > floor_worst if better == "lower" else value < floor_worst
        return (LOOK if worse else GOOD), float("nan")
    ratio = _ratio(abs(value - best) if better == "lower" else best - value, abs(floor_worst - best))
    return (GOOD if ratio <= 1 else LOOK if ratio <= TWICE else BAD), ratio


def _ratio(off: float, usual: float) -> float:
    return max(off, 0.0) / usual if usual > 1e-12 else (0.0 if off <= 1e-9 else float("inf"))


def worst(marks: Iterable[Mark]) -> Mark:
    """The worst of some marks, good if there are none."""
    return max(marks, key=ORDER.index, default=GOOD)


def generation_verdict(scores: Mapping[str, Any]) -> list[Judgement]:
    """Sentences on generated rows: the whole first, then each tag that is not good."""
    tags = _tag_judgements(scores["metrics"], scores.get("rules", {}))
    count = len(next((m["tags"] for m in scores["metrics"].values() if "tags" in m), {}))
    whole = [
        _overall(scores["metrics"], tags, count),
        *_seams(scores.get("seams")),
        *_copies(scores.get("memorisation")),
    ]
    return whole + tags


def _overall(metrics: Mapping[str, Any], tags: list[Judgement], count: int) -> Judgement:
    off = sorted(((m["ratio"] or 0.0, name) for name, m in metrics.items() if m["mark"] != GOOD), reverse=True)
    bad = [t for t in tags if t.mark == BAD]
    told = worst(m["mark"] for m in metrics.values())
    told = BAD if len(bad) > SHARE_OF_TAGS * count and count else worst([told, LOOK]) if bad else told
    fine = count - len(tags)
    if not off and not bad:
        text = f"Generated rows are as close to real rows as other real rows are ({fine} of {count} tags throughout)."
    elif off:
        names = ", ".join(f"{metrics[name]['title']} ({_times(ratio)})" for ratio, name in off[:3])
        text = f"Further off than any two sets of real rows: {names}."
    else:
        text = f"As a whole as close as real rows are, but not {', '.join(t.tag or '' for t in bad[:5])}."
    return Judgement("generate", None, told, text, off[0][1] if off else "tags")


def _times(ratio: float) -> str:
    return "by far" if ratio > 100 or not ratio else f"{ratio:.1f} times the worst floor"


def _tag_judgements(metrics: Mapping[str, Any], rules: Mapping[str, Any]) -> list[Judgement]:
    found: dict[str, tuple[float, str]] = {}
    for name, metric in metrics.items():
        for tag, line in metric.get("tags", {}).items():
            ratio = np.inf if line["ratio"] is None and line["mark"] != GOOD else line["ratio"] or 0.0
            if line["mark"] != GOOD and ratio > found.get(tag, (0.0, ""))[0]:
                found[tag] = (ratio, name)
    out = [Judgement("generate", tag, BAD, f"{tag} {text}.", "rules") for tag, text in rules.items() if text]
    for tag, (ratio, name) in sorted(found.items(), key=lambda item: -item[1][0]):
        how = (
            "further off than in real rows"
            if np.isinf(ratio)
            else f"{ratio:.1f} times as far off as real rows are at most"
        )
        text = f"{tag}: {PHRASES.get(name, metrics[name]['title'])} is {how}."
        out.append(Judgement("generate", tag, metrics[name]["tags"][tag]["mark"], text, name))
    return out


def _seams(seams: Mapping[str, Any] | None) -> list[Judgement]:
    if seams is None or seams["mark"] == GOOD:
        return []
    text = f"Every {seams['length']} rows the steps are larger than elsewhere (p = {seams['p']:.1g}): seams."
    return [Judgement("generate", None, seams["mark"], text, "seams")]


def _copies(found: Mapping[str, Any] | None) -> list[Judgement]:
    if found is None:
        return []
    share, exact = found["near_copies"], found["exact_copies"]
    if found["mark"] == GOOD:
        text = (
            f"No copying was found: the nearest 1 % lie {found['lowest']:.2g} standard deviations from a known window, "
            f"those of unseen real rows {found['lowest_held_out']:.2g}."
        )
    elif exact:
        text = f"{exact:.0%} of the generated windows are exact copies of real ones."
    else:
        text = f"{share:.0%} of the generated windows are nearer to known ones than 99 % of unseen real windows are."
    return [Judgement("generate", None, found["mark"], text, "memorisation")]


def paired_verdict(verb: str, scores: Mapping[str, Any]) -> list[Judgement]:
    """Sentences on densify or extend: against the best naive method, the bands, then each tag that loses."""
    measure = "mse" if verb == "densify" else "crps"
    best = min(scores["naive"], key=lambda name: _high(scores["naive"][name][measure]))
    ours, theirs = scores["model"][measure], scores["naive"][best][measure]
    told = _against(ours, theirs)
    words = "better than" if told == GOOD else "level with" if told == LOOK else "worse than"
    titles = {"mse": "mean square error", "crps": "CRPS"}
    text = (
        f"On rows it has not seen {words} the best plain method ({best.replace('_', ' ')}): "
        f"{titles[measure]} {_short(ours)} against {_short(theirs)}; R² {_short(scores['model']['r2_pooled'])} pooled, "
        f"{_short(scores['model']['r2_median'])} in the median tag."
    )
    return [Judgement(verb, None, told, text, measure), *_bands(verb, scores), *_lost_tags(verb, scores, best)]


def _short(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2g}" if abs(value) < 1 else f"{value:.3g}"


def _high(value: float | None) -> float:
    return float("inf") if value is None else value


def _against(ours: float | None, theirs: float | None) -> Mark:
    if ours is None or theirs is None:
        return LOOK
    return GOOD if ours <= theirs else LOOK if ours <= CLOSE * theirs else BAD


def _bands(verb: str, scores: Mapping[str, Any]) -> list[Judgement]:
    covered, error = scores["coverage_90"], scores["coverage_error"] or 0.0
    if covered is None:
        return []
    room = COVERAGE_ROOM + 2 * error
    told = GOOD if abs(covered - AIM) <= room else LOOK if abs(covered - AIM) <= TWICE * room else BAD
    how = "as they should" if told == GOOD else "too wide" if covered > AIM else "too narrow"
    return [Judgement(verb, None, told, f"The 90 % bands hold {covered:.0%} of the true values: {how}.", "coverage")]


def _lost_tags(verb: str, scores: Mapping[str, Any], best: str) -> list[Judgement]:
    out = []
    for tag, line in scores["tags"].items():
        ours, theirs = line["model"]["mae"], line["naive"][best]["mae"]
        if ours is None or theirs is None or ours <= CLOSE * theirs:
            continue
        told = LOOK if ours <= 1.2 * theirs else BAD
        text = f"{tag}: mean absolute error {ours:.3g}, {best.replace('_', ' ')} has {theirs:.3g}."
        out.append(Judgement(verb, tag, told, text, "mae"))
    return out
