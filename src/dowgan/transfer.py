"""Begin a training with the weights of another model: what fits is taken, the rest starts new.

Columns are matched by name, else by how they behave. A network in the prior's coordinates sees no columns but
whitened directions, which differ from table to table; they are brought together through the windows of normal scores
that both stand for: a direction of the new table is a window, and that window has coordinates in the old table. The
orthogonal matrix nearest to this map (Schonemann 1966, Psychometrika 31:1) turns the first and the last layer, so
that on the same table it is the identity and on a similar one the old function is kept as well as can be.

Shapes: D channels, T steps, U coordinates; "old" is the model that weights come from, "new" what is trained.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import block_diag
from scipy.optimize import linear_sum_assignment

from dowgan.channels import Channels
from dowgan.config import Config
from dowgan.coordinates import Coordinates
from dowgan.errors import OptionError
from dowgan.model import Model, Network
from dowgan.prior import Prior
from dowgan.table.schema import Schema

LAGS = (1, 2, 4, 8)  # at which the autocorrelation of two channels is compared
KNOWN = 1e-6  # least singular value, of the largest, of a direction that both tables have


@dataclass(frozen=True)
class Side:
    """One table as transfer sees it.

    Attributes:
        names: of the channels.
        behaviour: how each channel behaves.
        steps: of a window.
        whiten, colour: normal scores to the prior's coordinates and back; empty where no network works in them.
    """

    names: tuple[str, ...]
    behaviour: Float[np.ndarray, "D F"]
    steps: int
    whiten: Float[np.ndarray, "TD U"]
    colour: Float[np.ndarray, "U TD"]


@dataclass(frozen=True)
class Source:
    """What weights are taken from: a network, and the table that it was trained on as transfer sees it."""

    side: Side
    network: Network


SOURCE_KINDS: dict[str, type] = {kind.__name__: kind for kind in (Source, Side, Network)}


@dataclass(frozen=True)
class Matched:
    """Which old channel each new channel goes with.

    Attributes:
        old: for each new channel the old one's number, -1 for none.
        by_name: how many were matched by name.
    """

    old: tuple[int, ...]
    by_name: int


def channel_names(schema: Schema, channels: Channels) -> tuple[str, ...]:
    """Return a name for each channel: its column's, with the level's number where a column has several."""
    out = []
    for code in channels.codes:
        name = schema.channels[code.place].name
        out += [name] if code.width == 1 else [f"{name}/{level}" for level in range(code.width)]
    return tuple(out)


def behaviour(prior: Prior, channels: Channels) -> Float[np.ndarray, "D F"]:
    """Describe each channel: autocorrelation at some lags, skewness, and spread beside its mean."""
    lagged = prior.process.lagged
    diagonal = np.einsum("ldd->ld", lagged)
    power = np.maximum(diagonal[0], 1e-9)
    memory = np.stack([diagonal[min(lag, len(lagged) - 1)] / power for lag in LAGS], axis=1)
    quantiles = prior.marginals.quantiles
    low, middle, high = (np.quantile(quantiles, q, axis=0) for q in (0.1, 0.5, 0.9))
    skewness = (high + low - 2 * middle) / np.maximum(high - low, 1e-9)
    widths = [code.width for code in channels.codes]
    spread = np.repeat([np.arctan2(c.spread, abs(c.centre)) for c in channels.codes], widths)
    return np.column_stack([memory, skewness, spread])


def match(old: Side, new: Side) -> Matched:
    """Match channels by name, then the rest by the least total difference in behaviour."""
    found = [old.names.index(name) if name in old.names else -1 for name in new.names]
    by_name = sum(f >= 0 for f in found)
    free_new = [i for i, f in enumerate(found) if f < 0]
    free_old = [i for i in range(len(old.names)) if i not in found]
    if free_new and free_old:
        a, b = new.behaviour[free_new], old.behaviour[free_old]
        cost = np.abs(a[:, None] - b[None]).sum(axis=2)
        for row, column in zip(*linear_sum_assignment(cost), strict=True):
            found[free_new[row]] = free_old[column]
    return Matched(tuple(found), by_name)


def _selection(matched: Matched, width: int) -> Float[np.ndarray, "N O"]:
    """One where a new channel goes with an old one."""
    out = np.zeros((len(matched.old), width))
    for new, old in enumerate(matched.old):
        if old >= 0:
            out[new, old] = 1
    return out


def _over_steps(selection: Float[np.ndarray, "N O"], new: int, old: int) -> Float[np.ndarray, "NT OT"]:
    """The same at every step of a window; windows of other lengths are laid upon each other from the start."""
    return np.kron(np.eye(new, old), selection)


def orthogonal(across: Float[np.ndarray, "N O"]) -> Float[np.ndarray, "N O"]:
    """Return the nearest (partial) isometry of a map."""
    left, size, right = np.linalg.svd(across, full_matrices=False)
    kept = size > KNOWN * size[0]
    return left[:, kept] @ right[kept]


def turned(old: Side, new: Side, matched: Matched) -> Float[np.ndarray, "N O"]:
    """Return the map of new coordinates to old ones."""
    steps = _over_steps(_selection(matched, len(old.names)), new.steps, old.steps)
    return orthogonal(new.colour @ steps @ old.whiten)


@dataclass(frozen=True)
class Maps:
    """How the first and the last layer of a network are turned.

    Attributes:
        inputs: candidates for the first layer: [new old] by the old layer's number of inputs.
        outputs: the same for the last layer.
    """

    inputs: Mapping[int, Float[np.ndarray, "_N _O"]]
    outputs: Mapping[int, Float[np.ndarray, "_N _O"]]


def maps(old: Side, new: Side, matched: Matched, space: str, beside: tuple[int, int] = (0, 0)) -> Maps:
    """Return the maps for a space: one for nets that see a whole window, one for nets that see a step.

    Args:
        beside: channels that the new and the old network are given behind those of the windows, such as the time of
            a flow or a condition; they go together in their order.
    """
    more = np.eye(*beside)
    if space == "prior":
        turn = turned(old, new, matched)
        return Maps(_by_width([block_diag(turn, more)]), _by_width([turn]))
    step = _selection(matched, len(old.names))
    wide = block_diag(step, more)
    return Maps(*(_by_width([_over_steps(s, new.steps, old.steps), s]) for s in (wide, step)))


def _by_width(turns: Sequence[Float[np.ndarray, "_N _O"]]) -> dict[int, Float[np.ndarray, "_N _O"]]:
    return {turn.shape[1]: turn for turn in turns}


def carry(
    fresh: Mapping[str, np.ndarray], old: Mapping[str, np.ndarray], turn: Maps, role: str
) -> tuple[dict[str, np.ndarray], frozenset[str]]:
    """Return the weights to begin with, and the names of those that were taken.

    Args:
        fresh: newly drawn weights.
        old: the other model's.
        turn: maps of the first and the last layer.
        role: "generator", whose last layer is turned too, or "critic".

    A weight of the same shape is taken as it is; the first layer (and a generator's last) is turned, and what the
    old table has no counterpart for keeps its new weights; all others start new.
    """
    out, taken = dict(fresh), set()
    order = list(fresh)
    layers = [place for place, name in enumerate(order) if fresh[name].ndim >= 2]
    for place, (name, weight) in enumerate(fresh.items()):
        found: np.ndarray | None = old.get(name)
        if found is not None and layers and place == layers[0]:
            found = _along(found, weight, turn.inputs, axis=1)
        elif found is not None and role == "generator" and layers and place >= layers[-1]:
            found = _along(found, weight, turn.outputs, axis=0)
        if found is not None and found.shape == weight.shape:
            out[name] = found.astype(weight.dtype)
            taken.add(name)
    return out, frozenset(taken)


def _along(
    old: np.ndarray, fresh: np.ndarray, candidates: Mapping[int, Float[np.ndarray, "_N _O"]], axis: int
) -> np.ndarray | None:
    """Turn one axis of a layer; None where the layer does not have the size that a map is for."""
    turn = candidates.get(old.shape[axis])
    if turn is None or len(turn) != fresh.shape[axis]:
        return None
    return _turn(old, fresh, turn, axis)


def _turn(old: np.ndarray, fresh: np.ndarray, turn: Float[np.ndarray, "N O"], axis: int) -> np.ndarray | None:
    moved = np.moveaxis(np.tensordot(turn, old, axes=(1, axis)), 0, axis)
    if moved.shape != fresh.shape:
        return None
    apart = np.eye(len(turn)) - turn @ turn.T  # directions that the old table does not have
    return moved + np.moveaxis(np.tensordot(apart, fresh, axes=(1, axis)), 0, axis)


def side_of(schema: Schema, channels: Channels, prior: Prior, coordinates: Coordinates) -> Side:
    """Return a table that was fitted as transfer sees it."""
    described = behaviour(prior, channels)
    return Side(
        channel_names(schema, channels), described, coordinates.steps, coordinates.whiten, coordinates.colour
    )  # fmt: skip


def source_of(model: Model) -> Source:
    """Return what a fitted model gives to another.

    Raises:
        OptionError: it has no network.
    """
    if model.network is None:
        recipe = Config.model_validate_json(model.recipe).recipe
        raise OptionError(f"Nothing can be taken from that model: it has no network (recipe '{recipe}').")
    return Source(side_of(model.table_schema, model.channels, model.window, model.coordinates), model.network)


def tell_match(old: Side, new: Side, matched: Matched) -> str:
    """Say in a sentence which columns went together."""
    pairs = [
        f"{n} from {old.names[o]}" for n, o in zip(new.names, matched.old, strict=True) if o >= 0 and n != old.names[o]
    ]
    alone = [n for n, o in zip(new.names, matched.old, strict=True) if o < 0]
    text = f"transfer: {matched.by_name} of {len(new.names)} columns matched by name"
    text += f", {len(pairs)} by behaviour ({_some(pairs)})" if pairs else ""
    return text + (f", {len(alone)} without a counterpart ({_some(alone)})" if alone else "")


def tell_taken(role: str, taken: frozenset[str], fresh: Sequence[str]) -> str:
    """Say in a sentence which weights were taken."""
    new = [name for name in fresh if name not in taken]
    return f"transfer: {role}: {len(taken)} of {len(fresh)} weights taken" + (f"; new: {_some(new)}" if new else "")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def refusal(network: Network, config: Config) -> str | None:
    """Say why nothing can be taken from a network, None if something can."""
    old = Config.model_validate_json(network.recipe)
    if old.space != config.space:
        return (
            f"its network works in space '{old.space}', that of the recipe '{config.recipe}' in '{config.space}'; "
            f"the recipe of that model is '{old.recipe}'"
        )
    if old.space == "embedding":
        return "an embedding is trained anew for each table"
    return None
