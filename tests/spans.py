"""Spans as applications send them, made by hand; and the captured ones of the shared data."""

import os
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from services.clock import utc_now
from services.settings import ROOT

SHARED = Path(os.environ.get("SHARED_DATA", ROOT.parent / "shared" / "data"))
SCOPE = "opentelemetry.instrumentation.openai.v1"
TOKENS = {"input_tokens": "gen_ai.usage.input_tokens", "output_tokens": "gen_ai.usage.output_tokens"}
TOKENS |= {"cache_read_tokens": "gen_ai.usage.cache_read.input_tokens"}


def shared(*path: str) -> bytes:
    """A file of the shared data, which must be there."""
    return SHARED.joinpath(*path).read_bytes()


def call(number: int, *, started_at: float | None = None, took_ms: int = 1_500, **told: object) -> Span:
    """The span of an AI call; `told` are token counts, attributes with _ for their dots elsewhere, or a `note` to make it heavy."""
    tokens = {name: told.get(name, usual) for name, usual in (("input_tokens", 1_000), ("output_tokens", 100), ("cache_read_tokens", 400))}
    attributes: dict[str, object] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.response.model": "gpt-5-mini",
        "gen_ai.response.id": f"chatcmpl-{number:028d}",
    } | {TOKENS[name]: value for name, value in tokens.items()}
    if "note" in told:
        attributes["gen_ai.input.messages"] = told["note"]
    return span(number, "chat gpt-5-mini", attributes, started_at=started_at, took_ms=took_ms)


def plain(number: int) -> Span:
    """A span that is no AI call."""
    return span(number, "GET /lessons", {"http.request.method": "GET"})


def span(
    number: int,
    name: str,
    attributes: dict[str, object],
    *,
    trace: int | None = None,
    parent: int | None = None,
    started_at: float | None = None,
    took_ms: int = 1_500,
    failed: bool = False,
) -> Span:
    """Any span; its ids are made of `number`, those of its trace of `trace` where several share one."""
    start_ns = int((utc_now().timestamp() - 60 if started_at is None else started_at) * 1e9)
    made = Span(
        trace_id=(number if trace is None else trace).to_bytes(15, "big") + b"\1",
        span_id=number.to_bytes(7, "big") + b"\1",
        parent_span_id=b"" if parent is None else parent.to_bytes(7, "big") + b"\1",
        name=name,
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + took_ms * 1_000_000,
    )
    made.attributes.extend(pair(key, value) for key, value in attributes.items())
    made.status.code = Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_OK
    return made


def pair(key: str, value: object) -> KeyValue:
    """An attribute of the type of its value."""
    made = KeyValue(key=key)
    match value:
        case bool():
            made.value.bool_value = value
        case int():
            made.value.int_value = value
        case float():
            made.value.double_value = value
        case list():
            made.value.array_value.values.extend(pair("", item).value for item in value)
        case _:
            made.value.string_value = str(value)
    return made


def request_of(*spans: Span, scope: str = SCOPE, resource: dict[str, object] | None = None) -> ExportTraceServiceRequest:
    """A request of one application and one library."""
    message = ExportTraceServiceRequest()
    one = message.resource_spans.add()
    told = {"service.name": "tutor", "service.instance.id": "process-1"} if resource is None else resource
    one.resource.attributes.extend(pair(key, value) for key, value in told.items())
    library = one.scope_spans.add()
    library.scope.name = scope
    library.spans.extend(spans)
    return message
