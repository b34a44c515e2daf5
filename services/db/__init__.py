"""Postgres: one engine a process, one transaction a unit of work, migrations as the only schema."""

from services.db.engine import engine, forget, hang_up, transaction
from services.db.look import reading

__all__ = ["engine", "forget", "hang_up", "reading", "transaction"]
