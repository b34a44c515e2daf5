"""Ollama's hosts: which answer, which models each has, and which of them has the least to do."""

import time
from collections.abc import Collection

from sqlalchemy import Connection, text

from services.ai import breaker
from services.ai.breaker import Place
from services.ai.providers import ollama
from services.ai.providers.spoken import Failure
from services.db import transaction
from services.settings import settings

STALE_S, ANSWER_S, LOOK_S = 30.0, 2.0, 0.05
LOCK = 0x6F6C6C61
PICK = """
select h.host from ai_hosts h
left join ai_ledger l on l.state = 'intent' and l.provider = 'ollama' and l.host = h.host and l.until > clock_timestamp()
where h.host = any(:hosts) and h.up and h.models && cast(:names as text[])
group by h.host, h.loaded
order by h.host = any(:tried), count(l.id), not h.loaded && cast(:names as text[]), h.host
"""


def refresh() -> None:
    """Ask hosts that nobody asked lately what models they have: one worker each, the others go by what was known before.

    Where nothing was known before, they wait for the one who asks; none waits longer than a few seconds.
    """
    for host in settings().ollama_hosts:
        if _claimed(host):
            try:
                known, loaded = ollama.models(host, ANSWER_S)
                up = True
            except Failure:
                known, loaded, up = [], [], False
            with transaction() as connection:
                connection.execute(
                    text("update ai_hosts set models = :models, loaded = :loaded, up = :up where host = :host"),
                    {"host": host, "models": known, "loaded": loaded, "up": up},
                )
    deadline = time.monotonic() + 2 * ANSWER_S
    while _awaited() and time.monotonic() < deadline:
        time.sleep(LOOK_S)


def pick(connection: Connection, model: str, probe_s: float, tried: Collection[str] = ()) -> Place:
    """The healthy host that has the model and the fewest calls in flight, one not `tried` before if there is any. Raises Failure.

    Nobody else picks until the transaction, which writes the intent, ends: or all would pick the same.
    """
    connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    names = [model, f"{model}:latest"]  # how hosts call a model without a tag
    asked = {"hosts": list(settings().ollama_hosts), "names": names, "tried": list(tried)}
    found = connection.execute(text(PICK), asked).scalars().all()
    refused: list[Failure] = []
    for host in found:
        place = Place(ollama.NAME, host, model)
        try:
            breaker.admit(connection, place, probe_s)
        except Failure as failure:
            refused.append(failure)
        else:
            return place
    if refused:
        raise min(refused, key=lambda failure: failure.retry_after_s or 0.0)
    up = connection.execute(
        text("select exists (select from ai_hosts where up and host = any(:hosts))"), {"hosts": list(settings().ollama_hosts)}
    ).scalar_one()
    if up:
        raise Failure("unknown_model", f"No Ollama host has {model}.")
    raise Failure("unreachable", "No Ollama host answers.", STALE_S)


def _claimed(host: str) -> bool:
    """True for one of those who find what is known of a host too old."""
    with transaction() as connection:
        claimed = connection.execute(
            text(
                "insert into ai_hosts (host, checked_at) values (:host, now()) on conflict (host) do update"
                " set checked_at = now() where ai_hosts.checked_at < now() - make_interval(secs => :stale) returning host"
            ),
            {"host": host, "stale": STALE_S},
        ).one_or_none()
    return claimed is not None


def _awaited() -> bool:
    """Whether some host is being asked for the first time."""
    with transaction() as connection:
        waiting = text("select exists (select from ai_hosts where host = any(:hosts) and up is null)")
        return bool(connection.execute(waiting, {"hosts": list(settings().ollama_hosts)}).scalar_one())
