"""The loss studies: every point of a grid of settings, several seeds each, to one table and one figure.

Each trial is one file, written whole as soon as it is done, so that a study which was stopped goes on where it was.
"""

from dowgan.study.figure import study_figure
from dowgan.study.grid import Trial, lay_out, parse_grid
from dowgan.study.running import FIGURE, TABLE, rows_of, run_study
from dowgan.study.trial import Outcome, priors, run_trial

__all__ = [
    "FIGURE", "TABLE", "Outcome", "Trial", "lay_out", "parse_grid", "priors", "rows_of", "run_study", "run_trial",
    "study_figure",
]  # fmt: skip
