"""Names and conversations from before an upgrade belong afterwards to whom they belonged, or to nobody."""

import pytest
from sqlalchemy import text

from services.accounts import accounts
from services.accounts.accounts import Account
from services.ask import conversation
from services.ask.asker import Asker
from services.db import forget, transaction
from services.db.migrate import downgrade, upgrade
from services.errors import Conflict

BEFORE = "0017"
# Jane was the admin, and gave the name up; bob took it.
STORED = """
insert into accounts (name, role, created_at)
    select name, role, now() - interval '9 days' from (values ('jane', 'admin'), ('admin', 'viewer'), ('joe', 'viewer')) told (name, role);
insert into audit (at, actor, action, subject, before) values
    (now() - interval '5 days', 'admin', 'account.rename', 'jane', '{"name": "admin"}'),
    (now() - interval '4 days', 'bob', 'account.rename', 'admin', '{"name": "bob"}'),
    (now() - interval '4 days', 'key:app', 'job.cancel', 'job 1', null), (now() - interval '3 days', 'gone', 'job.cancel', 'job 1', null);
insert into ask_conversations (id, actor, started_at)
    select gen_random_uuid(), actor, now() - make_interval(days => days)
    from (values ('admin', 6), ('admin', 3), ('jane', 3), ('joe', 8), ('bob', 6), ('key:app', 3)) told (actor, days);
insert into ask_turns (conversation_id, actor, message, source, reply, response_ms)
    select id, actor, actor || ' ' || round(extract(epoch from now() - started_at) / 86400), 'faq', '{}', 1 from ask_conversations;
"""


@pytest.fixture
def upgraded(database: None) -> dict[str, Account]:
    """Accounts by name as the upgrade finds them."""
    forget()
    downgrade(BEFORE)
    try:
        with transaction() as connection:
            connection.exec_driver_sql(STORED)
    finally:
        forget()
        upgrade()
    with transaction() as connection:
        return {account.name: account for account in accounts.listing(connection)}


def asked(asker: Asker) -> list[str]:
    with transaction() as connection:
        listed = conversation.listing(connection, asker)
        turns = [turn.message for told, _, _ in listed for turn in conversation.turns(connection, told, asker)]
    assert [first for _, _, first in listed] == turns
    return turns


def test_a_conversation_is_of_who_had_the_name_when_it_began(upgraded: dict[str, Account]) -> None:
    assert {name: asked(Asker.person(account)) for name, account in upgraded.items()} == {
        "jane": ["jane 3"], "admin": ["admin 3"], "joe": ["joe 8"],
    }  # fmt: skip
    assert asked(Asker("key:app", "viewer")) == ["key:app 3"]
    with transaction() as connection:
        assert connection.execute(text("select count(*) from ask_turns where owner_id is null")).scalar_one() == 3


@pytest.mark.parametrize("name", ["jane", "bob", "gone"])
def test_names_of_before_stay_taken(upgraded: dict[str, Account], name: str) -> None:
    with transaction() as connection:
        with pytest.raises(Conflict, match="already an account"):
            accounts.create(connection, name, "viewer")
        with pytest.raises(Conflict, match="has or had"):
            accounts.rename(connection, upgraded["joe"], name)
        accounts.rename(connection, upgraded["joe"], "joseph")
        accounts.rename(connection, upgraded["joe"], "joe")


def test_a_step_back_leaves_everybody_their_own(upgraded: dict[str, Account]) -> None:
    forget()
    downgrade(BEFORE)
    try:
        with transaction() as connection:
            found = connection.execute(text("select actor, count(*) as n from ask_conversations group by 1 order by 1")).all()
    finally:
        forget()
        upgrade()
    assert {row.actor: row.n for row in found} == {"admin": 2, "bob": 1, "jane": 1, "joe": 1, "key:app": 1}
