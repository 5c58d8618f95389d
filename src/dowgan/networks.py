"""Train a network for a table, and use it: between the closed-form part of a model and the training loop.

A network works in one of the spaces of `space`: the prior's coordinates, standardised channels, the columns as they
are, or a learned embedding. The last three are the founding system's: windows are cut from the table and drawn
independently, or each from the state behind the one before.

Shapes: B windows, N windows of a table, T steps, D channels, U coordinates, K channels of a space, R told channels,
W values of an embedding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from dowgan import transfer
from dowgan.chain import Drawn, WindowSampler
from dowgan.channels import Channels
from dowgan.config import Config
from dowgan.embedding import Embedding, fit_embedding
from dowgan.errors import OptionError
from dowgan.fidelity import fidelity
from dowgan.fitting import Fitted, drawn_coordinates
from dowgan.model import Network, Training
from dowgan.noises import NOISES, Noise, stored
from dowgan.objectives import OBJECTIVES
from dowgan.players import Start, Told, tell
from dowgan.rng import CHUNK, Streams
from dowgan.sampling import Refine
from dowgan.table.schema import Run, Schema
from dowgan.train import Progress, assert_alive, fit_generator, restore
from dowgan.transfer import Source
from dowgan.windows import windows_and_held

CHECKED = 1024  # windows that a fidelity is measured on
DRAWN = 4096  # windows that show whether a generator has collapsed
LEAST_HELD = 16  # held-out windows, below which fidelity is measured on all windows
STARTS = 256  # states of the table from which a series in an embedding may begin
WATCHED = 24  # windows that are shown of a training

Watch = Callable[[Float[np.ndarray, "A S C"], Float[np.ndarray, "B S C"]], None]
"""(real, generated) windows in the user's units, called whenever the fidelity is measured."""


def told_of(regime: Int[np.ndarray, "*T"], regimes: int) -> Float[np.ndarray, "*T R"]:
    """Return what a network is told of the regime of each row: one channel per regime, none if there is but one."""
    return (regime[..., None] == np.arange(regimes if regimes > 1 else 0)).astype(float)


def raw_places(channels: Channels) -> list[int]:
    """Return which of the schema's channels a network in raw space works with: those that become channels."""
    return [code.place for code in channels.codes]


def series_of(channels: Channels, run: Run, space: str) -> Float[np.ndarray, "T K"]:
    """Return a run as a space sees it, NaN where missing."""
    return run.values[:, raw_places(channels)] if space == "raw" else channels.encode(run.values)


def values_of(
    channels: Channels,
    series: Float[np.ndarray, "T K"],
    regime: Int[np.ndarray, " T"],
    space: str,
    told: Float[np.ndarray, "T C"] | None = None,
) -> Float[np.ndarray, "T C"]:
    """Return a series of a space in the user's units; `told` as in `Channels.decode`."""
    told = channels.setpoints.told(regime) if told is None else told
    if space != "raw":
        return channels.decode(series, regime, told)
    out = np.full((len(series), channels.columns), np.nan)
    out[:, raw_places(channels)] = series
    return channels.complete(out, regime, told)


@dataclass(frozen=True)
class Material:
    """What a network trains on in its space.

    Attributes:
        windows: [N T K], all of them; `held` says which are held out.
        told: conditions of each.
        truth: [N S D] the same windows on the scale that fidelity is measured on; S is T, or the steps behind
            the prior's coordinates.
        to_scale: windows of the space to that scale.
        to_units: windows of the space to the user's units, for the eye: all in the first regime.
        noise: what the generator starts from.
    """

    windows: Float[np.ndarray, "N T K"]
    told: Float[np.ndarray, "N T R"]
    held: np.ndarray
    truth: Float[np.ndarray, "N S D"]
    to_scale: Callable[[Float[np.ndarray, "B T K"]], Float[np.ndarray, "B S D"]]
    to_units: Callable[[Float[np.ndarray, "B T K"]], Float[np.ndarray, "B S C"]]
    noise: Noise


def _in_units(channels: Channels, windows: Float[np.ndarray, "B S K"], space: str) -> Float[np.ndarray, "B S C"]:
    regime = np.zeros(windows.shape[1], dtype=int)
    return np.stack([values_of(channels, w, regime, space) for w in windows])


def _in_prior(fitted: Fitted, runs: Sequence[Run], streams: Streams) -> Material:
    """The noise is the windows of the prior themselves, which are only about white in these coordinates."""
    sided, back = fitted.windows[fitted.sided], fitted.coordinates.from_coordinates
    windows, held = sided[:, None], fitted.held_out[fitted.sided]
    told = np.zeros((len(windows), 1, 0))

    def to_units(w: Float[np.ndarray, "B 1 U"]) -> Float[np.ndarray, "B S C"]:
        values = fitted.coordinates.scores.from_normal(back(w[:, 0]))
        return _in_units(fitted.channels, values, "standard")

    noise = stored(drawn_coordinates(fitted, runs, streams.numpy("noise"))[:, None])
    return Material(windows, told, held, back(sided), lambda w: back(w[:, 0]), to_units, noise)


