"""Is everything we stand on alive? Answered from memory; threads of this module do the asking."""

from services.health.monitor import Status, settled, start, status
from services.health.probes import Probe

__all__ = ["Probe", "Status", "settled", "start", "status"]
