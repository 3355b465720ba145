"""Makes the shared fixtures known to the tests of this directory."""

from tests.compat.live import gateway, implicit_gateway, moto, prefix, side, sides, stores

__all__ = ["gateway", "implicit_gateway", "moto", "prefix", "side", "sides", "stores"]
