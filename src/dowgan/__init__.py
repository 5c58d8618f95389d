"""Synthetic, finer and longer time series from one fitted model."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["Extension", "Report", "Synthesizer", "__version__", "compare", "load"]

_LAZY = {
    "Extension": "synthesizer",
    "Report": "report",
    "Synthesizer": "synthesizer",
    "compare": "report",
    "load": "synthesizer",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'dowgan' has no attribute '{name}'")
    return getattr(import_module(f"dowgan.{_LAZY[name]}"), name)
