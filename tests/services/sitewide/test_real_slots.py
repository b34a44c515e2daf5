"""Slots on the real data, with a model that keeps its own bill: when it is asked, what it is asked, and what becomes of its answers."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from services import jobs
from services.ai import gateway, hop
from services.ai.outcomes import Refused, Unanswered
from services.db import transaction
from services.settings import settings
from services.sitewide import editions, generation, reading, runs, serving, summaries, wording
from services.sitewide.candidates import candidates
from services.sitewide.choice import POOL, choose
from services.sitewide.editions import Edition
from services.sitewide.generation import Asked
from services.sitewide.runs import Run
from services.sitewide.serving import Reader
from services.sitewide.timetable import SHOWN, slots_between, turn
from tests.models import Act, Json
from tests.services.sitewide.conftest import Answering
from tests.services.sitewide.files import bring, small

pytestmark = [pytest.mark.usefixtures("real"), pytest.mark.unmeasured]
ROW = "{code},{name},{type},England,,2015-16,Education services,{value}"
OLD = (2010, "revenue-outturn")
LIE = "It is said that 123,456,789 is a number."
START = datetime.fromisoformat("2026-03-02T00:00:00+00:00")


@pytest.fixture(autouse=True)
def afresh(real: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No edition, no job, no call before; the figures stay."""
    monkeypatch.setattr(hop, "FIRST_S", 0.02)
    with transaction() as connection:
        connection.execute(text("truncate factoid_editions, factoid_runs, factoid_reads, jobs, ai_cache, ai_ledger cascade"))
    settings.cache_clear()
    yield
    settings.cache_clear()


def answer(server: Answering, *, wrong: int = 0, left_out: int = 0) -> None:
    """From now on the model repeats the drafts; the first few of each answer with a number that is no fact."""

    def act(asked: Json) -> Act:
        prompt = asked["contents"][0]["parts"][0]["text"]
        items = [json.loads(line) for line in prompt.partition("</items>")[0].splitlines() if line.startswith("{")]
        said = [
            {
                "item": one["item"],
                "sentence": "It is said that 123,456,789 is a number." if one["item"] <= wrong else f"Fact: {one['draft']}",
            }
            for one in items[left_out:]
        ]
        return Act(text=json.dumps({"sentences": said}))

    server.answering = act


def job() -> int:
    with transaction() as connection:
        made = jobs.enqueue(connection, "sitewide.factoids", queue="default")
    assert made is not None
    return made


def asked(now: datetime = START, kind: str = "sitewide.factoids", finish: generation.Finish = lambda _connection, _run: None) -> Asked:
    return Asked(job(), kind, "schedule", finish, now)


def slot(now: datetime = START, *, force: bool = False, limit: int | None = None) -> Run:
    """As the worker does it."""
    summaries.build("schedule")
    return generation.generate(asked(now), gateway.generate, force=force, limit=limit)


def edition() -> Edition:
    with transaction() as connection:
        found = editions.latest(connection)
    assert found is not None
    return found


def last_run() -> Run:
    with transaction() as connection:
        return runs.listing(connection)[0].run


def change(value: float, code: str = "E0101", name: str = "Bath & North East Somerset UA", kind: str = "Unitary") -> None:
    bring(small(ROW.format(code=code, name=name, type=kind, value=value)))


def test_a_slot_words_the_best_in_one_call(gemini: Answering) -> None:
    answer(gemini)
    run = slot()
    assert (run.decision, run.worded, run.replaced, len(gemini.calls)) == ("generated", POOL, 0, 1)
    made = edition()
    assert {one.by for one in made.factoids} == {"model"}
    assert len({one.slug for one in made.factoids}) == POOL
    assert max(sum(one.kind == kind for one in made.factoids) for kind in {one.kind for one in made.factoids}) <= POOL // 4
    told = last_run()
    assert (told.calls, told.outcome, told.edition_id, told.previous) == (1, "answered", made.id, None)
    assert (told.cost_nano or 0) > 0
    with transaction() as connection:
        known = {(one.slug, one.year): one.source_hash for one in reading.everything(connection)}
    assert all(known[slug, year] == sha for one in made.factoids for slug, year, sha in one.sources)


