"""Rules of a column that text shows: significant digits."""

from pathlib import Path

import numpy as np
import pandas as pd

from dowgan import Synthesizer
from dowgan.table import read
from dowgan.table.rules import broken, keep


def test_significant_digits_are_kept_where_values_span_decades(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    leak = 10 ** rng.normal(-6, 0.7, 200)
    text = "leak,plain\n" + "".join(f"{v:.2e},{w:.4f}\n" for v, w in zip(leak, rng.normal(3, 1, 200), strict=True))
    (tmp_path / "leaks.csv").write_text(text)
    table = read(tmp_path / "leaks.csv")
    column, plain = table.schema.channels
    assert (column.digits, column.decimals, plain.digits, plain.decimals) == (3, None, None, 4)
    assert keep(column, np.array([1.23456e-7, 9.99999e-3, 0.0, np.nan])).tolist()[:3] == [1.23e-7, 1e-2, 0.0]
    assert broken(column, np.array([1.23e-7])) is None
    assert broken(column, np.array([1.234e-7])) == "holds 1.234e-07, which has more than 3 significant digits"
    model = Synthesizer("prior").fit(tmp_path / "leaks.csv")
    for made in (model.generate(), model.densify(tmp_path / "leaks.csv", factor=2), model.extend(steps=5).median):
        assert broken(column, made["leak"].to_numpy()) is None
    given = pd.DataFrame({"leak": [1.2345e-6, 2e-6, 3e-6]})
    assert model.generate(given=given)["leak"].tolist() == given["leak"].tolist()
