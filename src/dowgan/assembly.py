"""Put a model together from what was fitted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dowgan.config import Config
from dowgan.encoding import regimes_of
from dowgan.fitting import Fitted
from dowgan.gaps import find_gaps
from dowgan.known import ends_of
from dowgan.model import Model, Training, past_of
from dowgan.stocks import Stock
from dowgan.table import Table
from dowgan.totals import Totals
from dowgan.versions import versions

TAIL = 256  # last rows of each run that a model keeps, to extend it without the table
MOST_TAILS = 400  # runs of which they are kept


def assemble(
    table: Table,
    totals: Totals,
    stocks: tuple[Stock, ...],
    config: Config,
    seed: int,
    fitted: Fitted,
    network: Any,
    training: Training,
) -> Model:
    """Return the model of a table, with what it keeps of the table's runs.

    Args:
        table: as it came, with running totals.
        totals, stocks: of it.
        config, seed: of the fit.
        fitted: all that needed no training, of what each row adds to totals.
        network, training: None, and why there is none, where none was trained.
    """
    schema = totals.open(table.schema)
    tail = TAIL if len(table.runs) <= MOST_TAILS else 0
    rising = [totals.rises(run) for run in table.runs]
    regimes = regimes_of(fitted.channels, rising, schema.clock.cycles())
    past = tuple(past_of(run, schema, own, tail, stocks) for run, own in zip(table.runs, regimes, strict=True))
    model = Model(
        schema=schema.to_json(),
        recipe=config.model_dump_json(),
        seed=seed,
        digest=table.digest,
        versions=versions(),
        relations=fitted.relations,
        totals=totals,
        stocks=stocks,
        channels=fitted.channels,
        window=fitted.window,
        path=fitted.path,
        calibration=fitted.calibration,
        coordinates=fitted.coordinates,
        network=network,
        transport=None,
        polish=None,
        polish_long=None,
        holds=(),
        past=past,
        range=ends_of(np.concatenate([run.values for run in rising])),
        gaps=find_gaps(table.schema, table.runs),
        training=training,
        notes=(),
    )
    return replace(model, notes=(*table.notes, *fitted.notes, *model.rules))
