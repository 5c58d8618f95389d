"""The web page, started as a user starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 240  # seconds: other work may keep the machine busy; nothing waits longer than it has to


@dataclass(frozen=True)
class Site:
    """A page that is served, and the folder that holds its temporary files."""

    url: str
    folder: Path


@contextmanager
def served(folder: Path, words: Sequence[str]) -> Iterator[Site]:
    """Run `dowgan WORDS` on a free port until the block ends; it must leave nothing behind.

    Args:
        folder: for its temporary files.
        words: the command.
    """
    with socket.socket() as trial:
        trial.bind(("localhost", 0))
        port = trial.getsockname()[1]
    command = [sys.executable, "-m", "dowgan", *words, "--no-browser", "--port", str(port)]
    settings = os.environ | {"TMPDIR": str(folder), "HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    log = (folder.parent / "server.log").open("w+")
    server = subprocess.Popen(command, env=settings, stdout=log, stderr=log)
    try:
        _wait_for(port, server)
        yield Site(f"http://localhost:{port}", folder)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(PATIENCE)
        log.seek(0)
        said = log.read()
        log.close()
    assert "Traceback" not in said, said
    assert f"the page is at http://localhost:{port}" in said
    assert list(folder.glob("dowgan-app-*")) == []


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as trial:
            if trial.connect_ex(("localhost", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the page did not come up")
