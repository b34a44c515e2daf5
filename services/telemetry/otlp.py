"""OTLP requests: bytes to spans, and spans to what the inbox takes; the official messages do the decoding.

Nothing here knows HTTP or the database.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from services.errors import BadInput
from services.telemetry.names import SAID
from services.telemetry.normalise import Event, Found, Index, Span, Unreadable, index, merged, operation_of
from services.telemetry.records import Record, Rejection, refusal

IDS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}
DEPTH = 100
_PLAIN = {"string_value", "int_value", "double_value", "bool_value"}


@dataclass(slots=True)
class Read:
    """What a request held: records and refusals in order, how many spans were no AI calls."""

    records: list[Record | Rejection] = field(default_factory=list)
    ignored: int = 0


def from_protobuf(body: bytes) -> ExportTraceServiceRequest:
    """Raises BadInput for bytes that are no such message."""
    message = ExportTraceServiceRequest()
    try:
        message.ParseFromString(body)
    except (DecodeError, RecursionError) as error:
        raise BadInput("The body is not a protobuf ExportTraceServiceRequest.") from error
    return message


def from_json(body: bytes) -> ExportTraceServiceRequest:
    """OTLP's JSON: ids in hexadecimal, 64-bit numbers as text or numbers, unknown fields ignored. Raises BadInput."""
    try:
        told = json.loads(body)
    except UnicodeDecodeError as error:
        raise BadInput(f"The body is not UTF-8: byte {error.start} cannot be read.") from error
    except json.JSONDecodeError as error:
        raise BadInput(f"The body is not JSON: {error.msg} in line {error.lineno}, column {error.colno}.") from error
    except (RecursionError, ValueError) as error:
        raise BadInput("The body is nested too deeply, or has a number with too many digits.") from error
    if not isinstance(told, dict):
        raise BadInput("The body must be an object with resourceSpans.")
    message = ExportTraceServiceRequest()
    try:
        json_format.ParseDict(_ids_in_base64(told), message, ignore_unknown_fields=True, max_recursion_depth=DEPTH)
    except (json_format.ParseError, RecursionError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"The body is not an ExportTraceServiceRequest: {str(error)[:300]}.") from error
    return message


def _ids_in_base64(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The message with its ids as protobuf's own JSON has bytes. What is no hexadecimal becomes empty, so the one span is refused."""
    if isinstance(value, list):
        return [_ids_in_base64(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _base64(item) if name in IDS and isinstance(item, str) else _ids_in_base64(item) for name, item in value.items()}


def _base64(digits: str) -> str:
    try:
        return base64.b64encode(bytes.fromhex(digits)).decode("ascii")
    except (ValueError, binascii.Error):
        return ""


def read(message: ExportTraceServiceRequest) -> Read:
    """All spans of a request as records, refusals, or a count of what is no AI call; positions count spans from 0."""
    out = Read()
    names = index()
    position = -1
    for resource_spans in message.resource_spans:
        around = _found(resource_spans.resource.attributes, names)
        for scope_spans in resource_spans.scope_spans:
            for told in scope_spans.spans:
                position += 1
                try:
                    _check_ids(told)
                    record = operation_of(_span(around, scope_spans.scope.name, told, names))
                except Unreadable as unreadable:
                    raw = as_json(resource_spans.resource, scope_spans.scope.name, told, names)
                    out.records.append(refusal(position, (unreadable.field, unreadable.reason), raw))
                    continue
                if record is None:
                    out.ignored += 1
                else:
                    out.records.append(record)
    return out


def _check_ids(span: SpanMessage) -> None:
    """Logs that were sent to the wrong place decode as spans without ids."""
    for name, value, length in (("trace_id", span.trace_id, 16), ("span_id", span.span_id, 8)):
        if len(value) != length or not any(value):
            raise Unreadable(name, f"must be {length} bytes that are not all zero")


def _span(around: Found, scope: str, span: SpanMessage, names: Index) -> Span:
    parent = span.parent_span_id
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=parent.hex() if any(parent) else "",
        scope=scope,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        found=merged(around, _found(span.attributes, names)),
        events=[Event(event.name, event.time_unix_nano, _found(event.attributes, names)) for event in span.events],
    )


def _found(told: Sequence[KeyValue], names: Index) -> Found:
    out: dict[str, tuple[int, object]] = {}
    for pair in told:
        entry = names.get(pair.key)
        if entry is not None and (entry[0] not in out or entry[1] < out[entry[0]][0]):
            value = _plain(pair.value)
            if value is not None and value != "":
                out[entry[0]] = (entry[1], value)
    return out


def _plain(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    if kind in _PLAIN:
        return getattr(value, kind)
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    return None if kind is None else str(getattr(value, kind))[:1_000]


def as_json(resource: Resource, scope: str, span: SpanMessage, names: Index) -> dict[str, object]:
    """One span as an OTLP/JSON request of its own, with only what is read from it: nothing that people said."""
    kept = {name for name, (field, _) in names.items() if field not in SAID and field != "answer"}
    told: dict[str, object] = {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex(),
        "name": span.name[:200],
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": str(span.end_time_unix_nano),
        "status": {"code": span.status.code},
        "attributes": _pairs(span.attributes, kept),
        "events": [
            {"name": event.name[:200], "timeUnixNano": str(event.time_unix_nano), "attributes": _pairs(event.attributes, kept)}
            for event in span.events[:50]
        ],
    }
    around = {"resource": {"attributes": _pairs(resource.attributes, kept)}, "scopeSpans": [{"scope": {"name": scope}, "spans": [told]}]}
    return {"resourceSpans": [around]}


def _pairs(told: Sequence[KeyValue], kept: set[str]) -> list[Any]:
    return [json_format.MessageToDict(pair) for pair in told if pair.key in kept]
