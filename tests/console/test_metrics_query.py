"""GET /api/metrics/query: the catalogue's answer as JSON, to the digit."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from console.api import encode
from services import metrics
from services.db import transaction
from services.telemetry import inbox
from services.telemetry.move import move_once
from tests.console.conftest import Server

pytestmark = pytest.mark.usefixtures("database")
RANGE = "start=2026-01-05&end=2026-01-08"


@pytest.fixture
def client(ui: Server, make_key: Callable[..., str]) -> Iterator[httpx.Client]:
    """A reader with a key, and three operations to read about."""
    records = [
        {"id": "1", "started_at": "2026-01-05T10:00:00Z", "model": "a", "cost_usd": "0.000000123", "latency_ms": 10},
        {"id": "2", "started_at": "2026-01-05T11:00:00Z", "model": "a", "cost_usd": "12345.678901234", "latency_ms": 20},
        {"id": "3", "started_at": "2026-01-07T11:00:00Z", "model": "b/c", "error_type": "timeout"},
    ]
    with transaction() as connection:
        assert inbox.accept(connection, "operations", records, source="tutor", door="test").accepted == 3
    move_once()
    with ui.client(key=make_key("metrics")) as made:
        yield made


def ask(client: httpx.Client, query: str) -> dict[str, Any]:
    answer = client.get(f"/api/metrics/query?{query}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = json.loads(answer.content, parse_float=Decimal)
    return told


def test_it_writes_money_exactly_and_unknown_as_null(client: httpx.Client) -> None:
    told = ask(client, f"measures=cost,operations,latency_avg&by=model&{RANGE}")
    rows = {row["model"]: row for row in told["rows"]}
    assert rows["a"]["cost"] == Decimal("12345.678901357")
    assert (rows["a"]["operations"], rows["b/c"]["operations"]) == (2, 1)
    assert rows["b/c"]["cost"] is None
    assert rows["b/c"]["latency_avg"] is None
    assert told["columns"][:2] == [{"name": "model", "label": "Model", "unit": "text"}, {"name": "cost", "label": "Cost", "unit": "usd"}]
    assert (told["complete"], told["zone"]) == (True, "UTC")


def test_it_says_when_with_an_offset_and_leaves_no_bucket_out(client: httpx.Client) -> None:
    told = ask(client, f"measures=operations&interval=day&{RANGE}&compare=true")
    assert [(row["bucket"], row["operations"]) for row in told["rows"]] == [
        ("2026-01-05T00:00:00+00:00", 2),
        ("2026-01-06T00:00:00+00:00", 0),
        ("2026-01-07T00:00:00+00:00", 1),
    ]
    assert [column["unit"] for column in told["columns"]] == ["time", "count", "count"]
    assert told["columns"][2]["label"] == "Operations, period before"


@pytest.mark.parametrize(
    ("where", "found"), [("model=a", 2), ("model=a&model=b%2Fc", 3), ("model=zzz", 0), ("model=a&source=tutor", 2), ("model=a&source=x", 0)]
)
def test_it_filters_by_repeated_dimensions(client: httpx.Client, where: str, found: int) -> None:
    assert ask(client, f"measures=operations&{RANGE}&{where}")["rows"] == [{"operations": found}]


def test_it_gives_what_the_catalogue_gives(client: httpx.Client) -> None:
    names = [name for name, measure in metrics.MEASURES.items() if measure.family == "operation"]
    told = ask(client, f"measures={','.join(names)}&start=2026-01-05T00:00:00Z&end=2026-01-08T00:00:00%2B00:00")
    frame = metrics.query(names, start=pd.Timestamp("2026-01-05").date(), end=pd.Timestamp("2026-01-08").date()).frame
    for name in names:
        expected = frame[name].iloc[0]
        got = told["rows"][0][name]
        assert (got is None) == bool(pd.isna(expected)), name
        if got is not None:
            assert float(got) == pytest.approx(float(expected)), name


def test_it_answers_a_signed_in_browser(ui: Server, session: str) -> None:
    with ui.client(session, origin=False) as client:
        assert ask(client, f"measures=operations&{RANGE}")["rows"] == [{"operations": 0}]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (RANGE, "at least one measure"),
        (f"measures=nope&{RANGE}", "nope"),
        (f"measures=cost,cost&{RANGE}", "'measures' has an empty name or one twice"),
        (f"measures=cost&by=&{RANGE}", "'by' has an empty name"),
        (f"measures=operations&by=nope&{RANGE}", "nope"),
        (f"measures=operations&modle=x&{RANGE}", "Unknown parameter 'modle'"),
        (f"measures=operations&interval=fortnight&{RANGE}", "fortnight"),
        (f"measures=operations&compare=maybe&{RANGE}", "'compare' is true or false"),
        (f"measures=operations&{RANGE}&start=2026-01-06", "'start' may be given once"),
        (f"measures=operations&{RANGE}&model=%00", "'model' holds a NUL"),
        ("measures=operations&start=2026-01-05", "'end' is missing"),
        ("measures=operations&start=2026-01-08&end=2026-01-05", ""),
        ("measures=operations&start=yesterday&end=2026-01-05", "'start' is not a date"),
        ("measures=operations&start=2026-13-01&end=2026-01-05", "'start' is not a date"),
        ("measures=operations&start=2026-01-05T00:00:00&end=2026-01-06", "'start' needs an offset"),
        ("measures=operations&start=2026-01-05T00:00:00+08:00&end=2026-01-06", "%2B"),
        ("measures=operations&interval=15min&start=0001-01-01&end=9999-12-31", ""),
    ],
)
def test_it_names_what_it_cannot_use(client: httpx.Client, query: str, told: str) -> None:
    answer = client.get(f"/api/metrics/query?{query}")
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "bad_input")
    assert told in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("value", "whole", "written"),
    [
        (None, False, "null"),
        (pd.NaT, False, "null"),
        (pd.NA, False, "null"),
        (float("nan"), True, "null"),
        (float("inf"), False, "null"),
        (Decimal("NaN"), False, "null"),
        (Decimal("1E+3"), False, "1000"),
        (Decimal("0.000000001"), False, "0.000000001"),
        (np.int64(7), False, "7"),
        (np.float64(7), True, "7"),
        (np.float64(7), False, "7.0"),
        (0.1, True, "0.1"),
        ('a"\ud800é', False, '"a\\"\\ud800\\u00e9"'),
        (pd.Timestamp("2026-03-29T02:00", tz="Asia/Manila"), False, '"2026-03-29T02:00:00+08:00"'),
    ],
)
def test_it_writes_each_kind_of_value(value: object, whole: bool, written: str) -> None:
    assert encode.cell(value, whole) == written


def test_it_writes_nothing_it_does_not_understand() -> None:
    with pytest.raises(TypeError, match="set cannot be written"):
        encode.cell({1})
