"""What an admin can do about people and models from a page: each checks the role itself, in a transaction of its own, and is audited."""

from collections.abc import Mapping

from console.auth import identity, rights
from services.accounts import accounts, links
from services.ai import models
from services.ai.request import Task
from services.db import transaction

ROLE = rights.action(__name__)


def create_account(name: str, role: str) -> str:
    """A new account; the address that signs it in once. Raises Forbidden, BadInput and Conflict."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        made = accounts.create(connection, name, role, actor=actor)
        return links.url(links.mint(connection, made.name, actor=actor))


def link(name: str) -> str:
    """An address that signs an account in once. Raises Forbidden, NotFound and Conflict."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        return links.url(links.mint(connection, accounts.by_name(connection, name).name, actor=actor))


def change_role(name: str, role: str) -> str:
    """Another role for an account, said in words. Raises Forbidden, NotFound, BadInput and Conflict."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        accounts.change_role(connection, name, role, actor=actor)
    return f"{name} has the role {role}."


def switch(name: str, *, on: bool) -> str:
    """Refuse an account, or let it in again, said in words. Raises Forbidden, NotFound and Conflict."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        (accounts.enable if on else accounts.disable)(connection, name, actor=actor)
    return f"{name} may sign in again." if on else f"{name} is refused from now on."


def change_models(task: Task, told: Mapping[str, object]) -> str:
    """Other settings of a task, or with none the file's own, said in words. Raises Forbidden and BadInput."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        models.change(connection, task, told, actor)
    return f"The task {task} is answered as you said." if told else f"The task {task} is answered as the file says."
