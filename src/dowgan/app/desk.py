"""What one browser session holds. Its files lie in a folder of its own with a random name, and go with the session."""

import re
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dowgan.app.jobs import Fit, Judging
from dowgan.demo import simulate
from dowgan.errors import UserError
from dowgan.synthesizer import BANDS, Synthesizer
from dowgan.table import Schema, Table, read, write
from dowgan.table.sniff import load, sniff
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
        origin: the table that it was made of.
    """

    frame: Callable[[], "DataFrame"]
    schema: Schema
    sentence: str
    origin: Table


class Desk:
    """Files, table, model and results of one session."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="dowgan-app-", ignore_cleanup_errors=True)
        self._leaving: threading.Timer | None = None
        self._read: tuple[Path, Roles, Table | UserError] | None = None
        self.number = 0
        self.clear()

    @property
    def folder(self) -> Path:
        return Path(self._home.name)

    def clear(self) -> None:
        """Forget the table and all that was made of it."""
        self.drop_model()
        for path in self.folder.iterdir():
            path.unlink()
        self.number += 1
        self.label = ""
        self.source: Path | None = None
        self.example = False
        self.labels: dict[str, str] = {}

    def drop_model(self) -> None:
        """Forget the model and what was made with it."""
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
        """Write what was uploaded under a name of ours."""
        ending = next((e for e in sorted(ENDINGS, key=len, reverse=True) if label.lower().endswith(e)), ".csv")
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
            return sniff(load(str(self.source)), str(self.source)).names
        except (UserError, OSError, ValueError):
            return ()

    def table(self, roles: Roles) -> Table:
        """The table as it is understood.

        Raises:
            UserError: it cannot be used; the text is that of the command line.
        """
        assert self.source is not None
        if self._read is None or self._read[:2] != (self.source, roles):
            self._read = (self.source, roles, self._try(self.source, roles))
        found = self._read[2]
        if isinstance(found, UserError):
            raise found
        return found

    def _try(self, path: Path, roles: Roles) -> Table | UserError:
        try:
            return read(path, time=roles.time, runs=roles.runs, conditions=roles.conditions, missing=roles.missing)
        except UserError as error:
            return error

    def sentence(self, error: UserError | str) -> str:
        """An error as the command line says it, with the user's names for files instead of ours."""
        text = " ".join(str(error).split())
        for path, label in self.labels.items():
            text = text.replace(path, label).replace(Path(path).name, label)
        return text

    # model and results

    @property
    def model(self) -> Synthesizer | None:
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
        self.judging = Judging(self.model, self.source, self.folder / "report.html")
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
        bare = re.sub(r"(\.gz)?$", "", self.label).rpartition(".")[0] or self.label
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
        self.drop_model()
        self._home.cleanup()


def _taken(path: Path) -> bytes:
    """What a file holds; the file is removed."""
    content = path.read_bytes()
    path.unlink()
    return content
