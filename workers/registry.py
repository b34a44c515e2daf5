"""Which function does which kind of job, on which queue, within how many seconds."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from services.errors import BadInput
from workers.running import Running

Handler = Callable[[Running], dict[str, object] | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """`handler` is "module:function": the dispatcher reads this table too and must not load what only jobs need.

    What a `frequent` kind needs is imported before the worker forks for each job; the rest loads in the job and is gone with it.
    """

    handler: str
    queue: str
    timeout_s: int
    frequent: bool = False


KINDS = {
    "telemetry.move": Kind("workers.telemetry:move", "rollups", 300, frequent=True),
    "rollups.rebuild": Kind("workers.rollups:rebuild", "default", 6 * 3600),
    "rollups.verify": Kind("workers.rollups:verify", "default", 3600),
    "sessions.statistics": Kind("workers.sessions:make", "default", 3600),
    "pricing.reprice": Kind("workers.pricing:reprice", "default", 6 * 3600),
    "pricing.reverse": Kind("workers.pricing:reverse", "default", 6 * 3600),
    "records.import": Kind("workers.records:bring", "default", 3600),
    **dict.fromkeys(
        (
            "validate-community", "similar-communities", "classify-needs", "project-risks", "project-report", "project-forecast",
            "project-anomalies",
        ),
        Kind("workers.analyses:analyse", "default", 600),
    ),
    "costs.find": Kind("workers.findings:costs", "default", 1800),
    "incidents.find": Kind("workers.findings:incidents", "default", 300),
    "sample.generate": Kind("workers.sample:generate", "default", 3600),
    "housekeeping": Kind("workers.housekeeping:tidy", "default", 600),
}  # fmt: skip
QUEUES = tuple(sorted({kind.queue for kind in KINDS.values()}))


def handler(kind: str) -> Handler:
    """The function for a kind; raises BadInput for one that nobody does."""
    if kind not in KINDS:
        raise BadInput(f"Nobody knows how to do a job of the kind '{kind}'.")
    module, function = KINDS[kind].handler.split(":")
    return cast(Handler, getattr(import_module(module), function))


def timeout_s(kind: str) -> int:
    """Seconds after which a job of that kind is interrupted."""
    return KINDS[kind].timeout_s if kind in KINDS else 60


def preload(queue: str) -> None:
    """Import what the frequent jobs of a queue need, before the worker forks for each of them."""
    for kind, entry in KINDS.items():
        if entry.queue == queue and entry.frequent:
            handler(kind)
