"""Train the starting points of the library on simulated processes, and write them into the package.

    python bench/library.py [NAME ...] [--steps 800] [-o src/dowgan/library]

Every starting point is a network of the recipe `gru-gan` and what transfer must know of its columns; see
`dowgan.library`. A minute or two of one processor each.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from dowgan import Synthesizer
from dowgan.config import resolve
from dowgan.library import ENDING
from dowgan.library.processes import PROCESSES, simulate
from dowgan.modelfile import write_model
from dowgan.transfer import Source, source_of
from dowgan.versions import versions

RECIPE, ROWS, STEPS = "gru-gan", 2_000, 800
FOLDER = Path(__file__).resolve().parents[1] / "src" / "dowgan" / "library"


def train(name: str, steps: int, rows: int = ROWS) -> Source:
    """Fit the process and keep what another table can take."""
    settings = [f"train.steps={steps}", "train.patience=99"]
    model = Synthesizer(RECIPE, settings).fit(simulate(name, rows)).model_
    record = model.training
    sys.stderr.write(f"{name}: fidelity {record.fidelity[0]:.3f} before, {min(record.fidelity):.3f} after\n")
    return slim(source_of(model))


def slim(source: Source) -> Source:
    """Leave out the prior's coordinates, in which this network does not work, half of the digits, and how long this
    training was: what begins with it trains as long as its recipe says.
    """
    none = np.empty((0, 0), dtype=np.float32)
    side = replace(source.side, behaviour=source.side.behaviour.astype(np.float32), whiten=none, colour=none)
    players = [{k: v.astype(np.float32) for k, v in w.items()} for w in (source.network.weights, source.network.critic)]
    recipe = resolve(RECIPE).model_dump_json()
    return Source(side, replace(source.network, recipe=recipe, weights=players[0], critic=players[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PROCESSES.names())}")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("-o", "--out", type=Path, default=FOLDER)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.names or PROCESSES.names():
        with threadpool_limits(1):
            source = train(name, options.steps, options.rows)
        path = options.out / f"{name}{ENDING}"
        write_model(source, path, versions())
        sys.stderr.write(f"wrote {path}, {path.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
