"""Staff: people and their tasks. Personal, so it takes an analyst to ask."""

from services.ask.model import Dimension, Measure, Noun, Subject, When, count, fixed

ROLE = "analyst"
UNIT = Dimension("unit", "unit", "unit", ("unit", "team", "office", "division"))
PEOPLE = Subject(
    name="people",
    category="staff",
    label="staff",
    table="staff",
    nouns=(Noun(("staff", "staff members", "staff member", "employees", "employee", "personnel", "colleagues")),),
    measures=(
        count("staff"),
        Measure(
            "tenure",
            "average tenure",
            "days",
            "avg(current_date - joined_on)::float8",
            ("tenure", "average tenure", "length of service"),
            average="tenure",
            additive=False,
        ),
    ),
    dimensions=(
        UNIT,
        Dimension("position", "position", "position", ("position", "job title", "post")),
        Dimension(
            "status", "status", "status", ("status",), fixed(active="active, working", on_leave="on leave, absent", left="left, former")
        ),
    ),
    dates=(When("joined", "who joined", "joined_on", ("joined", "hired", "who joined")),),
    listing=(("Code", "code"), ("Name", "name"), ("Position", "position"), ("Unit", "unit"), ("Status", "status"), ("Joined", "joined_on")),
    order="name, code",
    role=ROLE,
)
TASKS = Subject(
    name="tasks",
    category="staff",
    label="tasks",
    table="staff_tasks",
    nouns=(Noun(("tasks", "task", "assignments", "assignment", "to dos")),),
    measures=(
        count("tasks"),
        Measure(
            "overdue",
            "overdue tasks",
            "count",
            "count(*) filter (where due_on < current_date and status <> 'done')",
            ("overdue", "past due"),
        ),
        Measure(
            "done_days",
            "average days to completion",
            "days",
            "avg(done_on - created_on)::float8",
            ("days to completion", "time to completion", "completion time"),
            average="done_days",
            additive=False,
        ),
    ),
    dimensions=(
        Dimension(
            "status",
            "status",
            "status",
            ("status",),
            fixed(
                to_do="to do, not started, open",
                in_progress="in progress, under way, ongoing",
                blocked="blocked, stuck",
                done="done, completed, finished, closed",
            ),
        ),
        Dimension(
            "priority", "priority", "priority", ("priority",), fixed(high="high priority", medium="medium priority", low="low priority")
        ),
        UNIT,
        Dimension("assignee", "assignee", "assignee", ("assignee", "staff member", "staff", "person", "assigned to")),
    ),
    dates=(
        When("created", "created", "created_on", ("created",)),
        When("due", "due", "due_on", ("due",)),
        When("done", "completed", "done_on", ("completed", "finished", "done", "closed")),
    ),
    listing=(
        ("Code", "code"),
        ("Task", "title"),
        ("Assignee", "assignee"),
        ("Unit", "unit"),
        ("Priority", "priority"),
        ("Status", "status"),
        ("Due", "due_on"),
    ),
    order="due_on, code",
    role=ROLE,
)
SUBJECTS = (PEOPLE, TASKS)
