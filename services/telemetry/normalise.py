"""A span becomes an operation: which spans are AI calls, and where each library keeps what it tells.

Everything a library names differently is in the tables; the first attribute that is there counts. Covered are OpenTelemetry's GenAI
conventions (v1.41 and the names before and after it), OpenInference, OpenLLMetry, the Vercel AI SDK, and the SDKs' own spans.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.settings import settings
from services.telemetry.records import Record
from services.telemetry.rules import renamed, rules

Attributes = Mapping[str, object]

NAMES: dict[str, tuple[str, ...]] = {
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider", "llm.vendor"),
    "model": (
        "gen_ai.response.model",
        "ai.response.model",
        "llm.response.model",
        "llm.model_name",
        "embedding.model_name",
        "reranker.model_name",
        "gen_ai.request.model",
        "llm.request.model",
        "ai.model.id",
    ),
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens",
        "llm.token_count.prompt",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "ai.usage.tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
        "llm.token_count.completion",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ),
    "total_tokens": (
        "gen_ai.usage.total_tokens",
        "llm.usage.total_tokens",
        "llm.token_count.total",
        "ai.usage.totalTokens",
    ),
    "cache_read_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cache_read_tokens",
        "gen_ai.usage.cached_input_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.details.cached_tokens",
        "llm.token_count.prompt_details.cache_read",
        "llm.usage.cache_read_input_tokens",
        "ai.usage.inputTokenDetails.cacheReadTokens",
        "ai.usage.cachedInputTokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "llm.token_count.prompt_details.cache_write",
        "llm.usage.cache_creation_input_tokens",
        "ai.usage.inputTokenDetails.cacheWriteTokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "llm.usage.reasoning_tokens",
        "ai.usage.outputTokenDetails.reasoningTokens",
        "ai.usage.reasoningTokens",
    ),
    "session_id": (
        "gen_ai.conversation.id",
        "session.id",
        "langfuse.session.id",
        "traceloop.association.properties.session_id",
        "ai.telemetry.metadata.sessionId",
    ),
    "user_id": (
        "user.id",
        "enduser.id",
        "gen_ai.user.id",
        "gen_ai.user",
        "llm.user",
        "langfuse.user.id",
        "traceloop.association.properties.user_id",
        "ai.telemetry.metadata.userId",
    ),
    "response_id": ("gen_ai.response.id", "ai.response.id", "llm.response.id"),
    "finish_reason": ("gen_ai.response.finish_reasons", "gen_ai.response.finish_reason", "llm.finish_reason", "ai.response.finishReason"),
    "service_tier": (
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "gen_ai.response.service_tier",
        "anthropic.response.service_tier",
        "openai.request.service_tier",
        "gen_ai.openai.request.service_tier",
    ),
    "module": ("binnacle.module", "ai.telemetry.functionId", "traceloop.workflow.name", "service.name"),
    "environment": ("deployment.environment.name", "deployment.environment", "langfuse.environment"),
    "process_id": ("service.instance.id", "process.pid"),
}
TTFT_SECONDS = ("gen_ai.response.time_to_first_chunk", "gen_ai.response.time_to_first_token", "gen_ai.server.time_to_first_token")
TTFT_MILLISECONDS = ("ai.response.msToFirstChunk",)
FIRST_TOKEN_EVENTS = ("First Token Stream Event", "gen_ai.content.completion.chunk", "ai.stream.firstChunk", "gen_ai.first_token")
SAID = {
    "prompt": ("gen_ai.input.messages", "gen_ai.prompt", "input.value", "ai.prompt.messages", "ai.prompt"),
    "completion": ("gen_ai.output.messages", "gen_ai.completion", "output.value", "ai.response.text", "ai.response.object"),
}
PARAMETERS = ("llm.invocation_parameters", "embedding.invocation_parameters")
ANSWER = "output.value"  # OpenInference keeps the provider's answer here, and its id only in there
KINDS = (
    "gen_ai.operation.name",
    "openinference.span.kind",
    "llm.request.type",
    "traceloop.span.kind",
    "langfuse.observation.type",
)
VERCEL_KIND = "ai.operationId"

# What kind of work a span says that it is → the operation; None for work that holds AI calls but is none itself.
CALLS: dict[str, str | None] = {
    "chat": "chat", "generate_content": "generate_content", "text_completion": "text_completion", "completion": "text_completion",
    "embeddings": "embeddings", "embedding": "embeddings", "rerank": "rerank", "reranker": "rerank", "llm": "chat", "responses": "chat",
    "image_generation": "image_generation", "speech": "speech", "transcription": "transcription",
    "execute_tool": None, "create_agent": None, "invoke_agent": None, "invoke_workflow": None, "retrieval": None, "plan": None,
    "chain": None, "tool": None, "agent": None, "retriever": None, "guardrail": None, "evaluator": None, "prompt": None,
    "workflow": None, "task": None, "unknown": None, "generation": "chat", "span": None, "event": None,
    "search_memory": None, "update_memory": None, "create_memory": None, "delete_memory": None, "upsert_memory": None,
}  # fmt: skip
VERCEL = {"doGenerate": "chat", "doStream": "chat", "doEmbed": "embeddings"}  # the others of its spans only hold these
PROVIDERS = {
    "az.ai.openai": "azure.ai.openai", "azure": "azure.ai.openai", "azure-openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference", "vertex_ai": "gcp.vertex_ai", "vertexai": "gcp.vertex_ai", "google.vertex": "gcp.vertex_ai",
    "gemini": "gcp.gemini", "google": "gcp.gemini", "google_genai": "gcp.gemini", "google.generative-ai": "gcp.gemini",
    "gcp.gen_ai": "gcp.gemini", "xai": "x_ai", "aws": "aws.bedrock", "amazon-bedrock": "aws.bedrock", "bedrock": "aws.bedrock",
    "mistralai": "mistral_ai", "mistral": "mistral_ai", "cohereai": "cohere",
}  # fmt: skip
TIERS = {"default": None, "standard": None, "auto": None}
COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "total_tokens")
WANTED = frozenset(
    name
    for table in (*NAMES.values(), TTFT_SECONDS, TTFT_MILLISECONDS, KINDS, PARAMETERS, (VERCEL_KIND, "error.type", "exception.type"))
    for name in table
)
_WHOLE = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened inside a span."""

    name: str
    time_ns: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Span:
    """A span as OTLP has it, its ids in hexadecimal, its attributes those of `wanted()`."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    scope: str
    start_ns: int
    end_ns: int
    failed: bool
    attributes: Attributes
    resource: Attributes
    events: Sequence[Event]


class Unreadable(Exception):
    """A span that says it is an AI call but cannot be read: (field, reason)."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


