"""`python -m services import FILE --map MAP`: bring in a trace or an export, say what became of each row."""

import argparse
import sys
import time
from pathlib import Path

from tqdm import tqdm

from services.telemetry.importers import maps, settled
from services.telemetry.importers.load import Imported, import_file
from services.telemetry.importers.report import Report

BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
SHOWN_CHARACTERS = 200
INTERRUPTED = 130


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("import", help="import operations or sessions from CSV, JSON lines or JSON, plain or gzipped")
    command.add_argument("file", type=Path, help="the file")
    command.add_argument("--map", required=True, help=f"a YAML map of its columns, or one of {', '.join(maps.shipped())}")
    command.add_argument("--report", type=Path, help="where refused rows are written (default: FILE.rejected.csv in this folder)")
    command.add_argument("--no-wait", action="store_true", help="do not wait until the workers have counted the rows")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 when the whole file was read, 1 when a part of it could not be, 130 when interrupted."""
    path: Path = arguments.file
    plan = maps.load(arguments.map)
    with Report(arguments.report or Path(f"{path.name}.rejected.csv")) as report:
        try:
            outcome = _import(path, plan, report)
        except KeyboardInterrupt:
            say("Interrupted: what was read is kept; the same command again adds only the rest.")
            return INTERRUPTED
    _tell_rejections(outcome, report)
    if outcome.fault:
        say(f"{outcome.fault} The rows before it are kept; after the repair the same command adds only what is missing.")
    try:
        _tell_result(outcome, settled.state(outcome.import_id) if arguments.no_wait else settled.wait(outcome.import_id), arguments.no_wait)
    except KeyboardInterrupt:
        say("Not waiting any longer; the rows are safe.")
        return INTERRUPTED
    return 1 if outcome.fault or outcome.unreadable else 0


def say(message: str) -> None:
    tqdm.write(message, file=sys.stderr)


def _import(path: Path, plan: maps.Map, report: Report) -> Imported:
    started = time.monotonic()
    size = path.stat().st_size if path.is_file() else 0
    # disable=None: quiet where stderr is not a terminal.
    with tqdm(total=size, unit="B", unit_scale=True, bar_format=BAR, disable=None, file=sys.stderr) as bar:

        def progress(rows: int, consumed: int) -> None:
            bar.set_postfix_str(f"{rows:,} rows, {rows / max(time.monotonic() - started, 1e-3):,.0f} rows/s", refresh=False)
            bar.update(consumed - bar.n)

        return import_file(path, plan, refuse=report.add, say=say, progress=progress)


def _tell_rejections(outcome: Imported, report: Report) -> None:
    for rejection in outcome.first_rejections:
        raw = rejection.raw if len(rejection.raw) <= SHOWN_CHARACTERS else rejection.raw[:SHOWN_CHARACTERS] + "…"
        say(f"row {rejection.position}, {rejection.field}: {rejection.reason}: {raw}")
    if outcome.rejected > len(outcome.first_rejections):
        say(f"and {outcome.rejected - len(outcome.first_rejections):,} more")
    if report.count:
        say(f"All {report.count:,} rejected rows: {report.path}")


def _tell_result(outcome: Imported, result: settled.Settled, no_wait: bool) -> None:
    if result.waiting and not no_wait:
        say(f"{result.waiting:,} rows wait and nothing moves: no worker is running. The rows are safe and will count when one does.")
    waiting = f", {result.waiting:,} waiting" if result.waiting else ""
    print(
        f"{outcome.read:,} rows read: {outcome.accepted:,} accepted, {outcome.rejected:,} rejected;"
        f" {result.new:,} new, {result.duplicates:,} duplicates{waiting}"
    )
