"""The configuration: what an operator writes, checked as a whole and compiled for the workers.

Rules: it runs in the control process and in the command line, never in the supervisor or a worker,
because pydantic is a Rust extension; nothing here uses the network.
"""

from gateway.config.load import Loaded, load
from gateway.config.problems import Problem, Severity

__all__ = ["Loaded", "Problem", "Severity", "load"]
