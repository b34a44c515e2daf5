"""POST /v1/traces: the rules of OTLP over HTTP, as an exporter meets them, on both ports."""

import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterator
from typing import TypeVar

import httpx
import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from sqlalchemy import text

from services.clock import utc_now
from services.db import transaction
from services.telemetry.move import move_once
from tests.console.conftest import Server, serving
from tests.spans import call, plain, request_of, shared

pytestmark = pytest.mark.usefixtures("database")
PROTOBUF, JSON = "application/x-protobuf", "application/json"


@pytest.fixture(params=["console", "telemetry port"])
def server(request: pytest.FixtureRequest, ui: Server, telemetry_port: Server) -> Server:
    return ui if request.param == "console" else telemetry_port


@pytest.fixture
def client(server: Server, make_key: Callable[..., str]) -> Iterator[httpx.Client]:
    with server.client(key=make_key("telemetry"), origin=False) as made:
        yield made


@pytest.fixture
def one(telemetry_port: Server, make_key: Callable[..., str]) -> Iterator[httpx.Client]:
    """Where the port makes no difference."""
    with telemetry_port.client(key=make_key("telemetry"), origin=False) as made:
        yield made


def post(client: httpx.Client, body: bytes, kind: str = PROTOBUF, **headers: str) -> httpx.Response:
    return client.post("/v1/traces", content=body, headers={"content-type": kind} | headers)


def export(client: httpx.Client, message: ExportTraceServiceRequest, kind: str = PROTOBUF) -> ExportTraceServiceResponse:
    """As an exporter does it; the answer must be a 200 in the type of the request."""
    body = message.SerializeToString() if kind == PROTOBUF else as_otlp_json(message)
    answer = post(client, body, kind)
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind), answer.content
    response: ExportTraceServiceResponse = decoded(answer, ExportTraceServiceResponse())
    return response


