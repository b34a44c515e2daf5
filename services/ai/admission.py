"""Whether a call may be made now: limit, health, price, budget, and the intent in the ledger, in one transaction or not at all."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import Connection, text

from services.ai import breaker, budgets, hosts, ledger, periods, prices, rates
from services.ai.breaker import Place
from services.ai.ledger import About, Entry
from services.ai.providers import gemini, ollama
from services.ai.providers.spoken import Failure
from services.db import transaction
from services.pricing.unit_prices import UnitPrices


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may be made now."""

    place: Place
    entry: Entry
    prices: UnitPrices | None


def admit(
    about: About, *, input_tokens: int, output_tokens: int, allow_unpriced: bool, wait_s: float, tried: Collection[str] = ()
) -> Admitted:
    """Reserve for a call with at most so many tokens that takes at most `wait_s`; of several hosts one not `tried` if possible.

    Raises Failure, and Unavailable without Postgres: then nothing is reserved, and nothing may be asked.
    """
    if about.provider == ollama.NAME:
        hosts.refresh()
    else:
        gemini.load()
    with transaction() as connection:
        rates.admit(connection, about.provider, about.model, input_tokens + output_tokens)
        if about.provider == ollama.NAME:
            place = hosts.pick(connection, about.model, wait_s, tried)
        else:
            place = Place(about.provider, "", about.model)
            breaker.admit(connection, place, wait_s)
        now = connection.execute(text("select now()")).scalar_one()
        unit_prices = prices.of(connection, about.provider, about.model, now)
        if unit_prices is None and not allow_unpriced:
            raise Failure("unpriced", f"{about.provider}/{about.model} has no known price.")
        nano = 0 if unit_prices is None else prices.ceiling_nano(unit_prices, input_tokens, output_tokens)
        applying = _applying(connection, about)
        if periods.admit(connection, applying, nano):
            entry = ledger.open_entry(
                connection,
                replace(about, host=place.host),
                reserved_nano=nano,
                ceiling_tokens=input_tokens + output_tokens,
                period_ids=applying,
                wait_s=wait_s,
            )
            return Admitted(place, entry, unit_prices)
        connection.rollback()  # a place that was taken to probe it, too
    with transaction() as connection:
        periods.note_refused(connection, _applying(connection, about), nano)
    raise Failure("budget_gone", "The budget does not allow another call.")


def _applying(connection: Connection, about: About) -> list[int]:
    return budgets.applying(connection, module=about.module, provider=about.provider, model=about.model, user=about.user)