def test_thirty_days_without_a_change_cost_nothing_and_always_serve(gemini: Answering) -> None:
    answer(gemini)
    slot(START)
    clock = [START]
    seen, days = [], 30
    reader = Reader(now=lambda _connection: clock[0], ticks=lambda: clock[0].timestamp())  # noqa: PLW0108 - the clock is another one each time
    for instant in slots_between(START, START + timedelta(days=days), ZoneInfo("UTC")):
        clock[0] = instant - timedelta(minutes=1)
        seen.append(_settled(reader))
        clock[0] = instant
        assert slot(instant).decision == "unchanged"
        seen.append(_settled(reader))
    assert len(gemini.calls) == 1
    assert len(seen) == 2 * 4 * days
    assert all(len(served.factoids) == SHOWN for served in seen)
    sources = [served.source for served in seen]
    assert sources.count("stale") == days - 1  # before six in the morning, after eleven and a half hours
    assert set(sources) == {"primary", "stale"}
    assert all((served.source == "primary") == (served.reason is None) for served in seen)
    with transaction() as connection:
        assert connection.execute(text("select count(*) from jobs where kind = 'sitewide.revalidate'")).scalar_one() == 1


def _settled(reader: Reader) -> serving.Served:
    """What it serves once it has looked."""
    reader._load()
    return reader.read()


def test_one_changed_figure_is_at_most_one_call_about_what_it_touches(gemini: Answering) -> None:
    answer(gemini)
    slot(START)
    before = edition()
    with transaction() as connection:
        lead = next(
            one
            for one in before.factoids
            if one.kind == "extreme" and reading.get(connection, one.slug, one.year).source == "revenue-outturn"
        )
        top = reading.get(connection, lead.slug, lead.year).top[0]
        row = connection.execute(
            text("select c.type, c.nation, f.name from councils c, council_fields f where c.code = :code and f.slug = :slug"),
            {"code": top.code, "slug": lead.slug},
        ).one()
    raised = (float(top.value or 0) * 1.5 + 1) / 1000
    line = f'{top.code},"{top.name}",{row.type},{row.nation},,{lead.year}-{(lead.year + 1) % 100:02d},"{row.name}",{raised:.3f}'
    bring(small(line))
    run = slot(START + timedelta(hours=4))
    after = edition()
    assert (run.decision, len(gemini.calls)) == ("generated", 2)
    old = {one.key: one for one in before.factoids}
    same = [one for one in after.factoids if one.key in old and old[one.key].facts_hash == one.facts_hash]
    assert len(same) >= POOL - 4
    assert all(one.text == old[one.key].text for one in same)
    asked_about = gemini.calls[-1].asked["contents"][0]["parts"][0]["text"]
    assert asked_about.count('"item"') == POOL - len(same)
    assert slot(START + timedelta(hours=8)).decision == "unchanged"
    bring(small(line.replace(f"{raised:.3f}", f"{float(top.value or 0) / 1000:.3f}")))
    summaries.build("ada")


