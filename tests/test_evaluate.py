"""The verdict names damage that was planted, and has nothing against real rows."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter

from dowgan.baselines import block_bootstrap
from dowgan.evaluate import Ahead, Dense, generation_verdict, judge_densify, judge_extend, paired_verdict
from dowgan.evaluate.blocks import halves
from dowgan.evaluate.contest import ahead, contest, stretches
from dowgan.evaluate.copying import nearest_by_chance
from dowgan.evaluate.direction import asymmetry
from dowgan.evaluate.findings import find_traits
from dowgan.evaluate.generation import _told, find, judge_faults, judge_generation
from dowgan.evaluate.sides import Finding
from dowgan.evaluate.told import untold
from dowgan.evaluate.traits import joined, normal_places
from dowgan.evaluate.values import _never
from dowgan.evaluate.verdict import mark

ROWS, STEPS = 640, 12
NAMES = ["flow", "level", "heat", "valve", "feed"]


def plant(seed: int, rows: int = ROWS) -> np.ndarray:
    """Five tied tags with memory; jumps rise fast and fall slowly, so time has a direction; two decimals."""
    rng = np.random.default_rng(seed)
    kick = rng.exponential(1.0, rows) * (rng.random(rows) < 0.15)
    x = np.zeros((rows, 5))
    for t in range(1, rows):
        x[t, 0] = 0.85 * x[t - 1, 0] + kick[t] + 0.05 * rng.standard_normal()
        x[t, 1:] = 0.6 * x[t - 1, 1:] + 0.4 * x[t, 0] * np.array([1.0, 0.8, -0.7, 0.5])
        x[t, 1:] += 0.12 * rng.standard_normal(4)
    return np.round(x * np.array([5.0, 2.0, 9.0, 1.0, 4.0]) + np.array([50.0, 10.0, 90.0, 30.0, 20.0]), 2)


REAL, HELD = plant(1), plant(2)


def rng() -> np.random.Generator:
    """The same draws in whichever order tests run."""
    return np.random.default_rng(0)


def late(x: np.ndarray) -> np.ndarray:
    out = x.copy()
    out[5:, 2] = x[:-5, 2]
    return out


def swap(x: np.ndarray) -> np.ndarray:
    return x[:, [1, 0, 2, 3, 4]]


def joined_blocks(x: np.ndarray) -> np.ndarray:
    starts = rng().permutation(np.arange(0, len(x) - STEPS + 1, STEPS))
    return np.concatenate([x[i : i + STEPS] for i in starts])


DAMAGE: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str | tuple[str, ...], str | None]] = {
    "mirrored": (lambda x: x[::-1], "direction", None),
    "shuffled": (lambda x: rng().permutation(x), ("memory 3", "memory 8"), None),
    "late": (late, "late", "heat"),
    "narrow": (lambda x: np.round(x.mean(0) + 0.8 * (x - x.mean(0)), 2), "spread", None),
    "clipped": (lambda x: np.clip(x, None, np.quantile(x, 0.97, axis=0)), "pile", None),
    "regime": (lambda x: x[x[:, 0] < np.quantile(REAL[:, 0], 0.75)], "regime", "flow"),
    "swapped": (swap, "swapped", "flow"),
    "copied": (lambda x: REAL, "memorisation", None),
    "seams": (joined_blocks, "seams", None),
    "noise": (lambda x: np.round(x + 0.3 * x.std(0) * rng().standard_normal(x.shape), 2), ("calm", "quiet"), None),
    "unrounded": (lambda x: x + 1e-3 * rng().standard_normal(x.shape), "rounding", "level"),
    "blocks": (lambda x: block_bootstrap([x], len(x), 5, rng()), ("memory 3", "memory 8"), None),
}


def verdict(fake: np.ndarray) -> list[tuple[str, str | None]]:
    """Measure and tag of all that is not good."""
    scores = {"metrics": {}} | judge_faults([REAL], [fake], NAMES, None, STEPS)
    return [(j.measure, j.tag) for j in generation_verdict(scores) if j.mark != "good"]


@pytest.mark.parametrize("name", DAMAGE)
def test_names_planted_damage(name: str) -> None:
    damage, kind, tag = DAMAGE[name]
    kinds = (kind,) if isinstance(kind, str) else kind
    said = verdict(np.ascontiguousarray(damage(HELD)))
    assert any((k, tag) in said for k in kinds), said


@pytest.mark.parametrize("seed", range(10, 14))
def test_has_nothing_against_real_rows(seed: int) -> None:
    assert verdict(plant(seed)) == []


def test_decimals_that_unseen_rows_alone_have_are_the_users_own() -> None:
    """A population counted in thousands until 1990, and in persons since."""
    early, finer = np.round(REAL, 1), plant(11)
    said = [[f["kind"] for f in find([early], [finer], NAMES, unseen=rows)] for rows in ([], [HELD])]
    assert [kinds.count("rounding") for kinds in said] == [5, 0]


def test_a_stretch_copied_from_anywhere_is_found() -> None:
    assert verdict(REAL[301:421]) == [("memorisation", None)]


@pytest.mark.parametrize("rows", [2 * STEPS, 60])
def test_of_few_rows_it_is_said_that_they_are_too_few(rows: int) -> None:
    said = generation_verdict({"metrics": {}} | judge_faults([REAL], [HELD[:rows]], NAMES, None, STEPS))
    assert [(j.measure, j.mark) for j in said] == [("rows", "look"), ("memorisation", "look" if rows < 60 else "good")]


def test_few_windows_that_lie_near_are_no_copies() -> None:
    near = REAL[300:330] + 1e-3
    said = judge_faults([REAL], [near], NAMES, None, STEPS)["memorisation"]
    assert (said["sure"], said["mark"], said["side_by_side"][0]) == (False, "look", 2)
    assert judge_faults([REAL], [REAL[300:330]], NAMES, None, STEPS)["memorisation"]["mark"] == "bad"


def test_nearest_by_chance_is_the_number_of_choices() -> None:
    """Two of two generated ones nearest among two and three: one of the ten choices of two."""
    assert nearest_by_chance(1.0, 2, 3) == pytest.approx(1 / 10)
    assert nearest_by_chance(0.5, 4, 4) == pytest.approx(6 / 28)


def test_a_state_that_flickers_is_named() -> None:
    lasting, flickering = (np.repeat(np.arange(ROWS // n) % 2, n)[:, None] * 1.0 for n in (16, 2))
    found = find([lasting], [flickering], ["valve"])
    assert [(f["kind"], f["tag"]) for f in found] == [("stays", "valve")]
    assert found[0]["text"].endswith("times as often as in real rows.")
    rng = np.random.default_rng(0)
    real, other = (np.cumsum(rng.random((ROWS, 1)) < 0.05, axis=0) % 2 * 1.0 for _ in range(2))
    assert find([real], [other], ["valve"]) == []


def test_a_state_that_a_few_long_stays_hold_may_be_missing_by_chance() -> None:
    """Three stays of a fifth of the blocks in all say less than as many blocks apart."""
    together = np.repeat([0, 1, 0, 1, 0, 1, 0], [3, 2, 3, 2, 2, 2, 2])[:, None].astype(float)
    apart = np.array([0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0], float)[:, None]
    assert together.sum() == apart.sum()
    assert _never(together, 14) > 5 * _never(apart, 14)
    assert _never(apart, 14) == pytest.approx((1 - 6 / 17) ** 14)


def test_blocks_of_a_longer_table_are_spread_over_it() -> None:
    long, short = (np.arange(n, dtype=float)[:, None] for n in (900, 96))
    for split in halves([long], [short], STEPS):
        assert len(np.concatenate(split.reference)) == len(np.concatenate(split.real)) == 48
    assert max(x.max() for s in halves([long], [short], STEPS) for x in s.real) == 899


def test_a_late_tag_is_told_with_its_steps_and_does_not_blame_the_others() -> None:
    found = [f for f in find([REAL], [late(HELD)], NAMES) if f["kind"] == "late"]
    assert [f["text"] for f in found] == ["heat: it comes 5 steps later than in real rows against the other tags."]


def test_a_reversible_table_is_not_said_to_run_backwards() -> None:
    """Four tables without a direction; each would be told so with probability .02 at most."""
    told = 0
    for seed in range(4):
        x = np.random.default_rng(seed).standard_normal((400, 3)).cumsum(0)
        x = x - np.array([np.convolve(c, np.ones(20) / 20, "same") for c in x.T]).T
        told += any(f.kind == "direction" for f in find_traits([x[:200]], [x[200:]]))
    assert told <= 1


def test_a_tag_known_in_each_eighth_row_is_not_counted_as_steps_of_the_other_side() -> None:
    """A slow tag that generation fills has small steps; real rows show none of them."""
    rng = np.random.default_rng(0)
    slow = np.convolve(rng.standard_normal(1619), np.ones(20) / 20, "valid")
    x = np.stack([rng.standard_normal(1600), rng.standard_normal(1600), slow], 1)
    seldom = np.where((np.arange(1600) % 8 == 0)[:, None] | [True, True, False], x, np.nan)
    assert not [f for f in find_traits([seldom[:800]], [x[800:]]) if f.tag is None]


def test_a_dozen_samples_are_no_states() -> None:
    rng = np.random.default_rng(3)
    real, held = plant(4), plant(5, 240)
    for x in (real, held):
        x[:, 4] = np.where(np.arange(len(x)) % 30 == 6, np.round(rng.normal(600, 40, len(x))), np.nan)
    real[:, 3], held[:, 3] = real[:, 3] > 30, held[:, 3] > 30
    fake = np.where(np.isnan(real), 0.0, real)  # in what is made a sample stands
    fake[:, 4] = np.repeat(real[6::30, 4], 30)[: len(fake)]
    scores = judge_generation([held], [fake], NAMES, train=[real], window=STEPS)["metrics"]
    assert list(scores["states"]["tags"]) == list(scores["dwell"]["tags"]) == ["valve"]


def test_a_score_that_real_rows_do_not_have_either_is_not_held_against_anyone() -> None:
    assert mark(np.inf, np.inf, "lower", 0.0)[0] == "good"
    assert mark(np.inf, 1.0, "lower", 0.0)[0] == "bad"


def test_what_is_certain_but_slight_is_worth_a_look_only() -> None:
    """A spread 6 % too small in one long, clean table is beyond doubt, and of little weight."""
    rng = np.random.default_rng(0)
    real, fake = rng.standard_normal((2, 20_000, 2))
    fake[:, 0] *= 0.94
    found = [f for f in find([real], [fake], ["a", "b"]) if f["kind"] == "spread"]
    assert [(f["tag"], f["mark"]) for f in found if f["tag"]] == [("a", "look")]
    assert found[0]["p"] < 1e-4


def test_a_score_far_beyond_the_floor_is_told_though_no_test_is_certain() -> None:
    """A page that says good in one place and bad in another says nothing."""
    scores = judge_generation([REAL], [HELD], NAMES, window=STEPS)
    assert {j.mark for j in generation_verdict(scores)} == {"good"}
    lost = HELD.copy()
    lost[:, 2] = np.roll(lost[:, 2], 320)
    off = judge_generation([REAL], [lost], NAMES, window=STEPS)["metrics"]["crosscorrelation"]
    assert off["mark"] == "bad"
    assert off["tags"]["heat"]["ratio"] > 3
    scores["metrics"]["crosscorrelation"] = off  # beside findings that know of nothing, as of a few samples
    said = generation_verdict(scores)
    assert [(j.tag, j.mark) for j in said if j.measure == "crosscorrelation"] == [(None, "look"), ("heat", "look")]
    assert f"{off['value']:.3g}, {off['floor_worst']:.3g}" in said[0].text


def test_too_few_rows_for_blocks_are_no_error() -> None:
    assert find([REAL[:30]], [HELD[:30]], NAMES) == []


def test_asymmetry_turns_its_sign_with_time() -> None:
    forward, backward = (asymmetry(x, 1, 8).views() for x in (REAL, REAL[::-1]))
    for view in ("all", "own", "mean"):
        np.testing.assert_allclose(backward[view], -forward[view], atol=1e-8)


def test_a_lost_week_is_named() -> None:
    rng = np.random.default_rng(9)
    week = np.tile([0, 0, 1, 1, 2, 4, 3], 120)
    real, other = (week + rng.normal(0, 0.7, (2, 840)))[..., None]
    lost = rng.permuted(other.reshape(-1, 7, 1), axis=1).reshape(-1, 1)
    assert find([real], [other], ["sold"], (7,)) == []
    assert any(f["kind"] == "rhythm 7" for f in find([real], [lost], ["sold"], (7,)))


def pump_and_temperature(hours: np.ndarray, seed: int) -> np.ndarray:
    """By the hour of the day: a pump that runs from six to six but for a row now and then, and a daily course."""
    rng = np.random.default_rng(seed)
    on = (hours % 24 >= 6) & (hours % 24 < 18)
    on ^= rng.random(len(hours)) < 0.01
    flow = np.where(on, 10 + rng.normal(0, 1, len(hours)), 0.0)
    return np.column_stack([flow, np.sin(2 * np.pi * hours / 24) + rng.normal(0, 0.3, len(hours))])


def test_what_comes_at_wrong_hours_is_named_wherever_a_table_begins() -> None:
    hours, names = np.arange(20 * 24), ["flow", "temperature"]
    real, later = pump_and_temperature(hours, 1), pump_and_temperature(hours + 5, 2)
    assert find([real], [later], names, (24,), begun=([0], [5])) == []
    found = {f["kind"]: f for f in find([real], [later], names, (24,), begun=([0], [0]))}
    assert found["hours"]["tag"] == "flow"
    assert found["hours"]["fake"] > 0.3 > 0.05 > found["hours"]["real"]
    assert found["clock"]["tag"] == "temperature"
    assert {f["mark"] for f in found.values()} == {"bad"}


def test_gaps_do_not_loosen_ties() -> None:
    gaps = np.random.default_rng(11).random(HELD.shape) < 0.4
    for sides in ((np.where(gaps, np.nan, REAL), HELD), (REAL, np.where(gaps, np.nan, HELD))):
        assert [f for f in find([sides[0]], [sides[1]], NAMES) if f["kind"] == "ties"] == []


def test_a_natural_end_that_is_reached_more_often_is_no_clipping() -> None:
    rng = np.random.default_rng(10)
    many, few = rng.poisson(2.5, (400, 1)).astype(float), rng.poisson(1.7, (400, 1)).astype(float)
    many[:20] += 20  # more than a few levels
    few[:20] += np.arange(20)[:, None] + 5
    assert not any(f["kind"] == "pile" for f in find([many], [few], ["count"]))
    assert any(f["kind"] == "pile" for f in find([many], [np.maximum(few, 1)], ["count"]))


def test_normal_places_are_ranks_whatever_the_scale() -> None:
    np.testing.assert_allclose(normal_places(REAL, HELD), normal_places(np.exp(REAL / 50), np.exp(HELD / 50)))


def test_joined_series_share_no_step() -> None:
    both = joined([REAL[:10], HELD[:10]])
    assert np.isnan(np.diff(both, axis=0)).all(axis=1).sum() > 1
    assert len(both[~np.isnan(both[:, 0])]) == 20


def test_paired_verdict_tells_a_good_guess_from_a_bad_one() -> None:
    truth, names = HELD[:121], NAMES
    paths = truth + truth.std(0) * 0.05 * np.random.default_rng(0).standard_normal((50, *truth.shape))
    near, far = (Dense(truth, middle, paths, 4) for middle in (truth + 1e-3, truth.mean(0) + 0 * truth))
    marks = [paired_verdict("densify", judge_densify([case], names))[0].mark for case in (near, far)]
    assert marks == ["good", "bad"]


def test_equal_methods_are_no_different_and_pooled_r2_is_not_in_the_verdict() -> None:
    rng = np.random.default_rng(5)
    history, truth = HELD[:400], HELD[400:460]
    paths = [truth + truth.std(0) * rng.standard_normal((30, *truth.shape)) for _ in range(2)]
    scores = judge_extend([Ahead(history, truth, paths[0][0], paths[0])], NAMES, None)
    scores["naive"]["last_value"] |= {"crps": scores["model"]["crps"] + 0.001}
    scores["against"]["crps"]["last_value"] = {"difference": -0.001, "error": 0.01, "p": 0.92}
    said = paired_verdict("extend", scores)[0]
    assert said.mark == "look"
    assert "no clear difference from the best plain method (last value)" in said.text
    assert "a difference of -0.001 with a standard error of 0.01; R² " in said.text
    assert "pooled" not in said.text
    assert scores["r2_of_levels"] == pytest.approx(0.99, abs=0.01)  # tags in other units: any guess looks good pooled


def test_the_difference_that_is_tested_is_that_of_the_scores() -> None:
    rng = np.random.default_rng(3)
    origins = (300, 330, 400)
    guess = [HELD[o : o + 29] + HELD.std(0) * rng.standard_normal((29, 5)) for o in origins]
    paths = [g + HELD.std(0) * rng.standard_normal((20, 29, 5)) for g in guess]
    cases = [Ahead(HELD[:o], HELD[o : o + 29], g, p) for o, g, p in zip(origins, guess, paths, strict=True)]
    scores = judge_extend(cases, NAMES, 24.0)
    for measure, ways in scores["against"].items():
        for way, found in ways.items():
            between = scores["model"][measure] - scores["naive"][way][measure]
            assert found["difference"] == pytest.approx(between, abs=1e-9)


@pytest.mark.parametrize(
    ("covered", "error", "mark", "said"),
    [
        (0.88, 0.0, "good", "88.0 % of the true values: as they should."),
        (0.75, 0.06, "look", "75.0 % of the true values: too narrow, unless by chance, as rows are few."),
        (0.98, 0.01, "look", "98.0 % of the true values: too wide."),
        (0.60, 0.01, "bad", "60.0 % of the true values: too narrow."),
    ],
)
def test_bands_are_as_they_should_only_near_nine_in_ten(covered: float, error: float, mark: str, said: str) -> None:
    truth = HELD[:121]
    scores = judge_densify([Dense(truth, truth, np.stack([truth, truth + 1]), 4)], NAMES)
    found = paired_verdict("densify", scores | {"coverage_90": covered, "coverage_error": error})[1]
    assert (found.mark, found.text) == (mark, f"The 90 % bands hold {said}")


def test_the_difference_that_decides_is_that_of_the_errors_that_are_printed() -> None:
    """A laboratory's value is known in few rows, one in none."""
    rng = np.random.default_rng(3)
    truth = rng.standard_normal((121, 3)).cumsum(axis=0)
    truth[rng.random(121) < 0.9, 1] = np.nan
    truth[:, 2] = np.nan
    middle = truth + rng.normal(0, 0.5, truth.shape)
    scores = judge_densify([Dense(truth, middle, np.empty((0, *truth.shape)), 4)], ("a", "lab", "none"))
    for way, found in scores["against"]["mse"].items():
        assert found["difference"] == pytest.approx(scores["model"]["mse"] - scores["naive"][way]["mse"])
    assert scores["tags"]["none"]["against"]["linear"]["p"] is None


