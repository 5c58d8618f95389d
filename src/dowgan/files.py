"""Files that are written whole or not at all: beside the target, then renamed."""

import csv
import io
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dowgan.errors import OptionError


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file; whatever stood there stays until the new one is complete.

    Raises:
        OSError: the folder is missing, not writable, or the disk is full.
    """
    target = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        temporary.chmod(PERMISSIONS)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def make_folder(folder: Path, option: str) -> None:
    """Make a folder, and those that it lies in.

    Args:
        option: that another can be given with.

    Raises:
        OptionError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(
            f"The folder '{folder}' cannot be made ({error.strerror}): give another with {option}."
        ) from error


def write_rows(path: Path, names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV of our own, with a header, as `write_whole` does."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def _umask() -> int:
    """The permissions that new files do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


PERMISSIONS = 0o666 & ~_umask()  # of new files; asked once, since it is the whole process that is asked
