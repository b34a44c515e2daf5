"""`python -m services verify` and `rebuild`."""

import argparse
import json
import sys
from datetime import date

from services.rollups.rebuild import rebuild
from services.rollups.verify import verify


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the two commands."""
    verifying = commands.add_parser("verify", help="recompute days from the stored operations and compare them to the rollups")
    first = "first day, YYYY-MM-DD, in the reporting zone; without a range everything that can be checked"
    verifying.add_argument("start", type=date.fromisoformat, nargs="?", help=first)
    verifying.add_argument("end", type=date.fromisoformat, nargs="?", help="day after the last")
    verifying.set_defaults(run=_verify)
    rebuilding = commands.add_parser("rebuild", help="make the rollups of days again from the stored operations")
    rebuilding.add_argument("start", type=date.fromisoformat, nargs="?", help="first day; without a range everything, in REPORTING_ZONE")
    rebuilding.add_argument("end", type=date.fromisoformat, nargs="?", help="day after the last")
    rebuilding.set_defaults(run=_rebuild)


def _verify(args: argparse.Namespace) -> int:
    """Exit 0 when everything agrees, 1 when something differs."""
    result = verify(args.start, args.end)
    print(json.dumps(result, indent=2, default=str))
    return 1 if result["differences"] else 0


def _rebuild(args: argparse.Namespace) -> int:
    def progress(done: int, total: int, note: str) -> None:
        print(f"\rrebuilt {done}/{total} days ({note})", end="" if done < total else "\n", file=sys.stderr)

    print(json.dumps(rebuild(args.start, args.end, progress, lambda: False)))
    return 0
