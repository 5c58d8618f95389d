"""Places of runs that all go through the same steps, each as long as it takes: a charge lasts longer at half the rate,
and what it does halfway through is the same.

A place is how far the run is in its step, on the step's usual length.

Shapes: T rows, S stages, R regimes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from dowgan.stretch import borders

FEWEST = 3  # stages


@dataclass(frozen=True)
class Stages:
    """The stages that all runs go through.

    Attributes:
        order: [S] of the stages, by number of what was found in them.
        steps: [R] the same of each regime.
        starts: [S+1] place at which each begins in a usual run, and the place behind the last.
        usual: [S R] rows of a stage in a regime; of all regimes where it never was in one.
    """

    order: Int[np.ndarray, " S"]
    steps: Int[np.ndarray, " R"]
    starts: Float[np.ndarray, " S1"]
    usual: Float[np.ndarray, "S R"]

    def places(self, regime: Int[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """Return the place of each row of a run, or of its first rows: the last stage lasts as long as usual, at least.

        A run that goes otherwise keeps to the stage that it is in, as far as it has one.
        """
        steps = self.steps[regime]
        edges, out = borders(steps), np.empty(len(regime))
        at = self._first(steps[edges[:-1]])
        for first, last in pairwise(edges.tolist()):
            ahead = np.flatnonzero(self.order[at:] == steps[first])
            at += int(ahead[0]) if len(ahead) else 0
            rows = last - first
            whole = max(rows, self.usual[at, regime[first]]) if last == len(regime) else rows
            span = self.starts[at + 1] - self.starts[at] - 1  # from its first row to its last
            out[first:last] = self.starts[at] + np.arange(rows) * span / max(whole - 1, 1)
            at = min(at + 1, len(self.order) - 1)
        return out

    def under_way(self) -> "Stages":
        """Return themselves: they tell places of a run that has not ended yet as well."""
        return self

    def _first(self, seen: Int[np.ndarray, " K"]) -> int:
        """The first stage from which those that were seen follow one another; 0 if there is none."""
        long = len(seen)
        fits = (k for k in range(len(self.order) - long + 1) if (self.order[k : k + long] == seen).all())
        return next(fits, 0)


def find_stages(courses: Sequence[Int[np.ndarray, " _T"]], steps: Int[np.ndarray, " R"]) -> Stages | None:
    """Return the stages of runs, None if they do not all go through the same.

    Args:
        courses: regimes of each run.
        steps: [R] number of what was found in each regime, whatever the user named.
    """
    edges = [borders(steps[course]) for course in courses]
    orders = {tuple(steps[course[edge[:-1]]].tolist()) for course, edge in zip(courses, edges, strict=True)}
    if len(orders) != 1 or len(edges[0]) <= FEWEST:
        return None
    rows = np.stack([np.diff(edge) for edge in edges])  # [N S]
    usual = np.tile(np.median(rows, axis=0)[:, None], (1, len(steps)))
    within = np.stack([course[edge[:-1]] for course, edge in zip(courses, edges, strict=True)])
    for stage in range(rows.shape[1]):
        for regime in np.unique(within[:, stage]):
            usual[stage, regime] = np.median(rows[within[:, stage] == regime, stage])
    starts = np.append(0.0, np.cumsum(np.maximum(np.rint(np.median(rows, axis=0)), 1.0)))  # whole places, for a profile
    return Stages(np.array(orders.pop()), steps, starts, usual)
