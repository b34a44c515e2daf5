"""Postgres: one engine a process, one transaction a unit of work, migrations as the only schema."""

from services.db.engine import engine, forget, hang_up, statement, transaction

__all__ = ["engine", "forget", "hang_up", "statement", "transaction"]
