"""The metrics catalogue: every measure and dimension defined once, asked by every surface."""

from services.metrics.answer import Answer, query, splits
from services.metrics.catalogue import DIMENSIONS, MEASURES, Dimension, Measure
from services.metrics.freshness import Trust, trust, values

__all__ = ["DIMENSIONS", "MEASURES", "Answer", "Dimension", "Measure", "Trust", "query", "splits", "trust", "values"]
