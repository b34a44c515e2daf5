"""The console's own measures, all from the metrics catalogue; and the jobs, which have a table of their own."""

from services import metrics
from services.ask.model import Category, Dimension, Measure, Noun, Subject, When, count, fixed

DAYS = 7
# What people say for a measure beside its label; the subject is the page that shows it.
SAID: dict[str, tuple[str, ...]] = {
    "operations": ("operations", "ai operations", "ai calls", "ai requests", "requests"),
    "errors": ("errors", "failed operations", "failed calls", "ai errors"),
    "error_rate": ("error rate", "failure rate", "rate of errors"),
    "throughput": ("throughput", "operations a minute", "operations per minute", "requests per minute"),
    "cost": ("cost", "costs", "spend", "spending", "ai cost", "ai spend", "total cost", "expenses"),
    "cost_per_operation": (
        "cost per operation",
        "cost per call",
        "cost per request",
        "average cost",
        "cost of an operation",
        "average cost per operation",
        "average cost per request",
        "average cost per call",
    ),
    "cost_per_success": ("cost per success", "cost per successful operation", "cost per successful outcome", "cost of a success"),
    "priced_share": ("priced share", "share of priced operations", "share priced"),
    "unpriced": ("unpriced operations", "unpriced", "operations without a price"),
    "input_tokens": ("input tokens", "prompt tokens", "tokens sent"),
    "output_tokens": ("output tokens", "completion tokens", "tokens received"),
    "total_tokens": ("tokens", "total tokens", "token usage"),
    "cache_read_tokens": ("cache read tokens", "cached tokens"),
    "cache_write_tokens": ("cache write tokens",),
    "reasoning_tokens": ("reasoning tokens",),
    "latency_avg": ("average latency", "mean latency", "latency", "speed", "average response latency"),
    "latency_p50": ("latency p50", "median latency", "p50 latency", "p50"),
    "latency_p90": ("latency p90", "p90 latency", "p90"),
    "latency_p95": ("latency p95", "p95 latency", "p95"),
    "latency_p99": ("latency p99", "p99 latency", "p99"),
    "ttft_avg": ("time to first token", "average time to first token", "ttft"),
    "ttft_p50": ("time to first token p50", "median time to first token"),
    "ttft_p95": ("time to first token p95", "p95 time to first token", "p95 ttft"),
    "output_speed": ("tokens a second", "tokens per second", "output speed"),
    "cached_share": ("cached share", "cache hit rate", "share of cached operations", "cache hits"),
    "sessions_started": ("sessions", "chat sessions", "user sessions", "sessions started"),
    "sessions": ("active sessions",),
    "users": ("users", "active users", "distinct users"),
    "session_users": ("session users", "users with sessions"),
    "session_duration": ("session duration", "session length", "average session duration", "average session length"),
    "session_messages": ("messages per session", "messages a session"),
    "session_rating": ("satisfaction", "user satisfaction", "session rating", "average rating of sessions", "satisfaction score"),
    "rated_share": ("rated share", "share of rated sessions", "rated sessions"),
    "topic_coverage": ("topic coverage", "share of sessions with a topic"),
    "sessions_without_end": ("sessions without end", "sessions without an end", "endless sessions"),
    "sessions_backwards": ("sessions ending before they start",),
    "sessions_overnight": ("sessions over midnight", "overnight sessions"),
    "feedback": ("feedback", "pieces of feedback"),
    "feedback_rating": ("feedback rating", "rating of feedback", "average feedback rating"),
    "thumbs_up_share": ("thumbs up", "share of thumbs up"),
}
PAGES: dict[Category, tuple[str, ...]] = {
    "health": ("operations", "errors", "error_rate", "throughput"),
    "cost": (
        "cost",
        "cost_per_operation",
        "cost_per_success",
        "priced_share",
        "unpriced",
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
    ),
    "performance": (
        "latency_avg",
        "latency_p50",
        "latency_p90",
        "latency_p95",
        "latency_p99",
        "ttft_avg",
        "ttft_p50",
        "ttft_p95",
        "output_speed",
        "cached_share",
    ),
    "sessions": (
        "sessions_started",
        "sessions",
        "users",
        "session_users",
        "session_duration",
        "session_messages",
        "session_rating",
        "rated_share",
        "topic_coverage",
        "sessions_without_end",
        "sessions_backwards",
        "sessions_overnight",
        "feedback",
        "feedback_rating",
        "thumbs_up_share",
    ),
}
AVERAGE = {"cost": "cost_per_operation", "latency_avg": "latency_avg", "ttft_avg": "ttft_avg"} | {
    name: name for name in ("session_duration", "session_messages", "session_rating", "cost_per_operation", "error_rate", "throughput")
}
DIMENSION_SAID = {
    "environment": ("environment",),
    "source": ("source", "application", "app"),
    "module": ("module",),
    "operation": ("operation type", "operation name"),
    "provider": ("provider", "vendor"),
    "model": ("model", "ai model"),
    "topic": ("topic",),
    "subject": ("subject", "subject taught"),
    "cohort": ("cohort",),
    "error_type": ("error type", "kind of error", "type of error"),
}


def _measure(name: str) -> Measure:
    known = metrics.MEASURES[name]
    additive = (
        known.unit in ("count", "usd", "tokens") and known.family != "distinct" and name not in ("cost_per_operation", "session_messages")
    )
    return Measure(
        name, known.label.lower() if name[-3:-2] != "p" else known.label, known.unit, "", SAID[name], AVERAGE.get(name), additive=additive
    )


def _subject(page: Category, names: tuple[str, ...]) -> Subject:
    known = [d for d in metrics.DIMENSIONS.values() if d.name in DIMENSION_SAID]  # days and hours are the grammar's of ranges
    split = [d for d in known if any(metrics.can_split(d.name, metrics.MEASURES[name]) for name in names)]
    return Subject(
        name=page,
        category=page,
        label=page,
        table="",
        nouns=(),
        measures=tuple(_measure(name) for name in names),
        dimensions=tuple(Dimension(d.name, d.label.lower(), "", DIMENSION_SAID[d.name]) for d in split),
        dates=(When("time", "in", "", instant=True),),
        page=page,
        metrics=True,
        default_days=DAYS,
    )


JOBS = Subject(
    name="jobs",
    category="jobs",
    label="jobs",
    table="jobs",
    nouns=(Noun(("jobs", "job", "background jobs")), Noun(("dead letters",), (("state", "dead"),))),
    measures=(
        count("jobs"),
        Measure(
            "took",
            "average time from creation to end",
            "s",
            "avg(extract(epoch from finished_at - created_at))::float8",
            ("time to finish", "turnaround", "job duration", "duration"),
            average="took",
            additive=False,
        ),
    ),
    dimensions=(
        Dimension(
            "state",
            "state",
            "state",
            ("state", "status"),
            fixed(
                queued="queued, waiting",
                retry="in retry, retried, retrying",
                running="running",
                done="done, finished, completed, succeeded",
                cancelled="cancelled, canceled",
                dead="dead, failed, buried",
            ),
        ),
        Dimension("kind", "kind", "kind", ("kind", "type", "kind of job", "type of job")),
        Dimension("queue", "queue", "queue", ("queue",)),
    ),
    dates=(When("created", "created", "created_at", ("created",), instant=True),),
    listing=(("Job", "id"), ("Kind", "kind"), ("Queue", "queue"), ("State", "state"), ("Created", "created_at")),
    order="id desc",
    page="jobs",
    default_days=DAYS,
)
SUBJECTS = (*(_subject(page, names) for page, names in PAGES.items()), JOBS)