def wanted() -> frozenset[str]:
    """The attributes worth decoding; what people said is among them only where the console keeps it."""
    own = frozenset(name for names in rules().fields.values() for name in names)
    said = frozenset(name for names in SAID.values() for name in names) if settings().store_payloads else frozenset()
    return WANTED | own | said | {ANSWER}


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
        "operation": renamed("operation", str(_own("operation", span) or kind)),
        "provider": _provider(span),
        "model": _text(span, "model") or _parameter(span, "model"),
        "environment": _place("environment", span),
        "module": _place("module", span),
        "user_id": _text(span, "user_id"),
        "session_id": _text(span, "session_id"),
        "error_type": _error(span),
        "finish_reason": _finish_reason(span),
        "service_tier": _tier(span),
        "response_id": _text(span, "response_id") or _answer_id(span),
        "parent_id": f"{span.trace_id}:{span.parent_span_id}" if span.parent_span_id else None,
        "told_by": span.scope or "(no scope)",
        "process_id": _text(span, "process_id"),
    }
    record |= _tokens(span)
    if settings().store_payloads:
        record |= {field: _first_text(span.attributes, names) for field, names in SAID.items()}
    return record


def _kind(span: Span) -> str | None:
    """The operation a span says that it is; None when it is no AI call."""
    attributes = span.attributes
    vercel = attributes.get(VERCEL_KIND)
    if vercel is not None:
        return VERCEL.get(str(vercel).rpartition(".")[2])
    kinds = [str(attributes[name]).lower() for name in KINDS if attributes.get(name)]
    known = [CALLS[kind] for kind in kinds if kind in CALLS]
    if known:
        return None if None in known else known[0]
    names_model = any(attributes.get(name) for name in NAMES["model"])
    if kinds or names_model:
        counts = any(attributes.get(name) is not None for name in (*NAMES["input_tokens"], *NAMES["output_tokens"]))
        return (kinds[0] if kinds else "chat") if names_model or counts else None
    return None


