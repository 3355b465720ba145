"""Makes the desk known to every test of the configuration."""

from tests.unit.gateway.config.loading import desk

__all__ = ["desk"]
