"""Random bearer secrets: handed out once, kept only as sha256 (they are too long to be guessed, so a slow hash adds nothing)."""

import hashlib
import secrets


def new() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is stored of a token; any string is accepted, however broken."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
