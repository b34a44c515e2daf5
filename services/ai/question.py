"""A request made ready to be asked: its prompt filled, its rule known, its time running."""

import json
import time
from dataclasses import dataclass, field

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection

from services.ai import cache, models, templates, turns
from services.ai.models import Rule
from services.ai.providers.spoken import Failure, Prompt, Turn
from services.ai.request import Request
from services.ai.templates import Template

SHAPE = "\n\nAnswer with JSON only, no other words, of exactly this JSON Schema:\n"
MOST_WORDS = 1_000


@dataclass(frozen=True, slots=True)
class Question:
    """`known_by` is its key in the cache. `ends_at` is by the monotonic clock."""

    request: Request
    rule: Rule
    template: Template
    prompt: Prompt
    known_by: bytes
    ends_at: float

    @property
    def left_s(self) -> float:
        return self.ends_at - time.monotonic()

    @property
    def cacheable(self) -> bool:
        """A conversation's answer depends on what was said before, so it is nobody else's."""
        return self.rule.cache_s > 0 and self.request.conversation is None

    def parse(self, text: str) -> BaseModel | None:
        """The answer in the shape that was asked for; raises Failure where it is of another one."""
        if self.request.schema is None:
            return None
        try:
            return self.request.schema.model_validate_json(_bare(text))
        except ValidationError as error:
            faults = [f"{'.'.join(str(part) for part in fault['loc']) or 'the answer'}: {fault['msg']}" for fault in error.errors()]
            raise Failure("invalid_output", "; ".join(faults)[:MOST_WORDS]) from error


@dataclass(slots=True)
class Trail:
    """Every call that was made for a question, and what they cost together."""

    ledger_ids: list[int] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    cost_nano: int | None = 0

    def add(self, ledger_id: int, host: str, cost_nano: int | None) -> None:
        self.ledger_ids.append(ledger_id)
        self.hosts.add(host)
        self.cost_nano = None if self.cost_nano is None or cost_nano is None else self.cost_nano + cost_nano


def ready(connection: Connection, request: Request) -> Question:
    """Raises NotFound and BadInput for a prompt that is not there or cannot be filled."""
    rule = models.rule(connection, request.task)
    template = templates.load(request.template)
    system, user = template.filled(request.values)
    schema = None if request.schema is None else request.schema.model_json_schema()
    if schema is not None:
        system = (system + SHAPE + json.dumps(schema, sort_keys=True)).strip()
    earlier = () if request.conversation is None else turns.before(connection, request.conversation, rule.context_tokens)
    prompt = Prompt(system, (*earlier, Turn("user", user)), schema, rule.temperature, rule.max_output_tokens)
    known_by = cache.key(request.task, rule, template, prompt)
    return Question(request, rule, template, prompt, known_by, time.monotonic() + rule.timeout_s)


def _bare(text: str) -> str:
    """JSON without the fence that models like to put around it."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```"):
        return stripped.removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    return stripped
