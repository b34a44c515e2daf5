"""What a person does with saved views: each in a transaction of its own, the role checked where the view is kept."""

from console.auth import identity
from services.db import transaction
from services.explore import views


def save(name: str, address: str, *, shared: bool) -> str:
    """Keep an address of Explore. Raises BadInput, Forbidden and Conflict."""
    who = identity.current()
    with transaction() as connection:
        view = views.save(connection, who, name, address, shared=shared)
    return f"The view '{view.name}' is saved{' and shared' if shared else ''}."


def rename(view_id: int, name: str) -> str:
    """Give a view another name. Raises BadInput, NotFound, Forbidden and Conflict."""
    who = identity.current()
    with transaction() as connection:
        views.rename(connection, who, view_id, name)
    return "The view is renamed."


def share(view_id: int, *, shared: bool) -> str:
    """Show a view to everybody, or only to its owner. Raises NotFound and Forbidden."""
    who = identity.current()
    with transaction() as connection:
        views.share(connection, who, view_id, shared=shared)
    return "The view is shared." if shared else "The view is its owner's alone."


def delete(view_id: int) -> str:
    """Delete a view. Raises NotFound and Forbidden."""
    who = identity.current()
    with transaction() as connection:
        views.delete(connection, who, view_id)
    return "The view is deleted."
