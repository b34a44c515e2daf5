"""Invented rows for the subjects that come in as CSV, so that an empty installation can be asked something. Seeded: the same every time."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from random import Random

from services.ask.subjects import coordination, needs, policies, staff
from services.ask.tables import Row

SEED = 20_261
# Regions and provinces as the geographic code writes them; everything else is made up.
PLACES = (
    ("Region I (Ilocos Region)", "Ilocos Norte"),
    ("Region III (Central Luzon)", "Bulacan"),
    ("Region V (Bicol Region)", "Albay"),
    ("Region X (Northern Mindanao)", "Bukidnon"),
    ("Region XII (SOCCSKSARGEN)", "South Cotabato"),
    ("Bangsamoro Autonomous Region In Muslim Mindanao (BARMM)", "Lanao del Sur"),
)
VILLAGES = (
    "Upper Ridge",
    "Lower Ridge",
    "Riverside",
    "Old Market",
    "Lakeview",
    "Hillcrest",
    "East Field",
    "West Field",
    "Springwell",
    "Millbank",
)
LACKS = ("clinic", "classrooms", "piped water", "seedlings", "access road", "evacuation centre", "lighting", "day care")
PARTNERS = (
    "Harbour Trust",
    "Green Delta Network",
    "Northern State College",
    "Mindful Futures",
    "Bright Path Cooperative",
    "Coastal Aid Group",
    "Highland Growers Union",
    "Civic Data Lab",
    "Open Roads Alliance",
    "River Basin Council",
    "Provincial Health Office",
    "Island Teachers Guild",
)
FIRST = ("Ana", "Ben", "Carla", "Dino", "Ella", "Felix", "Gina", "Hugo", "Iris", "Jonas", "Kara", "Leo")
LAST = ("Abad", "Bautista", "Castillo", "Dizon", "Estrada", "Fajardo", "Galvez")
UNITS = ("planning unit", "field unit", "data unit", "finance unit")
POSITIONS = ("field officer", "data analyst", "planner", "accountant", "coordinator")
WORK = ("Draft the report", "Visit the site", "Check the figures", "Call the partner", "Prepare the workshop", "Review the budget")


def rows(today: date) -> dict[str, list[Row]]:
    """Table → rows, over the two years that end with `today`."""
    chance = Random(SEED)  # noqa: S311 - invented rows, no secrets

    def days_ago(most: int, least: int = 0) -> date:
        return today - timedelta(days=chance.randint(least, most))

    return {
        "partners": _partners(chance, days_ago),
        "needs_assessments": [_need(n, chance, today, days_ago) for n in range(1, 401)],
        "meetings": [_meeting(n, chance, today, days_ago) for n in range(1, 241)],
        "activities": [_activity(n, chance, today, days_ago) for n in range(1, 161)],
        "policies": [_policy(n, chance, today, days_ago) for n in range(1, 121)],
        **_staff(chance, today, days_ago),
    }


Ago = Callable[..., date]


def _values(subject_dimensions: Sequence[object], name: str) -> list[str]:
    found = next(one for one in subject_dimensions if one.name == name)  # type: ignore[attr-defined]
    return list(found.values)  # type: ignore[attr-defined]


def _partners(chance: Random, days_ago: Ago) -> list[Row]:
    kinds = _values(coordination.PARTNERS.dimensions, "kind")
    return [
        {
            "code": f"P-{n:03}",
            "name": name,
            "kind": chance.choice(kinds),
            "status": chance.choice(("active", "active", "active", "inactive", "prospective")),
            "region": chance.choice(PLACES)[0],
            "since_on": days_ago(3_000, 400),
        }
        for n, name in enumerate(PARTNERS, 1)
    ]


def _need(n: int, chance: Random, today: date, days_ago: Ago) -> Row:
    region, province = chance.choice(PLACES)
    assessed = days_ago(730)
    status = chance.choice(("draft", "submitted", "submitted", "validated", "validated", "addressed", "rejected"))
    validated = min(assessed + timedelta(days=chance.randint(3, 90)), today) if status in ("validated", "addressed") else None
    village = chance.choice(VILLAGES)
    return {
        "code": f"N-{n:04}",
        "title": f"{village} needs {chance.choice(LACKS)}",
        "community": village,
        "province": province,
        "region": region,
        "sector": chance.choice(_values(needs.NEEDS.dimensions, "sector")),
        "priority": chance.choice(("critical", "high", "high", "medium", "medium", "low")),
        "status": status,
        "households": chance.randint(12, 900) if chance.random() > 0.05 else None,
        "cost": chance.randrange(50_000_00, 9_000_000_00, 500_00) if chance.random() > 0.1 else None,
        "assessed_on": assessed,
        "validated_on": validated,
    }


def _meeting(n: int, chance: Random, today: date, days_ago: Ago) -> Row:
    held = days_ago(700, -40)
    status = "planned" if held > today else chance.choice(("held", "held", "held", "held", "cancelled", "postponed"))
    kind = chance.choice(_values(coordination.MEETINGS.dimensions, "kind"))
    return {
        "code": f"M-{n:04}",
        "title": f"{kind.capitalize()} meeting {n}",
        "kind": kind,
        "status": status,
        "region": chance.choice(PLACES)[0],
        "partner": chance.choice(PARTNERS),
        "attendees": chance.randint(3, 60) if status == "held" else None,
        "held_on": held,
    }


def _activity(n: int, chance: Random, today: date, days_ago: Ago) -> Row:
    starts = days_ago(700, -30)
    ends = starts + timedelta(days=chance.randint(0, 20))
    status = (
        "planned" if starts > today else "ongoing" if ends >= today else chance.choice(("completed", "completed", "completed", "cancelled"))
    )
    kind = chance.choice(_values(coordination.ACTIVITIES.dimensions, "kind"))
    return {
        "code": f"A-{n:04}",
        "title": f"{kind.capitalize()} {n}",
        "kind": kind,
        "status": status,
        "region": chance.choice(PLACES)[0],
        "partner": chance.choice(PARTNERS),
        "participants": chance.randint(8, 300) if status == "completed" else None,
        "starts_on": starts,
        "ends_on": ends,
    }


def _policy(n: int, chance: Random, today: date, days_ago: Ago) -> Row:
    proposed = days_ago(730)
    status = chance.choice(_values(policies.POLICIES.dimensions, "status"))
    approved = min(proposed + timedelta(days=chance.randint(10, 200)), today) if status in ("approved", "in force", "repealed") else None
    sector, kind = (chance.choice(_values(policies.POLICIES.dimensions, name)) for name in ("sector", "kind"))
    return {
        "code": f"L-{n:03}",
        "title": f"{kind.capitalize()} {n} on {sector}",
        "sector": sector,
        "kind": kind,
        "status": status,
        "region": chance.choice(PLACES)[0],
        "proposed_on": proposed,
        "approved_on": approved,
    }


def _staff(chance: Random, today: date, days_ago: Ago) -> dict[str, list[Row]]:
    names = [f"{first} {last}" for first in FIRST for last in chance.sample(LAST, 2)]
    statuses = _values(staff.PEOPLE.dimensions, "status")
    people: list[Row] = [
        {
            "code": f"S-{n:03}",
            "name": name,
            "position": chance.choice(POSITIONS),
            "unit": chance.choice(UNITS),
            "status": chance.choice((statuses[0],) * 5 + tuple(statuses)),
            "joined_on": days_ago(2_500, 20),
        }
        for n, name in enumerate(names, 1)
    ]
    tasks: list[Row] = []
    for n in range(1, 201):
        created, person = days_ago(400), chance.choice(people)
        status = chance.choice(("to do", "in progress", "blocked", "done", "done"))
        done = min(created + timedelta(days=chance.randint(1, 60)), today) if status == "done" else None
        tasks.append(
            {
                "code": f"T-{n:04}",
                "title": chance.choice(WORK),
                "assignee": person["name"],
                "unit": person["unit"],
                "status": status,
                "priority": chance.choice(("high", "medium", "low")),
                "created_on": created,
                "due_on": created + timedelta(days=chance.randint(5, 80)),
                "done_on": done,
            }
        )
    return {"staff": people, "staff_tasks": tasks}
