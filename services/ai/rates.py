"""How much may be asked of a model in any 60 seconds, by all workers together.

The ledger is the counter: what is in it was asked, so the window slides exactly, survives every restart and shares the fate of the
reservation: a call that is refused for one reason uses up nothing of the other, and without Postgres there is no call at all.
"""

from sqlalchemy import Connection, text

from services.ai import models
from services.ai.providers.spoken import Failure

WINDOW_S = 60
LOCK = 0x72617465
# Tokens of a call count at their ceiling until they are told. `free_at`: when enough of the oldest calls has left the window.
WINDOW = """
with calls as (
    select at, coalesce(input_tokens + output_tokens, ceiling_tokens) as tokens, row_number() over (order by at desc) as newer,
        sum(coalesce(input_tokens + output_tokens, ceiling_tokens)) over (order by at desc) as newer_tokens
    from ai_ledger
    where provider = :provider and model = :model and at > clock_timestamp() - make_interval(secs => :window)
)
select extract(epoch from max(at) + make_interval(secs => :window) - clock_timestamp())::float8 from calls
where newer >= :requests or newer_tokens > :tokens
"""


def admit(connection: Connection, provider: str, model: str, ceiling_tokens: int) -> None:
    """Raise Failure when the limit of a model leaves no room for one more call; nobody else is let in until the transaction ends."""
    limit = models.limit(provider, model)
    if limit.requests_a_minute is None and limit.tokens_a_minute is None:
        return
    connection.execute(text("select pg_advisory_xact_lock(:lock, hashtext(:name))"), {"lock": LOCK, "name": f"{provider}/{model}"})
    none = 2**62
    wait_s = connection.execute(
        text(WINDOW),
        {
            "provider": provider,
            "model": model,
            "window": WINDOW_S,
            "requests": limit.requests_a_minute or none,
            # One call larger than the whole limit is let through when nothing else is in the window: it could never be asked otherwise.
            "tokens": none if limit.tokens_a_minute is None else max(0, limit.tokens_a_minute - ceiling_tokens),
        },
    ).scalar_one()
    if wait_s is not None:
        raise Failure("too_many", f"The limit of {provider}/{model} is reached.", max(0.05, wait_s))
