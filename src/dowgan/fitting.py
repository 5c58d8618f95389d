"""From a table to everything in a model but the network: channels, priors, calibration, coordinates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import solve_triangular

from dowgan.calibrate import Calibration, calibrate
from dowgan.channels import Channels, fit_channels, with_effects
from dowgan.complete import Frame
from dowgan.coordinates import Coordinates, fit_coordinates
from dowgan.errors import DataError
from dowgan.holds import Hold, find_beats
from dowgan.interpolation import interpolate
from dowgan.known import first_or_none
from dowgan.levels import Level
from dowgan.prior import Prior, fit_prior
from dowgan.process import Process, rooted
from dowgan.profile import typical_rows
from dowgan.relations import Relations, find_relations
from dowgan.rng import CHUNK, Streams
from dowgan.season import fit_season, trending
from dowgan.stocks import Stock
from dowgan.stretch import Stretch, borders, split
from dowgan.succession import find_timetable
from dowgan.table.schema import Run, Table
from dowgan.verbs import Solver

WINDOW = 24  # default steps of a window
WINDOW_WIDTH = 1200  # default most values of a window
MOST_WIDTH = 2_400  # most values of a window whatever is asked: what is fitted grows with their third power
SHORTEST = 4  # least steps of a window
DOMINANT = 0.06  # a generated series follows a trend that leaves less than this share of the variance; Stocks has .10
MOST_WINDOWS = 20_000  # windows that coordinates and networks are fitted on; of more, every n-th is taken
HOLD = 8  # one row in so many is held out from a network's training
BLOCKS = 5  # into so many blocks of time
GOLDEN = (5**0.5 - 1) / 2
MOST_MISSING = 0.3  # share of missing values of a window that a network trains on
GAP_WIDTH = 400  # values of a window in which missing ones are filled
DRAWN = (5_120, 81_920)  # windows of the prior that whiten the coordinates and are carried to the data
DRAWN_PER_WINDOW = 24
DRAWN_VALUES = 40_000_000  # most values of them
SHORT_GAP = 8  # rows of a gap that is filled before anything is measured
FILLINGS = 2  # times that it is
NARROWED = "window: {asked} rows of {width} channels are too many values; {steps} rows are fitted at once, and joined"
CLIP = 12.0  # channels are cut at so many standard deviations before they are fitted


@dataclass(frozen=True)
class Fitted:
    """The untrained part of a model, and the windows that a network trains on.

    Attributes:
        windows: coordinates [B U] of the windows of the table.
        sided: which of them reach across no border of a held-out block.
        held_out: which of them lie in one.
        notes: what a user has to know of how it was fitted.
    """

    relations: Relations
    channels: Channels
    window: Prior
    path: Prior
    calibration: Calibration
    coordinates: Coordinates
    windows: Float[np.ndarray, "B U"]
    sided: Bool[np.ndarray, " B"]
    held_out: Bool[np.ndarray, " B"]
    notes: tuple[str, ...] = ()


def regimes_of(channels: Channels, runs: Sequence[Run], cycles: Sequence[int]) -> list[Int[np.ndarray, " _T"]]:
    """Return the regimes of runs: where states that were found are missing, as the clock tells by the other rows.

    Args:
        cycles: of the clock in rows.
    """
    regimes = [channels.regimes.of(run.values) for run in runs]
    known = [channels.regimes.known(run.values) for run in runs]
    if not channels.regimes.found or all(rows.all() for rows in known):
        return regimes
    pieces = []
    for run, regime, rows in zip(runs, regimes, known, strict=True):
        edges = borders(rows.astype(int))
        pieces += [(run.offset + int(a), regime[a:b]) for a, b in pairwise(edges.tolist()) if rows[a]]
    timetable = find_timetable(pieces, len(channels.regimes), cycles)
    if timetable is None:
        return regimes
    return [channels.regimes.by_clock(timetable, run.values, run.offset) for run in runs]


def stretch_of(channels: Channels, run: Run) -> Stretch:
    """Return a run in channels, its level taken off."""
    return levelled(channels, run, channels.pace(len(run.values)))[0]


def levelled(
    channels: Channels, run: Run, pace: float, before: int = 0, regime: Int[np.ndarray, " T"] | None = None
) -> tuple[Stretch, Level]:
    """Return a run, or what follows so many rows of it, in channels, its level taken off; and that level.

    Args:
        regime: of its rows; None if its values tell it.
    """
    regime = channels.regimes.of(run.values) if regime is None else regime
    encoded = channels.encode(run.values, channels.setpoints.told(regime, run.values))
    places = pace * (before + np.arange(len(encoded)))
    level = channels.level(run.key, first_or_none(run.values), encoded, places)
    return Stretch(level.off(encoded, places), run.offset, regime, pace), level


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


def dominant_trend(stretches: Sequence[Stretch], periods: Sequence[float], regimes: int) -> Float[np.ndarray, " D"]:
    """Say which channels are little but a trend and a season, so that a generated series must follow it too."""
    width = stretches[0].values.shape[1]
    if len(stretches) > 1:
        return np.zeros(width)
    left = []
    for share in (0.0, 1.0):
        season = fit_season(stretches, periods, regimes, np.full(width, share))
        mean, _ = season.mean_and_spread(
            stretches[0].positions.astype(float),
            stretches[0].regime,
            stretches[0].places,
        )
        rest = stretches[0].values - mean
        left.append(np.nanmean(np.where(np.isnan(rest), 0.0, rest) ** 2, axis=0))
    return (left[1] < DOMINANT * left[0]).astype(float)


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


def drawn_coordinates(fitted: Fitted, runs: Sequence[Run], rng: np.random.Generator) -> Float[np.ndarray, "M U"]:
    """Draw windows of the prior as a generator gets them: what it is trained and calibrated on."""
    coordinates, count = fitted.coordinates, drawn_windows(*fitted.windows.shape)
    stretches = [stretch_of(fitted.channels, run) for run in runs]
    windows = prior_windows(fitted.window, stretches, coordinates.steps, count, rng)
    return coordinates.straight(coordinates.scores.to_normal(windows))


def drawn_windows(real: int, width: int) -> int:
    """Return how many windows of the prior are set against so many real ones of that many values: whole chunks."""
    count = np.clip(DRAWN_PER_WINDOW * real, *DRAWN)
    return int(min(count, max(DRAWN_VALUES // width, DRAWN[0]))) // CHUNK * CHUNK


def unheld(channels: Channels, beats: Sequence[Hold], stretch: Stretch) -> Stretch:
    """Leave of values that stand from beat to beat only those at the beats.

    What happens between two samples is not known, and nothing of it is seen in what is made; that the table repeats the
    first of them would be matched at the price of the changes from sample to sample.
    """
    values = stretch.values.copy()
    for hold in beats:
        off = (stretch.positions - hold.lengths.phase) % hold.lengths.every != 0
        found = (channels.first_channel(column) for column in hold.columns)
        for channel in (c for c in found if c is not None):  # a set-point that the regimes tell is none
            values[off, channel] = np.nan
    return replace(stretch, values=values)


def unflagged(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Leave out channels that have but two values, such as an alarm's: set against a normal distribution their few
    jumps would be all that windows are carried by, and the hours of all other channels would be lost."""
    values = np.concatenate([s.values for s in stretches])
    flags = [len(np.unique(channel[~np.isnan(channel)])) <= 2 for channel in values.T]
    return [replace(s, values=np.where(flags, np.nan, s.values)) for s in stretches]


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


