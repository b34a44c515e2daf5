"""The audit log: who, what, before and after, filtered and page by page."""

import pytest

from services.accounts import accounts, audit, keys
from services.ai import budgets, models
from services.db import transaction
from services.errors import Conflict, NotFound
from services.jobs import control, truth

pytestmark = pytest.mark.usefixtures("database")


def lines(**which: object) -> list[audit.Line]:
    with transaction() as connection:
        return audit.listing(connection, **which)  # type: ignore[arg-type]


def newest() -> tuple[str, str, str, object, object]:
    line = lines(limit=1)[0]
    return line.actor, line.action, line.subject, line.before, line.after


def test_accounts_say_what_was_and_what_is() -> None:
    with transaction() as connection:
        accounts.create(connection, "root", "admin")
        accounts.create(connection, "vera", "viewer", actor="root")
        accounts.change_role(connection, "vera", "operator", actor="root")
        accounts.change_role(connection, "vera", "operator", actor="root")
    assert newest() == ("root", "account.role", "vera", {"role": "viewer"}, {"role": "operator"})
    with transaction() as connection:
        accounts.disable(connection, "vera", actor="root")
    assert newest()[3:] == ({"role": "operator", "disabled": False}, {"role": "operator", "disabled": True})
    with transaction() as connection:
        accounts.enable(connection, "vera", actor="root")
    assert [line.action for line in lines()] == ["account.enable", "account.disable", "account.role", "account.create"]
    assert lines(action="account.create")[0].before is None


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_the_last_admin_keeps_the_role(role: str) -> None:
    with transaction() as connection:
        accounts.create(connection, "root", "admin")
    with pytest.raises(Conflict, match="last admin"), transaction() as connection:
        accounts.change_role(connection, "root", role, actor="root")
    with pytest.raises(NotFound), transaction() as connection:
        accounts.change_role(connection, "nobody", role, actor="root")
    assert lines() == []


def test_a_key_is_named_with_its_scopes_and_never_with_its_secret() -> None:
    with transaction() as connection:
        secret = keys.create(connection, "shop", ["telemetry"], actor="ada")
        keys.revoke(connection, "shop", actor="ada")
    assert newest()[3:] == ({"scopes": ["telemetry"], "revoked": False}, {"scopes": ["telemetry"], "revoked": True})
    assert secret.split("_", 2)[2] not in str(lines())  # there may be "_" in the secret itself


def test_budgets_and_models() -> None:
    with transaction() as connection:
        made = budgets.set_budget(connection, scope="all", period="day", cap_nano=3 * budgets.NANO, actor="ada")
    before, after = newest()[3:]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert (before["cap_nano"], after["cap_nano"]) == (1 * budgets.NANO, 3 * budgets.NANO)
    with transaction() as connection:
        budgets.end(connection, made, "ada")
    before, after = newest()[3:]
    assert isinstance(before, dict)
    assert (before["cap_nano"], after) == (3 * budgets.NANO, None)
    with transaction() as connection:
        models.change(connection, "fast", {"max_output_tokens": 99}, "ada")
    before, after = newest()[3:]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert (before["max_output_tokens"], after["max_output_tokens"]) == (512, 99)


def test_jobs_and_their_limits() -> None:
    with transaction() as connection:
        ids = [truth.enqueue(connection, "a.b", queue="q") for _ in range(3)]
    control.cancel("ada", ids=[number for number in ids if number])
    assert newest() == ("ada", "job.cancel", "3 jobs", {"states": {"queued": 3}}, {"states": {"cancelled": 3}})
    control.cap("ada", "queue", "q", 4)
    assert newest()[3:] == ({"cap": None, "paused": False}, {"cap": 4, "paused": False})


def test_it_is_filtered_and_paged() -> None:
    with transaction() as connection:
        for n in range(7):
            audit.record(connection, "ada" if n % 2 else "bob", "key.create" if n < 3 else "budget.set", f"Thing {n}")
    assert [line.subject for line in lines(actor="ada")] == ["Thing 5", "Thing 3", "Thing 1"]
    assert [line.subject for line in lines(action="key")] == ["Thing 2", "Thing 1", "Thing 0"]
    assert [line.subject for line in lines(subject="thing 4")] == ["Thing 4"]
    first = lines(limit=4)
    rest = lines(limit=4, before_id=first[-1].id)
    assert [line.subject for line in first + rest] == [f"Thing {n}" for n in range(6, -1, -1)]
    with transaction() as connection:
        assert audit.known(connection) == (["ada", "bob"], ["budget.set", "key.create"])
