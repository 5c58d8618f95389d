"""One training loop for every net and objective, and the generator that it leaves.

Shapes: B windows of a batch, N windows, T steps, C channels of the space that the network works in, R channels of
conditions that both players are told beside the windows.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from dowgan.config import Config
from dowgan.errors import CollapseError
from dowgan.model import Network, Training
from dowgan.noises import Noise
from dowgan.objectives import OBJECTIVES, Batch, Objective
from dowgan.players import Generator, Players, Start, Told, frozen, make_players, no_critic, tell
from dowgan.rng import Streams
from dowgan.space import Choice, Real, Space

Score = Callable[[Callable[[int], Float[np.ndarray, "B T C"]]], float]
Progress = Callable[[int, int, Mapping[str, float]], None]
"""(role, fresh weights) -> the weights to begin with, and the names of those that were taken from another model."""

RECORDS = 400  # most points of a recorded curve
COLLAPSED = 0.3  # share of the data's spread, or of its variety, below which a generator has collapsed
STEPS = (300, 1_500)  # least and most default steps
STEPS_PER_WINDOW = 1.0
SPACE: Space = {
    "train.batch": Choice((32, 64, 128, 256)),
    "train.lr": Real(5e-5, 3e-3, log=True),
    "train.critic_steps": Choice((1, 2, 5)),
    "train.ema": Choice((0.0, 0.99, 0.999)),
}


def _descend(optimizer: torch.optim.Optimizer, loss: Float[Tensor, ""]) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def _follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move the averaged weights towards the present ones; buffers are taken as they are."""
    with torch.no_grad():
        for slow, fast in zip(average.parameters(), net.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)
        for kept, now in zip(average.buffers(), net.buffers(), strict=True):
            kept.copy_(now)


