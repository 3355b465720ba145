"""The former name of `timeouts`, which `gateway.config.variables` still imports."""

from gateway.supervisor.timeouts import VARIABLES, read
from gateway.supervisor.timeouts import TimeoutsError as TempoError

__all__ = ["VARIABLES", "TempoError", "read"]
