"""What a person can do about records from a page: it checks the role itself, in a transaction of its own, and is audited."""

from console.auth import identity, rights
from services.db import transaction
from services.records import imports, maps

ROLE = rights.action(__name__)


def bring(file_name: str, content: bytes, map_name: str) -> int:
    """Let a worker import a file by one of the ready-made maps; the import's id. Raises Forbidden and BadInput."""
    actor = identity.require(ROLE).name
    plan = maps.load(map_name)
    with transaction() as connection:
        import_id = imports.begin(connection, plan, map_name, file_name, len(content), actor)
        imports.queue(connection, import_id, plan, content, actor)
    return import_id
