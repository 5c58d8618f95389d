"""The round trip on real and simulated tables, through the command line, checked without the program's own check.

    python bench/contract.py DATA_FOLDER [-o bench/results/contract.json] [--only NAME ...] [--recipe NAME]

Each table is fitted, then `generate -n 200`, `densify --factor 2`, `--factor 3` and `--every`, `extend --steps 20`.
The outputs are compared with the input cell by cell, as text. The results file says of each table and verb "ok" or
which clause was broken. A real file that is missing is named and skipped. Tables that are not run again keep what an
earlier call with the same recipe found.
"""

import argparse
import csv
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

ROWS, STEPS = 200, 20
MISSING = {"", "nan", "NaN", "NA", "None", "<NA>"}
EXACT = 10  # from more decimals on a column has full precision, and any number of them


@dataclass(frozen=True)
class Case:
    """A table and how a user would have it read.

    Attributes:
        make: writes the table into a folder and returns its path, from the folder of the real data.
        runs, conditions: what is said with --run and --condition.
        time: the time column, None where there is none.
        parse: its format for pandas; "number" where it counts.
        step: of the clock, as pandas writes it, or a number.
        every: a finer step to densify to, and how many make one step.
    """

    make: Callable[[Path, Path], Path]
    runs: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    time: str | None = None
    parse: str = "number"
    step: str | float = 1
    every: tuple[str, int] | None = None
    zone: str | None = None


@dataclass(frozen=True)
class Sheet:
    """A table as text: names, and cells by column; how it was written."""

    names: tuple[str, ...]
    cells: dict[str, list[str]]
    layout: str

    @property
    def rows(self) -> int:
        return len(next(iter(self.cells.values()), []))


# tables


def real(name: str, drop: str | None = None) -> Callable[[Path, Path], Path]:
    """A file of the data folder, without the columns that begin with `drop`."""

    def make(data: Path, folder: Path) -> Path:
        if not (data / name).is_file():
            raise FileNotFoundError(name)
        if drop is None:
            return data / name
        frame = pd.read_csv(data / name)
        target = folder / name.removesuffix(".gz")
        frame[[c for c in frame if not c.startswith(drop)]].to_csv(target, index=False)
        return target

    return make


def _signal(rows: int, seed: int = 0) -> pd.DataFrame:
    """Tags of every kind: fixed decimals, a count, a flow that touches zero, a valve, a mode, one that never moves."""
    rng = np.random.default_rng(seed)
    slow = np.cumsum(rng.standard_normal(rows)) * 0.1 + np.sin(np.arange(rows) / 8)
    return pd.DataFrame(
        {
            "temp": np.round(80 + 3 * slow + 0.2 * rng.standard_normal(rows), 2),
            "count": rng.poisson(np.exp(1 + 0.2 * slow)),
            "flow": np.round(np.maximum(slow + 0.3 * rng.standard_normal(rows), 0), 3),
            "valve": np.where(slow > np.median(slow), "open", "shut"),
            "running": slow > -0.5,
            "unit": 7,
        }
    )


def simulated(
    times: Callable[[], Sequence[object]], text_format: str | None = None, name: str = "table.csv", **layout: object
) -> Callable[[Path, Path], Path]:
    """A simulated table on a clock, written as `pandas.DataFrame.to_csv` is told, or as Parquet."""

    def make(_: Path, folder: Path) -> Path:
        stamps = times()
        frame = _signal(len(stamps))
        shown = [t.strftime(text_format) for t in stamps] if text_format else list(stamps)  # type: ignore[attr-defined]
        frame.insert(0, "when", shown)
        path = folder / name
        if name.endswith(".parquet"):
            typed = frame.assign(valve=frame["valve"].astype("category"), count=frame["count"].astype("Int64"))
            typed.to_parquet(path, index=False)
        else:
            frame.to_csv(path, index=False, **layout)  # type: ignore[call-overload]
        return path

    return make


def _units_row(data: Path, folder: Path) -> Path:
    path = simulated(lambda: pd.date_range("2024-01-01", periods=300, freq="15min"))(data, folder)
    head, *rest = path.read_text().splitlines()
    path.write_text("\n".join(["\ufeff" + head, "-,degC,pcs,m3/h,,,", *rest]) + "\n", encoding="utf-8")
    return path


