"""Wording says nothing but the facts: planted faults are all caught, faithful words are let through."""

from datetime import date
from typing import Annotated

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel

from services.ai.grounding import Finding, check, gather
from services.ai.grounding.findings import LONGEST
from services.ai.grounding.ground import Count, Currency, Days, DaysChange, Money, Name, Quote, Score, Share, ShareChange, Unit, Year
from services.ai.grounding.match import number_is_told
from services.ai.grounding.numerals import numbers
from tests.services.ai.grounding.completions import faithful, planted


class Facts(BaseModel):
    """Facts of every kind."""

    name: Name = "Local Land Charges (LLC) Programme"
    department: Name | None = "Department for Transport"
    place: Name = "Barangay 26"
    currency: Currency = "GBP"
    cost: Money = 193_300_000.0
    first_cost: Money = 148_450_000.0
    budget: Money = 32_500_000.0
    growth: ShareChange = 0.302
    shrunk: ShareChange = -0.19
    doubled: ShareChange = 1.0
    slip: DaysChange = 426
    length: Days = 1826
    ends: date = date(2023, 11, 17)
    starts: date = date(2014, 3, 1)
    years: tuple[Year, ...] = (2015, 2016, 2017, 2019)
    missing_fields: tuple[str, ...] = ("population", "rating")
    expected: Annotated[int, Unit("count", ("field", "fields"))] = 12
    residents: Annotated[int, Unit("count", ("resident", "residents"))] = 41_987
    rank: Annotated[int, Unit("count", ("rank", "place"))] = 4
    chance: Share = 0.19
    two_thirds: Share = 0.6667
    severity: Score = 15
    reports: Annotated[int, Unit("count", ("report", "reports", "year", "years"))] = 7
    nothing: Money | None = None
    evidence: tuple[Quote, ...] = ("the well dried up in 1998 and 42 families walk to Lower Creek",)
    sure: bool = True


GROUND = gather(Facts())

FAITHFUL = [
    "The Local Land Charges (LLC) Programme of the Department for Transport costs £193.3m, up 30% from £148.45m.",
    "Its end moved by 426 days, about 14 months (1.2 years), to 17 November 2023.",
    "It ends on Nov 17, 2023; on 17/11/2023; on 17.11.23; on 2023-11-17; in November 2023; in Q4 2023; in late 2023.",
    "It ends on the 17th of November 2023.",
    "It ends in the fourth quarter of 2023, in the second half of 2023, in H2 2023, towards the end of 2023, or simply in 2023.",
    "The financial year 2015/16 and FY2016 are among those reported, as are 2015-16 and 2016–17.",
    "Reported from 2015 to 2019, in 2016 and 2017.",
    "There is a 19 % chance; a 19 per cent chance; a 19-percent chance; nearly one in five; roughly a fifth of the cases.",
    "Two thirds of the peers, about 67 %, or 66.7%, did the same.",
    "Twelve fields are expected and two fields are missing: 2 of the 12 fields.",
    "It has 41,987 residents, some 42,000 people, about 42k, nearly 42 thousand.",
    "The cost doubled in one part: it grew by 100 %.",
    "Costs fell by 19%, a change of -19 % or −19%.",
    "Spending of £32.5 million, GBP 32.5m, 32.5 million pounds, or £32,500,000.",
    "The cost is around £190m, just under £200m, and well over £190m; it is more than £160m.",
    "Between £148m and £193m; £148–193m; from 148.5 to 193.3 million pounds.",
    "It ranks fourth, in 4th place, with a severity of 15.",
    "Its narrative says “the well dried up in 1998 and 42 families walk to Lower Creek”.",
    'It says "the well dried up in 1998".',
    "# Overview\n\n1. Costs grew by 30 %.\n2. Two fields are missing.\n3. The end moved.",
    "- **Schedule:** the end moved by 426 days.\n- **Cost:** it grew.",
    "Barangay 26 is the place; the LLC is the programme. Transport is the department's concern.",
    "Seven reports are known; that is seven years of reports, from one of the departments. No one knows more.",
    "Planned for 1,826 days, i.e. five years or 60 months, from 1 March 2014.",
    "At its end, on 17 November, nothing else is due. May it last.",
    "A first estimate of £148.45m was followed by one of £193.3m. Nobody knows why.",
    "There is a one-in-five chance: 19 in 100, or 19 out of 100. It has 41 987 residents.",
    "The end slipped by 1 year and 2 months; it is 426 days later. Costs are 19 % lower, down 19 %, and elsewhere 30 % higher.",
    "In one place costs fell by 19 %, in the other they grew by 30 %, up to £193.3m.",
    "# Costs And Dates\n\n| Cost | Share |\n| --- | --- |\n| £193.3m | 19 % |",
    "# The Department for Transport and the LLC",
    "However, the Department for Transport may act. Overall, the risk is high.",
]  # fmt: skip

