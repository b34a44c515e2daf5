"""From a span to an operation: real spans of many libraries, and the rules for what they disagree about."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from services.errors import BadInput
from services.settings import settings
from services.telemetry import otlp, rules
from services.telemetry.records import Record, Rejection, examine
from tests.spans import SHARED, request_of, shared, span

NOW = datetime(2027, 1, 1, tzinfo=UTC)
START_S = 1_763_000_000.0


def read(message: ExportTraceServiceRequest) -> tuple[list[Record], list[Rejection], int]:
    """What becomes of a request: good records, refusals, ignored spans."""
    told = otlp.read(message)
    good, bad = examine("operations", told.records, 0, NOW)
    return good, bad, told.ignored


def one(attributes: dict[str, object], **made: Any) -> Record:  # noqa: ANN401
    """The operation of a span with these attributes."""
    good, bad, ignored = read(request_of(span(1, "span", attributes, started_at=START_S, **made)))
    assert (len(good), bad, ignored) == (1, [], 0)
    return good[0]


def captured(name: str) -> tuple[list[Record], list[Rejection], int]:
    return read(otlp.from_protobuf(shared("otlp-captured", name)))


def row(record: Mapping[str, object], *names: str) -> tuple[object, ...]:
    return tuple(record[name] for name in names)


def test_it_reads_what_openinference_sent_of_openai() -> None:
    good, bad, ignored = captured("openinference-openai-001.bin")
    assert (bad, ignored) == ([], 0)
    shown = ("operation", "provider", "model", "input_tokens", "output_tokens", "cache_read_tokens", "error_type", "user_id", "session_id")
    assert [row(record, *shown) for record in good] == [
        ("chat", "openai", "gpt-4o-2024-08-06", 17, 5, 8, None, "user-42", "sess-1"),
        ("chat", "openai", "gpt-4o-mini", 11, 2, None, None, "user-42", "sess-1"),
        ("chat", "openai", "gpt-4o", None, None, None, "RateLimitError", "user-42", "sess-1"),
        ("chat", "openai", "gpt-4o", None, None, None, "BadRequestError", "user-42", "sess-1"),
        ("embeddings", "openai", "text-embedding-3-small", 5, None, None, None, "user-42", "sess-1"),
    ]
    assert [record["ttft_ms"] is not None for record in good] == [False, True, False, False, False]
    assert good[0]["response_id"] == "chatcmpl-1"
    assert {record["module"] for record in good} == {"capture-openinference-openai"}


def test_it_reads_what_openllmetry_sent_of_openai() -> None:
    good, bad, ignored = captured("traceloop-openai-002.bin")
    assert (bad, ignored) == ([], 0)
    shown = ("operation", "model", "input_tokens", "output_tokens", "cache_read_tokens", "error_type", "user_id", "finish_reason")
    assert [row(record, *shown) for record in good] == [
        ("chat", "gpt-4o-2024-08-06", 17, 5, 8, None, "user-42", "stop"),
        ("chat", "gpt-4o-mini", 11, 2, None, None, None, "stop"),
        ("chat", "gpt-4o", None, None, None, "RateLimitError", None, None),
        ("chat", "gpt-4o", None, None, None, "BadRequestError", None, None),
        ("embeddings", "text-embedding-3-small", 5, None, 0, None, None, None),
    ]


def test_it_reads_what_openinference_sent_of_gemini() -> None:
    good, bad, _ = captured("openinference-google-genai-005.bin")
    assert bad == []
    assert [row(record, "provider", "model", "input_tokens", "output_tokens", "error_type", "finish_reason") for record in good] == [
        ("gcp.gemini", "gemini-2.0-flash", 9, 3, None, "STOP"),
        ("gcp.gemini", "gemini-2.0-flash", None, None, "ClientError", None),
    ]


def gateway_spans() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(SHARED.joinpath("otlp-openinference-spans").glob("*.json")):
        yield path.name, json.loads(path.read_bytes())


def test_it_reads_a_gateways_spans_as_their_own_answers_tell_the_usage() -> None:
    seen = 0
    for number, (name, told) in enumerate(gateway_spans()):
        told |= {"traceId": f"{number + 1:032x}", "spanId": f"{number + 1:016x}"}
        told |= {"startTimeUnixNano": str(int(START_S * 1e9)), "endTimeUnixNano": str(int((START_S + 2) * 1e9))}
        body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [told]}]}]}).encode()
        good, bad, _ = read(otlp.from_json(body))
        assert (len(good), bad) == (1, []), name
        answer = next((a["value"]["stringValue"] for a in told["attributes"] if a["key"] == "output.value"), "{}")
        usage = json.loads(answer).get("usage") if answer.startswith("{") else None
        failed = any(event["name"] == "exception" for event in told.get("events", []))
        assert (good[0]["error_type"] is not None) == failed, name
        if usage:
            seen += 1
            details = usage["prompt_tokens_details"], usage["completion_tokens_details"]
            expected = (usage["prompt_tokens"], usage["completion_tokens"], details[0]["cached_tokens"], details[1]["reasoning_tokens"])
            assert row(good[0], "input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens") == expected, name
            assert good[0]["response_id"] == json.loads(answer)["id"]
    assert seen >= 10


def vercel(told: dict[str, Any], number: int) -> Span:
    """A span of the JavaScript SDK as OTLP has it."""
    start, end = (seconds + nanos / 1e9 for seconds, nanos in (told["startTime"], told["endTime"]))
    attributes = {
        key: value for key, value in told["attributes"].items() if not isinstance(value, list) or all(isinstance(v, str) for v in value)
    }
    return span(number, told["name"], attributes, started_at=start, took_ms=round((end - start) * 1e3))


def test_it_counts_the_calls_of_the_vercel_sdk_and_not_what_holds_them() -> None:
    spans = json.loads(shared("openinference-js-spans", "all-spans.json"))
    good, bad, ignored = read(request_of(*(vercel(told, number + 1) for number, told in enumerate(spans)), scope="ai"))
    assert (len(good), bad, ignored) == (5, [], 5)
    assert Counter(row(r, "operation", "provider", "model", "input_tokens", "output_tokens") for r in good) == Counter(
        {
            ("chat", "openai", "gpt-4o-mini-2024-07-18", 14, 20): 1,
            ("chat", "openai", "gpt-4o-mini-2024-07-18", 50, 9): 1,
            ("chat", "openai", "gpt-4o-mini-2024-07-18", 63, 156): 1,
            ("chat", "openai", "gpt-4o-mini-2024-07-18", 15, 112): 1,
            ("embeddings", "openai", "text-embedding-3-small", 10, None): 1,
        }
    )
    assert [r["ttft_ms"] for r in good if r["ttft_ms"]] == [pytest.approx(426.85, abs=0.01)]
    assert {r["module"] for r in good} >= {"test-generate-text", "test-stream-text", "test-embed"}


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("otel_genai_client_span_tool_calls.json", 1),
        ("otel_genai_deprecated_client_span_tool_calls.json", 1),
        ("otel_genai_tool_execution_span.json", 0),
        ("openinference_client_span_tool_calls.json", 1),
        ("openinference_client_span_input_output_only.json", 1),
    ],
)
def test_it_reads_old_and_new_names(name: str, calls: int) -> None:
    good, bad, ignored = read(request_of(span(1, "s", json.loads(shared("openinference-js-spans", name)), started_at=START_S)))
    assert (len(good), bad, ignored) == (calls, [], 1 - calls)
    for record in good:
        assert row(record, "provider", "model", "input_tokens", "output_tokens") == ("openai", "gpt-4-0613", 97, 52)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # OpenTelemetry's rule: cache tokens are part of the input
        ({"gen_ai.usage.input_tokens": 1_000, "gen_ai.usage.cache_read.input_tokens": 400}, (1_000, 400, 0, False)),
        ({"gen_ai.usage.prompt_tokens": 1_000, "gen_ai.usage.cache_read_input_tokens": 400}, (1_000, 400, 0, False)),
        ({"gen_ai.usage.input_tokens": 1_000, "gen_ai.usage.cache_write.input_tokens": 300}, (1_000, 0, 300, False)),
        # the way of Anthropic's API: input without them, seen because a part would exceed the whole
        ({"gen_ai.usage.input_tokens": 5, "gen_ai.usage.cache_creation.input_tokens": 4_735}, (4_740, 0, 4_735, True)),
        (
            {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.cache_read.input_tokens": 8, "gen_ai.usage.cache_creation.input_tokens": 7},
            (25, 8, 7, True),
        ),
        # or because the total that was told says so
        (
            {
                "gen_ai.usage.input_tokens": 1_000,
                "gen_ai.usage.cache_read.input_tokens": 400,
                "gen_ai.usage.output_tokens": 10,
                "gen_ai.usage.total_tokens": 1_410,
            },
            (1_400, 400, 0, True),
        ),
        (
            {
                "gen_ai.usage.input_tokens": 1_000,
                "gen_ai.usage.cache_read.input_tokens": 400,
                "gen_ai.usage.output_tokens": 10,
                "gen_ai.usage.total_tokens": 1_010,
            },
            (1_000, 400, 0, False),
        ),
    ],
)
def test_cache_tokens_become_part_of_the_input(told: dict[str, object], expected: tuple[object, ...]) -> None:
    record = one({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude"} | told)
    assert (record["input_tokens"], record["cache_read_tokens"] or 0, record["cache_write_tokens"] or 0, record["adjusted"]) == expected


def test_reasoning_becomes_part_of_the_output() -> None:
    base: dict[str, object] = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "gcp.gen_ai", "gen_ai.usage.input_tokens": 121}
    beside = one(base | {"gen_ai.usage.output_tokens": 29, "gen_ai.usage.reasoning_tokens": 239})
    only_in_total = one(base | {"gen_ai.usage.output_tokens": 29, "gen_ai.usage.total_tokens": 389})
    for record in (beside, only_in_total):
        assert row(record, "input_tokens", "output_tokens", "reasoning_tokens", "adjusted") == (121, 268, 239, True)
    within = one(base | {"gen_ai.usage.output_tokens": 268, "gen_ai.usage.reasoning_tokens": 239})
    assert row(within, "output_tokens", "reasoning_tokens", "adjusted") == (268, 239, False)


def test_numbers_may_be_text_and_unknown_is_not_zero() -> None:
    record = one({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": " 12 ", "gen_ai.usage.output_tokens": 3.0})
    assert row(record, "input_tokens", "output_tokens", "cache_read_tokens", "model", "provider") == (12, 3, None, None, None)
    assert one({"gen_ai.operation.name": "chat"})["input_tokens"] is None


@pytest.mark.parametrize("count", ["many", 1.5, -1, True, [1]])
def test_a_call_that_cannot_be_read_is_refused_with_its_reason_and_without_what_was_said(count: object) -> None:
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": count, "gen_ai.input.messages": "my secret"}
    good, bad, _ = read(request_of(span(1, "s", attributes, started_at=START_S)))
    assert (good, [r.field for r in bad]) == ([], ["input_tokens"])
    assert bad[0].complete
    assert "secret" not in bad[0].raw


def test_times_that_cannot_be_are_refused() -> None:
    chat: dict[str, object] = {"gen_ai.operation.name": "chat"}
    never, backwards = span(1, "s", chat, started_at=0.0), span(2, "s", chat, started_at=START_S)
    backwards.end_time_unix_nano = backwards.start_time_unix_nano - 1
    never.start_time_unix_nano = 0
    _, bad, _ = read(request_of(never, backwards))
    assert [r.field for r in bad] == ["start_time_unix_nano", "end_time_unix_nano"]
    running = span(3, "s", chat, started_at=START_S)
    running.end_time_unix_nano = 0
    assert read(request_of(running))[0][0]["latency_ms"] is None


@pytest.mark.parametrize(
    "attributes",
    [
        {"http.request.method": "POST"},
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "claude", "gen_ai.usage.input_tokens": 900},
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"},
        {"openinference.span.kind": "CHAIN", "llm.token_count.prompt": 12},
        {"openinference.span.kind": "AGENT", "llm.model_name": "gpt-5"},
        {"traceloop.span.kind": "workflow", "traceloop.workflow.name": "w"},
        {"ai.operationId": "ai.generateText", "ai.usage.promptTokens": 5, "ai.model.id": "gpt-5"},
        {"ai.operationId": "ai.toolCall"},
        {"langfuse.observation.type": "span", "gen_ai.request.model": "x"},
        {"gen_ai.system": "openai"},
    ],
)
def test_what_is_no_call_is_ignored(attributes: dict[str, object]) -> None:
    assert read(request_of(span(1, "s", attributes, started_at=START_S))) == ([], [], 1)


@pytest.mark.parametrize(
    ("told", "provider"),
    [
        ({"gen_ai.system": "az.ai.openai"}, "azure.ai.openai"),
        ({"gen_ai.system": "vertex_ai"}, "gcp.vertex_ai"),
        ({"gen_ai.provider.name": "gemini"}, "gcp.gemini"),
        ({"gen_ai.system": "xai"}, "x_ai"),
        ({"gen_ai.system": "OpenAI"}, "openai"),
        ({"llm.provider": "google"}, "gcp.gemini"),
        ({"ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "anthropic.messages"}, "anthropic"),
        ({"ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "google.generative-ai"}, "gcp.gemini"),
    ],
)
def test_providers_have_one_name(told: dict[str, object], provider: str) -> None:
    assert one({"gen_ai.request.model": "m"} | told)["provider"] == provider


def test_the_kind_of_an_error_is_its_class() -> None:
    chat: dict[str, object] = {"gen_ai.operation.name": "chat"}
    assert one(chat | {"error.type": "openai.RateLimitError"}, failed=True)["error_type"] == "RateLimitError"
    assert one(chat, failed=True)["error_type"] == "_OTHER"
    assert one(chat)["error_type"] is None


def test_times_to_the_first_token_have_one_unit() -> None:
    chat: dict[str, object] = {"gen_ai.operation.name": "chat"}
    assert one(chat | {"gen_ai.response.time_to_first_chunk": 0.25})["ttft_ms"] == 250
    assert one(chat | {"ai.response.msToFirstChunk": 250})["ttft_ms"] == 250
    streamed = span(1, "s", chat, started_at=START_S)
    for delay_ms in (900, 250):
        streamed.events.add(name="gen_ai.content.completion.chunk", time_unix_nano=streamed.start_time_unix_nano + delay_ms * 1_000_000)
    assert read(request_of(streamed))[0][0]["ttft_ms"] == 250


def test_an_organisation_has_rules_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "rules.yaml"
    told.write_text(
        "fields: {module: [app.feature], environment: [stage]}\n"
        "rename: {module: [{match: 'svc-(.*)-v[0-9]+', to: '\\1'}], environment: [{match: prd, to: production}]}\n"
    )
    monkeypatch.setenv("TELEMETRY_RULES", str(told))
    settings.cache_clear()
    chat: dict[str, object] = {"gen_ai.operation.name": "chat", "app.feature": "svc-tutor-v2", "stage": "prd"}
    try:
        assert row(one(chat), "module", "environment") == ("tutor", "production")
        assert one({"gen_ai.operation.name": "chat"})["module"] == "tutor"  # the service, as before
    finally:
        monkeypatch.undo()
        settings.cache_clear()


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ("fields: {colour: [x]}", "colour"),
        ("rename: {module: [{match: '(', to: x}]}", "regular expression"),
        ("fields: [", "YAML"),
        ("other: 1", "other"),
        (None, "cannot be read"),
    ],
)
def test_wrong_rules_are_named(tmp_path: Path, told: str | None, word: str) -> None:
    path = tmp_path / "rules.yaml"
    if told is not None:
        path.write_text(told)
    with pytest.raises(BadInput, match=word):
        rules.load(path)


def test_what_is_kept_of_texts_is_redacted() -> None:
    words = "Mail ada@example.org or +63 917 555 0134, card 4111 1111 1111 1111, key sk-abcdefghijklmnop1234, password: hunter22"
    kept = rules.redact(words)
    for secret in ("ada@", "0134", "4111", "sk-abc", "hunter22"):
        assert secret not in kept
    assert kept.startswith("Mail [email] or ")
    assert rules.redact("forty-two boats of 2026") == "forty-two boats of 2026"


@pytest.mark.parametrize("hostile", ["a" * 1_000_000, "1 " * 500_000, "token" + " " * 1_000_000, "a.b-" * 250_000, "(" * 1_000_000 + "1"])
def test_no_text_makes_redaction_slow(hostile: str) -> None:
    assert len(rules.redact(hostile)) > 0  # squared, this would take hours
