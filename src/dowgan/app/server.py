"""Start the web page on this machine: no account, no telemetry, nothing that leaves the computer."""

import socket
import threading
import time
import webbrowser
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from dowgan.errors import OptionError

WAIT = 300.0  # seconds that the server may take to come up on a busy machine
EVERYWHERE = ("0.0.0.0", "::")
FLAGS = {
    "server.headless": "true",  # the server neither asks for an address nor opens a browser: we do
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    "server.enableXsrfProtection": "true",
    "server.enableStaticServing": "false",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "global.developmentMode": "false",
    "logger.hideWelcomeMessage": "true",
    "theme.light.primaryColor": "#3b7dd8",  # one colour for both would mean light only
    "theme.dark.primaryColor": "#3b7dd8",
}


def serve(address: str, port: int, limit: int, browser: bool, say: Callable[[str], None]) -> None:
    """Serve the page until it is interrupted.

    Args:
        address: that it listens on; only "localhost" keeps it to this machine.
        port: of the same.
        limit: most megabytes of an uploaded file.
        browser: open a browser once the page is there.
        say: takes the line that says where the page is.

    Raises:
        OptionError: Streamlit is not installed, or the port is taken.
    """
    if find_spec("streamlit") is None:
        raise OptionError("The web page needs Streamlit, which is not installed: pip install 'dowgan[app]'.")
    _check_free(address, port)
    from streamlit.web import cli

    shown = socket.gethostname() if address in EVERYWHERE else address
    flags = FLAGS | {
        "server.address": address,
        "server.port": str(port),
        "server.maxUploadSize": str(limit),
        "browser.serverAddress": shown,
    }
    url = f"http://{shown}:{port}"
    threading.Thread(target=_announce, args=(shown, port, url, browser, say), daemon=True).start()
    page = Path(__file__).with_name("page.py")
    cli.main(["run", str(page), *(f"--{name}={value}" for name, value in flags.items())], standalone_mode=False)


def _check_free(address: str, port: int) -> None:
    try:
        family, kind, proto, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(place)
    except (OSError, OverflowError) as error:
        raise OptionError(
            f"The page cannot be served at {address}:{port} ({error}); choose another place, such as --port {port + 1}."
        ) from error


def _announce(host: str, port: int, url: str, browser: bool, say: Callable[[str], None]) -> None:
    """Say where the page is once it is there."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
            continue
        say(f"the page is at {url}; Ctrl-C ends it")
        if browser:
            webbrowser.open(url)
        return
