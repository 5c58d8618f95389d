"""The loss studies: every point of a grid of settings, several seeds each, to one table and one figure.

Each trial is one file, written whole as soon as it is done, so that a study which was stopped goes on where it was.
"""

import csv
import hashlib
import io
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from dowgan.config import Config, resolve
from dowgan.errors import OptionError, UserError
from dowgan.files import write_whole
from dowgan.fitting import Fitted, fit_priors
from dowgan.rng import Streams
from dowgan.table import Table
from dowgan.workers import each

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TRIALS = "trials"  # folder of the trials within a study's folder
TABLE, FIGURE = "study.csv", "study.html"
COLOURS = {"critic": "#0072B2", "generator": "#D55E00", "fidelity": "#009E73"}
NAME = 120  # most letters of a trial's file name before its mark
PANEL = 260  # height of a panel in pixels
Axes = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Trial:
    """One point of the grid with one seed.

    Attributes:
        point: the value of each axis.
        config: all settings.
        seed: of weights, batches and noise.
        digest: of the table.
    """

    point: dict[str, str]
    config: Config
    seed: int
    digest: str

    @property
    def name(self) -> str:
        """The name of its file: what was asked, and a mark that differs wherever anything differs."""
        told = f"{self.digest}/{self.config.model_dump_json()}/{self.seed}"
        mark = hashlib.sha256(told.encode()).hexdigest()[:12]
        asked = "_".join([*(f"{k}={v}" for k, v in self.point.items()), f"seed={self.seed}"]).replace("/", "-")
        return f"{asked[:NAME]}_{mark}"


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes:
        steps: generator steps that were done.
        epochs: how often the critic (or the network) saw every window by then.
        curve: numbers of the recorded steps.
        losses: one curve per name along `curve`.
        checks, fidelity: held-out fidelity and the steps at which it was measured; lower is better.
        chosen: the step whose weights are kept.
        stopped: why training ended.
        failed: why there is no result, None if there is one.
    """

    point: dict[str, str]
    seed: int
    steps: int = 0
    epochs: float = 0.0
    curve: tuple[int, ...] = ()
    losses: dict[str, tuple[float, ...]] | None = None
    checks: tuple[int, ...] = ()
    fidelity: tuple[float | None, ...] = ()
    chosen: int = 0
    seconds: float = 0.0
    stopped: str = ""
    failed: str | None = None

    @property
    def score(self) -> float | None:
        """Fidelity of the weights that are kept."""
        return dict(zip(self.checks, self.fidelity, strict=True)).get(self.chosen)


def parse_grid(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the axes of a grid written as KEY=VALUE,VALUE,...

    Raises:
        OptionError: an axis without values, or the same axis twice.
    """
    out: dict[str, tuple[str, ...]] = {}
    for text in texts:
        key, sign, values = text.partition("=")
        points = tuple(v.strip() for v in values.split(",") if v.strip())
        if not sign or not points:
            raise OptionError(f"'{text}' is no axis; write KEY=VALUE,VALUE, such as --grid train.epochs=100,500,1000.")
        if key.strip() in out:
            raise OptionError(f"The axis '{key.strip()}' is given twice; put all its values behind one --grid.")
        out[key.strip()] = points
    if not out:
        raise OptionError("A study needs at least one axis, such as --grid train.epochs=100,500,1000.")
    return out


def lay_out(grid: Axes, recipe: str, settings: Sequence[str], seeds: Sequence[int], digest: str) -> list[Trial]:
    """Return all trials of a grid.

    Raises:
        OptionError: an unknown key, a value out of its range, or a key that is both set and an axis.
    """
    fixed = dict.fromkeys(s.partition("=")[0].strip() for s in settings)
    both = next((key for key in grid if key in fixed), None)
    if both:
        raise OptionError(f"'{both}' is both set and an axis of the grid; leave out one of them.")
    if {"train.steps", "train.epochs"} <= set(grid) | set(fixed):
        raise OptionError("Both train.steps and train.epochs are given; they say the same thing twice: use one.")
    out = []
    for values in itertools.product(*grid.values()):
        point = dict(zip(grid, values, strict=True))
        config = resolve(recipe, [*settings, *(f"{k}={v}" for k, v in point.items()), "train.collapse=warn"])
        out += [Trial(point, config, seed, digest) for seed in seeds]
    return out


def run_trial(table: Table, trial: Trial) -> Outcome:
    """Train once; whatever goes wrong is the outcome."""
    began = time.monotonic()
    try:
        with threadpool_limits(1):
            return _trained(table, trial, began)
    except UserError as error:
        reason = str(error)
    except Exception as error:  # a study goes on: the reason stands in its table
        reason = f"{type(error).__name__}: {error}"
    return Outcome(trial.point, trial.seed, seconds=time.monotonic() - began, failed=reason)