def _units(data: Path, folder: Path) -> Path:
    """Three units of unequal length, rows in turns, without a clock."""
    parts = [_signal(n, seed).assign(unit=name) for seed, (n, name) in enumerate([(90, "P1"), (120, "P2"), (75, "P3")])]
    frame = pd.concat(parts)
    frame["place"] = frame.index
    frame = frame.sort_values(["place", "unit"], kind="stable").drop(columns="place")
    frame.to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


def _hours(zone: str) -> Callable[[], pd.DatetimeIndex]:
    """Hours over both changes of the clocks."""
    return lambda: pd.date_range("2024-03-20", "2024-11-10", freq="h", tz=zone)


BERLIN, YORK = "Europe/Berlin", "America/New_York"
CASES = {
    "chickenpox": Case(real("hungary_chickenpox.csv"), time="Date", parse="%d/%m/%Y", step="W-MON", every=("1D", 7)),
    "nylon": Case(real("nylon_batches.csv"), runs=("batch_id",)),
    "tourism": Case(
        real("australia_tourism.csv"),
        runs=("Region", "State", "Purpose"),
        time="date_time",
        parse="%Y-%m-%d",
        step="QS",
        every=("1MS", 3),
    ),
    "CSTR": Case(
        real("homeostat_cstr_dev.csv.gz", drop="truth_"),
        runs=("run_id",),
        conditions=("grade",),
        time="time_min",
        step=5,
        every=("1", 5),
    ),
    "CSTR, one series": Case(
        real("homeostat_cstr_dev.csv.gz", drop="truth_"),
        conditions=("grade", "TIC301_sp"),
        time="time_min",
        step=5,
        every=("2.5", 2),
    ),
    "air quality": Case(
        real("air_quality_uci.csv.gz"), time="datetime", parse="%Y-%m-%d %H:%M:%S", step="h", every=("15min", 4)
    ),
    "CO2": Case(real("classic_co2.csv"), time="date", parse="%Y%m%d", step="W-SAT", every=("1D", 7)),
    "sunspots": Case(real("classic_sunspots.csv"), time="YEAR", every=("0.25", 4)),
    "ETTh": Case(real("ETTh1.csv"), time="date", parse="%Y-%m-%d %H:%M:%S", step="h", every=("30min", 2)),
    "Energy": Case(
        real("energydata_complete.csv.gz"), time="date", parse="%Y-%m-%d %H:%M:%S", step="10min", every=("5min", 2)
    ),
    "stocks": Case(real("stock_data.csv")),
    "hours over DST, offsets, comma": Case(
        simulated(_hours(BERLIN), sep=";", decimal=","),
        time="when",
        parse="utc",
        step="h",
        every=("30min", 2),
        zone=BERLIN,
    ),
    "days in a time zone, Parquet": Case(
        simulated(lambda: pd.date_range("2023-06-01", periods=600, freq="D", tz=YORK), name="table.parquet"),
        time="when",
        parse="utc",
        step="D",
        zone=YORK,
    ),
    "month ends": Case(
        simulated(lambda: pd.date_range("1990-01-31", periods=300, freq="ME"), "%d.%m.%Y"),
        time="when",
        parse="%d.%m.%Y",
        step="ME",
    ),
    "quarter ends": Case(
        simulated(lambda: pd.date_range("1960-03-31", periods=200, freq="QE")),
        time="when",
        parse="%Y-%m-%d",
        step="QE",
        every=("1ME", 3),
    ),
    "months": Case(
        simulated(lambda: pd.date_range("1990-01-01", periods=300, freq="MS"), "%Y-%m"),
        time="when",
        parse="%Y-%m",
        step="MS",
    ),
    "business days": Case(
        simulated(lambda: pd.bdate_range("2020-01-01", periods=500), "%m/%d/%Y"),
        time="when",
        parse="%m/%d/%Y",
        step="B",
    ),
    "milliseconds": Case(
        simulated(lambda: pd.date_range("2024-01-01 12:00", periods=500, freq="20ms"), "%Y-%m-%dT%H:%M:%S.%f"),
        time="when",
        parse="%Y-%m-%dT%H:%M:%S.%f",
        step="20ms",
        every=("5ms", 4),
    ),
    "seconds as floats": Case(
        simulated(lambda: np.round(np.arange(500) * 0.1 + 3, 1)), time="when", step=0.1, every=("0.05", 2)
    ),
    "units row and BOM": Case(_units_row, time="when", parse="%Y-%m-%d %H:%M:%S", step="15min", every=("5min", 3)),
    "units in turns": Case(_units, runs=("unit",)),
    "Tennessee Eastman": Case(
        real("tep_braatz.parquet"), runs=("fault", "split"), time="time_min", step=3, every=("1", 3)
    ),
}