def test_a_direction_is_scored_the_short_way() -> None:
    truth = np.where(np.arange(41) % 2, 355.0, 5.0)[:, None]
    near = np.where(np.arange(41) % 2, 5.0, 355.0)[:, None]
    cases = [Dense(truth, near, near[None], 4, turns) for turns in ((360.0,), (0.0,))]
    errors = [judge_densify([case], ("wind",))["tags"]["wind"]["model"]["mae"] for case in cases]
    assert errors == [10, 350]


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_equal_methods_are_told_apart_about_as_often_as_said(memory: float) -> None:
    """400 pairs of equal methods on 3 origins of 52 steps: 2 % are to be told apart, with long memory up to 10 %."""
    rng = np.random.default_rng(0)
    case = np.repeat([0, 1, 2], 52)
    told = 0
    for _ in range(400):
        kicks = rng.standard_normal((3, 152))
        errors = lfilter([1.0], [1.0, -memory], kicks)[:, 100:].ravel()
        each = np.array([errors[rows].mean() for rows in stretches(case)])[:, None]
        told += ahead(contest(each, np.zeros_like(each))) != ""
    assert told <= 400 * 0.02 + 5 * np.sqrt(400 * 0.02) if memory == 0 else told <= 40 + 5 * np.sqrt(36)


