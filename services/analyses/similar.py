"""Which communities are most like this one, and in what? Standardised features, and the meaning of narratives where it was embedded."""

from collections.abc import Mapping, Sequence
from math import log10
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from services.ai.grounding.ground import Name, Score, Unit
from services.analyses import phrases
from services.analyses.case import Case, Facts, Part, name_of, named
from services.analyses.validation import Residents
from services.records import Community

TITLE = "Similar communities"
K = 10
ORDERED: dict[str, Sequence[str]] = {
    "income_class": ("1st", "2nd", "3rd", "4th", "5th", "6th"),
    "city_class": ("CC", "ICC", "HUC"),
    "settlement_type": ("R", "U"),
}
# Two places drawn by chance are so far apart in a standardised feature, squared and on average: what is unknown counts as much.
STRANGE = 2.0
SAME, CLOSE = 0.05, 0.5  # standard deviations apart
Peers = Annotated[int, Unit("count", ("peer", "peers", "community", "communities"))]


class Reason(Part):
    """One feature of both; `apart` is in standard deviations."""

    feature: str
    verdict: Literal["same", "close", "apart", "unknown"]
    apart: Score | None


class Neighbour(Part):
    rank: Annotated[int, Unit("count", ("rank", "place"))]
    name: Name
    code: Name | None
    region: Name | None
    province: Name | None
    population: Residents | None
    distance: Score
    reasons: tuple[Reason, ...]


class SimilarFacts(Facts):
    level: Name | None
    population: Residents | None
    features: tuple[str, ...]
    unknown_features: tuple[str, ...]
    narrative_used: bool
    compared: Peers
    neighbours: tuple[Neighbour, ...]


def facts(case: Case[Community]) -> SimilarFacts:
    """Peers are the communities of its level; a feature that the record itself lacks compares nothing."""
    own = features(case.record)
    names = sorted(own)
    unknown = tuple(sorted({"population", *ORDERED} - set(own)))
    peers: list[tuple[int, str, str, str | None, str | None, int | None]] = []
    rows: list[list[float]] = []
    for peer in case.peers:
        theirs = features(peer)
        rows.append([theirs.get(name, np.nan) for name in names])
        peers.append((peer.id, peer.name, peer.psgc_id, peer.region, peer.province, peer.population))
    apart = _apart(np.array([own[name] for name in names]), np.array(rows).reshape(len(rows), len(names)))
    meaning = _meaning(case, [peer[0] for peer in peers])
    used = [*names, "narrative"] if meaning is not None else names
    columns = apart if meaning is None else np.column_stack([apart, meaning])
    nearest = _nearest(columns, [peer[0] for peer in peers]) if names or meaning is not None else []
    return SimilarFacts(
        record_name=name_of(case.record),
        as_of=case.today,
        level=named(case.record.geographic_level),
        population=case.record.population,
        features=tuple(_label(name) for name in used),
        unknown_features=tuple(_label(name) for name in unknown),
        narrative_used=meaning is not None,
        compared=len(peers),
        neighbours=tuple(
            Neighbour(
                rank=rank,
                name=named(peers[at][1]) or phrases.UNKNOWN,
                code=named(peers[at][2]),
                region=named(peers[at][3]),
                province=named(peers[at][4]),
                population=peers[at][5],
                distance=round(distance, 4),
                reasons=_reasons(used, columns[at]),
            )
            for rank, (at, distance) in enumerate(nearest, 1)
        ),
    )


def features(place: Community) -> dict[str, float]:
    """What of a place can be compared as numbers; what is unknown is left out."""
    told = {name: float(ladder.index(value)) for name, ladder in ORDERED.items() if (value := getattr(place, name)) in ladder}
    if place.population and place.population > 0:
        told["population"] = log10(place.population)
    for name, text in place.attributes.items():
        value = _number(text)
        if value is not None:
            told[f"attribute {name}"] = value
    return told


