"""Fresh questions, with what each must be understood as; and thousands that have nothing to do with us."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from services.ask import faq, templates
from services.ask.dates import Period, add_months, period
from services.ask.frame import Frame
from services.ask.normalise import LONGEST
from services.ask.outcome import NotUnderstood, Open, Outcome, Understood
from services.ask.understand import understand
from tests.faults.report import scale
from tests.services.ask import world

REGIONS = {
    "R1": "Region I (Ilocos Region)",
    "R2": "Region II (Cagayan Valley)", "R3": "Region III (Central Luzon)",
    "R4A": "Region IV-A (CALABARZON)",
    "R7": "Region VII (Central Visayas)",
    "R11": "Region XI (Davao Region)",
    "R5": "Region V (Bicol Region)", "R8": "Region VIII (Eastern Visayas)", "R10": "Region X (Northern Mindanao)",
    "R12": "Region XII (SOCCSKSARGEN)", "NCR": "National Capital Region (NCR)", "CAR": "Cordillera Administrative Region (CAR)",
    "BARMM": "Bangsamoro Autonomous Region In Muslim Mindanao (BARMM)",
}  # fmt: skip
EVERY = scale(16, 1)  # of the questions of other fields; `make bench ONLY=ask` asks all 28,003, too
DEFAULT_DAYS = {"d7": 7, "d30": 30}


@dataclass(frozen=True)
class Asked:
    """`expected` is a frame, "clarify", "no" or "faq"; `goes_on` from the question before."""

    message: str
    expected: Frame | str
    goes_on: bool


def questions() -> Iterator[Asked]:
    for line in (Path(__file__).parent / "questions.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            message, _, told = line.partition(" => ")
            expected: Frame | str = told if told in ("clarify", "no", "faq") else frame(told)
            yield Asked(message.removeprefix("> "), expected, message.startswith("> "))


def frame(told: str) -> Frame:
    """The frame of a line of questions.txt."""
    head, *rest = told.split("; ")
    subject, measure = head.split(".")
    where: dict[str, tuple[str, ...]] = {}
    made: dict[str, object] = {}
    for part in rest:
        name, _, value = part.partition("=")
        values = tuple(value.split("|"))
        match name:
            case "by":
                made["by"] = values
            case "days":
                made["period"] = days(value)
            case "earlier":
                made["earlier"] = days(value)
            case "when":
                made["when"] = value
            case "top" | "bottom":
                made |= {"shape": name, "n": int(value)}
            case "trend" | "compare" | "list":
                made["shape"] = name
            case "share":
                made |= {"shape": "share", "part": values if value else ()}
            case _:
                where[name] = tuple(REGIONS.get(one, one) for one in values)
    return Frame(subject, measure, where=tuple(sorted(where.items())), **made)  # type: ignore[arg-type]


def days(told: str) -> Period:
    if told in DEFAULT_DAYS:
        end = world.TODAY + timedelta(days=1)
        return period(end - timedelta(days=DEFAULT_DAYS[told]), end)
    if ".." in told:
        first, last = told.split("..")
        return period(date.fromisoformat(first) if first else None, date.fromisoformat(last) + timedelta(days=1) if last else None)
    if "Q" in told:
        first_day = date(int(told[:4]), 3 * int(told[-1]) - 2, 1)
        return period(first_day, add_months(first_day, 3))
    first_day = date(int(told[:4]), int(told[5:] or 1), 1)
    return period(first_day, add_months(first_day, 1 if told[4:] else 12))


def kind(outcome: Outcome) -> str:
    return {Understood: "answer", Open: "clarify", NotUnderstood: "no"}[type(outcome)]


def asked_in_order() -> list[tuple[Asked, Outcome | None]]:
    """Every question with what it comes to; None for one of the FAQ."""
    done: list[tuple[Asked, Outcome | None]] = []
    context: Frame | None = None
    for asked in questions():
        outcome = (
            None
            if faq.match(asked.message)
            else understand(asked.message, world.known(), world.CALENDAR, context if asked.goes_on else None)
        )
        if isinstance(outcome, Understood):
            context = outcome.frame
        done.append((asked, outcome))
    return done


def test_fresh_questions_are_answered_rightly_or_asked_back_and_never_wrongly() -> None:
    done = asked_in_order()
    wrong = [(asked.message, outcome) for asked, outcome in done if isinstance(outcome, Understood) and outcome.frame != asked.expected]
    assert wrong == []
    meant = [(asked, outcome) for asked, outcome in done if asked.expected != "no"]
    good = [asked for asked, outcome in meant if outcome is None or not isinstance(outcome, NotUnderstood)]
    exact = [
        asked for asked, outcome in meant if outcome is None or kind(outcome) == ("clarify" if asked.expected == "clarify" else "answer")
    ]
    print(
        f"{len(done)} questions, {len(meant)} to be answered: {len(exact)} exactly as expected, {len(good)} answered or asked back, 0 wrong"
    )
    assert len(done) >= 300
    assert len(good) / len(meant) >= 0.95
    assert len(exact) / len(meant) >= 0.90


def test_every_question_has_no_more_effect_than_its_words() -> None:
    """Case, spaces, punctuation and politeness change nothing."""
    known, calendar = world.known(), world.CALENDAR
    for asked in questions():
        if isinstance(asked.expected, Frame) and not asked.goes_on:
            for message in (asked.message.upper(), f"  {asked.message.replace(' ', '   ')} ??!", f"Please show me {asked.message}"):
                outcome = understand(message, known, calendar)
                assert not isinstance(outcome, Understood) or outcome.frame == asked.expected, message


def share_answered(texts: list[str]) -> tuple[float, list[str]]:
    """Questions back are no answers."""
    known, calendar = world.known(), world.CALENDAR
    answered = [
        told for told in texts if len(told) <= LONGEST and (faq.match(told) or isinstance(understand(told, known, calendar), Understood))
    ]
    return len(answered) / len(texts), answered


def test_questions_out_of_scope_are_not_answered() -> None:
    told = json.loads((world.SHARED_DATA / "clinc150" / "data.json").read_text(encoding="utf-8"))
    share, answered = share_answered([text for part in ("oos_train", "oos_val") for text, _ in told[part]])
    print(f"clinc150, out of scope: {share:.2%} of {len(told['oos_train']) + len(told['oos_val'])}")
    assert (share, answered) == (0.0, [])


def test_questions_of_other_fields_are_not_answered() -> None:
    told = json.loads((world.SHARED_DATA / "clinc150" / "data.json").read_text(encoding="utf-8"))
    others = [text for part in ("train", "val") for text, _ in told[part]][::EVERY]
    with (world.SHARED_DATA / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        bank = [row["text"] for row in csv.DictReader(file)][::EVERY]
    clinc_share, clinc_answered = share_answered(others)
    bank_share, bank_answered = share_answered(bank)
    print(f"clinc150, other fields: {clinc_share:.2%} of {len(others):,}; banking77: {bank_share:.2%} of {len(bank):,}")
    assert clinc_share <= 0.005, clinc_answered
    assert bank_share <= 0.005, bank_answered


def test_one_unknown_word_is_enough_for_no_answer() -> None:
    known, calendar = world.known(), world.CALENDAR
    examples = [template.example for template in templates.enumerate_all(world.values(), calendar)]
    for example in examples:
        outcome = understand(f"{example.rstrip('?')} zorblax?", known, calendar)
        assert outcome == NotUnderstood(("zorblax",)), example
