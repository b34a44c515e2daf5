"""Calls told by one library, by two or by three, in any order and any cut: each counts once, and the rollups equal the raw rows."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from services.clock import utc_now
from services.db import transaction
from services.rollups.verify import verify
from services.telemetry.move import move_once
from tests.crash import Crash, crash_at
from tests.faults.report import scale
from tests.traffic import arrive, move_all, send

pytestmark = [pytest.mark.usefixtures("database"), pytest.mark.unmeasured]
START = (utc_now() - timedelta(hours=3)).replace(minute=10, second=0, microsecond=0)
LIBRARIES = ("langchain", "traceloop", "openinference")
Record = dict[str, object]


@dataclass(frozen=True)
class Told:
    """What an application sent, and how many calls that were."""

    records: list[Record]
    calls: int
    input_tokens: int


def telling(key: str, library: str, second: float, *, took_ms: float = 900, **told: object) -> Record:
    """One library's word of a call."""
    return {
        "id": key,
        "told_by": library,
        "process_id": "p1",
        "started_at": (START + timedelta(seconds=second)).isoformat(),
        "latency_ms": took_ms,
        "provider": "openai",
        "model": "gpt-5-mini",
        "input_tokens": 100,
        "output_tokens": 10,
    } | told


def answered(number: int, libraries: int) -> list[Record]:
    """Told beside one another: what they share is the provider's answer."""
    name = f"chatcmpl-{number:024d}"
    return [telling(f"r{number}{n}", LIBRARIES[n], number * 2 + n * 0.001, took_ms=900 - 2 * n, response_id=name) for n in range(libraries)]


def nested(number: int, libraries: int) -> list[Record]:
    """Each inside the one before: what they share is the span around them."""
    made = []
    for n in range(libraries):
        around = {"parent_id": f"n{number}{n - 1}" if n else f"request{number}"}
        made.append(telling(f"n{number}{n}", LIBRARIES[n], number * 2 + n * 0.001, took_ms=900 - 2 * n, **around))
    return made


def refused(number: int, libraries: int) -> list[Record]:
    """Nothing was answered: what they share is who called whom, and when."""
    failed = {"error_type": "RateLimitError", "input_tokens": None, "output_tokens": None}
    return [telling(f"f{number}{n}", LIBRARIES[n], number * 2 + n * 0.001, took_ms=900 - 2 * n, **failed) for n in range(min(libraries, 2))]


KINDS = {"answered": answered, "nested": nested, "refused": refused}


@st.composite
def applications(draw: st.DrawFn) -> Told:
    """Some calls, each told by one to three libraries, some spans sent again, all in any order."""
    chosen = draw(st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(1, 3)), min_size=1, max_size=12))
    records = [record for number, (kind, libraries) in enumerate(chosen) for record in KINDS[kind](number, libraries)]
    again = draw(st.lists(st.sampled_from(records), max_size=5))
    return Told(draw(st.permutations(records + again)), len(chosen), 100 * sum(kind != "refused" for kind, _ in chosen))


def stored() -> tuple[int, int]:
    """Operations and their input tokens."""
    with transaction() as connection:
        found = connection.execute(text("select count(*), coalesce(sum(input_tokens), 0) from operations")).one()
    return found[0], int(found[1])


def rolled_up() -> tuple[int, int]:
    with transaction() as connection:
        found = connection.execute(text("select coalesce(sum(n), 0), coalesce(sum(input_tokens), 0) from rollup_day")).one()
    return int(found[0]), int(found[1])


def exact(told: Told) -> None:
    """As many calls and tokens as there were, and every cell as recomputed from them."""
    assert stored() == (told.calls, told.input_tokens)
    assert rolled_up() == (told.calls, told.input_tokens)
    today = utc_now().date()
    result = verify(today - timedelta(days=2), today + timedelta(days=2))
    assert result["differences"] == 0, result["examples"]


