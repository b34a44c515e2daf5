"""`python -m services sitewide …`: council files in, summaries and factoids looked after. Models are only asked by workers."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from services import clock, jobs, schedules
from services.accounts import audit
from services.db import transaction
from services.errors import BadInput
from services.schedules.slots import label
from services.sitewide import generation, imports, load, maps, serving, summaries, wording
from services.telemetry.importers.texts import open_file

ACTOR = "command line"
SCHEDULES = {"summaries": ("sitewide-summaries",), "factoids": ("sitewide-factoids", "sitewide-warm")}
SUMMARISE, FACTOIDS, QUEUE = "sitewide.summaries", "sitewide.factoids", "default"


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands of this noun."""
    actions = commands.add_parser("sitewide", help="council figures, their summaries, and factoids").add_subparsers(
        required=True, metavar="ACTION"
    )
    bring = actions.add_parser("import", help="import councils or their figures from CSV, plain or gzipped; the same file changes nothing")
    bring.add_argument("file", type=Path, help="the file")
    bring.add_argument("--map", required=True, help=f"a YAML map of its columns, or one of {', '.join(maps.shipped())}")
    bring.set_defaults(run=_import)
    for name, run, told in (
        ("summaries", _summaries, "summarise what changed"),
        ("factoids", _factoids, "have a worker do a slot of factoids now"),
    ):
        action = actions.add_parser(name, help=told)
        action.add_argument("--init-schedule", action="store_true", help="make the schedules where they are missing, and end")
        action.add_argument(
            "--check-schedule", action="store_true", help="print how the schedules stand, and end; 1 where something is wrong"
        )
        action.add_argument("--force", action="store_true", help="again, whatever the hashes say; budgets and limits hold all the same")
        action.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        action.add_argument("--limit", type=int, metavar="N", help="at most so many fields of a year, or factoids to word")
        action.set_defaults(run=run, noun=name)
    actions.add_parser("show", help="print the factoids as a reader gets them now").set_defaults(run=_show)


def _import(arguments: argparse.Namespace) -> int:
    """0 when the file is in, 1 when nothing of it is."""
    path: Path = arguments.file
    plan = maps.load(arguments.map)
    with open_file(path) as file, tqdm(total=path.stat().st_size, unit="B", unit_scale=True, disable=None, file=sys.stderr) as bar:

        def progress(rows: int, consumed: int) -> None:
            bar.set_postfix_str(f"{rows:,} rows", refresh=False)
            bar.update(consumed - bar.n)

        outcome = load.import_file(plan, Path(arguments.map).stem, path.name, path.stat().st_size, file, progress, ACTOR)
    with transaction() as connection:
        for found in imports.findings(connection, outcome.id):
            print(f"row {found.position}, {found.what}, {found.field}: {found.reason[:200]}", file=sys.stderr)
        waiting = summaries.pending(connection)
        if waiting:
            jobs.enqueue(connection, SUMMARISE, queue=QUEUE, dedupe_key=SUMMARISE, created_by=ACTOR)
    if outcome.fault:
        print(f"{path.name}: {outcome.fault} Nothing of it is kept.", file=sys.stderr)
        return 1
    print(
        f"{outcome.read:,} rows read: {outcome.new:,} new, {outcome.changed:,} changed, {outcome.unchanged:,} unchanged,"
        f" {outcome.skipped:,} left out by the map, {outcome.rejected:,} rejected; {outcome.unknown:,} cells unknown."
        f" {waiting:,} fields of a year wait to be summarised."
    )
    return 0


