"""Configuration: what an operator writes, checked whole, and compiled for the workers.

Rules: runs in the control process and in the CLI, never in the supervisor or a worker (pydantic is
a Rust extension); asks nobody on the network.

Not here: resolving and refreshing credentials (`gateway.control.credentials`).
"""

from gateway.config.load import Loaded, load
from gateway.config.problems import Problem, Severity

__all__ = ["Loaded", "Problem", "Severity", "load"]
