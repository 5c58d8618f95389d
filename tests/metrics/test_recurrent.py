"""The written-out gradients against autograd of the paper's formula."""

import numpy as np
import pytest
import torch

from dowgan.metrics import recurrent
from dowgan.metrics.discriminative import judge_gradient
from dowgan.metrics.predictive import forecast_gradient

LAYOUT = recurrent.Layout(channels=3, hidden=2)


def unfold(flat, layout):
    """The weights of one repeat, read again from the documented order."""
    pieces, at = [], 0
    for rows, columns in layout.shapes:
        pieces.append(flat[at : at + rows * columns].reshape(rows, columns))
        at += rows * columns
    return pieces


def states_by_formula(flat, x, layout):
    """Cho et al. 2014 with the reset before the product; x [T C B] -> states [T H B]."""
    inputs, gates, candidate, bias, _, _ = unfold(flat, layout)
    H, state, found = layout.hidden, torch.zeros(layout.hidden, x.shape[2], dtype=torch.float64), []
    for step in x:
        sums = inputs @ step + bias
        r, u = torch.sigmoid(sums[: 2 * H] + gates @ state).split(H)
        c = torch.tanh(sums[2 * H :] + candidate @ (r * state))
        state = u * state + (1 - u) * c
        found.append(state)
    return torch.stack(found)


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    flat = LAYOUT.start([rng, rng]).astype(float) + 0.1
    return flat, rng.standard_normal((6, 2, 3, 10)), rng.random((6, 2, 1, 10))


def test_judge_gradient_is_that_of_the_cross_entropy(problem):
    flat, x, _ = problem
    found = judge_gradient(LAYOUT, LAYOUT.parts(flat), x, 4)
    for repeat in range(2):
        weights = torch.tensor(flat[repeat], requires_grad=True)
        *_, head, offset = unfold(weights, LAYOUT)
        logits = (head @ states_by_formula(weights, torch.tensor(x[:, repeat]), LAYOUT)[-1] + offset)[0]
        softplus = torch.nn.functional.softplus
        (softplus(-logits[:4]).mean() + softplus(logits[4:]).mean()).backward()
        np.testing.assert_allclose(found[repeat], weights.grad.numpy(), atol=1e-12)


def test_forecast_gradient_is_that_of_the_absolute_error(problem):
    flat, x, y = problem
    found = forecast_gradient(LAYOUT, LAYOUT.parts(flat), x, y)
    for repeat in range(2):
        weights = torch.tensor(flat[repeat], requires_grad=True)
        *_, head, offset = unfold(weights, LAYOUT)
        guess = torch.sigmoid(head @ states_by_formula(weights, torch.tensor(x[:, repeat]), LAYOUT) + offset)
        (guess - torch.tensor(y[:, repeat])).abs().mean().backward()
        np.testing.assert_allclose(found[repeat], weights.grad.numpy(), atol=1e-12)


def test_adam_takes_the_steps_of_the_paper():
    flat = np.array([[1.0, -2.0]])
    adam, first, second, expected = recurrent.Adam(flat, 0.1), 0.0, 0.0, flat.copy()
    for step in range(1, 4):
        slope = 2 * expected
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        rate = 0.1 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        adam.descend(2 * flat)
        expected = expected - rate * first / (np.sqrt(second) + 1e-8)
        np.testing.assert_allclose(flat, expected, rtol=1e-12)


def test_start_is_glorot_with_open_gates():
    flat = recurrent.Layout(6, 3).start([np.random.default_rng(1)])
    parts = recurrent.Layout(6, 3).parts(flat)
    assert np.abs(parts.gates).max() <= np.sqrt(6 / (6 + 3 + 6))
    assert np.abs(parts.candidate).max() <= np.sqrt(6 / (6 + 3 + 3))
    np.testing.assert_array_equal(parts.bias[0, :, 0], [1] * 6 + [0] * 3)


def test_saturated_gates_are_finite_and_silent():
    layout = recurrent.Layout(1, 1)
    parts = layout.parts(np.full((1, layout.size), 50, np.float32))
    x = np.array([-1e3, 1e3], np.float32).reshape(2, 1, 1, 1)
    assert np.isfinite(recurrent.run(parts, x).states).all()
