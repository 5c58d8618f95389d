"""Judge densified and extended rows against the true ones, beside the plain methods.

Shapes: T rows of a case, H new rows, P paths, C channels, M rows of all cases that are scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from dowgan.baselines import (
    last_value,
    last_value_paths,
    seasonal_mean,
    seasonal_mean_paths,
    seasonal_naive,
    seasonal_naive_paths,
)
from dowgan.codes import short_way
from dowgan.evaluate.contest import contest, stretches
from dowgan.evaluate.plain import known_mean, number, plain, plain_list
from dowgan.interpolation import interpolate
from dowgan.metrics import METRICS
from dowgan.metrics.marginal import moments
from dowgan.metrics.paired import coverage, crps, mae, mse, pit_shares, r2, r2_pooled
from dowgan.rng import Streams

PLAIN_WAYS = ("linear", "pchip", "cubic")
CONTESTED = ("mse", "mae", "crps")  # errors by which the model is put beside the plain methods
BINS = 10  # of the PIT histogram


@dataclass(frozen=True)
class Dense:
    """A densified run whose true rows are known.

    Attributes:
        truth: [T C] all rows, of which every factor-th was given.
        middle: [T C] the model's.
        paths: [P T C], P may be 0.
        factor: new rows per old one.
        turns: by channel, of a direction, such as 360, and 0 of others; () where there is none.
    """

    truth: Float[np.ndarray, "T C"]
    middle: Float[np.ndarray, "T C"]
    paths: Float[np.ndarray, "P T C"]
    factor: int
    turns: tuple[float, ...] = ()


@dataclass(frozen=True)
class Ahead:
    """An extended run whose true continuation is known.

    Attributes:
        history: [T C] up to the origin.
        truth, middle: [H C].
        paths: [P H C].
        turns: as of `Dense`.
    """

    history: Float[np.ndarray, "T C"]
    truth: Float[np.ndarray, "H C"]
    middle: Float[np.ndarray, "H C"]
    paths: Float[np.ndarray, "P H C"]
    turns: tuple[float, ...] = ()


@dataclass(frozen=True)
class Guess:
    """What one method says of all scored rows.

    Attributes:
        place: position in the gap, or horizon.
        case: number of the run or of the origin.
    """

    truth: Float[np.ndarray, "M C"]
    middle: Float[np.ndarray, "M C"]
    paths: Float[np.ndarray, "P M C"] | None
    place: np.ndarray
    case: np.ndarray


def judge_densify(cases: Sequence[Dense], names: Sequence[str]) -> dict[str, Any]:
    """Score densified runs on the rows that were not given, beside linear, PCHIP and cubic interpolation.

    Returns:
        Plain nested data, see `dowgan.report.Report.scores["densify"]`.
    """
    guesses = {"model": _joined([_hidden(c, c.middle, c.paths, i) for i, c in enumerate(cases)])}
    for way in PLAIN_WAYS:
        filled = [interpolate(c.truth[:: c.factor], c.factor, way)[: len(c.truth)] for c in cases]
        guesses[way] = _joined([_hidden(c, f, None, i) for i, (c, f) in enumerate(zip(cases, filled, strict=True))])
    out = {"factor": cases[0].factor, "runs": len(cases)} | _judged(guesses, names)
    return out | {"by_position": _by_place(guesses)}


def _hidden(case: Dense, middle: np.ndarray, paths: np.ndarray | None, number: int) -> Guess:
    rows = np.arange(len(case.truth))
    new = rows % case.factor != 0
    near = _nearer(middle[new], case.truth[new], case.turns)
    drawn = None if paths is None or not len(paths) else _nearer(paths[:, new], case.truth[new], case.turns)
    return Guess(case.truth[new], near, drawn, rows[new] % case.factor, np.full(new.sum(), number))


def _nearer(
    values: Float[np.ndarray, "... M C"], truth: Float[np.ndarray, "M C"], turns: Sequence[float]
) -> Float[np.ndarray, "... M C"]:
    """Values with directions the short way from the truth."""
    out = values.copy()
    for tag in np.flatnonzero(turns).tolist():
        out[..., tag] = short_way(out[..., tag], truth[:, tag], turns[tag])
    return out


def judge_extend(cases: Sequence[Ahead], names: Sequence[str], period: float | None, seed: int = 0) -> dict[str, Any]:
    """Score extended runs beside last value, seasonal naive and seasonal mean, each with paths of its own.

    Args:
        period: season in steps; None if there is none, then only the last value is compared with.

    Returns:
        Plain nested data, see `dowgan.report.Report.scores["extend"]`.
    """
    guesses = {"model": _joined([_ahead(c, c.middle, c.paths, i) for i, c in enumerate(cases)])}
    for way in plain_forecasts(period):
        made = [
            plain_forecast(way, c.history, len(c.truth), len(c.paths), period, seed + i) for i, c in enumerate(cases)
        ]
        guesses[way] = _joined([_ahead(c, *m, i) for i, (c, m) in enumerate(zip(cases, made, strict=True))])
    drawn = guesses["model"].paths
    assert drawn is not None, "extend is always judged with paths"
    out = {"steps": len(cases[0].truth), "origins": len(cases), "period": period} | _judged(guesses, names)
    shares = plain_list(pit_shares(guesses["model"].truth, drawn, BINS))
    return out | {"by_horizon": _by_place(guesses), "pit": shares}


def plain_forecasts(period: float | None) -> tuple[str, ...]:
    """Names of the plain ways to extend that make sense."""
    return ("last_value",) if period is None else ("last_value", "seasonal_naive", "seasonal_mean")


def plain_forecast(
    way: str, history: Float[np.ndarray, "T C"], steps: int, paths: int, period: float | None, seed: int
) -> tuple[Float[np.ndarray, "H C"], Float[np.ndarray, "P H C"]]:
    """Extend a run in a plain way: the best guess and paths."""
    rng = Streams(seed).numpy(way)
    if way == "last_value":
        return last_value(history, steps), last_value_paths(history, steps, paths, rng)
    assert period is not None, way
    if way == "seasonal_naive":
        return seasonal_naive(history, steps, period), seasonal_naive_paths(history, steps, period, paths, rng)
    return seasonal_mean(history, steps, period), seasonal_mean_paths(history, steps, period, paths, rng)


def _ahead(case: Ahead, middle: np.ndarray, paths: np.ndarray, number: int) -> Guess:
    steps = np.arange(len(case.truth))
    near, drawn = (_nearer(values, case.truth, case.turns) for values in (middle, paths))
    return Guess(case.truth, near, drawn, steps + 1, np.full(len(steps), number))


def _joined(parts: Sequence[Guess]) -> Guess:
    first = parts[0].paths
    return Guess(
        np.concatenate([p.truth for p in parts]),
        np.concatenate([p.middle for p in parts]),
        None if first is None else np.concatenate([p.paths for p in parts if p.paths is not None], axis=1),
        np.concatenate([p.place for p in parts]),
        np.concatenate([p.case for p in parts]),
    )


def _judged(guesses: dict[str, Guess], names: Sequence[str]) -> dict[str, Any]:
    """Scores of each tag, and totals and contests of all over what every method has a guess of."""
    each = {name: _by_tag(guess) for name, guess in guesses.items()}
    covered, error = _covered(guesses["model"])
    truth = guesses["model"].truth
    guessed = ~np.isnan(np.stack([guess.middle for guess in guesses.values()])).any(axis=0)
    alike = {name: replace(guess, truth=np.where(guessed, truth, np.nan)) for name, guess in guesses.items()}
    totals = {name: _total(guess) for name, guess in alike.items()}
    against = _tag_contests(alike)
    tags = {
        tag: {
            "model": {k: number(v[i]) for k, v in each["model"].items()},
            "naive": {m: {k: number(v[i]) for k, v in e.items()} for m, e in each.items() if m != "model"},
            "against": against[i],
        }
        for i, tag in enumerate(names)
    }
    return {
        "rows": len(truth),
        "model": totals.pop("model"),
        "naive": totals,
        "against": {name: _contests(alike, name) for name in CONTESTED},
        "r2_of_levels": number(r2_pooled(truth, np.where(np.isnan(truth), np.nan, moments(truth)[0]))),
        "coverage_90": number(covered),
        "coverage_error": number(error),
        "tags": tags,
    }


def _stretch_errors(guesses: dict[str, Guess], name: str) -> dict[str, Float[np.ndarray, "K C"]]:
    """Error of each method on each stretch of time, in standard deviations (mse in variances).

    A stretch weighs as its known values do, so that the mean over the stretches is the error over all rows; it is zero
    where none is known, and NaN for a tag of which none is known anywhere.
    """
    model = guesses["model"]
    parts, scale = stretches(model.case), moments(model.truth)[1] ** (2 if name == "mse" else 1)
    known = np.stack([(~np.isnan(model.truth[rows])).sum(axis=0) for rows in parts])
    every = known.sum(axis=0)
    weight = known * len(parts) / np.where(every > 0, every, np.nan) / scale
    return {
        way: weight * np.where(known > 0, np.stack([_error(name, guess, rows) for rows in parts]), 0.0)
        for way, guess in guesses.items()
    }


def _contests(guesses: dict[str, Guess], name: str) -> dict[str, Any]:
    """The model against each plain method, over all tags."""
    found = _stretch_errors(guesses, name)
    return {way: contest(found["model"], e) for way, e in found.items() if way != "model"}


def _tag_contests(guesses: dict[str, Guess]) -> list[dict[str, Any]]:
    """The same for each tag, by its mean absolute error, over the stretches in which it is known."""
    found = _stretch_errors(guesses, "mae")
    truth = guesses["model"].truth
    known = np.stack([(~np.isnan(truth[rows])).any(axis=0) for rows in stretches(guesses["model"].case)])
    ours, share = found.pop("model"), known.mean(axis=0)

    def against(theirs: Float[np.ndarray, "K C"], tag: int) -> dict[str, Any]:
        rows = known[:, tag]
        return contest(share[tag] * ours[rows][:, [tag]], share[tag] * theirs[rows][:, [tag]])

    return [{way: against(e, c) for way, e in found.items()} for c in range(ours.shape[1])]


def _error(name: str, guess: Guess, rows: np.ndarray) -> Float[np.ndarray, "C"]:
    truth, middle = guess.truth[rows], guess.middle[rows]
    if name == "crps":
        return crps(truth, middle[None] if guess.paths is None else guess.paths[:, rows])
    return mse(truth, middle) if name == "mse" else mae(truth, middle)


def _total(guess: Guess) -> dict[str, Any]:
    found = {}
    for name, metric in METRICS:
        if metric.needs == "paired":
            found[name] = metric.measure(guess.truth, guess.middle, guess.paths).value  # type: ignore[arg-type]
    return plain(found)


def _by_tag(guess: Guess) -> dict[str, np.ndarray]:
    out = {f.__name__: f(guess.truth, guess.middle) for f in (r2, mse, mae)}
    if guess.paths is not None:
        out["crps"] = crps(guess.truth, guess.paths)
        out["coverage"] = coverage(guess.truth, guess.paths)
    return out


def _covered(guess: Guess) -> tuple[float, float]:
    """Mean coverage over the tags, and its standard error from stretches of rows, which are not independent."""
    if guess.paths is None:
        return float("nan"), float("nan")
    total = known_mean(coverage(guess.truth, guess.paths))
    parts = np.array_split(np.arange(len(guess.truth)), min(8, max(len(guess.truth) // 4, 1)))
    each = np.array([known_mean(coverage(guess.truth[p], guess.paths[:, p])) for p in parts])
    return total, float(np.nanstd(each) / np.sqrt(len(each)))


def _by_place(guesses: dict[str, Guess]) -> dict[str, Any]:
    """Mean absolute error in standard deviations of the true values, by position in the gap or by horizon."""
    truth, place = guesses["model"].truth, guesses["model"].place
    scale = moments(truth)[1]
    steps = np.unique(place)
    out: dict[str, Any] = {"place": steps.tolist()}
    for name, guess in guesses.items():
        off = np.abs(guess.truth - guess.middle) / scale
        out[name] = plain_list(np.array([known_mean(off[place == p].ravel()) for p in steps]))
    return out
