"""API keys that rotate, and keys that may be used only so often."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from services.accounts import keys
from services.db import transaction
from services.errors import BadInput, Conflict, Forbidden, NotFound, TooMuch, Unauthenticated

pytestmark = pytest.mark.usefixtures("database")


def made(name: str = "tutor", **told: object) -> str:
    with transaction() as connection:
        return keys.create(connection, name, ["telemetry"], "tutor-app", "staging", **told)  # type: ignore[arg-type]


def rotated(name: str = "tutor", **told: object) -> str:
    with transaction() as connection:
        return keys.rotate(connection, name, **told)  # type: ignore[arg-type]


def works(presented: str) -> bool:
    try:
        with transaction() as connection:
            keys.verify(connection, presented, "telemetry")
    except Unauthenticated:
        return False
    return True


def run(statement: str) -> None:
    with transaction() as connection:
        connection.execute(text(statement))


def scalar(statement: str) -> object:
    with transaction() as connection:
        return connection.execute(text(statement)).scalar_one()


def uses(presented: str, times: int) -> int:
    """How many of so many uses were let in, whatever minute it is."""
    passed = 0
    for _ in range(times):
        try:
            with transaction() as connection:
                keys.verify(connection, presented, "telemetry")
        except TooMuch:
            continue
        passed += 1
    return passed


def use_up(n: int) -> None:
    """All keys have been used so often in this minute and, as it may end any moment, in the next."""
    minutes = "generate_series(date_trunc('minute', now()), now() + interval '1 minute', interval '1 minute')"
    run(f"insert into api_key_uses select id, minute, {n} from api_keys, {minutes} minute")


def test_both_secrets_work_until_the_grace_is_over() -> None:
    old, new = made(), rotated()
    assert (works(old), works(new)) == (True, True)
    assert scalar("select previous_until - now() between interval '23 hours' and interval '24 hours' from api_keys") is True
    run("update api_keys set previous_until = now()")
    assert (works(old), works(new)) == (False, True)


def test_it_stays_the_same_key() -> None:
    old, new = made(rate_per_minute=9), rotated()
    with transaction() as connection:
        before, after = keys.verify(connection, old, "telemetry"), keys.verify(connection, new, "telemetry")
    assert old.split("_")[1] == new.split("_")[1]
    assert old != new
    assert (before.id, before.scopes, before.source, before.environment) == (after.id, after.scopes, after.source, after.environment)
    assert after.rate_per_minute == 9
    assert after.graced


def test_no_grace_ends_the_old_secret_at_once() -> None:
    old, new = made(), rotated(grace_hours=0)
    assert (works(old), works(new)) == (False, True)


@pytest.mark.parametrize("hours", [24, 0])
def test_a_promised_grace_is_kept(hours: int) -> None:
    secrets = [made(), rotated()]
    until = scalar("select to_char(previous_until at time zone 'utc', 'YYYY-MM-DD HH24:MI') from api_keys")
    with pytest.raises(Conflict, match=f"until {until} UTC.* Wait until then, or revoke the key and make another one"):
        rotated(grace_hours=hours)
    assert [works(secret) for secret in secrets] == [True, True]
    assert scalar("select count(*) from audit where action = 'key.rotate'") == 1


def test_only_the_last_two_secrets_work() -> None:
    secrets = [made(), rotated()]
    run("update api_keys set previous_until = now()")
    secrets.append(rotated())
    assert [works(secret) for secret in secrets] == [False, True, True]


def test_of_two_rotations_at_once_one_is_refused() -> None:
    old, refused = made(), []

    def rotation(_: int) -> str | None:
        try:
            return rotated()
        except Conflict as conflict:
            refused.append(conflict)
            return None

    with ThreadPoolExecutor(2) as threads:
        new = [secret for secret in threads.map(rotation, range(2)) if secret]
    assert (len(new), len(refused)) == (1, 1)
    assert (works(old), works(new[0])) == (True, True)


def test_it_stores_no_secret_of_a_rotation() -> None:
    made()
    new = rotated()
    stored = str(scalar("select (select json_agg(k) from api_keys k)::text || (select json_agg(a) from audit a)::text"))
    assert new.split("_", 2)[2] not in stored


def test_a_revoked_key_works_by_neither_secret_and_cannot_rotate() -> None:
    old, new = made(), rotated()
    with transaction() as connection:
        keys.revoke(connection, "tutor")
    assert (works(old), works(new)) == (False, False)
    with pytest.raises(Conflict, match="'tutor' is revoked"):
        rotated()
    with pytest.raises(NotFound):
        rotated("nobody")


@pytest.mark.parametrize("hours", [-1, 721])
def test_it_refuses_an_unusable_grace(hours: int) -> None:
    old = made()
    with pytest.raises(BadInput, match="0 to 720"):
        rotated(grace_hours=hours)
    assert works(old)


@pytest.mark.parametrize("limit", [0, -5, 1_000_001])
def test_it_refuses_an_unusable_limit(limit: int) -> None:
    with pytest.raises(BadInput, match="requests a minute"):
        made(rate_per_minute=limit)


def test_every_change_is_audited() -> None:
    made(rate_per_minute=7, actor="jane")
    rotated(grace_hours=2, actor="jane")
    with transaction() as connection:
        audited = connection.execute(text("select actor, action, subject, detail from audit order by id")).all()
    assert audited == [
        ("jane", "key.create", "tutor", {"scopes": ["telemetry"], "rate_per_minute": 7}),
        ("jane", "key.rotate", "tutor", {"grace_hours": 2}),
    ]


def test_it_refuses_more_than_the_limit_and_says_how_long() -> None:
    key = made(rate_per_minute=3)
    use_up(3)
    for _ in range(3):
        with transaction() as connection, pytest.raises(TooMuch, match="'tutor' may make 3 requests a minute") as refusal:
            keys.verify(connection, key, "telemetry")
        assert refusal.value.retry_after_s is not None
        assert 1 <= refusal.value.retry_after_s <= 60
    assert scalar("select max(n) from api_key_uses") == 3


def test_it_lets_in_exactly_the_limit_however_many_come_at_once() -> None:
    key = made(rate_per_minute=20)
    with ThreadPoolExecutor(6) as threads:
        passed = sum(threads.map(lambda _: uses(key, 10), range(6)))
    minutes = int(str(scalar("select count(*) from api_key_uses")))
    assert passed == scalar("select sum(n) from api_key_uses")
    assert passed == 20 or (minutes == 2 and passed <= 40)


def test_the_next_minute_begins_anew() -> None:
    key = made(rate_per_minute=2)
    run("insert into api_key_uses select id, date_trunc('minute', now()) - interval '1 minute', 2 from api_keys")
    assert uses(key, 2) == 2


def test_both_secrets_share_the_limit() -> None:
    old, new = made(rate_per_minute=1), rotated()
    use_up(1)
    assert uses(old, 1) + uses(new, 1) == 0


def test_a_key_without_a_limit_is_not_counted() -> None:
    assert uses(made(), 30) == 30
    assert scalar("select count(*) from api_key_uses") == 0


def test_what_is_refused_for_its_scope_uses_nothing_up() -> None:
    key = made(rate_per_minute=1)
    with transaction() as connection, pytest.raises(Forbidden):
        keys.verify(connection, key, "metrics")
    assert uses(key, 1) == 1


def test_it_forgets_old_uses() -> None:
    made(rate_per_minute=1)
    run("insert into api_key_uses select id, now() - n * interval '1 minute', 1 from api_keys, unnest(array[59, 61, 9999]) n")
    with transaction() as connection:
        assert keys.forget_old_uses(connection) == 2
    assert scalar("select count(*) from api_key_uses") == 1
