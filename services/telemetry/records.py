"""What a sender may say: one operation (an AI call), one session or one piece of feedback, field by field.

Rules that need one field live in the types; rules between fields in `contradiction`. Nothing here touches a database.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal, NotRequired, cast

from pydantic import AwareDatetime, ConfigDict, Field, Strict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

Noun = Literal["operations", "sessions", "feedback"]
Record = dict[str, object]
Fault = tuple[str, str]  # field, reason

EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(minutes=10)
RAW_KEPT = 20_000
REASONS = {"extra_forbidden": "unknown field", "string_pattern_mismatch": "holds a NUL character"}

Name = Annotated[str, Strict(), Field(max_length=200, pattern=r"^[^\x00]*$")] | None
Identity = Annotated[str, Strict(), Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Count = Annotated[int, Strict(), Field(ge=0, le=1_000_000_000)] | None
Milliseconds = Annotated[float, Strict(), Field(ge=0, le=7 * 86_400_000, allow_inf_nan=False)] | None
Text = Annotated[str, Strict(), Field(max_length=1_000_000)] | None
Money = Annotated[Decimal, Field(ge=0, le=1_000_000, allow_inf_nan=False)] | None


@with_config(ConfigDict(extra="forbid"))
class Operation(TypedDict):
    """One AI call. Times are ISO-8601 with a zone or epoch seconds; input_tokens includes cache tokens.

    Two libraries may tell the same call: `told_by` names the library, `response_id` the provider's answer, `parent_id` the id of the
    span around it, `process_id` the process that called. `adjusted` marks token counts that were brought under our rules.
    Prompt and completion are kept only where the console is set to keep them.
    """

    id: Identity
    started_at: AwareDatetime
    ended_at: NotRequired[AwareDatetime | None]
    latency_ms: NotRequired[Milliseconds]
    ttft_ms: NotRequired[Milliseconds]
    environment: NotRequired[Name]
    module: NotRequired[Name]
    operation: NotRequired[Name]
    provider: NotRequired[Name]
    model: NotRequired[Name]
    input_tokens: NotRequired[Count]
    output_tokens: NotRequired[Count]
    cache_read_tokens: NotRequired[Count]
    cache_write_tokens: NotRequired[Count]
    reasoning_tokens: NotRequired[Count]
    cached: NotRequired[Annotated[bool, Strict()] | None]
    error_type: NotRequired[Name]
    user_id: NotRequired[Name]
    session_id: NotRequired[Name]
    cost_usd: NotRequired[Money]
    finish_reason: NotRequired[Name]
    service_tier: NotRequired[Name]
    response_id: NotRequired[Name]
    parent_id: NotRequired[Name]
    told_by: NotRequired[Name]
    process_id: NotRequired[Name]
    adjusted: NotRequired[Annotated[bool, Strict()]]
    prompt: NotRequired[Text]
    completion: NotRequired[Text]


@with_config(ConfigDict(extra="forbid"))
class Session(TypedDict):
    """One conversation or learning session; what is left out stays unknown."""

    id: Identity
    started_at: AwareDatetime
    ended_at: NotRequired[AwareDatetime | None]
    environment: NotRequired[Name]
    module: NotRequired[Name]
    user_id: NotRequired[Name]
    subject: NotRequired[Name]
    cohort: NotRequired[Name]
    messages: NotRequired[Count]
    rating: NotRequired[Annotated[float, Field(ge=1, le=5)] | None]
    topics: NotRequired[Annotated[list[Identity], Field(max_length=50)] | None]


@with_config(ConfigDict(extra="forbid"))
class Feedback(TypedDict):
    """What somebody thought of a session or of one operation: thumbs, a rating from 1 to 5 or both, and perhaps a comment.

    `session_id` and `operation_id` are the ids that the session and the operation were told by. The first telling of an id counts.
    """

    id: Identity
    session_id: NotRequired[Identity | None]
    operation_id: NotRequired[Identity | None]
    thumbs: NotRequired[Literal["up", "down"] | None]
    rating: NotRequired[Annotated[float, Field(ge=1, le=5)] | None]
    comment: NotRequired[Annotated[str, Strict(), Field(max_length=4_000, pattern=r"^[^\x00]*$")] | None]
    user_id: NotRequired[Name]
    at: NotRequired[AwareDatetime | None]
    environment: NotRequired[Name]


SHAPES: dict[Noun, TypeAdapter[list[Record]]] = {
    "operations": cast(TypeAdapter[list[Record]], TypeAdapter(list[Operation])),
    "sessions": cast(TypeAdapter[list[Record]], TypeAdapter(list[Session])),
    "feedback": cast(TypeAdapter[list[Record]], TypeAdapter(list[Feedback])),
}


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that was refused: which one, which field, why, and its text; `complete` when none of it had to be cut."""

    position: int
    field: str
    reason: str
    raw: str
    complete: bool = False

    @classmethod
    def of(cls, position: int, fault: Fault, raw: str, *, complete: bool = False) -> "Rejection":
        """With a sender's words as Postgres can keep them: no NUL, no lone surrogates, no megabytes."""
        field, reason = (told[:500].encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00") for told in fault)
        return cls(position, field, reason, raw, complete)


def examine(
    noun: Noun, records: Sequence[object], first_position: int, now: datetime, oldest: datetime = EARLIEST
) -> tuple[list[Record], list[Rejection]]:
    """Split `records` into the usable ones, typed, and the refused ones, each with its reason; what began before `oldest` is refused.

    A door that could not even make a record of what it got passes the Rejection in its place.
    """
    typed, faults = _shape(noun, records)
    usable: list[Record] = []
    rejections: list[Rejection] = []
    remaining = iter(typed)
    for index, raw in enumerate(records):
        fault = faults.get(index)
        if fault is None:
            record = next(remaining)
            fault = contradiction(record, now, oldest)
            if fault is None:
                usable.append(record)
                continue
        rejections.append(raw if isinstance(raw, Rejection) else refusal(first_position + index, fault, raw))
    return usable, rejections


def _shape(noun: Noun, records: Sequence[object]) -> tuple[list[Record], dict[int, Fault]]:
    """The records that fit their shape, in order and typed, and index → first fault of each that does not."""
    try:
        return SHAPES[noun].validate_python(records), {}
    except ValidationError as error:
        faults: dict[int, Fault] = {}
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            index = cast(int, problem["loc"][0])
            field = str(problem["loc"][1])[:200] if len(problem["loc"]) > 1 else "(record)"
            faults.setdefault(index, (field, REASONS.get(problem["type"], problem["msg"])))
        return SHAPES[noun].validate_python([record for index, record in enumerate(records) if index not in faults]), faults


def contradiction(record: Mapping[str, object], now: datetime, oldest: datetime = EARLIEST) -> Fault | None:
    """(field, reason) where two fields, or a field and the clock, cannot both be right."""
    if "started_at" not in record:
        return _wrong_feedback(record, now)
    return (
        _wrong_time(record, now, oldest)
        or _wrong_part(record, "cache", "input_tokens")
        or _wrong_part(record, "reasoning", "output_tokens")
    )


def _wrong_time(record: Mapping[str, object], now: datetime, oldest: datetime) -> Fault | None:
    started_at = cast(datetime, record["started_at"])
    if started_at > now + CLOCK_SKEW:
        return "started_at", f"lies in the future ({started_at.isoformat()})"
    if started_at < EARLIEST:
        return "started_at", f"lies before {EARLIEST.date()} ({started_at.isoformat()})"
    if started_at < oldest:
        return "started_at", f"lies before {oldest.date()}, since when operations are kept ({started_at.isoformat()})"
    ended_at = cast(datetime | None, record.get("ended_at"))
    if ended_at is not None:
        if ended_at < started_at:
            return "ended_at", "lies before started_at"
        if ended_at > now + CLOCK_SKEW:
            return "ended_at", f"lies in the future ({ended_at.isoformat()})"
    return None


def _wrong_feedback(record: Mapping[str, object], now: datetime) -> Fault | None:
    if (record.get("session_id") is None) == (record.get("operation_id") is None):
        return "session_id", "feedback is about a session or an operation: tell one of session_id and operation_id"
    if record.get("thumbs") is None and record.get("rating") is None:
        return "rating", "neither thumbs nor a rating is told"
    at = cast(datetime | None, record.get("at"))
    if at is not None and at > now + CLOCK_SKEW:
        return "at", f"lies in the future ({at.isoformat()})"
    if at is not None and at < EARLIEST:
        return "at", f"lies before {EARLIEST.date()} ({at.isoformat()})"
    return None


SAID = ("prompt", "completion")
PARTS = {"cache": ("cache_read_tokens", "cache_write_tokens"), "reasoning": ("reasoning_tokens",)}


def _wrong_part(record: Mapping[str, object], kind: str, whole: str) -> Fault | None:
    """Cache tokens are part of the input and reasoning tokens of the output: a part cannot exceed its whole."""
    part = sum(cast(int, record.get(name) or 0) for name in PARTS[kind])
    total = cast(int | None, record.get(whole))
    if not part or (total is not None and part <= total):
        return None
    told = f"{whole} is not told" if total is None else f"{whole} is {total}"
    return PARTS[kind][0], f"{kind} tokens ({part}) are part of {whole}, but {told}"


def refusal(position: int, fault: Fault, raw: object) -> Rejection:
    """A refused record with its JSON text for inspection, cut to a bounded length, and without what people said."""
    if isinstance(raw, dict):
        raw = {name: value for name, value in raw.items() if name not in (*SAID, "comment")}
    text = as_text(raw)
    return Rejection.of(position, fault, text, complete=not text.endswith("…"))


def as_text(raw: object) -> str:
    """JSON text, cut to a bounded length; only what was cut ends in an ellipsis."""
    text = json.dumps(raw, default=str, ensure_ascii=True)
    return text if len(text) <= RAW_KEPT else text[:RAW_KEPT] + "…"
