"""Makes the shared fixtures known to the tests of this directory."""

from tests.compat.between import between
from tests.compat.doors import certificates, door, doors
from tests.compat.live import gateway, implicit_gateway, moto, prefix, side, sides, stores
from tests.compat.places import comparison

__all__ = [
    "between",
    "certificates",
    "comparison",
    "door",
    "doors",
    "gateway",
    "implicit_gateway",
    "moto",
    "prefix",
    "side",
    "sides",
    "stores",
]
