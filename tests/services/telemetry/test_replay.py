"""Refused records get another chance."""

import json
from datetime import timedelta

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sqlalchemy import text

from services.clock import utc_now
from services.db import transaction
from services.errors import TooMuch
from services.settings import settings
from services.telemetry import inbox, otlp, replay
from tests.traffic import move_all, operation, send

pytestmark = pytest.mark.usefixtures("database")
LONG_AGO = utc_now() - timedelta(days=40)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations older than thirty days are refused, for now."""
    monkeypatch.setenv("RAW_DAYS", "30")
    settings.cache_clear()


def forgive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule that refused them is gone."""
    monkeypatch.setenv("RAW_DAYS", "400")
    settings.cache_clear()


def again(field: str | None = None, reason: str | None = None, source: str | None = None) -> tuple[int, int]:
    with transaction() as connection:
        return replay.replay(connection, field, reason, source, actor="jane")


def scalar(statement: str) -> object:
    with transaction() as connection:
        return connection.execute(text(statement)).scalar_one()


def run(statement: str) -> None:
    with transaction() as connection:
        connection.execute(text(statement))


def traces(*, start_ns: int, module: str = "tutor") -> ExportTraceServiceRequest:
    """A request of one AI call."""
    words = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5-mini"}
    span = {
        "traceId": "1" * 32,
        "spanId": "2" * 16,
        "name": "chat",
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + 10**9),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in words.items()],
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": module}}]}
    told = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "lib"}, "spans": [span]}]}]}
    return otlp.from_json(json.dumps(told).encode())


def export(message: ExportTraceServiceRequest) -> inbox.Receipt:
    read = otlp.read(message)
    with transaction() as connection:
        return inbox.accept(connection, "operations", read.records, source="traced", environment="staging", door="/v1/traces")


def test_it_accepts_what_a_changed_rule_allows_as_it_was_told(strict: None, monkeypatch: pytest.MonkeyPatch) -> None:
    told = [operation(f"old{n}", LONG_AGO, cost_usd="0.25", cached=True, user_id="ada") for n in range(3)]
    send([*told, operation("broken", LONG_AGO, input_tokens=-1)], source="tutor")
    assert again() == (4, 0)
    forgive(monkeypatch)
    assert again() == (4, 3)
    assert move_all() == 3
    assert scalar("select distinct source || ' ' || environment from series") == "tutor production"
    assert scalar("select sum(cost_nano) from operations where user_key = 'ada' and cached") == 750_000_000
    assert scalar("select field || ' ' || count(*) from telemetry_rejected group by field") == "input_tokens 1"


def test_it_counts_a_record_as_refused_once_and_not_once_it_is_accepted(strict: None, monkeypatch: pytest.MonkeyPatch) -> None:
    send([operation("old", LONG_AGO), operation("broken", LONG_AGO, input_tokens=-1)])
    run("update telemetry_rejected set received_at = now() - interval '3 days'")
    run("update telemetry_counts set day = current_date - 3")
    again()
    assert scalar("select sum(rejected) from telemetry_counts") == 2
    forgive(monkeypatch)
    again()
    move_all()
    assert scalar("select sum(rejected) || ' ' || sum(accepted) from telemetry_counts") == "1 1"


def test_it_reads_spans_as_the_door_for_traces_does(strict: None, monkeypatch: pytest.MonkeyPatch) -> None:
    backwards = traces(start_ns=int(utc_now().timestamp() * 1e9))
    span = backwards.resource_spans[0].scope_spans[0].spans[0]
    span.end_time_unix_nano = span.start_time_unix_nano - 1
    assert [r.field for r in export(backwards).rejections] == ["end_time_unix_nano"]
    assert again() == (1, 0)
    run("update telemetry_rejected set raw = replace(raw, '\"endTimeUnixNano\"', '\"unknownField\"')")
    assert again() == (1, 1)
    assert move_all() == 1
    assert scalar("select source || ' ' || environment || ' ' || module || ' ' || model from series") == "traced staging tutor gpt-5-mini"
    assert scalar("select door from telemetry_counts") == "/v1/traces"
    assert scalar("select count(*) from telemetry_rejected") == 0


