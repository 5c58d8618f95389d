"""Scores of the three verbs, each beside what real data score and what a plain method scores.

Arrays in, plain data out.
"""

from dowgan.evaluate.generation import Begun, judge_generation
from dowgan.evaluate.paired import Ahead, Dense, judge_densify, judge_extend
from dowgan.evaluate.verdict import Judgement, generation_verdict, paired_verdict

__all__ = [
    "Ahead",
    "Begun",
    "Dense",
    "Judgement",
    "generation_verdict",
    "judge_densify",
    "judge_extend",
    "judge_generation",
    "paired_verdict",
]
