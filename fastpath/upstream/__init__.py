"""Connections to targets: leased from pools, shared fairly, retried where that is safe."""
