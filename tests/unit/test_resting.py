"""What rests between two given rows."""

import numpy as np

from dowgan.resting import find_resting

FACTOR = 4


def filled(given: np.ndarray) -> np.ndarray:
    fine = np.full(((len(given) - 1) * FACTOR + 1, 1), 99.0)
    fine[::FACTOR, 0] = given
    for rest in find_resting([given[:, None]]):
        must = rest.between(given, FACTOR, 0, 1).ravel()[: len(fine)]
        np.copyto(fine[:, 0], must, where=~np.isnan(must))
    return fine[:, 0]


def test_a_set_point_changes_at_once() -> None:
    given = np.repeat([80.0, 83.0, 78.5], 20)
    fine = filled(given)
    assert set(fine) == {80.0, 83.0, 78.5}
    assert fine[19 * FACTOR : 20 * FACTOR + 1].tolist() == [80, 80, 80, 83, 83]
    assert np.count_nonzero(np.diff(fine)) == 2


def test_zeros_stay_zero_and_nothing_else_is_touched() -> None:
    day = np.concatenate([np.zeros(12), 5 + np.arange(12) % 7 + np.random.default_rng(0).random(12)])
    given = np.tile(day, 5)
    fine = filled(given)
    assert (fine[: 11 * FACTOR + 1] == 0).all()
    assert (fine[11 * FACTOR + 1 : 12 * FACTOR] == 99).all()
    assert (fine[12 * FACTOR + 1 : 13 * FACTOR] == 99).all()


def test_noise_and_missing_values_are_left_alone() -> None:
    rng = np.random.default_rng(0)
    assert find_resting([rng.standard_normal((200, 1))]) == []
    given = np.repeat([1.0, 2.0], 30)
    given[[29, 30]] = np.nan
    assert (filled(given)[28 * FACTOR + 1 : 31 * FACTOR] != 1).all()


def test_a_set_point_that_is_driven_up_by_and_by_lies_on_its_ramp() -> None:
    given = np.concatenate(
        [np.full(60, 18.0), 18 + np.arange(1, 11) * 0.4, np.full(60, 22.0), 22 - np.arange(1, 9) * 0.4]
    )
    given = np.concatenate([given, np.full(60, given[-1])])
    fine = filled(given)
    line = np.interp(np.arange(len(fine)), np.arange(0, len(fine), FACTOR), given)
    np.testing.assert_allclose(fine, line, atol=1e-9)
    jump = np.concatenate([given, np.full(40, 25.0)])
    assert set(filled(jump)[-41 * FACTOR :]) == {given[-1], 25.0}, "a single change is still a jump"
