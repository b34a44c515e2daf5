"""A provider's bill beside our telemetry: every line says why it differs, and a file that cannot be read says where."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.db import transaction
from services.errors import BadInput
from services.pricing import bill
from services.pricing.reconcile import reconcile
from tests.traffic import arrive, operation

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
DAY = date(2026, 11, 10)


def csv(*lines: str) -> bytes:
    return "\n".join(lines).encode()


def compared(content: bytes, provider: str | None = None, columns: dict[str, str] | None = None) -> pd.DataFrame:
    with transaction() as connection:
        return reconcile(connection, content, provider, columns)


def why(content: bytes, provider: str | None = None) -> dict[tuple[date, str], str]:
    return {(row.day, row.model): row.why for row in compared(content, provider).itertuples()}


# 1,000 input and 100 output tokens of gpt-5-mini cost $0.00045.
def calls(count: int, **told: object) -> None:
    arrive([operation(f"{told.get('model')}-{n}", NOON + timedelta(minutes=n), **told) for n in range(count)])


def one(line: str, header: str = "date,model,requests,input_tokens,output_tokens,cost") -> str:
    (found,) = why(csv(header, line)).values()
    return found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2026-11-10,gpt-5-mini,10,10000,1000,0.0045", "agrees"),
        ("2026-11-10,gpt-5-mini,10,10000,1000,$0.0045000", "agrees"),
        ("2026-11-10,gpt-5-mini,10,10000,1000,0.00", "rounding"),
        ("2026-11-10,gpt-5-mini,10,10000,1000,0.004501", "same tokens, other price (theirs implies $0.4092/M, ours $0.4091/M)"),
        ("2026-11-10,gpt-5-mini,10,10000,1000,0.0090", "same tokens, other price (theirs implies $0.8182/M, ours $0.4091/M)"),
        ("2026-11-10,gpt-5-mini,20,20000,2000,0.0090", "other tokens: 50 % fewer calls told"),
        ("2026-11-10,gpt-5-mini,8,8000,800,0.0036", "other tokens: 25 % more calls told"),
        ("2026-11-10,gpt-5-mini,,20000,2000,0.0090", "other tokens: 50 % fewer tokens told"),
        ("2026-11-10,gpt-5-mini,10,10001,999,0.0045", "other tokens: as many in all, other kinds"),
        ("2026-11-10,gpt-5-mini,,10000,1001,0.0045", "other tokens: less than 0.1 % fewer tokens told"),
        ("2026-11-10,gpt-5-mini,10,10000,1000,", "agrees"),
        ("2026-11-10,gpt-5-mini,,,,0.0045", "agrees"),
        ("2026-11-10,gpt-5-mini,,,,0.0050", "other cost: theirs $0.0050, ours $0.0045; the bill tells no tokens"),
        ("2026-11-10,gpt-5-mini,0,0,0,0", "other tokens: they count no tokens"),
    ],
)
def test_it_says_why_a_line_differs(database: None, line: str, said: str) -> None:
    calls(10)
    assert one(line) == said


def test_it_shows_both_sides_exactly(database: None) -> None:
    calls(10)
    found = compared(csv("date,model,requests,input_tokens,output_tokens,cost", "2026-11-10,gpt-5-mini,20,20000,2000,0.0091"))
    assert found.iloc[0].to_dict() == {
        "day": DAY, "model": "gpt-5-mini",
        "their_requests": 20, "their_input_tokens": 20_000, "their_output_tokens": 2_000, "their_cost_usd": Decimal("0.0091"),
        "our_operations": 10, "our_input_tokens": 10_000, "our_output_tokens": 1_000, "our_cost_usd": Decimal("0.0045"),
        "difference_usd": Decimal("0.0046"), "why": "other tokens: 50 % fewer calls told",
    }  # fmt: skip


def test_it_names_what_only_one_side_has(database: None) -> None:
    calls(2)
    calls(2, model="gpt-5-nano")
    calls(2, model="o3")
    calls(2, model="claude-sonnet-4-5", provider="anthropic")
    header = "date,model,cost"
    lines = ("2026-11-09,gpt-5-mini,1", "2026-11-10,gpt-5-mini,0.0009", "2026-11-10,o3,0.0056", "2026-11-11,web search tool calls,0.3")
    assert why(csv(header, *lines)) == {
        (date(2026, 11, 9), "gpt-5-mini"): "not in our telemetry",
        (DAY, "gpt-5-mini"): "agrees",
        (DAY, "gpt-5-nano"): "not on their bill",
        (DAY, "o3"): "agrees",
        (date(2026, 11, 11), "web search tool calls"): "not in our telemetry",
    }
    assert (DAY, "claude-sonnet-4-5") in why(csv(header, *lines), "anthropic")


def test_unknown_is_never_zero(database: None) -> None:
    calls(3, model="home-made", provider="ollama")
    found = compared(csv("date,model,input_tokens,cost", "2026-11-10,home-made,3000,0.5", "2026-11-10,other,,0.1"))
    assert found["why"].tolist() == ["we have no price", "not in our telemetry"]
    assert found["our_cost_usd"].tolist() == [None, None]
    assert found["difference_usd"].tolist() == [None, None]
    assert found["their_input_tokens"].tolist() == [3_000, pd.NA]
    assert found["our_operations"].tolist() == [3, pd.NA]


def test_it_tells_a_missing_price_from_calls_that_told_no_tokens(database: None) -> None:
    calls(3)
    arrive([operation("failed", NOON, input_tokens=None, output_tokens=None, error_type="timeout")])
    header = "date,model,input_tokens,output_tokens,cost"
    assert one("2026-11-10,gpt-5-mini,3000,300,0.00135", header) == "agrees"
    assert one("2026-11-10,gpt-5-mini,4000,400,0.0018", header) == "other tokens: 25 % fewer tokens told; 1 of ours told no tokens"
    arrive([operation("half", NOON, input_tokens=0, output_tokens=None)])
    assert one("2026-11-10,gpt-5-mini,3000,300,0.0018", header) == "we have no price for 1 of 5 calls"


def test_an_answer_from_our_own_cache_is_on_no_bill(database: None) -> None:
    calls(2)
    arrive([operation("cached", NOON, cached=True)])
    assert one("2026-11-10,gpt-5-mini,2,2000,200,0.0009") == "agrees"


@pytest.mark.parametrize(
    ("ours", "theirs", "matched"),
    [
        (["gpt-5-mini"], ["gpt-5-mini-2025-08-07"], True),
        (["gpt-5-mini-2025-08-07"], ["gpt-5-mini"], True),
        (["gpt-5-mini", "gpt-5-mini-2025-08-07"], ["gpt-5-mini-2025-08-07"], True),
        (["claude-haiku-4-5"], ["claude-haiku-4-5-20251001"], True),
        (["gpt-4o-2024-05-13"], ["gpt-4o-2024-08-06"], False),
        (["gpt-5-mini"], ["gpt-5-nano"], False),
        (["gpt-4o"], ["gpt-4o-2024-05-13", "gpt-4o-2024-08-06"], False),
    ],
)
def test_it_matches_models_exactly_or_without_their_date(database: None, ours: list[str], theirs: list[str], matched: bool) -> None:
    provider = "anthropic" if ours[0].startswith("claude") else "openai"
    for model in ours:
        calls(1, model=model, provider=provider)
    tokens = 1_000 * len(ours)
    found = why(csv("date,model,input_tokens", *[f"2026-11-10,{model},{tokens}" for model in theirs]), provider)
    assert found == {(DAY, model): "agrees" for model in theirs} if matched else "not in our telemetry" in found.values()


OPENAI_USAGE = csv(
    "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,model,batch,input_tokens,output_tokens,"
    "input_cached_tokens,input_uncached_tokens",
    "1794268800,1794355200,2026-11-10T00:00:00+00:00,2026-11-11T00:00:00+00:00,p,6,gpt-5-mini-2025-08-07,False,6000,600,1000,5000",
    "1794268800,1794355200,2026-11-10T00:00:00+00:00,2026-11-11T00:00:00+00:00,p,4,gpt-5-mini-2025-08-07,True,4000,400,,4000",
)
OPENAI_COST = csv(
    "start_time,end_time,amount_value,amount_currency,line_item,organization_name",
    '1794268800,1794355200,0.0025,usd,"gpt-5-mini-2025-08-07, input",o',
    '1794268800,1794355200,0.002,usd,"gpt-5-mini-2025-08-07, output",o',
)
ANTHROPIC = csv(
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
    "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count",
    "2026-11-10,claude-haiku-4-5-20251001,k,Default,standard,≤ 200k,7000,1000,500,1500,1000,0",
)
PLAIN = (
    "\ufeffUsage Date;Model;Requests;Total input tokens;Completion Tokens;Cost (USD)\n10 Nov 2026;m;1,000;2;3;(1,234.50)\n\nTotal;;;;;5\n"
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (OPENAI_USAGE, (DAY, "gpt-5-mini-2025-08-07", 2, 10, 10_000, 1_000, None)),
        (OPENAI_COST, (DAY, "gpt-5-mini-2025-08-07", 2, None, None, None, Decimal("0.0045"))),
        (ANTHROPIC, (DAY, "claude-haiku-4-5-20251001", 1, None, 10_000, 1_000, None)),
        (PLAIN.encode(), (DAY, "m", 1, 1_000, 2, 3, Decimal("-1234.50"))),
        (PLAIN.encode("utf-16"), (DAY, "m", 1, 1_000, 2, 3, Decimal("-1234.50"))),
        (
            csv("day,model,input_tokens,cache_read_input_tokens,cache_creation_input_tokens", "2026-11-10T23:30:00-02:00,m,5,7,11"),
            (date(2026, 11, 11), "m", 1, None, 23, None, None),
        ),
        (csv("timestamp,snapshot_id,n_context_tokens_total", "1794268800,m,5"), (DAY, "m", 1, None, 5, None, None)),
    ],
)
def test_it_recognises_the_columns_of_exports(content: bytes, expected: tuple[object, ...]) -> None:
    (line,) = bill.parse(content).astype(object).itertuples(index=False)
    assert tuple(None if pd.isna(value) else value for value in line) == expected


def test_columns_can_be_named() -> None:
    content = csv("when,what,fresh,old,spent", "2026-11-10,m,1,2,0.5")
    named = {"day": "when", "model": "What", "input_tokens": "fresh + old", "cost_usd": "spent"}
    (line,) = bill.parse(content, named).itertuples()
    assert (line.model, line.input_tokens, line.cost_usd) == ("m", 3, Decimal("0.5"))
    with pytest.raises(BadInput, match="There is no column 'then'; the file has when, what"):
        bill.parse(content, named | {"day": "then"})
    with pytest.raises(BadInput, match="'tokens' is no column we read"):
        bill.parse(content, {"tokens": "fresh"})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is empty"),
        (b"\xff\x00\xd8", "not text in UTF-8 or UTF-16"),
        (b"date,model,cost\n", "a header and nothing below"),
        (csv("date,cost", "2026-11-10,1"), "No column tells the model. The file has date, cost"),
        (csv("date,model", "2026-11-10,m"), "No column tells tokens or cost"),
        (csv("date,model,cost", "2026-11-10,m"), "Row 2 has 2 columns, the header has 3"),
        (csv("date,model,cost", "2026-11-10,m,1", "03/04/2026,m,1"), "Row 3, column 'date': '03/04/2026' is no day"),
        (csv("date,model,cost", ",m,1"), "Row 2, column 'date': '' is no day"),
        (csv("date,model,cost", "2026-11-10,,1"), "Row 2, column 'model': '' is no model"),
        (csv("date,model,cost", "2026-11-10,m,cheap"), "Row 2, column 'cost': 'cheap' is no amount in USD"),
        (csv("date,model,cost", "2026-11-10,m,€5"), "Row 2, column 'cost': '€5' is no amount in USD"),
        (csv("date,model,cost", "2026-11-10,m,NaN"), "column 'cost'"),
        (csv("date,model,input_tokens", "2026-11-10,m,1.5"), "Row 2, column 'input_tokens': '1.5' is no whole number"),
        (csv("date,model,input_tokens", "2026-11-10,m,-1"), "Row 2, column 'input_tokens'"),
        (csv("date,model,cost,currency", "2026-11-10,m,1,EUR"), "Row 2, column 'currency': 'EUR' is not USD"),
        (csv("date,model,cost_eur", "2026-11-10,m,1"), "Column 'cost_eur': only bills in USD"),
        (csv("date,model,cost", '2026-11-10,"m,1'), "The file is not CSV"),
        (csv("date,model,cost", "1990-01-01,m,1", "2026-11-10,m,1"), "more than"),
    ],
)
def test_it_says_where_a_file_cannot_be_read(database: None, content: bytes, reason: str) -> None:
    with pytest.raises(BadInput) as error:
        compared(content)
    assert reason in str(error.value)


@given(
    st.lists(
        st.tuples(
            st.dates(date(2026, 1, 1), date(2026, 1, 3)),
            st.sampled_from(["a", "b"]),
            st.none() | st.integers(0, 10**9),
            st.none() | st.decimals(-100, 10**6, places=4),
        ),
        min_size=1,
    )
)
def test_it_adds_up_lines_of_a_day_and_model(lines: list[tuple[date, str, int | None, Decimal | None]]) -> None:
    told = [f"{day},{model},{'' if count is None else count},{'' if cost is None else cost}" for day, model, count, cost in lines]
    for row in bill.parse(csv("date,model,input_tokens,cost", *told)).itertuples():
        counts, costs = zip(*[line[2:] for line in lines if line[:2] == (row.day, row.model)], strict=True)
        assert row.lines == len(counts)
        assert (None if pd.isna(row.input_tokens) else row.input_tokens) == (
            None if set(counts) == {None} else sum(count or 0 for count in counts)
        )
        assert row.cost_usd == (None if set(costs) == {None} else sum(cost or 0 for cost in costs))
