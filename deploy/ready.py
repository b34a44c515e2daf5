"""Ready means: every part has answered."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import psycopg2

from deploy.embedded import driver_url
from deploy.programs import console_programs
from deploy.supervise import Supervisor, log_tail
from services.errors import Unavailable
from services.settings import Settings

BEATING = "select kind || coalesce(':' || queue, ''), pid from processes where beat_at > now() - interval '30 seconds'"


def wait_until_ready(settings: Settings, manager: Supervisor, stopping: Callable[[], bool], timeout_s: float = 120) -> None:
    """Return when both ports answer and the dispatcher and workers that now run have reported.

    Raises Unavailable naming the part that did not, with the end of its log.
    """
    deadline = time.monotonic() + timeout_s
    missing = list(_missing(settings, manager))
    while missing and not stopping():
        if time.monotonic() > deadline:
            tail = log_tail(manager.folder, missing[0])
            raise Unavailable(f"'{missing[0]}' did not get ready within {timeout_s:.0f} s. The end of its log:\n{tail}")
        time.sleep(0.2)
        missing = list(_missing(settings, manager))


def _missing(settings: Settings, manager: Supervisor) -> Iterator[str]:
    for name, port in (("web", settings.port), ("telemetry", settings.otlp_port)):
        if not _answers(f"http://{_address(settings)}:{port}/api/ai/health/"):
            yield name
    beating = _beating(settings)
    running = {name: pid for name, (_, pid) in manager.states().items()}
    yield from (name for name, process in _parts(settings).items() if (process, running.get(name)) not in beating)


def _parts(settings: Settings) -> dict[str, str]:
    """Program → what it beats as."""
    told = {program.name: program.command[2:] for program in console_programs(settings)}
    return {name: f"worker:{words[2]}" if words[1] == "work" else "dispatcher" for name, words in told.items() if words[0] == "workers"}


def _beating(settings: Settings) -> set[tuple[str, int]]:
    """(kind and queue, pid) of the processes that have reported lately."""
    server = psycopg2.connect(driver_url(settings), connect_timeout=5)
    try:
        with server.cursor() as cursor:
            cursor.execute(BEATING)
            return set(cursor.fetchall())
    finally:
        server.close()


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
