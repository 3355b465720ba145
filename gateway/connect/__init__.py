"""`s3gateway check --connect`: whether the targets of a configuration can be reached and used.

Rules: all targets are asked at the same time, each within a deadline; the only requests are signed
GET and HEAD requests, which change nothing, and lakeFS's unsigned health check; no text of an
answer is repeated.
"""

from gateway.connect.run import Prepared, Report, ask, connect, prepare, skipped

__all__ = ["Prepared", "Report", "ask", "connect", "prepare", "skipped"]
