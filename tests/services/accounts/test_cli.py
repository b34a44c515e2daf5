"""The commands of keys and users."""

import argparse
import getpass
import io

import pytest

from services.__main__ import main
from services.accounts import accounts, cli, keys, links, sign_ins
from services.db import transaction
from services.errors import BadInput, Unauthenticated

pytestmark = pytest.mark.usefixtures("database")


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    cli.register(parser.add_subparsers(required=True))
    args = parser.parse_args(words)
    code: int = args.run(args)
    return code


def test_it_creates_lists_and_revokes_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run("keys", "create", "--name", "tutor", "--scope", "telemetry", "--scope", "metrics", "--source", "t", "--environment", "staging")
        == 0
    )
    shown = capsys.readouterr().out.strip()
    with transaction() as connection:
        assert keys.verify(connection, shown, "metrics").environment == "staging"
    assert run("keys", "list") == 0
    listed = capsys.readouterr().out
    assert "metrics,telemetry" in listed
    assert shown.split("_", 2)[2] not in listed
    assert run("keys", "revoke", "tutor") == 0
    assert capsys.readouterr().out == "The key 'tutor' is revoked.\n"


def test_it_limits_and_rotates_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    run("keys", "create", "--name", "tutor", "--scope", "telemetry", "--rate", "70")
    old = capsys.readouterr().out.strip()
    assert run("keys", "rotate", "tutor", "--grace-hours", "0") == 0
    new = capsys.readouterr().out.strip()
    with transaction() as connection:
        assert keys.verify(connection, new, "telemetry").rate_per_minute == 70
        with pytest.raises(Unauthenticated):
            keys.verify(connection, old, "telemetry")
    run("keys", "list")
    header, listed = capsys.readouterr().out.splitlines()
    assert "old secret until" in header
    assert listed[header.index("limit/min") :].split()[0] == "70"


def test_it_says_why_a_key_is_not_rotated_again(capsys: pytest.CaptureFixture[str]) -> None:
    run("keys", "create", "--name", "tutor", "--scope", "telemetry")
    assert run("keys", "rotate", "tutor") == 0
    capsys.readouterr()
    assert main(["keys", "rotate", "tutor"]) == 2
    told = capsys.readouterr()
    assert not told.out
    assert "its old secret works until" in told.err


def test_it_creates_a_user_with_a_link_and_makes_more_links(capsys: pytest.CaptureFixture[str]) -> None:
    run("users", "create", "Jane", "--role", "operator")
    run("users", "link", "jane")
    urls = [line for line in capsys.readouterr().out.splitlines() if "/sign-in/link?token=" in line]
    with transaction() as connection:
        for url in urls:
            known = sign_ins.who(connection, links.use(connection, url.partition("token=")[2]))
            assert known is not None
            assert (known.name, known.role) == ("jane", "operator")
    assert len(urls) == 2


def test_it_sets_a_password_from_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run("users", "create", "jane", "--role", "admin")
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    run("users", "password", "jane", "--password-stdin")
    assert sign_ins.sign_in("jane", "correct horse battery", "192.0.2.1")
    capsys.readouterr()
    run("users", "list")
    assert capsys.readouterr().out.splitlines()[1].split()[:3] == ["jane", "admin", "yes"]


def test_it_asks_for_a_password_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    run("users", "create", "jane", "--role", "viewer")
    typed = iter(["correct horse battery", "correct horse batery", "correct horse battery", "correct horse battery"])
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: next(typed))
    with pytest.raises(BadInput, match="differ"):
        run("users", "password", "jane")
    assert run("users", "password", "jane") == 0
    assert sign_ins.sign_in("jane", "correct horse battery", "192.0.2.1")


def test_it_disables_a_user() -> None:
    run("users", "create", "jane", "--role", "viewer")
    run("users", "disable", "jane")
    with transaction() as connection:
        assert accounts.by_name(connection, "jane").disabled_at is not None
