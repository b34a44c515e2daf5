"""What analyses found: versions by record and variant, whether the newest still holds, and the start of a new one."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Connection, Row, text

from services import records
from services.analyses.case import Facts
from services.analyses.catalogue import Analysis, get
from services.analyses.wording import Source, Worded
from services.jobs import Job, enqueue
from services.jobs.truth import from_row as job_of

State = Literal["fresh", "stale", "running", "failed", "missing"]
QUEUE = "default"
ATTEMPTS = 4  # three retries
VERSIONS = 20  # kept of one analysis of one record
FINDINGS = 50  # kept of one wording
COLUMNS = (
    "id, kind, record_id, variant, content_hash, schema_version, facts, wording, source, outcome, findings, model, provider, cost_nano,"
    " job_id, made_at"
)


@dataclass(frozen=True, slots=True)
class Result:
    """One version. `source` says whose words `wording` is; `findings` are what a model said that is no fact."""

    id: int
    kind: str
    record_id: int
    variant: str
    content_hash: str
    schema_version: int
    facts: dict[str, Any]
    wording: str
    source: Source
    outcome: str
    findings: list[dict[str, Any]]
    model: str
    provider: str
    cost_nano: int | None
    job_id: int
    made_at: datetime

    @property
    def cost_usd(self) -> Decimal | None:
        """None where nobody knows."""
        return None if self.cost_nano is None else Decimal(self.cost_nano).scaleb(-9)


@dataclass(frozen=True, slots=True)
class Standing:
    """How an analysis of a record stands. `result` is the newest version, if there is one, whatever the state; `holds` whether the
    record is unchanged since and the result young enough; `job` is the one that runs, waits or failed, `reason` why it failed."""

    state: State
    result: Result | None
    holds: bool
    job: Job | None
    reason: str | None


def current(connection: Connection, kind: str, record_id: int, variant: str = "") -> Standing:
    """Raises NotFound for a kind or record that there is not, BadInput for a variant."""
    analysis = get(kind, variant)
    unchanged = records.content_hash(connection, analysis.noun, record_id)
    row = connection.execute(
        text(
            f"""
            select {COLUMNS}, made_at + make_interval(secs => :kept) > now() and content_hash = :hash and schema_version = :version as holds
            from analyses where kind = :kind and record_id = :id and variant = :variant order by id desc limit 1
            """  # noqa: S608 - columns are ours
        ),
        {
            "kind": kind, "id": record_id, "variant": variant, "kept": analysis.kept_for.total_seconds(), "hash": unchanged,
            "version": _version(analysis),
        },
    ).one_or_none()  # fmt: skip
    result = None if row is None else _result(row)
    holds = row is not None and bool(row.holds)
    job = _job(connection, kind, record_id, variant)
    if job is not None and job.state in {"queued", "retry", "running"}:
        return Standing("running", result, holds, job, job.error)
    if holds:
        return Standing("fresh", result, holds, None, None)
    if job is not None and job.state == "dead" and (result is None or job.id > result.job_id):
        return Standing("failed", result, holds, job, job.error)
    return Standing("missing" if result is None else "stale", result, holds, None, None)


def start(connection: Connection, kind: str, record_id: int, variant: str, actor: str) -> int | None:
    """Ask for a new version; the job, or None where one is under way already. Raises NotFound and BadInput as `current` does."""
    analysis = get(kind, variant)
    records.content_hash(connection, analysis.noun, record_id)
    return enqueue(
        connection, kind, _args(record_id, variant), queue=QUEUE, dedupe_key=key(kind, record_id, variant), max_attempts=ATTEMPTS,
        cause=(analysis.noun, record_id), created_by=actor, tags=("analysis",),
    )  # fmt: skip


def keep(
    connection: Connection, analysis: Analysis, record: records.Record, variant: str, facts: Facts, worded: Worded, job_id: int
) -> int:
    """Write a job's version; a later attempt of the same job writes over it. Its id."""
    findings = [
        {"start": one.span[0], "end": one.span[1], "token": one.token[:200], "kind": one.kind, "reason": one.reason}
        for one in worded.findings[:FINDINGS]
    ]
    made = connection.execute(
        text(
            """
            insert into analyses (kind, record_id, variant, content_hash, schema_version, facts, wording, source, outcome, findings, model,
                                  provider, cost_nano, job_id)
            values (:kind, :record, :variant, :hash, :version, cast(:facts as jsonb), :wording, :source, :outcome, cast(:findings as jsonb),
                    :model, :provider, :cost, :job)
            on conflict (job_id) do update set content_hash = excluded.content_hash, schema_version = excluded.schema_version,
                facts = excluded.facts, wording = excluded.wording, source = excluded.source, outcome = excluded.outcome,
                findings = excluded.findings, model = excluded.model, provider = excluded.provider,
                cost_nano = analyses.cost_nano + excluded.cost_nano, made_at = clock_timestamp()
            returning id
            """
        ),
        {
            "kind": analysis.kind, "record": record.id, "variant": variant, "hash": record.content_hash, "version": _version(analysis),
            "facts": facts.model_dump_json(), "wording": worded.markdown, "source": worded.source, "outcome": worded.outcome,
            "findings": json.dumps(findings), "model": worded.model, "provider": worded.provider, "cost": worded.cost_nano, "job": job_id,
        },
    ).scalar_one()  # fmt: skip
    connection.execute(
        text(
            """
            delete from analyses where kind = :kind and record_id = :record and variant = :variant and id not in (
                select id from analyses where kind = :kind and record_id = :record and variant = :variant order by id desc limit :kept)
            """
        ),
        {"kind": analysis.kind, "record": record.id, "variant": variant, "kept": VERSIONS},
    )
    return int(made)