def _summaries(arguments: argparse.Namespace) -> int:
    if arguments.init_schedule or arguments.check_schedule:
        return _schedule(arguments)
    limit = _limit(arguments)
    with transaction() as connection:
        waiting = summaries.pending(connection)
        if arguments.dry_run:
            everything = " (with --force: all that have figures)" if arguments.force else ""
            print(f"{min(waiting, limit or waiting):,} of {waiting:,} fields of a year that changed would be summarised{everything}.")
            return 0
        if arguments.force:
            summaries.mark_all(connection, ACTOR)
            audit.record(connection, ACTOR, "sitewide.summaries", "everything", {"force": True})
    built = summaries.build(ACTOR, most=limit)
    print(f"{built.looked:,} fields of a year looked at, {built.changed:,} changed.")
    return 0


def _factoids(arguments: argparse.Namespace) -> int:
    if arguments.init_schedule or arguments.check_schedule:
        return _schedule(arguments)
    limit = _limit(arguments)
    if arguments.dry_run:
        return _dry_run(force=arguments.force, limit=limit)
    args = {"force": arguments.force} | ({} if limit is None else {"limit": limit})
    with transaction() as connection:
        job_id = jobs.enqueue(connection, FACTOIDS, args, queue=QUEUE, dedupe_key=FACTOIDS, created_by=ACTOR)
        if job_id is not None:
            audit.record(connection, ACTOR, "sitewide.factoids", f"job {job_id}", args)
    print("A job for factoids is under way already." if job_id is None else f"Job {job_id} waits for a worker.")
    return 0


def _dry_run(*, force: bool, limit: int | None) -> int:
    """The decision of a slot that came now; no model is asked and nothing is written."""
    with transaction() as connection:
        planned = generation.plan(connection, force=force)
        waiting = summaries.pending(connection)
    to_word = planned.to_word[:limit]
    words = "unchanged" if planned.unchanged else "no data" if planned.fingerprint is None else "generated" if to_word else "unaffected"
    print(f"Would be: {words}. Fingerprint {planned.fingerprint or 'none'}, that of the edition {planned.previous or 'none'}.")
    if waiting:
        print(f"{waiting:,} fields of a year are summarised first; that may change the decision.")
    if to_word:
        characters = wording.prompt_characters(to_word)
        print(f"{len(to_word)} factoids would be worded in one call with a prompt of {characters:,} characters.")
    return 0


def _schedule(arguments: argparse.Namespace) -> int:
    with transaction() as connection:
        if arguments.init_schedule:
            schedules.ensure_builtin(connection)
        known = {one.schedule.name: one for one in schedules.listing(connection)}
    wrong = 0
    for name in SCHEDULES[arguments.noun]:
        one = known.get(name)
        if one is None:
            print(f"{name}: missing; make it with --init-schedule.")
            wrong += 1
            continue
        zone = one.schedule.plan.timing.zone
        last = one.last[0] if one.last else None
        late = one.schedule.decided_until < clock.utc_now() and one.upcoming and one.upcoming[0] <= clock.utc_now()
        bad = one.schedule.paused_at is not None or late or (last is not None and (last.word == "missed" or last.job_state == "dead"))
        said = (
            "nothing yet"
            if last is None
            else f"{last.word} at {last.local_label}" + (f", its job is {last.job_state}" if last.job_state else "")
        )
        state = f"paused by {one.schedule.paused_by}" if one.schedule.paused_at else "late: no dispatcher looks at it" if late else "on"
        print(f"{name}: {state}; last: {said}; next: {', '.join(label(slot, zone) for slot in one.upcoming[:4])}")
        wrong += bad
    return 1 if wrong else 0


def _show(_arguments: argparse.Namespace) -> int:
    served = serving.Reader().read()
    print(f"{served.source}, as of {served.as_of:%Y-%m-%d %H:%M} UTC" if served.as_of else served.source, file=sys.stderr)
    if served.reason:
        print(served.reason, file=sys.stderr)
    for sentence in served.texts:
        print(sentence)
    return 0


def _limit(arguments: argparse.Namespace) -> int | None:
    told: int | None = arguments.limit
    if told is not None and told < 1:
        raise BadInput(f"--limit must be a whole number from 1 on, not {told}.")
    return told
