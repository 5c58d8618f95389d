"""What recurs: found where it is, and not where it is not."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from dowgan.channels import fit_channels
from dowgan.rhythms import peaks
from dowgan.seasonal import fit_season, trending
from dowgan.stretch import Stretch, split
from dowgan.table import read
from dowgan.waves import regress, waves


def stretch(values: np.ndarray, position: int = 0, regime: np.ndarray | None = None) -> Stretch:
    values = values[:, None] if values.ndim == 1 else values
    return Stretch(values, position, np.zeros(len(values), dtype=int) if regime is None else regime)


def noise(rows: int, seed: int = 0, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, channels))


def cycle(rows: int, period: float, start: int = 0) -> np.ndarray:
    return np.sin(2 * np.pi * (start + np.arange(rows)) / period)


@pytest.mark.parametrize("start", [0, 100_003])
def test_a_cycle_of_the_clock_is_found_with_its_phase(start: int) -> None:
    values = 2 * cycle(400, 12, start) + 0.3 * noise(400)[:, 0]
    season = fit_season([stretch(values, start)], (12.0, 52.0))
    assert season.periods == (12.0,)
    positions = start + 400 + np.arange(24.0)
    mean, spread = season.mean_and_spread(positions, np.zeros(24, dtype=int), np.zeros(24))
    assert np.abs(mean[:, 0] - 2 * np.sin(2 * np.pi * positions / 12)).max() < 5 * 0.3 * np.sqrt(2 / 400) + 0.02
    assert np.abs(spread / 0.3 - 1).max() < 0.25


@pytest.mark.parametrize("period", [7.0, 24.0, 36.5])
def test_a_cycle_without_a_clock_is_found_in_the_data(period: float) -> None:
    values = cycle(600, period) + 0.5 * noise(600)[:, 0]
    found = peaks([stretch(values)])
    assert abs(found[0] / period - 1) < 0.03
    for candidates in ((), (60.5,)):  # a machine has a beat that its clock does not know
        season = fit_season([stretch(values)], candidates)
        assert len(season.periods) == 1
        assert abs(season.periods[0] / period - 1) < 0.03


def test_one_channel_of_many_may_have_a_season_of_its_own() -> None:
    """Of twelve channels taken together it explains next to nothing, and without it a day would have no hours."""
    values = noise(2_400, 5, channels=12)
    values[:, 3] += 0.4 * cycle(2_400, 24)
    season = fit_season([stretch(values)], (24.0, 168.0))
    assert season.periods == (24.0,)
    size = np.abs(season.wave).max(axis=0)
    assert size[3] > 0.3
    assert np.delete(size, 3).max() == 0


def slow(rows: int, seed: int) -> np.ndarray:
    """An autoregression of spread one that keeps .95 of each row."""
    return lfilter([np.sqrt(1 - 0.95**2)], [1, -0.95], noise(rows, seed, channels=3), axis=0)


def test_a_faint_beat_under_slow_movements_is_found() -> None:
    """Late rows are foretold hardly better with it, a few days' drift being larger than it; its line stands out."""
    found = sum(
        len(fit_season([stretch(slow(1_500, seed) + 0.5 * cycle(1_500, 96)[:, None])], (96.0,)).periods)
        for seed in range(10)
    )
    alarms = sum(len(fit_season([stretch(slow(1_500, seed))], (96.0,)).periods) for seed in range(10, 30))
    assert found >= 9
    assert alarms <= 1


def test_white_noise_has_no_season() -> None:
    alarms = 0
    for seed in range(20):
        alarms += len(fit_season([stretch(noise(300, seed))], (12.0, 52.0)).periods)
        alarms += len(fit_season([stretch(noise(300, seed + 100))], ()).periods)
    assert alarms <= 1, "40 tries on white noise"
    many = [fit_season([stretch(noise(300, seed, channels=8))], (12.0, 52.0)).periods for seed in range(20)]
    assert sum(map(len, many)) <= 2, "320 channels of white noise"


