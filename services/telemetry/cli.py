"""`python -m services forget-user KEY`."""

import argparse

from services.db import transaction
from services.telemetry import forget_user

ACTOR = "command line"
SAID = {
    "operations": "operations lose their user key",
    "sessions": "sessions lose their key, subject and cohort",
    "payloads": "prompts and completions are deleted",
    "feedback": "pieces of feedback lose their comment and user key",
    "rejected": "refused records are deleted",
}


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    forgetting = commands.add_parser("forget-user", help="delete what is stored of one user; counts and cost stay")
    forgetting.add_argument("key", help="the user's key, as applications tell it")
    forgetting.add_argument("--source", help="only what this source told (all of them)")
    forgetting.add_argument("--yes", action="store_true", help="do not ask")
    forgetting.set_defaults(run=_forget)


def _forget(args: argparse.Namespace) -> int:
    """Exit 0 when the user is forgotten, 1 when the answer was no."""
    if not args.yes:
        forget_user.settle()
        with transaction() as connection:
            _tell("Stored of this user:", forget_user.stored(connection, args.key, args.source))
        if not _agreed():
            print("Nothing was changed.")
            return 1
    _tell("Forgotten:", forget_user.forget(args.key, args.source, actor=ACTOR))
    return 0


def _agreed() -> bool:
    try:
        return input("This cannot be taken back. Forget this user? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _tell(heading: str, counts: dict[str, int]) -> None:
    print(heading)
    for name, words in SAID.items():
        print(f"  {counts[name]:>9,} {words}")
