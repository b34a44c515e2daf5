"""API keys."""

import pytest
from sqlalchemy import text

from services.accounts import keys
from services.db import transaction
from services.errors import BadInput, Conflict, Forbidden, NotFound, Unauthenticated

pytestmark = pytest.mark.usefixtures("database")


def test_it_shows_a_key_once_and_stores_only_its_hash() -> None:
    with transaction() as connection:
        shown = keys.create(connection, "tutor", ["telemetry"], source="tutor-app", environment="staging")
        stored = str(connection.execute(text("select row_to_json(api_keys)::text from api_keys")).scalar_one())
        key = keys.verify(connection, shown, "telemetry")
    secret = shown.split("_", 2)[2]
    assert secret not in stored
    assert secret.encode().hex() not in stored
    assert (key.name, key.source, key.environment, key.scopes) == ("tutor", "tutor-app", "staging", ("telemetry",))


def test_it_files_telemetry_under_the_name_unless_told_otherwise() -> None:
    with transaction() as connection:
        assert keys.verify(connection, keys.create(connection, "tutor", ["telemetry"]), "telemetry").source == "tutor"


def test_it_refuses_other_scopes_but_takes_admin_for_all() -> None:
    with transaction() as connection:
        metrics, admin = keys.create(connection, "m", ["metrics", "ask"]), keys.create(connection, "a", ["admin"])
        with pytest.raises(Forbidden, match="'m' has no scope telemetry"):
            keys.verify(connection, metrics, "telemetry")
        assert keys.verify(connection, metrics, "telemetry", "ask").name == "m"
        assert all(keys.verify(connection, admin, scope).name == "a" for scope in keys.SCOPES)


def test_it_refuses_what_is_not_exactly_a_live_key() -> None:
    with transaction() as connection:
        shown = keys.create(connection, "tutor", ["telemetry"])
        _, prefix, secret = shown.split("_", 2)
        flipped = secret[:-2] + ("AA" if secret[-2:] != "AA" else "BB")
        wrong = [
            "",
            "bnk",
            shown[:-1],
            shown + "A",
            f"bnk_{prefix}_{flipped}",
            f"bnk_{'0' * 12}_{secret}",
            shown.upper(),
            f"{shown}\n",
            "\x00",
            "é",
        ]
        for presented in wrong:
            with pytest.raises(Unauthenticated, match="unknown or revoked"):
                keys.verify(connection, presented, "telemetry")
        keys.revoke(connection, "tutor")
        keys.revoke(connection, "tutor")
        with pytest.raises(Unauthenticated, match="unknown or revoked"):
            keys.verify(connection, shown, "telemetry")


def test_it_notes_the_last_use_at_most_once_a_minute() -> None:
    with transaction() as connection:
        shown = keys.create(connection, "tutor", ["telemetry"])
    seen = []
    for age in ("", "10 seconds", "2 minutes"):
        with transaction() as connection:
            if age:
                connection.execute(text(f"update api_keys set last_used_at = now() - interval '{age}'"))
            keys.verify(connection, shown, "telemetry")
            seen.append(connection.execute(text("select last_used_at = now() from api_keys")).scalar_one())
    assert seen == [True, False, True]


def test_it_never_waits_for_a_lock_to_note_a_use() -> None:
    with transaction() as connection:
        shown = keys.create(connection, "tutor", ["telemetry"])
    with transaction() as holder, transaction() as connection:
        holder.execute(text("select 1 from api_keys for update"))
        connection.execute(text("set local lock_timeout = '500ms'"))
        assert keys.verify(connection, shown, "telemetry").name == "tutor"


@pytest.mark.parametrize(
    ("name", "scopes", "source"),
    [("", ["telemetry"], None), ("n", [], None), ("n", ["root"], None), (" n", ["ask"], None), ("n", ["ask"], "a\x00")],
)
def test_it_refuses_unusable_names_and_scopes(name: str, scopes: list[str], source: str | None) -> None:
    with transaction() as connection, pytest.raises(BadInput):
        keys.create(connection, name, scopes, source)


def test_it_gives_a_name_once_for_ever() -> None:
    with transaction() as connection:
        keys.create(connection, "tutor", ["telemetry"])
        keys.revoke(connection, "tutor")
        with pytest.raises(Conflict, match="revoked keys are not given again"):
            keys.create(connection, "tutor", ["telemetry"])
        with pytest.raises(NotFound):
            keys.revoke(connection, "nobody")
        assert [(key.name, key.revoked_at is not None) for key in keys.listing(connection)] == [("tutor", True)]
        audited = connection.execute(text("select action, detail from audit order by id")).all()
    assert audited == [("key.create", {"scopes": ["telemetry"]}), ("key.revoke", {})]
