"""`python -m services ask templates|import|sample|statistics|question`."""

import argparse
import sys
from datetime import datetime
from pathlib import Path

from services.ask import chat, sample, statistics, tables, templates, vocabulary
from services.ask.asker import Asker
from services.ask.dates import Calendar
from services.clock import today
from services.db import transaction
from services.errors import BadInput
from services.settings import settings

ACTOR = "command line"


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands of Ask."""
    actions = commands.add_parser("ask", help="questions that are answered without AI").add_subparsers(required=True, metavar="ACTION")
    show = actions.add_parser("templates", help="list every kind of question with an example")
    show.add_argument("--category", help="only this category")
    show.set_defaults(run=_templates)
    bring = actions.add_parser("import", help="import rows from CSV by their code; a file is taken whole or not at all")
    bring.add_argument("file", type=Path)
    bring.add_argument("--table", required=True, choices=tables.TABLES)
    bring.set_defaults(run=_import)
    actions.add_parser("sample", help="write invented rows into the tables that come in as CSV").set_defaults(run=_sample)
    actions.add_parser("statistics", help="compute the FAQ's statistics now").set_defaults(run=_statistics)
    question = actions.add_parser("question", help="ask one question")
    question.add_argument("message")
    question.set_defaults(run=_question)


def _templates(arguments: argparse.Namespace) -> int:
    with transaction() as connection:
        values = vocabulary.read(connection)
    found = templates.enumerate_all(values, Calendar(today(settings().zone), settings().school_year_month))
    for template in found:
        if arguments.category in (None, template.category):
            print(f"{template.category}\t{template.name}\t{template.example}")
    counts = templates.by_category(found)
    print(f"{len(found)} templates: {', '.join(f'{name} {n}' for name, n in counts.items())}", file=sys.stderr)
    return 0


def _import(arguments: argparse.Namespace) -> int:
    path: Path = arguments.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    with transaction() as connection:
        done = tables.bring(connection, arguments.table, content, actor=ACTOR)
    print(f"{done.read:,} rows read: {done.new:,} new, {done.changed:,} changed")
    return 0


def _sample(_: argparse.Namespace) -> int:
    with transaction() as connection:
        for table, rows in sample.rows(datetime.now(settings().zone).date()).items():
            done = tables.write(connection, table, rows, actor=ACTOR)
            print(f"{table}: {done.new:,} new, {done.changed:,} changed")
    return 0


def _statistics(_: argparse.Namespace) -> int:
    with transaction() as connection:
        told = statistics.refresh(connection)
    for name, value in told.items():
        print(f"{name}\t{value}")
    return 0


def _question(arguments: argparse.Namespace) -> int:
    reply = chat.ask(arguments.message, Asker(ACTOR, "admin"))
    print(reply.answer)
    for line in (reply.interpretation, *reply.suggestions):
        if line:
            print(f"  {line}")
    print(f"{reply.source}, {reply.response_time_ms:.1f} ms", file=sys.stderr)
    return 0
