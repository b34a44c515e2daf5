"""A beat is undisturbed: who is asked to stop in the middle of it hears so at its end."""

import signal
from types import FrameType

import pytest

from services.jobs import processes
from workers import worker


class Stop(Exception):
    """What RQ raises from its signal handler."""


@pytest.mark.usefixtures("database")
def test_a_request_to_stop_waits_until_the_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def stop(_number: int, _frame: FrameType | None) -> None:
        told.append("stop")
        raise Stop

    def asked_meanwhile(*_: object) -> bool:
        signal.raise_signal(signal.SIGTERM)  # to this thread: a worker has no other
        told.append("beat")
        return False

    monkeypatch.setattr(processes, "beat", asked_meanwhile)
    monkeypatch.setattr(worker, "hang_up", lambda: told.append("closed"))
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(Stop):
            worker.beat(processes.Process("worker", "default"))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told == ["beat", "closed", "stop"]
