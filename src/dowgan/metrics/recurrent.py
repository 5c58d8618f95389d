"""The gated recurrent unit of the judges, with its gradient written out, for several repeats at once.

The cell is TensorFlow 1's `GRUCell` (Cho et al. 2014, arXiv:1406.1078, eq. 5-8), which the published scores
use; PyTorch's `nn.GRU` resets after the recurrent product instead of before, so it is another network:

    r, u = sigmoid(W_g [x, h] + b_g)      c = tanh(W_c [x, r * h] + b_c)      h' = u * h + (1 - u) * c

Started as there: Glorot uniform on the joint kernels `[x, h]`, gate biases 1, other biases 0. Adam as there,
with epsilon outside of the bias correction. Not matched: TensorFlow's random numbers and its order of
summation.

A judge of three units spends its time in the overhead of calls, not in arithmetic. So the repeats are trained
side by side in one array (they share nothing), batches lie along the last axis, and everything that does not
depend on the last state is done for all steps at once. Letters: R repeats, H hidden units, B windows of a
batch, T steps, C channels; arrays here are `[T R C B]`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Array = np.ndarray
GATE_BIAS = 1.0


class Parts(NamedTuple):
    """The weights of R repeats, as views into their flat vectors."""

    inputs: Float[Array, "R H3 C"]  # rows: reset, update, candidate
    gates: Float[Array, "R H2 H"]
    candidate: Float[Array, "R H H"]
    bias: Float[Array, "R H3 1"]
    head: Float[Array, "R 1 H"]
    offset: Float[Array, "R 1 1"]


@dataclass(frozen=True)
class Layout:
    """Where each weight lies in the flat vector of one repeat."""

    channels: int
    hidden: int

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        C, H = self.channels, self.hidden
        return ((3 * H, C), (2 * H, H), (H, H), (3 * H, 1), (1, H), (1, 1))

    @property
    def size(self) -> int:
        return sum(rows * columns for rows, columns in self.shapes)

    def parts(self, flat: Float[Array, "R P"]) -> Parts:
        """Return views, so that writing to them writes to the flat vectors."""
        views, at = [], 0
        for rows, columns in self.shapes:
            views.append(flat[:, at : at + rows * columns].reshape(len(flat), rows, columns))
            at += rows * columns
        return Parts(*views)

    def start(self, rngs: Sequence[np.random.Generator]) -> Float[Array, "R P"]:
        """Draw Glorot uniform weights, one repeat per generator."""
        C, H = self.channels, self.hidden
        flat = np.zeros((len(rngs), self.size), np.float32)
        parts = self.parts(flat)
        for i, rng in enumerate(rngs):
            gates = _glorot(rng, 2 * H, C + H)
            candidate = _glorot(rng, H, C + H)
            parts.inputs[i] = np.concatenate([gates[:, :C], candidate[:, :C]])
            parts.gates[i], parts.candidate[i] = gates[:, C:], candidate[:, C:]
            parts.bias[i, : 2 * H] = GATE_BIAS
            parts.head[i] = _glorot(rng, 1, H)
        return flat


def _glorot(rng: np.random.Generator, rows: int, columns: int) -> Float[Array, "rows columns"]:
    limit = np.sqrt(6 / (rows + columns))
    return rng.uniform(-limit, limit, (rows, columns)).astype(np.float32)


class Trace(NamedTuple):
    """What the forward pass leaves for the backward pass."""

    x: Float[Array, "T R C B"]
    states: Float[Array, "T1 R H B"]
    gates: Float[Array, "T R H2 B"]  # reset, update
    candidate: Float[Array, "T R H B"]
    kept: Float[Array, "T R H B"]  # reset * last state


def run(parts: Parts, x: Float[Array, "T R C B"]) -> Trace:
    """Run the cell over all steps from a state of zeros."""
    T, R, _, B = x.shape
    H = parts.candidate.shape[1]
    gates = np.matmul(-parts.inputs[:, : 2 * H], x) - parts.bias[:, : 2 * H]  # minus, as exp wants it
    candidate = np.matmul(parts.inputs[:, 2 * H :], x) + parts.bias[:, 2 * H :]
    states, kept = np.zeros((T + 1, R, H, B), x.dtype), np.empty((T, R, H, B), x.dtype)
    with np.errstate(over="ignore"):
        for t in range(T):
            _step(parts, states[t], gates[t], candidate[t], kept[t], states[t + 1])
    return Trace(x, states, gates, candidate, kept)


def _step(parts: Parts, state: Array, gates: Array, candidate: Array, kept: Array, new: Array) -> None:
    """One step in place: `gates` and `candidate` hold the part of their sums that comes from the inputs."""
    H = candidate.shape[1]
    gates -= np.matmul(parts.gates, state)
    np.exp(gates, out=gates)
    gates += 1
    np.reciprocal(gates, out=gates)  # 1 / (1 + exp(-sum)); exp may overflow to inf, whose reciprocal is right
    np.multiply(gates[:, :H], state, out=kept)
    candidate += np.matmul(parts.candidate, kept)
    np.tanh(candidate, out=candidate)
    np.subtract(state, candidate, out=new)
    new *= gates[:, H:]
    new += candidate


def gradient(layout: Layout, parts: Parts, trace: Trace, pull: Float[Array, "K R H B"]) -> Float[Array, "R P"]:
    """Carry the gradient by the last K states back to the weights of the cell (the head's places stay zero).

    Args:
        pull: gradient of the loss by the last K states: K = 1 for a judge, K = T for a predictor.
    """
    H, last = layout.hidden, trace.states[:-1]
    by_gates, by_candidate = _back(parts, trace, pull)
    flat = np.zeros((len(parts.inputs), layout.size), pull.dtype)
    into, x = layout.parts(flat), trace.x.swapaxes(2, 3)
    into.inputs[:, : 2 * H] = np.matmul(by_gates, x).sum(0)
    into.inputs[:, 2 * H :] = np.matmul(by_candidate, x).sum(0)
    into.gates[:] = np.matmul(by_gates, last.swapaxes(2, 3)).sum(0)
    into.candidate[:] = np.matmul(by_candidate, trace.kept.swapaxes(2, 3)).sum(0)
    into.bias[:, : 2 * H, 0] = by_gates.sum((0, 3))
    into.bias[:, 2 * H :, 0] = by_candidate.sum((0, 3))
    return flat


def _back(
    parts: Parts, trace: Trace, pull: Float[Array, "K R H B"]
) -> tuple[Float[Array, "T R H2 B"], Float[Array, "T R H B"]]:
    """Return the gradients by the sums inside of the gates and of the candidate."""
    _, states, gates, candidate, kept = trace
    (T, _, H, _), K = kept.shape, len(pull)
    reset, update, last = gates[:, :, :H], gates[:, :, H:], states[:-1]
    candidate_slope = (1 - update) * (1 - candidate * candidate)  # [T R H B]
    update_slope = (last - candidate) * (update * (1 - update))
    reset_slope = last * (reset * (1 - reset))
    gate_weights, candidate_weights = parts.gates.swapaxes(1, 2), parts.candidate.swapaxes(1, 2)
    by_gates, by_candidate = np.empty_like(gates), np.empty_like(candidate)
    down = np.zeros_like(states[0])  # gradient by the state after step t
    for t in reversed(range(T)):
        if t >= T - K:
            down += pull[t - T + K]
        np.multiply(down, candidate_slope[t], out=by_candidate[t])
        np.multiply(down, update_slope[t], out=by_gates[t, :, H:])
        by_kept = np.matmul(candidate_weights, by_candidate[t])
        np.multiply(by_kept, reset_slope[t], out=by_gates[t, :, :H])
        by_kept *= reset[t]
        down *= update[t]
        down += by_kept
        down += np.matmul(gate_weights, by_gates[t])
    return by_gates, by_candidate


class Adam:
    """Adam in place on flat weights (Kingma and Ba 2015, arXiv:1412.6980, efficient form of section 2)."""

    def __init__(self, flat: Float[Array, "R P"], rate: float = 1e-3) -> None:
        self.flat, self.rate, self.step = flat, rate, 0
        self.first, self.second = np.zeros_like(flat), np.zeros_like(flat)

    def descend(self, slope: Float[Array, "R P"]) -> None:
        """Take one step down the gradient."""
        self.step += 1
        self.first += 0.1 * (slope - self.first)
        self.second += 0.001 * (slope * slope - self.second)
        rate = self.rate * np.sqrt(1 - 0.999**self.step) / (1 - 0.9**self.step)
        self.flat -= (rate * self.first / (np.sqrt(self.second) + 1e-8)).astype(self.flat.dtype)


def batches(windows: Float[Array, "N T C"], picks: Float[Array, "R B"] | np.ndarray) -> Float[Array, "T R C B"]:
    """Gather a batch per repeat, laid out for the cell."""
    return np.ascontiguousarray(windows[picks].transpose(2, 0, 3, 1))  # [R B T C] -> [T R C B]
