"""From scores to words: good, look or bad, by what real data score against real data.

No threshold belongs to a table: a score is good if it is no worse than the worst of the floors (real rows against
other real rows of the same size), worth a look up to twice as far off, bad beyond.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from dowgan.evaluate.contest import ahead
from dowgan.evaluate.sides import FEWEST_BLOCKS, SHORTEST_BLOCK

Mark = Literal["good", "look", "bad"]
GOOD: Mark = "good"
LOOK: Mark = "look"
BAD: Mark = "bad"
ORDER: tuple[Mark, ...] = (GOOD, LOOK, BAD)
ALARM = 0.01  # probability below which a seam or copies are not put down to chance
TWICE = 2.0  # times the worst floor beyond which a score is bad
FAR_TAG = 3.0  # the same beyond which that of a single tag is worth a look
CLOSE = 1.05  # an error up to this many times the best naive one is worth a look, a greater one is bad
MUCH = 1.2  # the same for a single tag
LEAST = 0.01  # standard deviations of a tag by which its error must be greater to be told
AIM = 0.9  # coverage of the bands
COVERAGE_ROOM = 0.05  # that a band may be off, beside its own sampling error
SHARE_OF_TAGS = 0.1  # share of tags that are off before the verb as a whole is

CONSEQUENCES = (  # of other findings
    "level", "spread", "steps", "memory", "rhythm", "ties", "calm", "relation", "told", "clock", "hours", "within",
)  # fmt: skip
CAUSES = ("swapped", "late")  # explain others
BETWEEN = ("crosscorrelation",)  # scores between tags: one that is off takes the others along
BY_RULE = ("rounding",)


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
    if np.isnan(value) or not np.isfinite(floor_worst):
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
    """Sentences on generated rows: the whole first, then each tag that is not good with its strongest reason."""
    tags = _tag_judgements(scores.get("findings", ()), scores.get("rules", {}))
    tags += _far_tags(scores.get("metrics", {}), {t.tag for t in tags})
    whole = [
        *_too_few(scores.get("blocks")),
        *(Judgement("generate", None, f["mark"], f["text"], f["kind"]) for f in _firsts(scores.get("findings", ()))),
        *_seams(scores.get("seams")),
        *_far(scores.get("metrics", {})),
    ]
    copies = _copies(scores.get("memorisation"))
    return [*([] if whole else _overall(len(scores.get("rules", ())), tags)), *whole, *copies, *tags]


def _too_few(blocks: int | None) -> list[Judgement]:
    """The sentence that not much was looked at, where the rows are too few to be cut into blocks of time."""
    if blocks != 0:
        return []
    text = (
        f"Fewer than {FEWEST_BLOCKS * SHORTEST_BLOCK} rows on one side are too few to say what is off: only the rules "
        "of each column, clipped values and lost decimals were looked for."
    )
    return [Judgement("generate", None, LOOK, text, "rows")]


def _firsts(findings: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first finding of each kind on the whole table."""
    out: dict[str, Mapping[str, Any]] = {}
    for found in findings:
        if found["tag"] is None:
            out.setdefault(found["kind"], found)
    return list(out.values())


def _overall(count: int, tags: list[Judgement]) -> list[Judgement]:
    """One sentence where nothing is off in the table as a whole."""
    off = len({t.tag for t in tags})
    bad = len({t.tag for t in tags if t.mark == BAD})
    names = ", ".join(dict.fromkeys(t.tag or "" for t in tags[:5]))
    if not off:
        text = f"Nothing sets generated rows apart from real ones in the table as a whole or in any of {count} tags."
    else:
        text = f"As a whole as close as real rows are; {off} of {count} tags are not: {names}."
    return [Judgement("generate", None, BAD if bad > SHARE_OF_TAGS * count else LOOK if off else GOOD, text, "tags")]


def _tag_judgements(findings: Iterable[Mapping[str, Any]], rules: Mapping[str, Any]) -> list[Judgement]:
    out = {tag: Judgement("generate", tag, BAD, f"{tag} {text}.", "rules") for tag, text in rules.items() if text}
    ranked = sorted(
        findings, key=lambda f: (f["kind"] not in CAUSES, f["kind"].partition(" ")[0] in CONSEQUENCES, f["p"])
    )
    for f in ranked:
        if f["tag"] is not None and f["kind"] not in BY_RULE:
            first = out.get(f["tag"])
            if first is None:
                out[f["tag"]] = Judgement("generate", f["tag"], f["mark"], f["text"], f["kind"])
            elif first.measure == "rules":
                text = f"{first.text} {f['text']}"
                out[f["tag"]] = Judgement("generate", f["tag"], BAD, text, f["kind"])
    for f in ranked:
        if f["tag"] is not None and f["kind"] in BY_RULE and f["tag"] not in out:
            out[f["tag"]] = Judgement("generate", f["tag"], f["mark"], f["text"], f["kind"])
    return list(out.values())


def _far(metrics: Mapping[str, Any]) -> list[Judgement]:
    """One sentence on the scores that lie far beyond the floor, though nothing by name is certain."""
    off = {name: m for name, m in metrics.items() if m["mark"] == BAD}
    if not off:
        return []
    said = "; ".join(f"{m['title']}: {_short(m['value'])}, {_short(m['floor_worst'])}" for m in off.values())
    text = f"More than twice as far from real rows as these are from one another at worst: {said}."
    return [Judgement("generate", None, LOOK, text, next(iter(off)))]


