"""What a search leaves: a line and a row for each trial, its plots, and the best recipe."""

import csv
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna import visualization
from optuna.trial import FrozenTrial, TrialState

from dowgan.errors import OptionError
from dowgan.files import write_rows, write_whole

BEST, TABLE, PAGE = "best.toml", "trials.csv", "search.html"
FIDELITY, SECONDS = "held-out fidelity", "fit seconds"
KILLED = "the search was killed"  # what else fails prunes a trial


def line_of(trial: FrozenTrial) -> str:
    """Say in a line what became of a trial."""
    if trial.state is not TrialState.COMPLETE:
        return f"trial {trial.number}: {trial.state.name.lower()}, {_reason(trial)}"
    return f"trial {trial.number}: {FIDELITY} {trial.values[0]:.4f} ({trial.user_attrs['seconds']:.0f} s)"


def _reason(trial: FrozenTrial) -> str | None:
    """Why a trial has no result; None if it has one, or is still in hand."""
    return KILLED if trial.state is TrialState.FAIL else trial.user_attrs.get("reason")


def write_all(study: optuna.Study, folder: Path, tell: Callable[[str], None]) -> Path:
    """Write the trials, the plots and the best recipe; return the recipe's file.

    Raises:
        OptionError: no trial succeeded.
    """
    write_trials(study, folder / TABLE)
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not done:
        reasons = {reason for t in study.get_trials(deepcopy=False) if (reason := _reason(t))}
        raise OptionError(f"No trial came to an end: {'; '.join(sorted(reasons)[:3]) or 'give more --budget'}.")
    best = min(done, key=lambda t: t.values[0])
    found = f"{FIDELITY} {best.values[0]:.4f} in trial {best.number} of {len(study.trials)}"
    write_whole(folder / BEST, f"# Found by dowgan search: {found}.\n{best.user_attrs['toml']}".encode())
    write_whole(folder / PAGE, _page(study).encode())
    before = best.user_attrs["untrained"]
    tell(f"best: trial {best.number}, {FIDELITY} {best.values[0]:.4f} (before training {before:.4f})")
    return folder / BEST


def write_trials(study: optuna.Study, path: Path) -> None:
    """Write one row per trial: state, values, what was tried, and why it ended early."""
    trials = study.get_trials(deepcopy=False)
    names = list(dict.fromkeys(name for t in trials for name in t.params))
    front = {t.number for t in study.best_trials} if any(t.state is TrialState.COMPLETE for t in trials) else set()
    rows = [_row(t, t.number in front) | {n: t.params.get(n, "") for n in names} for t in trials]
    write_rows(path, list(rows[0]) if rows else ["trial"], rows)


def _row(trial: FrozenTrial, best: bool) -> dict[str, Any]:
    told = trial.user_attrs
    return {
        "trial": trial.number, "state": trial.state.name, "fidelity": trial.values[0] if trial.values else None,
        "seconds": told.get("seconds"), "best": best, "reason": _reason(trial),
    }  # fmt: skip


def _page(study: optuna.Study) -> str:
    """History and importance (and the front of two aims) as one page."""
    figures = [visualization.plot_optimization_history(study, target=lambda t: t.values[0], target_name=FIDELITY)]
    if len(study.directions) > 1:
        figures.append(visualization.plot_pareto_front(study, target_names=[FIDELITY, SECONDS]))
    note = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns once for every option that was tried less than twice
            figures.append(
                visualization.plot_param_importances(study, target=lambda t: t.values[0], target_name=FIDELITY)
            )
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        note = f"<p>No importances: {error}</p>"
    parts = [f.to_html(full_html=False, include_plotlyjs=i == 0) for i, f in enumerate(figures)]
    return f"<!doctype html><meta charset='utf-8'><title>dowgan search</title><h1>Search</h1>{''.join(parts)}{note}\n"


def best_of(folder: Path) -> dict[str, str]:
    """Return figures of the best trial for `--json`."""
    with (folder / TABLE).open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["state"] == "COMPLETE"]
    best = min(rows, key=lambda r: float(r["fidelity"]))
    return {k: v for k, v in best.items() if v != ""}
