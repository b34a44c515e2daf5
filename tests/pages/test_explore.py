"""Explore: what the page's table, the files and the API say is what the catalogue says, for every measure and dimension."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlparse

import pandas as pd
import pyarrow.parquet
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from console.api.app import build
from services import metrics
from services.accounts import accounts, keys, sign_ins
from services.clock import utc_now
from services.db import transaction
from services.explore import export
from services.metrics import MEASURES
from services.metrics.columns import columns
from services.settings import settings
from tests.pages.test_pages import charts, opened, words
from tests.traffic import arrive, many, operation

EVERY = [(name, ()) for name in MEASURES] + [(name, (by,)) for name in MEASURES for by in metrics.splits(name)]


@pytest.fixture(scope="module")
def traffic(empty: Any) -> Iterator[None]:  # noqa: ANN401 - a callable of the session
    """Operations, sessions and feedback of three weeks, for all tests of this module: they only read."""
    settings.cache_clear()
    empty()
    start = utc_now() - timedelta(days=20)
    arrive(many(600, start, timedelta(days=20)))
    arrive([operation("hostile", start + timedelta(days=1), module="=cmd|' /C calc'!A1", user_id="u")])
    told = [
        {"id": f"s{n}", "started_at": (start + timedelta(hours=7 * n)).isoformat(), "module": "tutor", "user_id": f"u{n % 7}"}
        | ({"ended_at": (start + timedelta(hours=7 * n, minutes=9)).isoformat()} if n % 3 else {})
        | {
            "topics": [f"topic {n % 4}"] if n % 2 else [],
            "subject": ["maths", "art"][n % 2],
            "cohort": f"year {n % 3}",
            "rating": 1 + n % 5,
        }
        for n in range(60)
    ]
    arrive(told, noun="sessions")
    arrive([{"id": f"f{n}", "session_id": f"s{n}", "thumbs": ["up", "down"][n % 2], "rating": 3} for n in range(20)], noun="feedback")
    yield
    empty()


@pytest.fixture(scope="module")
def api(traffic: None) -> Iterator[TestClient]:
    """The console's doors with a key that reads metrics."""
    with transaction() as connection:
        key = keys.create(connection, "reader", ["metrics"], source="reader")
    with TestClient(build(sessions=True), headers={"authorization": f"Bearer {key}"}) as client:
        yield client


@pytest.fixture(scope="module")
def analyst(traffic: None) -> str:
    with transaction() as connection:
        return sign_ins.begin(connection, accounts.create(connection, "ann", "analyst"))


