"""Regimes that follow one another by chance."""

import numpy as np
import pytest

from dowgan.spells import find_spells, spells_of

EVERY = np.ones(3, dtype=bool)


def recipe(rounds: int) -> np.ndarray:
    """Three steps of 40, 60 and 20 rows, begun and ended within one."""
    return np.concatenate([np.full((40, 60, 20)[k % 3], k % 3) for k in range(3 * rounds)])[13:-7]


def test_steps_that_never_differ_go_on_as_they_did() -> None:
    found = find_spells([spells_of(recipe(20))], EVERY, few=True)
    for seed in range(20):
        drawn = spells_of(found.draw(400, 0, np.random.default_rng(seed), now=(1, 45)))
        assert drawn[0].tolist() == [1, 15]
        assert drawn[1:4].tolist() == [[2, 20], [0, 40], [1, 60]]
    done = found.draw(10, 0, np.random.default_rng(0), now=(1, 60))
    assert (done == 2).all()


def test_what_never_followed_may_where_others_did_by_chance() -> None:
    rng = np.random.default_rng(0)
    course = np.concatenate([np.full(10, level) for level in (0, 1, 2, 1, 2, 0, 1, 2, 0, 1)])  # 0 is never before 2
    found = find_spells([spells_of(course)], EVERY, few=True)
    after = [int(found.draw(30, 0, rng, now=(0, 10))[0]) for _ in range(400)]
    assert set(after) == {1, 2}
    assert 0.02 < np.mean(np.array(after) == 2) < 0.5
    assert found.chance[0, 1] > found.chance[1, 0]


def test_lengths_lie_about_those_of_the_table() -> None:
    rng = np.random.default_rng(1)
    lengths = np.exp(np.log(30) + 0.5 * rng.standard_normal(12)).astype(int)
    course = np.concatenate([np.full(rows, k % 2) for k, rows in enumerate(lengths)])
    found = find_spells([spells_of(course)], EVERY, few=True)
    drawn = spells_of(found.draw(60_000, 0, rng))[1:-1, 1]
    assert len(np.unique(drawn)) > 3 * len(lengths)  # not those of the table alone
    assert np.median(drawn) == pytest.approx(np.median(lengths[1:-1]), rel=0.35)
    assert drawn.max() < 3 * lengths.max()


def test_a_spell_that_the_table_ends_in_has_lasted_for_at_least_what_is_seen() -> None:
    """Half of the units of a fleet are still running, for longer than any that has failed."""
    runs = [np.array([[0, rows], [1, 5]]) for rows in (20, 30)] + [np.array([[0, 90]]), np.array([[0, 120]])]
    found = find_spells(runs, EVERY, few=False)
    drawn = np.array([found.stays[0].draw(0, np.random.default_rng(seed)) for seed in range(400)])
    assert np.mean(drawn > 60) == pytest.approx(0.5, abs=0.1)


def test_the_last_phase_of_batches_is_not_left() -> None:
    runs = [np.array([[0, 10], [1, 20 + k], [2, 5 + k]]) for k in range(10)]
    found = find_spells(runs, EVERY, few=False)
    assert (found.draw(200, 0, np.random.default_rng(0), now=(2, 3)) == 2).all()


@pytest.mark.parametrize("lasted", [1, 40, 1_000])
def test_one_goes_on_in_what_is_allowed(lasted: int) -> None:
    allowed = np.array([True, False, True])
    found = find_spells([spells_of(recipe(5))], allowed, few=True)
    course = found.draw(500, 0, np.random.default_rng(2), now=(0, lasted))
    assert set(course) == {0, 2}


def test_of_a_few_spells_the_future_is_as_sure_as_it_turns_out() -> None:
    """Levels that change by chance every 50 rows, 16 spells: chances are squared off against what came (Brier 1950).

    Always the shares of the levels score 0.74; only what followed in the table, as often as it did, 0.78.
    """
    scores = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        levels = np.cumsum(rng.integers(1, 3, size=40)) % 3
        lengths = 1 + rng.geometric(1 / 50, size=40)
        course = np.repeat(levels, lengths)
        end = int(lengths[:16].sum()) + int(rng.integers(lengths[16]))
        past = spells_of(course[:end])
        found = find_spells([past], EVERY, few=True)
        now = (int(past[-1, 0]), int(past[-1, 1]))
        drawn = np.stack([found.draw(100, end, rng, now) for _ in range(60)])
        chances = np.eye(3)[drawn].mean(axis=0)
        scores.append(float(((chances - np.eye(3)[course[end : end + 100]]) ** 2).sum(axis=1).mean()))
    assert np.mean(scores) < 0.73


def test_of_one_whole_spell_little_is_known() -> None:
    found = find_spells([np.array([[0, 300], [1, 287], [0, 500]])], EVERY, few=True)
    drawn = [found.stays[1].draw(0, np.random.default_rng(seed)) for seed in range(50)]
    assert len(set(drawn)) > 20
    assert np.median(drawn) == pytest.approx(287, rel=0.3)


def test_a_long_course_of_many_spells_is_drawn_at_once() -> None:
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 41, size=20_000)
    found = find_spells([np.stack([np.arange(20_000) % 2, lengths], axis=1)], EVERY, few=True)
    assert len(found.stays[0].length) <= 40  # equal lengths are one
    assert len(found.draw(400_000, 0, rng)) == 400_000
