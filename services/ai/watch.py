"""Waiting for a provider with a limit that holds.

The time-outs of HTTP libraries run anew with every byte, so a provider that drips holds a worker for ever. The call is made in a thread of
its own and its parts are awaited; one that is given up ends with its own time-out, or with the process.
"""

import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar, cast

from services.ai.providers.spoken import Failure

Said = TypeVar("Said")
_OVER = object()


def watched(speak: Callable[[], Iterator[Said]], *, first_s: float, idle_s: float, total_s: float) -> Iterator[Said]:
    """The parts of an answer as they come. Raises Failure: the provider's, or for the first, the next or the last coming too late."""
    told: SimpleQueue[Said | BaseException | object] = SimpleQueue()
    Thread(target=_listen, args=(speak, told), name="call to a model", daemon=True).start()
    deadline, wait_s = time.monotonic() + total_s, first_s
    while True:
        try:
            part = told.get(timeout=max(0.0, min(wait_s, deadline - time.monotonic())))
        except Empty:
            raise Failure("timed_out", "The provider did not answer in time.") from None
        if part is _OVER:
            return
        if isinstance(part, BaseException):
            raise part
        wait_s = idle_s
        yield cast(Said, part)


def _listen(speak: Callable[[], Iterator[Said]], told: "SimpleQueue[Said | BaseException | object]") -> None:
    try:
        for part in speak():
            told.put(part)
    except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
        told.put(error)
    else:
        told.put(_OVER)
