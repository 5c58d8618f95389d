"""The published scores: exact in closed form, blind to sameness, not blind to planted differences."""

import numpy as np
import pytest
import torch
from metric_toys import autoregression, within
from scipy.linalg import sqrtm
from torch.nn import functional

from dowgan.metrics import ts2vec
from dowgan.metrics.context_fid import context_fid, encoder, frechet
from dowgan.metrics.correlational import correlational, correlations
from dowgan.metrics.discriminative import discriminative, minmax
from dowgan.metrics.predictive import predictive

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def waves():
    return 0.5 + 0.12 * autoregression(RNG(0), 2_000, 12, 4)


def test_minmax_scales_by_the_real_data_only():
    real = np.array([[[0.0, 5.0], [10.0, 5.0]]])
    scaled, other = minmax(real, np.array([[[-5.0, 6.0], [20.0, 4.0]]]))
    np.testing.assert_array_equal(scaled, [[[0, 0], [1, 0]]])
    np.testing.assert_array_equal(other, [[[-0.5, 1], [2, -1]]])


def test_discriminative_does_not_tell_halves_of_the_same(waves):
    scores = discriminative(waves[:1_000], waves[1_000:], iterations=300)
    standard_error = np.sqrt(0.25 / 400)  # 200 real and 200 generated windows are judged
    assert scores.max() < 5 * standard_error, scores


def test_discriminative_tells_a_planted_difference(waves):
    shifted = waves[1_000:] + np.array([0.12, 0, 0, 0])
    assert discriminative(waves[:1_000], shifted, (0, 1), iterations=600).min() > 0.1
    assert discriminative(waves[:1_000], waves[1_000:] + 1, (0,), iterations=600)[0] > 0.49


def test_discriminative_seed_does_not_depend_on_its_neighbours(waves):
    together = discriminative(waves[:500], waves[500:900], (3, 4), iterations=20)
    alone = discriminative(waves[:500], waves[500:900], (4,), iterations=20)
    assert together[1] == alone[0]


def test_scores_leave_global_random_states_alone(waves):
    before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()
    discriminative(waves[:50], waves[50:100], (0,), iterations=2)
    predictive(waves[:50], waves[50:100], (0,), iterations=2)
    context_fid(waves[:50], waves[50:100], (0,), iterations=2)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert torch.equal(torch.get_rng_state(), torch_before)


def test_predictive_learns_what_can_be_known():
    """The last channel follows the first by one step: good windows teach it, shuffled ones do not."""
    x = RNG(1).random((1_000, 12, 5))
    x[:, 1:, 4] = x[:, :-1, 0]
    wrong = x.copy()
    wrong[:, :, 4] = RNG(2).random((1_000, 12))
    good, bad = (predictive(x, fake, (0, 1), iterations=1_000) for fake in (x, wrong))
    assert bad.min() > 0.24  # the mean absolute deviation of a uniform is .25
    assert good.max() < 0.8 * bad.min(), (good, bad)


def test_predictive_of_one_channel_uses_the_channel_itself(waves):
    one = waves[:, :, :1]
    near = predictive(one, one, (0,), iterations=600)[0]
    flat = np.abs(one - one.mean()).mean()
    assert near < flat, (near, flat)


def test_correlations_match_theory_and_ignore_nan():
    rng, rho = RNG(3), 0.6
    first = rng.standard_normal((4_000, 5))
    second = rho * first + np.sqrt(1 - rho**2) * rng.standard_normal((4_000, 5))
    x = np.stack([first, second], 2)
    x[rng.random(x.shape) < 0.1] = np.nan
    within(correlations(x)[0, 1], rho, (1 - rho**2) / np.sqrt(4_000 * 5 * 0.81))


def test_correlational_is_a_tenth_of_the_summed_differences():
    """With every window the same, subsets do not matter: c = 1 against c = -1, one pair."""
    ramp = np.tile(np.arange(6.0)[:, None], (10, 1, 1))
    real, fake = np.concatenate([ramp, ramp], 2), np.concatenate([ramp, -ramp], 2)
    np.testing.assert_allclose(correlational(real, fake), 0.2)
    np.testing.assert_allclose(correlational(real, real), 0, atol=1e-15)