def _value(span: Span, field: str) -> object:
    for name in NAMES[field]:
        value = span.attributes.get(name)
        if value is None:
            value = span.resource.get(name)
        if value is not None and value != "":
            return value
    return None


def _own(field: str, span: Span) -> object:
    """What the organisation's own rules find for a field."""
    return next(
        (
            found
            for name in rules().fields.get(field, ())
            if (found := span.attributes.get(name, span.resource.get(name))) not in (None, "")
        ),
        None,
    )


def _text(span: Span, field: str) -> str | None:
    value = _own(field, span) or _value(span, field)
    return None if value is None else str(value)[:200].replace("\0", "")


def _place(field: str, span: Span) -> str | None:
    value = _text(span, field)
    return None if value is None else renamed(field, value)


def _first_text(attributes: Attributes, names: Sequence[str]) -> str | None:
    return next((str(attributes[name])[:1_000_000] for name in names if attributes.get(name)), None)


def _provider(span: Span) -> str | None:
    told = _text(span, "provider")
    if told is None:
        return None
    name = told.lower()
    if "ai.model.provider" in span.attributes and name not in PROVIDERS:
        name = name.rpartition(".")[0] or name  # the Vercel AI SDK says openai.responses, anthropic.messages
    return PROVIDERS.get(name, name)


def _tier(span: Span) -> str | None:
    told = _text(span, "service_tier")
    return TIERS.get(told, told) if told else None


def _finish_reason(span: Span) -> str | None:
    told = _value(span, "finish_reason")
    if isinstance(told, list | tuple):
        told = told[0] if told else None
    return None if told in (None, "") else str(told)[:200].replace("\0", "")


def _answer_id(span: Span) -> str | None:
    """The id of the provider's answer where only the answer itself holds it."""
    told = _object(span.attributes.get(ANSWER))
    found = told.get("id") or told.get("response_id") or told.get("responseId")
    return str(found)[:200].replace("\0", "") if isinstance(found, str) else None


def _parameter(span: Span, name: str) -> str | None:
    """A parameter of the request: of a call that failed, OpenInference tells the model only there."""
    for attribute in PARAMETERS:
        told = _object(span.attributes.get(attribute))
        if isinstance(told.get(name), str):
            return str(told[name])[:200].replace("\0", "")
    return None


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
    told = span.attributes.get("error.type")
    if not told and span.failed:
        told = next((e.attributes.get("exception.type") for e in span.events if e.attributes.get("exception.type")), None) or "_OTHER"
    return str(told).rpartition(".")[2][:200].replace("\0", "") if told else None


def _ttft_ms(span: Span) -> float | None:
    for names, factor in ((TTFT_SECONDS, 1_000.0), (TTFT_MILLISECONDS, 1.0)):
        for name in names:
            value = span.attributes.get(name)
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
    if counts["input_tokens"] is not None and cache and (cache > counts["input_tokens"] or beyond in (cache, cache + reasoning)):
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
    value = _value(span, field)
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
