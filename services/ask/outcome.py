"""What a question can come to."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.ask.frame import Frame

MOST_CHOICES = 6


@dataclass(frozen=True, slots=True)
class Understood:
    """What it comes to, and what was read as what."""

    frame: Frame
    repaired: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Open:
    """`choices` are whole questions, each of which can be answered."""

    question: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """`unknown` are the words that mean nothing here; empty where nothing was asked."""

    unknown: tuple[str, ...]


Outcome = Understood | Open | NotUnderstood


class Unclear(Exception):
    """Stops the building of a frame: a question must be asked back."""

    def __init__(self, question: str, choices: Sequence[str] = ()) -> None:
        super().__init__(question)
        self.open = Open(question, tuple(choices)[:MOST_CHOICES])


def either(names: Sequence[str]) -> str:
    """Names as a choice in words."""
    names = list(dict.fromkeys(names))
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def capital(words: str) -> str:
    """With a capital letter at the beginning."""
    return words[:1].upper() + words[1:]