def history(connection: Connection, kind: str, record_id: int, variant: str = "") -> list[Result]:
    """Every kept version, newest first."""
    get(kind, variant)
    rows = connection.execute(
        text(f"select {COLUMNS} from analyses where kind = :kind and record_id = :id and variant = :variant order by id desc"),  # noqa: S608
        {"kind": kind, "id": record_id, "variant": variant},
    )
    return [_result(row) for row in rows]


def of_job(connection: Connection, job_id: int) -> Result | None:
    """The version that a job made, if it has made one and it is still kept."""
    row = connection.execute(text(f"select {COLUMNS} from analyses where job_id = :job"), {"job": job_id}).one_or_none()  # noqa: S608
    return None if row is None else _result(row)


def facts_of(result: Result) -> Facts | None:
    """The facts as a model; None of a version whose shape is no longer known."""
    analysis = get(result.kind, result.variant)
    return analysis.model.model_validate(result.facts) if result.schema_version == _version(analysis) else None


def sources(connection: Connection, kind: str | None = None) -> dict[str, int]:
    """How many kept versions are in whose words: "replaced" counts what models said that was no fact."""
    rows = connection.execute(
        text("select source, count(*) from analyses where cast(:kind as text) is null or kind = :kind group by source"), {"kind": kind}
    )
    return {source: int(count) for source, count in rows}


def replaced(connection: Connection, hours: int) -> int | None:
    """How many wordings of the last hours were replaced, a model having said what was no fact; None where nothing was ever analysed."""
    if not connection.execute(text("select exists (select from analyses)")).scalar_one():
        return None
    counting = "select count(*) from analyses where source = 'replaced' and made_at > now() - make_interval(hours => :hours)"
    return int(connection.execute(text(counting), {"hours": hours}).scalar_one())


def key(kind: str, record_id: int, variant: str) -> str:
    """Of its job: one runs at a time."""
    return f"analysis/{kind}/{record_id}/{variant}"


def _args(record_id: int, variant: str) -> dict[str, object]:
    return {"record_id": record_id, "variant": variant}


def _job(connection: Connection, kind: str, record_id: int, variant: str) -> Job | None:
    """The newest job of this analysis."""
    row = connection.execute(
        text("select * from jobs where args @> cast(:args as jsonb) and kind = :kind order by id desc limit 1"),
        {"args": json.dumps(_args(record_id, variant)), "kind": kind},
    ).one_or_none()
    return None if row is None else job_of(row)


def _version(analysis: Analysis) -> int:
    return int(analysis.model.model_fields["schema_version"].default)


def _result(row: Row[Any]) -> Result:
    return Result(**{name: getattr(row, name) for name in Result.__slots__})
