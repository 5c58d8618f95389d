"""What each part of the default generator is worth: protocol A with one part taken away at a time.

    python bench/ablations.py DATA_FOLDER [--sets stocks,etth] [--seeds 0,1,2]

Parts are taken away by the constants that rule them; everything else is as in protocol.py. Results are written after
every fit, and what is there already is not measured again.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from protocol import MACHINE, Published, drawn, fitted, some, table, windows
from state import code

import dowgan
from dowgan.metrics.discriminative import minmax

OUT = Path("bench/results/ablations.json")
WITHOUT: dict[str, dict[str, Any]] = {  # (module.constant, value) that take a part away
    "as it is": {},
    "rounds of the transport": {"transport.sound_rounds": lambda *_: 0},  # the Gaussian map stays
    "single values and changes among their directions": {"transport.PICKED": (24,)},  # a rotation more instead
    "large draw (a quarter)": {"windows.DRAWN_PER_WINDOW": 3},
    "scores that move alike": {"coordinates.MOST": 1.0},
    "maps of columns": {"polish._map": lambda *_: None},  # distances and resolution stay
    "few knots of these maps (1,001)": {"polish.KNOTS": (1001, 1001)},
}


@contextmanager
def without(constants: dict[str, Any]) -> Iterator[None]:
    """Set constants of the package for a while."""
    places = [(importlib.import_module(f"dowgan.{name.split('.')[0]}"), name.split(".")[1]) for name in constants]
    kept = [getattr(module, name) for module, name in places]
    for (module, name), value in zip(places, constants.values(), strict=True):
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name), value in zip(places, kept, strict=True):
            setattr(module, name, value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default="stocks,etth")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("-o", "--out", type=Path, default=OUT)
    options = parser.parse_args()
    kept = json.loads(options.out.read_text())["results"] if options.out.exists() else {}
    for name in options.sets.split(","):
        frame, runs = table(name, options.data)
        real, _ = some(windows(frame, runs))
        published = Published(minmax(real, real)[0])
        for part, constants in WITHOUT.items():
            for seed in options.seeds.split(","):
                cell = kept.setdefault(name, {}).setdefault(part, {})
                if seed in cell:
                    continue
                with without(constants):
                    model, _ = fitted(frame, "flagship", int(seed), runs)
                    fake = drawn(model, frame, runs, len(real), int(seed))
                cell[seed] = published.score(minmax(real, fake)[1]) | {"code": code("protocol", "ablations")}
                sys.stderr.write(f"{name} without {part}, seed {seed}: {json.dumps(cell[seed])}\n")
                text = json.dumps({"version": dowgan.__version__, "machine": MACHINE, "results": kept}, indent=1)
                options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
