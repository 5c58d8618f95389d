"""What `extend` gives back: the new rows, along many paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dowgan.codes import Code
from dowgan.errors import OptionError, unknown
from dowgan.table import Run, Schema, to_frame

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from pandas import DataFrame

BANDS = 0.9


@dataclass(frozen=True)
class Extension:
    """A series past its end, along many paths.

    Attributes:
        median: the new rows in the table's own columns.
        runs: for each run, all paths in the user's units [P H C].
        schema: of the table.
        starts: for each run, key and first new clock value.
        directions: how the columns are coded that go on from 360 to 0; their bands may lie across that.
    """

    median: DataFrame
    runs: tuple[np.ndarray, ...]
    schema: Schema
    starts: tuple[Run, ...]
    directions: tuple[Code, ...] = ()

    def __repr__(self) -> str:
        count, steps = self.runs[0].shape[:2]
        return f"<Extension: {len(self.runs)} x {steps} rows, {count} paths; .median, .band(), .paths, .plot()>"

    def band(self, coverage: float = BANDS) -> DataFrame:
        """Return the new rows with columns NAME_lo90 and NAME_hi90 of each number between which paths lie.

        Raises:
            OptionError: coverage is not between 0 and 1, or the table has a column of such a name.
        """
        if not 0 < coverage < 1:
            raise OptionError(f"Bands of {coverage} are not possible; say a share between 0 and 1, such as 0.9.")
        sides = np.array([(1 - coverage) / 2, (1 + coverage) / 2])
        numbers = [c.name for c in self.schema.channels if c.kind in ("float", "integer")]
        names = {name: [f"{name}_{side}{100 * coverage:g}" for side in ("lo", "hi")] for name in numbers}
        self.schema.refuse_taken(*(one for pair in names.values() for one in pair))
        both = [np.quantile(paths, sides, axis=0) for paths in self.runs]
        for code in self.directions:
            for sides_of, paths in zip(both, self.runs, strict=True):
                sides_of[:, :, code.place] = code.quantiles(paths[:, :, code.place], sides.tolist())
        low, high = (self._frame([side[i] for side in both]) for i in (0, 1))
        out = self.median.copy()
        for name, (lowest, highest) in names.items():
            out[lowest], out[highest] = low[name], high[name]
        return out

    @property
    def paths(self) -> DataFrame:
        """All paths under each other, with a leading column `path` from 1 on.

        Raises:
            OptionError: the table has a column of that name.
        """
        self.schema.refuse_taken("path")
        count = len(self.runs[0])
        runs = [replace(start, values=values[p]) for p in range(count) for start, values in self._pairs()]
        labels = [p + 1 for p in range(count) for _ in self.runs]
        schema = replace(self.schema, source=replace(self.schema.source, interleaved=False))
        return to_frame(schema, runs, lead=("path", labels))

    def plot(self, tag: str | None = None) -> go.Figure:
        """Return the fan of the paths of one number over the steps ahead, in the first run; of the first one if None.

        Raises:
            OptionError: no such number.
        """
        from dowgan import figures

        names = [c.name for c in self.schema.channels]
        numbers = [c.name for c in self.schema.channels if c.kind in ("float", "integer")]
        name = tag or next(iter(numbers), "")
        if name not in numbers:
            raise OptionError(unknown("number", name, numbers))
        paths = self.runs[0][:, :, names.index(name)]
        return figures.fan(np.empty(0), None, paths, name, np.arange(1, paths.shape[1] + 1))

    def _pairs(self) -> list[tuple[Run, np.ndarray]]:
        return list(zip(self.starts, self.runs, strict=True))

    def _frame(self, values: Sequence[np.ndarray]) -> DataFrame:
        return to_frame(self.schema, [replace(s, values=v) for s, v in zip(self.starts, values, strict=True)])

    def _repr_html_(self) -> str:
        return f"<p>{len(self.runs[0])} paths of {len(self.median)} rows; the median:</p>{self.median.to_html()}"
