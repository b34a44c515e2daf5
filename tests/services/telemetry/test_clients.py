"""Unmodified instrumented applications send to a running console; the provider's own bill says what must have arrived, once."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price
from sqlalchemy import text

from services.accounts import keys
from services.db import transaction
from services.settings import ROOT
from services.telemetry.move import move_once
from tests.console.conftest import serving
from tests.providers import Call, ProviderServer

CLIENTS = (
    "traceloop_openai",
    "traceloop_anthropic",
    "anthropic_alone",
    "traceloop_google",
    "otel_google_genai",
    "openinference_openai",
    "openinference_google_genai",
    "both_openai",
    "both_google_genai",
)
TOGETHER = 3
Row = tuple[str, int | None, int | None, int, bool]  # operation's model, input, output, cache read, failed

# What a library leaves out of its spans cannot arrive.
TELLS_NO_EMBEDDINGS = ("traceloop_google",)


@dataclass(frozen=True)
class Sent:
    """What one client was billed, and what arrived of it."""

    bill: Sequence[Call]
    rows: Sequence[dict[str, object]]


@pytest.fixture(scope="module")
def sent(stack: None, empty_once: None) -> dict[str, Sent]:
    """Every client run once against a provider of its own, all of their telemetry moved."""
    bills: dict[str, Sequence[Call]] = {}
    with serving("api") as server:
        for first in range(0, len(CLIENTS), TOGETHER):
            bills |= _run(CLIENTS[first : first + TOGETHER], server.url)
    while move_once().rows:
        pass
    return {name: Sent(bill, _arrived(name)) for name, bill in bills.items()}


@pytest.fixture(scope="module")
def empty_once(empty: Callable[[], None]) -> None:
    """Emptied once for all tests of this file, which only read."""
    empty()


def _run(names: Sequence[str], endpoint: str) -> dict[str, Sequence[Call]]:
    with ExitStack() as running:
        providers = {name: running.enter_context(ProviderServer()) for name in names}
        processes = {name: _start(name, providers[name].url, endpoint) for name in names}
        for name, process in processes.items():
            output, _ = process.communicate(timeout=120)
            assert process.returncode == 0, f"{name}: {output}"
    return {name: list(provider.calls) for name, provider in providers.items()}


def _start(name: str, provider_url: str, endpoint: str) -> "subprocess.Popen[str]":
    with transaction() as connection:
        key = keys.create(connection, name, ["telemetry"])
    unmeasured = {k: v for k, v in os.environ.items() if k not in ("PYTHONWARNINGS", "COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")}
    command = [sys.executable, "-m", f"tests.clients.{name}", provider_url, endpoint, key]
    return subprocess.Popen(command, cwd=ROOT, env=unmeasured, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _arrived(source: str) -> list[dict[str, object]]:
    with transaction() as connection:
        found = connection.execute(
            text("select o.*, s.* from operations o join series s on s.id = o.series_id where source = :source"), {"source": source}
        )
        return [dict(row) for row in found.mappings()]


def billed(call: Call) -> tuple[int | None, int | None]:
    """What the provider told of its own answer."""
    if call.status != 200 or not call.usage_told:
        return None, None
    return call.input_tokens, None if call.operation == "embeddings" else call.output_tokens


def short(model: object) -> str:
    """A model without its date."""
    return str(model).removesuffix("-2025-08-07").removesuffix("-20251001")


@pytest.mark.parametrize("name", CLIENTS)
def test_every_call_and_its_tokens_arrive_once(sent: dict[str, Sent], name: str) -> None:
    bill = [call for call in sent[name].bill if name not in TELLS_NO_EMBEDDINGS or call.operation != "embeddings"]
    assert len(bill) >= 7
    expected = Counter((short(c.model), *billed(c), c.status != 200) for c in bill)
    output = [
        (row["input_tokens"], row["output_tokens"] or (None if row["operation"] == "embeddings" else row["output_tokens"]))
        for row in sent[name].rows
    ]
    arrived = Counter(
        (short(row["model"]), *told, row["error_type"] is not None) for row, told in zip(sent[name].rows, output, strict=True)
    )
    assert arrived == expected


@pytest.mark.parametrize("name", CLIENTS)
def test_cache_tokens_are_part_of_the_input_and_every_call_is_priced_as_billed(sent: dict[str, Sent], name: str) -> None:
    bill = [call for call in sent[name].bill if call.status == 200 and call.usage_told and call.operation != "embeddings"]
    rows = [row for row in sent[name].rows if row["input_tokens"] is not None and row["operation"] != "embeddings"]
    assert Counter(row["cache_read_tokens"] or 0 for row in rows) == Counter(call.cache_read_tokens for call in bill)
    arrived = Decimal(sum(int(str(row["cost_nano"])) for row in rows)) / 10**9
    assert abs(arrived - sum((price(call) for call in bill), Decimal(0))) < Decimal("1e-8") * len(bill)


def price(call: Call) -> Decimal:
    """What the price list itself says of a line of the bill."""
    usage = Usage(
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        cache_read_tokens=call.cache_read_tokens or None,
        cache_write_tokens=call.cache_write_tokens or None,
    )
    priced = calc_price(usage, call.response_model, provider_id=call.provider, genai_request_timestamp=datetime.now(UTC))
    return priced.total_price


def test_what_the_libraries_know_of_people_and_first_tokens_arrives(sent: dict[str, Sent]) -> None:
    rows = sent["openinference_openai"].rows
    assert {row["user_key"] for row in rows} == {"user-7"}
    assert {row["session_key"] for row in rows} == {"session-7"}
    assert {row["environment"] for row in rows} == {"test"}
    assert {row["module"] for row in rows} == {"capture-openinference_openai"}
    for name in ("traceloop_openai", "otel_google_genai", "anthropic_alone", "openinference_openai"):
        assert any(row["ttft_us"] for row in sent[name].rows), name
    assert {str(row["error_type"]) for row in sent["traceloop_openai"].rows if row["error_type"]} == {"RateLimitError", "BadRequestError"}


def test_what_the_second_library_knows_fills_the_first_ones_gaps(sent: dict[str, Sent]) -> None:
    assert "user-7" in {row["user_key"] for row in sent["both_openai"].rows}
    with transaction() as connection:
        told = connection.execute(text("select source, sum(duplicates) as n from telemetry_counts group by 1")).all()
    again = {row.source: row.n for row in told}
    for name in ("both_openai", "both_google_genai", "traceloop_anthropic"):
        assert again[name] == len(sent[name].rows), "each call was told twice"


def test_the_rollups_agree_with_what_arrived(sent: dict[str, Sent]) -> None:
    with transaction() as connection:
        found = connection.execute(text("select source, sum(n) as n from rollup_day join series s on s.id = series_id group by 1")).all()
    rolled = {row.source: int(row.n) for row in found}
    assert {name: rolled[name] for name in CLIENTS} == {name: len(sent[name].rows) for name in CLIENTS}
