"""Put the figures of the results files into the README and the page of what was tried, between their marks.

python bench/readme.py
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench/results"
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


SETS = {"sines": "Sines", "stocks": "Stocks", "etth": "ETTh", "energy": "Energy", "mujoco": "MuJoCo"}
PUBLISHED = {  # Disc / Context-FID: Diffusion-TS (arXiv:2403.01742, table 1), and the best that was seen for each
    "sines": (".006 / .006", ".004 / .004"),
    "stocks": (".067 / .147", ".003 / .015"),
    "etth": (".061 / .116", ".005 / .050"),
    "energy": (".122 / .089", ".007 / .025"),
    "mujoco": (".008 / .013", ".005 / .010"),
}


def windows(results: dict[str, Any]) -> str:
    """The table of protocol A: windows of 24 rows, as the papers judge them."""
    lines = [
        "| set | DowGAN, three seeds | fit | real against real | block bootstrap | Diffusion-TS | best published |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, title in SETS.items():
        if name not in results:
            continue
        found = results[name]
        seeds = list(found["flagship"].values())
        own = [_pair([v for seed in seeds for v in seed[key]] for key in ("disc", "context_fid"))]
        rows = [_pair(found[row][key] for key in ("disc", "context_fid")) for row in ("floor", "bootstrap")]
        minutes = _mean([seed["fit_seconds"] for seed in seeds]) / 60
        lines.append(f"| {' | '.join([title, *own, f'{minutes:.1f} min', *rows, *PUBLISHED[name]])} |")
    return "\n".join(lines) + "\n"


def _pair(scores: Iterable[list[float]]) -> str:
    return " / ".join(_short(_mean(values)) for values in scores)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


BLOCK_SETS = {
    **SETS,
    "chickenpox": "chickenpox",
    "cstr": "reactor (CSTR)",
    "nylon": "nylon batches",
    "tep": "Tennessee Eastman",
}
RECIPES = {"flagship": "", "prior": ", prior alone"}


def blocks(results: dict[str, Any]) -> str:
    """The table of protocol B: windows of 24 rows against blocks of time that no model has seen."""
    lines = [
        "| set | trees: DowGAN, training, bootstrap | in order of time: DowGAN, training | GRU: the same | in order of "
        "time | nearest 1 %: DowGAN, training, held out |",
        "|---|---|---|---|---|---|",
    ]
    for name, title in BLOCK_SETS.items():
        for recipe, suffix in RECIPES.items():
            seeds = list(results.get(name, {}).get(recipe, {}).values())
            if not seeds:
                continue
            judges = [
                ", ".join(_auc(seeds, row, judge) for row in rows)
                for judge in ("trees", "gru")
                for rows in (("generated", "training_windows", "bootstrap"), ("series", "training_block"))
            ]
            sides = ("generated", "training", "held_out")
            near = ", ".join(_short(_mean([seed["generated"][f"lowest_{s}"] for seed in seeds])) for s in sides)
            lines.append(f"| {' | '.join([title + suffix, *judges, near])} |")
    return "\n".join(lines) + "\n"


def _auc(seeds: list[dict[str, Any]], row: str, judge: str) -> str:
    """Mean over the seeds; a dash where an older run has not measured it."""
    return _short(_mean([seed[row][f"{judge}_auc"] for seed in seeds])) if all(row in seed for seed in seeds) else "–"


def parts(results: dict[str, Any]) -> str:
    """The table of ablations: the default without one part of it."""
    names = list(results)
    lines = [f"| without | {' | '.join(SETS[name] for name in names)} |", "|---|" + "---|" * len(names)]
    for part in results[names[0]]:
        scores = [
            _pair([v for seed in results[name][part].values() for v in seed[key]] for key in ("disc", "context_fid"))
            for name in names
        ]
        lines.append(f"| {' | '.join(['nothing' if part == 'as it is' else part, *scores])} |")
    return "\n".join(lines) + "\n"


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


TABLES = (  # page, name of the marks, results file, and what is written of it
    ("README.md", "figures", "main_job.json", figures),
    ("README.md", "windows", "protocol_a.json", windows),
    ("README.md", "blocks", "protocol_b.json", blocks),
    ("docs/research.md", "parts", "ablations.json", parts),
)


def marks(name: str) -> tuple[str, str]:
    """What stands before and behind a table."""
    return f"<!-- {name}: bench/readme.py -->\n", f"<!-- end of {name} -->\n"


def main() -> None:
    """Rewrite the pages."""
    for name, mark, file, write in TABLES:
        page, (first, last) = ROOT / name, marks(mark)
        before, rest = page.read_text(encoding="utf-8").split(first)
        results = json.loads((RESULTS / file).read_text())["results"]
        page.write_text(before + first + write(results) + last + rest.split(last)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
