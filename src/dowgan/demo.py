"""A small simulated plant of our own: coupled tags, two grades, a set-point that steps, a slow lab value, gaps.

A stirred tank is heated to a set-point; a reaction in it runs faster when it is hot (Arrhenius), the product is
analysed in the laboratory every 24 steps and reported in between as it was. The noise-free truth is known, so that
a densified series can be scored against it. Equations of a textbook stirred tank with a first-order reaction
(Levenspiel, Chemical Reaction Engineering, 3rd ed., chapter 5), constants of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from dowgan.rng import Streams

if TYPE_CHECKING:
    from pandas import DataFrame

ROWS = 2_016  # two weeks of 10 minutes
STEP = "10min"
LAB_EVERY = 24  # steps between two laboratory values
GAP_SHARE = 0.01
GRADES = ("A", "B")
FLOW = {"A": 12.0, "B": 9.0}  # m3/h
FEED = {"A": 2.0, "B": 2.6}  # kmol/m3
SETPOINTS = {"A": (78.0, 82.0), "B": (86.0, 90.0)}  # degC
VOLUME = 6.0  # m3
RATE, ENERGY = 7.0e8, 7_200.0  # 1/h, K: first-order Arrhenius rate
GAIN, HEAT_LOSS = 0.9, 0.12  # of the heater, per hour
NOISE = {"temperature": 0.25, "flow": 0.12, "valve": 0.5, "concentration": 0.01}


@dataclass(frozen=True)
class Plant:
    """A simulated record and its truth.

    Attributes:
        table: what the plant's historian would hold.
        truth: the same tags without noise, gaps and laboratory delay.
    """

    table: DataFrame
    truth: DataFrame


def _campaigns(rows: int, rng: np.random.Generator) -> tuple[np.ndarray, Float[np.ndarray, " N"]]:
    """Grade and set-point of each row: campaigns of one to two days, set-point steps within them."""
    grades: list[str] = []
    setpoints: list[float] = []
    turn = 0
    while len(grades) < rows:
        grade = GRADES[turn % len(GRADES)]
        for _ in range(int(rng.integers(2, 5))):
            length = int(rng.integers(48, 97))
            grades += [grade] * length
            setpoints += [float(rng.choice(SETPOINTS[grade]))] * length
        turn += 1
    return np.array(grades[:rows]), np.array(setpoints[:rows])


def _run(grades: np.ndarray, setpoint: Float[np.ndarray, " N"], rng: np.random.Generator) -> Float[np.ndarray, "N 4"]:
    """Temperature, flow, valve and concentration without noise, by Euler steps of a minute."""
    rows, minutes = len(grades), 10
    ambient = 20 + 4 * np.sin(2 * np.pi * np.arange(rows) / 144 - 2)
    wander = np.zeros(rows)
    for t in range(1, rows):
        wander[t] = 0.97 * wander[t - 1] + 0.05 * rng.standard_normal()
    temperature, concentration, integral = setpoint[0], 0.6, 55.0
    flow = FLOW[grades[0]]
    out = np.empty((rows, 4))
    for t in range(rows):
        for _ in range(minutes):
            flow += (FLOW[grades[t]] + wander[t] - flow) / 30
            error = setpoint[t] - temperature
            integral = np.clip(integral + 0.05 * error, 0, 100)
            valve = np.clip(4 * error + integral, 0, 100)
            heat = GAIN * valve - HEAT_LOSS * (temperature - ambient[t]) * flow / 1.2
            temperature += heat / 60
            reaction = RATE * np.exp(-ENERGY / (temperature + 273.15)) * concentration
            concentration += (flow / VOLUME * (FEED[grades[t]] - concentration) - reaction) / 60
        out[t] = temperature, flow, valve, concentration
    return out


def simulate(rows: int = ROWS, seed: int = 0) -> Plant:
    """Simulate the plant.

    Args:
        rows: steps of ten minutes.
        seed: of campaigns, wander, noise and gaps.
    """
    import pandas as pd

    rng = Streams(seed).numpy("plant")
    grades, setpoint = _campaigns(rows, rng)
    truth = _run(grades, setpoint, rng)
    sigma = np.array([NOISE[name] for name in ("temperature", "flow", "valve", "concentration")])
    seen = truth + sigma * rng.standard_normal(truth.shape)
    lab = np.arange(rows) // LAB_EVERY * LAB_EVERY
    seen[:, 3] = seen[lab, 3]
    seen[:, 1:] = np.maximum(seen[:, 1:], 0)
    seen[:, 2] = np.minimum(seen[:, 2], 100)
    seen[:, :3][rng.random((rows, 3)) < GAP_SHARE] = np.nan
    time = pd.date_range("2024-03-04 06:00", periods=rows, freq=STEP)
    names = ["reactor_temp", "feed_flow", "steam_valve", "lab_conc"]

    def frame(values: np.ndarray) -> DataFrame:
        tags = {name: values[:, i] for i, name in enumerate(names)}
        return pd.DataFrame({"time": time, "grade": grades, "temp_sp": setpoint, **tags})

    table = frame(seen).round({"reactor_temp": 2, "feed_flow": 2, "steam_valve": 1, "lab_conc": 3})
    return Plant(table, frame(truth))
