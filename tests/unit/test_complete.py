"""Completing a partly known series: exact conditioning on an autoregression, and no seams between windows."""

import numpy as np
import pytest

from dowgan import Synthesizer
from dowgan.complete import Frame, Regression, complete, conditional_mean
from dowgan.process import Process
from dowgan.rng import Streams
from dowgan.sampling import Sampler
from dowgan.solver import Solver
from dowgan.verbs import widened

PHI = 0.8
PATHS = 4_000


def within(value: float, theory: float, standard_error: float, z: float = 5.0) -> None:
    """Right code fails once in 1.7 million runs; a wrong scale or sign fails at once."""
    off = abs(value - theory) / standard_error
    assert off <= z, f"{value:.4g} is {off:.1f} standard errors from {theory:.4g}, allowed {z}"


def solver(frame: Frame, phi: float = PHI) -> Solver:
    return Solver(Process((phi ** np.arange(64))[:, None, None]), frame)


def normals(number: int, width: int) -> np.ndarray:
    return Streams(0).normal(f"window/{number}", 0, PATHS, width)


def draw(known: list[float], frame: Frame) -> np.ndarray:
    return solver(frame).paths(np.array(known)[:, None], normals)[:, :, 0]


NAN = float("nan")


def test_between_two_known_values_mean_and_variance_are_those_in_closed_form() -> None:
    """x1 given x0 and x2: mean phi (x0 + x2) / (1 + phi^2), variance (1 - phi^2) / (1 + phi^2)."""
    paths = draw([1.5, NAN, -0.5], Frame(2, 4, 2))
    mean, variance = PHI * (1.5 - 0.5) / (1 + PHI**2), (1 - PHI**2) / (1 + PHI**2)
    within(paths[:, 1].mean(), mean, np.sqrt(variance / PATHS))
    within(paths[:, 1].var(), variance, variance * np.sqrt(2 / PATHS))
    assert np.array_equal(paths[:, 0], np.full(PATHS, 1.5))
    assert np.array_equal(paths[:, 2], np.full(PATHS, -0.5))


@pytest.mark.parametrize("frame", [Frame(3, 2, 0), Frame(8, 8, 0), Frame(1, 1, 0), Frame(4, 3, 2)])
def test_behind_a_known_value_it_goes_on_as_in_closed_form(frame: Frame) -> None:
    """x[h] given x0: mean phi^h x0, variance 1 - phi^2h, whatever the windows are."""
    steps = 12
    paths = draw([2.0, *[NAN] * steps], frame)
    for h in (1, 2, 5, 12):
        variance = 1 - PHI ** (2 * h)
        within(paths[:, h].mean(), 2.0 * PHI**h, np.sqrt(variance / PATHS))
        within(paths[:, h].var(), variance, variance * np.sqrt(2 / PATHS))
    across = np.mean(paths[:, 3] * paths[:, 11]) - paths[:, 3].mean() * paths[:, 11].mean()
    due = PHI**8 * (1 - PHI**6)  # covariance of x3 and x11 given x0
    within(across, due, np.sqrt(2 / PATHS))


def test_the_mean_of_all_paths_is_solved_directly() -> None:
    known = np.array([1.0, NAN, NAN, 2.0, NAN, NAN, NAN, -1.0, NAN])[:, None]
    frame = Frame(3, 3, 4)
    mean = conditional_mean(known, frame, solver(frame).regression)
    paths = solver(frame).paths(known, normals)
    error = paths.std(axis=0) / np.sqrt(PATHS) + 1e-9
    assert (np.abs(paths.mean(axis=0) - mean) <= 5 * error).all()


def test_known_values_of_another_channel_help() -> None:
    """Two channels with correlation rho at each step, white in time: given one, the other has mean rho a."""
    rho = 0.7
    lagged = np.zeros((4, 2, 2))
    lagged[0] = [[1, rho], [rho, 1]]
    both = Solver(Process(lagged), Frame(1, 3, 0))
    known = np.full((6, 2), np.nan)
    known[:, 0] = [1, -1, 2, 0, 1, 3]
    paths = both.paths(known, normals)
    for row in range(6):
        within(paths[:, row, 1].mean(), rho * known[row, 0], np.sqrt((1 - rho**2) / PATHS))
        within(paths[:, row, 1].var(), 1 - rho**2, np.sqrt(2 / PATHS))


def test_a_fully_known_series_comes_back() -> None:
    known = np.random.default_rng(0).standard_normal((30, 2))
    lagged = np.zeros((4, 2, 2))
    lagged[0] = np.eye(2)
    regression = Regression(Process(lagged).covariance(6), 2)
    out = complete(known, Frame(2, 4, 0), regression, lambda number: np.zeros((3, 6, 2)))
    assert np.array_equal(out, np.repeat(known[None], 3, axis=0))


