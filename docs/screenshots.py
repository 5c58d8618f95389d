"""Screenshots for the documentation, of the running page with the example and of its report: `docs/screenshots.py`."""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from dowgan import Synthesizer
from dowgan.demo import simulate

PLACE = Path(__file__).resolve().parent / "screenshots"
PORT = 8699
SIZES = {"wide": (1280, 1500), "phone": (390, 1500)}
SCREEN = (1280, 900)  # of the report


def main() -> None:
    """Take the page with a fitted model, wide and narrow, light and dark, and the report's first screen and one tag."""
    PLACE.mkdir(exist_ok=True)
    server = subprocess.Popen([sys.executable, "-m", "dowgan", "app", "--no-browser", "--port", str(PORT)])
    try:
        _until_served()
        with sync_playwright() as player:
            browser = player.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for (name, (width, height)), scheme in zip(SIZES.items(), ("light", "dark"), strict=True):
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                _work(page)
                page.screenshot(path=PLACE / f"{name}-{scheme}.png")
            _report(browser)
    finally:
        server.terminate()
        server.wait(30)


def _report(browser: Browser) -> None:
    """Take the verdict, and the figures of a tag, of a report on the example."""
    table = simulate().table
    page = browser.new_page(viewport={"width": SCREEN[0], "height": SCREEN[1]})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        Synthesizer("prior", conditions=("grade", "temp_sp")).fit(table).report(table).to_html(path)
        page.goto(path.as_uri())
        page.screenshot(path=PLACE / "report-verdict.png")
        page.select_option("#pick", "reactor_temp")
        page.locator("section:not([hidden]) .plot").first.scroll_into_view_if_needed()
        page.evaluate("document.querySelector('.pick').scrollIntoView()")
        page.locator("section:not([hidden]) .main-svg").nth(4).wait_for()
        page.wait_for_timeout(1_500)
        page.screenshot(path=PLACE / "report-tag.png")


def _until_served() -> None:
    end = time.monotonic() + 300
    while time.monotonic() < end:
        with socket.socket() as trial:
            if trial.connect_ex(("localhost", PORT)) == 0:
                return
        time.sleep(0.1)


def _work(page: Page) -> None:
    """Fit the example in closed form and generate."""
    page.set_default_timeout(60_000)
    page.goto(f"http://localhost:{PORT}")
    page.get_by_role("button", name="Use the example").click()
    recipe = page.get_by_role("combobox", name="Recipe")
    recipe.wait_for()
    page.locator("[data-test-script-state=notRunning]").wait_for()  # a redraw would close the list
    recipe.click()
    recipe.fill("prior")
    page.get_by_role("option", name="prior", exact=True).click()
    page.get_by_test_id("stFormSubmitButton").get_by_role("button", name="Fit").click()
    page.get_by_text("4 · Use it").wait_for()
    page.get_by_test_id("stFormSubmitButton").get_by_role("button", name="Generate").click()
    page.get_by_text("The first rows").first.wait_for()
    page.get_by_role("button", name="Fit again").scroll_into_view_if_needed()
    page.wait_for_timeout(1_500)


if __name__ == "__main__":
    main()
