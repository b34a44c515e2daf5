"""What of a job's arguments may be shown."""

import re

HIDDEN = "…"
SECRET = re.compile(
    r"pass(word|wd|phrase)?$|token|secret|authori[sz]ation|credential|cookie|(^|[_-])key$|[a-z]Key$|api_?key|private_?key", re.IGNORECASE
)
# Counts of tokens and names of things are no secrets.
PUBLIC = re.compile(r"(^|_)tokens$|(dedupe|sort|idempotency|foreign|primary)_key$", re.IGNORECASE)


def redacted(value: object) -> object:
    """The same JSON with "…" in place of everything under a key that sounds like a secret, at any depth."""
    if isinstance(value, dict):
        return {key: HIDDEN if sounds_secret(str(key)) else redacted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner) for inner in value]
    return value


def sounds_secret(key: str) -> bool:
    return bool(SECRET.search(key)) and not PUBLIC.search(key)
