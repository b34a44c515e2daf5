"""The metrics catalogue: every measure and dimension defined once, asked by every surface."""

from services.metrics.answer import Answer, query
from services.metrics.catalogue import DIMENSIONS, HOURS, MEASURES, WEEKDAYS, Dimension, Measure, can_split, conflict, splits
from services.metrics.freshness import Trust, choices, trust, values, version
from services.metrics.kept import one_look

__all__ = [
    "DIMENSIONS", "HOURS", "MEASURES", "WEEKDAYS", "Answer", "Dimension", "Measure", "Trust", "can_split", "choices", "conflict",
    "one_look", "query", "splits", "trust", "values", "version",
]  # fmt: skip
