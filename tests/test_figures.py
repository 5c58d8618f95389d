"""Figures hold the right traces, whatever the kind of table."""

import numpy as np
import pytest

from dowgan import figures
from dowgan.figures.style import thin

X = np.sin(np.arange(300) / 5) + 5
Y = X[::-1].copy()


def names(figure) -> list[str]:  # type: ignore[no-untyped-def]
    return [trace.name for trace in figure.data]


def test_thinning_keeps_the_peaks() -> None:
    values = np.zeros(100_000)
    values[[777, 50_001]] = 9.0, -9.0
    place, shown = thin(values)
    assert len(shown) <= figures.MOST_POINTS
    assert (shown.max(), shown.min()) == (9.0, -9.0)
    assert np.abs(place[shown.argmax()] - 777) < 100


@pytest.mark.parametrize("kind", ["distribution", "quantiles", "memory", "spectrum", "ramps", "sides"])
def test_each_tag_figure_has_both_sides(kind: str) -> None:
    figure = getattr(figures, kind)([X], [Y], "tag")
    assert set(names(figure)) & {"generated", "quantiles"}
    assert all(len(trace.y) for trace in figure.data)


def test_times_make_an_axis_of_dates_with_a_strip_to_select_in() -> None:
    days = np.datetime64("2024-01-01") + np.arange(300)
    figure = figures.overlay(X, Y, "tag", days, days, selectable=True)
    assert names(figure) == ["real", "generated"]
    assert (figure.layout.xaxis.type, figure.layout.xaxis.rangeslider.visible) == ("date", True)


def test_a_fan_holds_the_bands_and_only_what_is_known() -> None:
    paths = np.random.default_rng(0).standard_normal((50, 20))
    bands = ["90% of the paths", "50% of the paths"]
    whole = names(figures.fan(X, X[:20], paths, "tag"))
    assert [n for n in whole if n] == [*bands, "history", "what came", "median"]
    alone = names(figures.fan(np.empty(0), None, paths, "tag"))
    assert [n for n in alone if n] == [*bands, "median"]


def test_parity_leaves_unknown_places_out() -> None:
    truth = np.array([[1.0, np.nan], [2.0, 3.0]])
    dots = figures.parity(truth, truth, "title").data[1]
    assert sorted(dots.x.tolist()) == [1.0, 2.0, 3.0]


def test_a_seam_is_a_spike_of_the_rhythm() -> None:
    rng = np.random.default_rng(0)
    smooth = rng.standard_normal((480, 2)).cumsum(0)
    broken = np.concatenate([smooth[i : i + 24] - smooth[i] + 30 * (i % 48) for i in range(0, 480, 24)])
    real, made = figures.rhythm([smooth], [broken], 24).data
    assert made.y.argmax() == 23
    assert made.y.max() > 2 * np.median(made.y) > 0
    assert real.y.max() < 2 * np.median(real.y)


def test_a_late_tag_peaks_at_another_lag() -> None:
    lead = np.random.default_rng(0).standard_normal(400)
    real, made = figures.crossed(([lead[3:]], [lead[:-3]]), ([lead], [lead]), "flow", "level").data
    lags = [float(line.x0 + line.dx * line.y.argmax()) for line in (real, made)]
    assert lags == [3.0, 0.0]
    assert max(real.y) == pytest.approx(1.0, abs=0.02)


def test_bars_show_what_each_band_holds() -> None:
    figure = figures.covered([0.9, None], ["flow", "level"], "bands")
    assert list(figure.data[0].y) == [0.9, None]
    assert figure.layout.shapes[0].y0 == 0.9


def test_stays_are_counted_in_rows() -> None:
    real, made = figures.dwell([np.repeat([0.0, 1.0, 0.0], 4)], [np.repeat([0.0, 1.0], 6)], "state").data
    assert (real.x.tolist(), made.x.tolist()) == ([4, 4, 4], [6, 6])


def test_names_are_not_read_as_markup() -> None:
    assert "<b>" not in figures.heat(np.eye(2), ["<b>a</b>", "c"], "title").to_json().encode().decode("unicode_escape")
