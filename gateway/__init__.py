"""The control plane: everything a person or Kubernetes touches.

Rules: this package may import `fastpath`, never the other way round; nothing here runs inside a
worker process. This file stays free of imports, because the supervisor loads it before it forks.
"""

__version__ = "0.1.0"
