"""What the sample of this console is: drawn up once, kept in console_state, so that a restart continues the same data."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal, Self
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import Connection, text

from services.clock import day_start, utc_now

KEY = "sample"
SEED = 20_260_418
WEEK = np.array([1.0, 1.05, 1.1, 1.06, 0.92, 0.3, 0.24])  # Monday first
TUESDAY, SPIKE_HOURS = 1, (9.5, 15.5)
OUTAGE_AGE, OUTAGE_HOURS = 11, (10.25, 11.75)
SILENT_HOURS = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """`anchor` is the instant the sample ends at; `done` of its `days` are in the inbox, newest first."""

    seed: int
    anchor: datetime
    zone: str
    days: int
    operations: int
    done: int = 0
    state: Literal["arriving", "finished"] = "arriving"

    @classmethod
    def drawn_up(cls, days: int, operations: int, zone: str) -> Self:
        return cls(seed=SEED, anchor=utc_now(), zone=zone, days=days, operations=operations)

    def day(self, age: int) -> date:
        """The local date `age` days before the anchor's."""
        return self.anchor.astimezone(ZoneInfo(self.zone)).date() - timedelta(days=age)

    def start(self, age: int) -> float:
        """When that day begins, in epoch seconds."""
        return day_start(self.day(age), ZoneInfo(self.zone)).timestamp()

    def random(self, age: int) -> np.random.Generator:
        """The day's own source of chance, whatever was drawn before."""
        return np.random.default_rng([self.seed, self.day(age).toordinal()])

    def calls(self, age: int) -> int:
        """How many calls that day makes: weeks have a rhythm, business grows, no day is quite like another."""
        weights = np.array([self._weight(other) for other in range(self.days)])
        return round(self.operations * float(weights[age] / weights.sum()))

    def window(self, age: int, hours: tuple[float, float]) -> tuple[float, float]:
        """Epoch seconds of local `hours` on the newest working day that is at least `age` days old."""
        while self.day(age).weekday() >= 5:
            age += 1
        start = self.start(age)
        return start + hours[0] * 3_600, start + hours[1] * 3_600

    def spike(self) -> tuple[float, float]:
        """On the last Tuesday that is over: the walk through the console asks what happened then."""
        age = next(age for age in range(1, 8) if self.day(age).weekday() == TUESDAY)
        return self.window(age, SPIKE_HOURS)

    def outage(self) -> tuple[float, float]:
        return self.window(OUTAGE_AGE, OUTAGE_HOURS)

    def _weight(self, age: int) -> float:
        noise = np.random.default_rng([self.seed, age]).normal(1, 0.05)
        return float(WEEK[self.day(age).weekday()] * (1.15 - 0.4 * age / max(self.days, 1)) * noise)


def load(connection: Connection) -> Plan | None:
    """The plan of this console; None while no sample was begun."""
    told = connection.execute(text("select value from console_state where key = :key"), {"key": KEY}).scalar()
    return None if told is None else Plan(**told | {"anchor": datetime.fromisoformat(told["anchor"])})


def save(connection: Connection, plan: Plan) -> None:
    value = json.dumps(asdict(plan) | {"anchor": plan.anchor.isoformat()})
    connection.execute(
        text(
            "insert into console_state (key, value) values (:key, cast(:value as jsonb))"
            " on conflict (key) do update set value = excluded.value"
        ),
        {"key": KEY, "value": value},
    )


def advanced(plan: Plan) -> Plan:
    """The plan with one more day done."""
    done = plan.done + 1
    return replace(plan, done=done, state="finished" if done >= plan.days else "arriving")
