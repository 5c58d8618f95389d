"""Simulate the papers' MuJoCo set: a hopper that falls from random states, 10,000 windows of 24 rows and 14 columns.

    python -m venv build/mujoco && build/mujoco/bin/pip install dm_control 'mujoco<4'
    build/mujoco/bin/python bench/hopper.py build/mujoco.csv

States begin as those of Rubanova, Chen and Duvenaud 2019 (arXiv:1907.03907, section 5.1): places of the hopper's foot
between 0 and .5, angles between -2 and 2, velocities between -5 and 5, all uniform. A row holds seven positions and
seven velocities. The simulator needs an environment of its own, as its versions are not those of this package.
"""

import csv
import sys
from pathlib import Path

import numpy as np

WINDOWS, STEPS, SIDE = 10_000, 24, 7
FOOT, ANGLE, SPEED = 0.5, 2.0, 5.0


def main(path: str) -> None:
    from dm_control import suite

    physics, rng = suite.load("hopper", "stand").physics, np.random.default_rng(0)
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["run", *(f"position{i}" for i in range(SIDE)), *(f"velocity{i}" for i in range(SIDE))])
        for window in range(WINDOWS):
            with physics.reset_context():
                physics.data.qpos[:2] = rng.uniform(0, FOOT, 2)
                physics.data.qpos[2:] = rng.uniform(-ANGLE, ANGLE, SIDE - 2)
                physics.data.qvel[:] = rng.uniform(-SPEED, SPEED, SIDE)
            for _ in range(STEPS):
                out.writerow([window, *physics.data.qpos.round(6), *physics.data.qvel.round(6)])
                physics.step()


if __name__ == "__main__":
    main(sys.argv[1])
