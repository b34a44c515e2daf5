"""Wording: a model's words where they tell the facts only, the template's else; and nothing a record says gets out of its place."""

import json
from datetime import date

import pytest
from pydantic import ValidationError

from services.ai.grounding import gather
from services.ai.request import Completion, Request
from services.analyses import catalogue
from services.analyses.case import Case
from services.analyses.difference import Change, difference
from services.analyses.wording import Ask, Wording, delimited, plainly, word
from tests.services.analyses.files import community
from tests.services.analyses.test_every_analysis import ORDER, PLACES

TODAY = date(2026, 11, 21)
VALIDATION = catalogue.get("validate-community")
PEERS = [community(number) for number in range(2, 40)]
FACTS = VALIDATION.facts(Case(community(1), PEERS, TODAY))
asked: list[Request] = []


def answering(summary: str, *points: str) -> Ask:
    """A gateway whose model says this."""

    def ask(request: Request) -> Completion:
        asked.append(request)
        told = Wording(summary=summary, points=list(points))
        return Completion(told.model_dump_json(), told, "m", "p", cached=False, cost_nano=7, ledger_ids=(1,), outcome="answered")

    return ask


def without_a_model(request: Request) -> Completion:
    assert request.fallback is not None
    return Completion(request.fallback(), None, "template", "template", cached=False, cost_nano=0, ledger_ids=(), outcome="template")


def test_faithful_words_stand_above_the_facts() -> None:
    told = word(
        VALIDATION,
        FACTS,
        answering("Barangay 1 is complete:\n\n# 7 of 7 fields are known.", "It has 3,001 residents."),
        user="ada",
        job_id=3,
    )
    assert (told.source, told.findings, told.cost_nano) == ("model", (), 7)
    assert told.markdown.startswith(
        "# Validation of Barangay 1\n\nBarangay 1 is complete: # 7 of 7 fields are known.\n\n- It has 3,001 residents.\n\n## Summary"
    )
    request = asked[-1]
    assert (request.module, request.operation, request.user, request.job_id) == ("communities", "validate-community", "ada", 3)


def test_words_that_are_no_fact_are_replaced_and_kept_as_findings() -> None:
    told = word(VALIDATION, FACTS, answering("Barangay 1 has 9,999 residents, says Manila Water."))
    assert told.source == "replaced"
    assert [finding.token for finding in told.findings] == ["9,999", "Manila Water"]
    assert told.markdown == VALIDATION.render(FACTS)
    assert told.cost_nano == 7


def test_without_a_model_the_template_speaks() -> None:
    told = word(VALIDATION, FACTS, without_a_model)
    assert (told.source, told.markdown, told.outcome) == ("template", VALIDATION.render(FACTS), "template")
    assert plainly(VALIDATION, FACTS, "timed_out").outcome == "timed_out"


def test_a_records_text_stays_between_its_marks() -> None:
    for place in PLACES.values():
        facts = VALIDATION.facts(Case(place, PEERS, TODAY))
        assert "<" not in delimited(facts)
        assert json.loads(delimited(facts)) == json.loads(facts.model_dump_json())


def test_an_order_in_a_record_is_not_followed_by_the_check() -> None:
    analysis = catalogue.get("classify-needs")
    facts = analysis.facts(Case(community(1, narrative=f"We need water. {ORDER}"), [], TODAY))
    assert not any(number.value == 987_654 for number in gather(facts).numbers)
    assert word(analysis, facts, answering("987,654 people approve.")).source == "replaced"
    quoted = word(analysis, facts, answering("It says “We need water”."))
    assert quoted.source == "model"


@pytest.mark.parametrize("told", ['{"summary": "x", "points": [], "more": 1}', '{"summary": "", "points": []}', '{"points": []}', '"x"'])
def test_no_other_shape_is_an_answer(told: str) -> None:
    with pytest.raises(ValidationError):
        Wording.model_validate_json(told)


def test_a_summary_alone_is_an_answer() -> None:
    assert Wording(summary=" a\n b ", points=[]).markdown() == "a b"


def test_it_tells_two_versions_apart() -> None:
    older = {"as_of": "2026-01-01", "schema_version": 1, "a": 1, "b": [{"c": 2}, {"c": 3}], "d": None}
    newer = {"as_of": "2026-01-02", "schema_version": 1, "a": 1, "b": [{"c": 5}], "e": "x"}
    assert difference(older, newer) == [Change("b[0].c", 2, 5), Change("b[1].c", 3, None), Change("e", None, "x")]
    assert difference(older, older) == []
