"""Coordination: meetings, partners and the activities done with them."""

from services.ask.model import REGION, Dimension, Measure, Noun, Subject, When, count, fixed

PARTNER = Dimension("partner", "partner", "partner", ("partner", "partner organisation", "partner organization"))
MEETINGS = Subject(
    name="meetings",
    category="coordination",
    label="meetings",
    table="meetings",
    nouns=(Noun(("meetings", "meeting", "coordination meetings", "coordination meeting")),),
    measures=(
        count("meetings"),
        Measure(
            "attendees",
            "attendees",
            "count",
            "sum(attendees)::bigint",
            ("attendees", "attendance", "participants", "attended"),
            average="attendees_avg",
        ),
        Measure(
            "attendees_avg",
            "average attendance",
            "count",
            "avg(attendees)::float8",
            ("average attendance", "mean attendance", "average attendees"),
            additive=False,
        ),
    ),
    dimensions=(
        Dimension(
            "kind",
            "kind",
            "kind",
            ("kind", "type", "kind of meeting", "type of meeting", "meeting type"),
            fixed(
                inter_agency="inter agency, interagency",
                technical="technical, technical working group, twg",
                board="board",
                community="community level, community consultation",
                donor="donor",
            ),
        ),
        Dimension(
            "status",
            "status",
            "status",
            ("status",),
            fixed(
                planned="planned, scheduled, upcoming",
                held="held, took place, happened, completed",
                cancelled="cancelled, canceled, called off",
                postponed="postponed",
            ),
        ),
        REGION,
        PARTNER,
    ),
    dates=(When("held", "on", "held_on"),),
    listing=(
        ("Code", "code"),
        ("Meeting", "title"),
        ("Kind", "kind"),
        ("Status", "status"),
        ("Date", "held_on"),
        ("Region", "region"),
        ("Partner", "partner"),
        ("Attendees", "attendees"),
    ),
    order="held_on desc, code",
)
PARTNERS = Subject(
    name="partners",
    category="coordination",
    label="partners",
    table="partners",
    nouns=(
        Noun(
            (
                "partners",
                "partner",
                "partner organisations",
                "partner organizations",
                "partner organisation",
                "stakeholders",
                "partnerships",
            )
        ),
    ),
    measures=(count("partners"),),
    dimensions=(
        Dimension(
            "kind",
            "kind",
            "kind",
            ("kind", "type", "kind of partner", "type of partner", "partner type"),
            fixed(
                government="government, government agencies, public",
                ngo="ngo, ngos, non government, non governmental",
                academe="academe, academic, universities",
                donor="donor, donors",
                private="private, private sector, companies",
            ),
            words={"ngo": "NGO"},
        ),
        Dimension(
            "status", "status", "status", ("status",), fixed(active="active", inactive="inactive, dormant", prospective="prospective")
        ),
        REGION,
    ),
    dates=(When("since", "joined", "since_on", ("joined",)),),
    listing=(("Code", "code"), ("Partner", "name"), ("Kind", "kind"), ("Status", "status"), ("Region", "region"), ("Since", "since_on")),
    order="name, code",
)
ACTIVITIES = Subject(
    name="activities",
    category="coordination",
    label="activities",
    table="activities",
    nouns=(Noun(("activities", "activity", "coordination activities", "field activities", "events")),),
    measures=(
        count("activities"),
        Measure(
            "participants",
            "participants",
            "count",
            "sum(participants)::bigint",
            ("participants", "beneficiaries", "people reached", "attendees"),
            average="participants_avg",
        ),
        Measure(
            "participants_avg",
            "average participants",
            "count",
            "avg(participants)::float8",
            ("average participants", "mean participants"),
            additive=False,
        ),
        Measure(
            "duration",
            "average length",
            "days",
            "avg(ends_on - starts_on + 1)::float8",
            ("length", "average length", "duration"),
            average="duration",
            additive=False,
        ),
    ),
    dimensions=(
        Dimension(
            "kind",
            "kind",
            "kind",
            ("kind", "type", "kind of activity", "type of activity", "activity type"),
            fixed(
                training="training, trainings",
                outreach="outreach",
                workshop="workshop, workshops",
                monitoring="monitoring, monitoring visits",
                distribution="distribution, relief distribution",
            ),
        ),
        Dimension(
            "status",
            "status",
            "status",
            ("status",),
            fixed(
                planned="planned, upcoming, scheduled",
                ongoing="ongoing, under way, running",
                completed="completed, finished, done",
                cancelled="cancelled, canceled, called off",
            ),
        ),
        REGION,
        PARTNER,
    ),
    dates=(
        When("starts", "starting", "starts_on", ("starting", "started", "start")),
        When("ends", "ending", "ends_on", ("ending", "ended", "end")),
    ),
    listing=(
        ("Code", "code"),
        ("Activity", "title"),
        ("Kind", "kind"),
        ("Status", "status"),
        ("From", "starts_on"),
        ("To", "ends_on"),
        ("Region", "region"),
        ("Partner", "partner"),
        ("Participants", "participants"),
    ),
    order="starts_on desc, code",
)
SUBJECTS = (MEETINGS, PARTNERS, ACTIVITIES)
