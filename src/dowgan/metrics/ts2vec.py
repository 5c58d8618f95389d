"""TS2Vec: windows to vectors, learned from the windows themselves by contrast; the eye of Context-FID.

Yue et al., "TS2Vec: towards universal representation of time series", AAAI 2022, arXiv:2106.10466. Written
from the paper (sections 3.2-3.4, algorithm 1) with the settings of the published tables (the constants
below):

    two overlapping crops of a window, each step of each crop masked with probability .5, are encoded by a
    stack of residual blocks of dilated convolutions; a step of one crop must be closer to the same step of
    the other crop than to other steps (temporal contrast, eq. 1) and to other windows (instance contrast, eq.
    2), at every scale of a pyramid of max-pooling by two (algorithm 1).

The weights are averaged over all steps of the training, the start included. Randomness comes from the
generator that is handed in.

Fast on one core by layout. All steps of all crops of a batch are the rows of one matrix `[R W]`; a dilated
convolution gathers each row's two neighbours and is one matrix product, so both crops go through at once. A
dilation that reaches beyond the crop on both sides only ever sees zeros: its outer taps are left out, which
changes no output. All weights lie in one vector, so that the optimiser and the average are one operation
each.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

HIDDEN = 64
OUTPUT = 320
DEPTH = 10  # hidden blocks; one more widens to OUTPUT
KERNEL = 3
DROPOUT = 0.1
BATCH = 8
RATE = 1e-3
KEEP = 0.5  # probability that a step of a crop is not masked
LARGE = 100_000  # numbers in the training array
SHORT_TRAINING, LONG_TRAINING = 200, 600  # iterations up to LARGE and above
ENCODE_BATCH = 64


@dataclass(frozen=True)
class Block:
    """Two dilated convolutions with a residual path (pre-activation, GELU)."""

    inputs: int
    outputs: int
    dilation: int
    projected: bool  # the residual path is a convolution of one tap


BLOCKS = tuple(Block(HIDDEN, HIDDEN if i < DEPTH else OUTPUT, 2**i, i == DEPTH) for i in range(DEPTH + 1))


@dataclass(frozen=True)
class Encoder:
    """A trained encoder: its weights in one vector."""

    channels: int
    flat: Tensor

    def __call__(self, windows: Float[np.ndarray, "N T C"]) -> Float[np.ndarray, "N 320"]:
        """Encode whole windows, max-pooled over time. A step with any NaN counts as masked."""
        assert windows.shape[2] == self.channels, f"{windows.shape[2]} channels, trained on {self.channels}"
        N, T, C = windows.shape
        found = []
        with torch.inference_mode():
            weights = _views(self.flat, _shapes(C))
            for at in range(0, N, ENCODE_BATCH):
                rows = torch.tensor(windows[at : at + ENCODE_BATCH], dtype=torch.float32).flatten(0, 1)
                lengths = [T] * (len(rows) // T)
                found.append(_encode(rows, lengths, weights, None).view(-1, T, OUTPUT).amax(1))
        return torch.cat(found).double().numpy()


def iterations_for(windows: Float[np.ndarray, "N T C"]) -> int:
    """The published number of training steps: 200, or 600 for arrays of more than 100,000 numbers."""
    return SHORT_TRAINING if windows.size <= LARGE else LONG_TRAINING


def train(windows: Float[np.ndarray, "N T C"], rng: torch.Generator, iterations: int | None = None) -> Encoder:
    """Train an encoder on windows; the same generator state gives the same encoder.

    Args:
        windows: real windows of at least two steps, scaled by `minmax` for published figures.
        rng: used for the start, the order, the crops, the masks and the dropout.
        iterations: None for the published number, see `iterations_for`.
    """
    shapes = _shapes(windows.shape[2])
    flat = _start(shapes, rng).requires_grad_()
    average = flat.detach().clone()
    optimiser = torch.optim.AdamW([flat], lr=RATE, fused=True)
    x = torch.tensor(windows, dtype=torch.float32)
    steps = iterations_for(windows) if iterations is None else iterations
    order = _batch_rows(len(x), steps, rng)
    for step in range(steps):
        first, second = _two_crops(x[order[step]], _views(flat, shapes), rng)
        optimiser.zero_grad(set_to_none=True)
        contrast(first, second).backward()
        optimiser.step()
        average.lerp_(flat.detach(), 1 / (step + 2))
    return Encoder(windows.shape[2], average)


def _shapes(channels: int) -> tuple[tuple[int, ...], ...]:
    """Weights in order: input, then per block two convolutions and perhaps a projection, with biases."""
    shapes: list[tuple[int, ...]] = [(channels, HIDDEN), (HIDDEN,)]
    for block in BLOCKS:
        shapes += [(KERNEL * block.inputs, block.outputs), (block.outputs,)]
        shapes += [(KERNEL * block.outputs, block.outputs), (block.outputs,)]
        if block.projected:
            shapes += [(block.inputs, block.outputs), (block.outputs,)]
    return tuple(shapes)


def _start(shapes: Sequence[tuple[int, ...]], rng: torch.Generator) -> Float[Tensor, "P"]:
    """Uniform within 1 / sqrt(fan-in), a bias by the fan-in of its matrix."""
    pieces, fan = [], 1
    for shape in shapes:
        fan = shape[0] if len(shape) == 2 else fan
        pieces.append((torch.rand(math.prod(shape), generator=rng) * 2 - 1) / math.sqrt(fan))
    return torch.cat(pieces)


def _views(flat: Float[Tensor, "P"], shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    pieces = flat.split([math.prod(shape) for shape in shapes])
    return [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]


def _batch_rows(count: int, steps: int, rng: torch.Generator) -> list[Tensor]:
    """Shuffled passes over all windows in batches of BATCH; what is left at the end of a pass is dropped."""
    size = min(BATCH, count)
    rows: list[Tensor] = []
    while len(rows) < steps:
        rows += torch.randperm(count, generator=rng)[: count // size * size].split(size)
    return rows


def _below(low: int, high: int, rng: torch.Generator) -> int:
    return int(torch.randint(low, high, (1,), generator=rng))


def _two_crops(
    x: Float[Tensor, "B T C"], weights: list[Tensor], rng: torch.Generator
) -> tuple[Float[Tensor, "B L W"], Float[Tensor, "B L W"]]:
    """Encode two crops [a1, b1] and [a2, b2], a1 <= a2 < b1 <= b2, and keep their overlap [a2, b1]."""
    B, T, _ = x.shape
    length = _below(2, T + 1, rng)
    left = _below(0, T - length + 1, rng)
    right = left + length
    outer_left, outer_right = _below(0, left + 1, rng), _below(right, T + 1, rng)
    shift = torch.randint(-outer_left, T - outer_right + 1, (B, 1), generator=rng)
    window = torch.arange(B)[:, None]
    first = x[window, shift + torch.arange(outer_left, right)]
    second = x[window, shift + torch.arange(left, outer_right)]
    lengths = [first.shape[1]] * B + [second.shape[1]] * B
    rows = torch.cat([first.flatten(0, 1), second.flatten(0, 1)])  # [B L1 + B L2, C]
    codes = _encode(rows, lengths, weights, rng).split([B * first.shape[1], B * second.shape[1]])
    return codes[0].view(B, -1, OUTPUT)[:, -length:], codes[1].view(B, -1, OUTPUT)[:, :length]


def _encode(
    x: Float[Tensor, "R C"], lengths: list[int], weights: list[Tensor], rng: torch.Generator | None
) -> Float[Tensor, "R W"]:
    """Encode sequences that lie one after the other; with a generator as in training (masks and dropout)."""
    known = ~x.isnan().any(1, keepdim=True)
    h = torch.addmm(weights[1], torch.where(known, x, 0.0), weights[0])
    if rng is not None:
        known = known & (torch.rand(known.shape, generator=rng) < KEEP)
    h = torch.where(known, h, 0.0)
    place, length = _places(lengths)
    rest = iter(weights[2:])
    for block in BLOCKS:
        near = _neighbours(place, length, block.dilation) if block.dilation < max(lengths) else None
        step = _convolve(functional.gelu(h), next(rest), next(rest), near)
        step = _convolve(functional.gelu(step), next(rest), next(rest), near)
        h = step + (_convolve(h, next(rest), next(rest), None) if block.projected else h)
    if rng is not None:
        h = h * ((torch.rand(h.shape, generator=rng) >= DROPOUT) / (1 - DROPOUT))
    return h


def _places(lengths: list[int]) -> tuple[Int[Tensor, "R"], Int[Tensor, "R"]]:
    """Each row's place in its sequence, and the length of that sequence."""
    of = torch.tensor(lengths)
    length = of.repeat_interleave(of)
    start = (of.cumsum(0) - of).repeat_interleave(of)
    return torch.arange(len(length)) - start, length


