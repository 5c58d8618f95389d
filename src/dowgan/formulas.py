"""Columns that others tell exactly: revenue is units times price, a yield is one flow over another, degrees Fahrenheit
are 1.8 times those of Celsius and 32 more.

What held in every row of the fitted table, within what rounding allows, is worked out again in what is made.

Shapes: N rows, C columns (the schema's channels), S sources of a formula.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from dowgan.courses import numbers, resolution
from dowgan.formula import EXACT, Formula
from dowgan.table.schema import Column

FEWEST = 50  # rows in which a column and its sources must be known
KNOWN = 0.5  # share of a column's rows, from which it may be part of one: a laboratory's few rows hide all others
DISTINCT = 10  # different rows for each column of a formula
ROWS_EACH = 20  # for each column that may be part of a weighted sum
LOOK = 2_000  # rows, spread evenly, on which formulas are tried first
SAMPLE = 64  # rows on which products are looked for
MOST_COLUMNS = 60  # among which products are looked for
MOST_SOURCES = 4  # of a weighted sum
FINE = 0.05  # of a column's spread, that rounding may amount to at most: coarser columns agree with anything
APART = 0.05  # of the spread of a column's logarithm, by which a product may be off where it is looked for
COPY = 1e-3  # of a factor: so near to 1 a column is another one and a constant, which needs no rounding
GUESSED = range(1, 5)  # those of a factor that coarse numbers tell about
MIXED = 500  # rows put together at random, on which forms of one rule are compared
FIGURES = range(1, 9)  # significant ones of a factor, the fewest that are true


def find_formulas(
    columns: Sequence[Column],
    values: Float[np.ndarray, "N C"],
    places: Sequence[int],
    but: Sequence[set[int]] = (),
) -> tuple[Formula, ...]:
    """Find columns that others tell exactly, sorted so that each comes after those that it is worked out from.

    Args:
        columns: the schema's channels.
        values: in the user's units, NaN missing.
        places: of the numbers that may be told; such as have few levels may tell them too.
        but: columns that other rules tie already.
    """
    known = np.mean(~np.isnan(values), axis=0) >= KNOWN
    places = [place for place in places if known[place]]
    among = sorted({*places, *(place for place in numbers(columns) if columns[place].levels and known[place])})
    found = [*_sums(columns, values, places, among), *_products(columns, values, places, among)]

    def order(rule: Formula) -> tuple[bool, bool, int, bool, float, int]:
        """What is chosen before what: rules as they are written, counts before their shares, and the finest form."""
        sources = [columns[place].kind for place in rule.sources]
        share = columns[rule.place].kind == "integer" and "float" in sources  # which the counts tell, and not it them
        return (
            rule.rough,
            rule.product and share,
            _left(rule, found, values),
            rule.ratio,
            _coarse(rule, values),
            -rule.place,
        )

    chosen: list[Formula] = []
    for rule in sorted(found, key=order):
        tied = [*but, *(other.members for other in chosen)]
        apart = rule.place not in {other.place for other in chosen} and not any(rule.members <= own for own in tied)
        if apart and not _reaches(rule, chosen):
            chosen.append(rule)
    return _in_order(chosen)


def _loose(rule: Formula, values: Float[np.ndarray, "N C"]) -> float:
    """How much rounding usually amounts to, in spreads of the column."""
    slack = rule.slack(values)
    return float(np.median(slack[np.isfinite(slack)]) / (np.nanstd(values[:, rule.place]) + 1e-300))


def _coarse(rule: Formula, values: Float[np.ndarray, "N C"]) -> float:
    """How much rounding usually amounts to: of a ratio in shares of the value, as its finest form tells the others."""
    if not rule.ratio:
        return _loose(rule, values)
    told = np.abs(rule.of(values))
    rows = np.isfinite(told) & (told > 0)
    return float(np.median(rule.slack(values)[rows] / told[rows])) if rows.any() else np.inf


def _left(rule: Formula, found: Sequence[Formula], values: Float[np.ndarray, "N C"]) -> int:
    """How many other forms of a rule are broken where this one is kept: a percentage is to be told by its counts, since
    counts that are told by a rounded percentage have another one."""
    others = [other for other in found if other.members == rule.members and other is not rule]
    rows = values[~np.isnan(values[:, sorted(rule.members)]).any(axis=1)]
    if not others or not len(rows):
        return 0
    rng, mixed = np.random.default_rng(0), rows[:MIXED].copy()
    for place in rule.sources:
        mixed[:, place] = rng.choice(rows[:, place], len(mixed))
    rule.keep(mixed, ~np.isin(np.arange(values.shape[1]), [rule.place]) & np.ones(mixed.shape, dtype=bool))
    return sum(bool(other.misses(mixed).any()) for other in others)


def _reaches(rule: Formula, others: Sequence[Formula]) -> bool:
    """Whether one of the sources is worked out from the column, however far behind."""
    behind = {other.place: other.sources for other in others}
    to_do = list(rule.sources)
    while to_do:
        place = to_do.pop()
        if place == rule.place:
            return True
        to_do.extend(behind.get(place, ()))
    return False


def _in_order(rules: Sequence[Formula]) -> tuple[Formula, ...]:
    left, out = list(rules), list[Formula]()
    while left:
        waits = {rule.place for rule in left}
        ready = [rule for rule in left if not waits & set(rule.sources)]
        out += ready
        left = [rule for rule in left if rule not in ready]
    return tuple(out)


def _holds(rule: Formula, values: Float[np.ndarray, "N C"]) -> Formula | None:
    """The formula if it holds in every row and is no trifle, by the strictest rounding that lets it."""
    told = rule.of(values)
    rows = values[np.isfinite(told) & ~np.isnan(values[:, rule.place])]
    members = rows[:LOOK, sorted(rule.members)]
    if len(rows) < FEWEST or len(np.unique(members, axis=0)) < DISTINCT * members.shape[1]:
        return None
    copy = len(rule.sources) == 1 and abs(rule.weights[0] - 1) < COPY
    for rough in (False,) if copy else (False, True):
        own = replace(rule, rough=rough)
        if _loose(own, rows) <= FINE and not own.misses(rows).any():
            return own
    return None


def _short(rule: Formula, values: Float[np.ndarray, "N C"]) -> Formula:
    """The formula with the fewest figures of its factors that hold as well."""
    for figures in FIGURES:
        weights = rule.weights if rule.product else tuple(float(f"{w:.{figures}g}") for w in rule.weights)
        constant = float(f"{rule.constant:.{figures}g}")
        if not rule.product:
            rest = values[:, rule.place] - replace(rule, weights=weights, constant=0.0).of(values)
            constant = float(f"{np.nanmedian(rest):.{figures + 2}g}")
            constant = 0.0 if abs(constant) < EXACT * np.nanmax(np.abs(values[:, rule.place])) else constant
        shorter = replace(rule, weights=weights, constant=constant)
        if not shorter.misses(values).any():
            return shorter
    return rule


def _sums(
    columns: Sequence[Column], values: Float[np.ndarray, "N C"], places: Sequence[int], among: Sequence[int]
) -> Iterator[Formula]:
    """Weighted sums."""
    rows = values[~np.isnan(values[:, among]).any(axis=1)]
    if len(among) < 2 or len(rows) < max(FEWEST, ROWS_EACH * (len(among) - 1)):
        return
    some = rows[:: max(1, len(rows) // LOOK)]
    for place in places:
        rule = _weighted(columns, some, place, [other for other in among if other != place])
        rule = None if rule is None else _without_trifles(columns, some, rule)
        while rule is not None and (fewer := _without_one(columns, some, rule)) is not None:
            rule = fewer
        if rule is not None and len(rule.sources) <= MOST_SOURCES:
            rule = _holds(_short(rule, rows), values)
            if rule is not None and _parts(rule, rows).min() > _loose(rule, rows) * rows[:, place].std():
                yield rule


def _weighted(
    columns: Sequence[Column], rows: Float[np.ndarray, "N C"], place: int, sources: Sequence[int]
) -> Formula | None:
    """The sum of these sources nearest to a column, if it is near enough."""
    x, y = rows[:, list(sources)], rows[:, place]
    middle, width = x.mean(axis=0), x.std(axis=0)
    if not np.all(width > 0) or y.std() == 0:
        return None
    weights = np.linalg.lstsq((x - middle) / width, y - y.mean(), rcond=None)[0] / width
    constant = float(y.mean() - middle @ weights)
    return _holds(_formula(columns, place, sources, weights.tolist(), constant, False), rows)


def _formula(
    columns: Sequence[Column],
    place: int,
    sources: Sequence[int],
    weights: Sequence[float],
    constant: float,
    product: bool,
) -> Formula:
    """A formula of columns, the loosest one as to rounding."""
    members = [columns[member] for member in (place, *sources)]
    digits, steps = tuple(map(resolution, members)), tuple(member.step for member in members)
    free = tuple(not member.levels for member in members[1:])
    return Formula(place, tuple(sources), tuple(weights), constant, product, digits, steps, free, True)


def _parts(rule: Formula, rows: Float[np.ndarray, "N C"]) -> Float[np.ndarray, " S"]:
    """How far each source moves a sum."""
    parts: np.ndarray = np.abs(rule.weights) * rows[:, list(rule.sources)].std(axis=0)
    return parts


def _without_trifles(columns: Sequence[Column], rows: Float[np.ndarray, "N C"], rule: Formula) -> Formula:
    """The sum without all sources at once that do next to nothing, if it is as true."""
    parts = _parts(rule, rows)
    most = [place for place, part in zip(rule.sources, parts, strict=True) if part > FINE * rows[:, rule.place].std()]
    return (_weighted(columns, rows, rule.place, most) if most else None) or rule


def _without_one(columns: Sequence[Column], rows: Float[np.ndarray, "N C"], rule: Formula) -> Formula | None:
    """The sum without the source that does least, if it is as true."""
    if len(rule.sources) == 1:
        return None
    for least in np.argsort(_parts(rule, rows)).tolist():
        rest = [place for number, place in enumerate(rule.sources) if number != least]
        found = _weighted(columns, rows, rule.place, rest)
        if found is not None:
            return found
    return None


def _products(
    columns: Sequence[Column], values: Float[np.ndarray, "N C"], places: Sequence[int], among: Sequence[int]
) -> Iterator[Formula]:
    """Products and ratios of two."""
    if not 3 <= len(among) <= MOST_COLUMNS:
        return
    known = values[~np.isnan(values[:, among]).any(axis=1)]
    if len(known) < FEWEST:
        return
    rows = known[:: max(1, len(known) // LOOK)]
    some = rows[np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).round().astype(int)][:, among]
    with np.errstate(divide="ignore"):
        logs = np.where(some == 0, np.nan, np.log(np.abs(some)))
    full = (~np.isnan(logs)).sum(axis=0) >= SAMPLE // 4
    for y, place in enumerate(among):
        own = logs[:, y]
        if not full[y] or place not in places:
            continue
        for power in (1.0, -1.0):
            off = own[:, None, None] - logs[:, :, None] - power * logs[:, None, :]
            near = _spread(off) <= APART * _spread(own)
            for a, b in np.argwhere(near).tolist():
                if len({y, a, b}) == 3 and full[a] and full[b] and (power < 0 or a < b):
                    rule = _product(columns, rows, values, place, (among[a], among[b]), power)
                    if rule is not None:
                        yield rule


def _spread(values: Float[np.ndarray, "N *K"]) -> Float[np.ndarray, "*K"]:
    """The spread of known values, infinite where none is known: two columns may never be above zero together."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    off = values - np.where(known, values, 0.0).sum(axis=0) / count
    return np.where(known.any(axis=0), np.sqrt((np.where(known, off, 0.0) ** 2).sum(axis=0) / count), np.inf)


def _product(
    columns: Sequence[Column],
    rows: Float[np.ndarray, "N C"],
    values: Float[np.ndarray, "M C"],
    place: int,
    sources: tuple[int, int],
    power: float,
) -> Formula | None:
    rule = _formula(columns, place, sources, (1.0, power), 1.0, True)
    told = rule.of(rows)
    usable = np.isfinite(told)
    factor = float(rows[usable, place] @ told[usable] / (told[usable] @ told[usable] + 1e-300))
    near = dict.fromkeys([*(float(f"{factor:.{figures}g}") for figures in GUESSED), factor])  # rounding moves it
    for constant in near if factor else ():
        found = _holds(replace(rule, constant=constant), rows)
        if found is not None:
            return _holds(_short(found, rows), values)
    return None