def render(told: SimilarFacts) -> str:
    """The neighbours as people read them."""
    name = phrases.plain(told.record_name)
    if not told.neighbours:
        why = "It has no feature that could be compared." if not told.features else "There is no peer to compare it with."
        return phrases.document(f"{TITLE} to {name}", [("Summary", why)])
    summary = (
        f"Among {phrases.counted(told.compared, 'peer')} of its level, {phrases.plain(told.neighbours[0].name)} is the most like {name}. "
        f"Compared by: {phrases.joined([phrases.plain(feature) for feature in told.features])}."
    )
    if told.unknown_features:
        summary += f" Unknown here, so not compared: {phrases.joined(told.unknown_features)}."
    rows = [
        (
            str(one.rank), phrases.plain(one.name), phrases.plain(one.province or one.region), phrases.number(one.population),
            phrases.number(one.distance, 2), _why(one.reasons),
        )
        for one in told.neighbours
    ]  # fmt: skip
    head = ("Rank", "Name", "Place", "Population", "Distance", "Why")
    note = "Distance is in standard deviations of what was compared: the smaller, the more alike."
    return phrases.document(f"{TITLE} to {name}", [("Summary", summary), ("Neighbours", f"{phrases.table(head, rows)}\n\n{note}")])


def _apart(own: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far each peer is in each feature, in standard deviations of all of them; unknown stays unknown."""
    together = np.vstack([theirs, own[None, :]])
    known = ~np.isnan(together)
    n = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, together, 0.0).sum(axis=0) / n
    deviation = np.sqrt(np.where(known, (together - mean) ** 2, 0.0).sum(axis=0) / n)
    return np.abs(theirs - own) / np.where(deviation > 0, deviation, 1.0)


def _meaning(case: Case[Community], ids: list[int]) -> npt.NDArray[np.float64] | None:
    """How far apart narratives are: two that have nothing in common are as far as strangers."""
    own = _unit(case.vectors, case.record.id)
    if own is None:
        return None
    cosines = [None if (theirs := _unit(case.vectors, other)) is None else float(own @ theirs) for other in ids]
    return np.array([np.nan if cosine is None else np.sqrt(STRANGE * max(0.0, 1.0 - cosine)) for cosine in cosines])


def _unit(vectors: Mapping[int, Sequence[float]], record_id: int) -> npt.NDArray[np.float64] | None:
    told = np.asarray(vectors.get(record_id, ()), dtype=np.float64)
    length = float(np.linalg.norm(told))
    return told / length if length > 0 else None


def _nearest(apart: npt.NDArray[np.float64], ids: list[int]) -> list[tuple[int, float]]:
    """The K nearest, as place in the list and distance; of equals the one with the lower id."""
    squared = np.where(np.isnan(apart), STRANGE, apart**2)
    distances = np.sqrt(squared.mean(axis=1))
    order = np.lexsort((np.asarray(ids), distances))[:K]
    return [(int(at), float(distances[at])) for at in order]


def _reasons(names: list[str], apart: npt.NDArray[np.float64]) -> tuple[Reason, ...]:
    """The features, from what is most alike to what is least."""
    known = sorted((round(float(off), 4), name) for name, off in zip(names, apart, strict=True) if not np.isnan(off))
    unknown = [name for name, off in zip(names, apart, strict=True) if np.isnan(off)]
    return (
        *(Reason(feature=_label(name), verdict=_verdict(off), apart=off) for off, name in known),
        *(Reason(feature=_label(name), verdict="unknown", apart=None) for name in unknown),
    )


def _verdict(off: float) -> Literal["same", "close", "apart"]:
    return "same" if off < SAME else "close" if off < CLOSE else "apart"


def _why(reasons: tuple[Reason, ...]) -> str:
    groups = {
        verdict: [phrases.plain(r.feature) for r in reasons if r.verdict == verdict] for verdict in ("same", "close", "apart", "unknown")
    }
    return "; ".join(f"{verdict}: {', '.join(names)}" for verdict, names in groups.items() if names)


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", "").strip())
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _label(name: str) -> str:
    return name.removeprefix("attribute ").replace("_", " ")[:60]
