"""Similar communities: the same neighbours as an independent search finds, with reasons."""

from datetime import date
from math import log10, sqrt

import pytest

from services.analyses import similar
from services.analyses.case import Case
from services.records import Community
from tests.services.analyses.files import communities, community

TODAY = date(2026, 11, 21)


def by_hand(place: Community, peers: list[Community]) -> list[int]:
    """The ten nearest in plain loops, written without looking at the code under test."""
    ladders = {
        "income_class": ["1st", "2nd", "3rd", "4th", "5th", "6th"],
        "city_class": ["CC", "ICC", "HUC"],
        "settlement_type": ["R", "U"],
    }

    def value(one: Community, name: str) -> float | None:
        if name == "population":
            return log10(one.population) if one.population else None
        told = getattr(one, name)
        return float(ladders[name].index(told)) if told in ladders[name] else None

    names = [name for name in ("population", *ladders) if value(place, name) is not None]
    width = {}
    for name in names:
        known = [told for one in [*peers, place] if (told := value(one, name)) is not None]
        mean = sum(known) / len(known)
        width[name] = sqrt(sum((told - mean) ** 2 for told in known) / len(known)) or 1.0
    distances = []
    for peer in peers:
        total = 0.0
        for name in names:
            own, theirs = value(place, name), value(peer, name)
            total += 2.0 if own is None or theirs is None else ((own - theirs) / width[name]) ** 2
        distances.append((round(sqrt(total / len(names)), 9), peer.id))
    return [number for _, number in sorted(distances)[:10]]


@pytest.mark.parametrize("level", ["City", "Mun", "Prov", "Reg", "SubMun"])
def test_it_finds_the_neighbours_that_an_independent_search_finds(level: str) -> None:
    places = [place for place in communities() if place.geographic_level == level]
    codes = {place.psgc_id: place.id for place in places}
    for place in places[:: max(1, len(places) // 8)]:
        peers = [peer for peer in places if peer is not place]
        told = similar.facts(Case(place, iter(peers), TODAY))
        assert [codes[one.code or ""] for one in told.neighbours] == by_hand(place, peers)
        assert [one.rank for one in told.neighbours] == list(range(1, len(told.neighbours) + 1))


def test_it_says_why() -> None:
    place = community(1, population=1_000, attributes={"area": "10", "soil": "clay"})
    peers = [
        community(2, population=1_000, attributes={"area": "10"}),
        community(3, population=90_000, settlement_type="R", attributes={"area": "80"}),
        community(4, population=None, settlement_type=None),
    ]
    told = similar.facts(Case(place, peers, TODAY))
    assert told.features == ("area", "population", "settlement type")
    assert [one.name for one in told.neighbours] == ["Barangay 2", "Barangay 4", "Barangay 3"]
    assert {reason.verdict for reason in told.neighbours[0].reasons} == {"same"}
    assert {reason.verdict for reason in told.neighbours[1].reasons} == {"unknown"}
    assert {reason.verdict for reason in told.neighbours[2].reasons} == {"apart"}
    assert "same: area, population, settlement type" in similar.render(told)
    assert "Unknown here, so not compared: city class and income class." in similar.render(told)


def test_it_uses_the_meaning_of_narratives() -> None:
    place, far, near = community(1), community(2, population=3_001), community(3, population=3_001)
    vectors = {1: [1.0, 0.0], 2: [0.0, 1.0], 3: [1.0, 0.1]}
    told = similar.facts(Case(place, [far, near], TODAY, vectors=vectors))
    assert told.narrative_used
    assert [one.name for one in told.neighbours] == ["Barangay 3", "Barangay 2"]
    assert not similar.facts(Case(place, [far, near], TODAY, vectors={1: [0.0, 0.0]})).narrative_used
    assert similar.facts(Case(place, [far, near], TODAY, vectors={1: [1.0, 0.0]})).neighbours[0].reasons[-1].verdict == "unknown"


def test_it_has_nothing_to_say_without_features_or_peers() -> None:
    bare = community(1, population=None, settlement_type=None)
    assert "no feature that could be compared" in similar.render(similar.facts(Case(bare, [community(2)], TODAY)))
    assert "no peer to compare" in similar.render(similar.facts(Case(community(1), [], TODAY)))
