"""What all tests share: the real data files, a browser, and one thread per process."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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


@pytest.fixture(autouse=True, scope="session")
def few_windows() -> Iterator[None]:
    """An eighth of the windows that calibrate a generator: enough for what tests ask of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dowgan.windows.DRAWN", (2_560, 10_240))
        yield


@pytest.fixture(scope="session")
def data() -> Callable[[str], Path]:
    """The path of a real data file; the test is skipped, naming the file, where it is absent."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"the data file {name} is not there")
        return path

    return find


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A running Chromium, driven by Playwright; the test is skipped where either is absent."""
    driver = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with driver.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=found, args=["--no-sandbox"], timeout=240_000)
        yield browser
        browser.close()
