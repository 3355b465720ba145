"""The demo, run as a stranger runs it."""
