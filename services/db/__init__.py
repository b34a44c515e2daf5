"""Postgres: one engine a process, one transaction a unit of work, migrations as the only schema."""

from services.db.engine import engine, forget, transaction

__all__ = ["engine", "forget", "transaction"]
