"""Covariances over lags: definite, of the right orientation, and equal to theory on toy processes."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from dowgan.complete import Frame, Regression, conditional_mean
from dowgan.covariances import as_valid, coloured, lagged_covariance, parts_of, structures, whitened, whitening
from dowgan.process import Process, fit_process, window_cost

PHI = 0.8


def within(value: float, theory: float, standard_error: float, z: float = 5.0) -> None:
    """Right code fails once in 1.7 million runs; a wrong scale or sign fails at once."""
    off = abs(value - theory) / standard_error
    assert off <= z, f"{value:.4g} is {off:.1f} standard errors from {theory:.4g}, allowed {z}"


def autoregression(lags: int, phi: float = PHI) -> Process:
    """x[t] = phi x[t-1] + e[t] with variance 1."""
    return Process((phi ** np.arange(lags))[:, None, None])


def vector(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A vector autoregression: its rows [N 2], its matrix, and its covariance at lag 0."""
    rng = np.random.default_rng(seed)
    step = np.array([[0.6, 0.3], [-0.2, 0.5]])
    zero = np.eye(2)
    for _ in range(400):
        zero = step @ zero @ step.T + np.eye(2)
    x = np.zeros((rows + 200, 2))
    for t in range(1, len(x)):
        x[t] = step @ x[t - 1] + rng.standard_normal(2)
    return x[200:], step, zero


