"""python -m workers dispatch | work QUEUE"""

import argparse
import sys

from services import log
from services.db import engine
from services.errors import BinnacleError
from workers import registry


def main() -> int:
    """Exit status: 0 after a clean stop, 2 when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m workers", description="Hand out jobs, or do them.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("dispatch", help="hand due jobs to the workers and rescue lost ones")
    work_parser = commands.add_parser("work", help="do the jobs of one queue")
    work_parser.add_argument("queue", choices=registry.QUEUES)
    arguments = parser.parse_args()
    try:
        engine()  # says clearly when DATABASE_URL is missing
        return _run(arguments)
    except BinnacleError as error:
        print(error, file=sys.stderr)
        return 2


def _run(arguments: argparse.Namespace) -> int:
    """Each command loads only what it needs: the dispatcher stays small."""
    if arguments.command == "dispatch":
        from workers.dispatch import dispatch_jobs

        log.configure("dispatch")
        return dispatch_jobs()
    from workers.worker import work

    log.configure(f"work-{arguments.queue}")
    return work(arguments.queue)


if __name__ == "__main__":
    sys.exit(main())
