"""A shift beside a set-point: the clock tells the one, chance the other."""

from functools import cache

import numpy as np
import pytest

from dowgan.apart import Apart, find_apart
from dowgan.spells import spells_of

DAY, WEEKS = 96, 4
ROWS = WEEKS * 7 * DAY
CYCLES = (DAY, 7 * DAY)
LONG = 70  # rows of a setting


def on_shift(position, rows):
    at = position + np.arange(rows)
    return (at // DAY % 7 < 5) & (at % DAY >= 24) & (at % DAY < 88)


def levels_and_course(*columns):
    levels, course = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    return levels.astype(float), course.reshape(-1)


@cache
def setpoint(length=LONG):
    rng = np.random.default_rng(3)
    return np.repeat(rng.integers(3, size=ROWS // length + 1), length)[:ROWS]


@cache
def beside_a_setpoint():
    return levels_and_course(on_shift(0, ROWS), setpoint())


@cache
def product_while_it_runs():
    on, rng = on_shift(0, ROWS), np.random.default_rng(4)
    runs = np.repeat(rng.permuted(np.arange(200) % 3), rng.integers(15, 60, 200))[: on.sum()]
    product = np.full(ROWS, 3)
    product[on] = runs
    return levels_and_course(product)


@cache
def set_as_shifts_begin():
    on, rng = on_shift(0, ROWS), np.random.default_rng(5)
    begun = np.diff(on.astype(int), prepend=0) > 0
    return levels_and_course(on, rng.integers(3, size=begun.sum() + 1)[np.cumsum(begun)])


def found(kind) -> Apart:
    levels, course = kind()
    apart = find_apart([(0, course)], levels, CYCLES)
    assert apart is not None
    return apart


def drawn(kind, rows=5 * 7 * DAY, position=1_000, seed=0):
    levels, course = kind()
    follow = found(kind).by_chance([course], np.ones(len(levels), dtype=bool))
    return levels[follow.draw(rows, position, np.random.default_rng(seed))]


@pytest.mark.parametrize("seed", range(3))
def test_hours_are_right_and_the_set_point_goes_its_own_way(seed):
    shift, set_to = drawn(beside_a_setpoint, seed=seed).T
    assert (shift == on_shift(1_000, len(shift))).all()
    lengths = spells_of(set_to.astype(int))[1:-1, 1]
    assert np.isin(lengths % LONG, 0).all()
    assert set(set_to) == {0.0, 1.0, 2.0}


def test_a_product_changes_while_the_line_runs_and_is_none_while_it_stands():
    product = drawn(product_while_it_runs)[:, 0]
    on = on_shift(1_000, len(product))
    assert ((product != 3) == on).all()
    real = levels_of(product_while_it_runs)
    assert np.mean(np.diff(product[on]) != 0) == pytest.approx(np.mean(np.diff(real[real != 3]) != 0), rel=0.4)


def levels_of(kind):
    levels, course = kind()
    return levels[course][:, -1]


def test_what_is_set_as_a_shift_begins_changes_then_alone():
    shift, set_to = drawn(set_as_shifts_begin).T
    begins = np.diff(shift, prepend=0.0) > 0
    changes = np.diff(set_to, prepend=set_to[0]) != 0
    assert changes.sum() >= 5
    assert begins[changes].all()


def test_it_goes_on_from_where_a_table_ends():
    levels, course = beside_a_setpoint()
    follow, end = found(beside_a_setpoint).by_chance([course], np.ones(len(levels), dtype=bool)), ROWS - 7 * DAY + 40
    so_far = course[:end]
    for seed in range(20):
        ahead = levels[follow.goes_on(so_far, DAY, end, np.random.default_rng(seed))]
        left = -end % LONG
        assert (ahead[:, 0] == on_shift(end, DAY)).all()
        assert (ahead[:left, 1] == levels[so_far[-1], 1]).all()


def test_what_else_goes_by_the_clock_is_told_by_it_too():
    """A setting that is changed each night and at noon, whatever shift there is."""
    levels, course = levels_and_course(on_shift(0, ROWS), setpoint(DAY // 2))
    apart = find_apart([(0, course)], levels, CYCLES)
    assert apart.by_chance([course], np.ones(len(levels), dtype=bool)) is None
    rows, position = 5 * 7 * DAY, 1_000
    shift, set_to = levels[apart.timetable([course]).draw(rows, position, np.random.default_rng(0))].T
    assert (shift == on_shift(position, rows)).mean() > 0.999
    changes = np.flatnonzero(np.diff(set_to) != 0) + 1
    assert len(changes) >= 20
    assert np.mean((changes + position) % (DAY // 2) == 0) > 0.75  # by chance .02


def test_only_what_may_be_is_drawn():
    levels, course = beside_a_setpoint()
    apart, allowed = found(beside_a_setpoint), levels[:, 1] == 2
    own = levels[apart.by_chance([course], allowed).draw(2 * DAY, 0, np.random.default_rng(0))]
    assert (own[:, 1] == 2).all()
    assert (own[:, 0] == on_shift(0, 2 * DAY)).all()
    assert apart.by_chance([course], levels[:, 0] == 1) is None  # the clock cannot tell a shift that always is


@pytest.mark.parametrize("kind", [beside_a_setpoint, product_while_it_runs, set_as_shifts_begin])
def test_the_clock_fills_gaps_with_the_states_it_tells(kind):
    levels, course = kind()
    table = found(kind).timetable([course])
    np.testing.assert_allclose(table.chance.sum(axis=2), 1.0, atol=1e-9)
    np.testing.assert_allclose(table.share.sum(axis=1), 1.0, atol=1e-9)
    known = np.ones(ROWS, dtype=bool)
    known[3 * DAY + 8 : 4 * DAY + 9] = False
    filled = table.filled(np.where(known, course, 0), known, 0)
    idle = levels[:, 0] == 3 if len(levels[0]) == 1 else levels[:, 0] == 0
    assert (idle[filled] == idle[course]).all()


def test_what_goes_by_the_states_of_the_clock_is_not_taken_from_them():
    """A pump that seldom starts at night."""
    rng, on, pump = np.random.default_rng(6), on_shift(0, ROWS), [0]
    for there in on[1:]:
        starts = 0.2 if there else 0.01
        pump.append(int(rng.random() < (starts if pump[-1] == 0 else 0.8)))
    levels, course = levels_and_course(on, np.array(pump))
    assert find_apart([(0, course)], levels, CYCLES) is None


def test_states_that_the_clock_tells_together_or_not_at_all_stay_together():
    levels, course = levels_and_course(setpoint())
    assert find_apart([(0, course)], levels, CYCLES) is None
    levels, course = levels_and_course(on_shift(0, ROWS), np.arange(ROWS) % DAY < 48)
    assert find_apart([(0, course)], levels, CYCLES) is None
