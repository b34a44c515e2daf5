"""Sample traffic for a console that has none yet: plausible, seeded, and in through the same door as real traffic."""

from services.sample.traffic import generate

__all__ = ["generate"]
