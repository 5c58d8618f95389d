"""The web page: a table in, the three verbs and the report out, without code. `serve` starts it."""

from dowgan.app.server import serve

__all__ = ["serve"]