@pytest.mark.parametrize("seed", range(6))
def test_any_numbers_become_a_real_process(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lagged = rng.standard_normal((12, 3, 3))
    variance = rng.standard_normal((3, 3))
    lagged[0] = variance @ variance.T + 0.1 * np.eye(3)
    valid = as_valid(lagged)
    assert np.allclose(np.diag(valid[0]), np.diag(lagged[0])), "variances are kept"
    for steps in (1, 5, 12, 30):
        covariance = Process(valid).covariance(steps)
        assert np.allclose(covariance, covariance.T)
        assert np.linalg.eigvalsh(covariance).min() > 0


def test_a_real_process_is_left_as_it_is() -> None:
    lagged = autoregression(60).lagged
    assert np.abs(as_valid(lagged) - lagged).max() < 1e-3


def test_a_window_is_block_toeplitz_with_time_before_channels() -> None:
    rng = np.random.default_rng(0)
    lagged = rng.standard_normal((4, 2, 2)) * 0.1
    lagged[0] = [[1.0, 0.3], [0.3, 2.0]]
    covariance = Process(lagged).covariance(4)
    for s in range(4):
        for t in range(4):
            block = covariance[2 * s : 2 * s + 2, 2 * t : 2 * t + 2]
            due = lagged[s - t] if s >= t else lagged[t - s].T  # lagged[h][a, b] = E x[t+h, a] x[t, b]
            assert np.allclose(block, due, atol=2e-6)


def test_measured_covariances_are_those_of_theory() -> None:
    x, step, zero = vector(40_000)
    lagged = lagged_covariance([x], 4)
    power = np.eye(2)
    for lag in range(4):
        due = power @ zero
        for a in range(2):
            for b in range(2):
                # at most (1 + 2 sum of squared correlations) / N, with room (Bartlett 1946)
                error = np.sqrt(6 * zero[a, a] * zero[b, b] / len(x))
                within(lagged[lag, a, b], due[a, b], error)
        power = step @ power


def test_missing_values_do_not_bias_the_covariances() -> None:
    x, step, zero = vector(40_000, seed=1)
    x[np.random.default_rng(1).random(x.shape) < 0.3] = np.nan
    lagged = lagged_covariance([x[:25_000], x[25_000:]], 2)
    for lag, due in enumerate((zero, step @ zero)):
        assert np.allclose(lagged[lag], due, atol=0.1)


def test_every_other_step_of_an_autoregression() -> None:
    seen = autoregression(40).every(2)
    assert np.allclose(seen.lagged[:, 0, 0], (PHI**2) ** np.arange(20))


def test_a_finer_grid_keeps_the_known_lags() -> None:
    coarse = autoregression(80)
    fine = coarse.finer(4)
    assert np.abs(fine.lagged[::4][:40] - coarse.lagged[:40]).max() < 0.02
    assert np.linalg.eigvalsh(fine.covariance(30)).min() > 0


def test_the_cost_of_windows_is_their_negative_log_density() -> None:
    process = autoregression(8)
    windows = list(np.random.default_rng(2).standard_normal((5, 8, 1)))
    due = -multivariate_normal(np.zeros(8), process.covariance(8)).logpdf(np.stack(windows)[..., 0])
    constant = 0.5 * 8 * np.log(2 * np.pi)
    assert window_cost(process, windows) == pytest.approx((due - constant).sum() / 40)
    gappy = windows[0].copy()
    gappy[[2, 5]] = np.nan
    kept = [0, 1, 3, 4, 6, 7]
    part = multivariate_normal(np.zeros(6), process.covariance(8)[np.ix_(kept, kept)]).logpdf(gappy[kept, 0])
    assert window_cost(process, [gappy]) == pytest.approx((-part - 0.5 * 6 * np.log(2 * np.pi)) / 6)


def test_simpler_structures_keep_what_they_say() -> None:
    x, _, _ = vector(2_000)
    lagged = lagged_covariance([x], 6)
    parts = structures(lagged)
    assert np.allclose(parts["full"], lagged)
    assert np.allclose(parts["separable"][0], lagged[0])
    assert np.allclose(parts["components"][0], lagged[0])
    own = np.einsum("hii->hi", lagged)
    assert np.allclose(np.einsum("hii->hi", parts["apart"]), own)
    assert np.count_nonzero(parts["apart"] - np.einsum("hi,ij->hij", own, np.eye(2))) == 0
    shape = parts["separable"] / lagged[0]
    assert np.allclose(shape, shape[:, :1, :1]), "one autocorrelation for all"


def test_few_rows_of_many_channels_are_kept_apart() -> None:
    """100 rows x 20 independent channels: what is between channels is chance and must be shrunk away."""
    x = np.random.default_rng(3).standard_normal((100, 20))
    process, *_ = fit_process([x[:75]], [x[75:]], [x], 24)
    between = process.lagged[0] - np.diag(np.diag(process.lagged[0]))
    raw = lagged_covariance([x], 1)[0]
    assert np.abs(between).max() < 0.8 * np.abs(raw - np.diag(np.diag(raw))).max()
    assert np.linalg.eigvalsh(process.covariance(24)).min() > 0.05, "well conditioned"


def test_a_smooth_series_stays_smooth() -> None:
    """What moves slowly must not leak into what moves fast: steps of the process are as small as the table's."""
    rng = np.random.default_rng(4)
    push, slow = np.zeros(5), np.zeros((6_100, 5))
    for row in range(1, len(slow)):
        push = 0.9 * push + rng.standard_normal(5)
        slow[row] = 0.98 * slow[row - 1] + 0.02 * push
    slow = (slow[100:] - slow[100:].mean(axis=0)) / slow[100:].std(axis=0)
    process, *_ = fit_process([slow[:4_500]], [slow[4_500:]], [slow], 24)
    steps = np.diag(process.lagged[0] - process.lagged[1]) * 2
    assert (steps < 1.3 * np.mean(np.diff(slow, axis=0) ** 2, axis=0)).all()


def test_covariances_of_gappy_runs_are_those_of_the_known_pairs() -> None:
    rng = np.random.default_rng(5)
    runs = [rng.standard_normal((length, 2)) for length in (50, 7, 9_000)]
    runs[0][3:9, 0] = np.nan
    measured = lagged_covariance(runs, 12)
    for lag in (0, 1, 11):
        pairs = np.concatenate([run[lag:, 0] * run[: len(run) - lag, 1] for run in runs if len(run) > lag])
        lost = 2 * lag + 7 - max(7 - lag, 0)
        usual = len(pairs) / (len(pairs) + lost * (50**2 + 7**2 + 9_000**2) / 9_057**2)
        assert np.isclose(measured[lag][0, 1], np.nanmean(pairs) * usual)


def test_far_lags_of_many_runs_are_not_drawn_to_zero() -> None:
    rng = np.random.default_rng(6)
    runs = [np.repeat(rng.standard_normal((1, 1)), 12, axis=0) for _ in range(2_000)]
    measured = lagged_covariance(runs, 12)[:, 0, 0]
    assert (measured > 0.99 * measured[0]).all()
    assert np.allclose(
        lagged_covariance(runs[:1], 12)[:, 0, 0], measured[0] * 0 + runs[0][0] ** 2 * (1 - np.arange(12) / 12)
    )


def test_filters_leave_what_last_values_do_not_foretell() -> None:
    rng = np.random.default_rng(0)
    x = np.zeros((20_000, 2))
    for t in range(2, len(x)):
        x[t] = [1.2, 0.5] * x[t - 1] - [0.4, 0.0] * x[t - 2] + rng.standard_normal(2)
    x[rng.random(x.shape) < 0.05] = np.nan
    filters = whitening([x[:12_000], x[12_000:]], 2)
    assert np.allclose(filters, [[1, -1.2, 0.4], [1, -0.5, 0.0]], atol=0.03)
    left = whitened(x, filters)
    assert np.nanstd(left, axis=0) == pytest.approx([1, 1], abs=0.03)


def test_colour_is_put_back() -> None:
    white = np.zeros((300, 1, 1))
    white[0] = 1
    back = coloured(white, np.array([[1.0, -0.9]]))[:40, 0, 0]
    assert np.allclose(back, 0.9 ** np.arange(40) / (1 - 0.81))


def test_filtered_covariances_are_those_of_theory() -> None:
    rows, step, zero = vector(40_000)
    lagged = parts_of([rows], 200, 2)["full"]
    for lag in range(4):
        assert np.allclose(lagged[lag], np.linalg.matrix_power(step, lag) @ zero, atol=0.08)


def test_a_level_that_stays_is_foretold_to_stay() -> None:
    """Rows add up to their mean: taken at its word, a long history would have the next row bring that about."""
    off = []
    for seed in range(4):
        x = np.random.default_rng(seed).standard_normal((400, 1)).cumsum(axis=0)
        x = (x - x.mean()) / x.std()
        x[-30:] += 3 - x[-30]
        cut = 300
        filtered, *_ = fit_process([x[:cut]], [x[cut:]], [x], 24, ahead=True)
        for process in (Process(lagged_covariance([x], 399)), filtered):
            frame = Frame(144, 48, 0)
            known = np.concatenate([x[-144:], np.full((1, 1), np.nan)])
            ahead = conditional_mean(known, frame, Regression(process.covariance(frame.steps), 1))
            off.append(abs(float(ahead[-1, 0] - x[-1, 0])) / np.abs(np.diff(x, axis=0)).mean())
    assert max(off[1::2]) < 2.5, "mean steps between the last row and the next"
    assert np.mean(off[::2]) > 3 * np.mean(off[1::2])


def test_simpler_structures_leave_smooth_channels_smooth() -> None:
    rng = np.random.default_rng(0)
    rows = np.stack([rng.standard_normal(2_000).cumsum(), rng.standard_normal(2_000)], axis=1)
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    step = np.diff(rows[:, 0]).std()
    for lagged in parts_of([rows], 400, 2).values():
        assert np.sqrt(2 * (lagged[0] - lagged[1])[0, 0]) == pytest.approx(step, rel=0.25)
