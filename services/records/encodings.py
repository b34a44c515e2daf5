"""Which encoding a file of records is in, and undoing one that it was wrongly read in before it came to us."""

import codecs
from io import BufferedReader
from typing import Protocol

from services.errors import BadInput
from services.records.maps import Misread
from services.telemetry.importers.texts import blocks

MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
FALLBACK = "cp1252"


class Encoded(Protocol):
    """What a map says about the encoding of a file."""

    @property
    def encoding(self) -> str: ...


def detect(file: BufferedReader, plan: Encoded) -> str:
    """The map's encoding; where it leaves that open UTF-16 by its mark, UTF-8 if the whole file is, else cp1252. The file is rewound."""
    if plan.encoding != "auto":
        return plan.encoding
    marked = MARKS.get(file.peek(2)[:2])
    if marked is not None:
        return marked
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in blocks(file, "latin-1", lambda _consumed: None):
            decoder.decode(block.encode("latin-1"))
    except UnicodeDecodeError:
        return FALLBACK
    except BadInput:
        return "utf-8"  # so far; the damage is told when the file is read
    finally:
        file.seek(0)
    return "utf-8"


def mending(misread: Misread | None) -> dict[int, str]:
    """For str.translate: letters of the wrong reading → those that were written. Bytes that either encoding lacks stay as they are."""
    if misread is None:
        return {}
    table: dict[int, str] = {}
    for byte in range(0x80, 0x100):
        wrong, right = (bytes([byte]).decode(name, "ignore") for name in (misread.read, misread.written))
        if len(wrong) == len(right) == 1:
            table[ord(wrong)] = right
    return table