def test_it_takes_a_span_that_became_a_record_before_it_was_refused(strict: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [r.field for r in export(traces(start_ns=int(LONG_AGO.timestamp() * 1e9))).rejections] == ["started_at"]
    forgive(monkeypatch)
    assert again() == (1, 1)


def test_it_drops_a_span_that_is_no_ai_call_by_now() -> None:
    backwards = traces(start_ns=0)
    export(backwards)
    run("update telemetry_rejected set raw = replace(replace(raw, 'gen_ai', 'http'), 'gpt-5-mini', '')")
    assert again() == (1, 0)
    assert scalar("select count(*) from telemetry_rejected") == 0
    assert scalar("select sum(ignored) from telemetry_counts") == 1


@pytest.mark.parametrize("junk", [7, None, [], "words", {"resourceSpans": 5}, {"resourceSpans": []}])
def test_it_refuses_junk_again(junk: object) -> None:
    send([junk])
    assert again() == (1, 0)
    assert scalar("select field || ' ' || (reason <> '') from telemetry_rejected") == "(record) true"


def test_a_session_record_is_never_read_as_traces() -> None:
    send([{"id": "s", "resourceSpans": []}], noun="sessions")
    assert again() == (1, 0)
    assert scalar("select noun from telemetry_rejected") == "sessions"


def test_it_sends_sessions_again_as_sessions() -> None:
    send([{"id": "s", "started_at": "2026-01-05T10:00:00Z", "rating": 9}], noun="sessions")
    run("update telemetry_rejected set raw = replace(raw, '9', '5')")
    assert again() == (1, 1)
    assert move_all() == 1


def test_it_leaves_what_was_cut_and_what_came_from_a_file(strict: None, monkeypatch: pytest.MonkeyPatch) -> None:
    send([operation("old", LONG_AGO)], door="import")
    send([operation("cut", LONG_AGO, module="m" * 30_000)])
    forgive(monkeypatch)
    assert again() == (0, 0)
    assert scalar("select count(*) from telemetry_rejected") == 2


def test_it_sends_only_what_was_asked_for() -> None:
    bad = [operation("a", utc_now(), input_tokens=-1), operation("b", utc_now(), colour="red")]
    send(bad, source="one")
    send(bad, source="two")
    assert again(source="one") == (2, 0)
    assert again(field="colour") == (2, 0)
    assert again("colour", "unknown field", "two") == (1, 0)
    assert again(reason="unknown") == (0, 0)


def test_it_takes_only_so_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MOST", 3)
    send([operation(f"o{n}", utc_now(), colour="red") for n in range(5)])
    run("update telemetry_rejected set raw = replace(raw, ', \"colour\": \"red\"', '')")
    assert [again(), again(), again()] == [(3, 3), (2, 2), (0, 0)]
    assert move_all() == 5


def test_it_leaves_alone_what_another_is_sending() -> None:
    send([operation(f"o{n}", utc_now(), colour="red") for n in range(2)])
    with transaction() as holder:
        holder.execute(text("select 1 from telemetry_rejected order by id limit 1 for update"))
        assert again() == (1, 0)


def test_nothing_is_lost_while_the_workers_are_too_far_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    send([operation("bad", utc_now(), colour="red")])
    monkeypatch.setenv("INBOX_LIMIT_ROWS", "1000")
    settings.cache_clear()
    send([operation(f"o{n}", utc_now()) for n in range(1_000)])
    with pytest.raises(TooMuch):
        again()
    assert scalar("select count(*) from telemetry_rejected") == 1
    assert scalar("select sum(rejected) from telemetry_counts") == 1


def test_it_discards_what_matches_and_counts_it_as_rejected_still() -> None:
    send([operation("a", utc_now(), colour="red"), operation("b", utc_now(), input_tokens=-1)])
    send([operation("c", utc_now(), colour="red")], door="import")
    with transaction() as connection:
        assert replay.discard(connection, "colour", "unknown field", "app", actor="jane") == 2
    assert scalar("select field from telemetry_rejected") == "input_tokens"
    assert scalar("select sum(rejected) from telemetry_counts") == 3


def test_both_are_audited() -> None:
    send([operation("a", utc_now(), colour="red")], source="tutor")
    again("colour")
    with transaction() as connection:
        replay.discard(connection, source="tutor", actor="jane")
        audited = connection.execute(text("select actor, action, subject, detail from audit order by id")).all()
    assert audited == [
        ("jane", "rejected.replay", "*", {"field": "colour", "reason": None, "source": None, "tried": 1, "accepted": 0}),
        ("jane", "rejected.discard", "tutor", {"field": None, "reason": None, "source": "tutor", "discarded": 1}),
    ]