def test_frames_complete_every_row_once() -> None:
    for rows in (1, 5, 16, 17, 100):
        for frame in (Frame(4, 4, 0), Frame(1, 1, 0), Frame(12, 5, 3)):
            done = [row for _, first, last in frame.windows(rows) for row in range(first, last)]
            assert done == list(range(rows))


# seams


def at_and_off(x: np.ndarray, borders: np.ndarray) -> None:
    """Products of neighbours and squared steps are the same at the borders of windows as elsewhere."""
    x = x / x.std()
    for size in (x[1:] * x[:-1], np.diff(x) ** 2, np.diff(x) ** 4):
        at = size[borders - 1]
        off = np.delete(size, borders - 1)
        # neighbours are alike: allow for three times fewer independent values
        error = np.sqrt(3 * size.var() * (1 / len(at) + 1 / len(off)))
        within(at.mean(), off.mean(), error)


@pytest.mark.parametrize("frame", [Frame(12, 4, 0), Frame(4, 12, 0)])
def test_a_long_series_has_no_seams(frame: Frame) -> None:
    rows, paths = 4_000, 16

    def few(number: int, width: int) -> np.ndarray:
        return Streams(1).normal(f"w/{number}", 0, paths, width)

    x = solver(frame).paths(np.full((rows, 1), np.nan), few)[:, :, 0]
    borders = np.array([first for _, first, _ in frame.windows(rows)][1:])
    effective = x.size * (1 - PHI**2) / (1 + PHI**2)
    within(x.var(), 1.0, np.sqrt(2 / effective))
    within(np.mean(x[:, 1:] * x[:, :-1]), PHI, np.sqrt(2 * (1 + PHI**2) / effective))
    for path in x[:4]:
        at_and_off(path, borders)


def test_a_generated_table_has_no_seams() -> None:
    """Through both passes of the sampler; the borders are those of its short windows."""
    import pandas as pd

    rng = np.random.default_rng(5)
    x = np.zeros(2_000)
    for t in range(1, len(x)):
        x[t] = PHI * x[t - 1] + np.sqrt(1 - PHI**2) * rng.standard_normal()
    model = Synthesizer("prior", {"calibrated": False}).fit(pd.DataFrame({"x": x}))
    out = model.generate(rows=20_000)["x"].to_numpy()
    steps = model.model_.coordinates.steps
    at_and_off(out, np.arange(steps, len(out), steps - steps // 2))
    real = x / x.std()
    fitted = np.mean(real[1:] * real[:-1])
    centred = (out - out.mean()) / out.std()
    within(np.mean(centred[1:] * centred[:-1]), fitted, np.sqrt(4 / (len(out) / 9)))
    within(out.std(), x.std(), np.sqrt(9 / 2 / len(x)))
    assert isinstance(model._drawer.sampler, Sampler)


def test_gaps_do_not_make_a_generated_series_jumpy() -> None:
    """A third of the values missing at random: the autocorrelation is that of the complete series."""
    import pandas as pd

    rng = np.random.default_rng(6)
    x = np.zeros(3_000)
    for t in range(1, len(x)):
        x[t] = 0.9 * x[t - 1] + np.sqrt(1 - 0.9**2) * rng.standard_normal()
    x[rng.random(len(x)) < 1 / 3] = np.nan
    out = Synthesizer("prior", {"calibrated": False}).fit(pd.DataFrame({"x": x})).generate(rows=8_000)["x"]
    assert abs(out.autocorr(1) - 0.9) < 0.06
    assert abs(out.autocorr(5) - 0.9**5) < 0.12
    assert abs(out.std() / np.nanstd(x) - 1) < 0.15


def test_wider_paths_are_no_rougher() -> None:
    off = np.random.default_rng(0).standard_normal((PATHS, 50, 1)).cumsum(axis=1)
    for band in (0.7, 2.0):
        wide, reach = widened(off, np.array([band]))
        assert reach[-1, 0] == pytest.approx(1, abs=0.03)
        assert wide[:, -1].std() == pytest.approx(band * off[:, -1].std(), rel=0.06)
        assert np.diff(wide, axis=1).std() < 1.1 * np.diff(off, axis=1).std()
    assert wide[:, 0].std() < 1.4 * off[:, 0].std(), "at first no model is as wrong as later"


@pytest.mark.parametrize("root", [0.3, 0.97, 1.06])
def test_how_much_of_a_misfit_is_handed_on_is_the_root_of_the_process(root: float) -> None:
    """x_t = root x_(t-1), seen with noise: after a hop of three rows a misfit is root^3 of what it was."""
    frame, course = Frame(2, 3, 0), root ** np.arange(5.0)
    covariance = np.outer(course, course) + 1e-9 * np.eye(5)
    handed_on = Regression(covariance, 1).handed_on(frame)
    assert handed_on == pytest.approx(root**3, rel=0.01)
    assert Regression(covariance, 1, 0.5).handed_on(frame) == pytest.approx(handed_on / 2, rel=0.01)