def plain(value: object) -> object:
    """A value as all of the ways out may write it: unknown is None, numbers are floats."""
    if value is None or value is pd.NaT or (not isinstance(value, str) and pd.isna(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.tz_convert("UTC").isoformat()
    return value if isinstance(value, str) else float(value)  # type: ignore[arg-type]


def truth(answer: metrics.Answer) -> list[list[object]]:
    return [[plain(value) for value in row] for row in answer.frame.astype(object).itertuples(index=False)]


def from_csv(body: bytes, answer: metrics.Answer) -> tuple[list[str], list[list[object]]]:
    heading, *rows = csv.reader(io.StringIO(body.decode()))
    told = columns(answer.frame.columns)
    read = [[_cell(value, column.unit) for value, column in zip(row, told, strict=True)] for row in rows]
    return heading, read


def _cell(value: str, unit: str) -> object:
    if unit == "text":
        return value
    return None if value == "" else plain(pd.Timestamp(value)) if unit == "time" else float(value)


@pytest.mark.unmeasured
@pytest.mark.parametrize("interval", [None, "day"])
def test_it_says_the_same_in_files_and_over_http_for_every_measure_and_dimension(api: TestClient, interval: str | None) -> None:
    start, end = (utc_now() - timedelta(days=9)).date(), (utc_now() + timedelta(days=1)).date()
    asked = 0
    for measure, by in EVERY[:: 1 if interval is None else 7]:
        answer = metrics.query([measure], start=start, end=end, by=by, interval=interval, compare=True)
        query = {"measures": measure, "start": f"{start}", "end": f"{end}", "compare": "true"}
        query |= ({"by": ",".join(by)} if by else {}) | ({"interval": interval} if interval else {})
        expected, headings = truth(answer), [column.header(answer.zone) for column in columns(answer.frame.columns)]
        told = api.get("/api/metrics/query", params=query)
        assert told.status_code == 200, told.text
        rows = [[plain(pd.Timestamp(v)) if name == "bucket" else plain(v) for name, v in row.items()] for row in told.json()["rows"]]
        by_http = asked % 5 == 0  # the door adds nothing but the door: it need not be opened for each
        sheet = api.get("/api/metrics/export", params=query | {"format": "csv"}).content if by_http else export.write(answer, "csv")
        heading, written = from_csv(sheet, answer)
        parquet = pyarrow.parquet.read_table(io.BytesIO(export.write(answer, "parquet")))
        stored = [[plain(v) for v in row.values()] for row in parquet.to_pandas(types_mapper=None).astype(object).to_dict("records")]
        rel = 0.01 if measure == "throughput" else 1e-12  # it falls while the day goes on
        for ours in (rows, stored, [[_unquoted(v) for v in row] for row in written]):
            assert same(ours, expected, rel), (measure, by)
        assert heading == parquet.column_names == headings
        asked += 1
    assert asked > (300 if interval is None else 40)


def _unquoted(value: object) -> object:
    return value[1:] if isinstance(value, str) and value.startswith("'=") else value


def same(ours: list[list[object]], expected: list[list[object]], rel: float) -> bool:
    if len(ours) != len(expected):
        return False
    return all(
        a == pytest.approx(b, rel=rel) if isinstance(b, float) else a == b
        for row, other in zip(ours, expected, strict=True)
        for a, b in zip(row, other, strict=True)
    )


@pytest.mark.unmeasured
def test_it_shows_the_same_in_the_table_of_the_page(analyst: str) -> None:
    app = opened("explore", analyst, by="Weekday")
    for name, measure in MEASURES.items():
        app.selectbox(key="measure").set_value(measure.label).run()
        assert not app.exception
        assert not app.error, name
        shown = app.dataframe[0].value
        asked = link(app, "CSV")
        answer = metrics.query([name], start=day(asked["start"]), end=day(asked["end"]), by=["weekday"], interval="day")
        assert list(shown.columns) == list(answer.frame.columns) == ["bucket", "weekday", name]
        ours = [[plain(value) for value in row] for row in shown.astype(object).itertuples(index=False)]
        assert same(ours, truth(answer), 0.01 if name == "throughput" else 1e-9), name


def link(app: AppTest, label: str) -> dict[str, str]:
    """What a download of the page asks."""
    buttons = {button.proto.label: button.proto.url for button in app.get("link_button")}
    return {name: values[0] for name, values in parse_qs(urlparse(buttons[label]).query).items()}


def day(told: str) -> Any:  # noqa: ANN401 - a date
    return pd.Timestamp(told).date()


def test_it_asks_by_two_dimensions_with_filter_interval_and_comparison(analyst: str, api: TestClient) -> None:
    address = {"measure": "Cost", "by": "Model", "then": "Module", "interval": "Week", "compare": "true", "module": "chat", "range": "30d"}
    app = opened("explore", analyst, **address)
    assert not app.exception
    shown = app.dataframe[0].value
    assert list(shown.columns) == ["bucket", "model", "module", "cost", "cost_previous"]
    assert set(shown["module"]) == {"chat"}
    asked = link(app, "CSV")
    assert asked | {"start": "", "end": ""} == {
        "format": "csv", "measures": "cost", "by": "model,module", "interval": "week", "compare": "true", "module": "chat",
        "start": "", "end": "",
    }  # fmt: skip
    body = api.get("/api/metrics/export", params=asked).text
    assert body.splitlines()[0] == 'Time (UTC),Model,Module,Cost (USD),"Cost, period before (USD)"'
    assert len(body.splitlines()) == len(shown) + 1
    codes = [code.value for code in app.code]
    assert "/explore?" in codes[0]
    assert "measure=Cost" in codes[0]
    assert "/api/metrics/query?measures=cost" in codes[1]
    assert len(charts(app)) == 1


@pytest.mark.parametrize("chart", ["Auto", "Lines", "Bars", "Ranking", "None"])
@pytest.mark.parametrize("interval", ["Total", "Day"])
@pytest.mark.parametrize("by", [None, "Model"])
def test_it_draws_every_kind_of_chart(analyst: str, chart: str, interval: str, by: str | None) -> None:
    app = opened("explore", analyst, chart=chart, interval=interval, measure="Latency p95", **({"by": by} if by else {}))
    assert not app.exception
    assert not app.error
    drawn = charts(app)
    nothing = chart == "None" or (interval == "Total" and not by) or (chart == "Ranking" and interval == "Day" and by)
    assert len(drawn) == (0 if nothing else 1)
    assert all(chart.proto.alt for chart in app.get("plotly_chart"))


@pytest.mark.parametrize(
    "address",
    [
        {"measure": "<script>"},
        {"by": "' or 1"},
        {"by": "Topic"},
        {"then": "Model"},
        {"interval": "Fortnight"},
        {"chart": "Pie"},
        {"compare": "maybe"},
    ],
)
def test_it_falls_back_where_an_address_makes_no_sense(analyst: str, address: dict[str, str]) -> None:
    app = opened("explore", analyst, **address)
    assert not app.exception
    assert not app.error
    assert list(app.dataframe[0].value.columns) == ["bucket", "operations"]


def test_it_writes_no_cell_that_a_spreadsheet_would_run(api: TestClient) -> None:
    start, end = (utc_now() - timedelta(days=30)).date(), (utc_now() + timedelta(days=1)).date()
    query = {"measures": "operations", "by": "module", "start": f"{start}", "end": f"{end}", "format": "csv"}
    rows = list(csv.reader(io.StringIO(api.get("/api/metrics/export", params=query).text)))
    assert ["'=cmd|' /C calc'!A1", "1"] in rows
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_it_keeps_money_exact(api: TestClient) -> None:
    start, end = (utc_now() - timedelta(days=30)).date(), (utc_now() + timedelta(days=1)).date()
    exact = metrics.query(["cost"], start=start, end=end).frame["cost"].iloc[0]
    query = {"measures": "cost", "start": f"{start}", "end": f"{end}"}
    assert Decimal(api.get("/api/metrics/export", params=query | {"format": "csv"}).text.splitlines()[1]) == exact
    told = pyarrow.parquet.read_table(io.BytesIO(api.get("/api/metrics/export", params=query | {"format": "parquet"}).content))
    assert told["Cost (USD)"][0].as_py() == exact
    assert told.schema.field(0).metadata[b"unit"] == b"usd"


def test_it_gives_files_to_analysts_only_and_remembers_who_took_them(traffic: None, analyst: str) -> None:
    with transaction() as connection:
        viewer = sign_ins.begin(connection, accounts.create(connection, "vic", "viewer"))
    query = "measures=operations&start=2026-01-01&end=2026-01-02&format=csv"
    with TestClient(build(sessions=True)) as client:
        assert client.get(f"/api/metrics/export?{query}").status_code == 401
        refused = client.get(f"/api/metrics/export?{query}", headers={"cookie": f"binnacle_session={viewer}"})
        assert (refused.status_code, refused.json()["error"]["type"]) == (403, "forbidden")
        taken = client.get(f"/api/metrics/export?{query}", headers={"cookie": f"binnacle_session={analyst}"})
    assert taken.headers["content-disposition"] == 'attachment; filename="binnacle-operations-2026-01-01-2026-01-02.csv"'
    assert taken.text == "Operations (count)\r\n0\r\n"
    with transaction() as connection:
        line = connection.execute(
            text("select actor, subject, detail from audit where action = 'metrics.export' order by id desc limit 1")
        ).one()
    assert (line.actor, line.subject, line.detail["format"], line.detail["rows"]) == ("ann", "operations", "csv", 1)
    app = opened("explore", viewer)
    assert all(button.proto.disabled for button in app.get("link_button") if "export" in button.proto.url)


@pytest.mark.parametrize(
    ("query", "says"), [("format=xlsx", "choose one of csv, parquet"), ("", "Unknown format"), ("format=csv&format=csv", "given once")]
)
def test_it_names_what_no_file_can_be_made_of(api: TestClient, query: str, says: str) -> None:
    answer = api.get(f"/api/metrics/export?measures=operations&start=2026-01-01&end=2026-01-02&{query}")
    assert (answer.status_code, says in answer.json()["error"]["message"]) == (400, True), answer.text


def test_it_saves_renames_shares_and_deletes_a_view(analyst: str) -> None:
    app = opened("explore", analyst, measure="Errors", by="Model")
    folded = [box.label for box in app.expander]
    app.text_input[-1].set_value("Errors by model")
    next(button for button in app.button if button.label == "Save").click()
    app.run()
    assert "The view 'Errors by model' is saved." in words(app) + "".join(box.value for box in app.success)
    assert [box.label for box in app.expander] == folded, "a browser folds up again what changes its name"
    views = app.dataframe[-1].value
    assert list(views["View"]) == ["Errors by model"]
    assert parse_qs(urlparse(views["Open"][0]).query)["measure"] == ["Errors"]
    app.selectbox(key="change-view").select_index(0).run()
    for button, expected in (("Share", "everybody"), ("Make private", "its owner")):
        next(one for one in app.button if one.label == button).click().run()
        assert list(app.dataframe[-1].value["Seen by"]) == [expected]
    next(one for one in app.text_input if one.label == "New name").set_value("Failures").run()
    next(one for one in app.button if one.label == "Rename").click().run()
    assert list(app.dataframe[-1].value["View"]) == ["Failures"]
    next(one for one in app.button if one.label == "Delete").click().run()
    assert "There is no view yet" in words(app)
    with transaction() as connection:
        actions = connection.execute(text("select action from audit where action like 'view.%' order by id")).scalars().all()
    assert actions == ["view.save", "view.share", "view.share", "view.rename", "view.delete"]


def test_it_says_the_same_of_hours_and_of_days(api: TestClient) -> None:
    start, end = utc_now() - timedelta(hours=20), utc_now()
    query = {"measures": "operations", "start": start.isoformat(), "end": end.isoformat(), "interval": "hour", "format": "csv"}
    _, *rows = csv.reader(io.StringIO(api.get("/api/metrics/export", params=query).text))
    moments = [pd.Timestamp(row[0]) for row in rows]
    assert {later - earlier for earlier, later in pairwise(moments)} == {pd.Timedelta(hours=1)}
    assert (
        sum(int(row[1]) for row in rows)
        == json.loads(api.get("/api/metrics/query", params={k: v for k, v in query.items() if k not in ("format", "interval")}).text)[
            "rows"
        ][0]["operations"]
    )