def _far_tags(metrics: Mapping[str, Any], known: Container[str | None]) -> list[Judgement]:
    """A sentence on each other tag with a score that lies far beyond the floor, by the one that does so most."""
    furthest: dict[str, tuple[float, str]] = {}
    for name, metric in metrics.items():
        ratios = {tag: line["ratio"] or 0.0 for tag, line in metric.get("tags", {}).items()}
        blamed = [max(ratios, key=lambda tag: ratios[tag])] if name in BETWEEN and ratios else list(ratios)
        for tag in blamed:
            if ratios[tag] > FAR_TAG and tag not in known:
                furthest[tag] = max(furthest.get(tag, (0.0, "")), (ratios[tag], name))
    return [
        Judgement(
            "generate", tag, LOOK, f"{tag}: {metrics[name]['title']}, {ratio:.1f} times as far as in real rows.", name
        )
        for tag, (ratio, name) in furthest.items()
    ]


def _seams(seams: Mapping[str, Any] | None) -> list[Judgement]:
    if seams is None or seams["mark"] == GOOD:
        return []
    text = f"Every {seams['length']} rows the steps are larger than elsewhere (p = {seams['p']:.1g}): seams."
    return [Judgement("generate", None, seams["mark"], text, "seams")]


def _copies(found: Mapping[str, Any] | None) -> list[Judgement]:
    if found is None:
        return []
    share, exact = found["near_copies"], found["exact_copies"]
    if not found["sure"]:
        made, unseen = found["side_by_side"]
        text = (
            f"Too few windows to say whether known ones were copied: side by side there are {made} generated and "
            f"{unseen} unseen ones."
        )
    elif found["mark"] == GOOD:
        text = (
            f"No copies: the nearest 1 % of windows are {found['lowest']:.2g} standard deviations from a known one, "
            f"those of unseen real rows {found['lowest_held_out']:.2g}."
        )
    elif exact > ALARM:
        text = f"{exact:.0%} of the generated windows are exact copies of real ones."
    else:
        text = f"{share:.0%} of the generated windows are nearer to known ones than 99 % of unseen real windows are."
    return [Judgement("generate", None, found["mark"], text, "memorisation")]


def paired_verdict(verb: str, scores: Mapping[str, Any]) -> list[Judgement]:
    """Sentences on densify or extend: against the best naive method, the bands, then each tag that loses."""
    measure = "mse" if verb == "densify" else "crps"
    best = best_naive(scores, measure)
    ours, theirs = scores["model"][measure], scores["naive"][best][measure]
    found = scores["against"][measure][best]
    told = against(found, ours, theirs)
    words = {"ours": "better than", "theirs": "worse than", "": "no clear difference from"}[ahead(found)]
    titles = {"mse": "mean square error", "crps": "CRPS"}
    text = (
        f"On rows it has not seen {words} the best plain method ({best.replace('_', ' ')}): {titles[measure]} "
        f"{_short(ours)} against {_short(theirs)}{_noise(found)}; R² {_short(scores['model']['r2_median'])} in the "
        "median tag."
    )
    return [Judgement(verb, None, told, text, measure), *_bands(verb, scores), *_lost_tags(verb, scores, best)]


def best_naive(scores: Mapping[str, Any], measure: str) -> str:
    """The plain method whose error is the least."""
    return min(scores["naive"], key=lambda name: _high(scores["naive"][name][measure]))


def against(found: Mapping[str, Any], ours: float | None, theirs: float | None) -> Mark:
    """Good if the model errs less by more than noise, bad if it errs clearly more by more than that, else look."""
    told = ahead(found)
    if told == "ours":
        return GOOD
    far = ours is not None and theirs is not None and ours > CLOSE * theirs
    return BAD if told == "theirs" and far else LOOK


def _noise(found: Mapping[str, Any]) -> str:
    """The difference beside its standard error, where that is known and decided that there is none."""
    if ahead(found):
        return ""
    if found["difference"] is None:
        return ", too few rows to tell them apart"
    return f", a difference of {found['difference']:+.2g} with a standard error of {found['error']:.2g}"


def _short(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"


def _high(value: float | None) -> float:
    return float("inf") if value is None else value


def _bands(verb: str, scores: Mapping[str, Any]) -> list[Judgement]:
    covered, error = scores["coverage_90"], scores["coverage_error"] or 0.0
    if covered is None:
        return []
    off, room = abs(covered - AIM), COVERAGE_ROOM + 2 * error
    told = GOOD if off <= COVERAGE_ROOM else LOOK if off <= TWICE * room else BAD
    side = "too wide" if covered > AIM else "too narrow"
    how = "as they should" if told == GOOD else f"{side}, unless by chance, as rows are few" if off <= room else side
    return [
        Judgement(verb, None, told, f"The 90 % bands hold {100 * covered:.1f} % of the true values: {how}.", "coverage")
    ]


def _lost_tags(verb: str, scores: Mapping[str, Any], best: str) -> list[Judgement]:
    """Tags whose error is greater than that of the plain method by more than noise, and by enough to be seen."""
    out = []
    for tag, line in scores["tags"].items():
        found = line["against"][best]
        if ahead(found) == "theirs" and found["difference"] >= LEAST:
            ours, theirs = line["model"]["mae"], line["naive"][best]["mae"]
            told = LOOK if ours <= MUCH * theirs else BAD
            text = f"{tag}: mean absolute error {ours:.3g}, {best.replace('_', ' ')} has {theirs:.3g}."
            out.append(Judgement(verb, tag, told, text, "mae"))
    return out