UNFAITHFUL = [
    ("The cost is £194m.", "£194m"),
    ("Costs rose by 19 %.", "19 %"),
    ("Costs fell by 30.2 %.", "30.2 %"),
    ("Costs are 30 % lower.", "30 %"),
    ("The end is 426 days earlier.", "426 days"),
    ("It slipped by 2 years and 2 months.", "2 years and 2 months"),
    ("# Costs of Gondor", "Gondor"),
    ("The work of the Department for Transport and Gondor goes on.", "Gondor"),
    ("Led by Gondor and the Department for Transport, it goes on.", "Gondor"),
    ("The cost is £193.3bn.", "£193.3bn"),
    ("The cost is $193.3m.", "$193.3m"),
    ("The cost is £19.33m.", "£19.33m"),
    ("Costs grew by 32 %.", "32 %"),
    ("Costs grew by 0.302 %.", "0.302 %"),
    ("Costs grew by about 45 %.", "45 %"),
    ("It slipped by 427 days.", "427 days"),
    ("It slipped by 16 months.", "16 months"),
    ("It slipped by over 600 days.", "600 days"),
    ("It ends on 18 November 2023.", "18 November 2023"),
    ("It ends on 2023-11-18.", "2023-11-18"),
    ("It ends in October 2023.", "October 2023"),
    ("It ends in Q3 2023.", "Q3 2023"),
    ("It ends in the first half of 2023.", "the first half of 2023"),
    ("It ends in early 2023.", "early 2023"),
    ("It ends on 17 December.", "17 December"),
    ("It ends on 31/02/2023.", "31/02/2023"),
    ("It was reported in 2018.", "2018"),
    ("It was reported in 2024/25.", "2024/25"),
    ("Three of twelve fields are missing.", "Three"),
    ("3 of 12 fields are missing.", "3"),
    ("It has 41,978 residents.", "41,978"),
    ("It has about 45,000 residents.", "45,000"),
    ("It has 426 residents.", "426"),
    ("It ranks third among them; it is the third largest.", "third"),
    ("It tripled.", "tripled"),
    ("Half of the peers did.", "Half"),
    ("One in three did: one in three.", "One in three"),
    ("In 1998 the well dried up.", "1998"),
    ("The well serves 42 families.", "42"),
    ("It says “the well dried up in 1999”.", "“the well dried up in 1999”"),
    ("It is run by Manila Water.", "Manila Water"),
    ("Manila has more.", "Manila"),
    ("The Department for Fisheries leads.", "Fisheries"),
    ("It lies in Barangay 27.", "27"),
    ("See https://example.com/a for more.", "https://example.com/a"),
    ("See [this](x) for more.", "[this](x)"),
    ("<script>alert()</script>", "<script>"),
    ("It costs 4\u200b7.", "\u200b"),
    ("It is version v2.", "v2"),
    ("It grew 10x.", "10x"),
    ("It costs -£193.3m.", "-£193.3m"),
    ("The severity is 16.", "16"),
    ("The budget is three hundred million pounds.", "three hundred million pounds"),
    ("Between £148m and £210m.", "£210m"),
    ("At 10:45 it ended.", "10"),
    ("٤٧ families.", "٤٧"),
    ("1. Costs grew.\n8. Two fields are missing.", "8"),
]


@pytest.mark.parametrize("text", FAITHFUL)
def test_it_lets_faithful_words_through(text: str) -> None:
    assert [(f.token, f.reason) for f in check(text, GROUND)] == []


@pytest.mark.parametrize(("text", "token"), UNFAITHFUL)
def test_it_finds_what_no_fact_tells(text: str, token: str) -> None:
    found = check(text, GROUND)
    assert token in [finding.token for finding in found]
    assert all(text[slice(*finding.span)] == finding.token and finding.reason for finding in found)


@pytest.mark.unmeasured
def test_it_catches_every_planted_fault_of_two_hundred() -> None:
    missed = [told.planted for told in planted(200) if not any(f.span[1] > told.text.rfind("\n") for f in check(told.text, told.ground))]
    assert missed == []


