"""The meaning of narratives as vectors: made once a text and model, and kept."""

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from itertools import islice
from typing import Protocol

from sqlalchemy import text

from services.db import transaction
from services.records import Community

MOST = 500  # narratives of peers that are compared
LONGEST = 6_000  # characters of one: about what an embedding model reads


class Made(Protocol):
    """What an embedding call answers."""

    @property
    def vectors(self) -> list[list[float]]: ...
    @property
    def model(self) -> str: ...


Embed = Callable[[list[str]], Made]


def narratives(place: Community, peers: Iterable[Community]) -> dict[int, str]:
    """What the place and the first peers that tell anything say, by record id; nothing where there is nothing to compare."""
    told = {place.id: _narrative(place)}
    if not told[place.id]:
        return {}
    telling = ((peer.id, words) for peer in peers if (words := _narrative(peer)))
    told |= dict(islice(telling, MOST))
    return told if len(told) > 1 else {}


def of(told: Mapping[int, str], embed: Embed) -> dict[int, list[float]]:
    """Vectors by record id, all of one model. What `embed` raises goes through."""
    if not told:
        return {}
    hashes = {words: sha256(words.encode()).digest() for words in told.values()}
    first = next(iter(hashes))
    made = embed([first])  # which model answers today is known by asking it
    known = _known(list(hashes.values()), made.model) | {hashes[first]: made.vectors[0]}
    lacking = [words for words, digest in hashes.items() if digest not in known]
    if lacking:
        known |= {hashes[words]: vector for words, vector in zip(lacking, embed(lacking).vectors, strict=True)}
    _keep({digest: known[digest] for digest in hashes.values()}, made.model)
    return {record: known[hashes[words]] for record, words in told.items()}


def _narrative(place: Community) -> str:
    return " ".join((place.narrative or "")[:LONGEST].split())


def _known(hashes: list[bytes], model: str) -> dict[bytes, list[float]]:
    with transaction() as connection:
        rows = connection.execute(
            text("select text_hash, vector from narrative_vectors where model = :model and text_hash = any(:hashes)"),
            {"model": model, "hashes": hashes},
        )
        return {bytes(digest): list(vector) for digest, vector in rows}


def _keep(vectors: dict[bytes, list[float]], model: str) -> None:
    with transaction() as connection:
        connection.execute(
            text("insert into narrative_vectors (text_hash, model, vector) values (:hash, :model, :vector) on conflict do nothing"),
            [{"hash": digest, "model": model, "vector": vector} for digest, vector in vectors.items()],
        )
