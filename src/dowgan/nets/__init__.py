"""Networks by name: one file and one registry line each."""

from dowgan.nets import conv, dense, gru, mlp
from dowgan.nets.net import NETS, Shape

__all__ = ["NETS", "Shape", "conv", "dense", "gru", "mlp"]
