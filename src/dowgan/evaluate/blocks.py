"""Fair comparisons: blocks of time, windows within them, and real data against real data at equal size.

Shapes: N windows, T steps of a window, C channels. A series is [rows C]; several make a list.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import hadamard

Series = list[np.ndarray]
MOST_WINDOWS = 2_000  # of each kind in one comparison; of more, every n-th is taken
SHORTEST = 4  # steps of a window
WINDOWS_PER_BLOCK = 2  # a block of time has room for so many windows side by side
SEGMENTS = 7  # most stretches of the training rows that are put beside the held-out rows


@dataclass(frozen=True)
class Split:
    """One comparison: what is judged by, what real data score there, and what is judged; all of equal size.

    Attributes:
        reference: real rows.
        real: other real rows, whose score is the floor.
        fake: generated rows.
    """

    reference: Series
    real: Series
    fake: Series


def rows_in(series: Sequence[Float[np.ndarray, "_ C"]]) -> int:
    """Rows of all series together."""
    return sum(map(len, series))


def stretch(series: Sequence[Float[np.ndarray, "_ C"]], start: int, stop: int) -> Series:
    """Rows start to stop of the series laid end to end, cut where the series end."""
    out, first = [], 0
    for x in series:
        piece = x[max(start - first, 0) : max(stop - first, 0)]
        first += len(x)
        if len(piece):
            out.append(piece)
    return out


def windows(series: Sequence[Float[np.ndarray, "_ C"]], steps: int, hop: int = 1) -> Float[np.ndarray, "N T C"]:
    """All windows of the series in the order of time, every hop-th; series that are too short have none."""
    cut = [
        np.lib.stride_tricks.sliding_window_view(x, steps, axis=0)[::hop].transpose(0, 2, 1)
        for x in series
        if len(x) >= steps
    ]
    return np.concatenate(cut) if cut else np.empty((0, steps, series[0].shape[1]))


def hop_for(rows: int) -> int:
    """Step between windows that leaves at most MOST_WINDOWS of them."""
    return max(1, -(-rows // MOST_WINDOWS))


def window_for(series: Sequence[Float[np.ndarray, "_ C"]], asked: int, rows: int) -> int:
    """Steps of a window that fits the series and, several times, a block of so many rows."""
    longest = max(map(len, series))
    return int(np.clip(min(asked, longest // 2, rows // WINDOWS_PER_BLOCK), min(SHORTEST, longest), asked))


def halves(
    real: Sequence[Float[np.ndarray, "_ C"]], fake: Sequence[Float[np.ndarray, "_ C"]], window: int
) -> list[Split]:
    """Real rows cut into two halves in several balanced ways, first against second half among them.

    The rows are cut into 8 blocks of time (4 or 2 for short tables), and the signs of a Hadamard matrix say which
    block belongs to which half, so that each pair of blocks is together as often as apart (balanced half-samples,
    McCarthy 1969). The generated rows are cut in the same places; blocks of a longer table are spread over it.
    """
    rows = min(rows_in(real), rows_in(fake))
    parts = next((p for p in (8, 4) if rows // p >= WINDOWS_PER_BLOCK * window), 2)
    blocks = [_spread(x, parts, rows / parts) for x in (real, fake)]
    return [
        Split(_chosen(blocks[0], signs > 0), _chosen(blocks[0], signs < 0), _chosen(blocks[1], signs < 0))
        for signs in hadamard(parts)[1:]
    ]


def _spread(series: Sequence[Float[np.ndarray, "_ C"]], count: int, size: float) -> list[Series]:
    """So many blocks of so many rows, the first at the beginning and the last at the end."""
    starts = np.linspace(0, rows_in(series) - size, count)
    return [stretch(series, int(a), int(a + size)) for a in starts]


def _chosen(blocks: Sequence[Series], which: np.ndarray) -> Series:
    return [piece for block, taken in zip(blocks, which, strict=True) if taken for piece in block]


def against_held_out(
    held_out: Sequence[Float[np.ndarray, "_ C"]],
    train: Sequence[Float[np.ndarray, "_ C"]],
    fake: Sequence[Float[np.ndarray, "_ C"]],
) -> list[Split]:
    """Held-out rows against stretches of as many training rows and as many generated rows."""
    rows = min(rows_in(held_out), rows_in(train), rows_in(fake))
    reference = stretch(held_out, 0, rows)
    spare = min(rows_in(train), rows_in(fake)) - rows
    count = int(np.clip(1 + 2 * spare // max(rows, 1), 1, SEGMENTS))
    starts = np.linspace(0, spare, count).astype(int).tolist()
    return [Split(reference, stretch(train, s, s + rows), stretch(fake, s, s + rows)) for s in starts]