# the commands


def dowgan(*arguments: str) -> tuple[int, str]:
    """Run a command; its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "dowgan", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return done.returncode, done.stderr


def sheet(path: Path, units: bool) -> Sheet:
    """A table as text."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        cells = {name: [_shown(v) for v in table.column(name).to_pylist()] for name in table.column_names}
        layout = str([(f.name, str(f.type)) for f in table.schema])
        return Sheet(tuple(table.column_names), cells, layout)
    raw = pd.io.common.get_handle(path, "rb", compression="infer", is_text=False).handle.read()  # type: ignore[attr-defined]
    text = raw.decode("utf-8-sig")
    separator = ";" if text.split("\n")[0].count(";") else ","
    names, *rows = list(csv.reader(text.splitlines(), delimiter=separator))
    layout = [raw[:3] == b"\xef\xbb\xbf", b"\r\n" in raw, text.split("\n")[0]]
    if units:
        layout.append(",".join(rows.pop(0)))
    return Sheet(tuple(names), dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)), str(layout))


def _shown(value: object) -> str:
    return "" if value is None or value != value else str(value)


# the clauses


def broken(case: Case, old: Sheet, new: Sheet, clock: tuple[str, int], rows: int) -> Iterator[str]:
    """What an output breaks of the contract.

    Args:
        clock: the verb and, for densify, its factor.
        rows: how many there must be.
    """
    if new.names != old.names:
        yield f"columns: {new.names[:6]}"
        return
    if new.rows != rows:
        yield f"rows: {new.rows}, not {rows}"
    if new.layout != old.layout and not (clock[0] == "densify" and old.layout.startswith("[(")):
        yield f"layout: {new.layout[:200]} instead of {old.layout[:200]}"
    for name in old.names:
        if name != case.time:
            yield from (f"{name}: {fault}" for fault in _column(old.cells[name], new.cells[name]))
    yield from _keys(case, old, new, clock)
    yield from _clock(case, old, new, clock)


def _column(old: list[str], new: list[str]) -> Iterator[str]:
    known = [cell for cell in old if cell not in MISSING]
    if not known:
        if any(cell not in MISSING for cell in new):
            yield "was empty and has values"
        return
    gone = sum(cell in MISSING for cell in new)
    if gone:
        yield f"{gone} missing values"
    given = [cell for cell in new if cell not in MISSING]
    numbers = [_number(cell) for cell in known]
    if any(n is None for n in numbers) or set(known) <= {"True", "False"}:
        if not set(given) <= set(known):
            yield f"new label {min(set(given) - set(known))!r}"
        return
    values = [_number(cell) for cell in given]
    if any(v is None or not np.isfinite(v) for v in values):
        yield f"no number {next(c for c, v in zip(given, values, strict=True) if v is None or not np.isfinite(v))!r}"
        return
    yield from _numbers(known, given, np.array(numbers, float), np.array(values, float))


def _numbers(known: list[str], given: list[str], old: np.ndarray, new: np.ndarray) -> Iterator[str]:
    was, now = (list(map(_decimals, cells)) for cells in (known, given))
    if max(was) <= EXACT:
        if max(now) > max(was):
            yield f"{given[int(np.argmax(now))]!r} has more than {max(was)} decimals"
        if min(was) == max(was) and min(now) < min(was):
            yield f"{given[int(np.argmin(now))]!r} has fewer than {min(was)} decimals"
    if np.all(old == np.rint(old)) and not np.all(new == np.rint(new)):
        yield f"{new[new != np.rint(new)][0]} is no whole number"
    if old.min() >= 0 and new.min() < 0:
        yield f"{new.min()} is negative"
    if old.min() == old.max() and not np.all(new == old[0]):
        yield "was constant and varies"


def _number(cell: str) -> float | None:
    return float(cell.replace(",", ".")) if re.fullmatch(r"[+-]?\d*[.,]?\d+(?:[eE][+-]?\d+)?", cell) else None


