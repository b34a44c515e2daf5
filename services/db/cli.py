"""`python -m services migrate`."""

import argparse

from services.db.migrate import downgrade, upgrade


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    migrating = commands.add_parser("migrate", help="bring the database to the newest schema")
    migrating.add_argument("--down-to", metavar="REVISION", help="take migrations back instead ('base' empties the schema)")
    migrating.set_defaults(run=_migrate)


def _migrate(args: argparse.Namespace) -> int:
    if args.down_to:
        downgrade(args.down_to)
    else:
        upgrade()
    return 0
