"""What could be asked instead, or next. Likeness only ranks what is suggested; it never answers."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import log

from services.ask.frame import Frame
from services.ask.lexicon import Lexicon
from services.ask.model import Subject
from services.ask.normalise import tokens

MOST = 3
START = (
    "How many barangays by region?",
    "Which region has the most barangays?",
    "Needs assessments by sector?",
    "Cost by model last month?",
    "Meetings by month in this year?",
)


def instead(message: str, examples: tuple[str, ...], lexicon: Lexicon) -> tuple[str, ...]:
    """The examples that share the rarest words with a question, each about something else; the usual ones where none does."""
    words = {word if word in lexicon.words else lexicon.speller.repair(word) or word for word in tokens(message)}
    rare, contents = _rarity(examples)
    scored = sorted(
        (
            (sum(rare.get(word, 0.0) for word in words & content) / (1 + 0.1 * len(content)), -place)
            for place, content in enumerate(contents)
        ),
        reverse=True,
    )
    found: list[str] = []
    seen: set[frozenset[str]] = set()
    for score, place in scored:
        if score <= 0 or len(found) == MOST:
            break
        if (shared := frozenset(words & contents[-place])) not in seen:
            found.append(examples[-place])
            seen.add(shared)
    return tuple(dict.fromkeys([*found, *START]))[:MOST]


def following(frame: Frame, subject: Subject) -> tuple[str, ...]:
    """Questions that go on from an answer."""
    told: list[str] = []
    groups = [one for one in subject.dimensions if one.groups and one.name not in frame.by and not frame.values(one.name)]
    if groups and frame.shape != "list":
        told.append(f"And by {groups[0].label}?")
    if subject.dates and frame.grain is None:
        told.append("And by month?")
    if subject.dates and frame.earlier is None and frame.period is not None and frame.period.end is not None:
        told.append("And the previous period?" if frame.shape == "plain" and not frame.by else "And last month?")
    if subject.listing and frame.shape != "list" and not frame.by and frame.measure == "count":
        told.append("Show me the list")
    if groups[1:]:
        told.append(f"And by {groups[1].label}?")
    return tuple(told[:MOST])


@lru_cache(maxsize=8)
def _rarity(examples: tuple[str, ...]) -> tuple[dict[str, float], Sequence[frozenset[str]]]:
    contents = [frozenset(tokens(example)) for example in examples]
    counts = Counter(word for content in contents for word in content)
    return {word: log(1 + len(contents) / n) for word, n in counts.items()}, contents
