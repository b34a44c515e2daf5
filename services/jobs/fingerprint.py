"""What makes two errors the same: their class, their words without what differs from job to job, and where in our code they came from."""

import hashlib
import re
import traceback
from pathlib import Path
from types import TracebackType

from services.settings import ROOT

LONGEST = 300
# Each in turn: what a name, an address, a time or a number looks like, and what stands for it.
VARYING = (
    (re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|«[^»]*»"), "'…'"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "#"),
    (re.compile(r"\b0x[0-9a-f]+\b|\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b", re.IGNORECASE), "#"),
    (re.compile(r"\d+"), "#"),
    (re.compile(r"#(?:[.,:T-]#)+"), "#"),
    (re.compile(r"\s+"), " "),
)


def of(error_class: str, words: str, place: str) -> str:
    """16 hex digits, the same for errors that are alike. `place` is `own_frame`, or what stands for it."""
    told = "\n".join((error_class, normalised(words), place))
    return hashlib.sha256(told.encode(errors="replace")).hexdigest()[:16]


def normalised(words: str) -> str:
    """The first words of a message with "#" for numbers and "…" for names."""
    for pattern, stand_in in VARYING:
        words = pattern.sub(stand_in, words[: LONGEST * 4])
    return words.strip()[:LONGEST]


def own_frame(trace: TracebackType | None) -> str:
    """Where in our code it happened, as file:function without the line, so that an edit above it changes nothing; "" where nowhere."""
    for frame in reversed(traceback.extract_tb(trace)):
        path = Path(frame.filename)
        if path.is_relative_to(ROOT) and not path.relative_to(ROOT).parts[0].startswith(".") and "site-packages" not in path.parts:
            return f"{path.relative_to(ROOT).as_posix()}:{frame.name}"
    return ""
