"""Labels that can be counted on, such as F101, F102: new runs then get names of their own."""

import re
from collections.abc import Sequence

NUMBERED = re.compile(r"(.*?)(\d{1,15})(\D*)", re.DOTALL)


def next_label(labels: Sequence[object], label: object, turn: int) -> str | None:
    """Return what the label becomes `turn` rounds of all labels later; None where they cannot be counted on.

    They can if they are alike but for one number: F101 of F101 to F114 becomes F115 one round later.
    """
    found = [NUMBERED.fullmatch(str(each)) for each in labels]
    own = NUMBERED.fullmatch(str(label))
    if own is None or any(match is None or match.group(1, 3) != own.group(1, 3) for match in found):
        return None
    numbers = [int(match.group(2)) for match in found if match is not None]
    number = int(own.group(2)) + turn * (max(numbers) - min(numbers) + 1)
    return f"{own.group(1)}{number:0{len(own.group(2))}d}{own.group(3)}"


def is_next(labels: Sequence[object], label: object) -> bool:
    """Whether a label is one that follows on some."""
    return next_label([*labels, label], label, 0) is not None
