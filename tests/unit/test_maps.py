"""Monotone maps, scales and transports: round trips, order, and what they carry to what."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from dowgan.channels import fit_channels
from dowgan.codes import even_scale
from dowgan.coordinates import even_scores
from dowgan.errors import DataError
from dowgan.lengths import fit_lengths
from dowgan.marginals import fit_marginals
from dowgan.polish import Sample, fit_polish
from dowgan.relations import Relations
from dowgan.table import Column, Run, read
from dowgan.transport import SHRINK, Slice, directions, distance, fit_transport, gaussian_map, levels, sound_trust
from dowgan.windows import window_steps

SAMPLES = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "lognormal": lambda rng, n: np.exp(rng.standard_normal(n)),
    "ties": lambda rng, n: np.round(rng.standard_normal(n)),
    "two values": lambda rng, n: rng.integers(0, 2, n).astype(float),
    "constant": lambda rng, n: np.full(n, 3.0),
    "uniform": lambda rng, n: rng.random(n),
}


@pytest.mark.parametrize("name", list(SAMPLES))
@pytest.mark.parametrize("rows", [6, 80, 3_000])
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_marginals_are_monotone_and_come_back(name: str, rows: int, weight: float) -> None:
    values = SAMPLES[name](np.random.default_rng(0), rows)[:, None]
    marginals = fit_marginals(values, weight)
    assert (np.diff(marginals.quantiles, axis=0) > 0).all()
    if name == "constant" and weight == 1:
        return  # there is nothing to come back to
    grid = np.linspace(values.min() - 2, values.max() + 2, 400)[:, None]
    scores = marginals.to_normal(grid)
    assert (np.diff(scores[:, 0]) > 0).all(), "order is kept, also beyond the data"
    assert np.abs(marginals.from_normal(scores) - grid).max() < 1e-6
    normal = np.linspace(-5, 5, 101)[:, None]
    assert np.abs(marginals.to_normal(marginals.from_normal(normal)) - normal).max() < 1e-4


def test_marginals_make_normal() -> None:
    values = np.exp(np.random.default_rng(1).standard_normal((4_000, 1)))
    scores = fit_marginals(values).to_normal(values)[:, 0]
    assert abs(scores.mean()) < 5 / np.sqrt(4_000)
    assert abs(scores.var() - 1) < 5 * np.sqrt(2 / 4_000)
    assert np.abs(np.quantile(scores, [0.01, 0.1, 0.9, 0.99]) - norm.ppf([0.01, 0.1, 0.9, 0.99])).max() < 0.05


def test_marginals_pass_missing_values_through() -> None:
    values = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan], *[[3.0, np.nan]] * 9])
    marginals = fit_marginals(values)
    scores = marginals.to_normal(values)
    assert np.array_equal(np.isnan(scores), np.isnan(values))


# channels


def test_columns_come_back_from_channels() -> None:
    import pandas as pd

    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        {
            "plain": rng.standard_normal(200),
            "count": rng.poisson(np.exp(rng.standard_normal(200))),
            "skewed": np.exp(2 * rng.standard_normal(200)),
            "flag": rng.random(200) < 0.3,
            "phase": rng.choice(["heat", "hold", "cool"], 200),
            "pair": rng.choice(["on", "off"], 200),
            "grade": np.repeat(["A", "B"], 100),
        }
    )
    table = read(frame, conditions=("grade",))
    channels = fit_channels(table.schema, table.runs)
    values = table.runs[0].values
    encoded = channels.encode(values)
    assert encoded.shape == (200, channels.width)
    assert channels.width == 5 + 3 - 0, "one channel a column, three for a category of three, none for a condition"
    back = channels.decode(encoded, channels.regimes.of(values))
    names = [column.name for column in table.schema.channels]
    for name in ("plain", "count", "skewed"):
        assert np.allclose(back[:, names.index(name)], values[:, names.index(name)])
    for name in ("flag", "phase", "pair", "grade"):
        assert np.array_equal(np.rint(back[:, names.index(name)]), values[:, names.index(name)]), name
    powers = {names[code.place]: code.power for code in channels.codes}
    assert powers["plain"] == "identity"
    assert powers["count"] == "sqrt"
    assert powers["skewed"] == "log"


def test_regimes_are_the_combinations_that_occur() -> None:
    import pandas as pd

    frame = pd.DataFrame(
        {"x": np.arange(40.0) % 7, "grade": ["A"] * 20 + ["B"] * 20, "line": (["1st"] * 10 + ["2nd"] * 10) * 2}
    )
    frame.loc[30:, "line"] = "1st"
    table = read(frame, conditions=("grade", "line"))
    channels = fit_channels(table.schema, table.runs)
    assert channels.regimes.levels.tolist() == [[0, 0], [0, 1], [1, 0]]
    assert channels.regimes.of(table.runs[0].values).tolist() == [0] * 10 + [1] * 10 + [2] * 20


# transport


COLOUR = np.eye(4).reshape(2, 2, 4)  # two steps of two channels, each a coordinate of its own


def banana(rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, 4))
    x[:, 1] += 0.8 * (x[:, 0] ** 2 - 1)
    return x


def test_the_linear_map_carries_mean_and_covariance() -> None:
    rng = np.random.default_rng(3)
    drawn, real = (rng.standard_normal((5_000, 3)) @ rng.standard_normal((3, 3)) + rng.standard_normal(3) for _ in "ab")
    mean, mix, centre = gaussian_map(drawn, real, trust=1.0)
    moved = (drawn - mean) @ mix + centre
    assert np.allclose(moved.mean(axis=0), real.mean(axis=0))
    own, wanted = (np.cov(x, rowvar=False) for x in (drawn, real))
    shrunk = [(1 - SHRINK) * c + SHRINK * np.eye(3) for c in (own, wanted)]
    assert np.allclose(mix.T @ shrunk[0] @ mix, shrunk[1])
    assert np.allclose(mix, mix.T), "the optimal map between two Gaussians is symmetric"


def test_a_slice_keeps_order_along_its_directions() -> None:
    rotation = np.linalg.qr(np.random.default_rng(4).standard_normal((2, 2)))[0]
    own = np.tile(np.linspace(-2, 2, 9)[:, None], 2)
    part = Slice(rotation, np.empty((0, 3), dtype=int), own, own**3)
    along = np.linspace(-4, 4, 50)
    for column in range(2):
        points = np.zeros((50, 3))
        points[:, :2] = np.outer(along, rotation[:, column])
        part.apply(points, None)
        assert (np.diff(points[:, :2] @ rotation[:, column]) > 0).all()
        assert np.array_equal(points[:, 2], np.zeros(50))


def test_a_transport_carries_the_draw_to_the_data() -> None:
    rng = np.random.default_rng(5)
    drawn, real, fresh = rng.standard_normal((6_000, 4)), banana(4_000, 6), banana(4_000, 7)
    held = np.arange(4_000) % 5 == 0
    transport = fit_transport(
        drawn.copy(), real, np.ones(len(real), dtype=bool), held, COLOUR, np.random.default_rng(0)
    )
    moved = transport.apply(np.random.default_rng(8).standard_normal((6_000, 4)), transport.bases(COLOUR))
    before = distance(drawn, fresh, np.random.default_rng(1))
    after = distance(moved, fresh, np.random.default_rng(1))
    floor = distance(real, fresh, np.random.default_rng(1))
    assert len(transport.slices) > 0
    assert after < 0.5 * before
    assert after < 3 * floor
    assert np.allclose(np.cov(moved, rowvar=False), np.cov(real, rowvar=False), rtol=0.15, atol=0.15)


def test_picked_values_are_carried_to_the_data() -> None:
    """A slice of values moves each of them, through any mixture of coordinates."""
    rng = np.random.default_rng(12)
    colour = np.linalg.qr(rng.standard_normal((4, 4)))[0].reshape(2, 2, 4)
    picks = np.array([[0, 1, 0], [1, 0, 0]])
    x = rng.standard_normal((3_000, 4))
    basis = directions(picks, colour)
    assert np.allclose(basis.T @ basis, np.eye(2))
    own = np.quantile(x @ basis, levels(3_000, 21), axis=0)
    moved = x.copy()
    Slice(np.empty((0, 0)), picks, own, own + 2).apply(moved, basis)
    assert np.allclose(moved @ basis, x @ basis + 2)
    rest = np.linalg.qr(np.concatenate([basis, rng.standard_normal((4, 2))], axis=1))[0][:, 2:]
    assert np.allclose(moved @ rest, x @ rest), "nothing else moves"


def test_real_covariances_are_trusted_as_far_as_they_hold() -> None:
    rng = np.random.default_rng(13)
    drawn, wide = rng.standard_normal((4_000, 30)), np.exp(rng.standard_normal(30))
    many = rng.standard_normal((4_000, 30)) * wide
    assert sound_trust(drawn, many, rng.standard_normal((2_000, 30)) * wide) == 1
    few = rng.standard_normal((20, 30))
    assert sound_trust(drawn, few, rng.standard_normal((2_000, 30))) == 0


def test_a_row_is_carried_alone_as_in_company() -> None:
    drawn, real = np.random.default_rng(9).standard_normal((2_000, 4)), banana(1_000, 9)
    transport = fit_transport(
        drawn, real, np.ones(1_000, dtype=bool), np.arange(1_000) % 4 == 0, COLOUR, np.random.default_rng(0)
    )
    points = np.random.default_rng(1).standard_normal((10, 4))
    kept = points.copy()
    together = transport.apply(points, transport.bases(COLOUR))
    assert np.array_equal(points, kept), "the argument is not changed"
    assert np.allclose(together[3], transport.apply(points[3:4], transport.bases(COLOUR))[0])


def test_quantile_levels_are_even_in_normal_scores() -> None:
    scores = norm.ppf(levels(1_000, 21))
    assert np.allclose(np.diff(scores), scores[1] - scores[0])
    assert levels(1_000, 21)[0] == pytest.approx(0.5 / 1_000)


# polish


def test_polish_gives_every_column_its_quantiles_and_its_resolution() -> None:
    rng = np.random.default_rng(10)
    steps = np.array([0.0, 0.4, 0.9, 1.5, 2.2])
    real = np.stack([np.exp(rng.standard_normal(2_000)), steps[rng.integers(0, 5, 2_000)]], axis=1)
    drawn = rng.standard_normal((3_000, 2)) * 0.5 + 1
    columns = [Column(name, "value", "float", "float64") for name in ("smooth", "coarse")]
    polish = fit_polish(columns, Relations(), _in_one(drawn), _in_one(real))
    out = polish.apply(drawn, np.zeros(3_000, dtype=int))
    grid = np.linspace(0.02, 0.98, 49)
    assert np.allclose(np.quantile(out[:, 0], grid), np.quantile(real[:, 0], grid), rtol=0.05)
    assert set(out[:, 1]) <= set(steps)
    assert np.abs([np.mean(out[:, 1] == s) - 0.2 for s in steps]).max() < 0.03
    order = np.argsort(drawn[:, 0])
    assert (np.diff(out[order, 0]) >= 0).all()


def test_polish_sends_no_small_value_below_zero_for_the_sake_of_a_few_large_ones() -> None:
    rng = np.random.default_rng(3)
    real, drawn = np.exp(rng.standard_normal((400, 1))), np.exp(rng.standard_normal((4_000, 1)))
    real[:5] += 30.0  # a burst, which makes the table's spread; a draw is no further from it than its own halves
    out = fit_polish([Column("x", "value", "float", "float64")], Relations(), _in_one(drawn), _in_one(real))
    carried = out.apply(drawn, np.zeros(4_000, dtype=int))
    assert real.std() > 1.5 * drawn.std()
    assert carried.min() > 0
    assert abs(np.median(carried) / np.median(real) - 1) < 0.1
    assert abs(carried.std() / real.std() - 1) < 0.1


def test_polish_leaves_conditions_and_very_short_tables_alone() -> None:
    rng = np.random.default_rng(11)
    real, drawn = rng.standard_normal((300, 1)), rng.standard_normal((300, 1)) * 9
    for column, rows in (
        (Column("x", "condition", "float", "float64"), 300),
        (Column("x", "value", "float", "f8"), 20),
    ):
        polish = fit_polish([column], Relations(), _in_one(drawn), _in_one(real[:rows]))
        assert np.array_equal(polish.apply(drawn, np.zeros(300, dtype=int)), drawn)


def test_polish_gives_a_short_table_its_mean_and_spread_and_no_more() -> None:
    rng = np.random.default_rng(13)
    real, drawn = 5 + rng.standard_normal((60, 1)), rng.standard_normal((3_000, 1)) * 0.8
    out = fit_polish([Column("x", "value", "float", "f8")], Relations(), _in_one(drawn), _in_one(real))
    made = out.apply(drawn, np.zeros(3_000, dtype=int))
    assert abs(made.mean() - real.mean()) < 1e-6
    assert abs(made.std() / real.std() - 1) < 1e-6
    assert np.corrcoef(made[:, 0], drawn[:, 0])[0, 1] > 1 - 1e-12, "a straight map"


def test_polish_gives_every_regime_its_own_quantiles() -> None:
    rng = np.random.default_rng(12)
    regime = rng.integers(0, 2, 6_000)
    real, drawn = (scale * rng.standard_normal((6_000, 1)) * (1 + 4 * regime[:, None]) for scale in (1.0, 0.9))
    column = Column("x", "value", "float", "float64")
    out = fit_polish([column], Relations(), Sample(drawn, regime), Sample(real, regime)).apply(drawn, regime)
    for number in (0, 1):  # 3,000 rows go three quarters of the way
        own, before, wanted = (x[regime == number].std() for x in (out, drawn, real))
        assert abs(own / (before + 0.75 * (wanted - before)) - 1) < 0.01
    narrow = fit_polish([column], Relations(), Sample(drawn / 2, regime), Sample(real, regime))
    assert np.array_equal(narrow.apply(drawn / 2, regime), drawn / 2)  # a map would stretch all movement


def test_values_beyond_the_table_come_nearer_and_pile_up_nowhere() -> None:
    """A stove is as hot as it gets for most of the time; a draw of it that overshoots does not stand at a limit."""
    rng = np.random.default_rng(0)
    heat = np.concatenate([1_420 + rng.normal(0, 4, 1_800), rng.uniform(400, 1_400, 200)])[:, None]
    drawn = heat.copy()
    drawn[:60, 0] += np.linspace(20, 120, 60)
    column = Column("T", "value", "float", "f8", decimals=1)
    out = fit_polish([column], Relations(), _in_one(heat), _in_one(heat)).apply(drawn, np.zeros(len(drawn), int))
    over = out[:60, 0]
    assert (over <= heat.max() + 10).all()
    assert len(np.unique(over.round(3))) > 30
    np.testing.assert_allclose(out[60:], heat[60:], rtol=1e-9)


def test_a_regime_that_overshoots_is_carried_back_where_it_is_left_alone() -> None:
    rng = np.random.default_rng(1)
    regime = np.repeat([0, 1], 3_000)
    real = np.where(regime == 0, 1_420 + rng.normal(0, 4, 6_000), 300 + rng.normal(0, 4, 6_000))[:, None]
    drawn = real.copy()
    drawn[:3_000, 0] = 1_420 + 1.5 * (real[:3_000, 0] - 1_420)  # too wide for a map of all of it
    drawn[:200, 0] += 100
    column = Column("T", "value", "float", "f8", decimals=1)
    out = fit_polish([column], Relations(), Sample(drawn, regime), Sample(real, regime)).apply(drawn, regime)
    own = real[:3_000, 0]
    assert out[:3_000].max() <= own.max() + 0.1
    middle = (drawn[:3_000, 0] > np.quantile(own, 0.05)) & (drawn[:3_000, 0] < np.quantile(own, 0.95))
    np.testing.assert_allclose(out[:3_000][middle], drawn[:3_000][middle], rtol=1e-9)


def _in_one(values: np.ndarray) -> Sample:
    return Sample(values, np.zeros(len(values), dtype=int))


def test_runs_may_have_any_length() -> None:
    import pandas as pd

    table = read(pd.DataFrame({"run": [1] * 9 + [2] * 30, "x": np.arange(39.0)}), runs=("run",))
    runs = [Run((0,), 0, 0, run.values) for run in table.runs]
    assert fit_channels(table.schema, runs).width == 1


@pytest.mark.parametrize(("high", "before", "after"), [(0.1, 1.0, 1.0), (0.05, 2.0, 1.0)])
def test_scores_are_stretched_until_a_channel_moves_alike_at_every_level(
    high: float, before: float, after: float
) -> None:
    """Steps of .1 where the level is low, and as many or half of that where it is high."""
    rng = np.random.default_rng(3)
    level = rng.standard_normal((8_000, 1))
    steps = np.where(level < 0, 0.1, high) * rng.standard_normal((8_000, 12))
    windows = (level + steps.cumsum(axis=1))[:, :, None]
    plain, held = fit_marginals(windows.reshape(-1, 1)), np.arange(8_000) % 8 == 0
    for scores, wanted in ((plain, before), (even_scores(plain, windows, 96_000.0, held), after)):
        x = scores.to_normal(windows)[:, :, 0]
        moved = [np.diff(x[part], axis=1).std() for part in (level[:, 0] < -0.5, level[:, 0] > 0.5)]
        assert moved[0] / moved[1] == pytest.approx(wanted, rel=0.12)
        assert x.std() == pytest.approx(1, rel=0.05)


def test_scores_of_a_channel_that_rests_at_a_level_are_left_alone() -> None:
    """A lamp: off for most of the time, else at any level; beside it one that moves, at half the steps when high."""
    rng = np.random.default_rng(4)
    level = rng.standard_normal((4_000, 1))
    moving = level + (np.where(level < 0, 0.1, 0.05) * rng.standard_normal((4_000, 12))).cumsum(axis=1)
    windows = np.stack([moving.clip(0.0), moving], axis=2)
    plain = fit_marginals(windows.reshape(-1, 2))
    even = even_scores(plain, windows, 48_000.0, np.arange(4_000) % 8 == 0)
    assert np.array_equal(even.to_normal(windows)[:, :, 0], plain.to_normal(windows)[:, :, 0])
    assert np.abs(even.to_normal(windows)[:, :, 1] - plain.to_normal(windows)[:, :, 1]).max() > 0.1


def test_scores_are_not_stretched_for_the_sake_of_an_episode() -> None:
    """Small steps at a high level, but in one stretch of time only: elsewhere they are as large as at a low one."""
    rng = np.random.default_rng(5)
    level = rng.standard_normal((8_000, 1))
    held = np.arange(8_000) % 40 >= 35
    calm = (level > 0) & ((np.arange(8_000) < 6_000) & ~held)[:, None]
    windows = (level + (np.where(calm, 0.03, 0.1) * rng.standard_normal((8_000, 12))).cumsum(axis=1))[:, :, None]
    plain = fit_marginals(windows.reshape(-1, 1))
    assert np.array_equal(even_scores(plain, windows, 96_000.0, held).quantiles, plain.quantiles)


def test_many_short_runs_need_one_window_each() -> None:
    runs = [Run((i,), 0, 0, np.zeros((24, 2))) for i in range(20)]
    assert window_steps(runs, 2, 24) == 24
    with pytest.raises(DataError, match="24 rows in the longest run are fewer than two windows of 24"):
        window_steps(runs[:3], 2, 24)
    with pytest.raises(DataError, match="24 rows in the longest run are fewer than a window of 30"):
        window_steps(runs, 2, 30)


def test_a_channel_that_never_moved_gets_scores_that_can_be_reckoned_with() -> None:
    """Its slightest move would be a score of 1e9, and all that is conditioned on it would follow."""
    values = np.stack([np.zeros(300), np.random.default_rng(0).standard_normal(300)], axis=1)
    scores = fit_marginals(values).seen(np.array([[0.0, 0.0], [37.0, 3.0], [np.nan, -3.0]]))
    assert np.abs(scores[:2]).max() <= 100
    assert np.isnan(scores[2, 0])
    assert abs(scores[1, 1] - 3) < 0.7


def test_steps_in_proportion_to_the_level_ask_for_a_logarithm() -> None:
    """Sales that grow threefold with their season; a level whose steps do not grow; noise that comes back at once."""
    rng, month = np.random.default_rng(3), np.arange(144)
    grown = 120 * np.exp(0.008 * month + 0.2 * np.sin(2 * np.pi * month / 12) + rng.normal(0, 0.03, 144))
    level = 20 + np.abs(np.cumsum(rng.normal(0, 0.5, 144)))
    noisy = rng.uniform(10, 40, 144)
    table = read(pd.DataFrame({"grown": grown, "level": level, "noisy": noisy}))
    scales = [even_scale(c, table.runs[0].values[:, i])[0] for i, c in enumerate(table.schema.channels)]
    assert scales == ["log", "identity", "identity"]


@pytest.mark.parametrize(("parts", "period"), [(12, 12.0), (4, 4.0), (365.25 / 7, 52.1775)])
def test_a_clock_that_counts_parts_of_a_year_has_the_year(parts: float, period: float) -> None:
    time = np.round(1949 + np.arange(200) / parts, 8)
    clock = read(pd.DataFrame({"time": time, "x": np.sin(np.arange(200) ** 1.3)})).schema.clock
    assert clock.periods() == (period,)


def test_lengths_beyond_the_highest_level_are_those_of_all() -> None:
    """Values that often stand at the top, where what is longer than a row is chance: none is drawn beyond the table."""
    rng = np.random.default_rng(2)
    level = np.minimum(rng.uniform(2, 14, 400).round(), 10.0)
    longer = np.where(level == 10, rng.random(400) < 0.1, rng.random(400) < 0.5)
    length = np.where(longer, np.where(level == 10, 30, 3), 1)
    found = fit_lengths(level, length, length.cumsum() - length, length[:1], np.ones(400, dtype=bool), 0.2)
    assert found is not None
    assert np.allclose(found.shares[:, -1], 1.0)
    drawn, _ = found.draw(rng.uniform(0, 20, (5, 50)), rng.random((5, 50)), np.zeros(5, dtype=int))
    assert set(np.unique(drawn[:, 1:])) <= {1, 3, 30}