def cut_windows(
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


def fit_priors(table: Table, window: int | None, streams: Streams, stocks: Sequence[Stock] = ()) -> Fitted:
    """Fit all that needs no training.

    Args:
        table: as read.
        window: steps of a window, None for the default.
        streams: randomness of the backtests.
        stocks: columns that flows add up to.

    Raises:
        DataError: there are fewer rows than two windows.
        OptionError: every column is a condition.
    """
    units = [table.schema.unit(column.name) for column in table.schema.channels]
    relations = find_relations(table.schema.channels, np.concatenate([run.values for run in table.runs]), units)
    relations = relations.without([stock.column for stock in stocks])
    limited = [alarm.place for alarm in relations.alarms]
    channels = fit_channels(table.schema, table.runs, relations.same, stocks, limited)
    relations = relations.without(channels.fixed)
    steps = window_steps(table.runs, channels.width, window)
    channels = replace(channels, typical=typical_rows([stretch_of(channels, run).values for run in table.runs]))
    channels = with_effects(channels, table.schema, table.runs)
    stretches = [_calm(stretch_of(channels, run)) for run in table.runs]
    periods, regimes = table.schema.clock.periods(), len(channels.regimes)
    stretches = _without_short_gaps(stretches, lambda parts: fit_prior(parts, periods, regimes), streams)
    follow = dominant_trend(stretches, periods, regimes)
    generated = fit_prior(stretches, periods, regimes, follow)
    whole = max(len(s.values) for s in stretches) <= steps
    generated = replace(generated, season=replace(generated.season, whole=whole))
    trend = np.maximum(trending(stretches, periods, regimes), follow)

    def refit(parts: Sequence[Stretch]) -> Prior:
        return fit_prior(parts, periods, regimes, trend, ahead=True)

    calibration = calibrate(refit(split(stretches)[0]), stretches, refit, streams)
    path = refit(stretches)
    beats = find_beats(table.schema.channels, table.runs)
    sampled = unflagged([unheld(channels, beats, stretch) for stretch in stretches])
    coordinates, windows, sided, held = window_coordinates(generated, stretches, sampled, steps, streams)
    notes = () if steps >= (window or steps) else (NARROWED.format(asked=window, steps=steps, width=channels.width),)
    return Fitted(relations, channels, generated, path, calibration, coordinates, windows, sided, held, notes)


def _without_short_gaps(
    stretches: Sequence[Stretch], fit: Callable[[Sequence[Stretch]], Prior], streams: Streams
) -> list[Stretch]:
    """Fill gaps of a few rows by draws of the prior, which is fitted to what was filled before (Wei and Tanner 1990).

    Covariances of pairs that happen to be known err differently at every lag, which makes smooth series rough; those of
    a whole series do not.
    """
    short = [_short_gaps(np.isnan(s.values)) for s in stretches]
    if not any(gaps.any() for gaps in short):
        return list(stretches)
    filled = [
        np.where(gaps, interpolate(s.values, 1, "linear"), s.values) for s, gaps in zip(stretches, short, strict=True)
    ]
    for _ in range(FILLINGS):
        whole = [replace(s, values=values) for s, values in zip(stretches, filled, strict=True)]
        drawn = whole_series(fit(whole), stretches, streams)
        filled = [np.where(gaps, d, s.values) for s, gaps, d in zip(stretches, short, drawn, strict=True)]
    return [replace(s, values=values) for s, values in zip(stretches, filled, strict=True)]


def _short_gaps(missing: Bool[np.ndarray, "T D"]) -> Bool[np.ndarray, "T D"]:
    """The missing values whose gap is short and has known values on both sides."""
    out = np.zeros_like(missing)
    for channel in range(missing.shape[1]):
        edges = np.flatnonzero(np.diff(missing[:, channel], prepend=False, append=False))
        for start, stop in edges.reshape(-1, 2):
            out[start:stop, channel] = stop - start <= SHORT_GAP and start > 0 and stop < len(missing)
    return out


def _calm(stretch: Stretch) -> Stretch:
    return replace(stretch, values=np.clip(stretch.values, -CLIP, CLIP))
