"""Text from outside where the console writes Markdown."""

import re

MARKS = frozenset("\\`*_{}[]()<>#+-!|~:$&")
# Markdown makes links of these though nothing marks them; an invisible joiner keeps them text.
REACHES = re.compile(r"(https?://|www(?=\.)|(?<=\S)@(?=\S))", re.IGNORECASE)
JOINER = "\u2060"


def quoted(told: str) -> str:
    """The text on one line, as it is written: nothing in it is taken for Markdown."""
    return literal(" ".join(told.split()))


def literal(told: str) -> str:
    """The same with its spaces and lines as they are."""
    return "".join(f"\\{letter}" if letter in MARKS else letter for letter in REACHES.sub(rf"\1{JOINER}", told))
