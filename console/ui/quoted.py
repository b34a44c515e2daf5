"""Text from outside where the console writes Markdown."""

MARKS = frozenset("\\`*_{}[]()<>#+-!|~:$&")


def quoted(told: str) -> str:
    """The text as it is written: nothing in it is taken for Markdown."""
    return "".join(f"\\{letter}" if letter in MARKS else letter for letter in " ".join(told.split()))
