"""Postgres: one engine a process, one transaction a unit of work, migrations as the only schema."""

from services.db.engine import engine, transaction

__all__ = ["engine", "transaction"]
