"""Labels that can be counted on, such as F101, F102: new runs then get names of their own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

NUMBERED = re.compile(r"(.*?)(\d{1,15})(\D*)", re.DOTALL)


@dataclass(frozen=True)
class Numbering:
    """Labels that are alike but for one number.

    Attributes:
        before, behind: text around it.
        span: numbers from the least to the greatest, both counted.
    """

    before: str
    behind: str
    span: int

    def later(self, label: str, turn: int) -> str:
        """Return what one of the labels becomes `turn` rounds of all later: F101 of F101 to F114 becomes F115."""
        digits = label[len(self.before) : len(label) - len(self.behind)]
        return f"{self.before}{int(digits) + turn * self.span:0{len(digits)}d}{self.behind}"

    def has(self, label: str) -> bool:
        """Whether a label may be one of them, or follow on them."""
        match = NUMBERED.fullmatch(label)
        return match is not None and match.group(1, 3) == (self.before, self.behind)


def numbering(labels: Sequence[object]) -> Numbering | None:
    """Return how labels are numbered, None if they are not."""
    found = [NUMBERED.fullmatch(str(label)) for label in labels]
    around = {None if match is None else match.group(1, 3) for match in found}
    if len(around) != 1 or None in around:
        return None
    numbers = [int(match.group(2)) for match in found if match is not None]
    ((before, behind),) = (pair for pair in around if pair is not None)
    return Numbering(before, behind, max(numbers) - min(numbers) + 1)
