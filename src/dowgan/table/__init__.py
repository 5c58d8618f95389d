"""The door: tables in, arrays by run out, and back into the same kind of table."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dowgan.table.clock import Clock
from dowgan.table.schema import CellText, Column, Run, Schema, Source, Table

if TYPE_CHECKING:
    from dowgan.table.contract import check
    from dowgan.table.giving import refined, to_frame, with_faults
    from dowgan.table.intake import read
    from dowgan.table.summary import Description, describe
    from dowgan.table.writing import Writer, write

_LAZY = {  # these import pandas, which takes as long as the whole of `dowgan --help` may
    "check": "contract",
    "Description": "summary",
    "describe": "summary",
    "refined": "giving",
    "to_frame": "giving",
    "read": "intake",
    "with_faults": "giving",
    "Writer": "writing",
    "write": "writing",
}

__all__ = [
    "CellText",
    "Clock",
    "Column",
    "Description",
    "Run",
    "Schema",
    "Source",
    "Table",
    "Writer",
    "check",
    "describe",
    "read",
    "refined",
    "to_frame",
    "with_faults",
    "write",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(name)
    return getattr(import_module(f"dowgan.table.{_LAZY[name]}"), name)
