"""A span becomes an operation: which spans are AI calls, and where each library keeps what it tells.

Everything a library names differently is in the tables of `services.telemetry.names`.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from services.settings import settings
from services.telemetry.names import CALLS, COUNTS, FIRST_TOKEN_EVENTS, KINDS, NAMES, PROVIDERS, SAID, TIERS, VERCEL
from services.telemetry.records import Record
from services.telemetry.rules import Rules, renamed, rules

_WHOLE = re.compile(r"[0-9]{1,18}")


Found = Mapping[str, tuple[int, object]]  # field → rank of the name it was found under, and its value
Index = Mapping[str, tuple[str, int]]  # attribute name → the field it tells, and its rank among the names of that field


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened inside a span."""

    name: str
    time_ns: int
    found: Found


@dataclass(frozen=True, slots=True)
class Span:
    """A span as OTLP has it, its ids in hexadecimal; `found` is what it and its resource tell of the fields of `index()`."""

    trace_id: str
    span_id: str
    parent_span_id: str
    scope: str
    start_ns: int
    end_ns: int
    failed: bool
    found: Found
    events: Sequence[Event]

    def value(self, field: str) -> object:
        """What was told of a field, None for nothing."""
        told = self.found.get(field)
        return None if told is None else told[1]


class Unreadable(Exception):
    """A span that says it is an AI call but cannot be read: (field, reason)."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


def index() -> Index:
    """The attributes worth decoding: the organisation's own names first; what people said only where the console keeps it."""
    return _index(rules(), settings().store_payloads)


@lru_cache(maxsize=4)
def _index(told: Rules, with_payloads: bool) -> Index:
    made: dict[str, tuple[str, int]] = {}
    for field, names in (NAMES | (SAID if with_payloads else {})).items():
        made |= {name: (field, rank) for rank, name in enumerate(names)}
    for field, own in told.fields.items():
        made |= {name: (field, rank - len(own)) for rank, name in enumerate(own)}
    return made


def merged(outer: Found, inner: Found) -> Found:
    """What a span and its resource tell together: the better name, and of the same name the span's."""
    out = dict(outer)
    for field, told in inner.items():
        if field not in out or told[0] <= out[field][0]:
            out[field] = told
    return out


def operation_of(span: Span) -> Record | None:
    """The record (`services.telemetry.records`) of an AI call, None for another span; raises Unreadable."""
    kind = _kind(span)
    if kind is None:
        return None
    if not span.start_ns:
        raise Unreadable("start_time_unix_nano", "is missing")
    if span.end_ns and span.end_ns < span.start_ns:
        raise Unreadable("end_time_unix_nano", "lies before start_time_unix_nano")
    record: Record = {
        "id": f"{span.trace_id}:{span.span_id}",
        "started_at": span.start_ns / 1e9,
        "latency_ms": (span.end_ns - span.start_ns) / 1e6 if span.end_ns else None,
        "ttft_ms": _ttft_ms(span),
        "operation": renamed("operation", _text(span, "operation") or kind),
        "provider": _provider(span),
        "model": _text(span, "model") or _inner_text(span, "parameters", "model"),
        "environment": _place("environment", span),
        "module": _place("module", span),
        "user_id": _text(span, "user_id"),
        "session_id": _text(span, "session_id"),
        "error_type": _error(span),
        "finish_reason": _finish_reason(span),
        "service_tier": _tier(span),
        "response_id": _text(span, "response_id") or _inner_text(span, "answer", "id", "response_id", "responseId"),
        "parent_id": f"{span.trace_id}:{span.parent_span_id}" if span.parent_span_id else None,
        "told_by": span.scope[:200].replace("\0", "") or "(no scope)",
        "process_id": _text(span, "process_id"),
    }
    record |= _tokens(span)
    if settings().store_payloads:
        record |= {"prompt": _words(span, "prompt"), "completion": _words(span, "completion") or _words(span, "answer")}
    return record


def _kind(span: Span) -> str | None:
    """The operation a span says that it is; None when it is no AI call."""
    vercel = span.value("vercel")
    if vercel is not None:
        return VERCEL.get(str(vercel).rpartition(".")[2])
    kinds = [str(span.found[name][1]).lower() for name in KINDS if name in span.found]
    known = [CALLS[kind] for kind in kinds if kind in CALLS]
    if known:
        return None if None in known else known[0]
    if "model" in span.found or (kinds and ("input_tokens" in span.found or "output_tokens" in span.found)):
        return kinds[0] if kinds else "chat"
    return None