def _neighbours(place: Int[Tensor, "R"], length: Int[Tensor, "R"], dilation: int) -> Int[Tensor, "R3"]:
    """The rows that the three taps of each row see; outside of the sequence that is row R, which is zero."""
    row, nowhere = torch.arange(len(place)), torch.tensor(len(place))
    before = torch.where(place >= dilation, row - dilation, nowhere)
    after = torch.where(place + dilation < length, row + dilation, nowhere)
    return torch.stack([before, row, after], 1).flatten()


def _convolve(
    h: Float[Tensor, "R W"], weight: Tensor, bias: Tensor, near: Int[Tensor, "R3"] | None
) -> Float[Tensor, "R V"]:
    """A convolution of three taps, or of the middle one alone if no neighbours are given."""
    R, W = h.shape
    if near is None:
        middle = weight if len(weight) == W else weight[W : 2 * W]
        return torch.addmm(bias, h, middle)
    seen = torch.cat([h, h.new_zeros(1, W)]).index_select(0, near)  # [3R W]
    return torch.addmm(bias, seen.view(R, KERNEL * W), weight)


def contrast(first: Float[Tensor, "B L W"], second: Float[Tensor, "B L W"]) -> Float[Tensor, ""]:
    """The hierarchical contrastive loss, algorithm 1: both contrasts, averaged over the scales."""
    total, scales = first.new_zeros(()), 0
    while True:
        total = total + (_instance(first, second) + _temporal(first, second)) / 2
        scales += 1
        if first.shape[1] == 1:
            return total / scales
        first, second = _halve(first), _halve(second)


