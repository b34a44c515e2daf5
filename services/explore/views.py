"""Saved views: a name for an address of Explore, kept for oneself or shared with everybody."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import Connection, text

from services.accounts import audit
from services.accounts.accounts import Account
from services.errors import BadInput, Conflict, Forbidden, NotFound

SHARER = "analyst"  # the weakest role that may share
KEEPER = "admin"  # may also rename and delete what others shared
LONGEST_NAME, LONGEST_ADDRESS = 100, 4_000
MOST = 200  # views of one person
SELECT = """
select v.id, v.name, v.owner_id, a.name as owner, v.shared, v.address, v.updated_at from saved_views v join accounts a on a.id = v.owner_id
"""


@dataclass(frozen=True, slots=True)
class View:
    """`address` is the part of Explore's address after the question mark."""

    id: int
    name: str
    owner_id: int
    owner: str
    shared: bool
    address: str
    updated_at: datetime


def listing(connection: Connection, who: Account) -> list[View]:
    """One's own views, then those that others share, by name."""
    found = connection.execute(
        text(f"{SELECT} where v.owner_id = :id or v.shared order by v.owner_id <> :id, v.name, v.id"), {"id": who.id}
    )
    return [View(*row) for row in found]


def save(connection: Connection, who: Account, name: str, address: str, *, shared: bool) -> View:
    """Keep an address under a name of one's own; the same name again replaces it.

    Raises BadInput for the name or address, Forbidden for sharing without the role, Conflict beyond MOST views.
    """
    if shared:
        who.require(SHARER)
    told = {"owner_id": who.id, "name": _usable(name), "shared": shared, "address": _plain(address)}
    before = connection.execute(
        text("select id, address, shared from saved_views where (owner_id, name) = (:owner_id, :name) for update"), told
    ).one_or_none()
    many = connection.execute(text("select count(*) from saved_views where owner_id = :owner_id"), told).scalar_one()
    if before is None and many >= MOST:
        raise Conflict(f"There are {MOST} views of yours already: delete one first.")
    made = connection.execute(
        text(
            "insert into saved_views (owner_id, name, shared, address) values (:owner_id, :name, :shared, :address)"
            " on conflict (owner_id, name) do update set shared = excluded.shared, address = excluded.address, updated_at = now()"
            " returning id"
        ),
        told,
    ).scalar_one()
    after = {"address": told["address"], "shared": shared}
    audit.record(
        connection, who.name, "view.save", f"{told['name']}",
        before=None if before is None else {"address": before.address, "shared": before.shared}, after=after,
    )  # fmt: skip
    return get(connection, who, made)


def get(connection: Connection, who: Account, view_id: int) -> View:
    """A view that one may see; raises NotFound, for somebody else's private ones too."""
    row = connection.execute(
        text(f"{SELECT} where v.id = :view and (v.owner_id = :id or v.shared)"), {"view": view_id, "id": who.id}
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such view; it may have been deleted or made private.")
    return View(*row)


def rename(connection: Connection, who: Account, view_id: int, name: str) -> None:
    """Raises BadInput, NotFound, Forbidden for somebody else's, Conflict when its owner has another of that name."""
    view = _own(connection, who, view_id)
    usable = _usable(name)
    taken = "select exists (select from saved_views where (owner_id, name) = (:owner, :name) and id <> :id)"
    if connection.execute(text(taken), {"owner": view.owner_id, "name": usable, "id": view.id}).scalar():
        raise Conflict(f"There is already a view named '{usable}'.")
    connection.execute(text("update saved_views set name = :name, updated_at = now() where id = :id"), {"name": usable, "id": view.id})
    audit.record(connection, who.name, "view.rename", usable, {"owner": view.owner}, before={"name": view.name}, after={"name": usable})


def share(connection: Connection, who: Account, view_id: int, *, shared: bool) -> None:
    """Let everybody see it, or only its owner. Raises NotFound and Forbidden."""
    view = _own(connection, who, view_id)
    if shared:
        who.require(SHARER)
    connection.execute(
        text("update saved_views set shared = :shared, updated_at = now() where id = :id"), {"shared": shared, "id": view.id}
    )
    before, after = {"shared": view.shared}, {"shared": shared}
    audit.record(connection, who.name, "view.share", view.name, {"owner": view.owner}, before=before, after=after)


def delete(connection: Connection, who: Account, view_id: int) -> None:
    """Raises NotFound and Forbidden."""
    view = _own(connection, who, view_id)
    connection.execute(text("delete from saved_views where id = :id"), {"id": view.id})
    audit.record(
        connection, who.name, "view.delete", view.name, {"owner": view.owner}, before={"address": view.address, "shared": view.shared}
    )


def _own(connection: Connection, who: Account, view_id: int) -> View:
    view = get(connection, who, view_id)
    if view.owner_id != who.id and not who.may(KEEPER):
        raise Forbidden(f"'{view.name}' is {view.owner}'s: save a view of your own instead.")
    return view


def _usable(name: str) -> str:
    words = " ".join(name.split())
    if not words or len(words) > LONGEST_NAME or not words.isprintable():
        raise BadInput(f"A view's name has 1 to {LONGEST_NAME} printable characters.")
    return words


def _plain(address: str) -> str:
    """The address as names and values, so that a saved one leads nowhere but to Explore."""
    written = urlencode(parse_qsl(address.removeprefix("?")))
    if not written or len(written) > LONGEST_ADDRESS or "%00" in written:
        raise BadInput(f"There is nothing to save, or more than {LONGEST_ADDRESS:,} characters of it.")
    return written
