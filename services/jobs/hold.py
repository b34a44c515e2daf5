"""How long a transaction of ours may hold rows that others wait for. A process that is stopped, or whose host is cut off, right between a
statement and its commit would else hold them until somebody notices: its job could be neither claimed nor rescued. Postgres ends such a
transaction instead, and nothing of it was done."""

from sqlalchemy import Connection, text

LONGEST = "10s"  # of silence between two statements
# For the list of what a statement answers with, its parameter `longest` being LONGEST: so it costs no round trip.
BRIEFLY = "set_config('idle_in_transaction_session_timeout', :longest, true)"


def briefly(connection: Connection) -> None:
    """Hold what this transaction gets from now on no longer than that."""
    connection.execute(text(f"select {BRIEFLY}"), {"longest": LONGEST})
