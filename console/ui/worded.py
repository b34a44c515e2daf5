"""Wording of analyses where the console shows it: headings, lists, tables and bold. All else that a record or a model wrote is text."""

import re

from console.ui.quoted import literal
from services.analyses.page import BOLD, CELL, ESCAPED

LEAD = re.compile(r"(#{1,6} +|- )?(.*)", re.DOTALL)
RULE = re.compile(r"\s*:?-+:?\s*")


def shown(wording: str, *, under: int = 0) -> str:
    """The same Markdown with nothing in it that loads, links or styles; its headings `under` so many others."""
    return "\n".join(_line(line, under) for line in wording.splitlines())


def untitled(wording: str) -> str:
    """Without the heading of the whole, where the place says what it is."""
    first, _, rest = wording.partition("\n")
    return rest.lstrip("\n") if first.startswith("# ") else wording


def _line(line: str, under: int) -> str:
    if line.startswith("|"):
        return "|".join(cell if RULE.fullmatch(cell) else _inline(cell) for cell in CELL.split(line))
    found = LEAD.fullmatch(line)
    lead, rest = (found[1] or "", found[2]) if found else ("", line)
    if lead.startswith("#"):
        lead = "#" * min(6, len(lead.strip()) + under) + " "
    return lead + _inline(rest)


def _inline(told: str) -> str:
    return "".join(f"**{_text(part)}**" if n % 2 else _text(part) for n, part in enumerate(BOLD.split(told)))


def _text(told: str) -> str:
    return literal(ESCAPED.sub(r"\1", told))
