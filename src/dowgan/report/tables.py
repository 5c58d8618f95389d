"""The scores as rows of tables, for the page, notebooks and frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PAIRED: dict[str, tuple[str, str]] = {  # score: (title, good direction)
    "r2_median": ("R², median tag", "higher"),
    "r2_pooled": ("R², all tags at once", "higher"),
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
            m["mark"],
            m["floor_worst"],
        )
        for n, m in scores["generate"]["metrics"].items()
    ]
    for verb in ("densify", "extend"):
        for name, (title, better) in PAIRED.items() if verb in scores else ():
            naive = {way: line[name] for way, line in scores[verb]["naive"].items()}
            row = Row(verb, name, title, better, scores[verb]["model"][name], None, naive, "")
            out.append(Row(verb, name, title, better, row.value, None, naive, _mark(row)))
    return out


def _mark(row: Row) -> str:
    if row.value is None or row.best is None:
        return ""
    ahead = row.value <= row.best if row.better == "lower" else row.value >= row.best
    return "good" if ahead else "look"


def shown(value: float | None) -> str:
    """A score in three figures, a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.3f}" if 0.0005 <= abs(value) < 10 else f"{value:.3g}"