def _decimals(cell: str) -> int:
    if "e" in cell.lower():
        return 99
    return len(re.split("[.,]", cell)[1]) if re.search("[.,]", cell) else 0


def _key_of(case: Case, table: Sheet) -> list[tuple[str, ...]]:
    return list(zip(*(table.cells[name] for name in case.runs), strict=True)) if case.runs else [()] * table.rows


def _places(keys: list[tuple[str, ...]]) -> dict[tuple[str, ...], list[int]]:
    """The rows of each run, in order."""
    out: dict[tuple[str, ...], list[int]] = {}
    for row, key in enumerate(keys):
        out.setdefault(key, []).append(row)
    return out


def _keys(case: Case, old: Sheet, new: Sheet, clock: tuple[str, int]) -> Iterator[str]:
    was, now = _places(_key_of(case, old)), _places(_key_of(case, new))
    if not set(now) <= set(was):
        yield f"run {min(set(now) - set(was))} was not there"
    elif clock[0] != "generate" and list(now) != list(was):
        yield f"runs: {len(now)}, not {len(was)}, or in another order"
    if clock[0] == "extend" and {len(rows) for rows in now.values()} != {STEPS}:
        yield f"runs do not each have {STEPS} rows"


def _times(case: Case, cells: Sequence[str], finer: bool) -> pd.Index:
    if case.parse == "number":
        return pd.Index([float(cell) for cell in cells])
    if case.parse == "utc":
        return pd.DatetimeIndex(pd.to_datetime(list(cells), utc=True)).tz_convert(case.zone)
    text_format = "mixed" if finer else case.parse
    return pd.DatetimeIndex(pd.to_datetime(list(cells), format=text_format, dayfirst="%d" in case.parse[:2]))


def _after(case: Case, first: object, count: int) -> pd.Index:
    """The first time and those that follow."""
    if isinstance(case.step, str):
        return pd.date_range(first, periods=count, freq=case.step)  # type: ignore[arg-type]
    return pd.Index(float(first) + np.arange(count) * case.step)  # type: ignore[arg-type]


def _clock(case: Case, old: Sheet, new: Sheet, clock: tuple[str, int]) -> Iterator[str]:
    if case.time is None:
        return
    verb, factor = clock
    was, now = _places(_key_of(case, old)), _places(_key_of(case, new))
    cells, due = new.cells[case.time], old.cells[case.time]
    for key, rows in now.items():
        if key not in was:
            continue
        times = _times(case, [cells[r] for r in rows], verb == "densify")
        before = _times(case, [due[r] for r in was[key]], False)
        if verb == "densify":
            yield from _densified(case, before, times, factor, key)
            continue
        expected = (
            _after(case, before[0], len(times)) if verb == "generate" else _after(case, before[-1], STEPS + 1)[1:]
        )
        if not _same(times, expected):
            yield f"clock of {key}: {times[0]} to {times[-1]}, not {expected[0]} to {expected[-1]}"
            return


