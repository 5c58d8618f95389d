"""Write docs/peers.md from bench/results/peers.json: `python bench/peers_page.py`."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results" / "peers.json"
PAGE = ROOT / "docs" / "peers.md"
ROWS = {  # of the page, and what they are called there
    "real": "real against real (the floor)",
    "bootstrap": "block bootstrap (copies)",
    "dowgan": "DowGAN, default recipe",
    "par": "PAR (DeepEcho, SDV)",
    "fourier_flow": "Fourier flow (fflows)",
    "timegan": "TimeGAN (tsgm)",
}
SCORES = {
    "disc": "Disc",
    "context_fid": "Context-FID",
    "correlational": "Corr",
    "trees_auc": "trees, AUC",
    "authenticity": "authentic",
    "fit_seconds": "fit, s",
    "draw_seconds": "draw, s",
}


def page(kept: dict[str, Any]) -> str:
    """The page of the site."""
    parts = [HEAD]
    for name, rows in kept["results"].items():
        count, steps, channels = rows["windows"]
        parts.append(f"## {name}: {count} windows of {steps} x {channels}\n\n| | {' | '.join(SCORES.values())} |\n")
        parts.append("|---" * (len(SCORES) + 1) + "|\n")
        for row in (r for r in ROWS if r in rows):
            cells = [_cell(key, rows[row].get(key)) for key in SCORES]
            label = ROWS[row] + (f" failed: {rows[row]['failed']}" if "failed" in rows[row] else "")
            parts.append(f"| {label} | {' | '.join(cells)} |\n")
        parts.append("\n")
    parts.append(INSTALLS)
    for name, found in kept["installs"].items():
        version = found["versions"].get(name, "")
        parts.append(
            f"| {name} {version} | `{found['asked']}` | {found['megabytes']:,} | {found['left_out'] or 'installed'} |\n"
        )
    return "".join(parts)


def _cell(key: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if key.endswith("seconds") else f"{value:.3f}"


HEAD = """# Beside other packages

Written by `python bench/peers_page.py` from `bench/results/peers.json`. Packages that install from the registry, each
in an environment of its own, on the same windows of 24 rows, judged by the same judges at the same n. Each peer has the
settings of its own example and trains on one thread for the processor seconds given; the default recipe of DowGAN is
fitted as it is. Lower is better; *authentic* is the share of drawn windows that are no near-copies (higher is better):
it shows what the block bootstrap does, but what lies far from all data is authentic too. A package without a row did
not finish. One training seed, a short budget and no tuning: this says what a first try gives, not what a peer can
reach. Context-FID is only comparable within a table, as it depends on n.

"""
INSTALLS = """## What was tried

| package | asked for | MB | |
|---|---|---|---|
"""


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text())), encoding="utf-8")
