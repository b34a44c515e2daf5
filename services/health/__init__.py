"""Is everything we stand on alive? Answered from memory; threads of this module do the asking."""

from services.health.probes import Probe
from services.health.status import Status, settled, start, status

__all__ = ["Probe", "Status", "settled", "start", "status"]