def _densified(case: Case, old: pd.Index, new: pd.Index, factor: int, key: tuple[str, ...]) -> Iterator[str]:
    whole = _after(case, old[0], (len(new) - 1) // factor + 1)
    if not _same(new[::factor], whole):
        yield f"clock of {key}: the old times do not stand at every {factor}-th row"
        return
    gaps = np.diff(new.asi8 if isinstance(new, pd.DatetimeIndex) else np.asarray(new, float))
    parts = gaps.reshape(-1, factor)
    if gaps.min() <= 0 or (parts.max(axis=1) > 2.01 * parts.min(axis=1)).any():
        yield f"clock of {key}: new times are not even"


def _same(a: pd.Index, b: pd.Index) -> bool:
    if isinstance(a, pd.DatetimeIndex):
        return len(a) == len(b) and bool((a == pd.DatetimeIndex(b)).all())
    return len(a) == len(b) and np.allclose(np.asarray(a), np.asarray(b), atol=1e-9)


def kept(case: Case, old: Sheet, new: Sheet, factor: int) -> Iterator[str]:
    """Known values that densify changed. Rows of the clock that the old table lacks do not shift the others."""
    was, now = _places(_key_of(case, old)), _places(_key_of(case, new))
    for key, rows in was.items():
        places = _grid(case, old, rows)
        for name in old.names:
            if name == case.time:
                continue
            for row, place in zip(rows, places, strict=True):
                before = old.cells[name][row]
                after = new.cells[name][now[key][place * factor]]
                if before not in MISSING and before != after:
                    yield f"{name}: {before!r} became {after!r}"
                    return


def _grid(case: Case, table: Sheet, rows: list[int]) -> list[int]:
    """The place of each row on the clock, from 0."""
    if case.time is None:
        return list(range(len(rows)))
    times = _times(case, [table.cells[case.time][r] for r in rows], False)
    if isinstance(case.step, str):
        whole = pd.date_range(times[0], times[-1], freq=case.step)
        return [int(i) for i in whole.get_indexer(times)]
    return [round((t - times[0]) / case.step) for t in times]


# one table


@dataclass
class Bench:
    """Runs the verbs of one table and takes down what they break."""

    case: Case
    data: Path
    folder: Path
    recipe: Sequence[str]
    found: dict[str, object] = field(default_factory=dict)

    def run(self) -> dict[str, object]:
        """All verbs; the results by verb."""
        source = self.case.make(self.data, self.folder)
        before = hashlib.sha256(source.read_bytes()).hexdigest()
        ending = ".parquet" if source.suffix == ".parquet" else ".csv"
        units = self.case.make is _units_row
        old = sheet(source, units)
        model = str(self.folder / "m.dowgan")
        options = [*(f"--run={n}" for n in self.case.runs), *(f"--condition={n}" for n in self.case.conditions)]
        if not self._command("fit", ["fit", str(source), "-o", model, *options, *self.recipe]):
            return self.found
        lengths = [self._span(old, rows) for rows in _places(_key_of(self.case, old)).values()]
        every = self.case.every
        verbs = [("generate", ["-n", str(ROWS)], 1, ROWS), ("extend", ["--steps", str(STEPS)], 1, STEPS * len(lengths))]
        factors = [(f"--factor {f}", ["--factor", str(f)], f) for f in (2, 3)]
        factors += [(f"--every {every[0]}", ["--every", every[0]], every[1])] if every else []
        verbs += [
            (f"densify {name}", words, factor, sum((n - 1) * factor + 1 for n in lengths))
            for name, words, factor in factors
        ]
        for name, words, factor, rows in verbs:
            verb, out = name.split()[0], self.folder / f"out{ending}"
            inputs = [model] if verb == "generate" else [model, str(source)]
            if self._command(name, [verb, *inputs, *words, "-o", str(out)]):
                new = sheet(out, units)
                faults = list(broken(self.case, old, new, (verb, factor), rows))
                if verb == "densify" and not faults:
                    faults += kept(self.case, old, new, factor)
                self.found[name] = "ok" if not faults else faults[:5]
        if hashlib.sha256(source.read_bytes()).hexdigest() != before:
            self.found["input"] = "changed"
        return self.found

    def _span(self, old: Sheet, rows: list[int]) -> int:
        return _grid(self.case, old, rows)[-1] + 1

    def _command(self, name: str, words: list[str]) -> bool:
        began = time.monotonic()
        code, said = dowgan(*words)
        fine = code == 0 and "Traceback" not in said and "Warning" not in said
        self.found[name] = "ok" if fine else [f"exit {code}: {said.strip().splitlines()[-1] if said else ''}"]
        self.found.setdefault("seconds", {})[name] = round(time.monotonic() - began, 1)  # type: ignore[attr-defined, index]
        return fine


def main() -> None:
    """Run the tables and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("bench/results/contract.json"))
    parser.add_argument("--only", nargs="*", default=list(CASES))
    parser.add_argument("--recipe", default="prior")
    parser.add_argument("--budget", default="1m", help="of a recipe that trains")
    arguments = parser.parse_args()
    recipe = ["--recipe", arguments.recipe, "--budget", arguments.budget]
    earlier = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    results: dict[str, object] = earlier.get("tables", {}) if earlier.get("recipe") == recipe else {}
    for name in arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            try:
                results[name] = Bench(CASES[name], arguments.data, Path(folder), recipe).run()
            except FileNotFoundError as missing:
                results[name] = f"skipped: {missing} is not there"
        sys.stderr.write(f"{name}: {json.dumps(results[name])}\n")
        arguments.out.write_text(json.dumps({"recipe": recipe, "tables": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
