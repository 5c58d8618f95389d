"""Put the figures of the results files into the README, between their marks.

python bench/readme.py
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MARKS = ("<!-- figures: bench/readme.py -->\n", "<!-- end of figures -->\n")
NAMES = {
    "chickenpox": "chickenpox, 20 counties, weekly",
    "etth": "transformer, 7 tags, hourly",
    "energy": "house, 28 tags, 10 min",
    "air": "air quality, 13 tags, hourly, gaps",
    "co2": "CO2, 1 column, weekly, gaps",
    "cstr": "reactor, 7 tags, 4 grades, 5 min",
}


def figures(results: dict[str, Any]) -> str:
    """The table of the main job: densify and extend beside the best plain method."""
    lines = [
        "| table | densify: R², best plain method | extend: CRPS, best plain method | 90 % bands hold |",
        "|---|---|---|---|",
    ]
    for name, found in results.items():
        fine = found["densify"]
        plain = max(fine[way] for way in ("linear", "pchip", "cubic"))
        ahead = list(found["extend"].values())
        cells = [f"{NAMES[name]} (x{found['factor']})", f"{fine['model']:.3f}, {plain:.3f}", "", ""]
        if ahead:
            ways = ("seasonal_naive_crps", "seasonal_mean_crps")
            best = min(_mean([origin[way] for origin in ahead]) for way in ways)
            cells[2] = f"{_mean([origin['crps'] for origin in ahead]):.3f}, {best:.3f}"
            cells[3] = f"{100 * _mean([origin['coverage'] for origin in ahead]):.0f} %"
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def main() -> None:
    """Rewrite the README."""
    page = ROOT / "README.md"
    before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    results = json.loads((ROOT / "bench/results/main_job.json").read_text())["results"]
    page.write_text(before + MARKS[0] + figures(results) + MARKS[1] + after, encoding="utf-8")


if __name__ == "__main__":
    main()
