"""Prices of our own: what a contract says, instead of the list, for a model and a span of time."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, text

from services.accounts import audit
from services.errors import BadInput, Conflict, NotFound
from services.pricing.unit_prices import PICO_PER_TOKEN, Tiers, UnitPrices
from services.telemetry.inbox import UNKNOWN

KINDS = ("input", "output", "cache_read", "cache_write", "reasoning", "request")
FALLS_BACK = {"cache_read": "input", "cache_write": "input", "reasoning": "output"}
PICO_PER_USD = 10**12
MOST_USD = 1_000  # a billion tokens at that still fit 64 bits of pico-USD
LONGEST = 200
COLUMNS = "id, provider, model, units, effective_from, effective_to, source, created_by, created_at, ended_at"


@dataclass(frozen=True, slots=True)
class Override:
    """One price of our own, whatever the service tier.

    `units` holds Decimal strings by KINDS: USD per million tokens; `request` USD per call. `ended_at` is the instant from which it prices
    no call any more, its own beginning when it was withdrawn. `id` is None before it is saved.
    """

    id: int | None
    provider: str | None
    model: str
    units: Mapping[str, str]
    effective_from: datetime
    effective_to: datetime | None
    source: str
    created_by: str = ""
    created_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def until(self) -> datetime | None:
        """The first instant it no longer prices; None for open end."""
        return min((moment for moment in (self.effective_to, self.ended_at) if moment), default=None)

    @property
    def name(self) -> str:
        """How price versions call it."""
        return f"override {self.id} ({self.source})" if self.id else f"override to be ({self.source})"

    def matches(self, provider: str, model: str) -> bool:
        """Whether it is about this model; a prefix says nothing about a model that nobody told."""
        if self.provider not in (None, provider):
            return False
        return model == self.model or (self.model.endswith("*") and model != UNKNOWN and model.startswith(self.model[:-1]))

    def covers(self, moments: pd.Series) -> npt.NDArray[np.bool_]:
        """Which of these instants it prices."""
        inside: npt.NDArray[np.bool_] = (moments >= self.effective_from).to_numpy(dtype=bool)
        return inside if self.until is None else inside & (moments < self.until).to_numpy(dtype=bool)

    def unit_prices(self, provider: str, model: str) -> UnitPrices:
        """Its prices for one model that it matches."""
        tiers = {kind: _tiers(self.units.get(kind, self.units.get(FALLS_BACK.get(kind, "")))) for kind in KINDS[:-1]}
        request = int(Decimal(self.units.get("request", "0")) * PICO_PER_USD)
        return UnitPrices(provider=provider, model=model, source=self.name, request_pico=request, **tiers)


def _tiers(usd_per_mtok: str | None) -> Tiers:
    pico = int(Decimal(usd_per_mtok or "0") * PICO_PER_TOKEN)
    return ((0, pico),) if pico else ()


def strongest_first(overrides: Sequence[Override], provider: str, model: str) -> Iterator[Override]:
    """Those about a model: an exact name before a prefix, then the latest added; one that is not saved yet is the latest."""
    about = [override for override in overrides if override.matches(provider, model)]
    yield from sorted(about, key=lambda o: (o.model == model, o.id is None, o.id or 0), reverse=True)


def candidate(
    *,
    model: str,
    provider: str | None = None,
    units: Mapping[str, str],
    effective_from: datetime,
    effective_to: datetime | None = None,
    source: str,
) -> Override:
    """A valid override that is not saved. Raises BadInput naming the field."""
    for field, value in (("model", model), ("source", source)):
        if not value.strip() or len(value) > LONGEST or "\x00" in value:
            raise BadInput(f"{field}: give 1 to {LONGEST} characters.")
    if "*" in model[:-1]:
        raise BadInput("model: only the last character may be *, for every model whose name begins like that.")
    for field, moment in (("effective_from", effective_from), ("effective_to", effective_to)):
        if moment is not None and moment.utcoffset() is None:
            raise BadInput(f"{field}: the instant must say its zone.")
    if effective_to is not None and effective_to <= effective_from:
        raise BadInput("effective_to: it must lie after effective_from.")
    provider = (provider or "").strip() or None
    return Override(None, provider, model.strip(), _valid_units(units), effective_from, effective_to, source.strip())


def add(
    connection: Connection,
    *,
    model: str,
    provider: str | None = None,
    units: Mapping[str, str],
    effective_from: datetime,
    effective_to: datetime | None = None,
    source: str,
    actor: str,
) -> int:
    """Save an override; it prices what is moved from now on. Its id; raises BadInput naming the field."""
    return save(
        connection,
        candidate(model=model, provider=provider, units=units, effective_from=effective_from, effective_to=effective_to, source=source),
        actor,
    )


def save(connection: Connection, override: Override, actor: str) -> int:
    """Save a candidate; its id."""
    values = {
        "provider": override.provider,
        "model": override.model,
        "units": json.dumps(dict(override.units)),
        "effective_from": override.effective_from,
        "effective_to": override.effective_to,
        "source": override.source,
    }
    made: int = connection.execute(
        text(
            "insert into price_overrides (provider, model, units, effective_from, effective_to, source, created_by)"
            " values (:provider, :model, cast(:units as jsonb), :effective_from, :effective_to, :source, :actor) returning id"
        ),
        values | {"actor": actor},
    ).scalar_one()
    detail = values | {name: str(values[name]) for name in ("effective_from", "effective_to")} | {"units": dict(override.units)}
    audit.record(connection, actor, "price.override", f"override {made}", detail, after=detail)
    return made


def end(connection: Connection, override_id: int, actor: str, *, withdraw: bool = False) -> None:
    """Let it price no call that starts from now on; with `withdraw` none at all, as if it had never been. What was priced keeps its cost.

    Raises NotFound, and Conflict when it is over already.
    """
    found = next((override for override in load(connection) if override.id == override_id), None)
    if found is None:
        raise NotFound(f"There is no override {override_id}.")
    withdrawn = found.ended_at is not None and found.ended_at <= found.effective_from
    over = connection.execute(text("select cast(:until as timestamptz) <= now()"), {"until": found.until}).scalar_one()
    if withdrawn or (over and not withdraw):
        raise Conflict(f"Override {override_id} is over since {found.until:%Y-%m-%d %H:%M} UTC.")
    connection.execute(
        text("update price_overrides set ended_at = case when :withdraw then effective_from else now() end where id = :id"),
        {"id": override_id, "withdraw": withdraw},
    )
    now_until = found.effective_from if withdraw else connection.execute(text("select now()")).scalar_one()
    before, after = ({"model": found.model, "until": until} for until in (found.until, now_until))
    audit.record(connection, actor, "price.override_end", f"override {override_id}", {"withdrawn": withdraw}, before=before, after=after)


def load(connection: Connection) -> list[Override]:
    """All of them, ended ones too: they still price the calls of their time."""
    return [Override(**row) for row in connection.execute(text(f"select {COLUMNS} from price_overrides order by id")).mappings()]  # noqa: S608


def listing(connection: Connection) -> list[Override]:
    """All of them, the latest added first."""
    return load(connection)[::-1]


def _valid_units(told: Mapping[str, str]) -> dict[str, str]:
    unknown = [kind for kind in told if kind not in KINDS]
    if unknown:
        raise BadInput(f"{unknown[0]}: there is no such price; there are {', '.join(KINDS)}.")
    units = {kind: _valid_price(kind, told[kind]) for kind in KINDS if str(told.get(kind) or "").strip()}
    for kind in ("input", "output"):
        if kind not in units:
            raise BadInput(f"{kind}: give USD per million tokens, 0 where it is free.")
    return units


def _valid_price(kind: str, told: str) -> str:
    try:
        price = Decimal(str(told).strip())
    except InvalidOperation:
        raise BadInput(f"{kind}: '{told}' is not a price; write it like 1.25.") from None
    if not price.is_finite() or not 0 <= price <= MOST_USD:
        raise BadInput(f"{kind}: a price lies between 0 and {MOST_USD} USD, not at {told}.")
    finest = PICO_PER_USD if kind == "request" else PICO_PER_TOKEN
    if price * finest != int(price * finest):
        raise BadInput(f"{kind}: a price has at most {12 if kind == 'request' else 6} decimals, {told} has more.")
    return f"{price.normalize():f}"