PROPERTY = settings(max_examples=scale(12, 200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@PROPERTY
@given(told=applications(), data=st.data())
@example(told=Told([r for n in (0, 2, 1) for r in [nested(0, 3)[n]]], 1, 100), data=None)  # both ends first, then what joins them
def test_a_call_counts_once_whoever_tells_it_in_whatever_order(empty: Any, told: Told, data: st.DataObject | None) -> None:  # noqa: ANN401
    empty()
    rest = list(told.records)
    while rest:
        size = data.draw(st.integers(1, len(rest))) if data else 1
        arrive(rest[:size])
        rest = rest[size:]
    exact(told)


def mixed(seed: int) -> Told:
    """A bit of everything, the same for the same seed."""
    chance = random.Random(seed)
    chosen = [(kind, libraries) for kind in sorted(KINDS) for libraries in (1, 2, 3)] * 2
    records = [record for number, (kind, libraries) in enumerate(chosen) for record in KINDS[kind](number, libraries)]
    chance.shuffle(records)
    for record in chance.sample(records, len(records) // 2):
        record |= {"user_id": f"u{chance.randint(1, 4)}", "session_id": f"s{chance.randint(1, 3)}", "module": "tutor"}
    return Told(records, len(chosen), 100 * sum(kind != "refused" for kind, _ in chosen))


def test_a_move_that_dies_between_any_two_statements_has_moved_nothing() -> None:
    told = mixed(1)
    half = len(told.records) // 2
    arrive(told.records[:half])
    before = stored(), rolled_up()
    send(told.records[half:])
    statement = 0
    while True:
        with crash_at(statement) as seen:
            try:
                move_once()
            except Crash:
                pass
            else:
                break
        assert (stored(), rolled_up()) == before
        statement += 1
        assert len(seen) == statement
    assert statement > 20, "the move is made of many statements"
    exact(told)


@PROPERTY
@given(seed=st.integers(0, 10_000), crashes=st.lists(st.integers(0, 60), max_size=4), cuts=st.integers(1, 9))
def test_several_movers_that_crash_and_start_again_move_everything_once(empty: Any, seed: int, crashes: list[int], cuts: int) -> None:  # noqa: ANN401
    empty()
    told = mixed(seed)
    size = max(1, len(told.records) // cuts)
    parts = [told.records[start : start + size] for start in range(0, len(told.records), size)]
    for part in [*parts, *parts[:2]]:
        send(part)
    for statement in crashes:
        with crash_at(statement):
            try:
                move_once(limit_rows=size)
            except Crash:
                continue
    with ThreadPoolExecutor(3) as movers:
        list(movers.map(lambda _: move_once(limit_rows=size), range(6)))
    move_all()
    exact(told)


def test_two_answers_of_one_name_at_different_times_are_two_calls() -> None:
    name = "chatcmpl-" + "0" * 24  # a proxy's cache gives the same answer, id included, again
    arrive([telling("a", "traceloop", 0, response_id=name), telling("b", "traceloop", 60, response_id=name)])
    arrive([telling("c", "openinference", 60.001, response_id=name)])
    assert stored() == (2, 200)


def test_short_names_are_no_names() -> None:
    arrive([telling("a", "traceloop", 0, response_id="chatcmpl-17"), telling("b", "openinference", 0, response_id="chatcmpl-17")])
    assert stored() == (2, 200)


def test_the_retries_inside_a_call_are_calls() -> None:
    failed: Record = {"error_type": "Timeout", "input_tokens": None, "output_tokens": None}
    attempts = [
        telling("try1", "openinference", 0, parent_id="outer") | failed,
        telling("try2", "openinference", 1, parent_id="outer") | failed,
        telling("try3", "openinference", 2, parent_id="outer"),
    ]
    outer = telling("outer", "langchain", 0, took_ms=4_000)
    for order in ([outer, *attempts], [*attempts, outer]):
        with transaction() as connection:
            connection.execute(text("truncate operations, operation_tellings, rollup_day, rollup_15m, rollup_error"))
        arrive(order)
        assert stored() == (3, 100)


def test_a_second_telling_fills_what_the_first_left_open_and_adds_nothing() -> None:
    first = telling("a", "traceloop", 0, response_id="chatcmpl-" + "1" * 24, input_tokens=None, output_tokens=None)
    arrive([first])
    second = telling("b", "openinference", 0.001, response_id="chatcmpl-" + "1" * 24, user_id="ada", session_id="s", module="tutor")
    arrive([second | {"ttft_ms": 40.0, "latency_ms": 880.0}])
    with transaction() as connection:
        row = connection.execute(
            text(
                "select user_key, session_key, module, input_tokens, cost_nano is not null as priced, ttft_us, latency_us from operations o"
                " join series s on s.id = series_id"
            )
        ).one()
    assert tuple(row) == ("ada", "s", "tutor", 100, True, 40_000, 900_000)
    exact(Told([], 1, 100))
    with transaction() as connection:
        assert connection.execute(text("select n from rollup_session_day where topic = ''")).scalars().all() == [1]