def test_a_series_of_fewer_cycles_gets_none() -> None:
    assert fit_season([stretch(cycle(100, 60))], (60.0,)).periods == ()


def test_standardising_and_back() -> None:
    values = 3 + cycle(500, 25)[:, None] * [1.0, -2.0] + 0.2 * noise(500, channels=2)
    one = stretch(values, 17)
    season = fit_season([one], (25.0,))
    rest = season.remove(one)
    mean, spread = season.mean_and_spread(one.positions, one.regime, np.arange(500.0))
    assert np.allclose(rest * spread + mean, values)
    assert np.abs(rest.std(axis=0) - 1).max() < 0.1
    assert np.abs(rest.mean(axis=0)).max() < 0.05


def test_missing_values_do_no_harm() -> None:
    values = 2 * cycle(600, 12) + 0.2 * noise(600)[:, 0]
    values[np.random.default_rng(1).random(600) < 0.4] = np.nan
    assert fit_season([stretch(values)], (12.0,)).periods == (12.0,)


def test_regimes_have_their_own_mean_and_spread() -> None:
    regime = np.repeat([0, 1, 0, 1], 200)
    values = np.where(regime == 1, 4.0, -1.0) + np.where(regime == 1, 0.3, 1.2) * noise(800, 2)[:, 0]
    season = fit_season([stretch(values, regime=regime)], (), regimes=2)
    mean, spread = season.mean_and_spread(np.arange(2.0), np.array([0, 1]), np.zeros(2))
    assert np.abs(mean[:, 0] - [-1, 4]).max() < 0.5, "drawn a little towards the common mean"
    assert spread[0, 0] > 2.5 * spread[1, 0]


def test_a_spread_with_a_season_is_followed() -> None:
    """The spread follows the waves, from exp(-0.9) to exp(0.9); values near zero are floored, which draws it even."""
    wave = cycle(2_000, 20)
    season = fit_season([stretch(2 * wave + np.exp(0.9 * wave) * noise(2_000, 3)[:, 0])], (20.0,))
    _, spread = season.mean_and_spread(np.array([5.0, 15.0]), np.zeros(2, dtype=int), np.zeros(2))
    assert np.exp(0.6 * 1.8) < spread[0, 0] / spread[1, 0] < np.exp(1.1 * 1.8)


def test_a_trend_is_followed_where_there_is_one() -> None:
    line = np.linspace(-2, 2, 300)
    assert trending([stretch(line + 0.2 * noise(300)[:, 0])], (), 1)[0] == 1.0
    assert trending([stretch(noise(300, 4))], (), 1)[0] in (0.0, 0.5)
    season = fit_season([stretch(line)], (), 1, np.ones(1))
    ahead, _ = season.mean_and_spread(np.array([350.0]), np.zeros(1, dtype=int), np.zeros(1))
    assert ahead[0, 0] == pytest.approx(-2 + 4 * 350 / 299, abs=0.05)
    held, _ = season.mean_and_spread(np.array([350.0]), np.zeros(1, dtype=int), np.zeros(1), hold_trend=True)
    assert held[0, 0] == pytest.approx(2, abs=0.05)


def test_a_course_along_the_run_is_found_in_batches() -> None:
    course = 3 * np.exp(-np.arange(50) / 10)
    runs = [stretch(course[: 40 + i] + 0.3 * noise(40 + i, i)[:, 0], 1_000 * i) for i in range(10)]
    season = fit_season(runs, ())
    assert len(season.profile) > 30
    mean, _ = season.mean_and_spread(np.arange(30.0), np.zeros(30, dtype=int), np.arange(30.0))
    assert np.abs(mean[:, 0] - course[:30]).max() < 0.8
    assert fit_season(runs[:3], ()).profile.shape == (0, 1), "three runs are too few"


