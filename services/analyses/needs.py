"""What does a community need? A fixed taxonomy, several classes at once, each with the sentences of the narrative that say so."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from services.ai.grounding.ground import Count, Name, Quote, Unit
from services.analyses import phrases
from services.analyses.case import LONGEST_QUOTE, Case, Facts, Part, name_of, named
from services.analyses.taxonomy import LACK, MET, NEEDS, Need
from services.records import Community

TITLE = "Needs"
MOST_READ = 200_000  # characters of narrative: more is no description of a place
MOST_EVIDENCE = 3
MOST_SENTENCE = 1_000
SENTENCE = re.compile(r"[^.!?\n;]+[.!?;]?")
Sentences = Annotated[int, Unit("count", ("sentence", "sentences"))]
Characters = Annotated[int, Unit("count", ("character", "characters"))]
Strength = Literal["strong", "moderate", "weak"]
RANKS: dict[Strength, int] = {"strong": 0, "moderate": 1, "weak": 2}


class Label(Part):
    """One need. `says_so` counts sentences that tell a lack, `mentions` those that only speak of the subject."""

    need: str
    strength: Strength
    says_so: Sentences
    mentions: Sentences
    evidence: tuple[Quote, ...]


class NeedsFacts(Facts):
    level: Name | None
    narrative: Literal["read", "read in part", "missing"]
    read_characters: Characters
    unread_characters: Characters
    sentences: Sentences
    labels: tuple[Label, ...]
    label_count: Annotated[int, Unit("count", ("need", "needs", "label", "labels"))]
    not_found: tuple[str, ...]
    taxonomy_size: Annotated[int, Unit("count", ("class", "classes"))]
    met_sentences: Count


def facts(case: Case[Community]) -> NeedsFacts:
    """Only the narrative is evidence; what it says is data, whatever it says."""
    narrative = (case.record.narrative or "").replace("\0", " ")
    sentences = list(_sentences(narrative[:MOST_READ]))
    met = [sentence for sentence in sentences if MET.search(sentence)]
    open_ones = [sentence for sentence in sentences if not MET.search(sentence)]
    labels = sorted(
        (label for need in NEEDS if (label := _label(need, open_ones))), key=lambda label: (RANKS[label.strength], -label.says_so)
    )
    found = {label.need for label in labels}
    return NeedsFacts(
        record_name=name_of(case.record),
        as_of=case.today,
        level=named(case.record.geographic_level),
        narrative="missing" if not narrative.strip() else "read in part" if len(narrative) > MOST_READ else "read",
        read_characters=min(len(narrative), MOST_READ),
        unread_characters=max(0, len(narrative) - MOST_READ),
        sentences=len(sentences),
        labels=tuple(labels),
        label_count=len(labels),
        not_found=tuple(need.label for need in NEEDS if need.label not in found),
        taxonomy_size=len(NEEDS),
        met_sentences=len(met),
    )


def render(told: NeedsFacts) -> str:
    """The needs as people read them."""
    name = phrases.plain(told.record_name)
    if told.narrative == "missing":
        return phrases.document(f"{TITLE} of {name}", [("Summary", f"Nothing was told about {name}, so its needs are unknown.")])
    summary = (
        f"The narrative of {name} speaks of {phrases.counted(told.label_count, 'need')} of {told.taxonomy_size} classes."
        if told.labels
        else f"The narrative of {name} names none of the {told.taxonomy_size} classes of needs. That does not mean that there are none."
    )
    if told.narrative == "read in part":
        summary += f" Only its first {told.read_characters:,} characters were read; {told.unread_characters:,} characters were not."
    rows = [(label.need, label.strength, str(label.says_so), str(label.mentions)) for label in told.labels]
    quotes = [f"**{label.need}**: “{phrases.plain(quote)}”" for label in told.labels for quote in label.evidence]
    return phrases.document(
        f"{TITLE} of {name}",
        [
            ("Summary", summary),
            ("Needs found", phrases.table(("Need", "Evidence", "Sentences of lack", "Other sentences"), rows) if rows else ""),
            ("What it says", phrases.bullets(quotes)),
            ("Not found", f"{phrases.joined(told.not_found)}." if told.not_found else ""),
        ],
    )


def _sentences(narrative: str) -> Iterator[str]:
    for match in SENTENCE.finditer(narrative):
        sentence = " ".join(match.group()[:MOST_SENTENCE].split())
        if sentence:
            yield sentence


def _label(need: Need, sentences: list[str]) -> Label | None:
    about = [sentence for sentence in sentences if need.pattern.search(sentence)]
    lacking = [sentence for sentence in about if LACK.search(sentence)]
    if not about or (not lacking and len(about) < 2):
        return None  # one passing mention is no need
    strength: Strength = "strong" if len(lacking) > 1 else "moderate" if lacking else "weak"
    evidence = tuple(dict.fromkeys(_quotation(sentence, need) for sentence in lacking or about))[:MOST_EVIDENCE]
    return Label(need=need.label, strength=strength, says_so=len(lacking), mentions=len(about) - len(lacking), evidence=evidence)


def _quotation(sentence: str, need: Need) -> str:
    """As much of the sentence as may be quoted, around what it says; quotation marks of its own would end the quotation."""
    at = need.pattern.search(sentence)
    start = 0 if at is None or at.end() <= LONGEST_QUOTE else at.start()
    return (named(re.sub(r"[\"“”«»]", "'", sentence[start : start + LONGEST_QUOTE])) or "")[:LONGEST_QUOTE]
