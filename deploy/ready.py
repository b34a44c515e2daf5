"""Ready means: every part has answered."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

from sqlalchemy import text

from deploy.supervise import Supervisor, log_tail
from services.db import transaction
from services.errors import Unavailable
from services.settings import Settings

BEATING = "select kind || coalesce(':' || queue, '') from processes where beat_at > now() - interval '30 seconds' and started_at > :since"
PARTS = {"dispatcher": "dispatcher", "worker-rollups": "worker:rollups", "worker-default": "worker:default"}


def wait_until_ready(settings: Settings, manager: Supervisor, since: object, stopping: Callable[[], bool], timeout_s: float = 120) -> None:
    """Return when both ports answer and dispatcher and workers have reported since `since`.

    Raises Unavailable naming the part that did not, with the end of its log.
    """
    deadline = time.monotonic() + timeout_s
    missing = list(_missing(settings, since))
    while missing and not stopping():
        if time.monotonic() > deadline:
            raise Unavailable(
                f"'{missing[0]}' did not get ready within {timeout_s:.0f} s. The end of its log:\n{log_tail(manager.folder, missing[0])}"
            )
        time.sleep(0.2)
        missing = list(_missing(settings, since))


def _missing(settings: Settings, since: object) -> Iterator[str]:
    for name, port in (("web", settings.port), ("telemetry", settings.otlp_port)):
        if not _answers(f"http://{_address(settings)}:{port}/api/ai/health/"):
            yield name
    with transaction() as connection:
        beating = set(connection.execute(text(BEATING), {"since": since}).scalars())
    yield from (name for name, process in PARTS.items() if process not in beating)


def _address(settings: Settings) -> str:
    """Where this machine reaches what listens on the bind address."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - read, not bound
    return everywhere.get(settings.bind_address, settings.bind_address)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3) as response:  # noqa: S310 - our own loopback address
            return bool(response.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False