def _trained(table: Table, trial: Trial, began: float) -> Outcome:
    from dowgan.networks import train_network

    if not trial.config.trained:
        raise OptionError(f"The recipe '{trial.config.recipe}' trains no network, so there is nothing to study.")
    fitted = priors(table, trial.config.window)
    _, record = train_network(fitted, trial.config, Streams(trial.seed), None, table.runs)
    if record.stopped.startswith("interrupted"):
        raise KeyboardInterrupt
    train, steps = trial.config.train, record.done
    epochs = steps * train.critic_steps / max(1, -(-record.windows // train.batch))
    failed = record.stopped.split(". ")[0] if "no longer finite" in record.stopped else None
    return Outcome(
        trial.point, trial.seed, steps, epochs, record.steps,
        record.losses, record.checks, tuple(f if abs(f) < 1e300 else None for f in record.fidelity), record.chosen,
        time.monotonic() - began, record.stopped, failed,
    )  # fmt: skip


_PRIORS: dict[tuple[str, int | None], Fitted] = {}


def priors(table: Table, window: int | None) -> Fitted:
    """Return what needs no training, fitted once per process for each table and window."""
    key = (table.digest, window)
    if key not in _PRIORS:
        _PRIORS[key] = fit_priors(table, window, Streams(0))
    return _PRIORS[key]


def run_study(
    table: Table,
    trials: Sequence[Trial],
    folder: Path,
    workers: int,
    resume: bool,
    tell: Callable[[str], None],
) -> list[Outcome]:
    """Run all trials that a folder does not have yet; write a table and a figure of all.

    Args:
        table: as read.
        trials: from `lay_out`.
        folder: gets one file per trial, `study.csv` and `study.html`.
        workers: processes.
        resume: go on with what the folder has.
        tell: is told each trial's outcome in a line.

    Raises:
        OptionError: the folder has trials and `resume` is false.
        WorkerError: a worker process died.
    """
    place = folder / TRIALS
    if place.is_dir() and any(place.glob("*.json")) and not resume:
        raise OptionError(f"'{folder}' has trials already; go on with --resume, or choose another folder with -o.")
    place.mkdir(parents=True, exist_ok=True)
    left = [t for t in trials if not (place / f"{t.name}.json").exists()]
    tell(f"{len(trials)} trials, {len(left)} to do")
    for number, outcome in each(run_trial, [(table, t) for t in left], workers):
        write_whole(place / f"{left[number].name}.json", json.dumps(asdict(outcome)).encode())
        tell(_line(outcome))
    outcomes = [read_outcome(place / f"{t.name}.json") for t in trials]
    write_table(outcomes, folder / TABLE)
    write_whole(folder / FIGURE, study_figure(outcomes).to_html(include_plotlyjs=True).encode())
    return outcomes


def _line(outcome: Outcome) -> str:
    point = ", ".join(f"{k}={v}" for k, v in outcome.point.items())
    end = f"failed: {outcome.failed}" if outcome.failed else f"fidelity {outcome.score:.4f} after {outcome.steps} steps"
    return f"{point}, seed {outcome.seed}: {end} ({outcome.seconds:.0f} s)"


def read_outcome(path: Path) -> Outcome:
    """Return a trial's outcome from its file."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    lists = {k: tuple(raw[k]) for k in ("curve", "checks", "fidelity")}
    losses = {k: tuple(v) for k, v in raw["losses"].items()} if raw["losses"] is not None else None
    return Outcome(**raw | lists | {"losses": losses})


def rows_of(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return one row per trial: the axes, the seed, and the figures at its end."""
    out = []
    for o in outcomes:
        losses = {f"{name}_loss": curve[-1] for name, curve in (o.losses or {}).items() if curve and name != "gradient"}
        slope = {"gradient": (o.losses or {}).get("gradient", (None,))[-1]} if o.losses else {}
        row: dict[str, Any] = {**o.point, "seed": o.seed, "steps": o.steps, "epochs": round(o.epochs, 3)}
        row |= {"fidelity": o.score, "chosen_step": o.chosen, **losses, **slope}
        out.append(row | {"seconds": round(o.seconds, 2), "stopped": o.stopped, "failed": o.failed})
    return out


def write_table(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write the table of all trials as a CSV."""
    rows = rows_of(outcomes)
    names = list(dict.fromkeys(name for row in sorted(rows, key=len, reverse=True) for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def study_figure(outcomes: Sequence[Outcome]) -> "Figure":
    """Return the grid of figures: both players' losses by step, beneath each the held-out fidelity.

    The last axis goes across, the others go down; each seed is a line.
    """
    from plotly.subplots import make_subplots

    points = list(dict.fromkeys(tuple(o.point.items()) for o in outcomes))
    across = len(dict.fromkeys(p[-1] for p in points))
    down = -(-len(points) // across)
    names = [", ".join(f"{k}={v}" for k, v in p) for p in points]
    titles = [t for row in range(down) for t in [*names[row * across : (row + 1) * across], *[""] * across]]
    figure = make_subplots(2 * down, across, subplot_titles=titles, vertical_spacing=0.3 / (2 * down))
    shown: set[str] = set()
    for place, point in enumerate(points):
        row, column = 2 * (place // across) + 1, place % across + 1
        for outcome in (o for o in outcomes if tuple(o.point.items()) == point):
            _draw(figure, outcome, row, column, shown)
        figure.update_xaxes(title_text="generator step", row=row + 1, col=column)
    for row in range(down):
        figure.update_yaxes(title_text="loss", row=2 * row + 1, col=1)
        figure.update_yaxes(title_text="held-out fidelity", row=2 * row + 2, col=1)
    figure.update_layout(
        height=2 * down * PANEL, template="plotly_white", title="Losses, and fidelity (lower is better)"
    )
    return figure


def _draw(figure: "Figure", outcome: Outcome, row: int, column: int, shown: set[str]) -> None:
    curves = {k: v for k, v in (outcome.losses or {}).items() if k in ("critic", "generator")}
    for name, values in curves.items():
        _line_of(figure, name, outcome.curve, values, row, column, shown)
    _line_of(figure, "fidelity", outcome.checks, outcome.fidelity, row + 1, column, shown)


def _line_of(
    figure: "Figure", name: str, x: Sequence[int], y: Sequence[Any], row: int, column: int, shown: set[str]
) -> None:
    from plotly.graph_objects import Scatter

    line = Scatter(
        x=x, y=y, name=name, legendgroup=name, showlegend=name not in shown, mode="lines", opacity=0.7,
        line={"color": COLOURS[name], "width": 1.3},
    )  # fmt: skip
    shown.add(name)
    figure.add_trace(line, row=row, col=column)
