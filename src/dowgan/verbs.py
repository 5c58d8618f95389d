"""Densify and extend on arrays, by a prior: partly known series completed along many paths.

Shapes: P paths, N rows, K old rows, H new rows, T steps of a window, D channels, M ways to interpolate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from dowgan.complete import Frame
from dowgan.interpolation import WAYS, interpolate
from dowgan.known import last_known
from dowgan.prior import Prior
from dowgan.process import Process
from dowgan.solver import Normals, Solver
from dowgan.stretch import Stretch

MOST_MEMORY = 0.9  # correlation of neighbouring given rows that is reckoned with at most, where they are few
FAR = 0.25  # of a channel's spread, from which its trend has gone far
FEWEST_PAST = 4  # given rows past the fitted ones, from which they tell where a trend has gone
CONTEXT = 2  # old steps behind each gap that are conditioned on in full
AHEAD = 4  # old steps ahead of each gap that are conditioned on
REMEMBERED = 1_024  # rows before those that are conditioned on, whose changes of regime may still be felt
OUTLOOKS = ("held", "last", "season")  # plain ways to foretell: what the last row is off the mean, itself, a season ago
BEYOND = 1.0  # normal scores beyond those of the table and of the last rows, up to which a path goes
TRIALS = 24  # gaps that are tried in each channel with long ones
TRIED = 12  # values in them, at least
LINED = 0.8  # of the squared error in them, that a straight line leaves at most to be clearly better
BRIDGED = 4  # times as far from one known value to the next as is usual, up to which plain ways are told
DENSE_WIDTH = 3000  # most values of a densifying window; longer factors are taken in stages


@dataclass(frozen=True)
class Mixture:
    """How values are put together: those densified by one factor, or those of an extension.

    Attributes:
        weights: [1 + M D], of the prior's median and of each of `interpolation.WAYS`, or of `OUTLOOKS`; columns sum to
            one.
        band: [D], factors on the deviation of a path from the median.
    """

    weights: Float[np.ndarray, "M D"]
    band: Float[np.ndarray, " D"]

    def of(self, guesses: Float[np.ndarray, "M N D"]) -> Float[np.ndarray, "N D"]:
        """Return the guesses, each with its weight, put together."""
        return np.sum(self.weights[:, None] * guesses, axis=0)


@dataclass(frozen=True)
class Paths:
    """Completed series in channels.

    Attributes:
        middle: [N D] the best single estimate.
        paths: [P N D].
        reach: [N D], how wide the paths of an extension are at each step, beside the widest; else ones.
        guesses: [1 + M N D], the prior's median and what plain methods say, before they are mixed.
    """

    middle: Float[np.ndarray, "N D"]
    paths: Float[np.ndarray, "P N D"]
    reach: Float[np.ndarray, "N D"]
    guesses: Float[np.ndarray, "M N D"]


@dataclass(frozen=True)
class Rows:
    """Where rows lie: clock position, regime, and place in their own run."""

    positions: Float[np.ndarray, " N"]
    regime: Int[np.ndarray, " N"]
    place: Float[np.ndarray, " N"]

    def since(self, start: int) -> "Rows":
        """These rows but for the first ones."""
        return Rows(self.positions[start:], self.regime[start:], self.place[start:])

    def and_then(self, more: "Rows") -> "Rows":
        """These rows and those behind them."""
        pairs = ((self.positions, more.positions), (self.regime, more.regime), (self.place, more.place))
        return Rows(*(np.concatenate(pair) for pair in pairs))


def rows_of(stretch: Stretch) -> Rows:
    """Return where the rows of a stretch lie that starts its run."""
    return Rows(stretch.positions.astype(float), stretch.regime, stretch.places)


def regimes_between(coarse: Int[np.ndarray, " K"], factor: int, middle: bool = False) -> Int[np.ndarray, " N"]:
    """Return the regimes of factor - 1 new rows between any two old ones, which alone tell theirs, and of these.

    Args:
        coarse: of the old rows.
        factor: new steps per old step.
        middle: whether one changes in the middle of a gap, where fewest rows are wrong; else it goes on to its end.
    """
    rows = np.arange((len(coarse) - 1) * factor + 1)
    return coarse[(rows + (factor - 1) // 2 * middle) // factor]


def rows_after(stretch: Stretch, regime: Int[np.ndarray, " H"]) -> Rows:
    """Return where the rows behind a stretch lie, given their regimes."""
    rows = len(stretch.values)
    new = stretch.position + rows + np.arange(len(regime), dtype=float)
    return Rows(new, regime, stretch.pace.places(np.concatenate([stretch.regime, regime]))[rows:])


def extend(
    prior: Prior,
    solver: Solver,
    history: Stretch,
    future: Float[np.ndarray, "H D"],
    rows: Rows,
    normals: Normals,
    mixture: Mixture,
    courses: Sequence[Int[np.ndarray, " H"]] = (),
) -> Paths:
    """Continue a series.

    Args:
        prior: season and marginals of series of the same step.
        solver: of the prior's process and `prior.frame()`.
        history: the series so far, from the start of its run, in channels.
        future: NaN, or values known in advance (set-points, conditions).
        rows: where the new rows lie.
        normals: the randomness, one row per path.
        mixture: how the prior's median and `OUTLOOKS` are weighed, and how much wider the paths are made where they are
            widest, see `widened`.
        courses: regimes of each path where they are not those of `rows`.
    """
    context, start = solver.frame.context, max(0, len(history.values) - solver.frame.context - REMEMBERED)
    tail = slice(max(0, len(history.values) - context) - start, len(history.values) - start)
    old = rows_of(history).since(start)
    to_normal, back = prior.marginals.seen, prior.marginals.from_normal
    mean, spread = _expected(prior, old.and_then(rows))  # in one go: a change of regime is felt later
    new = slice(tail.stop, None)
    before = np.full((context, solver.process.channels), np.nan)
    before[context - (tail.stop - tail.start) :] = to_normal((history.values[start:][tail] - mean[tail]) / spread[tail])
    known = np.concatenate([before, to_normal((future - mean[new]) / spread[new])])
    middle, paths = (part[..., context:, :] for part in solver.solve(known, normals, 1.0))
    off, reach = widened(paths - middle, mixture.band)
    bounds = _bounds(prior, before)
    paths, middle = back(np.clip(middle + off, *bounds)), np.clip(middle, *bounds)
    moved = rows.place - rows_after(history, rows.regime).place  # by what came before the history
    own = [_expected(prior, old.and_then(_moved(rows_after(history, course), moved))) for course in courses]
    means, spreads = (np.stack(part)[:, new] for part in zip(*(own or [(mean, spread)]), strict=True))
    best = back(middle) * spread[new] + mean[new]
    held = last_known((history.values[start:] - mean[: tail.stop]) / spread[: tail.stop]) * spread[new] + mean[new]
    last = np.repeat(last_known(history.values)[None], len(best), axis=0)
    guesses = np.stack([best, held, last, _a_season_ago(prior, history, len(best))])
    guesses = np.where(np.isnan(guesses) | ~np.isnan(future), best, guesses)
    mixed = mixture.of(guesses)
    return Paths(mixed, paths * spreads + means + (mixed - best), reach, guesses)


def _moved(rows: Rows, places: Float[np.ndarray, " N"]) -> Rows:
    """Rows that lie so many places further in their run."""
    return replace(rows, place=rows.place + places)


def _a_season_ago(prior: Prior, history: Stretch, rows: int) -> Float[np.ndarray, "H D"]:
    """The values one of the longest seasons earlier that lie in the history; NaN where there is none."""
    seasons = [round(period) for period in prior.season.periods if round(period) <= len(history.values)]
    if not seasons:
        return np.full((rows, history.values.shape[1]), np.nan)
    cycle = history.values[-max(seasons) :]
    return cycle[np.arange(rows) % len(cycle)]


def _expected(prior: Prior, rows: Rows) -> tuple[Float[np.ndarray, "N D"], Float[np.ndarray, "N D"]]:
    """Mean and spread at rows."""
    return prior.season.mean_and_spread(rows.positions, rows.regime, rows.place)


def widened(
    off: Float[np.ndarray, "P H D"], band: float | Float[np.ndarray, " D"]
) -> tuple[Float[np.ndarray, "P H D"], Float[np.ndarray, "H D"]]:
    """Make paths wider, or narrower, by a factor where they are widest and by less before; return their reach too.

    Wider ones get a slow movement on top, as large as where another of the paths ends: what a model does not know is
    where a series is going, and not how rough it is.

    Args:
        off: what paths are off their median.
        band: the factor, or that of each channel.
    """
    spread = np.sqrt(np.mean(off**2, axis=0))
    reach = spread / np.maximum(spread.max(axis=0), 1e-12)
    more = reach * (np.square(band) - 1)
    others = np.roll(off[:, -1], 1, axis=0) / np.maximum(spread[-1], 1e-12)  # [P D], about normal
    slow = np.sqrt(np.maximum(more, 0.0)) * spread
    return off * np.sqrt(1 + np.minimum(more, 0.0)) + slow * others[:, None], reach


def dense_frame(factor: int) -> Frame:
    """Return the windows that fill gaps of factor - 1 rows, one gap each."""
    return Frame(CONTEXT * factor, factor, AHEAD * factor + 1)


def stages(factor: int, channels: int) -> tuple[int, ...]:
    """Split a factor into the factors of consecutive passes, each small enough for one window."""
    room = max(2, DENSE_WIDTH // (channels * (CONTEXT + AHEAD + 1)))
    if factor <= room:
        return (factor,)
    for last in range(room, 1, -1):
        if factor % last == 0:
            return (*stages(factor // last, channels), last)
    return (factor,)


def densify(
    prior: Prior,
    process: Process,
    coarse: Float[np.ndarray, "K D"],
    factor: int,
    rows: Rows,
    normals: Normals | None,
    mixture: Mixture,
    sure: Bool[np.ndarray, " N"] | None = None,
    lined: Bool[np.ndarray, " D"] | None = None,
) -> Paths:
    """Fill factor - 1 new rows between any two old ones.

    Args:
        prior: season and marginals of the series.
        process: covariances on the fine grid.
        coarse: the old rows in channels, NaN where missing (they are filled too).
        factor: new steps per old step.
        rows: where all rows of the fine grid lie, (K - 1) * factor + 1 of them.
        normals: the randomness, one row per path; None for no paths.
        mixture: how the prior's median and plain interpolation are weighed.
        sure: rows of which the regime is known although it changes in their gap; None for none.
        lined: channels that are on a straight line over long gaps too; None for none.
    """
    mean, spread = _expected(prior, rows)
    to_normal, back = prior.marginals.seen, prior.marginals.from_normal
    known = np.full((len(rows.positions), process.channels), np.nan)
    scores = to_normal((coarse - mean[::factor]) / spread[::factor])
    drift = _drift(prior, rows, scores, factor)
    known[::factor] = scores - drift[::factor]
    step = factor
    for part in stages(factor, process.channels):  # a later stage goes on from the median of the one before
        step //= part
        solver = Solver(process.every(step), dense_frame(part))
        middle, paths = solver.solve(known[::step], normals, mixture.band)
        known[::step] = middle
    bounds = _bounds(prior, scores)
    middle, paths = np.clip(middle + drift, *bounds), np.clip(paths + drift, *bounds)
    best = back(middle) * spread + mean
    ways = [interpolate(coarse, factor, way) for way in WAYS]
    changed = rows.regime[1:] != rows.regime[:-1]
    switched = np.append(np.repeat(changed.reshape(-1, factor).any(axis=1), factor), False)[:, None]
    plain = ways[WAYS.index("linear")]
    bridged = _bridged(coarse, factor)
    guesses = np.stack([best, *(np.where(bridged & ~np.isnan(way), way, best) for way in ways)])
    mixed = mixture.of(guesses)
    mixed = np.where(switched, best, mixed)  # plain ways know nothing of regimes
    guessed = switched if sure is None else switched & ~sure[:, None]
    on_line = guessed & bridged if lined is None else (guessed & bridged) | (lined & ~bridged)
    mixed = np.where(on_line & ~np.isnan(plain), plain, mixed)
    return Paths(mixed, back(paths) * spread + mean + (mixed - best), np.ones_like(mixed), guesses)


def trial_gaps(coarse: Float[np.ndarray, "K D"]) -> Bool[np.ndarray, "K D"]:
    """Return known values to hide: gaps as long as each channel's own long ones, spread evenly over what it knows."""
    out = np.zeros(coarse.shape, dtype=bool)
    for channel, known in enumerate(~np.isnan(coarse.T)):
        at = np.flatnonzero(known)
        lengths = np.diff(at)[np.diff(at) > BRIDGED * np.median(np.diff(at))] - 1 if len(at) > 1 else np.empty(0, int)
        for number, start in enumerate(np.linspace(1, len(known) - 1, TRIALS).astype(int) if len(lengths) else ()):
            stop = start + int(lengths[number % len(lengths)])
            if stop < len(known) and known[start - 1 : stop + 1].all() and not out[start - 1 : stop + 1, channel].any():
                out[start:stop, channel] = True
    return out


