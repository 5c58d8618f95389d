"""Continue the runs of a user's table past their ends, by a fitted model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dowgan.conditions import going_on, named_conditions
from dowgan.encoding import levelled
from dowgan.errors import OptionError
from dowgan.known import ends_of, last_known
from dowgan.levels import Level
from dowgan.model import Model
from dowgan.plan import succession
from dowgan.rng import CHUNK, Streams
from dowgan.sampling import path_normals
from dowgan.solver import Solver
from dowgan.spells import lasting
from dowgan.steering import Stretches, steers, stretches
from dowgan.stretch import Stretch
from dowgan.table import Run, Table
from dowgan.trajectories import Part
from dowgan.verbs import Rows, extend, rows_after


@dataclass(frozen=True)
class History:
    """A run to be continued.

    Attributes:
        run: as the table has it.
        rises: the same with what rows add in place of totals.
        stretch: that in channels.
        level: what was taken off them.
        place: rows of the run before its first one here.
    """

    run: Run
    rises: Run
    stretch: Stretch
    level: Level
    place: int


@dataclass(frozen=True)
class Ahead:
    """What is known of the rows to come.

    Attributes:
        where: conditions that are held.
        given: values [H C], NaN where nothing is given.
    """

    where: Mapping[str, str]
    given: np.ndarray


class Extender:
    """Continues tables like the one that a model was fitted on, or that one itself.

    Args:
        model: fitted.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    @cached_property
    def _solver(self) -> Solver:
        return Solver(self.model.path.process, self.model.path.frame())

    @cached_property
    def _stretches(self) -> Stretches:
        return stretches(self.model)

    def histories(self, table: Table | None) -> list[History]:
        """The runs of a table, or of the fitted one as far as the model keeps them.

        Raises:
            OptionError: the fitted table had so many runs that the model keeps none.
        """
        if table is None:
            return self._tails()
        shift = self.model.shift(table)
        return [self._history(run, run.offset + shift, 0) for run in table.runs]

    def _tails(self) -> list[History]:
        """What the model kept of the runs of the fitted table."""
        model, clock = self.model, self.model.table_schema.clock
        out = []
        for past in model.past:
            if not len(past.tail):
                raise OptionError("The model keeps no ends of so many runs; give the table: dowgan extend MODEL DATA")
            begin = past.rows - len(past.tail)
            start = clock.at(clock.decode(past.start), np.array([begin]))[0]
            run = Run(past.key, start, past.offset + begin, past.tail)
            out.append(self._history(run, run.offset, begin))
        return out

    def _history(self, run: Run, position: int, place: int) -> History:
        """A run that is not at its end: of what pace it is is not known."""
        rises = self.model.totals.rises(run)
        stretch, level = levelled(
            self.model.channels,
            rises,
            self.model.channels.under_way(),
            0.0 if self.model.channels.stages else float(place),
        )
        return History(run, rises, replace(stretch, position=position), level, place)

    def paths(
        self, history: History, ahead: Ahead, count: int, streams: Streams, number: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Median [H C] and paths [P H C] of a run in the user's units.

        Args:
            history: the run so far.
            ahead: what is known of the rows to come.
            count: of paths.
            streams: randomness.
            number: of the run.
        """
        model, stretch, run = self.model, history.stretch, history.rises
        ahead = self._on_schedule(history, ahead)
        regime = self._coming(stretch, ahead)
        rng = streams.numpy(f"states/{number}")
        likes = model.channels.trajectories.like(self._others(history), stretch.regime, run.values, count, rng)
        courses = self._courses(history, regime, ahead, count, rng)
        aims = self._aims(history, len(regime), count, streams, number)
        decoded = self._decoded(history, ahead, regime, courses, likes, aims, streams, number)
        if courses and steers(model):
            rng, level, now = streams.numpy(f"steered/{number}"), self._level(history), lasting(stretch.regime)
            both = zip(courses, decoded[1:], strict=True)
            besides = [self._stretches.beside(model.stocks[0], course, values) for course, values in both]
            courses = [self._stretches.steer(len(regime), level, rng, now, beside) for beside in besides]
            decoded = self._decoded(history, ahead, regime, courses, likes, aims, streams, number)
        if model.holds:
            chances = [streams.numpy(f"holds/{number}", path) for path in range(count)]
            chance = np.stack([own.random((len(model.holds), len(regime) + 1)) for own in chances])
            moving = [path.copy() for path in decoded] if model.channels.curves else decoded
            self._stand(decoded, history, chance)
            every = zip(decoded, moving, [regime, *(courses or [regime] * count)], strict=True)
            for path, before, course in every:
                path[:] = model.channels.followed(path, before, course)
                model.channels.regimes.keep_off(path, course)
        chances = [streams.numpy(f"stocks/{number}", path) for path in range(count if model.stocks else 0)]
        median, paths = self._settled(decoded, history, ahead, chances)
        rules, several = model.relations.unbroken(run.values), courses or likes or model.channels.driven.ramps
        return (rules.keep(self._middle_of(paths), ahead.given) if several else median), paths

    def _decoded(
        self,
        history: History,
        ahead: Ahead,
        regime: np.ndarray,
        courses: Sequence[np.ndarray],
        likes: Sequence[Part],
        aims: Sequence[np.ndarray],
        streams: Streams,
        number: int,
    ) -> list[np.ndarray]:
        """The middle and the paths in the user's units, as they are drawn."""
        model, stretch = self.model, history.stretch
        rows = self._rows(history, regime)
        added = model.totals.added(ahead.given)
        count, driven = len(aims) - 1, bool(model.channels.driven.ramps)
        told = [self._told(history, regime, added, likes[0] if likes else None, aims[0])]
        if courses or likes or driven:
            whose: Sequence[Part | None] = likes or [None] * count
            all_three = zip(courses or [regime] * count, whose, aims[1:], strict=True)
            told += [self._told(history, course, added, like, own) for course, like, own in all_three]
        future = history.level.off(model.channels.encode(added, told[0]), rows.place)
        self._hold_conditions(future, stretch)
        middle, *drawn = self._drawn(stretch, future, rows, count, streams, number, courses)
        decoded = [model.channels.decode(history.level.on(middle, rows.place), regime, told[0])]
        for path, course, own in zip(drawn, courses or [regime] * count, told[1:] or told * count, strict=True):
            place = self._rows(history, course).place
            decoded.append(model.channels.decode(history.level.on(path, place), course, own))
        now, last = int(stretch.regime[-1]), last_known(history.rises.values)
        limits = self._limits(history, len(regime))
        for values, course in zip(decoded, [regime, *(courses or [regime] * count)], strict=True):
            model.channels.put_fixed(values, model.own_of(history.rises.values))
            stays = int(np.argmin(np.append(course == now, False)))
            model.channels.regimes.as_given(values[:stays], course[:stays], last, now)
            np.clip(values, *limits, out=values)
            if model.polish is not None:
                model.polish.put_on_numbers(values)
        return decoded

    def _rows(self, history: History, regime: np.ndarray) -> Rows:
        """Where the rows to come lie: stages tell places by themselves, else the rows before the history count."""
        rows = rows_after(history.stretch, regime)
        return rows if self.model.channels.stages else replace(rows, place=rows.place + history.place)

    def _limits(self, history: History, rows: int) -> np.ndarray:
        """Limits [2 C] once the range of all known rows beyond these, more for more rows than the table has: the tail
        of a shower, or of a leak, goes on to any height."""
        model, seen = self.model, history.rises.values
        low, high = ends_of(np.concatenate([model.range, np.where(np.isnan(seen), model.range[0], seen)]))
        far = max(1.0, rows / sum(past.rows for past in model.past)) * (high - low)
        return np.stack([low - far, high + far])

    def _level(self, history: History) -> float:
        """The first stock, before the flows of the row to come."""
        stock, last = self.model.stocks[0], last_known(history.rises.values)
        return float(last[stock.column] + (stock.net(last[None])[0] if stock.lag else 0.0))

    def _told(
        self, history: History, regime: np.ndarray, added: np.ndarray, like: Part | None, aims: np.ndarray
    ) -> np.ndarray:
        """What regimes tell [H C] of the rows to come, of which some values are given: set-points go on from where they
        are, as those of a run went on that is like this one, or to where they are driven."""
        channels, run = self.model.channels, history.rises
        known = np.concatenate([run.values[-1:], added])
        if like is not None:
            columns = list(channels.trajectories.columns)
            own = channels.trajectories.going_on(like, history.stretch.regime, regime, known[0, columns])
            known[1:, columns] = np.where(np.isnan(added[:, columns]), own, added[:, columns])
        driven = channels.driven
        known[:, driven.columns] = driven.along(np.concatenate([aims[:1], aims]), known)
        return channels.setpoints.told(np.append(history.stretch.regime[-1], regime), known)[1:]

    def _aims(self, history: History, rows: int, count: int, streams: Streams, number: int) -> list[np.ndarray]:
        """The settings [H K] that driven columns go to: in the middle those of now, as conditions do on all paths."""
        driven, schema, so_far = self.model.channels.driven, self.model.table_schema, history.rises.values
        if not driven.ramps:
            return [np.empty((rows, 0))] * (count + 1)
        now = np.tile([ramp.aims(so_far[:, ramp.place])[-1] for ramp in driven.ramps], (rows, 1))
        held = [schema.channels[ramp.place].role == "condition" for ramp in driven.ramps]
        position, rng = history.stretch.position + len(so_far), streams.numpy(f"driven/{number}")
        return [now, *(np.where(held, now, driven.draw(rows, position, rng, so_far)) for _ in range(count))]

    def _others(self, history: History) -> list[Part]:
        """The table's runs that went on from where one is, if they have trajectories."""
        with_some = self.model.past if self.model.channels.trajectories.columns else ()
        longer = [past for past in with_some if past.rows > history.place + len(history.run.values)]
        return [Part(past.key, past.course, history.place) for past in longer if past.key != history.run.key]

    def _courses(
        self, history: History, regime: np.ndarray, ahead: Ahead, count: int, rng: np.random.Generator
    ) -> list[np.ndarray]:
        """Regimes of each path where they are states that were found; none where they are known or given."""
        regimes, stretch = self.model.channels.regimes, history.stretch
        others = [place for place in regimes.telling if place not in (*regimes.scheduled, *regimes.named)]
        if not regimes.found or not others or not np.isnan(ahead.given[:, others]).all():
            return []
        model, every = self.model, regimes.of_kind(int(regime[0]))
        at, rows = stretch.position + len(stretch.values), len(regime)
        if steers(model):
            level, now = self._level(history), lasting(stretch.regime)
            return [self._stretches.steer(rows, level, rng, now) for _ in range(count)]
        follow = succession(model, every)
        drawn = [follow.goes_on(stretch.regime, rows, at, rng) for _ in range(count)]
        known_ahead = regimes.scheduled or regimes.named
        return [regimes.with_given(course, ahead.given) for course in drawn] if known_ahead else drawn

    def _middle_of(self, paths: np.ndarray) -> np.ndarray:
        """The median [H C] of paths; of states and labels the most frequent, of directions about their mean."""
        out = np.median(paths, axis=0)
        for code in (code for code in self.model.channels.codes if code.turn):
            out[:, code.place] = code.quantiles(paths[:, :, code.place], (0.5,))[0]
        for place, column in enumerate(self.model.table_schema.channels):
            if place in self.model.channels.regimes.conditions or column.labelled:
                levels = np.unique(paths[:, :, place])
                out[:, place] = levels[(paths[:, :, place, None] == levels).sum(axis=0).argmax(axis=1)]
        return out

    def _on_schedule(self, history: History, ahead: Ahead) -> Ahead:
        """What is known of the rows to come, with what the clock tells of them."""
        model, run = self.model, history.run
        if not model.channels.regimes.scheduled:
            return ahead
        told = model.scheduled(model.table_schema.clock.at(run.start, len(run.values) + np.arange(len(ahead.given))))
        return replace(ahead, given=np.where(np.isnan(told), ahead.given, told))

    def _coming(self, stretch: Stretch, ahead: Ahead) -> np.ndarray:
        """The regimes of the rows to come."""
        model, schema = self.model, self.model.table_schema
        regime = np.full(len(ahead.given), stretch.regime[-1])
        if any(name in ahead.where for name in named_conditions(model, schema)):
            regime = np.full(len(regime), going_on(model, schema, dict(ahead.where), int(regime[0])))
        return model.channels.regimes.with_given(regime, ahead.given)

    def _hold_conditions(self, future: np.ndarray, stretch: Stretch) -> None:
        """Let conditions that are numbers go on as they were, in place, where nothing of them is given."""
        channels = self.model.channels
        held = [
            channels.first_channel(i)
            for i, column in enumerate(self.model.table_schema.channels)
            if column.role == "condition" and i not in channels.regimes.conditions
        ]
        for channel in (h for h in held if h is not None):
            last = stretch.values[~np.isnan(stretch.values[:, channel]), channel]
            if len(last) and np.isnan(future[:, channel]).all():
                future[:, channel] = last[-1]

    def _drawn(
        self,
        stretch: Stretch,
        future: np.ndarray,
        rows: Rows,
        count: int,
        streams: Streams,
        number: int,
        courses: Sequence[np.ndarray],
    ) -> list[np.ndarray]:
        """The middle and the paths, in channels."""
        model, chunks, mixture = self.model, [], self.model.calibration.outlook
        for chunk in range(-(-count // CHUNK)):
            normals = path_normals(streams, f"extend/{number}", chunk)
            own = list(courses[chunk * CHUNK : (chunk + 1) * CHUNK])
            own += own[-1:] * (CHUNK - len(own))  # chunks are always whole
            out = extend(model.path, self._solver, stretch, future, rows, normals, mixture, own)
            chunks.append(out.paths)
        return [out.middle, *np.concatenate(chunks)[:count]]

    def _stand(self, decoded: list[np.ndarray], history: History, chance: np.ndarray) -> None:
        """Bring the middle and the paths onto their courses, in place, from the table's last rows on.

        Args:
            chance: [P K H+1], of each path and course.
        """
        came, position = history.rises.values, history.stretch.position + len(history.stretch.values)
        known, sampled = ~np.isnan(came).all(axis=0), last_known(came)
        for place, course in enumerate(self.model.holds):
            columns, last = list(course.columns), came[-2:]
            if course.to_the_beat and known[columns].all():  # the last sample stands on
                last = np.stack([sampled, sampled])
            if not course.by_clock and (len(last) < 2 or np.isnan(last[:, columns]).any()):
                continue
            if not course.by_chance:
                for path in decoded:
                    course.go_on(path, last, position)
                continue
            paths = np.stack([np.concatenate([last[1:], path]) for path in decoded[1:]])
            course.apply(paths, chance[:, place], np.full(len(paths), position - 1))
            for path, values in zip(decoded, [np.median(paths, axis=0), *paths], strict=True):
                path[:, columns] = values[1:, columns]

    def _settled(
        self, decoded: list[np.ndarray], history: History, ahead: Ahead, chances: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Middle and paths with the rules, stocks, totals and the given values put in.

        Args:
            chances: of each path.
        """
        model, rules = self.model, self.model.relations.unbroken(history.rises.values)
        before = last_known(history.run.values)
        given = [model.channels.regimes.with_rests(ahead.given, path) for path in decoded]
        ruled = [rules.keep(path, known) for path, known in zip(decoded, given, strict=True)]
        first = last_known(history.rises.values)[None]
        known = np.concatenate([np.full_like(first, np.nan), ahead.given])
        for stock in model.stocks:
            noises = [np.zeros(len(known)), *(own.standard_normal(len(known)) for own in chances)]
            for path, noise in zip(ruled, noises, strict=True):
                longer = np.concatenate([first, path])
                stock.put(longer, known, noise, rules)
                path[:] = longer[1:]
        position = history.stretch.position + len(history.stretch.values)
        kept = [model.totals.summed(path, before, position) for path in ruled]
        totals = model.totals.unbroken(history.run.values)
        for path in kept:
            np.copyto(path, ahead.given, where=~np.isnan(ahead.given))
            totals.add_up(path, ~np.isnan(ahead.given))
        middle, *values = kept
        return middle, np.stack(values)
