"""Validation and needs of communities."""

from datetime import date

import pytest

from services.analyses import needs, validation
from services.analyses.case import Case
from tests.services.analyses.files import communities, community

TODAY = date(2026, 11, 21)
PEERS = [community(number) for number in range(2, 60)]


def outcomes(**told: object) -> dict[str, str]:
    facts = validation.facts(Case(community(1, **told), PEERS, TODAY))
    return {check.label: check.outcome for check in facts.checks}


def test_a_whole_record_is_valid() -> None:
    told = validation.facts(Case(community(1), PEERS, TODAY))
    assert (told.verdict, told.completeness, told.failed, told.warnings, told.missing) == ("valid", 1.0, 0, 0, ())


@pytest.mark.parametrize(
    ("told", "check", "outcome"),
    [
        ({"psgc_id": "12"}, "Code", "failed"),
        ({"psgc_id": "1380100000"}, "Code and level", "failed"),
        ({"geographic_level": "Planet"}, "Level", "failed"),
        ({"population": -1}, "Population", "failed"),
        ({"population": 10**9}, "Population", "failed"),
        ({"population": 0}, "Residents", "warning"),
        ({"population": 2_900_000}, "Outlier", "warning"),
        ({"population": None}, "Outlier", "unknown"),
        ({"city_class": "HUC"}, "City class", "warning"),
        ({"income_class": "1st"}, "Income class", "warning"),
        ({"income_class": "9th"}, "Known income class", "warning"),
        ({"settlement_type": "X"}, "Known settlement type", "warning"),
        ({"municipality": None}, "Place", "warning"),
        ({"geographic_level": None}, "Place", "unknown"),
        ({"name": "barangay  2", "psgc_id": "1380100002"}, "Duplicates", "warning"),
        ({"psgc_id": "1380100003"}, "Duplicates", "failed"),
    ],
)
def test_it_checks(told: dict[str, object], check: str, outcome: str) -> None:
    assert outcomes(**told)[check] == outcome


def test_it_says_what_is_missing_and_where_nobody_says_why() -> None:
    told = validation.facts(Case(community(1, population=None, region=None, unknown={"population": "no census"}), PEERS, TODAY))
    assert (told.missing, told.unexplained, told.verdict) == (("population", "region"), ("region",), "usable with warnings")
    assert "The source gives no reason for: region." in validation.render(told)


def test_most_of_the_real_places_are_usable() -> None:
    cities = [place for place in communities() if place.geographic_level == "City"]
    told = [validation.facts(Case(place, [one for one in cities if one is not place], TODAY)) for place in cities[::10]]
    assert sum(one.verdict != "not usable" for one in told) / len(told) > 0.9


def test_it_names_duplicates() -> None:
    told = validation.facts(Case(community(2), PEERS, TODAY))
    assert told.duplicate_count == 1
    assert "1 duplicate." in validation.render(told)


NARRATIVE = (
    "The barangay lacks safe drinking water and the well dried up. Water is fetched from the creek. The road to town is impassable after"
    " every typhoon. Families need an evacuation centre. There is no shortage of food. The school has been repaired. People speak of"
    " fishing. A \"clinic\" is far from here."
)  # fmt: skip


def test_it_classifies_needs_with_evidence() -> None:
    told = needs.facts(Case(community(1, narrative=NARRATIVE), [], TODAY))
    labels = {label.need: label for label in told.labels}
    assert set(labels) == {"Water and sanitation", "Roads and transport", "Disaster and climate", "Health"}
    assert labels["Water and sanitation"].strength == "moderate"
    assert labels["Disaster and climate"].strength == "strong"
    assert all(quote.replace("'", '"') in NARRATIVE for label in told.labels for quote in label.evidence)
    assert told.met_sentences == 2
    assert "“The barangay lacks safe drinking water" in needs.render(told)


def test_no_narrative_means_unknown_and_not_none() -> None:
    assert "its needs are unknown" in needs.render(needs.facts(Case(community(1), [], TODAY)))
    assert "That does not mean that there are none" in needs.render(needs.facts(Case(community(1, narrative="All is quiet."), [], TODAY)))


def test_it_quotes_the_part_of_an_endless_sentence_that_says_so() -> None:
    told = needs.facts(Case(community(1, narrative="and " * 100 + "the school lacks teachers"), [], TODAY))
    assert told.labels[0].evidence[0].startswith("school lacks")
