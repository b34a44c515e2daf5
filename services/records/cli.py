"""`python -m services records import FILE --map MAP` and `python -m services records list KIND`."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from services.db import transaction
from services.errors import BadInput
from services.records import findings, imports, load, maps
from services.records.communities import Community
from services.records.imports import Import
from services.records.reading import KINDS, Record
from services.records.search import search
from services.telemetry.importers.texts import open_file

ACTOR = "command line"
FIRST_SHOWN = 10
SHOWN_CHARACTERS = 200
INTERRUPTED = 130


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands of records."""
    actions = commands.add_parser("records", help="import and list communities and projects").add_subparsers(
        required=True, metavar="ACTION"
    )
    bring = actions.add_parser("import", help="import records from CSV, plain or gzipped; the same file again changes nothing")
    bring.add_argument("file", type=Path, help="the file")
    bring.add_argument("--map", required=True, help=f"a YAML map of its columns, or one of {', '.join(maps.shipped())}")
    bring.add_argument("--report", type=Path, help="where findings are written (default: FILE.findings.csv in this folder)")
    bring.set_defaults(run=_import)
    show = actions.add_parser("list", help="list records")
    show.add_argument("kind", choices=KINDS)
    show.add_argument("--search", default="", metavar="WORDS", help="only records with these words")
    show.add_argument("--page", type=int, default=1)
    show.set_defaults(run=_list)


def _import(arguments: argparse.Namespace) -> int:
    """0 when the whole file was read, 1 when a part of it could not be, 130 when interrupted."""
    path: Path = arguments.file
    plan = maps.load(arguments.map)
    with open_file(path) as file:
        with transaction() as connection:
            import_id = imports.begin(connection, plan, Path(arguments.map).stem, path.name, path.stat().st_size, ACTOR)
        # disable=None: quiet where stderr is not a terminal.
        with tqdm(total=path.stat().st_size, unit="B", unit_scale=True, disable=None, file=sys.stderr) as bar:

            def progress(rows: int, consumed: int) -> None:
                bar.set_postfix_str(f"{rows:,} rows", refresh=False)
                bar.update(consumed - bar.n)

            try:
                outcome = load.import_file(import_id, plan, file, progress, lambda: False)
            except KeyboardInterrupt:
                with transaction() as connection:
                    imports.end(connection, import_id, "Interrupted.")
                tqdm.write("Interrupted: what was read is kept; the same command again adds only the rest.", file=sys.stderr)
                return INTERRUPTED
    _tell(outcome, arguments.report or Path(f"{path.name}.findings.csv"))
    return 1 if outcome.fault else 0


def _tell(outcome: Import, report: Path) -> None:
    with transaction() as connection:
        first = [finding for _, finding in findings.listing(connection, outcome.id, most=FIRST_SHOWN)]
        if first:
            try:
                with report.open("w", encoding="utf-8", newline="") as file:
                    file.writelines(findings.report(connection, outcome.id))
            except OSError as error:
                raise BadInput(f"The report cannot be written to {report}: {error.strerror}; name another file with --report.") from error
    for finding in first:
        tqdm.write(f"row {finding.position}, {finding.what}, {finding.field}: {finding.reason[:SHOWN_CHARACTERS]}", file=sys.stderr)
    if first:
        tqdm.write(f"All findings: {report}", file=sys.stderr)
    if outcome.fault:
        tqdm.write(f"{outcome.file_name}: {outcome.fault} The rows before it are kept.", file=sys.stderr)
    print(
        f"{outcome.read:,} rows read: {outcome.new:,} new, {outcome.changed:,} changed, {outcome.unchanged:,} unchanged,"
        f" {outcome.rejected:,} rejected; {outcome.unknown:,} fields unknown, {outcome.doubtful:,} doubts"
    )


def _list(arguments: argparse.Namespace) -> int:
    with transaction() as connection:
        found = search(connection, arguments.kind, arguments.search, arguments.page)
    for record in found.records:
        print(f"{record.id}\t{_words(record)}")
    print(f"page {found.page} of {found.pages}, {found.total:,} {arguments.kind}", file=sys.stderr)
    return 0


def _words(record: Record) -> str:
    if isinstance(record, Community):
        return "\t".join([record.psgc_id, record.name, ", ".join(part for part in (record.municipality, record.province) if part)])
    return "\t".join([record.name, record.department or "", record.rating or ""])
