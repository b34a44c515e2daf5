"""A user who is forgotten is nowhere any more, and no number changes."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from services import metrics
from services.__main__ import main
from services.clock import utc_now
from services.db import transaction
from services.errors import BadInput, Conflict, Unavailable
from services.metrics import MEASURES
from services.rollups import distinct
from services.rollups.state import WRITERS
from services.rollups.verify import verify
from services.settings import settings
from services.telemetry import forget_user
from services.telemetry.move import Moved
from tests.traffic import arrive, many, move_all, operation, send

pytestmark = pytest.mark.usefixtures("database")
DAY = timedelta(days=1)
ADA = "ada.lovelace@example.org"
COLUMNS = """
select c.table_name, c.column_name, c.data_type
from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.data_type in ('text', 'jsonb', 'bytea', 'ARRAY', '"char"', 'bigint')
"""
BITS = """
select count(*) from rollup_distinct d where not exists (
    select from (
        select count(*) as n, bit_or(set_bit(repeat('0', 16384)::bit(16384), (key_hash & 16383)::integer, 1)) as bits
        from rollup_distinct_key k where (k.day, k.series_id, k.kind) = (d.day, d.series_id, d.kind)
    ) again where (again.n, again.bits) = (d.n, d.bits)
)
"""


def forget(key: str = ADA, source: str | None = None) -> dict[str, int]:
    return forget_user.forget(key, source, actor="tester")


def scalar(statement: str, **values: object) -> Any:  # noqa: ANN401 - whatever is asked for
    with transaction() as connection:
        return connection.execute(text(statement), values).scalar()


def places(key: str, *hashes: int) -> list[str]:
    """Every column of the database that holds the key, as it is or as JSON writes it, or one of the hashes."""
    found = []
    with transaction() as connection:
        for table, column, kind in connection.execute(text(COLUMNS)).all():
            holds = {
                "bytea": f"position(convert_to(:key, 'UTF8') in {column}) > 0",
                "jsonb": f"strpos({column}::text, :json) > 0",
                "bigint": f"{column} = any(:hashes)",
            }.get(kind, f"strpos({column}::text, :key) > 0 or strpos({column}::text, :json) > 0")
            values = {"key": key, "json": json.dumps(key)[1:-1], "hashes": list(hashes)}
            if connection.execute(text(f"select exists (select from {table} where {holds})"), values).scalar_one():
                found.append(f"{table}.{column}")
    return found


def numbers() -> list[dict[str, object]]:
    """Every measure over all days, and some by day; but for the throughput, which falls with every second."""
    start, end = (utc_now() - 40 * DAY).date(), (utc_now() + 2 * DAY).date()
    frames = [metrics.query([name], start=start, end=end).frame for name in MEASURES if name != "throughput"]
    daily = ("operations", "cost", "users", "sessions", "session_users")
    frames += [metrics.query([name], start=start, end=end, interval="day").frame for name in daily]
    return [{str(name): str(value) for name, value in row.items()} for frame in frames for row in frame.to_dict("records")]


def session(key: str, **told: object) -> dict[str, object]:
    return {"id": key, "started_at": (utc_now() - DAY).isoformat()} | told


def ada_and_others() -> None:
    """Two sources, sessions of her own and one that she shares, what was said, what was refused."""
    now = utc_now()
    arrive(many(120, now - 3 * DAY, 3 * DAY))
    arrive(
        [
            operation("a1", now - 2 * DAY, user_id=ADA, session_id="ada-s1", prompt="I am Ada"),
            operation("a2", now - DAY, user_id=ADA, session_id="ada-s1"),
            operation("a3", now - DAY, session_id="ada-s1", prompt="still Ada"),
            operation("a4", now, user_id=ADA),
            operation("c1", now, user_id="charles", session_id="class", prompt="I am Charles"),
            operation("a5", now, user_id=ADA, session_id="class", prompt="Ada in class"),
        ]
    )
    arrive([operation("b1", now, user_id=ADA, session_id="ada-s1"), operation("b2", now, session_id="other")], source="second")
    arrive(
        [
            session("ada-s1", user_id=ADA, subject="Ada's diary", cohort="1815", topics=["poetry"], rating=5),
            session("ada-told", user_id=ADA, subject="untold"),
            session("class", user_id="charles", subject="engines", cohort="1791"),
        ],
        noun="sessions",
    )
    send(
        [
            operation("r1", now, user_id=ADA, input_tokens=-1),
            operation("r2", now, session_id="ada-s1", input_tokens=-1),
            operation("r3", now, user_id="charles", input_tokens=-1),
            f"{ADA};1;2",
        ]
    )


@pytest.fixture
def payloads(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_PAYLOADS", "true")
    settings.cache_clear()
    ada_and_others()


@pytest.mark.usefixtures("payloads")
def test_it_leaves_nothing_of_the_user_and_every_number_as_it_was() -> None:
    before = numbers()
    assert len(places(ADA)) > 3
    counts = forget()
    assert {name: counts[name] for name in ("operations", "sessions", "payloads", "rejected")} == {
        "operations": 5,
        "sessions": 4,
        "payloads": 3,
        "rejected": 3,
    }
    hashes = [
        distinct.key_hash(ADA),
        *(distinct.session_hash(source, key) for source in ("app", "second") for key in ("ada-s1", "ada-told")),
    ]
    assert places(ADA, *hashes) == []
    assert places("ada-s1") == places("ada-told") == places("diary") == places("1815") == []
    assert numbers() == before
    assert verify()["differences"] == 0
    assert scalar(BITS) == 0


@pytest.mark.usefixtures("payloads")
def test_it_gives_one_random_name_to_all_that_was_the_users() -> None:
    forget()
    names = scalar("select array_agg(distinct user_key) from operations where user_key like 'deleted-%'")
    assert len(names) == 1
    assert scalar("select bool_and(user_key ~ '^deleted-[0-9a-f]{16}$') from operations where user_key = any(:names)", names=names)
    assert scalar("select count(*) from sessions where user_key = any(:names)", names=names) == 3
    assert scalar("select count(distinct session_key) from sessions where session_key ~ '^deleted-[0-9a-f]{16}$'") == 4
    orphans = "select count(*) from operations o join series s on s.id = o.series_id left join sessions t using (source, session_key)"
    assert scalar(f"{orphans} where o.session_key is not null and t.session_key is null") == 0
    assert scalar("select topics from sessions where user_key = any(:names) and topics is not null", names=names) == ["poetry"]


@pytest.mark.usefixtures("payloads")
def test_it_leaves_others_what_is_theirs() -> None:
    forget()
    assert scalar("select string_agg(prompt, ',') from operation_payloads") == "I am Charles"
    assert scalar("select subject || ' ' || cohort || ' ' || user_key from sessions where subject is not null") == "engines 1791 charles"
    assert scalar("select string_agg(raw, '') from telemetry_rejected").count("charles") == 1
    assert scalar("select count(*) from telemetry_rejected") == 1
    assert scalar("select count(distinct user_key) from operations where user_key not like 'deleted-%'") > 20


@pytest.mark.usefixtures("payloads")
def test_it_forgets_what_one_source_told_and_nothing_else() -> None:
    totals = ["operations", "cost", "sessions", "sessions_started"]
    window = {"start": (utc_now() - 9 * DAY).date(), "end": (utc_now() + DAY).date()}
    before = metrics.query(totals, **window).frame.to_dict("records")  # type: ignore[arg-type]
    counts = forget(source="second")
    assert (counts["operations"], counts["sessions"], counts["payloads"], counts["rejected"]) == (1, 1, 0, 0)
    assert metrics.query(totals, **window).frame.to_dict("records") == before  # type: ignore[arg-type]
    assert scalar("select count(*) from operations where user_key = :key", key=ADA) == 4
    assert scalar("select count(*) from sessions where session_key = 'ada-s1'") == 1
    assert verify()["differences"] == 0
    assert scalar(BITS) == 0


@pytest.mark.usefixtures("payloads")
def test_it_moves_first_what_waits() -> None:
    send([operation("w1", utc_now(), user_id=ADA, session_id="ada-s9")])
    send([operation("w2", utc_now(), user_id=ADA)], source="third")
    send([session("ada-s8", user_id=ADA)], noun="sessions")
    assert forget()["operations"] == 7
    assert places(ADA) == places("ada-s9") == places("ada-s8") == []
    assert verify()["differences"] == 0


@pytest.mark.usefixtures("payloads")
def test_what_is_sent_again_brings_nothing_back() -> None:
    forget()
    arrive([operation("a2", utc_now() - DAY, user_id=ADA, session_id="ada-s1"), operation("a4", utc_now(), user_id=ADA)])
    assert places(ADA) == []
    assert verify()["differences"] == 0


@pytest.mark.usefixtures("payloads")
def test_it_writes_down_that_it_was_done_without_saying_who() -> None:
    forget()
    with transaction() as connection:
        line = connection.execute(text("select actor, action, subject, detail from audit")).one()
    assert (line.actor, line.action) == ("tester", "user.forget")
    assert line.subject.startswith("deleted-")
    assert line.detail["operations"] == 5
    assert scalar("select count(*) from operations where user_key = :name", name=line.subject) == 5


@pytest.mark.usefixtures("payloads")
def test_it_forgets_keys_of_days_whose_operations_are_gone() -> None:
    before = numbers()
    with transaction() as connection:
        connection.execute(text("delete from operations"))
    forget()
    hashes = [distinct.key_hash(ADA), distinct.session_hash("app", "ada-s1"), distinct.session_hash("second", "ada-s1")]
    assert places(ADA, *hashes) == []
    assert numbers() == before
    assert scalar(BITS) == 0


def test_it_finds_keys_that_json_writes_otherwise() -> None:
    odd, number = 'Ärger "x\\y" 🙂', "4711"
    send([operation("r1", utc_now(), user_id=odd, input_tokens=-1), {"id": "r2", "user_id": 4711}, {"id": "r3", "user_id": 47110}, odd])
    assert len(places(odd)) == 1
    assert forget(odd)["rejected"] == 2
    assert places(odd) == []
    assert forget(number)["rejected"] == 1
    assert scalar("select raw from telemetry_rejected") == '{"id": "r3", "user_id": 47110}'


def test_it_knows_nobody_whom_it_never_saw() -> None:
    arrive([operation("a", utc_now(), user_id="somebody")])
    assert set(forget("nobody").values()) == {0}
    assert scalar("select user_key from operations") == "somebody"


@pytest.mark.parametrize("key", ["", "a\0b"])
def test_it_wants_a_key(key: str) -> None:
    with pytest.raises(BadInput, match="Name the key"):
        forget(key)


def test_it_is_refused_while_the_user_is_arriving(monkeypatch: pytest.MonkeyPatch) -> None:
    arrive([operation("a", utc_now(), user_id=ADA, session_id="s")])
    for told in ({"user_id": ADA}, {"session_id": "s"}):
        send([operation("b", utc_now(), **told)])
        with transaction() as connection, pytest.raises(Conflict, match="arriving"):
            forget_user.forget_user(connection, ADA, actor="tester")
        with transaction() as connection:
            connection.execute(text("delete from telemetry_inbox"))
    send([operation("c", utc_now(), user_id="other")], source="elsewhere")
    with transaction() as connection:
        assert forget_user.forget_user(connection, ADA, actor="tester")["operations"] == 1
    move_all()

    arrive([operation("d", utc_now(), user_id=ADA)])
    settle, times = forget_user.settle, iter(range(100))

    def settle_and_arrive() -> None:
        settle()
        if next(times) < 2:
            send([operation(f"e{next(times)}", utc_now(), user_id=ADA)])

    monkeypatch.setattr(forget_user, "settle", settle_and_arrive)
    assert forget()["operations"] == 2
    monkeypatch.setattr(forget_user, "settle", lambda: send([operation("f", utc_now(), user_id=ADA)]))
    with pytest.raises(Conflict, match="arriving"):
        forget()


def test_it_gives_up_when_nothing_is_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    send([operation("a", utc_now(), user_id=ADA)])
    monkeypatch.setattr(forget_user, "move_once", lambda: Moved(0, 0, 0))
    monkeypatch.setattr(forget_user, "LONGEST_S", 0.3)
    with pytest.raises(Unavailable, match="not being moved"):
        forget()


@pytest.mark.usefixtures("payloads")
@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("", 1), ("y\n", 0)])
def test_it_asks_with_what_is_stored_before_it_does_anything(
    answer: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(answer))
    assert main(["forget-user", ADA]) == code
    said = capsys.readouterr().out
    assert "5 operations lose their user key" in said
    assert "4 sessions lose their key" in said
    assert ("Nothing was changed." in said) is (code == 1)
    assert ("Forgotten:" in said) is (code == 0)
    assert (places(ADA) == []) is (code == 0)


@pytest.mark.usefixtures("payloads")
def test_it_does_not_ask_when_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forget-user", ADA, "--source", "second", "--yes"]) == 0
    assert "1 operations lose" in capsys.readouterr().out
    assert main(["forget-user", "", "--yes"]) == 2


def test_nobody_else_writes_meanwhile() -> None:
    with transaction() as connection:
        forget_user.forget_user(connection, ADA, actor="tester")
        with transaction() as other:
            assert other.execute(text("select pg_try_advisory_xact_lock(:key)"), {"key": WRITERS}).scalar_one() is False


KEYS = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=12).map(lambda tail: f"user:{tail}:user")
CALLS = st.tuples(
    st.integers(0, 30 * 24 * 60), st.integers(0, 2), st.none() | st.integers(0, 3), st.none() | st.integers(0, 4), st.sampled_from("abc")
)


@pytest.mark.unmeasured
@hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.lists(KEYS, min_size=4, max_size=4, unique=True),
    calls=st.lists(CALLS, min_size=1, max_size=40),
    told=st.lists(st.tuples(st.integers(0, 4), st.none() | st.integers(0, 3)), max_size=8),
    forgotten=st.integers(0, 3),
)
def test_whatever_was_told_of_whom_no_number_changes(
    keys: list[str],
    calls: list[tuple[int, int, int | None, int | None, str]],
    told: list[tuple[int, int | None]],
    forgotten: int,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request.getfixturevalue("empty")()
    monkeypatch.setenv("STORE_PAYLOADS", "true")
    settings.cache_clear()
    for source in "abc":
        send(
            [
                operation(
                    f"k{n}",
                    utc_now() - timedelta(minutes=minute),
                    model=f"model-{model}",
                    user_id=None if user is None else keys[user],
                    session_id=None if of is None else f"sess:{of}",
                    prompt="said",
                    input_tokens=-1 if n % 7 == 6 else 10,
                )
                for n, (minute, model, user, of, where) in enumerate(calls)
                if where == source
            ],
            source=source,
        )
    send([session(f"sess:{of}", user_id=None if user is None else keys[user]) for of, user in told], noun="sessions", source="a")
    move_all()
    key, before = keys[forgotten], numbers()
    mine = scalar("select array_agg(source || ' ' || session_key) from sessions where user_key = :key", key=key) or []
    forget(key)
    assert places(key, distinct.key_hash(key), *(distinct.session_hash(*name.split(" ")) for name in mine)) == []
    assert numbers() == before
    assert verify()["differences"] == 0
    assert scalar(BITS) == 0
