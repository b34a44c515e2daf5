"""What became of each slot and each look between them: the decision, the hashes it rests on, and what it cost."""

import json
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Connection, text

Decision = Literal["generated", "unaffected", "unchanged", "waits for its slot", "no data", "rejected", "failed"]
KEPT_DAYS = 400


@dataclass(frozen=True, slots=True)
class Run:
    """One. `generated`: new words were published. `unaffected`: data changed, but nothing that is said. `unchanged`: nothing changed, so it
    holds again. `waits for its slot`: seen changed between slots. `rejected`: most of what a model said is no fact, so the edition stays.
    `failed`: no model answered for now, so it stays too; `outcome` is the class of the failure.

    `calls` counts calls to models, also those that failed; `cost_nano` is None where nobody knows.
    """

    job_id: int
    kind: str
    at: datetime
    decision: Decision
    actor: str
    fingerprint: str | None = None
    previous: str | None = None
    edition_id: int | None = None
    worded: int = 0
    replaced: int = 0
    calls: int = 0
    cost_nano: int | None = 0
    prompt_characters: int | None = None
    outcome: str | None = None
    reason: str | None = None
    findings: list[dict[str, str]] = field(default_factory=list)

    def as_result(self) -> dict[str, object]:
        """As the result of its job."""
        return {"decision": self.decision, "worded": self.worded, "replaced": self.replaced, "calls": self.calls, "outcome": self.outcome}


@dataclass(frozen=True, slots=True)
class Slot:
    """A run, and the slot of the schedule that asked for it, where one did."""

    run: Run
    slot: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Over some days: reads that were answered, calls that were made for them, and their cost; None where a part of it is unknown."""

    reads: int
    calls: int
    cost_usd: Decimal | None
    generated: int
    revalidated: int
    failed: int

    @property
    def avoided(self) -> int:
        """Calls that generating on every read would have made besides."""
        return max(0, self.reads - self.calls)

    @property
    def avoided_share(self) -> float | None:
        """None where nobody read."""
        return self.avoided / self.reads if self.reads else None


NAMES = tuple(one.name for one in fields(Run))


def record(connection: Connection, run: Run) -> None:
    """Keep it, with the calls that the ledger has of its job; a later attempt of the same job writes over it."""
    called = connection.execute(
        text(
            "select count(*) as calls, case when count(cost_nano) = count(*) then coalesce(sum(cost_nano), 0) end as cost_nano"
            " from ai_ledger where module = 'sitewide' and job_id = :job"
        ),
        {"job": run.job_id},
    ).one()
    told = replace(run, calls=called.calls, cost_nano=None if called.cost_nano is None else int(called.cost_nano))
    values: dict[str, Any] = {name: getattr(told, name) for name in NAMES} | {"findings": json.dumps(run.findings)}
    rest = ", ".join(f"{name} = excluded.{name}" for name in NAMES if name != "job_id")
    named = ", ".join(f":{name}" if name != "findings" else "cast(:findings as jsonb)" for name in NAMES)
    connection.execute(
        text(f"insert into factoid_runs ({', '.join(NAMES)}) values ({named}) on conflict (job_id) do update set {rest}"),  # noqa: S608 - words of ours
        values,
    )


def listing(connection: Connection, most: int = 60) -> list[Slot]:
    """The latest first."""
    rows = connection.execute(
        text(
            f"select {', '.join(f'r.{name}' for name in NAMES)}, d.local_label from factoid_runs r"  # noqa: S608 - columns are words of ours
            " left join schedule_decisions d on d.job_id = r.job_id and d.decision = 'run' order by r.at desc, r.id desc limit :most"
        ),
        {"most": most},
    )
    return [Slot(Run(**{name: getattr(row, name) for name in NAMES}), row.local_label) for row in rows]


def totals(connection: Connection, since: date) -> Totals:
    """From a day on."""
    row = connection.execute(
        text(
            "select coalesce(sum(calls), 0) as calls, case when count(cost_nano) = count(*) then coalesce(sum(cost_nano), 0) end as cost,"
            " count(*) filter (where decision = 'generated') as generated,"
            " count(*) filter (where decision in ('unchanged', 'unaffected')) as revalidated,"
            " count(*) filter (where decision in ('failed', 'rejected')) as failed,"
            " (select coalesce(sum(n), 0) from factoid_reads where day >= :since) as reads from factoid_runs where at >= :since"
        ),
        {"since": since},
    ).one()
    cost = None if row.cost is None else Decimal(row.cost).scaleb(-9)
    return Totals(int(row.reads), int(row.calls), cost, row.generated, row.revalidated, row.failed)


def count_reads(connection: Connection, day: date, read: dict[str, int]) -> None:
    """Add reads by the source that answered them."""
    connection.execute(
        text(
            "insert into factoid_reads as r (day, source, n) select :day, key, value::bigint from jsonb_each_text(cast(:read as jsonb))"
            " on conflict (day, source) do update set n = r.n + excluded.n"
        ),
        {"day": day, "read": json.dumps(read)},
    )


def forget_old(connection: Connection) -> int:
    """Drop what is older than thirteen months; how many runs."""
    connection.execute(text("delete from factoid_reads where day < current_date - make_interval(days => :kept)"), {"kept": KEPT_DAYS})
    return connection.execute(
        text("delete from factoid_runs where at < now() - make_interval(days => :kept)"), {"kept": KEPT_DAYS}
    ).rowcount