def test_a_steady_gain_is_found_and_an_equal_error_is_none() -> None:
    theirs = np.random.default_rng(0).uniform(0.8, 1.2, (16, 3))
    assert ahead(contest(0.9 * theirs, theirs)) == "ours"
    assert ahead(contest(1.1 * theirs, theirs)) == "theirs"
    assert contest(theirs, theirs) == {"difference": 0.0, "error": 0.0, "p": 1.0}
    assert contest(theirs[:3], theirs[:3])["p"] is None


def test_stretches_lie_in_one_case_and_hold_every_row_once() -> None:
    case = np.array([0] * 9 + [1] * 40 + [2] * 3)
    parts = stretches(case)
    assert all(len(set(case[rows])) == 1 for rows in parts)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(case)))


def test_extend_is_judged_beside_the_last_value() -> None:
    history, truth = HELD[:400], HELD[400:420]
    paths = truth + 0.1 * np.random.default_rng(0).standard_normal((50, *truth.shape))
    scores = judge_extend([Ahead(history, truth, truth, paths)], NAMES, None)
    assert set(scores["naive"]) == {"last_value"}
    assert scores["model"]["r2_pooled"] == pytest.approx(1.0)
    assert scores["naive"]["last_value"]["mae"] > scores["model"]["mae"] == 0


