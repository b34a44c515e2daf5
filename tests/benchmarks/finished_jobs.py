"""A table of jobs after a month of work, and the questions that pages and people ask of it."""

import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Unpack

from sqlalchemy import Connection, text

from services.clock import utc_now
from services.db import transaction
from services.jobs import claim, enqueue, listing
from services.jobs.filters import Filters

KINDS = ("ask.answer", "factoids.refresh", "rollups.verify", "telemetry.move")
FILL = """
    insert into jobs (kind, args, queue, state, attempt, priority, tags, created_by, created_at, run_at, claimed_at, finished_at,
                      result, error_class, error, fingerprint)
    select (cast(:kinds as text[]))[1 + n % 4], jsonb_build_object('customer', jsonb_build_object('id', n % 20000), 'n', n),
           case n % 3 when 0 then 'rollups' else 'default' end,
           case when n % 50 = 0 then 'dead' when n % 50 = 1 then 'cancelled' else 'done' end,
           1, 100, array['tag' || n % 500], 'user' || n % 200, at, at, at, at + interval '1 second', '{"rows": 3}',
           case when n % 50 = 0 then 'Unavailable' end, case when n % 50 = 0 then 'The provider does not answer.' end,
           case when n % 50 = 0 then md5((n % 40)::text) end
    from (select n, now() - interval '30 days' * (1 - n / cast(:of as float8)) as at
          from generate_series(cast(:first as bigint), cast(:last as bigint)) n) numbered
"""
BATCH = 100_000
UNATTENDED = "bench"  # no dispatcher looks there, so nobody else claims what is claimed here


def fill(jobs: int) -> None:
    """So many finished jobs, in order of time, with what the planner needs to know of them."""
    for first in range(1, jobs + 1, BATCH):
        with transaction() as connection:
            connection.execute(text(FILL), {"kinds": list(KINDS), "first": first, "last": min(jobs, first + BATCH - 1), "of": jobs})
    with transaction() as connection:
        connection.execute(text("analyze jobs"))


def questions() -> dict[str, Filters]:
    """What is asked, by name."""
    now = utc_now()
    week, day = now - timedelta(days=7), now - timedelta(days=1)
    return {
        "everything": {},
        "dead": {"state": "dead"},
        "live": {"state": "live"},
        "done of a kind": {"state": "done", "kind": KINDS[2]},
        "queue": {"queue": "rollups"},
        "kind": {"kind": KINDS[1]},
        "unknown kind": {"kind": "no.such"},
        "tag": {"tag": "tag77"},
        "actor": {"actor": "user42"},
        "dead of an actor": {"state": "dead", "actor": "user50"},
        "last day": {"since": day},
        "a day a week ago": {"since": week, "until": week + timedelta(days=1)},
        "old of a kind": {"kind": KINDS[3], "until": now - timedelta(days=25)},
        "argument": {"args": ("customer.id", "4711")},
        "argument of a kind": {"args": ("customer.id", "4711"), "kind": KINDS[0]},
        "argument nobody has": {"args": ("customer.id", "none")},
        "failure alike": {"fingerprint": "c4ca4238a0b923820dcc509a6f75849b"},
    }


def list_ms(rounds: int) -> dict[str, list[float]]:
    """Milliseconds that the list of each question takes, its first pages and its count together, as a page asks."""
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, filters in questions().items():
            began = time.perf_counter()
            with transaction() as connection:
                _read(connection, **filters)
            taken.setdefault(name, []).append((time.perf_counter() - began) * 1_000)
    return taken


def claim_ms(jobs: int) -> list[float]:
    """Milliseconds from the wish to claim a job until that is committed."""
    numbers = count()
    return [_claim_ms(next(numbers)) for _ in range(jobs)]


def _read(connection: Connection, **filters: Unpack[Filters]) -> None:
    page = listing.jobs(connection, **filters)
    listing.matching(connection, **filters)
    if page:
        listing.jobs(connection, before_id=page[-1].id, **filters)


def _claim_ms(number: int) -> float:
    with transaction() as connection:
        job_id = enqueue(connection, "fault.nothing", {"n": number}, queue=UNATTENDED)
    assert job_id is not None
    began = time.perf_counter()
    with transaction() as connection:
        job = claim.claim(connection, job_id, "bench")
    taken_ms = (time.perf_counter() - began) * 1_000
    assert job is not None
    with transaction() as connection:
        claim.finish(connection, job)
    return taken_ms


def worst(taken: dict[str, list[float]]) -> Iterator[tuple[str, float]]:
    """The slowest questions first, by their middle."""
    middles = {name: sorted(times)[len(times) // 2] for name, times in taken.items()}
    yield from sorted(middles.items(), key=lambda item: -item[1])
