"""python -m services COMMAND: what an operator does from a shell."""

import argparse
import sys
from collections.abc import Sequence

from services.accounts import cli as accounts
from services.ask import cli as ask
from services.db import cli as database
from services.errors import BinnacleError
from services.pricing import cli as pricing
from services.records import cli as records
from services.rollups import cli as rollups
from services.schedules import cli as schedules
from services.sitewide import cli as sitewide
from services.telemetry import cli as telemetry
from services.telemetry.importers import cli as importers


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an expected failure is one sentence on stderr and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m services", description="Binnacle from the command line.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for noun in (accounts, importers, records, rollups, pricing, telemetry, schedules, sitewide, ask, database):
        noun.register(commands)
    args = parser.parse_args(arguments)
    try:
        return int(args.run(args))
    except BinnacleError as error:
        print(f"{error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
