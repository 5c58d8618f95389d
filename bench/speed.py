"""Time what sampling costs: against a diffusion sampler of published size, and a million rows at the command line.

    python bench/speed.py [DATA_FOLDER] [-o bench/results/speed.json]

The diffusion sampler is the one of Diffusion-TS (Yuan and Qiao 2024, arXiv:2403.01742): ancestral sampling of Ho et
al. 2020 (arXiv:2006.11239, algorithm 2) with the published number of steps and a network of the published width,
heads, layers and number of weights. It is our own, and leaves out the parts for trend and season, so it is rather
too fast than too slow. Its weights are random: time does not depend on them. Both sides draw the same number of
windows on one thread; ours come as a table in the user's units. Times of windows are processor seconds, which are
those of the clock where nothing else runs. The network of `adversarial`, one evaluation a window, is trained for a
few steps only. Without a folder of data the tables are simulated.

The million rows are `dowgan fit` on a simulated table and `dowgan generate`, each a process of its own.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

import dowgan
from dowgan.versions import versions

BATCH = 256  # windows that are drawn at once: the published configuration's
REPEATS = 5  # draws of ours, of which the median counts, behind one to warm up
RECIPES = {"flagship": {}, "adversarial": {"train.steps": 50}}  # a draw takes as long however long it was trained
ROWS, COLUMNS, ROWS_FITTED = 1_000_000, 10, 5_000


@dataclass(frozen=True)
class Published:
    """A configuration of Diffusion-TS as released: windows of 24 rows."""

    file: str
    channels: int
    width: int
    heads: int
    encoder: int
    decoder: int
    diffusion: int  # steps
    weights: float  # millions, as its table 8 says


SETS = {
    "stocks": Published("stock_data.csv", 6, 64, 4, 2, 2, 500, 0.291),
    "energy": Published("energydata_complete.csv.gz", 28, 96, 4, 4, 3, 1000, 1.135),
}
STEPS = 24
MILLION = "million_rows"


class Told(nn.Module):
    """Layer norm whose scale and shift follow the diffusion step (Perez et al. 2018, arXiv:1709.07871)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.told = nn.LayerNorm(width), nn.Linear(width, 2 * width)

    def forward(self, x: Tensor, step: Tensor) -> Tensor:
        scale, shift = self.told(step)[:, None].chunk(2, dim=2)
        return self.norm(x) * (1 + scale) + shift


class Layer(nn.Module):
    """Attention over a window, in the decoder also over what the encoder saw, and two dense layers."""

    def __init__(self, size: Published, crossed: bool) -> None:
        super().__init__()
        places = 2 if crossed else 1
        self.norms = nn.ModuleList(Told(size.width) for _ in range(places))
        self.attentions = nn.ModuleList(
            nn.MultiheadAttention(size.width, size.heads, batch_first=True) for _ in range(places)
        )
        dense = nn.Linear(size.width, 4 * size.width), nn.GELU(), nn.Linear(4 * size.width, size.width)
        self.dense = nn.Sequential(nn.LayerNorm(size.width), *dense)

    def forward(self, x: Tensor, step: Tensor, seen: Tensor | None) -> Tensor:
        for norm, attention, other in zip(self.norms, self.attentions, (None, seen), strict=False):
            y = norm(x, step)
            z = y if other is None else other
            x = x + attention(y, z, z, need_weights=False)[0]
        return x + self.dense(x)


