"""What an analysis is given, and what every one of them says about itself."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from services.ai.grounding.ground import Name
from services.records import Community, Project

Of = TypeVar("Of", Community, Project)
LONGEST_NAME, LONGEST_QUOTE = 200, 240
LINK = re.compile(r"(?:https?|ftp|file|mailto|javascript|data):/*|www\.", re.IGNORECASE)
BRACKETS = str.maketrans("<>[]", "‹›()")


@dataclass(frozen=True, slots=True)
class Case(Generic[Of]):
    """One record to analyse on a day, among its peers, which are read once. `vectors` are embeddings of narratives by record id."""

    record: Of
    peers: Iterable[Of]
    today: date
    variant: str = ""
    vectors: Mapping[int, Sequence[float]] = field(default_factory=dict)


class Part(BaseModel):
    """A part of facts. Unknown is None, never zero."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Facts(Part):
    """The facts of one analysis; a change of their shape is a new schema version."""

    schema_version: Literal[1] = 1
    record_name: Name
    as_of: date


def named(text: str | None) -> str | None:
    """A name as it may be shown: one line, nothing invisible, no link or markup that it could become, of a length that fits."""
    if text is None:
        return None
    line = " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in text[: 4 * LONGEST_NAME]).split())
    return LINK.sub("", line).translate(BRACKETS)[:LONGEST_NAME].strip() or None


def name_of(record: Community | Project) -> str:
    return named(record.name) or f"Record {record.id}"
