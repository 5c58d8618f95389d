"""What a result depends on beside its data and its seed."""

import platform
from importlib.metadata import version

from dowgan import __version__


def versions() -> dict[str, str]:
    """Return the versions of the program and of what its numbers depend on."""
    return {"dowgan": __version__, "python": platform.python_version()} | {
        name: version(name) for name in ("numpy", "scipy", "pandas", "torch")
    }
