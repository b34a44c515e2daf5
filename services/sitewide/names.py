"""Names of fields and financial years: published in many ways, known by one."""

import re

from services.errors import BadInput
from services.records.names import fold

NOTES = re.compile(r"\((?:total of )?lines?\b[^)]*\)|\([a-z]\)\s*$", re.IGNORECASE)
YEARS = re.compile(r"\b(?:19|20)\d\d\b", re.ASCII)
YEAR = re.compile(r"((?:19|20)\d\d)\s*[-/–]\s*(\d\d|\d{4})", re.ASCII)
LONGEST_SLUG = 120


def slug(published: str) -> str:
    """What stays the same when a name is respelt: no case, punctuation, line numbers, footnote letters and years. Raises BadInput."""
    plain = YEARS.sub(" ", NOTES.sub(" ", fold(published))).replace("&", " and ").replace("'", "").replace("’", "")
    found = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST_SLUG].rstrip("-")
    if not found:
        raise BadInput(f"'{published[:80]}' has no letter or digit to be known by")
    return found


def year_of(told: str) -> int:
    """The calendar year in which a financial year such as 2015-16 begins; raises BadInput."""
    form = YEAR.fullmatch(told.strip())
    if form is None or int(form[2]) % 100 != (int(form[1]) + 1) % 100:
        raise BadInput(f"'{told[:40]}' is not a financial year such as 2015-16")
    return int(form[1])


def year_label(year: int) -> str:
    """The financial year that begins in `year`, as published: 2015-16."""
    return f"{year}-{(year + 1) % 100:02d}"


def title(published: str) -> str:
    """A published name as a sentence says it: without line numbers and footnote letters, not in capitals, its quotation marks single."""
    plain = " ".join(NOTES.sub(" ", published).split())
    plain = (plain or published).replace('"', "'").replace("“", "'").replace("”", "'")
    return plain.capitalize() if plain.isupper() else plain
