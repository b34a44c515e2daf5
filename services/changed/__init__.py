"""What changed between two ranges: a difference in cost or latency as steps that add up to it exactly."""

from services.changed.ask import ANSWERED_BY, Between, cost, latency, movers
from services.changed.cost import CostChange
from services.changed.latency import LatencyChange
from services.changed.steps import Step

__all__ = ["ANSWERED_BY", "Between", "CostChange", "LatencyChange", "Step", "cost", "latency", "movers"]
