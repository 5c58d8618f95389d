"""Generated windows begin anywhere in the table, and look alike wherever they begin."""

from itertools import pairwise

import numpy as np
import pandas as pd

import dowgan
from dowgan.windows import WINDOW, _held_blocks

YEAR = 52.18  # weeks


def test_windows_of_a_table_with_years_have_no_slope_of_their_own() -> None:
    """Ten years of weeks: blocks of time that lay two years apart were all of one season, and so were windows."""
    rows, rng = 520, np.random.default_rng(3)
    values = 2 * np.cos(2 * np.pi * np.arange(rows) / YEAR)[:, None] + 0.5 * rng.standard_normal((rows, 3))
    frame = pd.DataFrame(values, columns=list("abc"))
    frame.insert(0, "week", pd.date_range("2010-01-04", periods=rows, freq="7D"))
    made = dowgan.Synthesizer(random_state=0).fit(frame).generate(rows=WINDOW, runs=1_500, random_state=1)
    by_step = made[list("abc")].to_numpy().reshape(1_500, WINDOW, 3).mean(axis=(0, 2)) / values.std()
    assert np.abs(by_step).max() < 0.15, by_step


def test_held_out_blocks_lie_in_all_parts_of_the_time_but_at_no_even_distance() -> None:
    for rows in (400, 522, 3_685, 17_420):
        blocks = _held_blocks(rows, WINDOW)
        firsts = np.array([first for first, _ in blocks])
        assert all(last - first >= 2 * WINDOW and first >= 0 and last <= rows for first, last in blocks)
        assert all(last <= first for (_, last), (first, _) in pairwise(blocks))
        assert np.ptp(np.diff(firsts)) > 0.2 * rows / len(blocks)


def test_a_long_series_does_not_run_away() -> None:
    """Quarters whose swing grows: joined windows strayed ever further, and the draw was pressed to a third to make up.

    Its spread is .7 of the table's; it was .27.
    """
    rows, rng = 120, np.random.default_rng(11)
    time, walk = np.arange(rows), rng.normal(size=(rows, 4)).cumsum(axis=0)
    level = np.stack([0.8 * time, 60 * np.sin(time / 40), 0.5 * time, 0.3 * time], axis=1) + 2 * walk
    turn = np.pi * time / 2
    waves = [10 * np.cos(turn), (10 + 0.5 * time) * np.cos(turn), 20 * np.cos(turn + 1), 5 * np.cos(turn)]
    frame = pd.DataFrame(100 + level + np.stack(waves, axis=1) + rng.normal(size=(rows, 4)), columns=list("abcd"))
    made = dowgan.Synthesizer(random_state=0).fit(frame)
    spread = np.mean([made.generate(random_state=seed).std() / frame.std() for seed in range(3)], axis=0)
    assert spread.min() > 0.5, spread
    assert spread.max() < 1.3, spread
