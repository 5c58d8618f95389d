"""Does the verdict of `dowgan compare` find damage, and does it leave real rows alone?

    python bench/damage.py DATA_FOLDER -o bench/results/damage.json

The rows of chickenpox, ETTh and a simulated reactor (CSTR) are cut into stretches (years, four weeks, campaigns); of
each pair of neighbours one goes to the real and the other to the held-out side, at random. Each damage is done to the
held-out rows of five such draws, once as it is and once with the decimals, whole numbers and bounds of the table put
back, which is harder to see. Undamaged held-out rows of 20 such draws must raise no alarm.

Then the table is cut in the order of time, at the half and at seven tenths: the early rows are the known ones, the late
ones are damaged as they are. Real late rows that differ from early ones may be remarked on there: they do.

A damage is found if the verdict names its kind, or, if it is about one tag or all, remarks on each damaged tag.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dowgan.baselines import block_bootstrap
from dowgan.evaluate import Judgement, generation_verdict
from dowgan.evaluate.generation import judge_faults
from dowgan.report.judging import audit
from dowgan.table import Table, read
from dowgan.table.rules import keep

DRAWS = 20
FIRST_DRAW = 100  # seed of the first of them
SEEDS = range(5)  # of the draws that are damaged
WINDOW = 24
REACTOR = ["run_id", "grade", "phase", "AT301", "TT301", "TIC301_sp", "TIC301_out", "flow_a", "flow_b", "feed_temp"]
CUTS = (0.5, 0.7)  # shares of the table that are early
STRETCH = {"chickenpox": 52, "etth": 672}  # rows: a year, four weeks


@dataclass(frozen=True)
class Case:
    """Held-out rows [T C] to be damaged, the rows that the judge knows, and which channels are numbers."""

    known: np.ndarray
    rows: np.ndarray
    numbers: np.ndarray
    rng: np.random.Generator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("bench/results/damage.json"))
    parser.add_argument("--only", nargs="+", default=["chickenpox", "etth", "cstr"])
    parser.add_argument("--draws-from", type=int, default=FIRST_DRAW, help="seed of the first draw of real rows")
    arguments = parser.parse_args()
    results = {name: judge_set(arguments.folder, name, arguments.draws_from) for name in arguments.only}
    arguments.out.write_text(json.dumps(results, indent=1) + "\n")


def judge_set(folder: Path, name: str, first: int) -> dict[str, object]:
    """Find the damages of one set, and count the false alarms."""
    began = time.monotonic()
    stretches = read_stretches(folder, name)
    known, held = draw_halves(stretches, SEEDS[0])
    out: dict[str, object] = {"rows": [known.rows, held.rows], "tags": len(known.schema.channels)}
    for side, kept in (("as_it_is", False), ("in_the_table's_form", True)):
        draws = [judge_draw(*draw_halves(stretches, seed), seed, kept) for seed in SEEDS]
        missed = [[kind for kind, f in found.items() if not f["found"]] for found in draws]
        counts = [len(DAMAGES) - len(kinds) for kinds in missed]
        out[side] = {"found": counts, "of": len(DAMAGES), "missed": missed, "damages_of_first": draws[0]}
    alarms = [alarms_of(*draw_halves(stretches, first + draw)) for draw in range(DRAWS)]
    out |= {
        "draws": DRAWS,
        "draws_from": first,
        "false_alarms": sum(map(bool, alarms)),
        "alarms": [a for a in alarms if a],
    }
    out["in_order"] = {f"{cut:.0%}": judge_in_order(*cut_in_time(stretches, cut)) for cut in CUTS}
    return out | {"seconds": round(time.monotonic() - began, 1)}


def judge_in_order(known: Table, held: Table) -> dict[str, object]:
    """Find the damages of late rows beside early ones, for each seed, and what is said of them undamaged."""
    draws = [judge_draw(known, held, seed, False) for seed in SEEDS]
    missed = [[kind for kind, f in found.items() if not f["found"]] for found in draws]
    counts = [len(DAMAGES) - len(kinds) for kinds in missed]
    return {"rows": [known.rows, held.rows], "found": counts, "missed": missed, "said": alarms_of(known, held)}


def cut_in_time(stretches: list[pd.DataFrame], share: float) -> tuple[Table, Table]:
    """Early and late rows; the reactor's campaigns are not cut."""
    whole = pd.concat(stretches, ignore_index=True)
    cut = round(share * len(whole))
    if "grade" in whole:
        cut = sum(map(len, stretches[: round(share * len(stretches))]))
    schema = read(whole).schema
    early, late = (read(part.reset_index(drop=True), schema=schema) for part in (whole[:cut], whole[cut:]))
    return early, late


