"""The health of providers, shared by all workers: who failed too often is left alone for a while, then tried by one call at a time."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from services.ai.outcomes import OUTCOMES, Outcome
from services.ai.providers.spoken import Failure

MOST_FAILURES = 5  # in a row
COOL_S, LONGEST_S = 30.0, 600.0  # doubled each time the probe fails
LONGEST_WAIT_S = 3_600.0
OPENS = "(h.open_until is null and h.failures + 1 >= :most) or h.probe_until is not null"
FAILED = f"""
insert into ai_health as h (provider, host, model, failures, last, failed_at)
values (:provider, :host, :model, 1, :outcome, now())
on conflict (provider, host, model) do update set
    failures = h.failures + 1, last = excluded.last, failed_at = excluded.failed_at,
    opened = h.opened + (case when {OPENS} then 1 else 0 end),
    open_until = case when {OPENS} then now() + make_interval(secs => least(:longest, :cool * 2.0 ^ least(h.opened, 10)))
        else h.open_until end,
    probe_until = case when {OPENS} then null else h.probe_until end
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model is asked; `host` is '' for a provider that has one door only."""

    provider: str
    host: str
    model: str

    @property
    def key(self) -> dict[str, object]:
        return {"provider": self.provider, "host": self.host, "model": self.model}


def admit(connection: Connection, place: Place, probe_s: float) -> None:
    """Raise Failure where calls are of no use now. When the pause is over, the one who gets the row probes for `probe_s` at most."""
    row = connection.execute(
        text(
            """
            select extract(epoch from wait_until - now())::float8 as wait_s, extract(epoch from open_until - now())::float8 as open_s,
                extract(epoch from probe_until - now())::float8 as probe_s
            from ai_health where provider = :provider and host = :host and model = :model
                and (open_until is not null or wait_until > now())
            for update
            """
        ),
        place.key,
    ).one_or_none()
    if row is None:
        return
    if row.wait_s is not None and row.wait_s > 0:
        raise Failure("rate_limited", f"{place.provider} asked to wait.", row.wait_s)
    if row.open_s is None:
        return
    left_s = max(row.open_s, row.probe_s or 0.0)
    if left_s > 0:
        raise Failure("breaker_open", f"{place.provider} failed too often and is left alone.", left_s)
    connection.execute(
        text(
            "update ai_health set probe_until = now() + make_interval(secs => :probe)"
            " where provider = :provider and host = :host and model = :model"
        ),
        place.key | {"probe": probe_s},
    )


def note(connection: Connection, place: Place, outcome: Outcome, retry_after_s: float | None = None) -> None:
    """What a call says of the health of its provider: the fifth failure in a row, or that of a probe, opens; an answer closes."""
    if OUTCOMES[outcome].counts:
        _failed(connection, place, outcome)
    elif outcome == "rate_limited":
        _wait(connection, place, retry_after_s)
    else:
        connection.execute(
            text(
                "update ai_health set failures = 0, opened = 0, open_until = null, probe_until = null"
                " where provider = :provider and host = :host and model = :model and (failures > 0 or open_until is not null)"
            ),
            place.key,
        )


def _failed(connection: Connection, place: Place, outcome: Outcome) -> None:
    """While it is open, late failures of calls from before change nothing."""
    connection.execute(
        text(FAILED),
        place.key | {"outcome": outcome, "most": MOST_FAILURES, "cool": COOL_S, "longest": LONGEST_S},
    )


def _wait(connection: Connection, place: Place, retry_after_s: float | None) -> None:
    """Nobody asks before the time that the provider named; a probe that is told to wait was answered."""
    connection.execute(
        text(
            """
            insert into ai_health as h (provider, host, model, last, failed_at, wait_until)
            values (:provider, :host, :model, 'rate_limited', now(), now() + make_interval(secs => :wait))
            on conflict (provider, host, model) do update set last = excluded.last, failed_at = excluded.failed_at,
                wait_until = greatest(h.wait_until, excluded.wait_until),
                failures = 0, opened = 0, open_until = null, probe_until = null
            """
        ),
        place.key | {"wait": min(LONGEST_WAIT_S, retry_after_s or 0.0)},
    )
