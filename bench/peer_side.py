"""Fit one peer and draw from it: runs in the peer's own environment, and knows numpy, torch and the peer alone.

    build/peers/PEER/bin/python bench/peer_side.py NAME REAL.npy FAKE.npy SECONDS COUNT SEED

Windows [N T C], each channel scaled to 0..1, come and go as files. Every peer has the settings of its own example and
trains on one thread until its processor seconds are over (those of the clock where nothing else runs). What it did
is printed as JSON.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator

os.environ["KERAS_BACKEND"] = "torch"

import numpy as np
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

ENDLESS = 10**9  # steps, of which the clock allows fewer
PHASES = (0.1, 0.2, 1.0)  # share of the seconds at which each of TimeGAN's three phases ends


class TimeUpError(Exception):
    """The seconds are over."""


class Budget:
    """Counts steps and ends a training when its seconds are over.

    Args:
        seconds: of this process's processor time, from `start` on.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.steps = 0

    def start(self) -> None:
        self.began = time.process_time()

    @property
    def spent(self) -> float:
        return time.process_time() - self.began

    def tick(self, *_: object) -> None:
        """Be called after a step of an optimiser."""
        self.steps += 1
        if self.spent > self.seconds:
            raise TimeUpError

    def until(self, steps: Iterable[int], share: float) -> Iterator[int]:
        """Give steps until a share of the seconds is over."""
        for step in steps:
            if self.spent > share * self.seconds:
                return
            self.steps += 1
            yield step


def par(real: np.ndarray, count: int, budget: Budget) -> np.ndarray:
    """PARModel of DeepEcho, the engine of SDV's PARSynthesizer: a recurrent network, value by value."""
    from deepecho import PARModel

    sequences = [{"context": [], "data": window.T.tolist()} for window in real]
    model = PARModel(epochs=ENDLESS, cuda=False, verbose=False)
    held_to(budget, model.fit_sequences, sequences, [], ["continuous"] * real.shape[2])
    return np.array([np.array(model.sample_sequence([], real.shape[1])).T for _ in range(count)])


def fourier_flow(real: np.ndarray, count: int, budget: Budget) -> np.ndarray:
    """FourierFlow of fflows (Alaa et al., ICLR 2021): a normalizing flow of the window's spectrum."""
    from fflows import FourierFlow

    model = FourierFlow(hidden=11, n_flows=11)
    held_to(budget, model.fit, real, ENDLESS)
    return model.sample(count)


def held_to(budget: Budget, fit: Callable[..., object], *given: object) -> None:
    """Fit until the seconds are over, at a step of torch's optimiser."""
    hook = register_optimizer_step_post_hook(budget.tick)
    budget.start()
    with contextlib.suppress(TimeUpError):
        fit(*given)
    hook.remove()


def timegan(real: np.ndarray, count: int, budget: Budget) -> np.ndarray:
    """TimeGAN of tsgm (Yoon et al., NeurIPS 2019): three phases."""
    from tsgm.models import timeGAN

    ends = iter(PHASES)
    timeGAN.tqdm = lambda steps, desc: budget.until(steps, next(ends))
    model = timeGAN.TimeGAN(seq_len=real.shape[1], n_features=real.shape[2])
    model.compile()
    windows = torch.utils.data.TensorDataset(torch.tensor(real, dtype=torch.float32))
    batches = torch.utils.data.DataLoader(windows, batch_size=model.batch_size, shuffle=True, drop_last=True)
    budget.start()
    model.fit(batches, epochs=ENDLESS)
    with torch.no_grad():
        return model.generate(count)


PEERS = {"par": par, "fourier_flow": fourier_flow, "timegan": timegan}


def main() -> None:
    name, source, target, seconds, count, seed = sys.argv[1:]
    torch.set_num_threads(1)
    torch.manual_seed(int(seed))
    np.random.seed(int(seed))
    real, budget = np.load(source), Budget(float(seconds))
    fake = PEERS[name](real, int(count), budget)
    np.save(target, np.asarray(fake, dtype=np.float32).reshape(int(count), *real.shape[1:]))
    sys.stdout.write(json.dumps({"steps": budget.steps, "draw_seconds": budget.spent - budget.seconds}) + "\n")


if __name__ == "__main__":
    main()
