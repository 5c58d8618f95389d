"""The web page, and the list of what can be named."""

import sys
from typing import Annotated

from cyclopts import Parameter

from dowgan.cli.options import Whole
from dowgan.cli.program import app, talk


@app.command(name="app", sort_key=9, help_epilogue="Example: dowgan app --port 8600")
def web(
    *,
    port: Annotated[Whole, Parameter(name="--port", help="Port of the page.")] = 8501,
    address: Annotated[
        str, Parameter(name="--address", help="What the page listens on; localhost is this machine alone.")
    ] = "localhost",
    limit: Annotated[Whole, Parameter(name="--upload-limit", help="Most megabytes of an uploaded file.")] = 200,
    browser: Annotated[bool, Parameter(name="--browser", help="Open a browser.")] = True,
) -> None:
    """Serve the web page: the whole work without code. Needs Streamlit: pip install 'dowgan[app]'."""
    from dowgan.app import serve

    serve(address, port, limit, browser, talk)


@app.command(name="list", sort_key=10, help_epilogue="Example: dowgan list recipes")
def list_parts(
    kind: Annotated[
        str | None, Parameter(help="nets, objectives, noises, recipes, metrics, library or settings.")
    ] = None,
    /,
) -> None:
    """List what can be named in options: nets, objectives, noises, recipes, metrics, library, settings."""
    from dowgan.catalogue import catalogue

    for name, entries in catalogue(kind).items():
        sys.stdout.write(f"{name}\n")
        for entry, text in entries.items():
            sys.stdout.write(f"  {entry:<28} {text}\n".rstrip() + "\n")