def _text(span: Span, field: str) -> str | None:
    value = span.value(field)
    return None if value is None else str(value)[:200].replace("\0", "")


def _place(field: str, span: Span) -> str | None:
    value = _text(span, field)
    return None if value is None else renamed(field, value)


def _words(span: Span, field: str) -> str | None:
    value = span.value(field)
    return None if value is None else str(value)[:1_000_000].replace("\0", "")


def _provider(span: Span) -> str | None:
    told = _text(span, "provider")
    if told is None:
        return None
    name = told.lower()
    if "vercel" in span.found and name not in PROVIDERS:
        name = name.rpartition(".")[0] or name  # the Vercel AI SDK says openai.responses, anthropic.messages
    return PROVIDERS.get(name, name)


def _tier(span: Span) -> str | None:
    told = _text(span, "service_tier")
    return TIERS.get(told, told) if told else None


def _finish_reason(span: Span) -> str | None:
    told = span.value("finish_reason")
    if isinstance(told, list | tuple):
        told = told[0] if told else None
    return None if told in (None, "") else str(told)[:200].replace("\0", "")


def _inner_text(span: Span, field: str, *names: str) -> str | None:
    """A text inside a JSON object that an attribute holds: some libraries tell a request's model and an answer's id only there."""
    inside = _object(span.value(field))
    found = next((inside[name] for name in names if isinstance(inside.get(name), str)), None)
    return None if found is None else str(found)[:200].replace("\0", "")


def _object(told: object) -> Mapping[str, object]:
    """A JSON object kept as text; empty for anything else, which is what a sender's limit on lengths leaves."""
    if not isinstance(told, str) or not told.startswith("{"):
        return {}
    try:
        found: Mapping[str, object] = json.loads(told)
    except (ValueError, RecursionError):
        return {}
    return found


def _error(span: Span) -> str | None:
    """The error's class without its module: libraries agree on that much."""
    told = span.value("error_type")
    if told is None and span.failed:
        told = next((event.found["exception"][1] for event in span.events if "exception" in event.found), "_OTHER")
    return str(told).rpartition(".")[2][:200].replace("\0", "") if told else None


def _ttft_ms(span: Span) -> float | None:
    for field, factor in (("ttft_s", 1_000.0), ("ttft_ms", 1.0)):
        value = span.value(field)
        if isinstance(value, int | float) and value >= 0:
            return value * factor
    first = min((event.time_ns for event in span.events if event.name in FIRST_TOKEN_EVENTS), default=0)
    return (first - span.start_ns) / 1e6 if first >= span.start_ns else None


def _tokens(span: Span) -> Record:
    """Token counts under the rule that input holds cache tokens and output holds reasoning; `adjusted` where the sender kept another.

    A part that is larger than its whole was left out of it; so was one that a told total holds beyond input and output.
    """
    counts = {field: _count(span, field) for field in COUNTS}
    total = counts.pop("total_tokens")
    cache = (counts["cache_read_tokens"] or 0) + (counts["cache_write_tokens"] or 0)
    reasoning = counts["reasoning_tokens"] or 0
    before = dict(counts)
    beyond = _beyond(counts, total)
    if (
        counts["input_tokens"] is not None
        and counts["input_tokens"] >= 0
        and cache
        and (cache > counts["input_tokens"] or beyond in (cache, cache + reasoning))
    ):
        counts["input_tokens"] += cache
        beyond = _beyond(counts, total)
    if beyond and not reasoning and (_provider(span) or "").startswith("gcp."):
        reasoning = beyond  # Gemini's thoughts are in its total alone
    if counts["output_tokens"] is not None and reasoning and (reasoning > counts["output_tokens"] or beyond == reasoning):
        counts |= {"reasoning_tokens": reasoning, "output_tokens": counts["output_tokens"] + reasoning}
    return {**counts, "adjusted": counts != before}


def _beyond(counts: Mapping[str, int | None], total: int | None) -> int:
    """Tokens that a told total has beyond input and output."""
    if total is None or counts["input_tokens"] is None or counts["output_tokens"] is None:
        return 0
    return max(0, total - counts["input_tokens"] - counts["output_tokens"])


def _count(span: Span, field: str) -> int | None:
    """A whole number, told as one, as text or as a float; raises Unreadable for anything else."""
    value = span.value(field)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unreadable(field, f"is no number ({str(value)[:40]})")
    if isinstance(value, str):
        if not _WHOLE.fullmatch(value.strip()):
            raise Unreadable(field, f"is no number ({value[:40]})")
        return int(value)
    if value != int(value):
        raise Unreadable(field, f"is no whole number ({value})")
    return int(value)