def as_otlp_json(message: ExportTraceServiceRequest) -> bytes:
    """OTLP's own JSON: ids in hexadecimal, enums as numbers."""
    told = json_format.MessageToDict(message, use_integers_for_enums=True)
    for resource in told["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span, original in zip(scope["spans"], message.resource_spans[0].scope_spans[0].spans, strict=True):
                span |= {"traceId": original.trace_id.hex().upper(), "spanId": original.span_id.hex(), "someday": {"new": [1]}}
                if original.parent_span_id:
                    span["parentSpanId"] = original.parent_span_id.hex()
    return json.dumps(told).encode()


M = TypeVar("M", ExportTraceServiceResponse, Status)


def decoded(answer: httpx.Response, message: M) -> M:
    if answer.headers["content-type"] == PROTOBUF:
        message.ParseFromString(answer.content)
    else:
        json_format.Parse(answer.content, message)
    return message


def failed(answer: httpx.Response, status: int, kind: str, word: str) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (status, kind), answer.content
    told = decoded(answer, Status())
    assert word in told.message
    assert told.code


def scalar(statement: str) -> object:
    with transaction() as connection:
        return connection.execute(text(statement)).scalar_one()


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_it_has_stored_the_spans_when_it_answers(client: httpx.Client, kind: str) -> None:
    answer = export(client, request_of(call(1), call(2), plain(3)), kind)
    assert not answer.HasField("partial_success")
    assert scalar("select sum(row_count) from telemetry_inbox where source = 'tutor' and door = '/v1/traces'") == 2
    assert scalar("select ignored from telemetry_counts") == 1
    assert move_once().new == 2
    row = "environment, module, operation, provider, model, input_tokens, output_tokens, cache_read_tokens, latency_us / 1000, error_type"
    assert scalar(f"select min(({row})::text) from operations join series s on s.id = series_id") == (
        "(staging,tutor,chat,openai,gpt-5-mini,1000,100,400,1500,)"
    )


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_it_counts_a_span_once_however_often_and_however_spelled_it_is_sent(client: httpx.Client, kind: str) -> None:
    message = request_of(*(call(n) for n in range(40)))
    for spelled in (PROTOBUF, kind, JSON):
        export(client, message, spelled)
        move_once()
    assert scalar("select count(*) from operations") == 40
    assert scalar("select sum(n) from rollup_day") == 40


def test_it_takes_an_empty_request(client: httpx.Client) -> None:
    for body, kind in ((b"", PROTOBUF), (b"{}", JSON), (b'{"resourceSpans": []}', JSON)):
        answer = post(client, body, kind)
        assert answer.status_code == 200
        assert not decoded(answer, ExportTraceServiceResponse()).HasField("partial_success")


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_it_keeps_the_good_spans_and_says_how_many_it_refused(client: httpx.Client, kind: str) -> None:
    bad = [call(2, input_tokens=-5), call(3, started_at=utc_now().timestamp() + 86_400), call(4, cache_read_tokens=5_000_000_000)]
    answer = export(client, request_of(call(1), *bad, plain(5)), kind)
    assert answer.partial_success.rejected_spans == 3
    assert "input_tokens" in answer.partial_success.error_message
    assert "lies in the future" in answer.partial_success.error_message
    assert scalar("select sum(row_count) from telemetry_inbox") == 1
    assert scalar("select count(*) from telemetry_rejected where door = '/v1/traces' and source = 'tutor' and complete") == 3


def test_it_keeps_a_refusal_whose_reason_quotes_what_no_database_takes(one: httpx.Client) -> None:
    answer = export(one, request_of(call(1, input_tokens="\0")), PROTOBUF)
    assert answer.partial_success.rejected_spans == 1
    assert scalar("select reason from telemetry_rejected") == r"is no number (\x00)"


def test_it_refuses_spans_that_are_misdirected_logs(one: httpx.Client) -> None:
    logs = ExportLogsServiceRequest()
    record = logs.resource_logs.add().scope_logs.add().log_records.add()
    record.body.string_value, record.time_unix_nano = "hello", 1
    answer = post(one, logs.SerializeToString())
    assert answer.status_code in (200, 400)  # told apart by what protobuf makes of them, never taken
    if answer.status_code == 200:
        assert decoded(answer, ExportTraceServiceResponse()).partial_success.rejected_spans == 1
    assert scalar("select count(*) from telemetry_inbox") == 0


@pytest.mark.parametrize(
    ("trace_id", "span_id"), [("", "00f067aa0ba902b7"), ("0" * 32, "00f067aa0ba902b7"), ("4b" * 16, "zz"), ("4b" * 16, "0" * 16)]
)
def test_it_refuses_a_span_without_a_proper_id_but_not_its_neighbours(one: httpx.Client, trace_id: str, span_id: str) -> None:
    told = json.loads(as_otlp_json(request_of(call(1), call(2))))
    told["resourceSpans"][0]["scopeSpans"][0]["spans"][0] |= {"traceId": trace_id, "spanId": span_id}
    answer = post(one, json.dumps(told).encode(), JSON)
    assert decoded(answer, ExportTraceServiceResponse()).partial_success.rejected_spans == 1
    assert scalar("select sum(row_count) from telemetry_inbox") == 1


@pytest.mark.parametrize("as_text", [True, False])
def test_it_reads_64_bit_numbers_as_text_or_as_numbers(one: httpx.Client, as_text: bool) -> None:
    told = json.loads(as_otlp_json(request_of(call(1))))
    span = told["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    spell = str if as_text else int
    span |= {name: spell(span[name]) for name in ("startTimeUnixNano", "endTimeUnixNano")}
    for pair in span["attributes"]:
        if "intValue" in pair["value"]:
            pair["value"]["intValue"] = spell(pair["value"]["intValue"])
    assert post(one, json.dumps(told).encode(), JSON).status_code == 200
    assert move_once().new == 1
    assert scalar("select input_tokens from operations") == 1_000


def test_it_reads_the_protocols_own_example_and_ignores_it(one: httpx.Client) -> None:
    answer = post(one, shared("otlp-proto-example", "trace.json"), JSON)
    assert (answer.status_code, scalar("select ignored from telemetry_counts")) == (200, 1)


def _raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("gzip", lambda body: gzip.compress(body[:50]) + gzip.compress(body[50:])),
        ("deflate", zlib.compress),
        ("deflate", _raw_deflate),
        ("identity", bytes),
    ],
)
def test_it_unpacks(client: httpx.Client, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    body = request_of(call(1), call(2)).SerializeToString()
    assert post(client, pack(body), **{"content-encoding": encoding}).status_code == 200
    assert scalar("select sum(row_count) from telemetry_inbox") == 2


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize(
    ("body", "headers", "word"),
    [
        (b"\xff\xff\xff garbage", {}, "not"),
        (b'{"resourceSpans": 7}', {}, "not"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": {}}]}]}]}', {}, "not"),
        (b"[" * 100_000, {}, "n"),
        (b"\xc3\x28", {}, "not"),
        (b"no gzip", {"content-encoding": "gzip"}, "gzip"),
        (gzip.compress(b"{}", mtime=0)[:-4], {"content-encoding": "gzip"}, "cut short"),
        (b"\x00\x01nothing", {"content-encoding": "deflate"}, "deflate"),
    ],
)
def test_it_says_400_in_the_type_of_the_request_to_what_it_cannot_read(
    one: httpx.Client, kind: str, body: bytes, headers: dict[str, str], word: str
) -> None:
    failed(post(one, body, kind, **headers), 400, kind, word)
    assert scalar("select count(*) from telemetry_inbox") == 0


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_it_takes_no_more_than_64_mib_however_packed(one: httpx.Client, kind: str) -> None:
    bomb = gzip.compress(bytes(65 * 1024 * 1024), 1)
    assert len(bomb) < 1024 * 1024
    failed(post(one, bomb, kind, **{"content-encoding": "gzip"}), 413, kind, "larger")
    failed(post(one, bytes(65 * 1024 * 1024), kind), 413, kind, "larger")
    with one.stream("POST", "/v1/traces", content=iter([bytes(1024 * 1024)] * 66), headers={"content-type": kind}) as answer:
        assert answer.status_code == 413


def test_it_takes_a_large_request(one: httpx.Client) -> None:
    message = request_of(*(call(n, note="x" * 2_000) for n in range(6_000)))
    assert len(message.SerializeToString()) > 9 * 1024 * 1024
    export(one, message)
    assert scalar("select sum(row_count) from telemetry_inbox") == 6_000


def test_it_understands_no_other_type_encoding_or_method(client: httpx.Client) -> None:
    assert post(client, b"{}", "text/plain").status_code == 415
    failed(post(client, b"{}", JSON, **{"content-encoding": "br"}), 415, JSON, "encoding")
    for method in ("GET", "PUT", "DELETE"):
        answer = client.request(method, "/v1/traces", headers={"content-type": JSON})
        failed(answer, 405, JSON, "POST")
        assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_it_answers_only_good_keys(server: Server, make_key: Callable[..., str], kind: str) -> None:
    body = request_of(call(1)).SerializeToString()
    for key, status in ((None, 401), ("bnk_0123456789ab_" + "x" * 43, 401), (make_key("metrics"), 403)):
        with server.client(key=key, origin=False) as client:
            failed(post(client, body, kind), status, kind, "key")
    assert scalar("select count(*) from telemetry_inbox") == 0


def test_it_asks_to_come_back_while_too_much_waits(stack: None, make_key: Callable[..., str]) -> None:
    with serving("api", {"INBOX_LIMIT_ROWS": "1000"}) as server, server.client(key=make_key("telemetry"), origin=False) as client:
        export(client, request_of(*(call(n) for n in range(1_000))))
        answer = post(client, request_of(call(2_000)).SerializeToString())
        failed(answer, 429, PROTOBUF, "wait")
        assert int(answer.headers["retry-after"]) > 0
        while move_once().rows:
            pass
        export(client, request_of(call(2_000)))


def test_it_asks_to_come_back_while_the_database_is_away(stack: None, make_key: Callable[..., str]) -> None:
    key = make_key("telemetry")
    gone = os.environ["DATABASE_URL"].rpartition("@")[0] + "@127.0.0.1:9/binnacle"
    with serving("api", {"DATABASE_URL": gone}) as server, server.client(key=key, origin=False) as client:
        answer = post(client, request_of(call(1)).SerializeToString())
        failed(answer, 503, PROTOBUF, "does not answer")
        assert int(answer.headers["retry-after"]) > 0


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=400), kind=st.sampled_from([PROTOBUF, JSON]), encoding=st.sampled_from(["identity", "gzip", "deflate"]))
def test_no_bytes_bring_it_down(one: httpx.Client, body: bytes, kind: str, encoding: str) -> None:
    answer = post(one, body, kind, **{"content-encoding": encoding})
    assert answer.status_code in (200, 400), answer.content


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_to_a_good_request_brings_it_down(one: httpx.Client, data: st.DataObject) -> None:
    body = bytearray(shared("otlp-captured", data.draw(st.sampled_from(["openinference-openai-001.bin", "traceloop-openai-002.bin"]))))
    for _ in range(data.draw(st.integers(1, 8))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    answer = post(one, bytes(body[: data.draw(st.integers(0, len(body)))]))
    assert answer.status_code in (200, 400), answer.content
