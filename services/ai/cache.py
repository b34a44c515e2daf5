"""Answers that were given before: the same words to the same models under the same settings need no second call."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, text

from services.ai.models import Rule
from services.ai.providers.spoken import Prompt
from services.ai.request import Task
from services.ai.templates import Template

FORMAT = 1  # a new number forgets every answer


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer from before and who gave it."""

    text: str
    provider: str
    model: str


def key(task: Task, rule: Rule, template: Template, prompt: Prompt) -> bytes:
    """What a question is known by: everything that decides its answer, and nothing that does not, such as who asks and when."""
    told: Mapping[str, object] = {
        "format": FORMAT,
        "task": task,
        "models": rule.models,
        "template": [template.name, template.version, template.digest],
        "system": prompt.system,
        "turns": [[turn.role, turn.text] for turn in prompt.turns],
        "schema": prompt.schema,
        "temperature": prompt.temperature,
        "max_output_tokens": prompt.max_output_tokens,
    }
    return sha256(json.dumps(told, sort_keys=True, ensure_ascii=True).encode()).digest()


def find(connection: Connection, known_by: bytes) -> Kept | None:
    """The answer to this question, if it is not too old."""
    row = connection.execute(
        text("select text, provider, model from ai_cache where key = :key and expires_at > now()"), {"key": known_by}
    ).one_or_none()
    return None if row is None else Kept(row.text, row.provider, row.model)


def keep(connection: Connection, known_by: bytes, kept: Kept, template: str, ledger_id: int, seconds: int) -> None:
    """Keep an answer that long."""
    connection.execute(
        text(
            """
            insert into ai_cache (key, text, provider, model, template, ledger_id, expires_at)
            values (:key, :text, :provider, :model, :template, :ledger_id, now() + make_interval(secs => :seconds))
            on conflict (key) do update set text = excluded.text, provider = excluded.provider, model = excluded.model,
                ledger_id = excluded.ledger_id, stored_at = now(), expires_at = excluded.expires_at
            """
        ),
        {
            "key": known_by,
            "text": kept.text,
            "provider": kept.provider,
            "model": kept.model,
            "template": template,
            "ledger_id": ledger_id,
            "seconds": seconds,
        },
    )


def forget_old(connection: Connection) -> int:
    """Drop what is too old to be given; how many."""
    return connection.execute(text("delete from ai_cache where expires_at < now()")).rowcount
