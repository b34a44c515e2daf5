"""What jobs should be, told without a database: each job as it should stand after what was done, and what may be done to it next."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

POISON = 3
ENDED, WAITING = ("done", "cancelled", "dead"), ("queued", "retry")
Limit = tuple[str, str]  # scope, name


@dataclass
class Expected:
    """One job. `ends` has one entry an attempt, None while it runs; `due` and `handed` mean something while it waits."""

    id: int
    kind: str
    key: str | None
    max_attempts: int
    due: bool
    state: str = "queued"
    handed: bool = False
    asked: bool = False
    aside: bool = False
    lost: int = 0
    token: UUID | None = None
    ends: list[str | None] = field(default_factory=list)

    @property
    def waits(self) -> bool:
        return self.state in WAITING

    @property
    def live(self) -> bool:
        return self.state not in ENDED

    @property
    def spent(self) -> int:
        return sum(end in ("failed", "lost") for end in self.ends)

    def row(self) -> dict[str, object]:
        """As the machine reads it from the tables."""
        return {
            "state": self.state,
            "attempt": len(self.ends),
            "lost": self.lost,
            "asked": self.asked,
            "aside": self.aside,
            "token": str(self.token) if self.token else None,
            "handed": self.waits and self.handed,
            "due": self.waits and self.due,
            "ended": not self.live,
            "numbers": list(range(1, len(self.ends) + 1)),
            "ends": self.ends,
        }

    def begin(self, token: UUID) -> None:
        self.state, self.token = "running", token
        self.ends.append(None)

    def end(self, outcome: str, *, for_good: bool = False) -> None:
        """The attempt that runs ends that way; `for_good` when another would be of no use."""
        self.ends[-1] = outcome
        self.lost = {"lost": self.lost + 1, "released": self.lost}.get(outcome, 0)
        self.token, self.handed = None, False
        self.due = outcome == "released"
        self.state = self._after(outcome, for_good)

    def _after(self, outcome: str, for_good: bool) -> str:
        if outcome in ENDED:
            return outcome
        if outcome != "released" and (for_good or self.lost >= POISON or self.spent >= self.max_attempts):
            return "dead"
        return "cancelled" if self.asked else "retry"

    def cancel(self) -> None:
        """Nothing, when it has ended."""
        if self.live:
            self.asked = True
            self.state = "cancelled" if self.waits else self.state

    def retry(self) -> None:
        self.state, self.due, self.handed, self.asked, self.aside, self.lost = "retry", True, False, False, False, 0
        self.max_attempts = max(self.max_attempts, 1 + self.spent)


@dataclass
class Model:
    """All jobs of one queue, and what an operator laid down."""

    queue: str
    jobs: dict[int, Expected] = field(default_factory=dict)
    caps: dict[Limit, int] = field(default_factory=dict)
    paused: set[Limit] = field(default_factory=set)
    quiet: set[str] = field(default_factory=set)
    effects: set[int] = field(default_factory=set)

    def holder(self, key: str | None) -> Expected | None:
        """Who lives under that key."""
        return next((job for job in self.jobs.values() if key is not None and job.key == key and job.live), None)

    def running(self, limit: Limit) -> int:
        return sum(job.state == "running" for job in self._under(limit))

    def admits(self, job: Expected) -> bool:
        limits = (("queue", self.queue), ("kind", job.kind))
        return not self.paused & set(limits) and all(self.running(limit) < self.caps.get(limit, 1_000) for limit in limits)

    def startable(self, job: Expected, worker: str) -> bool:
        return job.waits and job.due and worker not in self.quiet and self.admits(job)

    def refuse(self, job: Expected) -> None:
        """Whoever asked may not start it now, so it is handed over again later."""
        if job.waits and job.due:
            job.handed = False

    def to_hand_over(self) -> int:
        """How many jobs a dispatcher takes now."""
        ready = Counter(job.kind for job in self.jobs.values() if job.waits and job.due and not job.handed)
        every = sum(min(n, self._room(("kind", kind))) for kind, n in ready.items())
        return min(every, self._room(("queue", self.queue)))

    def retriable(self, ids: Iterable[int]) -> list[Expected]:
        """Of these, what an operator may let run again: under each key at most one, and the newest."""
        chosen: dict[object, Expected] = {}
        for job in sorted((self.jobs[number] for number in ids), key=lambda job: job.id):
            sleeps = job.state == "retry" and not job.due
            over = job.state in ("dead", "cancelled") and self.holder(job.key) is None
            if sleeps or over:
                chosen[job.id if job.key is None else job.key] = job
        return list(chosen.values())

    def _room(self, limit: Limit) -> int:
        if limit in self.paused:
            return 0
        handed = sum(job.waits and job.handed for job in self._under(limit))
        return max(0, self.caps.get(limit, 1_000) - self.running(limit) - handed)

    def _under(self, limit: Limit) -> list[Expected]:
        scope, name = limit
        return [job for job in self.jobs.values() if scope == "queue" or job.kind == name]