def _cut(
    fitted: Fitted, runs: Sequence[Run], space: str, steps: int
) -> tuple[Float[np.ndarray, "N T K"], Float[np.ndarray, "N T R"], np.ndarray]:
    """Windows of the table, missing values at the mean, with what is told of them and which are held out."""
    channels = fitted.channels
    series = [series_of(channels, run, space) for run in runs]
    centre = np.nanmean(np.concatenate(series), axis=0)
    told = [told_of(channels.regimes.of(run.values), len(channels.regimes)) for run in runs]
    width = len(centre)
    both = [np.concatenate([s - centre, t], axis=1) for s, t in zip(series, told, strict=True)]
    windows, held = windows_and_held(both, steps)
    return windows[..., :width] + centre, windows[..., width:], held


def _in_windows(fitted: Fitted, runs: Sequence[Run], config: Config) -> Material:
    space = config.space
    windows, told, held = _cut(fitted, runs, space, fitted.coordinates.steps)
    flat = windows.reshape(-1, windows.shape[2])
    centre, spread = flat.mean(axis=0), flat.std(axis=0) + 1e-9

    def to_scale(w: Float[np.ndarray, "B T K"]) -> Float[np.ndarray, "B T K"]:
        return (w - centre) / spread

    return Material(
        windows, told, held, to_scale(windows), to_scale, lambda w: _in_units(fitted.channels, w, space),
        NOISES.get(config.noise),
    )  # fmt: skip


def _in_embedding(
    fitted: Fitted, runs: Sequence[Run], config: Config, streams: Streams
) -> tuple[Material, Embedding, Float[np.ndarray, "S W"]]:
    """Train the embedding on windows of twice the length; the generator is told the state behind the first half."""
    steps = fitted.coordinates.steps
    double, told, held = _cut(fitted, runs, "standard", 2 * steps)
    embedding = fit_embedding(double if config.train.all_rows else double[~held], config.encoder, streams)
    states = embedding.embed(double)  # [N 2T W]
    last = states[:, steps - 1]
    told = np.concatenate([told[:, steps:], np.repeat(last[:, None], steps, axis=1)], axis=2)
    picks = np.linspace(0, len(last) - 1, min(STARTS, len(last))).astype(int)

    def to_units(w: Float[np.ndarray, "B T W"]) -> Float[np.ndarray, "B T C"]:
        return _in_units(fitted.channels, embedding.recover(w), "standard")

    material = Material(
        states[:, steps:], told, held, double[:, steps:], embedding.recover, to_units, NOISES.get(config.noise)
    )
    return material, embedding, last[picks]


