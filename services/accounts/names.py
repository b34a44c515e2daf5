"""Names of accounts: what one may be, and whose each is.

A name is one account's for ever, also when that has another name by now or is gone: the audit, jobs and schedules tell who did something
by the name of that day, and whoever could take a freed name would take over what is told of it.
"""

import re

from sqlalchemy import Connection, text

from services.errors import BadInput, Conflict

FIRST = "admin"  # what the first link calls its account, and later links look for
# What the audit, jobs and schedules call those who are no account; "command line" and "key:NAME" can be none for their characters.
RESERVED = ("nobody", "readers", "schedule", "system")
FORM = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]{0,62}[a-z0-9])?")


def usable(name: str) -> str:
    """The name in lower case; raises BadInput when it is not one, or stands for what is no account."""
    lowered = name.strip().lower()
    if not FORM.fullmatch(lowered):
        raise BadInput("A name has 1 to 64 letters, digits or . _ @ + - and begins and ends with a letter or a digit.")
    if lowered in RESERVED:
        raise BadInput(f"'{lowered}' stands in the audit log for what is no person: choose another name.")
    return lowered


def take(connection: Connection, name: str, account_id: int, role: str) -> None:
    """Make a usable name this account's for ever; one that it had before it may have again.

    Raises Conflict for a name that another account has or had, and for that of the first admin when this account is no admin.
    """
    if name == FIRST and role != "admin":
        raise Conflict(f"The name '{FIRST}' is only for an account with the role admin: choose another one.")
    mine = connection.execute(
        text(
            "insert into account_names as known (name, account_id) values (:name, :id)"
            " on conflict (name) do update set account_id = known.account_id where known.account_id = excluded.account_id returning name"
        ),
        {"name": name, "id": account_id},
    ).one_or_none()
    if mine is None:
        raise Conflict(f"There is already an account that has or had the name '{name}': choose another one.")
