"""Brings a database to the newest schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"


def config() -> Config:
    """Alembic's configuration without an ini file; the URL comes from settings in env.py."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.set_main_option("path_separator", "os")
    return made


def upgrade(revision: str = "head") -> None:
    """Apply migrations up to `revision`, each in the one transaction of the run, under a lock."""
    command.upgrade(config(), revision)


def downgrade(revision: str) -> None:
    """Take migrations back down to `revision` ("base" for an empty schema)."""
    command.downgrade(config(), revision)