class Denoiser(nn.Module):
    """The clean window [B T C] from a noisy one and the diffusion step [B]."""

    def __init__(self, size: Published) -> None:
        super().__init__()
        self.width = size.width
        self.into, self.out = nn.Linear(size.channels, size.width), nn.Linear(size.width, size.channels)
        self.place = nn.Parameter(torch.zeros(1, STEPS, size.width))
        self.encoder = nn.ModuleList(Layer(size, crossed=False) for _ in range(size.encoder))
        self.decoder = nn.ModuleList(Layer(size, crossed=True) for _ in range(size.decoder))

    def forward(self, x: Tensor, step: Tensor) -> Tensor:
        rates = torch.exp(-math.log(10_000) * torch.arange(self.width // 2) / (self.width // 2))
        angles = step[:, None] * rates
        told = torch.cat([angles.sin(), angles.cos()], dim=1)
        given = self.into(x) + self.place
        seen = given
        for layer in self.encoder:
            seen = layer(seen, told, None)
        for layer in self.decoder:
            given = layer(given, told, seen)
        return self.out(given)


def kept(steps: int) -> Tensor:
    """Share of the signal's variance left after each step: the cosine schedule (Nichol and Dhariwal 2021, eq. 17)."""
    share = torch.cos((torch.arange(steps + 1, dtype=torch.float64) / steps + 0.008) / 1.008 * math.pi / 2) ** 2
    return (share / share[0]).float()


@torch.no_grad()
def diffuse(net: Denoiser, size: Published, count: int) -> Tensor:
    """Draw windows by ancestral sampling (Ho et al. 2020, eqs. 6 and 7), the clean window held to -1..1."""
    share = kept(size.diffusion)
    x = torch.randn(count, STEPS, size.channels)
    for step in range(size.diffusion, 0, -1):
        clean = net(x, torch.full((count,), float(step))).clamp(-1, 1)
        beta = (1 - share[step] / share[step - 1]).clamp(max=0.999)
        left, before = 1 - share[step], 1 - share[step - 1]
        mean = share[step - 1].sqrt() * beta / left * clean + (1 - beta).sqrt() * before / left * x
        x = mean + (beta * before / left).sqrt() * torch.randn_like(x) if step > 1 else mean
    return x


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of this process."""
    began = time.process_time()
    work()
    return time.process_time() - began


def simulated(rows: int, columns: int) -> pd.DataFrame:
    """An hourly table of tags that follow each other, with a day's rhythm."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(columns, columns)) / np.sqrt(columns)
    values = np.zeros((rows, columns))
    for row in range(1, rows):
        values[row] = 0.95 * values[row - 1] + mix @ rng.normal(size=columns)
    values += 2 * np.sin(2 * np.pi * np.arange(rows)[:, None] / 24 + np.arange(columns))
    frame = pd.DataFrame(values.round(3), columns=[f"tag_{i}" for i in range(1, columns + 1)])
    frame.insert(0, "time", pd.date_range("2024-01-01", periods=rows, freq="h"))
    return frame


def ours(recipe: str, frame: pd.DataFrame, count: int) -> dict[str, float]:
    """Fit a recipe, and time its draw of so many windows."""
    model = dowgan.Synthesizer(recipe, {"window": STEPS} | RECIPES[recipe])
    fit = seconds(lambda: model.fit(frame))
    draws = [seconds(lambda: model.generate(rows=STEPS, runs=count)) for _ in range(REPEATS + 1)]
    return {"fit_seconds": fit, "window_seconds": float(np.median(draws[1:])) / count}


def against(name: str, folder: Path | None, count: int) -> dict[str, object]:
    """One set: the diffusion sampler and every recipe."""
    size = SETS[name]
    frame = pd.read_csv(folder / size.file) if folder else simulated(ROWS_FITTED, size.channels)
    net = Denoiser(size).eval()
    took = seconds(lambda: diffuse(net, size, count)) / count
    weights = sum(p.numel() for p in net.parameters()) / 1e6
    found: dict[str, object] = {
        "table": size.file if folder else "simulated",
        "windows": [count, STEPS, size.channels],
        "diffusion": asdict(size) | {"millions_here": weights, "window_seconds": took},
    }
    for recipe in RECIPES:
        row = ours(recipe, frame, count)
        found[recipe] = row | {"times_faster": took / row["window_seconds"]}
    return found


def command(*words: str) -> dict[str, float]:
    """Run `dowgan WORDS`: seconds by the clock and of the processor, and the most memory that it held."""
    began = time.monotonic()
    child = subprocess.Popen([sys.executable, "-m", "dowgan", *words, "--quiet"])
    _, status, used = os.wait4(child.pid, 0)
    assert status == 0, f"dowgan {' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}"
    return {
        "seconds": time.monotonic() - began,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
    }


def million() -> dict[str, object]:
    """A table of COLUMNS columns fitted, and ROWS rows of it generated, at the command line."""
    with tempfile.TemporaryDirectory() as name:
        table, model, out = (str(Path(name) / file) for file in ("table.csv", "my.dowgan", "out.csv"))
        simulated(ROWS_FITTED, COLUMNS).to_csv(table, index=False)
        found = {"fit": command("fit", table, "-o", model)}
        found["generate"] = command("generate", model, "-n", str(ROWS), "-o", out)
        with Path(out).open("rb") as file:
            rows = sum(1 for _ in file) - 1
    assert rows == ROWS, f"{rows} rows were written"
    return {"rows": ROWS, "columns": COLUMNS, "rows_fitted": ROWS_FITTED, **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--parts", default=",".join((MILLION, *SETS)), help="what to measure; the rest stays as it was")
    parser.add_argument("--batch", type=int, default=BATCH, help="windows that are drawn at once")
    parser.add_argument("-o", "--out", type=Path, default=Path("bench/results/speed.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = json.loads(options.out.read_text())["results"] if options.out.exists() else {}
    for name in options.parts.split(","):
        results[name] = million() if name == MILLION else against(name, options.data, options.batch)
        sys.stderr.write(f"{name}: {json.dumps(results[name])}\n")
        machine = {"cores": os.cpu_count(), "processor": platform.machine(), "load": os.getloadavg()[0]}
        results[name] |= {"versions": versions(), "machine": machine}
        options.out.write_text(json.dumps({"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