def default_steps(windows: int, config: Config) -> int:
    """Return the number of generator steps: what was set, epochs in steps, or by the size of the data.

    An epoch shows every window once: to the critic, which may take several steps for one of the generator.
    """
    train = config.train
    if train.steps is not None:
        return train.steps
    if train.epochs is not None:
        return max(1, train.epochs * -(-windows // train.batch) // train.critic_steps)
    return int(np.clip(STEPS_PER_WINDOW * windows, *STEPS))


Draw = Callable[[int, int], tuple[Batch, Float[Tensor, "B T R"]]]


def _batches(
    windows: Float[Tensor, "N T C"],
    told: Float[Tensor, "N T R"],
    config: Config,
    noise: Noise,
    steps: int,
    random: torch.Generator,
) -> Draw:
    """Return a function that draws the batch of a step and turn, and what is told of it.

    With `train.epochs` the turns of the critic go through all windows in a new order every epoch; otherwise each
    batch is drawn from all windows.
    """
    size = config.train.batch
    order = torch.empty(0, dtype=torch.int64)

    def picks(turn: int) -> Tensor:
        nonlocal order
        if config.train.epochs is None or turn < 0:
            return torch.randint(len(windows), (size,), generator=random)
        if len(order) < 2:  # a batch of one has no spread
            order = torch.randperm(len(windows), generator=random)
        now, order = order[:size], order[size:]
        return now

    def draw(step: int, turn: int) -> tuple[Batch, Tensor]:
        chosen = picks(turn)
        real = windows[chosen]
        return Batch(real, noise(real.shape, random), step / max(steps, 1), random), told[chosen]

    return draw


def _rate(step: int, steps: int, config: Config) -> float:
    return 0.5 * (1 + float(np.cos(np.pi * step / steps))) if config.train.decay else 1.0


def _set_rate(optimizer: torch.optim.Optimizer | None, rate: float) -> None:
    for group in optimizer.param_groups if optimizer else ():
        group.setdefault("base", group["lr"])
        group["lr"] = group["base"] * rate


@dataclass
class Record:
    """What is written down during a training, and the best weights so far."""

    every: int
    steps: list[int]
    losses: dict[str, list[float]]
    checks: list[int]
    fidelity: list[float]
    best: dict[str, Tensor]
    chosen: int = 0
    done: int = 0

    def note(self, step: int, figures: Mapping[str, float]) -> None:
        self.done = step
        if step % self.every == 0:
            self.steps.append(step)
            for name, value in figures.items():
                self.losses.setdefault(name, []).append(value)

    def check(self, step: int, score: float, net: nn.Module) -> bool:
        """Take down a fidelity; return whether it is the best so far, whose weights are kept."""
        better = not self.fidelity or score < min(self.fidelity)
        self.checks.append(step)
        self.fidelity.append(score)
        if better:
            self.chosen = step
            self.best = {k: v.clone() for k, v in net.state_dict().items()}
        return better

    @property
    def stale(self) -> int:
        """Checks since the best one."""
        return len(self.fidelity) - 1 - int(np.argmin(self.fidelity)) if self.fidelity else 0


def fit_generator(
    windows: Float[np.ndarray, "N T C"],
    score: Score,
    config: Config,
    streams: Streams,
    progress: Progress | None,
    noise: Noise,
    told: Told | None = None,
    start: Start | None = None,
) -> tuple[Network, Training]:
    """Train a generator on windows of its space.

    Args:
        windows: training windows.
        score: held-out fidelity of a function that draws n windows; lower is better.
        config: recipe.
        streams: randomness of weights, batches and noise.
        progress: called with (step, steps, figures).
        noise: what the generator starts from.
        told: conditions of the windows, None for none.
        start: gives the weights to begin with, None for new ones.

    Returns:
        The chosen weights and the record. Ctrl-C ends the training early and keeps the best weights so far.
    """
    data = torch.from_numpy(np.ascontiguousarray(windows, dtype=np.float32))
    objective = OBJECTIVES.get(config.objective.name)(config.objective)
    steps = default_steps(len(data), config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(streams.numpy("weights").integers(2**62))
        told = told or Told(torch.zeros(*data.shape[:2], 0), torch.zeros(1, data.shape[1], 0))
        players = make_players(data.shape[1], data.shape[2], config, objective, told.train.shape[2], start)
        record = Record(max(1, steps // RECORDS), [], {}, [], [], {})
        stopped = _loop(data, told, players, objective, score, config, steps, streams, record, progress, noise)
        if config.train.keep == "last" and _finite(players.average):
            record.chosen = record.checks[-1]
        else:
            players.average.load_state_dict(record.best)
    network = Network(
        config.model_dump_json(), data.shape[1], data.shape[2], _arrays(players.average), told.train.shape[2],
        critic=_arrays(players.critic) if players.critic is not None and _finite(players.critic) else {},
    )  # fmt: skip
    losses = {name: tuple(curve) for name, curve in record.losses.items()}
    return network, Training(
        tuple(record.steps), losses, tuple(record.checks), tuple(record.fidelity), record.chosen, stopped,
        len(data), record.done,
    )  # fmt: skip


def _arrays(net: nn.Module) -> dict[str, np.ndarray]:
    return {k: v.numpy().copy() for k, v in net.state_dict().items()}


def _finite(net: nn.Module) -> bool:
    return all(bool(torch.isfinite(w).all()) for w in net.parameters())


def _loop(
    data: Float[Tensor, "N T C"],
    told: Told,
    players: Players,
    objective: Objective,
    score: Score,
    config: Config,
    steps: int,
    streams: Streams,
    record: Record,
    progress: Progress | None,
    noise: Noise,
) -> str:
    """Train until the steps, the budget or the patience is used up, or Ctrl-C; return why it ended."""
    draw = _batches(data, told.train, config, noise, steps, streams.torch("batches"))
    every = max(1, steps // config.train.checks)
    sample = sampler(players.average, objective, noise, (data.shape[1], data.shape[2]), streams, told.check)
    record.check(0, score(sample), players.average)
    began = time.monotonic()
    try:
        for step in range(1, steps + 1):
            for optimizer in (players.generator_opt, players.critic_opt):
                _set_rate(optimizer, _rate(step - 1, steps, config))
            figures = _step(players, objective, draw, step - 1, config)
            if not np.isfinite(list(figures.values())).all():
                return f"the losses were no longer finite at step {step}"
            record.note(step, figures)
            over = config.train.budget is not None and time.monotonic() - began > config.train.budget
            if step % every == 0 or step == steps or over:
                record.check(step, score(sample), players.average)
                figures = figures | {"fidelity": record.fidelity[-1], "best": min(record.fidelity)}
                if record.stale >= config.train.patience and config.train.keep == "best":
                    return f"no better fidelity in {config.train.patience} measurements"
            if progress is not None:
                progress(step, steps, figures)
            if over:
                return f"the budget of {config.train.budget:g} s was used up"
    except KeyboardInterrupt:
        return f"interrupted at step {step}"
    return "all steps were done"


def _step(players: Players, objective: Objective, draw: Draw, step: int, config: Config) -> dict[str, float]:
    """Critic steps, then one generator step; return both losses and the generator's gradient norm."""
    figures = {}
    if players.critic is not None and players.critic_opt is not None:
        for turn in range(config.train.critic_steps):
            batch, told = draw(step, turn)
            with torch.no_grad():
                fake = tell(players.generator, told)(batch.noise)
            loss = objective.critic_loss(tell(players.critic, told), fake, batch)
            _descend(players.critic_opt, loss)
            objective.after_critic(players.critic)
        figures["critic"] = loss.item()
    batch, told = draw(step, -1 if objective.adversarial else 0)
    with frozen(players.critic):
        critic = no_critic if players.critic is None else tell(players.critic, told)
        loss = objective.generator_loss(tell(players.generator, told), critic, batch)
        _descend(players.generator_opt, loss)
    slopes = [w.grad.square().sum() for w in players.generator.parameters() if w.grad is not None]
    figures |= {"generator": loss.item(), "gradient": float(torch.stack(slopes).sum().sqrt())}
    _follow(players.average, players.generator, min(config.train.ema, (1 + step) / (10 + step)))
    return figures


def sampler(
    generator: Generator,
    objective: Objective,
    noise: Noise,
    shape: tuple[int, int],
    streams: Streams,
    told: Float[Tensor, "M T R"],
) -> Callable[[int], Float[np.ndarray, "B T C"]]:
    """Return a function that draws n windows, always the same ones, from a generator as it is now."""

    def sample(count: int) -> Float[np.ndarray, "B T C"]:
        generator.eval()
        with torch.no_grad():
            known = told[torch.arange(count) % len(told)]
            out = objective.sample(tell(generator, known), noise((count, *shape), streams.torch("check")))
        return out.numpy().astype(np.float64)

    return sample


def restore(network: Network) -> tuple[Generator, Objective, Config]:
    """Build a generator with its stored weights."""
    config = Config.model_validate(json.loads(network.recipe))
    objective = OBJECTIVES.get(config.objective.name)(config.objective)
    with torch.random.fork_rng(devices=[]):
        generator = make_players(network.steps, network.channels, config, objective, network.told).average
    generator.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in network.weights.items()})
    return generator.eval(), objective, config


def assert_alive(fake: Float[np.ndarray, "B T C"], real: Float[np.ndarray, "N T C"], config: Config) -> str:
    """Say whether a generator has collapsed: too little spread, or too little difference between windows.

    Raises:
        CollapseError: it has, and the recipe does not allow that.
    """
    spread = float(np.median(fake.std(axis=0) / (real.std(axis=0) + 1e-9)))
    if spread >= COLLAPSED:
        return ""
    text = (
        f"The generator has collapsed: its windows differ by {spread:.0%} of what real ones do. "
        "Train it otherwise (--set objective.gamma=..., --recipe adversarial) or use --recipe flagship."
    )
    if config.train.collapse == "error":
        raise CollapseError(text)
    return text
