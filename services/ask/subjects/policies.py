"""Policies: what was proposed, approved and is in force."""

from services.ask.model import REGION, Dimension, Measure, Noun, Subject, When, count, fixed

POLICIES = Subject(
    name="policies",
    category="policies",
    label="policies",
    table="policies",
    nouns=(Noun(("policies", "policy", "policy recommendations", "policy recommendation", "policy proposals")),),
    measures=(
        count("policies"),
        Measure(
            "approval_days",
            "average days to approval",
            "days",
            "avg(approved_on - proposed_on)::float8",
            ("days to approval", "time to approval", "approval time", "days to approve"),
            average="approval_days",
            additive=False,
        ),
    ),
    dimensions=(
        Dimension(
            "sector",
            "sector",
            "sector",
            ("sector", "area", "policy area", "policy areas"),
            fixed(
                health="health",
                education="education",
                governance="governance",
                economic_development="economic development, economy",
                culture="culture, cultural",
                social_services="social services",
                environment="environment, environmental",
            ),
        ),
        Dimension(
            "kind",
            "kind",
            "kind",
            ("kind", "type", "instrument", "kind of policy", "type of policy", "policy type"),
            fixed(
                ordinance="ordinance, ordinances",
                resolution="resolution, resolutions",
                memorandum="memorandum, memoranda, memorandums, memos",
                circular="circular, circulars",
                executive_order="executive order, executive orders",
            ),
        ),
        Dimension(
            "status",
            "status",
            "status",
            ("status",),
            fixed(
                proposed="proposed, pending",
                under_review="under review, in review, being reviewed",
                approved="approved",
                in_force="in force, implemented, effective",
                repealed="repealed",
                rejected="rejected, turned down",
            ),
        ),
        REGION,
    ),
    dates=(
        When("proposed", "proposed", "proposed_on"),
        When("approved", "approved", "approved_on", ("approved",)),
    ),
    listing=(
        ("Code", "code"),
        ("Policy", "title"),
        ("Sector", "sector"),
        ("Kind", "kind"),
        ("Status", "status"),
        ("Proposed", "proposed_on"),
        ("Approved", "approved_on"),
    ),
    order="proposed_on desc, code",
)
SUBJECTS = (POLICIES,)
