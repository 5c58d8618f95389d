"""Every registered network: shapes, gradients to every weight, the same weights from the same seed."""

from typing import Literal

import pytest
import torch
from torch import nn

from dowgan.config import Net
from dowgan.errors import OptionError
from dowgan.nets import NETS, Shape

STEPS, CHANNELS, OUTPUTS, BATCH = 6, 3, 2, 5
NORMS = {"conv": ["none", "layer", "batch", "spectral"], "gru": ["none", "layer"]}
EVERY = [(name, norm) for name in NETS.names() for norm in NORMS.get(name, ["none", "layer", "batch", "spectral"])]


def made(name: str, role: Literal["generator", "critic"], norm: str = "none", seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        spec = Net(net=name, width=8, depth=2, norm=norm, dropout=0.0, activation="leaky")
        return NETS.get(name)(Shape(STEPS, CHANNELS, role, OUTPUTS if role == "generator" else 1), spec)


def windows(seed: int = 0, batch: int = BATCH) -> torch.Tensor:
    return torch.randn(batch, STEPS, CHANNELS, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("name", "norm"), EVERY)
def test_windows_in_windows_or_scores_out(name: str, norm: str) -> None:
    assert made(name, "generator", norm)(windows()).shape == (BATCH, STEPS, OUTPUTS)
    assert made(name, "critic", norm)(windows()).shape == (BATCH, 1)


@pytest.mark.parametrize("role", ["generator", "critic"])
@pytest.mark.parametrize(("name", "norm"), EVERY)
def test_gradients_reach_every_weight(name: str, norm: str, role: Literal["generator", "critic"]) -> None:
    net = made(name, role, norm)
    net(windows(batch=32)).square().sum().backward()
    for weight_name, weight in net.named_parameters():
        assert weight.grad is not None, weight_name
        if norm in ("batch", "layer") and weight_name.endswith("bias") and weight.grad.abs().sum() < 1e-3:
            continue  # a bias in front of a norm has no effect, as it should
        assert weight.grad.abs().sum() > 0, weight_name


@pytest.mark.parametrize("name", NETS.names())
def test_same_seed_same_weights(name: str) -> None:
    one, two, other = (made(name, "critic", seed=seed) for seed in (0, 0, 1))
    pairs = list(zip(one.parameters(), two.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("name", NETS.names())
def test_a_row_does_not_depend_on_its_batch(name: str) -> None:
    net, x = made(name, "generator").eval(), windows(batch=8)
    halves = torch.cat([net(x[:4]), net(x[4:])])
    assert torch.allclose(net(x), halves, atol=1e-6)


@pytest.mark.parametrize("name", NETS.names())
@pytest.mark.parametrize("role", ["generator", "critic"])
def test_every_channel_and_every_step_matters(name: str, role: Literal["generator", "critic"]) -> None:
    x = windows().requires_grad_()
    made(name, role)(x).square().sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(dim=0) > 0).all()


@pytest.mark.parametrize("name", NETS.names())
def test_widths_come_from_the_configuration_and_not_from_the_batch(name: str) -> None:
    net = made(name, "generator")
    shapes = [w.shape for w in net.parameters()]
    for batch in (2, 64):
        net(windows(batch=batch))
    assert [w.shape for w in net.parameters()] == shapes


@pytest.mark.parametrize("name", NETS.names())
def test_dropout_is_off_when_sampling(name: str) -> None:
    spec = Net(net=name, width=16, depth=2, dropout=0.5)
    net = NETS.get(name)(Shape(STEPS, CHANNELS, "critic", 1), spec)
    x = windows()
    net.eval()
    assert torch.equal(net(x), net(x))
    net.train()
    assert not torch.equal(net(x), net(x))


def test_a_critic_with_spectral_norm_is_lipschitz() -> None:
    net = made("dense", "critic", "spectral").train()
    for _ in range(30):  # the power iteration finds the norm step by step
        net(windows())
    layers = [m for m in net.modules() if isinstance(m, nn.Linear)]
    assert all(torch.linalg.matrix_norm(m.weight, 2) < 1.05 for m in layers[:-1])


def test_an_unknown_net_and_a_norm_that_does_not_fit() -> None:
    with pytest.raises(OptionError) as error:
        NETS.get("cnov")
    assert str(error.value) == f"Unknown net 'cnov'. Did you mean 'conv'? Known: {', '.join(sorted(NETS.names()))}."
    with pytest.raises(OptionError) as error:
        made("gru", "critic", "spectral")
    assert str(error.value) == "The gru net cannot have norm 'spectral'; it can have: none, layer."


@pytest.mark.parametrize("name", ["conv", "dense", "mlp"])
def test_batch_norm_keeps_its_statistics_when_sampling(name: str) -> None:
    """In training a row depends on its batch; when sampling on nothing but itself, and nothing is learned."""
    net, x = made(name, "generator", "batch"), windows(batch=16)
    net.train()
    for seed in range(20):
        net(3 + windows(seed, 16))
    assert not torch.allclose(net(x)[:4], net(x[:4]), atol=1e-3)
    net.eval()
    kept = {k: v.clone() for k, v in net.state_dict().items()}
    assert torch.allclose(net(x)[:4], net(x[:4]), atol=1e-5)
    assert all(torch.equal(kept[k], v) for k, v in net.state_dict().items())
