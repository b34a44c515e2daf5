"""`python -m services prices …`: prices of our own, re-pricing, and the bill beside our telemetry."""

import argparse
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd

from services.clock import day_start
from services.db import transaction
from services.errors import BadInput
from services.pricing import overrides, reconcile, reprice
from services.settings import settings

ACTOR = "command line"


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    prices = commands.add_parser("prices", help="prices of our own, re-pricing, comparing with a bill")
    actions = prices.add_subparsers(required=True, metavar="ACTION")
    adding = actions.add_parser("override", help="add a price of our own; the list's stands for everything else")
    _price_arguments(adding)
    adding.set_defaults(run=_override)
    ending = actions.add_parser("end", help="let an override price no call that starts from now on")
    ending.add_argument("id", type=int)
    ending.add_argument("--withdraw", action="store_true", help="as if it had never been; what was priced keeps its cost until re-priced")
    ending.set_defaults(run=_end)
    actions.add_parser("overrides", help="list the prices of our own").set_defaults(run=_overrides)
    pricing = actions.add_parser("reprice", help="show what stored calls would cost by the prices of now; with --apply, have it done")
    pricing.add_argument("--start", type=date.fromisoformat, required=True, help="first day, YYYY-MM-DD, in the reporting zone")
    pricing.add_argument("--end", type=date.fromisoformat, required=True, help="day after the last")
    pricing.add_argument("--provider", help="only calls of this provider")
    pricing.add_argument("--model", help="only calls of this model; may end in *")
    pricing.add_argument("--apply", action="store_true", help="let a worker do it")
    pricing.set_defaults(run=_reprice)
    reversing = actions.add_parser("reverse", help="let a worker take a re-pricing back")
    reversing.add_argument("id", type=int)
    reversing.set_defaults(run=_reverse)
    comparing = actions.add_parser("reconcile", help="compare a provider's CSV with our telemetry, by UTC day and model")
    comparing.add_argument("file", type=Path)
    comparing.add_argument("--provider", help="only our calls of this provider (default: those whose models the bill names)")
    comparing.add_argument(
        "--column", action="append", default=[], metavar="FIELD=COLUMN[+COLUMN]", help="where a column is not recognised"
    )
    comparing.set_defaults(run=_reconcile)


def _price_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="its name; may end in * for all that begin like that")
    parser.add_argument("--provider", help="only calls of this provider")
    for kind in overrides.KINDS:
        unit = "USD per request" if kind == "request" else "USD per million tokens"
        parser.add_argument(f"--{kind.replace('_', '-')}", required=kind in ("input", "output"), help=unit)
    parser.add_argument("--from", dest="effective_from", required=True, help="day in the reporting zone, or an instant with its zone")
    parser.add_argument("--to", dest="effective_to", help="the first day or instant it no longer holds")
    parser.add_argument("--source", required=True, help="where the price is written, such as 'contract 2026'")


def _override(args: argparse.Namespace) -> int:
    with transaction() as connection:
        made = overrides.add(
            connection,
            model=args.model,
            provider=args.provider,
            units={kind: getattr(args, kind) for kind in overrides.KINDS if getattr(args, kind) is not None},
            effective_from=_instant(args.effective_from, "--from"),
            effective_to=_instant(args.effective_to, "--to") if args.effective_to else None,
            source=args.source,
            actor=ACTOR,
        )
    print(f"Override {made} prices what arrives from now on; `prices reprice` applies it to what is stored.")
    return 0


def _instant(told: str, argument: str) -> datetime:
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        raise BadInput(f"{argument}: '{told}' is no day such as 2026-01-31 and no instant such as 2026-01-31T12:00:00Z.") from None
    if moment.utcoffset() is not None:
        return moment
    if len(told) > len("2026-01-31"):
        raise BadInput(f"{argument}: the instant must say its zone.")
    return day_start(moment.date(), settings().zone)


def _end(args: argparse.Namespace) -> int:
    with transaction() as connection:
        overrides.end(connection, args.id, ACTOR, withdraw=args.withdraw)
    print(f"Override {args.id} is {'withdrawn' if args.withdraw else 'ended'}.")
    return 0


def _overrides(_args: argparse.Namespace) -> int:
    with transaction() as connection:
        found = overrides.listing(connection)
    rows = [
        {
            "id": o.id,
            "provider": o.provider or "any",
            "model": o.model,
            "USD": ", ".join(f"{kind} {price}" for kind, price in o.units.items()),
            "from": _moment(o.effective_from),
            "to": _moment(o.until),
            "source": o.source,
            "by": o.created_by,
        }
        for o in found
    ]
    _print(pd.DataFrame(rows))
    return 0


def _moment(instant: datetime | None) -> str:
    return "-" if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def _reprice(args: argparse.Namespace) -> int:
    with transaction() as connection:
        found = reprice.preview(connection, args.start, args.end, args.provider, args.model)
        gone = reprice.gone(connection, args.start, args.end)
        _print(found[found["changed"] > 0])
        total = sum(found["difference_usd"])
        changed = sum(found["changed"])
        print(f"{changed:,} of {sum(found['operations']):,} calls cost something else; together {total:+f} USD.")
        if gone:
            print(f"{len(gone)} days from {gone[0]} to {gone[-1]} no longer have all their calls and keep their cost.", file=sys.stderr)
        if args.apply:
            made = reprice.request(connection, args.start, args.end, args.provider, args.model, actor=ACTOR)
            print(f"Re-pricing {made} waits for a worker; `prices reverse {made}` takes it back.")
    return 0


def _reverse(args: argparse.Namespace) -> int:
    with transaction() as connection:
        reprice.request_reverse(connection, args.id, ACTOR)
    print(f"Re-pricing {args.id} will be taken back by a worker.")
    return 0


def _reconcile(args: argparse.Namespace) -> int:
    """Exit 0 when everything agrees but for rounding, 1 when something differs."""
    columns = dict(_column(told) for told in args.column)
    try:
        content = args.file.read_bytes()
    except OSError as error:
        raise BadInput(f"{args.file}: {error.strerror}.") from None
    with transaction() as connection:
        found = reconcile.reconcile(connection, content, args.provider, columns)
    _print(found)
    return 0 if found["why"].isin(["agrees", "rounding"]).all() else 1


def _column(told: str) -> tuple[str, str]:
    field, equals, name = told.partition("=")
    if not equals or not name:
        raise BadInput(f"--column: '{told}' is not FIELD=COLUMN.")
    return field, name


def _print(frame: pd.DataFrame) -> None:
    if len(frame):
        print(frame.astype("object").where(frame.notna(), "unknown").to_string(index=False))
