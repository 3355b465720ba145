"""`s3gateway check --connect`: whether the targets of a configuration can be reached and used.

Rules: asks every target at once, each within a deadline; sends nothing but signed GET and HEAD
requests that change nothing, and lakeFS's unsigned health check; no answer's text is repeated.

Not here: what a target can do (`gateway.probe`), printing (`gateway.cli.check`).
"""

from gateway.connect.run import Report, connect

__all__ = ["Report", "connect"]