def _score(
    material: Material, config: Config, shown: np.ndarray, watch: Watch | None
) -> Callable[[Callable[[int], Float[np.ndarray, "B T K"]]], float]:
    part = slice(None, config.train.check_steps)
    truth = material.truth[shown][:, part]
    seen = shown[:: max(1, len(shown) // WATCHED)][:WATCHED]

    def score(sample: Callable[[int], Float[np.ndarray, "B T K"]]) -> float:
        drawn = sample(CHECKED)
        if not np.isfinite(drawn).all():
            return float("inf")
        if watch is not None:
            watch(*(material.to_units(windows) for windows in (material.windows[seen], drawn[:WATCHED])))
        return fidelity(material.to_scale(drawn)[:, part], truth)

    return score


def train_network(
    fitted: Fitted,
    config: Config,
    streams: Streams,
    progress: Progress | None,
    runs: Sequence[Run] = (),
    start: Start | None = None,
    watch: Watch | None = None,
) -> tuple[Network, Training]:
    """Train a generator in the space that the configuration names.

    Args:
        runs: the table's, from which the windows of a space other than the prior's are cut.
        start: gives the weights to begin with.
        watch: shown real and generated windows while the network trains.

    Raises:
        CollapseError: the generator lost the spread of the data, and the recipe does not allow that.
        OptionError: structured noise is asked for in the prior's coordinates, where noise is the prior itself.
    """
    if config.space == "prior" and config.noise != "white":
        raise OptionError(
            f"Noise '{config.noise}' needs --set space=standard: in space 'prior' the prior is the noise."
        )
    embedding, starts = None, np.empty((0, 0))
    if config.space == "prior":
        material = _in_prior(fitted, runs, streams)
    elif config.space == "embedding":
        material, embedding, starts = _in_embedding(fitted, runs, config, streams)
    else:
        material = _in_windows(fitted, runs, config)
    train = np.ones(len(material.held), dtype=bool) if config.train.all_rows else ~material.held
    held = material.held if material.held.sum() >= LEAST_HELD else np.ones(len(train), dtype=bool)
    shown = np.flatnonzero(held)[:: max(1, int(held.sum()) // CHECKED)]
    told = Told(*(torch.from_numpy(material.told[rows].astype(np.float32)) for rows in (train, shown)))
    score = _score(material, config, shown, watch)
    network, training = fit_generator(
        material.windows[train], score, config, streams, progress, material.noise, told, start
    )
    if embedding is not None:
        network = replace(network, encoder=embedding.stored(starts))
    fake = _drawn(network, material.noise, told.train, streams)
    note = assert_alive(fake, material.windows, config)
    return network, replace(training, stopped=f"{training.stopped}. {note}".strip(". "))


def start_from(source: Source, fitted: Fitted, schema: Schema, config: Config) -> tuple[Start, list[str]]:
    """Return what gives a training the weights of another network, and sentences that say what was taken.

    The sentences are complete once the training has begun.

    Raises:
        OptionError: nothing can be taken.
    """
    old = source.network
    reason = transfer.refusal(old, config)
    if reason is not None:
        raise OptionError(f"Nothing can be taken from that model: {reason}.")
    target = transfer.side_of(schema, fitted.channels, fitted.window, fitted.coordinates)
    matched = transfer.match(source.side, target)
    regimes = len(fitted.channels.regimes)
    told = regimes if regimes > 1 and config.space != "prior" else 0
    kept = {"generator": old.weights, "critic": old.critic}
    said = [transfer.tell_match(source.side, target, matched)]

    def start(role: str, fresh: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], frozenset[str]]:
        flows = [_beside(c, role) for c in (config, Config.model_validate_json(old.recipe))]
        turn = transfer.maps(source.side, target, matched, config.space, (told + flows[0], old.told + flows[1]))
        arrays, taken = transfer.carry({k: v.numpy() for k, v in fresh.items()}, kept[role], turn, role)
        said.append(transfer.tell_taken(role, taken, list(arrays)))
        return {k: torch.tensor(v) for k, v in arrays.items()}, taken

    return start, said


def _beside(config: Config, role: str) -> int:
    """Channels that an objective gives a player beside noise and conditions."""
    return OBJECTIVES.get(config.objective.name).time_input if role == "generator" else 0


def _drawn(
    network: Network, noise: Noise, told: Float[torch.Tensor, "N T R"], streams: Streams
) -> Float[np.ndarray, "B T K"]:
    """Windows that show whether a generator has collapsed."""
    rows = torch.cat([told] * (DRAWN // len(told) + 1))[:DRAWN]
    return _draw_windows(network, noise)(rows.numpy(), streams.torch("alive"))


def generator_of(network: Network) -> Refine:
    """Return a trained generator as a function on coordinates."""
    generator, objective, _ = restore(network)

    def refine(coordinates: Float[np.ndarray, "B U"]) -> Float[np.ndarray, "B U"]:
        noise = torch.from_numpy(coordinates.astype(np.float32))[:, None]
        with torch.no_grad():
            return objective.sample(generator, noise)[:, 0].numpy().astype(np.float64)

    return refine


def _draw_windows(
    network: Network, noise: Noise
) -> Callable[[Float[np.ndarray, "B T R"], torch.Generator], Float[np.ndarray, "B T K"]]:
    """Return a function that draws a window of a generator's space for each row of conditions."""
    generator, objective, _ = restore(network)

    def draw(told: Float[np.ndarray, "B T R"], random: torch.Generator) -> Float[np.ndarray, "B T K"]:
        known = torch.from_numpy(told.astype(np.float32))
        with torch.no_grad():
            z = noise((len(told), network.steps, network.channels), random)
            return objective.sample(tell(generator, known), z).numpy().astype(np.float64)

    return draw


def sampler_of(network: Network) -> WindowSampler:
    """Return what draws series of a network that works outside the prior's coordinates."""
    draw = _draw_windows(network, NOISES.get(Config.model_validate_json(network.recipe).noise))
    if network.encoder is None:
        return WindowSampler(network.steps, lambda told, state, random: Drawn(draw(told, random), state), None)
    embedding, starts = Embedding.restored(network.encoder), network.encoder.starts

    def draw_on(told: Float[np.ndarray, "B T R"], state: Float[np.ndarray, "B W"], random: torch.Generator) -> Drawn:
        before = np.repeat(state[:, None], network.steps, axis=1)
        latent = draw(np.concatenate([told, before], axis=2), random)
        return Drawn(embedding.recover(latent), latent[:, -1])

    def begin(streams: Streams, name: str, chunk: int) -> Float[np.ndarray, "B W"]:
        return starts[streams.numpy(name, chunk).integers(len(starts), size=CHUNK)]

    return WindowSampler(network.steps, draw_on, begin)
