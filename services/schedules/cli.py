"""`python -m services schedules …`: what runs when, and doing something about it."""

import argparse
import json
from collections.abc import Iterable
from datetime import UTC, datetime

from services.db import transaction
from services.errors import BadInput
from services.schedules import schedules
from services.schedules.plan import CATCH_UP_S, Plan, time_told
from services.schedules.slots import EVERY_DAY, Timing, label
from services.settings import settings

ACTOR = "command line"


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    actions = commands.add_parser("schedules", help="what runs when: list, create, pause, run now, dry-run").add_subparsers(
        required=True, metavar="ACTION"
    )
    actions.add_parser("list", help="list schedules with their last decision and their next run").set_defaults(run=_list)
    _create_arguments(actions.add_parser("create", help="create a schedule; it is due from now on"))
    for name, run, told in (
        ("pause", _pause, "run nothing until it is resumed"),
        ("resume", _resume, "run again from the next slot on"),
        ("run", _run, "run its job now, whatever the time"),
        ("next", _next, "print its next five slots"),
        ("delete", _delete, "forget it and its decisions; its jobs stay"),
        ("dry-run", _dry_run, "print what would be decided, without deciding it"),
    ):
        action = actions.add_parser(name, help=told)
        action.add_argument("name", metavar="NAME")
        action.set_defaults(run=run)
        if name == "dry-run":
            action.add_argument("--at", metavar="INSTANT", help="as if nobody had looked before then, such as 2026-01-31T12:00:00Z (now)")


def _create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--kind", required=True, help="the kind of its jobs")
    parser.add_argument("--queue", default="default", help="their queue (default)")
    parser.add_argument("--args", default="{}", metavar="JSON", help="their arguments ({})")
    parser.add_argument("--slot", action="append", default=[], metavar="HH:MM", help="a local time of the day; may be given several times")
    parser.add_argument("--every-s", type=int, metavar="N", help="every N seconds instead, counted from 1970")
    parser.add_argument("--weekday", type=int, action="append", metavar="1-7", help="only on this day, 1 is Monday; several times (all)")
    parser.add_argument("--zone", help="the IANA time zone of its slots (the reporting zone)")
    parser.add_argument("--catch-up-s", type=int, default=CATCH_UP_S, metavar="N", help=f"how late it may still run ({CATCH_UP_S})")
    parser.set_defaults(run=_create)


def _create(args: argparse.Namespace) -> int:
    slots = tuple(time_told(told) for told in args.slot)
    timing = Timing(args.zone or settings().reporting_zone, slots, args.every_s, tuple(args.weekday or EVERY_DAY))
    plan = Plan(args.kind, timing, args.queue, _arguments(args.args), args.catch_up_s)
    with transaction() as connection:
        schedules.create(connection, args.name, plan, actor=ACTOR)
    return _next(args)


def _arguments(told: str) -> dict[str, object]:
    try:
        value = json.loads(told)
    except ValueError as error:
        raise BadInput(f"args: this is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise BadInput("args: an object of arguments by name.")
    return value


def _list(_args: argparse.Namespace) -> int:
    with transaction() as connection:
        found = schedules.listing(connection)
    for line in found:
        schedule, timing = line.schedule, line.schedule.plan.timing
        last = f"{line.last[0].word} {line.last[0].local_label}" if line.last else "never"
        coming = f"paused by {schedule.paused_by}" if schedule.paused_at else label(line.upcoming[0], timing.zone)
        print(f"{schedule.name}: {schedule.plan.kind} {_timing(timing)}; last: {last}; next: {coming}")
    return 0


def _timing(timing: Timing) -> str:
    if timing.every_s is not None:
        return f"every {timing.every_s} s"
    days = "" if timing.weekdays == EVERY_DAY else f" on weekdays {_listed(timing.weekdays)}"
    return f"at {_listed(f'{slot:%H:%M:%S}' if slot.second else f'{slot:%H:%M}' for slot in timing.slots)}{days} {timing.zone}"


def _listed(things: Iterable[object]) -> str:
    return ", ".join(str(thing) for thing in things)


def _pause(args: argparse.Namespace) -> int:
    with transaction() as connection:
        schedules.pause(connection, args.name, actor=ACTOR)
    print(f"'{args.name}' is paused.")
    return 0


def _resume(args: argparse.Namespace) -> int:
    with transaction() as connection:
        schedules.resume(connection, args.name, actor=ACTOR)
    return _next(args)


def _run(args: argparse.Namespace) -> int:
    with transaction() as connection:
        job_id = schedules.run_now(connection, args.name, actor=ACTOR)
    print(f"Job {job_id} waits for a worker.")
    return 0


def _next(args: argparse.Namespace) -> int:
    with transaction() as connection:
        found = schedules.overview(connection, args.name)
    for slot in found.upcoming:
        print(f"{label(slot, found.schedule.plan.timing.zone)}  ({slot.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z)")
    return 0


def _delete(args: argparse.Namespace) -> int:
    with transaction() as connection:
        schedules.delete(connection, args.name, actor=ACTOR)
    print(f"'{args.name}' is deleted.")
    return 0


def _dry_run(args: argparse.Namespace) -> int:
    with transaction() as connection:
        zone = schedules.get(connection, args.name).plan.timing.zone
        found = schedules.dry_run(connection, args.name, _instant(args.at) if args.at else None)
    for decision in found:
        print(f"{label(decision.slot_at, zone)}: {decision.word}{f' ({decision.reason})' if decision.reason else ''}")
    if not found:
        print("Nothing is due.")
    return 0


def _instant(told: str) -> datetime:
    try:
        return datetime.fromisoformat(told)
    except ValueError:
        raise BadInput(f"at: '{told}' is no instant such as 2026-01-31T12:00:00Z.") from None