def test_runs_are_split_whole_and_few_series_by_time() -> None:
    runs = [stretch(noise(20, i)) for i in range(12)]
    early, late = split(runs)
    assert (len(early), len(late)) == (9, 3)
    early, late = split(runs[:2])
    assert [len(s.values) for s in (*early, *late)] == [15, 15, 5, 5]
    assert late[0].position == 15


def test_regression_is_least_squares_over_the_known_rows() -> None:
    design = np.column_stack([np.ones(200), waves(np.arange(200.0), (10.0,), (2,))])
    truth = np.arange(1.0, 6.0)[:, None]
    values = design @ truth
    values[::3] = np.nan
    assert np.allclose(regress(design, values, ridge=1e-12), truth)


def fans(runs: int, steps: int = 24, seed: int = 3) -> list[Stretch]:
    """Runs that begin alike and part: straight lines of random slope."""
    slopes = np.random.default_rng(seed).standard_normal(runs)
    return [
        stretch(0.1 * noise(steps, seed=seed + k)[:, 0] + slope * np.arange(steps)) for k, slope in enumerate(slopes)
    ]


def test_runs_that_part_have_a_spread_along_them() -> None:
    runs = fans(400)
    season = fit_season(runs, ())
    _, spread = season.mean_and_spread(np.arange(24), np.zeros(24, dtype=int), np.arange(24.0))
    assert np.abs(spread[2:, 0] / np.arange(2.0, 24) - 1).max() < 0.2
    assert season.periods == (), "many runs that begin at once say by their profile what recurs"


def test_runs_of_one_spread_get_no_profile_of_it() -> None:
    season = fit_season([stretch(noise(24, seed)) for seed in range(400)], ())
    assert len(season.log_profile) == 0
    assert len(fit_season(fans(6), ()).log_profile) == 0, "of few runs none is measured"


def test_regimes_change_the_spread_of_noise_and_not_of_a_slow_channel() -> None:
    """A slow series that strayed further while a pump happened to run would step whenever it is switched."""
    rng, rows = np.random.default_rng(4), 1_200
    regime = np.arange(rows) // 6 % 2
    slow = np.zeros(rows)
    for row in range(1, rows):
        slow[row] = 0.95 * slow[row - 1] + rng.normal(0, 0.3)
    storm = 4 * np.exp(-0.5 * ((np.arange(rows) - 303) / 4.0) ** 2)  # while it ran
    noisy = rng.normal(0, np.where(regime == 1, 1.6, 0.4))
    stretch = Stretch(np.column_stack([slow + storm, noisy]), 0, regime)
    season = fit_season([stretch], [], 2)
    apart = np.ptp(season.regime_log_spread, axis=0)
    assert apart[1] > 0.8
    assert apart[0] < 0.05
    assert not season.response.widening[:, 0].any()


def test_a_densified_channel_stays_about_where_it_was() -> None:
    frame = pd.DataFrame({"x": np.tile([0.0, 1.0, 2.0, 4.0], 20), "y": np.tile([3.0, 1.0, 5.0], 27)[:80]})
    table = read(frame)
    channels = fit_channels(table.schema, table.runs)
    known = channels.encode(table.runs[0].values)
    far = channels.decode(channels.within(known * 50, known), np.zeros(80, dtype=int))
    assert np.ptp(far, axis=0) == pytest.approx([4.8, 4.8])


@pytest.mark.parametrize(("rows", "year"), [(1_096, 365.243), (156, 52.1775), (36, 12.0)])
def test_three_years_have_a_year(rows: int, year: float) -> None:
    """Three quarters of them, to which it is fitted, are two years and a quarter."""
    weather = lfilter([0.15], [1, -0.8], noise(rows, 1)[:, 0])
    values = 1.3 * cycle(rows, year, start=int(0.7 * year)) + weather
    assert fit_season([stretch(values)], (year,)).periods == (year,)
