"""A search on a PostgreSQL server of its own: workers that meet on it, one that is killed, a server that is lost."""

import csv
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from dowgan.errors import OptionError
from small_tables import waves

pytest.importorskip("optuna", reason="Optuna is an extra: pip install 'dowgan[search]'")
pytest.importorskip("psycopg", reason="psycopg is an extra: pip install 'dowgan[postgresql]'")

from optuna.storages import BaseStorage
from sqlalchemy.exc import IntegrityError

from dowgan.search.storage import open_storage, shown

PROGRAMS = max((str(p.parent) for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")), default="")
INITDB = shutil.which("initdb") or shutil.which("initdb", path=PROGRAMS)
SERVER = pytest.mark.skipif(INITDB is None, reason="no PostgreSQL server is installed: apt-get install postgresql")
QUICK = (
    "train.steps=20", "train.checks=2", "train.collapse=warn", "train.batch=16", "space=standard", "window=8",
    "generator.net=dense", "critic.net=dense", "objective.name=bce",
)  # fmt: skip
LIFE = 3  # seconds between signs of life in these tests
PROGRAM = f"import dowgan.search.storage as s; s.HEARTBEAT = {LIFE}; from dowgan.cli import main; main()"
HANG = (
    "import sys, time, dowgan.networks as n; "
    "n.train_network = lambda *_: (sys.stderr.write('hangs\\n'), time.sleep({seconds}))"
)


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server that belongs to these tests."""

    folder: Path
    port: int

    def run(self, program: str, *words: str) -> None:
        """Run one of its programs, which refuse to be run by root."""
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        command = [str(Path(str(INITDB)).resolve().parent / program), *words]
        done = subprocess.run(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **user)
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self.run("pg_ctl", "-D", "db", "-w", "-l", "log", "-o", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", "db", "-m", "immediate", "stop")

    def database(self, name: str) -> str:
        """Make an empty database; return its URL."""
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "dowgan", name)
        return f"postgresql://dowgan:secret@127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="dowgan-pg-"))  # short, and open to the user that the server runs as
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
    one = Server(folder, port)
    try:
        one.run("initdb", "-D", "db", "-A", "trust", "-U", "dowgan", "-N")
        one.start()
        yield one
        one.stop()
    finally:
        shutil.rmtree(folder)


def begun(
    folder: Path, place: str, out: str, trials: int, *words: str, program: str = PROGRAM
) -> subprocess.Popen[str]:
    """A machine of its own: one process with a folder of its own."""
    settings = [word for text in QUICK for word in ("--set", text)]
    command = ["search", str(folder / "data.csv"), "-o", str(folder / out), "--storage", place, "--workers", "1"]
    command += ["--trials", str(trials), *settings, *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", program, *command], stderr=subprocess.PIPE, text=True, env=environment
    )


def wait_for(process: subprocess.Popen[str], beginning: str) -> None:
    assert process.stderr is not None
    said = []
    while not (line := process.stderr.readline()).startswith(beginning):
        said.append(line)
        assert line, "".join(said)


def ended(processes: Sequence[subprocess.Popen[str]]) -> list[str]:
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(said), "\n".join(said)
    return said


def trials_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open() as file:
        return list(csv.DictReader(file))


@SERVER
@pytest.mark.long
def test_machines_that_begin_at_the_same_moment_share_the_trials(server: Server, tmp_path: Path) -> None:
    """The database is empty: each lays out its tables, makes the search and takes trials."""
    waves(120).to_csv(tmp_path / "data.csv", index=False)
    place = server.database("together")
    names = ("one", "two")
    said = ended([begun(tmp_path, place, name, 4, "--resume") for name in names])
    lines = [line.split(":")[0] for text in said for line in text.splitlines() if line.startswith("trial ")]
    rows = min((trials_of(tmp_path / name) for name in names), key=lambda rows: str(rows).count("RUNNING"))  # the later
    assert sorted(lines) == sorted(f"trial {row['trial']}" for row in rows)  # each by one of them
    assert 4 <= len(rows) <= 5  # both may begin a last one at the same moment
    assert {row["state"] for row in rows} <= {"COMPLETE", "PRUNED"}


@SERVER
@pytest.mark.long
def test_a_killed_machine_loses_the_trial_in_hand_and_the_other_goes_on(server: Server, tmp_path: Path) -> None:
    waves(120).to_csv(tmp_path / "data.csv", index=False)
    place = server.database("killed")
    one = begun(tmp_path, place, "one", 3, program=f"{HANG.format(seconds=600)}; {PROGRAM}")
    wait_for(one, "3 trials, 3 to do; a storage keeps them")
    wait_for(one, "hangs")
    two = begun(tmp_path, place, "two", 3, "--resume")
    wait_for(two, "3 trials, 2 to do, 1 in hand elsewhere; a storage keeps them")
    ended([two])
    assert [row["state"] for row in trials_of(tmp_path / "two")] == ["RUNNING", "COMPLETE", "COMPLETE"]
    one.send_signal(signal.SIGKILL)
    one.communicate()
    time.sleep(2 * LIFE + 1)  # after which a worker without a sign of life is given up
    ended([begun(tmp_path, place, "two", 3, "--resume")])
    rows = trials_of(tmp_path / "two")
    assert [row["state"] for row in rows] == ["FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
    assert rows[0]["reason"] == "the search was killed"


@SERVER
def test_a_server_that_is_lost_ends_a_search_in_a_line(server: Server, tmp_path: Path) -> None:
    """It is lost while a trial is trained, for longer than from one sign of life to the next."""
    place = server.database("lost")
    waves(120).to_csv(tmp_path / "data.csv", index=False)
    process = begun(tmp_path, place, "one", 100, program=f"{HANG.format(seconds=2 * LIFE)}; {PROGRAM}")
    wait_for(process, "hangs")
    server.stop()
    said = process.communicate()[1].splitlines()
    server.start()  # for the tests that follow, and to be stopped in the end
    assert process.returncode == 1
    assert said[-1].startswith(f"dowgan: The storage '{shown(place)}' cannot be used: (psycopg.OperationalError)")
    assert said[-1].endswith("What was finished is kept there: go on with --resume.")
    assert not any("Traceback" in line or "secret" in line for line in said)


def test_tables_that_another_machine_lays_out_are_waited_for() -> None:
    """Whether two that begin together meet is chance; here they do."""
    meet, there = IntegrityError("CREATE TABLE", {}, Exception("there already")), mock.Mock(spec=BaseStorage)
    with mock.patch("dowgan.search.storage.PAUSE", 0.0):
        with mock.patch("dowgan.search.storage.Database", side_effect=[meet, meet, there]):
            assert open_storage("postgresql://127.0.0.1/trials") is there
        with mock.patch("dowgan.search.storage.Database", side_effect=meet), pytest.raises(OptionError) as error:
            open_storage("postgresql://127.0.0.1/trials")
    assert str(error.value) == (
        "The storage 'postgresql://127.0.0.1/trials' cannot be used: (builtins.Exception) there already."
    )


def test_without_the_driver_it_says_what_to_install() -> None:
    missing = ImportError("no module")
    with mock.patch("dowgan.search.storage.Database", side_effect=missing), pytest.raises(OptionError) as error:
        open_storage("postgresql://me:secret@127.0.0.1/trials")
    assert str(error.value) == (
        "The storage 'postgresql://me:***@127.0.0.1/trials' needs a driver that is not installed; for PostgreSQL: "
        "pip install 'dowgan[postgresql]'."
    )
