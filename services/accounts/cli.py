"""`python -m services keys …` and `python -m services users …`."""

import argparse
import getpass
import sys
from datetime import datetime

from services.accounts import accounts, keys, links
from services.db import transaction
from services.errors import BadInput

ACTOR = "command line"


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands of keys and users."""
    _register_keys(
        commands.add_parser("keys", help="create, list, rotate, revoke API keys").add_subparsers(required=True, metavar="ACTION")
    )
    _register_users(commands.add_parser("users", help="create, list and disable accounts").add_subparsers(required=True, metavar="ACTION"))


def _register_keys(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    create = actions.add_parser("create", help="create a key and print it once")
    create.add_argument("--name", required=True)
    create.add_argument("--scope", required=True, action="append", choices=keys.SCOPES, help="may be given several times")
    create.add_argument("--source", help="what its telemetry is filed under (the key's name)")
    create.add_argument("--environment", help="the environment of operations that name none")
    create.add_argument("--rate", type=int, metavar="N", help="refuse more than N requests a minute (no limit)")
    create.set_defaults(run=_create_key)
    actions.add_parser("list", help="list keys, without their secrets").set_defaults(run=_list_keys)
    rotate = actions.add_parser("rotate", help="give a key a new secret and print it once")
    rotate.add_argument("name")
    hours = f"how long the old secret still works, 0 to {keys.MOST_GRACE_HOURS} ({keys.GRACE_HOURS})"
    rotate.add_argument("--grace-hours", type=int, metavar="H", default=keys.GRACE_HOURS, help=hours)
    rotate.set_defaults(run=_rotate_key)
    revoke = actions.add_parser("revoke", help="refuse a key from now on")
    revoke.add_argument("name")
    revoke.set_defaults(run=_revoke_key)


def _register_users(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    create = actions.add_parser("create", help="create an account; it signs in by a link until it has a password")
    create.add_argument("name")
    create.add_argument("--role", required=True, choices=accounts.ROLES)
    create.set_defaults(run=_create_user)
    password = actions.add_parser("password", help="set an account's password and end its sessions")
    password.add_argument("name")
    password.add_argument("--password-stdin", action="store_true", help="read it from standard input instead of asking")
    password.set_defaults(run=_set_password)
    actions.add_parser("list", help="list accounts").set_defaults(run=_list_users)
    link = actions.add_parser("link", help="print a link that signs an account in once")
    link.add_argument("name")
    link.set_defaults(run=_link_user)
    disable = actions.add_parser("disable", help="refuse an account from now on and end its sessions")
    disable.add_argument("name")
    disable.set_defaults(run=_disable_user)


def _create_key(args: argparse.Namespace) -> int:
    with transaction() as connection:
        key = keys.create(connection, args.name, args.scope, args.source, args.environment, rate_per_minute=args.rate, actor=ACTOR)
    print(key)
    return 0


def _rotate_key(args: argparse.Namespace) -> int:
    with transaction() as connection:
        key = keys.rotate(connection, args.name, args.grace_hours, actor=ACTOR)
    print(key)
    return 0


def _list_keys(_args: argparse.Namespace) -> int:
    with transaction() as connection:
        found = keys.listing(connection)
    _print_table(
        ("name", "prefix", "scopes", "source", "environment", "created", "last used", "limit/min", "old secret until", "revoked"),
        [
            (
                k.name,
                k.prefix,
                ",".join(k.scopes),
                k.source,
                k.environment or "-",
                _day(k.created_at),
                _day(k.last_used_at),
                "-" if k.rate_per_minute is None else str(k.rate_per_minute),
                _day(k.previous_until),
                _day(k.revoked_at),
            )
            for k in found
        ],
    )
    return 0


def _revoke_key(args: argparse.Namespace) -> int:
    with transaction() as connection:
        keys.revoke(connection, args.name, actor=ACTOR)
    print(f"The key '{args.name}' is revoked.")
    return 0


def _create_user(args: argparse.Namespace) -> int:
    with transaction() as connection:
        account = accounts.create(connection, args.name, args.role, actor=ACTOR)
        token = links.mint(connection, account.name, actor=ACTOR)
    print(f"The account '{account.name}' signs in once within {links.HOURS} hours with:\n{links.url(token)}")
    return 0


def _set_password(args: argparse.Namespace) -> int:
    password = sys.stdin.readline().rstrip("\r\n") if args.password_stdin else _ask_password()
    with transaction() as connection:
        account = accounts.by_name(connection, args.name)
        accounts.set_password(connection, account, password, actor=ACTOR)
    print(f"The password of '{account.name}' is set and its sessions are ended.")
    return 0


def _ask_password() -> str:
    password = getpass.getpass("New password: ")
    if getpass.getpass("Once more: ") != password:
        raise BadInput("The two passwords differ.")
    return password


def _list_users(_args: argparse.Namespace) -> int:
    with transaction() as connection:
        found = accounts.listing(connection)
    _print_table(
        ("name", "role", "password", "created", "disabled"),
        [(a.name, a.role, "yes" if a.has_password else "no", _day(a.created_at), _day(a.disabled_at)) for a in found],
    )
    return 0


def _link_user(args: argparse.Namespace) -> int:
    with transaction() as connection:
        token = links.mint(connection, args.name, actor=ACTOR)
    print(links.url(token))
    return 0


def _disable_user(args: argparse.Namespace) -> int:
    with transaction() as connection:
        accounts.disable(connection, args.name, actor=ACTOR)
    print(f"The account '{args.name}' is disabled.")
    return 0


def _day(instant: datetime | None) -> str:
    return "-" if instant is None else f"{instant:%Y-%m-%d %H:%M}"


def _print_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
