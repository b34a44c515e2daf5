"""A question as plain words: what could hide in it is gone before anything looks at it."""

import re
import unicodedata

LONGEST = 500
# Shortened forms, written out; after the apostrophes of all kinds are one.
SHORT = (
    ("what's", "what is"), ("whats", "what is"), ("how's", "how is"), ("which's", "which is"), ("who's", "who is"), ("there's", "there is"),
    ("where's", "where is"), ("it's", "it is"), ("let's", "let us"), ("isn't", "is not"), ("aren't", "are not"), ("don't", "do not"),
    ("%", " percent "), ("&", " and "), ("w/o", "without"),
)  # fmt: skip
WORD = re.compile(r"[a-z0-9]+")
DATE_MARKS = re.compile(r"(?<=\d)[-/](?=\d)")


def clean(told: str) -> str:
    """The question without control and direction characters, on one line: what is stored and shown."""
    kept = "".join(" " if letter in "\t\n\r" else letter for letter in told if letter in "\t\n\r" or unicodedata.category(letter)[0] != "C")
    return " ".join(kept.split())


def plain(told: str) -> str:
    """Small letters without accents, shortened forms written out."""
    folded = unicodedata.normalize("NFKD", clean(told)).replace("\u2019", "'").replace("\u2018", "'")
    letters = "".join(letter for letter in folded if not unicodedata.combining(letter)).casefold()
    for short, long in SHORT:
        letters = re.sub(rf"(?<![a-z]){re.escape(short)}(?![a-z])", long, letters) if short[0].isalpha() else letters.replace(short, long)
    return re.sub(r"'s\b", "", letters)


def tokens(told: str) -> tuple[str, ...]:
    """The words of a phrase, as they are compared."""
    return tuple(WORD.findall(plain(told)))


def foreign(text: str) -> tuple[str, ...]:
    """Words of a plain text in letters that are not ours: nobody can know them, so they may not be skipped."""
    return tuple(word for word in re.findall(r"\w+", text) if not word.isascii())