def better_on_a_line(
    coarse: Float[np.ndarray, "K D"], guess: Float[np.ndarray, "K D"], hidden: Bool[np.ndarray, "K D"]
) -> Bool[np.ndarray, " D"]:
    """Return the channels of which a straight line tells hidden values clearly better than a guess does."""
    plain = interpolate(np.where(hidden, np.nan, coarse), 1, "linear")
    ours, theirs = (np.sum(np.where(hidden, x - coarse, 0.0) ** 2, axis=0) for x in (guess, plain))
    return (hidden.sum(axis=0) >= TRIED) & (theirs < LINED * ours)


def _bridged(coarse: Float[np.ndarray, "K D"], factor: int) -> Bool[np.ndarray, "N D"]:
    """Which rows lie between known values that are near enough for plain ways: over long gaps they know no season."""
    place = np.where(np.isnan(coarse), np.nan, np.arange(len(coarse))[:, None])
    usual = [np.median(np.diff(np.flatnonzero(known))) if known.sum() > 1 else 1.0 for known in ~np.isnan(coarse.T)]
    before, behind = np.fmax.accumulate(place), np.fmin.accumulate(place[::-1])[::-1]
    near = np.nan_to_num(behind[1:] - before[:-1], nan=np.inf) <= BRIDGED * np.array(usual)
    return np.concatenate([np.repeat(near, factor, axis=0), near[-1:]])