def test_a_state_that_changes_a_little_more_often_is_no_more_than_worth_a_look() -> None:
    marks = [_told(Finding("stays", 0, 1e-9, 0.2, fake), ["open"]) for fake in (0.214, 0.3)]
    assert [m["mark"] for m in marks] == ["look", "bad"]
    assert marks[0]["text"] == "open: its state changes 1.07 times as often as in real rows."


def test_a_tag_that_strays_from_where_others_put_it_is_named_also_off_a_straight_line() -> None:
    """A power of other hours, and labels that have changed places, keep all that each tag shows by itself."""
    rng, rows = np.random.default_rng(5), 1_600

    def made(seed: int) -> np.ndarray:
        chance = np.random.default_rng(seed)
        wind = 8 + 2 * lfilter([0.3], [1.0, -0.95], chance.normal(0, 1, rows))
        mode = np.repeat(chance.integers(0, 3, rows // 40), 40).astype(float)
        power = np.clip(wind - 5, 0, 6) ** 2 + chance.normal(0, 0.3, rows)
        speed = np.array([30.0, 10.0, 20.0])[mode.astype(int)] + chance.normal(0, 0.5, rows)
        return np.column_stack([wind, power, mode, speed])

    real, other = made(1), made(2)
    assert untold([real], [other]) == []
    hours = rng.permutation(rows // 100)
    moved = other.copy()
    moved[:, 1] = np.concatenate([other[h * 100 : h * 100 + 100, 1] for h in hours])
    assert {f.tag for f in untold([real], [moved])} >= {1}
    relabelled = other.copy()
    relabelled[:, 2] = (other[:, 2] + 1) % 3
    assert {f.tag for f in untold([real], [relabelled])} == {2, 3}
    words = [f["text"] for f in find([real], [moved], ["wind", "power", "mode", "speed"])]
    assert any(text.startswith("power: it strays") for text in words)


def test_a_tag_is_told_also_where_half_of_the_table_was_calm() -> None:
    """What trees have not seen is no ground to say that others do not tell it."""
    chance = np.random.default_rng(3)
    strong = np.arange(2_000) // 100 % 5 > 2
    wind = chance.uniform(3, 9, 2_000) + 10 * (strong & (np.arange(2_000) >= 1_000))
    power = np.clip(wind - 3, 0, 10) ** 3 + chance.normal(0, 5, 2_000)
    loose = power + 15 * lfilter([0.3], [1.0, -0.95], chance.normal(0, 1, 2_000))
    real = np.column_stack([wind, power])
    assert untold([real], [real[::-1]]) == []
    assert {f.tag for f in untold([real], [np.column_stack([wind, loose])])} >= {1}
