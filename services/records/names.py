"""Names of projects and places, made comparable."""

import re
import unicodedata

from services.records.cells import folded

FORMERLY = re.compile(r"\(\s*(?:formerly|previously)(?:\s+known\s+as)?[:\s]+([^()]+)\)", re.IGNORECASE)
BRACKETS = re.compile(r"\([^()]*\)")
FILLERS = frozenset({"the", "programme", "program", "project"})


def fold(told: str) -> str:
    """Small letters without accents, runs of space as one: what people type finds what is written."""
    if not told.isascii():
        told = "".join(letter for letter in unicodedata.normalize("NFKD", told) if not unicodedata.combining(letter))
    return " ".join(told.casefold().split())


def keys(name: str, department: str | None, successors: dict[str, str]) -> list[str]:
    """What a project is known by: its name and department, and the name that it says it had before."""
    former = FORMERLY.findall(name)
    names = [FORMERLY.sub(" ", name), *former]
    office = _words(successors.get(folded(department or "")) or department or "")
    told = [key for key in dict.fromkeys(_words(one) for one in names) if key] or [fold(name)]
    return [f"{key} | {office}" for key in told]


def likeness(name: str) -> str:
    """What is left of a name without brackets and words that say nothing: two that share it may be one project, and may not."""
    return " ".join(word for word in _words(BRACKETS.sub(" ", name)).split() if word not in FILLERS)


def _words(told: str) -> str:
    """Letters and digits only, without a leading article."""
    plain = "".join(letter if letter.isalnum() else " " for letter in fold(told).replace("&", " and ").replace("'", "").replace("’", ""))
    return " ".join(plain.split()).removeprefix("the ")
