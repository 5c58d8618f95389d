"""The scores as rows of tables, for the page, notebooks and frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dowgan.evaluate.verdict import against, best_naive

PAIRED: dict[str, tuple[str, str]] = {  # score: (title, good direction)
    "r2_median": ("R², median tag", "higher"),
    "r2_pooled": ("R², all tags at once (each tag's mean alone gives {levels})", "higher"),
    "mse": ("mean square error, in variances", "lower"),
    "mae": ("mean absolute error, in standard deviations", "lower"),
    "crps": ("error of the whole distribution (CRPS)", "lower"),
    "coverage": ("coverage of the 90 % band, off by", "lower"),
}
ARROWS = {"lower": "↓", "higher": "↑"}


@dataclass(frozen=True)
class Row:
    """One score: what it is, its value, what real rows score, what the plain method scores, and the mark."""

    verb: str
    name: str
    title: str
    better: str
    value: float | None
    floor: float | None
    naive: dict[str, float | None]
    mark: str
    floor_worst: float | None = None

    @property
    def arrow(self) -> str:
        return ARROWS[self.better]

    @property
    def best(self) -> float | None:
        """The best of the plain methods."""
        known = [v for v in self.naive.values() if v is not None]
        return (min(known) if self.better == "lower" else max(known)) if known else None


def rows_of(scores: Mapping[str, Any]) -> list[Row]:
    """All totals, verb by verb."""
    out = [
        Row(
            "generate",
            n,
            m["title"],
            m["better"],
            m["value"],
            m["floor"],
            {"bootstrap": m["naive"]},
            m["mark"] or "",
            m["floor_worst"],
        )
        for n, m in scores["generate"]["metrics"].items()
    ]
    for verb in ("densify", "extend"):
        out += _paired(verb, scores[verb]) if verb in scores else []
    return out


def _paired(verb: str, scores: Mapping[str, Any]) -> list[Row]:
    """Scores beside every plain method; those that are tested against the best of them have a mark."""
    out = []
    for name, (title, better) in PAIRED.items():
        value, naive = scores["model"][name], {way: line[name] for way, line in scores["naive"].items()}
        mark = ""
        if name in scores["against"]:
            best = best_naive(scores, name)
            mark = against(scores["against"][name][best], value, naive[best])
        told = title.format(levels=shown(scores["r2_of_levels"]))
        out.append(Row(verb, name, told, better, value, None, naive, mark))
    return out


def shown(value: float | None) -> str:
    """A score in three figures, a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.3f}" if 0.0005 <= abs(value) < 10 else f"{value:.3g}"
