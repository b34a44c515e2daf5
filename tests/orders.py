"""Records to analyse, and the jobs of their analyses done in this process, with whatever end a test wants."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from services import clock, records
from services.ai.grounding import Finding
from services.ai.outcomes import Outcome
from services.analyses import catalogue, results
from services.analyses.case import Case
from services.analyses.wording import Source, Worded
from services.db import transaction
from services.errors import Unavailable
from services.jobs import claim
from services.jobs.truth import Job
from tests.services.records.conftest import as_csv, bring

PLACES = (
    "psgc_id", "name", "correspondence_code", "geographic_level", "old_names", "city_class", "income_classification",
    "settlement_type", "population", "", "barangay_status",
)  # fmt: skip
PROJECTS = (
    "Unique Investment Identifier", "Business Case ID", "Agency Code", "Agency Name", "Investment Title", "Project ID",
    "Agency Project ID", "Project Name", "Project Description", "Start Date", "Completion Date (B1)",
    "Planned Project Completion Date (B2)", "Projected/Actual Project Completion Date (B2)", "Lifecycle Cost",
    "Schedule Variance (in days)",
    "Schedule Variance (%)", "Cost Variance ($ M)", "Cost Variance (%)", "Planned Cost ($ M)",
    "Projected/Actual Cost ($ M)", "Updated Date", "Unique Project ID",
)  # fmt: skip


@dataclass(frozen=True)
class End:
    """How the wording of an analysis ends; `says` is what a model says."""

    outcome: Outcome = "template"
    source: Source = "template"
    model: str = "template"
    cost_nano: int | None = 0
    says: str | None = None


PLAIN = End()


def communities(*names: str) -> list[int]:
    """Municipalities of these names; their ids."""
    rows = [(f"{102800000 + 1000 * n:010d}", name, "", "Mun", "", "", "5th", "", f"{1_000 * n}", "", "") for n, name in enumerate(names, 1)]
    bring(as_csv(PLACES, *rows), "psgc")
    return _ids("communities")


def project(name: str = "Port control") -> int:
    """A project; its id."""
    told = {
        "Project ID": f"P-{name}", "Project Name": name, "Agency Name": "Department of Ports", "Investment Title": "Ports",
        "Start Date": "2020-01-01", "Planned Project Completion Date (B2)": "2024-01-01",
        "Projected/Actual Project Completion Date (B2)": "2025-06-30", "Planned Cost ($ M)": "10", "Projected/Actual Cost ($ M)": "13.5",
        "Lifecycle Cost": "40", "Cost Variance (%)": "-35",
    }  # fmt: skip
    bring(as_csv(PROJECTS, [told.get(column, "") for column in PROJECTS]), "us-it-dashboard")
    return _ids("projects")[-1]


def ordered(kind: str, record_id: int, variant: str = "") -> int:
    """The job of an order: the one under way, or a new one."""
    with transaction() as connection:
        standing = results.current(connection, kind, record_id, variant)
        if standing.state == "running" and standing.job is not None:
            return standing.job.id
        made = results.start(connection, kind, record_id, variant, "tests")
    assert made is not None
    return made


def claimed(job_id: int) -> Job:
    """The job as a worker has it."""
    with transaction() as connection:
        job = claim.claim(connection, job_id, "worker")
    assert job is not None
    return job


def run(kind: str, record_id: int, variant: str = "", end: End = PLAIN, *, ends: bool = True) -> int:
    """Order it and do it; the job. Without `ends` the job waits for another try."""
    job = claimed(ordered(kind, record_id, variant))
    if ends:
        finished(job, end)
    else:
        _put_back(job, end)
    return job.id


def finished(job: Job, end: End = PLAIN) -> None:
    """Keep what it makes and end it well."""
    with transaction() as connection:
        _keep(connection, job, end)
        claim.finish(connection, job, {})


def broken(job_id: int, error: BaseException) -> None:
    """End its attempt badly."""
    job = claimed(job_id)
    with transaction() as connection:
        claim.fail(connection, job, error, "Traceback")


def _put_back(job: Job, end: End) -> None:
    with transaction() as connection:
        _keep(connection, job, end)
        claim.fail(connection, job, Unavailable("The provider asks to wait.", retry_after_s=60), "Traceback")


def _keep(connection: Connection, job: Job, end: End) -> None:
    variant = job.args["variant"]
    analysis = catalogue.get(job.kind, variant)
    record = records.get(connection, analysis.noun, job.args["record_id"])
    facts = analysis.facts(Case(record, tuple(records.peers(connection, record)), clock.utc_now().date(), variant))
    wording = analysis.render(facts)
    if end.says is not None:
        title, _, rest = wording.partition("\n\n")
        wording = f"{title}\n\n{end.says}\n\n{rest}"
    findings = (Finding((0, 2), "37", "number", "No fact has this value."),) if end.source == "replaced" else ()
    provider = "template" if end.model == "template" else "gemini"
    worded = Worded(wording, end.source, findings, end.model, provider, end.cost_nano, end.outcome)
    results.keep(connection, analysis, record, variant, facts, worded, job.id)


def _ids(table: str) -> list[int]:
    with transaction() as connection:
        return list(connection.execute(text(f"select id from {table} order by id")).scalars())
