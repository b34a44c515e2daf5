"""The console about itself: imports, questions, schedules, accounts and keys."""

from services.ask.model import Dimension, Measure, Noun, Subject, When, count, fixed

IMPORTS = Subject(
    name="imports",
    category="general",
    label="imports",
    table="record_imports",
    nouns=(Noun(("imports", "import", "record imports", "imported files")),),
    measures=(
        count("imports"),
        Measure("rows", "rows read", "count", "sum(read)::bigint", ("rows read", "rows", "rows imported", "imported rows"), additive=True),
        Measure("rejected", "rows rejected", "count", "sum(rejected)::bigint", ("rows rejected", "rejected rows")),
    ),
    dimensions=(
        Dimension("kind", "kind", "kind", ("kind", "type"), fixed(communities="", projects="")),
        Dimension(
            "state",
            "state",
            "state",
            ("state", "status"),
            fixed(waiting="waiting", running="running", done="done, finished", broken="broken, failed"),
        ),
        Dimension("source", "source", "source", ("source",)),
    ),
    dates=(When("created", "begun", "created_at", instant=True),),
    listing=(
        ("File", "file_name"),
        ("Kind", "kind"),
        ("State", "state"),
        ("Rows", "read"),
        ("Rejected", "rejected"),
        ("Begun", "created_at"),
    ),
    order="id desc",
    page="records",
)
QUESTIONS = Subject(
    name="questions",
    category="general",
    label="questions asked here",
    table="ask_turns",
    nouns=(Noun(("questions asked", "questions", "chat questions", "chat messages")),),
    measures=(
        count("questions asked here"),
        Measure(
            "response",
            "average response time",
            "ms",
            "avg(response_ms)::float8",
            ("response time", "average response time", "answer time"),
            average="response",
            additive=False,
        ),
    ),
    dimensions=(
        Dimension(
            "source",
            "source",
            "source",
            ("source", "outcome", "kind of answer"),
            fixed(
                faq="answered from faq",
                template="answered",
                clarification="clarified",
                fallback="unanswered, not answered",
            ),
            words={"template": "answered", "fallback": "unanswered", "clarification": "clarified", "faq": "answered from the FAQ"},
        ),
    ),
    dates=(When("asked", "asked", "asked_at", ("asked",), instant=True),),
    page="ask",
)
SCHEDULES = Subject(
    name="schedules",
    category="general",
    label="schedules",
    table="schedules",
    nouns=(Noun(("schedules", "schedule")),),
    measures=(
        count("schedules"),
        Measure("paused", "paused schedules", "count", "count(*) filter (where paused_at is not null)", ("paused", "on hold")),
    ),
    dimensions=(Dimension("queue", "queue", "queue", ("queue",)), Dimension("kind", "kind", "kind", ("kind", "type"))),
    listing=(("Name", "name"), ("Kind", "kind"), ("Queue", "queue"), ("Paused", "paused_at")),
    order="name",
    page="jobs?view=Schedules",
)
ACCOUNTS = Subject(
    name="accounts",
    category="general",
    label="accounts",
    table="accounts",
    nouns=(Noun(("accounts", "account", "user accounts", "console accounts")),),
    measures=(
        count("accounts"),
        Measure("disabled", "disabled accounts", "count", "count(*) filter (where disabled_at is not null)", ("disabled", "closed")),
    ),
    dimensions=(
        Dimension(
            "role",
            "role",
            "role",
            ("role",),
            fixed(viewer="viewer, viewers", analyst="analyst, analysts", operator="operator, operators", admin="admin, admins"),
        ),
    ),
    dates=(When("created", "created", "created_at", ("created",), instant=True),),
    role="admin",
)
KEYS = Subject(
    name="keys",
    category="general",
    label="API keys",
    table="api_keys",
    nouns=(Noun(("api keys", "api key", "keys")),),
    measures=(
        count("API keys"),
        Measure("revoked", "revoked keys", "count", "count(*) filter (where revoked_at is not null)", ("revoked",)),
    ),
    dimensions=(),
    dates=(When("created", "created", "created_at", ("created",), instant=True),),
    role="operator",
    page="telemetry",
)
SUBJECTS = (IMPORTS, QUESTIONS, SCHEDULES, ACCOUNTS, KEYS)
