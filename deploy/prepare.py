"""python -m deploy.prepare: bring the database to today's schema and order what a new console needs; then end.

A process of its own, so that the launcher, which lives as long as the console, stays small.
"""

import sys

from sqlalchemy import text

from services import jobs
from services.db import transaction
from services.db.migrate import upgrade
from services.errors import BinnacleError

SAMPLE = "--sample"


def order_sample() -> bool:
    """Have sample traffic generated, once, where nothing has arrived yet; whether it was ordered now."""
    with transaction() as connection:
        empty = connection.execute(text("select not exists (select from series) and not exists (select from telemetry_inbox)")).scalar_one()
        return bool(empty) and jobs.enqueue(connection, "sample.generate", queue="default", dedupe_key="sample.generate") is not None


def main() -> int:
    """Exit 0 when everything is prepared; otherwise 2 and one sentence on stderr."""
    try:
        upgrade()
        if SAMPLE in sys.argv and order_sample():
            print("Sample traffic will arrive in the background (SAMPLE_DATA=no starts empty).")
    except BinnacleError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