def read_stretches(folder: Path, name: str) -> list[pd.DataFrame]:
    """The rows in stretches of time, without their clock."""
    if name == "chickenpox":
        frame = pd.read_csv(folder / "hungary_chickenpox.csv").drop(columns="Date")
    elif name == "etth":
        frame = pd.read_csv(folder / "ETTh1.csv").drop(columns="date")
    else:
        frame = pd.read_csv(folder / "homeostat_cstr_dev.csv.gz")[REACTOR]
        return [part.drop(columns="run_id") for _, part in frame.groupby("run_id", sort=False)]
    size = STRETCH[name]
    return [frame[i : i + size] for i in range(0, len(frame) - size // 2, size)]


def draw_halves(stretches: list[pd.DataFrame], seed: int) -> tuple[Table, Table]:
    """Of each pair of neighbours one to either side."""
    rng = np.random.default_rng(seed)
    sides: tuple[list[pd.DataFrame], list[pd.DataFrame]] = ([], [])
    for first in range(0, len(stretches) - 1, 2):
        turn = int(rng.integers(2))
        sides[0].append(stretches[first + turn])
        sides[1].append(stretches[first + 1 - turn])
    schema = read(pd.concat(stretches, ignore_index=True)).schema  # both sides may hold all states
    first, second = (read(pd.concat(side, ignore_index=True), schema=schema) for side in sides)
    return first, second


def verdict_of(known: Table, fake: np.ndarray) -> list[Judgement]:
    """The verdict of `compare`, without the scores beside it."""
    names = [c.name for c in known.schema.channels]
    real = [run.values for run in known.runs]
    scores = {"metrics": {}} | judge_faults(real, [fake], names, None, WINDOW)
    return generation_verdict(scores | audit(known, real, [fake]))


def alarms_of(known: Table, held: Table) -> list[str]:
    """What the verdict has against real rows."""
    return [j.text for j in verdict_of(known, held.runs[0].values) if j.mark != "good"]


def judge_draw(known: Table, held: Table, seed: int, kept: bool) -> dict[str, dict[str, object]]:
    return {kind: judge_damage(kind, known, held, seed, kept) for kind in DAMAGES}


def judge_damage(kind: str, known: Table, held: Table, seed: int, kept: bool) -> dict[str, object]:
    """Damage the held-out rows and look for it in the verdict."""
    columns = known.schema.channels
    numbers = np.array([c.kind in ("float", "integer") for c in columns])
    case = Case(known.runs[0].values, held.runs[0].values, numbers, np.random.default_rng(seed))
    damage = DAMAGES[kind]
    rows, tags = damage.do(case)
    if kept and kind != "rounding lost":
        rows = np.column_stack([keep(replace(c, levels=c.levels), rows[:, i]) for i, c in enumerate(columns)])
        rows = _as_fine(case.known, rows)
    verdict = [j for j in verdict_of(known, rows) if j.mark != "good"]
    named = [j for j in verdict if j.measure in damage.kinds or any(word in j.text for word in damage.words)]
    remarked = {j.tag for j in verdict}
    by_tag = bool(tags) and all(columns[t].name in remarked for t in tags)
    by = "kind" if named else "tag" if by_tag else None
    first = next((j.text for j in named), verdict[0].text if verdict else None)
    return {"found": by is not None, "by": by, "remarks": len(verdict), "said": first}


def _as_fine(known: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rows with as many decimals as the known ones have, where those are at most five."""
    out = rows.copy()
    for c in range(known.shape[1]):
        own = known[~np.isnan(known[:, c]), c]
        digits = next((d for d in range(6) if np.abs(own - np.round(own, d)).max() < 1e-5), None)
        if digits is not None:
            out[:, c] = np.round(rows[:, c], digits)
    return out


@dataclass(frozen=True)
class Damage:
    """What is done, giving also the channels that it hits, and the kinds or words by which a verdict may name it."""

    do: Callable[[Case], tuple[np.ndarray, list[int]]]
    kinds: tuple[str, ...]
    words: tuple[str, ...] = ()


def mirrored(case: Case) -> tuple[np.ndarray, list[int]]:
    return case.rows[::-1], []


def shuffled(case: Case) -> tuple[np.ndarray, list[int]]:
    return case.rng.permutation(case.rows), []


def lagged(case: Case) -> tuple[np.ndarray, list[int]]:
    out, tag = case.rows.copy(), _tag(case, 1)
    out[5:, tag] = case.rows[:-5, tag]
    return out, [tag]


def narrowed(case: Case) -> tuple[np.ndarray, list[int]]:
    mean = np.nanmean(case.rows, axis=0)
    return _numbers(case, mean + 0.8 * (case.rows - mean))


def clipped(case: Case) -> tuple[np.ndarray, list[int]]:
    return _numbers(case, np.clip(case.rows, *np.nanquantile(case.rows, [0.02, 0.98], axis=0)))


def without_regime(case: Case) -> tuple[np.ndarray, list[int]]:
    """Without the most frequent state of the first column of states, or the upper quarter of the first tag."""
    first = case.rows[:, 0]
    if case.numbers[0]:
        return case.rows[first <= np.nanquantile(first, 0.75)], [0]
    states, count = np.unique(first, return_counts=True)
    return case.rows[first != states[count.argmax()]], [0]


def swapped(case: Case) -> tuple[np.ndarray, list[int]]:
    out, tags = case.rows.copy(), [_tag(case, 0), _tag(case, -2)]
    out[:, tags] = case.rows[:, tags[::-1]]
    return out, tags


def copied(case: Case) -> tuple[np.ndarray, list[int]]:
    return case.known.copy(), []


def seamed(case: Case) -> tuple[np.ndarray, list[int]]:
    starts = case.rng.permutation(np.arange(0, len(case.rows) - 23, 24))
    return np.concatenate([case.rows[i : i + 24] for i in starts]), []


def drifting(case: Case) -> tuple[np.ndarray, list[int]]:
    line = np.linspace(-0.5, 0.5, len(case.rows))[:, None]
    return _numbers(case, case.rows + 0.5 * np.nanstd(case.rows, axis=0) * line)


def noisy(case: Case) -> tuple[np.ndarray, list[int]]:
    noise = case.rng.standard_normal(case.rows.shape)
    return _numbers(case, case.rows + 0.1 * np.nanstd(case.rows, axis=0) * noise)


def unrounded(case: Case) -> tuple[np.ndarray, list[int]]:
    noise = case.rng.standard_normal(case.rows.shape)
    return _numbers(case, case.rows + 1e-4 * np.nanstd(case.rows, axis=0) * noise)


def in_blocks(case: Case) -> tuple[np.ndarray, list[int]]:
    return block_bootstrap([case.rows], len(case.rows), 5, case.rng), []


def _tag(case: Case, which: int) -> int:
    """The place of one of the channels that are numbers and vary."""
    varied = [len(np.unique(x)) > 12 for x in case.rows.T]
    return int(np.flatnonzero(case.numbers & varied)[which])


def _numbers(case: Case, changed: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """The change where channels are numbers, and which they are."""
    return np.where(case.numbers, changed, case.rows), np.flatnonzero(case.numbers).tolist()


DAMAGES = {
    "time mirrored": Damage(mirrored, ("direction",)),
    "rows shuffled": Damage(shuffled, ("memory 3", "memory 8")),
    "one tag lagged by 5": Damage(lagged, ("late",)),
    "spread x .8": Damage(narrowed, ("spread",), ("shrunk",)),
    "spikes clipped": Damage(clipped, ("pile",)),
    "one regime missing": Damage(without_regime, ("regime",)),
    "two tags swapped": Damage(swapped, ("swapped",)),
    "training rows copied": Damage(copied, ("memorisation",)),
    "seams every 24 rows": Damage(seamed, ("seams",)),
    "drift of .5 sd": Damage(drifting, ("drift", "drift against the others")),
    "white noise of .1 sd": Damage(noisy, (), ("noise was added",)),
    "rounding lost": Damage(unrounded, ("rounding", "rules")),
    "blocks of 5": Damage(in_blocks, ("memory 3", "memory 8", "seams")),
}

if __name__ == "__main__":
    main()