@pytest.mark.parametrize("seed", [7, 23, 59])
def test_it_refuses_at_most_two_in_a_hundred_faithful_completions(seed: int) -> None:
    refused = [told.text for told in faithful(200, seed) if check(told.text, told.ground)]
    assert len(refused) <= 4, refused


def test_it_knows_only_what_facts_tell() -> None:
    assert GROUND.years >= {2014, 2015, 2023}
    assert "field" in GROUND.nouns
    assert GROUND.quotes == {"the well dried up in 1998 and 42 families walk to Lower Creek"}


def test_it_refuses_facts_that_do_not_say_their_unit() -> None:
    class Bare(BaseModel):
        value: int = 3

    with pytest.raises(TypeError, match="'value' does not say its unit"):
        gather(Bare())

    class Odd(BaseModel):
        value: bytes = b"x"

    with pytest.raises(TypeError, match="neither number, date nor words"):
        gather(Odd())


def test_it_reads_no_endless_wording() -> None:
    assert check("word " * LONGEST, GROUND)[0].kind == "markup"


def test_a_name_that_is_only_a_figure_allows_nothing() -> None:
    class Sly(BaseModel):
        name: Name = "47"

    assert [finding.token for finding in check("There are 47 of them.", gather(Sly()))] == ["47"]


def test_it_checks_very_long_names_and_odd_words_fast() -> None:
    class Long(BaseModel):
        names: tuple[Name, ...] = ("A " * 150, "(((((", "[a-z]+(", "Ünïcode Ñame")

    assert check("Ünïcode Ñame is fine. " + "a1" * 20_000, gather(Long()))


amounts = st.floats(1, 9e11, allow_nan=False)


class One(BaseModel):
    value: Money


@given(amounts)
def test_a_rounded_amount_is_told(value: float) -> None:
    ground = gather(One(value=value))
    for text in (f"£{value:,.2f}", f"{value:.2f}", f"£{value / 1e6:.3f}m" if value >= 1e6 else f"£{value:,.2f}"):
        assert check(f"It is {text} now.", ground) == []


@given(amounts, amounts)
def test_another_amount_is_not(value: float, other: float) -> None:
    assume(abs(value - other) > 0.06 * max(value, other) + 1)
    assert check(f"It is £{other:,.0f} now.", gather(One(value=value))) != []


class Part(BaseModel):
    value: Share


@given(st.floats(0, 1), st.integers(0, 2))
def test_a_rounded_share_is_told_and_another_is_not(value: float, digits: int) -> None:
    ground = gather(Part(value=value))
    assert check(f"It is {100 * value:.{digits}f} % of it.", ground) == []
    assert check(f"It is {100 * value + 1.6:.{digits}f} % of it.", ground) != []


class Many(BaseModel):
    value: Count


@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_a_count_is_told_exactly(value: int, off: int) -> None:
    ground = gather(Many(value=value))
    assert check(f"There are {value:,} of them.", ground) == []
    assert check(f"There are {value + off:,} of them.", ground) != []


class When(BaseModel):
    day: date


@given(st.dates(date(1950, 1, 1), date(2099, 12, 31)), st.integers(1, 20_000))
def test_a_date_is_told_and_another_is_not(told: date, off: int) -> None:
    ground = gather(When(day=told))
    assert check(f"It ends on {told.day} {told:%B} {told.year}.", ground) == []
    other = date.fromordinal(told.toordinal() + off)
    assert check(f"It ends on {other.isoformat()}.", ground) != [] or other.year > 2099


@given(st.text(max_size=400))
def test_it_reads_any_text_without_failing(text: str) -> None:
    assert all(isinstance(finding, Finding) and 0 <= finding.span[0] < finding.span[1] <= len(text) for finding in check(text, GROUND))


@given(st.text(alphabet="0123456789.,% £$kmbn-–/", max_size=60))
def test_no_figure_is_left_unread(text: str) -> None:
    """Every digit is understood as a fact or found."""
    found = check(text, gather(One(value=-1.5)))
    covered = {place for finding in found for place in range(*finding.span)}
    told = {
        place
        for mention in numbers(text)
        if number_is_told(mention, gather(One(value=-1.5)), None)
        for place in range(mention.start, mention.end)
    }
    assert all(place in covered | told or text[place] == "1" for place in range(len(text)) if text[place].isdigit())
