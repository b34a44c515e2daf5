"""Which models answer which task, and how much of each a minute: from models.toml, changed by an administrator."""

import json
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection, text

from services.accounts import audit
from services.ai.request import Task
from services.errors import BadInput
from services.settings import settings

FILE = Path(__file__).with_name("models.toml")
TASKS = get_args(Task)
Name = Annotated[str, Field(pattern=r"^(gemini|ollama)/[^\s/][^\s]*$")]


class Rule(BaseModel):
    """How a task is answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: list[Name] = Field(min_length=1, max_length=8)
    max_output_tokens: int = Field(ge=0, le=65_536)
    temperature: float = Field(default=0.0, ge=0, le=2)
    timeout_s: float = Field(gt=0, le=600)
    first_token_s: float = Field(default=20, gt=0, le=600)
    idle_s: float = Field(default=10, gt=0, le=600)
    cache_s: int = Field(ge=0, le=30 * 86_400)
    context_tokens: int = Field(default=8_000, ge=0, le=1_000_000)
    allow_unpriced: bool = False


class Limit(BaseModel):
    """What may be asked of a model in any 60 seconds, by all workers together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_a_minute: int | None = Field(default=None, ge=1)
    tokens_a_minute: int | None = Field(default=None, ge=1)


def rule(connection: Connection, task: Task) -> Rule:
    """How a task is answered now."""
    changed = connection.execute(text("select settings from ai_overrides where task = :task"), {"task": task}).scalar_one_or_none()
    return _merged(task, changed or {})


def usable(of: Rule) -> list[tuple[str, str]]:
    """(provider, model) of those whose provider is set up, in the order they are asked."""
    ready = {"gemini": settings().gemini_api_key is not None, "ollama": bool(settings().ollama_hosts)}
    named = [name.split("/", 1) for name in of.models]
    return [(provider, model) for provider, model in named if ready[provider]]


def limit(provider: str, model: str) -> Limit:
    """How much of a model a minute."""
    return _read()[1].get(f"{provider}/{model}", Limit())


def listing(connection: Connection) -> dict[Task, tuple[Rule, str | None]]:
    """Every task with its rule and who changed it last, None for the file's own."""
    changed = {row.task: row for row in connection.execute(text("select task, settings, changed_by from ai_overrides"))}
    return {
        task: (_merged(task, changed[task].settings), changed[task].changed_by) if task in changed else (_merged(task, {}), None)
        for task in TASKS
    }


def change(connection: Connection, task: Task, told: Mapping[str, object], actor: str) -> Rule:
    """Let these settings of a task win over the file, from the next question on; none gives the file back its say. Raises BadInput."""
    if task not in TASKS:
        raise BadInput(f"task: there is no '{task}'; there are {', '.join(TASKS)}.")
    made, before = _merged(task, told), rule(connection, task)
    if told:
        connection.execute(
            text(
                "insert into ai_overrides (task, settings, changed_by) values (:task, cast(:settings as jsonb), :actor)"
                " on conflict (task) do update set settings = excluded.settings, changed_by = excluded.changed_by, changed_at = now()"
            ),
            {"task": task, "settings": json.dumps(dict(told)), "actor": actor},
        )
    else:
        connection.execute(text("delete from ai_overrides where task = :task"), {"task": task})
    audit.record(connection, actor, "ai.models", f"task {task}", told, before=before.model_dump(), after=made.model_dump())
    return made


def _merged(task: Task, changed: Mapping[str, object]) -> Rule:
    try:
        return Rule.model_validate(_read()[0][task].model_dump() | dict(changed))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadInput(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}.") from None


@lru_cache(maxsize=1)
def _read() -> tuple[dict[Task, Rule], dict[str, Limit]]:
    read = tomllib.loads(FILE.read_text())
    rules: dict[Task, Rule] = {task: Rule.model_validate(read["tasks"][task]) for task in TASKS}
    return rules, {name: Limit.model_validate(told) for name, told in read.get("limits", {}).items()}
