"""What all tests share: the real data files, and one thread per process."""

from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"


def pytest_configure() -> None:
    """One thread: on a busy machine torch's default threads make the suite many times slower."""
    try:
        import torch
    except ImportError:  # the table and its tests work without it
        return
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data() -> Callable[[str], Path]:
    """The path of a real data file; the test is skipped, naming the file, where it is absent."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"the data file {name} is not there")
        return path

    return find
