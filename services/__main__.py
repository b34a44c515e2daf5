"""python -m services COMMAND: what an operator does from a shell."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from services.errors import BinnacleError

# Only what a command needs is imported: all of it takes a second longer.
COMMANDS = {
    "keys": "services.accounts.cli",
    "users": "services.accounts.cli",
    "import": "services.telemetry.importers.cli",
    "records": "services.records.cli",
    "verify": "services.rollups.cli",
    "rebuild": "services.rollups.cli",
    "prices": "services.pricing.cli",
    "forget-user": "services.telemetry.cli",
    "schedules": "services.schedules.cli",
    "sitewide": "services.sitewide.cli",
    "ask": "services.ask.cli",
    "migrate": "services.db.cli",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an expected failure is one sentence on stderr and exit code 2."""
    told = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m services", description="Binnacle from the command line.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    asked = COMMANDS.get(told[0]) if told else None
    for noun in [asked] if asked else dict.fromkeys(COMMANDS.values()):
        import_module(noun).register(commands)
    args = parser.parse_args(told)
    try:
        return int(args.run(args))
    except BinnacleError as error:
        print(f"{error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
