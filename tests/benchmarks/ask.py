"""Ask: how fast it answers, how much, and what it answers that it should not; with a million operations and every place there is."""

import csv
import gzip
import json
import random
import threading
import time
from collections.abc import Iterator, Sequence

from services.ask import chat, conversation, faq, sample, statistics, tables, templates, vocabulary
from services.ask.asker import Asker
from services.ask.compile import statement
from services.ask.dates import Calendar
from services.ask.lexicon import Lexicon
from services.ask.normalise import LONGEST
from services.ask.outcome import Understood
from services.ask.subjects import SUBJECTS
from services.ask.understand import understand
from services.clock import today, utc_now
from services.db import engine, transaction
from services.errors import BinnacleError
from services.records import imports, load, maps
from services.settings import settings
from tests.benchmarks.figure import Figure, percentile
from tests.benchmarks.page_data import _connected, _fill
from tests.services.ask import world
from tests.services.ask.test_questions import asked_in_order
from tests.system import Console

ASKERS = 32
EVERY_S = 4.0  # a quick reader: each asks again this long after the last question
ROUNDS = 12
ROLE = "admin"


def measure(size: int) -> Iterator[Figure]:
    """What is understood, what is not answered, and how long answers take, alone and in a crowd."""
    yield from _understanding()
    with Console.running() as console, _connected(console):
        _fill(size)
        places = _places()
        with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("vacuum (analyze)")
        conversation.A_MINUTE = 1_000_000
        beside: dict[str, float | str] = {"operations": float(size), "places": float(places)}
        yield from _answers(beside)


def _understanding() -> Iterator[Figure]:
    """What is right and what is wrong, without any database."""
    done = asked_in_order()
    wrong = sum(isinstance(outcome, Understood) and outcome.frame != asked.expected for asked, outcome in done)
    meant = [(asked, outcome) for asked, outcome in done if asked.expected != "no"]
    right = sum(outcome is None or not isinstance(asked.expected, str) or asked.expected == "clarify" for asked, outcome in meant)
    yield Figure("ask_answered_share", right / len(meant), "share", "≥", 0.95, {"questions": float(len(done))})
    yield Figure("ask_wrong", float(wrong), "answers", "≤", 0)
    told = json.loads((world.SHARED_DATA / "clinc150" / "data.json").read_text(encoding="utf-8"))
    with (world.SHARED_DATA / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        bank = [row["text"] for row in csv.DictReader(file)]
    out = [text for part in ("oos_train", "oos_val") for text, _ in told[part]]
    others = [text for part in ("train", "val") for text, _ in told[part]]
    yield Figure("ask_out_of_scope", _answered(out), "share", "≤", 0.003, {"questions": float(len(out))})
    yield Figure(
        "ask_other_fields", _answered(others), "share", "≤", 0.005, {"questions": float(len(others)), "banking77": f"{_answered(bank):.3%}"}
    )


def _answered(texts: Sequence[str]) -> float:
    known, calendar = world.known(), world.CALENDAR
    short = [told for told in texts if len(told) <= LONGEST]
    return sum(faq.match(told) is not None or isinstance(understand(told, known, calendar), Understood) for told in short) / len(texts)


def _places() -> int:
    """All places of the geographic code, and the invented rows."""
    content = gzip.compress((world.SHARED_DATA / "psgc" / "psgc_2025-08-07.csv").read_bytes())
    plan = maps.load("psgc")
    with transaction() as connection:
        import_id = imports.begin(connection, plan, "psgc", "psgc.csv.gz", len(content), "bench")
    done = load.import_file(import_id, plan, load.opened(content), lambda _rows, _bytes: None, lambda: False)
    with transaction() as connection:
        for table, rows in sample.rows(utc_now().date()).items():
            tables.write(connection, table, rows, actor="bench")
        statistics.refresh(connection)
    return done.new


def _answers(beside: dict[str, float | str]) -> Iterator[Figure]:
    with transaction() as connection:
        version = vocabulary.version(connection)
    lexicon = vocabulary.of_version(version, ROLE)
    calendar = Calendar(today(settings().zone), settings().school_year_month)
    examples = [one.example for one in templates.of_lexicon(lexicon, calendar)]
    chat.ask("how many barangays", Asker("warm", ROLE))
    forms = [form for entry in faq.entries() for form in entry.forms]
    asked = [chat.ask(form, Asker("faq", ROLE)).response_time_ms for _ in range(ROUNDS) for form in forms]
    yield Figure("ask_faq_p99_ms", percentile(asked, 0.99), "ms", "≤", 5, {"p50": percentile(asked, 0.5), "questions": float(len(asked))})
    parse = [_timed(example, lexicon, calendar) for _ in range(3) for example in examples]
    yield Figure(
        "ask_parse_p99_ms", percentile(parse, 0.99), "ms", "≤", 5, {"p50": percentile(parse, 0.5), "templates": float(len(examples))}
    )
    whole, errors = [], 0
    for example in examples * 2:
        try:
            told = chat.ask(example, Asker("one", ROLE))
        except BinnacleError:
            errors += 1
            continue
        errors += told.source != "template"
        whole.append(told.response_time_ms)
    yield Figure("ask_answer_p99_ms", percentile(whole, 0.99), "ms", "≤", 50, beside | {"p50": percentile(whole, 0.5)})
    yield Figure("ask_errors", float(errors), "answers", "≤", 0, {"questions": float(len(examples) * 2)})
    crowd = _crowd(examples)
    yield Figure(
        "ask_askers_p99_ms",
        percentile(crowd, 0.99),
        "ms",
        "≤",
        100,
        {"askers": float(ASKERS), "p50": percentile(crowd, 0.5), "every_s": EVERY_S},
    )


def _timed(example: str, lexicon: Lexicon, calendar: Calendar) -> float:
    began = time.perf_counter()
    outcome = understand(example, lexicon, calendar)
    if isinstance(outcome, Understood) and not SUBJECTS[outcome.frame.subject].metrics:
        statement(outcome.frame, SUBJECTS[outcome.frame.subject], settings().zone)
    return (time.perf_counter() - began) * 1_000


def _crowd(examples: Sequence[str]) -> list[float]:
    """So many people, each asking, reading, asking again."""
    taken: list[float] = []

    def person(number: int) -> None:
        chance = random.Random(number)
        time.sleep(chance.random() * EVERY_S)
        for _ in range(ROUNDS):
            taken.append(chat.ask(chance.choice(examples), Asker(f"asker{number}", ROLE)).response_time_ms)
            time.sleep(EVERY_S * (0.5 + chance.random()))

    people = [threading.Thread(target=person, args=(number,)) for number in range(ASKERS)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    return taken
