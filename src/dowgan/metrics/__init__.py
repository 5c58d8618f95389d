"""Scores: how far generated windows are from real ones, and guesses from the truth.

One file and one registry line each.
"""

from dowgan.metrics import (
    autocorrelation,
    context_fid,
    correlational,
    crosscorrelation,
    discriminative,
    gru_judge,
    marginal,
    memorisation,
    paired,
    predictive,
    spectrum,
    twosample,
)
from dowgan.metrics.metric import METRICS, Metric, Score

__all__ = [
    "METRICS",
    "Metric",
    "Score",
    "autocorrelation",
    "context_fid",
    "correlational",
    "crosscorrelation",
    "discriminative",
    "gru_judge",
    "marginal",
    "memorisation",
    "paired",
    "predictive",
    "spectrum",
    "twosample",
]