def _halve(x: Float[Tensor, "B L W"]) -> Float[Tensor, "B M W"]:
    even = x.shape[1] // 2 * 2
    return torch.maximum(x[:, 0:even:2], x[:, 1:even:2])


def _temporal(first: Float[Tensor, "B L W"], second: Float[Tensor, "B L W"]) -> Float[Tensor, ""]:
    """Eq. 1: the same step of the other crop against all other steps of the same window."""
    if first.shape[1] == 1:
        return first.new_zeros(())
    return _pairs(torch.cat([first, second], 1))


def _instance(first: Float[Tensor, "B L W"], second: Float[Tensor, "B L W"]) -> Float[Tensor, ""]:
    """Eq. 2: the other crop of the same window against all other windows at the same step."""
    if len(first) == 1:
        return first.new_zeros(())
    return _pairs(torch.cat([first, second]).transpose(0, 1))


def _pairs(items: Float[Tensor, "G M W"]) -> Float[Tensor, ""]:
    """Cross-entropy of item i choosing its partner i + K among all items but itself."""
    count = items.shape[1]
    likeness = items @ items.transpose(1, 2)  # [G 2K 2K]
    logits = likeness.masked_fill(torch.eye(count, dtype=torch.bool), -torch.inf)
    partner = torch.arange(count).roll(count // 2).repeat(len(items))
    return functional.cross_entropy(logits.flatten(0, 1), partner)