def test_a_change_that_nothing_says_costs_no_call(gemini: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(gemini)
    slot(START)
    monkeypatch.setattr("services.sitewide.choice.FRESH_CHANGE", 0.0)
    with transaction() as connection:
        quiet = min(
            (one for one in candidates(reading.everything(connection)) if (one.summary.year, one.summary.source) == OLD),
            key=lambda one: one.interest,
        ).summary
        low = quiet.bottom[0]
        field = connection.execute(text("select name from council_fields where slug = :slug"), {"slug": quiet.slug}).scalar_one()
    told = '{code},"{name}",{type},England,,2010-11,"{field}",{value}'
    of = {"code": low.code, "name": low.name, "type": low.type, "field": field}
    bring(small(told.format(**of, value=f"{float(low.value or 0) / 1000 + 0.001:.3f}")))
    run = slot(START + timedelta(hours=4))
    assert (run.decision, len(gemini.calls)) == ("unaffected", 1)
    assert run.fingerprint != run.previous
    bring(small(told.format(**of, value=f"{float(low.value or 0) / 1000:.3f}")))
    summaries.build("ada")


def test_a_look_between_slots_never_asks_a_model(gemini: Answering) -> None:
    answer(gemini)
    slot(START)
    change(999_999_999)
    summaries.build("ada")
    run = generation.revalidate(asked(START + timedelta(hours=2), "sitewide.revalidate"))
    assert (run.decision, len(gemini.calls)) == ("waits for its slot", 1)
    assert edition().checked_at == START + timedelta(hours=2)
    change(93591.0)
    summaries.build("ada")
    run = generation.revalidate(asked(START + timedelta(hours=3), "sitewide.revalidate"))
    assert (run.decision, edition().revalidated_at) == ("unchanged", START + timedelta(hours=3))
    assert len(gemini.calls) == 1


def test_a_sentence_that_is_no_fact_is_replaced_and_told(gemini: Answering) -> None:
    answer(gemini, wrong=3, left_out=1)
    run = slot()
    assert (run.decision, run.worded, run.replaced) == ("generated", POOL - 3, 3)
    made = edition()
    replaced = [one for one in made.factoids if one.by == "replaced"]
    assert len(replaced) == 3
    assert all("123,456,789" not in one.text for one in made.factoids)
    assert {finding["token"] for finding in last_run().findings} == {"123,456,789", ""}
    assert slot(START + timedelta(hours=4)).decision == "unchanged"  # what was left out is not asked for again and again


@pytest.mark.parametrize(
    ("act", "outcome", "raised"),
    [
        (Act(status=503), "overloaded", Unanswered),
        (Act(text="I will not."), "invalid_output", Refused),
        (Act(text='{"sentences": []}'), "answered", None),
        (Act(status=400, error=None), None, Refused),
    ],
)
def test_a_bad_generation_never_replaces_a_good_one(
    gemini: Answering, act: Act, outcome: str | None, raised: type[Exception] | None
) -> None:
    answer(gemini)
    slot(START)
    good = edition()
    with transaction() as connection:
        connection.execute(text("truncate ai_cache"))
    gemini.answering = None
    gemini.always = act
    if raised is None:
        assert slot(START + timedelta(hours=4), force=True).decision == "rejected"
    else:
        with pytest.raises(raised):
            slot(START + timedelta(hours=4), force=True)
        assert last_run().decision == "failed"
    assert edition() == good
    if outcome:
        assert last_run().outcome == outcome
    with transaction() as connection:
        assert generation.plan(connection, force=True).previous == good.fingerprint


def test_without_a_model_the_template_speaks() -> None:
    run = slot()
    assert (run.decision, run.outcome, last_run().calls) == ("generated", "template", 0)
    made = edition()
    assert {one.by for one in made.factoids} == {"template"}
    assert slot(START + timedelta(hours=4)).decision == "unchanged"


def test_a_model_that_is_set_up_later_words_it_once(gemini: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(gemini)
    monkeypatch.setattr("services.ai.models.usable", lambda _rule: [])
    slot(START)
    assert {one.by for one in edition().factoids} == {"template"}
    monkeypatch.undo()
    assert slot(START + timedelta(hours=4)).worded == POOL
    assert slot(START + timedelta(hours=8)).decision == "unchanged"
    assert len(gemini.calls) == 1


def test_a_limit_leaves_the_rest_for_the_next_slot(gemini: Answering) -> None:
    answer(gemini)
    assert slot(START, limit=5).worded == 5
    assert [one.by for one in edition().factoids].count("waiting") == POOL - 5
    assert slot(START + timedelta(hours=4)).worded == POOL - 5
    assert slot(START + timedelta(hours=8)).decision == "unchanged"


def test_force_asks_again_and_a_plan_asks_nobody(gemini: Answering) -> None:
    answer(gemini)
    slot(START)
    with transaction() as connection:
        connection.execute(text("truncate ai_cache"))
        assert generation.plan(connection).unchanged
        assert len(generation.plan(connection, force=True).to_word) == POOL
    assert len(gemini.calls) == 1
    assert slot(START + timedelta(hours=4), force=True).worded == POOL
    assert len(gemini.calls) == 2


def test_a_lost_lease_publishes_nothing() -> None:
    def fenced(_connection: Connection, _run: Run) -> None:
        raise Refused("lost", "fenced")

    with pytest.raises(Refused):
        generation.generate(asked(finish=fenced), gateway.generate)
    with transaction() as connection:
        assert editions.latest(connection) is None
        assert runs.listing(connection) == []


def test_the_prompt_is_bounded() -> None:
    with transaction() as connection:
        chosen = choose(candidates(reading.everything(connection)), None)
    values = wording.prompt_values(chosen)
    assert len(chosen) == POOL
    assert len(values["sample"]) <= 50  # type: ignore[arg-type]
    assert wording.prompt_characters(chosen) < 20_000


def test_a_day_shows_nothing_twice(gemini: Answering) -> None:
    answer(gemini)
    slot(START)
    made = edition()
    day = slots_between(START, START + timedelta(days=1), settings().zone)
    shown = [one.key for instant in day for one in serving.serve(made, instant).factoids]
    assert len(shown) == len(set(shown)) == POOL
    assert [turn(instant, settings().zone) - turn(day[0], settings().zone) for instant in day] == [0, 1, 2, 3]
