"""Scripted completions about real facts: faithful ones in many formats, and the same with one thing in them made wrong.

Seeded: every run sees the same. What is planted is chosen by plain arithmetic here, never by asking the code under test.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from services.ai.grounding import Ground, gather
from services.analyses import anomalies, forecast, risks, similar, validation
from services.analyses.case import Case, Facts
from tests.services.analyses.files import communities, projects

TODAY = date(2026, 11, 21)
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
STRANGERS = (
    "Manila Water", "the Department of Fisheries", "Crossrail", "Acme Consulting", "Dr Santos", "Gondor", "Westfield Holdings",
    "Mayor Reyes", "the Harbour Bridge", "Project Lighthouse",
)  # fmt: skip
OPENERS = ("", "", "Overall, ", "In short, ", "According to the facts, ", "However, ", "As of now, ", "Compared with its peers, ")
Say = Callable[[random.Random], str]


@dataclass(frozen=True)
class Completion:
    text: str
    ground: Ground
    planted: str = ""


def money(value: float, chance: random.Random) -> str:
    size = abs(value)
    exact = f"£{size:,.0f}" if abs(size - round(size)) < 1e-6 else f"£{size:,.2f}"
    if size < 1e6:
        return exact
    scale, short, long = (1e9, "bn", "billion") if size >= 1e9 else (1e6, "m", "million")
    rounded = f"{size / scale:.{chance.choice((1, 2))}f}"
    return chance.choice(
        (exact, f"£{rounded}{short}", f"£{rounded} {long}", f"GBP {rounded} {long}", f"{rounded} {long} pounds", f"about £{rounded}{short}")
    )


def share(value: float, chance: random.Random) -> str:
    percent = 100 * abs(value)
    told = [
        f"{percent:.1f} %",
        f"{percent:.1f}%",
        f"{percent:.0f}%",
        f"{percent:.0f} per cent",
        f"{percent:.1f} percent",
        f"around {percent:.0f} %",
    ]
    told += [
        words
        for part, words in ((0.5, "half of"), (1 / 3, "a third of"), (0.25, "a quarter of"), (0.2, "one in five of"))
        if abs(abs(value) - part) < 0.015
    ]
    return chance.choice(told)  # fmt: skip


def span(days: int, chance: random.Random) -> str:
    size = abs(days)
    told = [f"{size:,} days", f"{size} days"]
    if size >= 60:
        told += [f"{size / 30.4375:.0f} months", f"about {size / 30.4375:.0f} months", f"{size / 7:.0f} weeks"]
    if size >= 365:
        told += [f"{size / 365.25:.1f} years", f"roughly {size / 365.25:.1f} years"]
    return chance.choice(told)


def day(told: date, chance: random.Random) -> str:
    return chance.choice(
        (
            told.isoformat(), f"{told.day} {told:%B} {told.year}", f"{told:%B} {told.day}, {told.year}", f"{told:%d/%m/%Y}",
            f"{told:%d.%m.%Y}",
            f"the {told.day}{_suffix(told.day)} of {told:%B} {told.year}", f"{told:%b} {told.year}", f"{told:%B} {told.year}",
            f"Q{(told.month + 2) // 3} {told.year}", f"{told.day} {told:%b} {told.year}",
        )
    )  # fmt: skip


def count(value: int, chance: random.Random) -> str:
    told = [str(value), f"{value:,}"]
    if 2 <= value <= 12:
        told += [WORDS[value]] * 2
    return chance.choice(told)


def _suffix(number: int) -> str:
    return "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def said(facts: Facts) -> list[Say]:
    """Sentences that are true of the facts; each is told in another format every time."""
    name = facts.record_name
    say: list[Say] = [lambda c: f"the record is {name}, seen on {day(facts.as_of, c)}"]
    if isinstance(facts, forecast.ForecastFacts):
        say += _forecast(facts, name)
    elif isinstance(facts, risks.RiskFacts):
        say += _risks(facts, name)
    elif isinstance(facts, validation.ValidationFacts):
        say += _validation(facts, name)
    elif isinstance(facts, similar.SimilarFacts):
        say += _similar(facts, name)
    elif isinstance(facts, anomalies.AnomalyFacts):
        say += _anomalies(facts, name)
    return say


def _forecast(facts: forecast.ForecastFacts, name: str) -> list[Say]:
    say: list[Say] = [
        lambda c: f"the forecast for {name} rests on {count(facts.changes, c)} changes and the report of {facts.last_report}",
        lambda c: f"the horizon is {facts.horizon_year}, {count(facts.horizon_years or 0, c)} years ahead" if (facts.horizon_years or 0) > 1
        else f"the horizon is {facts.horizon_year}",
    ]  # fmt: skip
    if (end := facts.end) is not None:
        say += [
            lambda c: f"the end is expected on {day(end.expected, c)}, against {day(end.naive, c)} as last told",
            lambda c: f"there is a chance of {share(end.chance_in_time, c).removesuffix(' of')} that {name} ends in time",
            lambda c: f"the end lies between {day(end.low, c)} and {day(end.high, c)}",
            lambda c: f"it may slip by {span(end.shift_high, c)}" if end.shift_high > 0 else "it should not slip",
        ]
    if (cost := facts.cost) is not None:
        say += [
            lambda c: f"the cost is expected to be {money(cost.expected, c)}, from {money(cost.low, c)} to {money(cost.high, c)}",
            lambda c: f"the cost as last told is {money(cost.naive, c)}",
            lambda c: (
                f"the cost may grow by {share(cost.growth_high, c).removesuffix(' of')}" if cost.growth_high > 0 else "the cost is stable"
            ),
        ]
    return say


def _risks(facts: risks.RiskFacts, name: str) -> list[Say]:
    say: list[Say] = [lambda _: f"the highest risk of {name} is {facts.risks[0].kind}, which is {facts.highest}"]
    for risk in facts.risks:
        say += [_scored(risk)] if risk.severity is not None else []
        say += [_shifted(driver.days) for driver in risk.drivers if driver.days]
    if facts.whole_life_cost:
        say.append(
            lambda c: f"{facts.department or 'the department'} plans to spend {money(facts.whole_life_cost or 0, c)} over its whole life"
        )
    if facts.peers_slipped is not None:
        say.append(lambda c: f"{share(facts.peers_slipped or 0, c).removesuffix(' of')} of {count(facts.peers, c)} peers slipped")
    say += [_rated(one) for one in facts.ratings]
    return say


def _scored(risk: risks.Risk) -> Say:
    return lambda c: (
        f"{risk.kind} has a likelihood of {count(risk.likelihood or 0, c)} and an impact of {count(risk.impact or 0, c)}, "
        f"so a severity of {risk.severity}"
    )


def _shifted(days: int) -> Say:
    return lambda c: f"the end moved by {span(days, c)}"


def _rated(one: risks.Rated) -> Say:
    return lambda _: f"in {one.year} it was rated {one.rating}"


def _validation(facts: validation.ValidationFacts, name: str) -> list[Say]:
    say: list[Say] = [
        lambda c: f"{count(facts.known_fields, c)} of {count(facts.expected_fields, c)} expected fields of {name} are known",
        lambda c: f"the data is {share(facts.completeness, c).removesuffix(' of')} complete",
        lambda c: f"{count(facts.passed, c)} checks passed and {count(facts.unchecked, c)} could not be made",
    ]
    if (outlier := facts.outlier) is not None:
        say += [
            lambda _: f"{name} has {outlier.population:,} residents, against a median of {outlier.median:,}",
            lambda _: f"most of its {outlier.peers:,} peers have between {outlier.low:,} and {outlier.high:,} people",
        ]
    return say


def _similar(facts: similar.SimilarFacts, name: str) -> list[Say]:
    say: list[Say] = [lambda _: f"{name} was compared with {facts.compared:,} peers by {facts.features[0]}"]
    say += [_ranked(one) for one in facts.neighbours]
    say += [_peopled(one) for one in facts.neighbours if one.population is not None]
    return say


def _ranked(one: similar.Neighbour) -> Say:
    return lambda c: f"{one.name} ranks {count(one.rank, c)} with a distance of {one.distance:.2f}"


def _peopled(one: similar.Neighbour) -> Say:
    return lambda _: f"{one.name} has {one.population:,} residents"


def _anomalies(facts: anomalies.AnomalyFacts, name: str) -> list[Say]:
    say: list[Say] = [
        lambda c: f"{name} was told of in {count(facts.reports, c)} reports, from {facts.first_report} to {facts.last_report}"
    ]
    say += [_moved(one, one.growth, one.before, one.after) for one in facts.anomalies if one.growth and one.before and one.after]
    return say


def _moved(one: anomalies.Anomaly, growth: float, before: float, after: float) -> Say:
    return lambda c: f"in {one.year} it moved from {money(before, c)} to {money(after, c)}, {share(growth, c).removesuffix(' of')}"


@cache
def cases() -> tuple[Facts, ...]:
    """Facts of records of the real files."""
    places, works = communities(), projects()
    cities = [place for place in places if place.geographic_level == "City"]
    told: list[Facts] = []
    for place in cities[:60:6]:
        others = [city for city in cities if city is not place]
        told += [validation.facts(Case(place, others, TODAY)), similar.facts(Case(place, others, TODAY))]
    for work in [work for work in works if len(work.years) > 2][:120:8]:
        others_of = [other for other in works if other is not work]
        told += [module.facts(Case(work, others_of, TODAY)) for module in (risks, forecast, anomalies)]
    return tuple(told)


def faithful(n: int, seed: int = 7) -> Iterator[Completion]:
    chance = random.Random(seed)
    for number in range(n):
        facts = cases()[number % len(cases())]
        sentences = said(facts)
        told = [chance.choice(OPENERS) + say(chance) for say in chance.sample(sentences, min(len(sentences), chance.randint(2, 5)))]
        lines = [sentence[0].upper() + sentence[1:] + "." for sentence in told]
        text = chance.choice(
            (" ".join(lines), "\n".join(f"- {line}" for line in lines), "\n".join(f"{n}. {line}" for n, line in enumerate(lines, 1)))
        )
        yield Completion(text, gather(facts))  # fmt: skip


def planted(n: int, seed: int = 11) -> Iterator[Completion]:
    """A faithful completion with one more sentence, which tells what no fact tells."""
    chance = random.Random(seed)
    for base in faithful(n, seed):
        wrong = chance.choice(WRONG)(base.ground, chance)
        yield Completion(f"{base.text}\n{wrong[0]}", base.ground, wrong[1])


def _figure(facts: Iterable[float], chance: random.Random, least: float, most: float) -> float:
    """A value that is not near any of the facts; where they lie too close together, one above all of them."""
    told = [abs(fact) for fact in facts]
    for _ in range(2_000):
        value = chance.uniform(least, most)
        if all(abs(value - fact) > 0.12 * max(value, fact) and abs(value - fact) > 1.1 for fact in told):
            return value
    return 1.7 * max(*told, most) + 13


def _of(ground: Ground, *dimensions: str) -> list[float]:
    return [number.value for number in ground.numbers if number.unit.dimension in dimensions]


def _wrong_money(ground: Ground, chance: random.Random) -> tuple[str, str]:
    facts = _of(ground, "money")
    millions, billions = ([fact / scale for fact in facts] for scale in (1e6, 1e9))
    token = chance.choice(
        (
            f"£{_figure(millions, chance, 1, 900):.1f}m",
            f"£{_figure(millions, chance, 20, 900):.0f} million",
            f"£{_figure(billions, chance, 2, 90):.1f}bn",
            f"£{1e6 * _figure(millions, chance, 1, 900):,.0f}",
        )
    )
    return f"The cost is {token}.", token


def _wrong_share(ground: Ground, chance: random.Random) -> tuple[str, str]:
    value = _figure([100 * fact for fact in _of(ground, "share")], chance, 15, 99)
    token = chance.choice((f"{value:.1f} %", f"{value:.0f}%", f"{value:.0f} per cent"))
    return f"That is a share of {token} of all.", token


def _wrong_days(ground: Ground, chance: random.Random) -> tuple[str, str]:
    days = _of(ground, "days")
    months = [fact / 30.4375 for fact in days]
    token = chance.choice((f"{_figure(days, chance, 60, 9000):.0f} days", f"{_figure(months, chance, 14, 90):.0f} months"))
    return f"It will be late by {token}.", token


def _wrong_count(ground: Ground, chance: random.Random) -> tuple[str, str]:
    value = round(_figure([*_of(ground, "count", "score", "days", "money"), *ground.years], chance, 13, 99_000))
    token = chance.choice((f"{value:,}", str(value)))
    return f"There were {token} cases.", token


def _wrong_word(ground: Ground, chance: random.Random) -> tuple[str, str]:
    facts = {round(abs(number.value), 1) for number in ground.numbers}
    value = next(value for value in (17, 18, 19, 14, 16, 13, 70, 90) if not any(abs(value - fact) < 1 for fact in facts))
    word = {13: "thirteen", 14: "fourteen", 16: "sixteen", 17: "seventeen", 18: "eighteen", 19: "nineteen", 70: "seventy", 90: "ninety"}[
        value
    ]
    return f"It was told {word} times over.", word


def _wrong_date(ground: Ground, chance: random.Random) -> tuple[str, str]:
    while True:
        told = date(2005, 1, 1) + timedelta(days=chance.randint(0, 12_000))
        if all(abs((told - fact).days) > 130 for fact in ground.dates) and told.year not in ground.years:
            token = day(told, chance)
            return f"A decision is due by {token}.", token


def _wrong_year(ground: Ground, chance: random.Random) -> tuple[str, str]:
    year = next(year for year in range(chance.randint(1960, 1990), 2100) if year not in ground.years)
    return f"The plan dates from {year}.", str(year)


def _wrong_name(_: Ground, chance: random.Random) -> tuple[str, str]:
    name = chance.choice(STRANGERS)
    at_start = name[0].upper() + name[1:]
    return chance.choice((f"The work is led by {name}.", f"{at_start} leads the work.", f"In short, {name} is to blame.")), name


def _wrong_quote(_: Ground, chance: random.Random) -> tuple[str, str]:
    words = chance.choice(("the bridge fell into the river last night", "we were never asked about any of this"))
    return f"It says “{words}”.", words


WRONG = (_wrong_money, _wrong_share, _wrong_days, _wrong_count, _wrong_word, _wrong_date, _wrong_year, _wrong_name, _wrong_quote)
