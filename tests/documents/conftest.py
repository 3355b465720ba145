"""The real servers, shared with the tests of clients."""

from tests.compat.live import stores

__all__ = ["stores"]
