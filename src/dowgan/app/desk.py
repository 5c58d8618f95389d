"""What one browser session holds. Its files lie in a folder of its own with a random name, and go with the session."""

import re
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dowgan.app.jobs import Fit, Judging
from dowgan.config import Config
from dowgan.demo import simulate
from dowgan.errors import ModelError, UserError
from dowgan.extension import BANDS
from dowgan.synthesizer import Synthesizer, load
from dowgan.table import Schema, Table, read, write
from dowgan.table.sniff import load as content_of
from dowgan.table.sniff import sniff
from dowgan.table.writing import ENDINGS

if TYPE_CHECKING:
    from pandas import DataFrame

GRACE = 120.0  # seconds after which a session whose browser has gone, and has not come back, is cleared
EXAMPLE = "plant.csv"


@dataclass(frozen=True)
class Roles:
    """What the user said of the columns."""

    time: str | None = None
    runs: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Made:
    """A table that was made.

    Attributes:
        frame: gives the table itself.
        schema: how it is written.
        sentence: what it is.
        origin: the table that it was made of or stands beside, None if there is none.
    """

    frame: Callable[[], "DataFrame"]
    schema: Schema
    sentence: str
    origin: Table | None


class Desk:
    """Files, table, model and results of one session."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="dowgan-app-", ignore_cleanup_errors=True)
        self._leaving: threading.Timer | None = None
        self._read: tuple[Path, object, Table | UserError] | None = None
        self.number = 0
        self.opened: Synthesizer | UserError | None = None
        self.opened_label = ""
        self.clear()

    @property
    def folder(self) -> Path:
        return Path(self._home.name)

    def clear(self) -> None:
        """Forget the table and all that was made of it; a model that was opened stays."""
        self.drop_fit()
        for path in self.folder.iterdir():
            path.unlink()
        self.number += 1
        self.label = ""
        self.source: Path | None = None
        self.example = False
        self.labels: dict[str, str] = {}

    def drop_fit(self) -> None:
        """Forget the fit, and what was made with the model."""
        for job in (getattr(self, "fit", None), getattr(self, "judging", None)):
            if job is not None:
                job.abandon()
        self.fit: Fit | None = None
        self.judging: Judging | None = None
        self.made: dict[str, Made] = {}
        self.share = BANDS

    # tables in

    def take(self, content: bytes, label: str) -> None:
        """Take a table in; what its file is called is a label and names nothing on disk."""
        self.clear()
        self.source, self.label = self.keep(content, label, "table"), label

    def take_example(self) -> None:
        """Take the simulated plant in."""
        self.take(simulate().table.to_csv(index=False).encode(), EXAMPLE)
        self.example = True

    def keep(self, content: bytes, label: str, name: str) -> Path:
        """Write what was uploaded under a name of ours; of its own only the ending is kept, which says what it is."""
        lower = label.lower()
        own = re.search(r"\.[a-z0-9]{1,8}$", lower)
        known = (e for e in sorted(ENDINGS, key=len, reverse=True) if lower.endswith(e))
        ending = next(known, own.group() if own else ".csv")
        path = self.folder / f"{name}-{self.number}{ending}"
        path.write_bytes(content)
        self.labels[str(path)] = label
        return path

    def names(self) -> tuple[str, ...]:
        """The columns of the table as it came, none if it cannot be read at all."""
        assert self.source is not None
        try:
            if self.source.name.endswith((".parquet", ".pq")):
                import pyarrow.parquet as pq

                return tuple(pq.read_schema(self.source).names)
            return sniff(content_of(str(self.source)), str(self.source)).names
        except (UserError, OSError, ValueError):
            return ()

    def table(self, roles: Roles) -> Table:
        """The table as it is understood: as the opened model's, or else by what the user said of the columns.

        Raises:
            UserError: it cannot be used; the text is that of the command line.
        """
        assert self.source is not None
        way = self.opened if isinstance(self.opened, Synthesizer) else roles
        if self._read is None or self._read[0] != self.source or self._read[1] != way:
            self._read = (self.source, way, self._try(self.source, way))
        found = self._read[2]
        if isinstance(found, UserError):
            raise found
        return found

    def _try(self, path: Path, way: Synthesizer | Roles) -> Table | UserError:
        try:
            if isinstance(way, Synthesizer):
                return read(path, schema=way.schema)
            return read(path, time=way.time, runs=way.runs, conditions=way.conditions, missing=way.missing)
        except UserError as error:
            return error

    def sentence(self, error: UserError | str) -> str:
        """An error as the command line says it, with the user's names for files instead of ours."""
        text = " ".join(str(error).split())
        for path, label in self.labels.items():
            text = text.replace(path, label).replace(Path(path).name, label)
        return text

    # model and results

    def open_model(self, content: bytes, label: str) -> None:
        """Take a model that was saved in place of a fit; what is no model is held as its error."""
        self.drop_fit()
        path = self.keep(content, label, "model")
        self.opened, self.opened_label = _opened(path), label
        path.unlink()

    def close_model(self) -> None:
        """Forget the opened model and what was made with it."""
        self.drop_fit()
        self.opened, self.opened_label = None, ""

    @property
    def model(self) -> Synthesizer | None:
        """The opened model, or else the fitted one."""
        if isinstance(self.opened, Synthesizer):
            return self.opened
        return None if self.fit is None else self.fit.model

    def file(self, name: str, ending: str) -> bytes:
        """A table that was made, as a file, written and checked as the command line does it."""
        made = self.made[name]
        path = self.folder / f"{name}{ending}"
        write(made.frame(), made.schema, path)
        return _taken(path)

    def judge(self) -> None:
        """Begin to test the model."""
        assert self.model is not None
        assert self.source is not None
        self.judging = Judging(self.model, self.source, self.label, self.folder / "report.html")
        self.judging.start()

    def model_file(self) -> bytes:
        """The model as a file."""
        assert self.model is not None
        path = self.folder / "model.dowgan"
        self.model.save(path)
        return _taken(path)

    @property
    def stem(self) -> str:
        """The label as a part of the names of downloads."""
        label = self.label or self.opened_label
        bare = re.sub(r"(\.gz)?$", "", label).rpartition(".")[0] or label
        return re.sub(r"[^\w-]+", "-", bare).strip("-")[:60] or "table"

    # the end

    def leave(self, grace: float = GRACE) -> None:
        """The browser has gone: clear up unless it comes back in time."""
        self._leaving = threading.Timer(grace, self.close)
        self._leaving.daemon = True
        self._leaving.start()

    def come_back(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()

    def close(self) -> None:
        """Remove every file."""
        self.close_model()
        self._home.cleanup()


def _opened(path: Path) -> Synthesizer | UserError:
    """A model, or what is wrong with it; the file comes from anywhere, so all of it is looked at now."""
    try:
        model = load(path)
        Config.model_validate_json(model.model_.recipe)
        model.generate(rows=2)
    except UserError as error:
        return error
    except Exception:  # whatever a made-up file leads to
        return ModelError(f"'{path}' is not a model of dowgan, or is damaged. Make one with: dowgan fit DATA -o MODEL")
    return model


def _taken(path: Path) -> bytes:
    """What a file holds; the file is removed."""
    content = path.read_bytes()
    path.unlink()
    return content
