"""Windows of a table: how long they are, which are held out, and as many of the prior beside them.

Shapes: T rows of a run, B windows, D channels, U numbers of a window, M drawn ones.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import solve_triangular

from dowgan.complete import Frame
from dowgan.coordinates import Coordinates, fit_coordinates
from dowgan.covariances import rooted
from dowgan.errors import DataError
from dowgan.prior import Prior
from dowgan.process import Process
from dowgan.rng import CHUNK, Streams
from dowgan.solver import Solver
from dowgan.stretch import Stretch
from dowgan.table.schema import Run

WINDOW = 24  # default steps of a window
WINDOW_WIDTH = 1200  # default most values of a window
MOST_WIDTH = 2_400  # most values of a window whatever is asked: what is fitted grows with their third power
SHORTEST = 4  # least steps of a window
MOST_WINDOWS = 20_000  # windows that coordinates and networks are fitted on; of more, every n-th is taken
HOLD = 8  # one row in so many is held out from a network's training
BLOCKS = 5  # into so many blocks of time
GOLDEN = (5**0.5 - 1) / 2
MOST_MISSING = 0.3  # share of missing values of a window that a network trains on
GAP_WIDTH = 400  # values of a window in which missing ones are filled
DRAWN = (5_120, 81_920)  # windows of the prior that whiten the coordinates and are carried to the data
DRAWN_PER_WINDOW = 24
DRAWN_VALUES = 40_000_000  # most values of them


def window_steps(runs: Sequence[Run], width: int, asked: int | None) -> int:
    """Return the steps of a window; of very wide ones fewer than were asked for, of which longer ones are joined.

    Args:
        runs: of the table.
        width: channels.
        asked: what the user set, None for the default.

    Raises:
        DataError: there are fewer rows than two windows; of many runs the longest must hold one.
    """
    longest, many = max(len(run.values) for run in runs), len(runs) >= HOLD
    usual = int(np.clip(min(WINDOW, WINDOW_WIDTH // width, longest // (1 if many else 4)), SHORTEST, WINDOW))
    steps = min(asked or usual, max(SHORTEST, MOST_WIDTH // width))
    least = steps if many else 2 * steps
    if longest < least:
        raise DataError(
            f"{longest} rows{' in the longest run' if len(runs) > 1 else ''} are fewer than "
            f"{'a window' if many else 'two windows'} of {steps}; give at least {least} rows"
            f"{' or set a shorter window: --set window=N' if asked else ''}."
        )
    return steps


def _cut(lengths: Sequence[int], steps: int, hop: int) -> tuple[list[tuple[int, int]], Bool[np.ndarray, " B"]]:
    """Return (run, start) of the windows, and which of them are held out.

    Of many runs every HOLD-th is held out; of few, BLOCKS blocks of time spread over each, so that the held-out
    rows are as varied as the others. Windows that reach across a border are left out.
    """
    places, held = [], []
    whole_runs = len(lengths) >= HOLD
    for run, length in enumerate(lengths):
        blocks = _held_blocks(length, steps)
        for start in range(0, length - steps + 1, hop):
            if whole_runs:
                places.append((run, start))
                held.append(run % HOLD == HOLD - 1)
                continue
            inside = any(first <= start and start + steps <= last for first, last in blocks)
            outside = all(start + steps <= first or last <= start for first, last in blocks)
            if inside or outside or length < 8 * steps:
                places.append((run, start))
                held.append(inside)
    return places, np.array(held, dtype=bool)


def _held_blocks(length: int, steps: int) -> list[tuple[int, int]]:
    """First row of each held-out block of a run, and the first behind it.

    One lies in each equal part of the run, each time elsewhere in it, by the golden section: where blocks lay two years
    apart, held-out rows would all be of one season and the others of another.
    """
    count = int(np.clip(length // (4 * steps), 1, BLOCKS))  # of long windows fewer fit
    size, part = max(2 * steps, length // (HOLD * count)), length // count
    firsts = [number * part + round((number + 1) * GOLDEN % 1 * max(part - size, 0)) for number in range(count)]
    return [(first, first + size) for first in firsts]


def without_gaps(
    process: Process, series: Sequence[Float[np.ndarray, "_T D"]], streams: Streams
) -> list[Float[np.ndarray, "_T D"]]:
    """Fill missing values by one draw of the process given the known ones.

    Filled with their mean, series would jump wherever a value is missing, and what is fitted to them would too.
    """
    steps = int(np.clip(GAP_WIDTH // process.channels, 4, 48))
    solver = Solver(process, Frame(steps // 2, steps // 4, steps // 4))

    def filled(run: int, known: Float[np.ndarray, "T D"]) -> Float[np.ndarray, "T D"]:
        def normals(number: int, width: int) -> Float[np.ndarray, "1 W"]:
            return streams.numpy(f"gaps/{run}", number).standard_normal((1, width))

        return solver.paths(known, normals)[0] if np.isnan(known).any() else known

    return [filled(run, known) for run, known in enumerate(series)]


def balanced(count: int, width: int, rng: np.random.Generator) -> Float[np.ndarray, "B W"]:
    """Draw standard normal rows whose own mean is zero and, where there are enough, whose own covariance is one.

    What is measured on them has no error from the draw's chance in mean and spread.
    """
    half = rng.standard_normal((count // 2, width))
    rows = np.concatenate([half, -half])
    if len(half) < 4 * width:
        return rows
    lower = np.linalg.cholesky(rows.T @ rows / len(rows))
    return solve_triangular(lower, rows.T, lower=True).T


def prior_windows(
    prior: Prior, stretches: Sequence[Stretch], steps: int, count: int, rng: np.random.Generator
) -> Float[np.ndarray, "B T D"]:
    """Draw windows of the prior, in channels but for what moves them, at times of the table."""
    means, spreads, starts, before = [], [], [], 0
    for stretch in stretches:
        length = len(stretch.values)
        mean, spread = prior.season.steady(stretch.positions.astype(float), stretch.places)
        means.append(mean)
        spreads.append(spread)
        starts.append(before + np.arange(max(length - steps + 1, 0)))
        before += length
    every = np.concatenate(starts)
    first = every[np.arange(count) * len(every) // count]  # spread evenly
    rows = rng.permutation(first)[:, None] + np.arange(steps)  # [B T]
    _, root = rooted(prior.process.covariance(steps))
    scores = (balanced(count, len(root), rng) @ root.T).reshape(count, steps, -1)
    return prior.marginals.from_normal(scores) * np.concatenate(spreads)[rows] + np.concatenate(means)[rows]


def drawn_windows(real: int, width: int) -> int:
    """Return how many windows of the prior are set against so many real ones of that many values: whole chunks."""
    count = np.clip(DRAWN_PER_WINDOW * real, *DRAWN)
    return int(min(count, max(DRAWN_VALUES // width, DRAWN[0]))) // CHUNK * CHUNK


def whole_series(prior: Prior, stretches: Sequence[Stretch], streams: Streams) -> list[Float[np.ndarray, "_T D"]]:
    """Return all runs in channels, their missing values drawn."""
    scores = without_gaps(prior.process, [prior.to_normal(s) for s in stretches], streams)
    out = []
    for stretch, score in zip(stretches, scores, strict=True):
        drawn = prior.from_normal(score[None], stretch.positions.astype(float), stretch.regime, stretch.places)[0]
        out.append(np.where(np.isnan(stretch.values), drawn, stretch.values))
    return out


def _without_moves(prior: Prior, stretch: Stretch, values: Float[np.ndarray, "T D"]) -> Float[np.ndarray, "T D"]:
    return prior.season.without_moves(values, stretch.positions, stretch.regime, stretch.places)


def window_coordinates(
    prior: Prior, stretches: Sequence[Stretch], sampled: Sequence[Stretch], steps: int, streams: Streams
) -> tuple[Coordinates, Float[np.ndarray, "B U"], Bool[np.ndarray, " B"], Bool[np.ndarray, " B"]]:
    """Fit the coordinates of the windows of all runs; return the windows in them, which are on one side of all borders,
    and which are held out.

    Missing values are drawn; windows with many of them are left out.

    Args:
        prior: of generated series.
        stretches: the runs.
        sampled: the same without the values that only stand.
        steps: of a window.
        streams: randomness of what is drawn.
    """
    values = [s.values for s in stretches]
    series = whole_series(prior, sampled, streams)
    whole = [_without_moves(prior, *both) for both in zip(stretches, series, strict=True)]
    lengths = [len(v) for v in values]
    hop = max(1, sum(max(n - steps, 0) for n in lengths) // MOST_WINDOWS)
    starts = [(r, s) for r, n in enumerate(lengths) for s in range(0, n - steps + 1, hop)]
    starts = [start for start, usable in zip(starts, _usable(values, starts, steps), strict=True) if usable]
    every = _cut_out(whole, starts, steps)
    sides = dict(zip(*_cut(lengths, steps, hop), strict=True))
    held, sided = np.array([(sides.get(s, False), s in sides) for s in starts]).T
    sided |= not sided.any()
    drawn = prior_windows(
        prior, stretches, steps, drawn_windows(len(every), every[0].size), streams.numpy("prior windows")
    )
    coordinates = fit_coordinates(drawn, every, sum(lengths) / steps, held)
    return coordinates, coordinates.to_coordinates(coordinates.scores.to_normal(every)), sided, held


def windows_and_held(
    series: Sequence[Float[np.ndarray, "_T D"]], steps: int
) -> tuple[Float[np.ndarray, "B T D"], Bool[np.ndarray, " B"]]:
    """Return the windows of all runs and which are held out; missing values are filled with zero."""
    lengths = [len(s) for s in series]
    hop = max(1, sum(max(n - steps, 0) for n in lengths) // MOST_WINDOWS)
    places, held = _cut(lengths, steps, hop)
    usable = _usable(series, places, steps)
    return np.nan_to_num(_cut_out(series, places, steps)[usable]), held[usable]


def _cut_out(
    series: Sequence[Float[np.ndarray, "_T D"]], places: Sequence[tuple[int, int]], steps: int
) -> Float[np.ndarray, "B T D"]:
    """The windows that begin at the places (run, row)."""
    return np.stack([series[run][start : start + steps] for run, start in places])


def _usable(
    series: Sequence[Float[np.ndarray, "_T D"]], places: Sequence[tuple[int, int]], steps: int
) -> Bool[np.ndarray, " B"]:
    """Which windows are not mostly missing; all of them if none is."""
    usable = np.isnan(_cut_out(series, places, steps)).mean(axis=(1, 2)) < MOST_MISSING
    return usable if usable.any() else np.ones(len(places), dtype=bool)
