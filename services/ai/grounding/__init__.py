"""Grounding: every number, date, name and quotation of generated wording must be among the facts it was made from.

What a record's own text says is no fact: its numbers may be told only inside a quotation that the facts hold as evidence.
"""

from services.ai.grounding.findings import Finding, check
from services.ai.grounding.ground import Ground, gather

__all__ = ["Finding", "Ground", "check", "gather"]
