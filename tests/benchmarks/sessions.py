"""Fifty people with a page open that runs again every five seconds, as browsers ask for it: Streamlit's own messages over websockets."""

import asyncio
import random
import time
from collections.abc import Iterator

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from tests.benchmarks.figure import Figure, percentile
from tests.system import Console

PAGES = ("", "health", "cost", "performance", "sessions", "explore")
PEOPLE = 50
EVERY_S = 5.0
ROUNDS = 8
FINISHED = (ForwardMsg.ScriptFinishedStatus.FINISHED_SUCCESSFULLY, ForwardMsg.ScriptFinishedStatus.FINISHED_EARLY_FOR_RERUN)


def measure(console: Console) -> Iterator[Figure]:
    """sessions_50_p95_ms: from when a run is due to its end, spread over the pages; beside it one person a page."""
    with httpx.Client(follow_redirects=True) as browser:
        browser.get(console.link()).raise_for_status()
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    alone = asyncio.run(_crowd(console, cookie, len(PAGES), 1.0))
    found = asyncio.run(_crowd(console, cookie, PEOPLE, EVERY_S))
    every = [ms for taken in found.values() for ms in taken]
    beside: dict[str, float | str] = {"p50": percentile(every, 0.5), "max": max(every), "runs": float(len(every))}
    beside |= {f"{page or 'home'} p95": percentile(taken, 0.95) for page, taken in found.items()}
    beside |= {f"{page or 'home'} of {len(PAGES)} people p50": percentile(taken, 0.5) for page, taken in alone.items()}
    yield Figure(f"sessions_{PEOPLE}_p95_ms", percentile(every, 0.95), "ms", "≤", 150, beside)


async def _crowd(console: Console, cookie: str, people: int, every_s: float) -> dict[str, list[float]]:
    """Milliseconds of every run after the first of each person, by page."""
    taken: dict[str, list[float]] = {page: [] for page in PAGES}
    chance, now = random.Random(20261), time.perf_counter()
    await asyncio.gather(
        *(_person(console, cookie, PAGES[n % len(PAGES)], taken, now + chance.uniform(0, every_s), every_s) for n in range(people))
    )
    return taken


async def _person(console: Console, cookie: str, page: str, taken: dict[str, list[float]], begins_at: float, every_s: float) -> None:
    """Runs are due by the clock, so that people stay apart as they came, and are timed from when they are due."""
    await asyncio.sleep(begins_at - time.perf_counter())
    address = f"ws://127.0.0.1:{console.port}/_stcore/stream"
    async with connect(address, additional_headers={"cookie": cookie}, origin=console.url, max_size=None) as socket:  # type: ignore[arg-type]
        await _run(socket, page)
        for n in range(1, ROUNDS + 1):
            due = begins_at + n * every_s
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            await _run(socket, page)
            taken[page].append((time.perf_counter() - due) * 1_000)


async def _run(socket: ClientConnection, page: str) -> None:
    """Ask for a run of the page and read everything up to its end."""
    asked = BackMsg()
    asked.rerun_script.page_name = page
    asked.rerun_script.query_string = ""
    await socket.send(asked.SerializeToString())
    drawn = 0
    while True:
        told = ForwardMsg.FromString(await asyncio.wait_for(socket.recv(decode=False), 60))
        drawn += told.WhichOneof("type") in ("delta", "ref_hash")
        if told.WhichOneof("type") == "script_finished":
            if told.script_finished == FINISHED[1]:
                continue
            assert told.script_finished == FINISHED[0], f"the page {page or 'home'} did not run to its end: {told.script_finished}"
            assert drawn > 10, f"the page {page or 'home'} drew next to nothing"
            return
        assert not told.delta.new_element.HasField("exception"), f"the page {page or 'home'} failed"