def _bounds(prior: Prior, scores: Float[np.ndarray, "N D"]) -> tuple[Float[np.ndarray, " D"], Float[np.ndarray, " D"]]:
    """Least and largest normal scores of what is made: a little beyond those of the fitted table and of given rows."""
    edges = np.repeat(prior.marginals.scores[[0, -1], None], scores.shape[1], axis=1)
    both = np.concatenate([scores, edges])
    return np.nanmin(both, axis=0) - BEYOND, np.nanmax(both, axis=0) + BEYOND


def _drift(prior: Prior, rows: Rows, scores: Float[np.ndarray, "K D"], factor: int) -> Float[np.ndarray, "N D"]:
    """Where a channel is, far past the fitted rows, beside the trend that goes on: what given rows say of it.

    Their line, drawn to none by as much of it as chance makes (positive part of James and Stein 1961); without it,
    values between given ones would be drawn to a trend that has ended.
    """
    out = np.zeros((len(rows.positions), scores.shape[1]))
    first, last = prior.season.span
    past = np.minimum(rows.positions - first, 0.0) + np.maximum(rows.positions - last, 0.0)
    for channel in np.flatnonzero(np.abs(prior.season.trend) * np.abs(past).max() > FAR):
        used = np.flatnonzero((past[::factor] != 0) & ~np.isnan(scores[:, channel]))
        if len(used) < FEWEST_PAST:
            continue
        own, design = scores[used, channel], np.column_stack([np.ones(len(past)), past / np.abs(past).max()])
        line = design @ np.linalg.lstsq(design[::factor][used], own, rcond=None)[0]
        found = line[::factor][used]
        rest = own - found
        memory = np.clip((rest[1:] @ rest[:-1]) / (rest @ rest + 1e-12), 0.0, MOST_MEMORY)
        chance = 2 * np.mean(rest**2) / len(used) * (1 + memory) / (1 - memory)
        share = max(0.0, 1 - chance / (np.mean(found**2) + 1e-12))
        out[:, channel] = np.where(past != 0, share * line, 0.0)
    return out
