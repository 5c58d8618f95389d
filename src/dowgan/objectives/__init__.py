"""Objectives by name: one file and one registry line each."""

from dowgan.objectives import bce, flow, relativistic, wasserstein
from dowgan.objectives.objective import OBJECTIVES, Batch, Objective

__all__ = ["OBJECTIVES", "Batch", "Objective", "bce", "flow", "relativistic", "wasserstein"]