def test_frechet_matches_the_matrix_root_and_the_closed_form():
    rng = RNG(4)
    a, b = rng.standard_normal((500, 6)) @ rng.standard_normal((6, 6)), 2 * rng.standard_normal((400, 6)) + 1
    root = sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert frechet(a, b) == pytest.approx(expected)
    assert frechet(a, a + 3) == pytest.approx(6 * 9)
    assert frechet(a, a) == pytest.approx(0, abs=1e-8)


def test_encoder_is_a_stack_of_dilated_convolutions():
    """The gathered products against PyTorch's own convolutions, for sequences of two lengths at once."""
    gen = torch.Generator().manual_seed(0)
    shapes = ts2vec._shapes(3)
    weights = ts2vec._views(ts2vec._start(shapes, gen), shapes)
    sequences = [torch.randn(9, 3, generator=gen), torch.randn(5, 3, generator=gen)]
    found = ts2vec._encode(torch.cat(sequences), [9, 5], weights, None).split([9, 5])
    for sequence, code in zip(sequences, found, strict=True):
        torch.testing.assert_close(code, convolved(sequence, weights), rtol=1e-4, atol=1e-5)


def convolved(x, weights):
    h, rest = (x @ weights[0] + weights[1]).T[None], iter(weights[2:])  # [1 W T]

    def layer(h, dilation):
        weight, bias = next(rest), next(rest)
        taps = len(weight) // h.shape[1]
        kernel = weight.view(taps, h.shape[1], -1).permute(2, 1, 0)
        return functional.conv1d(h, kernel, bias, padding=dilation * (taps // 2), dilation=dilation)

    for block in ts2vec.BLOCKS:
        inner = layer(functional.gelu(h), block.dilation)
        inner = layer(functional.gelu(inner), block.dilation)
        h = inner + (layer(h, 1) if block.projected else h)
    return h[0].T


def test_contrast_is_the_paper_s_two_losses_at_every_scale():
    gen = torch.Generator().manual_seed(1)
    first, second = torch.randn(3, 5, 4, generator=gen), torch.randn(3, 5, 4, generator=gen)
    expected, scales, a, b = 0.0, 0, first, second
    while True:
        expected += 0.5 * instance_by_formula(a, b) + (0.5 * temporal_by_formula(a, b) if a.shape[1] > 1 else 0)
        scales += 1
        if a.shape[1] == 1:
            break
        a, b = (functional.max_pool1d(z.transpose(1, 2), 2).transpose(1, 2) for z in (a, b))
    assert ts2vec.contrast(first, second).item() == pytest.approx(expected / scales, rel=1e-5)


def temporal_by_formula(a, b):
    """Yue et al. 2022, eq. 1, both crops in both roles."""
    B, T, _ = a.shape
    total = 0.0
    for here, there in ((a, b), (b, a)):
        for i in range(B):
            for t in range(T):
                other = sum(torch.exp(here[i, t] @ there[i, s]) for s in range(T))
                other += sum(torch.exp(here[i, t] @ here[i, s]) for s in range(T) if s != t)
                total -= (here[i, t] @ there[i, t] - torch.log(other)).item()
    return total / (2 * B * T)


def instance_by_formula(a, b):
    """Yue et al. 2022, eq. 2, both crops in both roles."""
    return temporal_by_formula(a.transpose(0, 1), b.transpose(0, 1))


def test_context_fid_is_zero_for_the_same_and_grows_with_damage(waves):
    eye = encoder(waves[:600], seed=0, iterations=30)
    assert frechet(eye(waves[:600]), eye(waves[:600])) == pytest.approx(0, abs=1e-6)
    seen = eye(waves[:600])
    floor, wide, mirrored = (
        frechet(seen, eye(x)) for x in (waves[1_000:1_600], 0.5 + 1.3 * (waves[1_000:1_600] - 0.5), 1.2 - waves[:600])
    )
    assert floor < wide < mirrored, (floor, wide, mirrored)
    assert wide > 3 * floor, (floor, wide)


def test_encoder_is_the_same_for_the_same_seed_and_takes_nan(waves):
    missing = waves[:40].copy()
    missing[3, 4, 1] = np.nan
    codes = [encoder(missing, seed, iterations=3)(missing) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(codes[0], codes[1])
    assert np.isfinite(codes[0]).all()
    assert np.abs(codes[0] - codes[2]).max() > 1e-3


def test_iterations_follow_the_size_of_the_array():
    assert ts2vec.iterations_for(np.zeros((1_000, 10, 10))) == 200
    assert ts2vec.iterations_for(np.zeros((1_001, 10, 10))) == 600
