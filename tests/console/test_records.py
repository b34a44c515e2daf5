"""GET /api/records: lists and single records, to the digit; unknown is null with its reason."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.console.conftest import Server
from tests.services.records.conftest import as_csv, bring
from tests.services.records.test_communities import HEADER, PLACES
from tests.services.records.test_load import HEADER as PROJECT_HEADER
from tests.services.records.test_load import changed, plan

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def client(ui: Server, make_key: Callable[..., str]) -> Iterator[httpx.Client]:
    """A reader with a key, four places and a project of two years."""
    bring(as_csv(HEADER, *PLACES), "psgc")
    bring(as_csv(PROJECT_HEADER, changed(budget="Exempt under Section 43", words="Long.\n" * 9)), plan(year=2020))
    bring(as_csv(PROJECT_HEADER, changed(ends="01/02/2031")), plan(year=2021))
    with ui.client(key=make_key("records")) as made:
        yield made


def test_it_lists_what_is_searched(client: httpx.Client) -> None:
    told = client.get("/api/records/communities", params={"q": "adams"}).json()
    assert {name: told[name] for name in ("kind", "page", "pages", "total")} == {"kind": "communities", "page": 1, "pages": 1, "total": 2}
    assert [record["psgc_id"] for record in told["records"]] == ["0102801000", "0102801001"]
    assert told["records"][1]["population"] is None
    assert "narrative" not in told["records"][0]
    assert client.get("/api/records/communities?page=2").json()["records"] == []
    assert client.get("/api/records/projects").json()["records"][0]["name"] == "Bridge"


def test_it_tells_everything_of_one(client: httpx.Client) -> None:
    found = client.get("/api/records/projects").json()["records"][0]
    answer = client.get(f"/api/records/projects/{found['id']}")
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert (told["kind"], told["currency"], told["budget_minor"], told["variance_percent"]) == ("projects", "GBP", 1_000_000_000, "10")
    assert (told["end_planned"], told["end_current"]) == ("2030-02-01", "2031-02-01")
    assert [(year["year"], year["budget_minor"]) for year in told["years"]] == [(2020, None), (2021, 1_000_000_000)]
    assert told["years"][0]["unknown"] == {"budget_minor": "Exempt under Section 43"}
    assert len(told["content_hash"]) == 64


def test_it_answers_a_signed_in_browser(ui: Server, session: str) -> None:
    with ui.client(session, origin=False) as client:
        assert client.get("/api/records/communities").json()["total"] == 0


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("places", 404, "There is nothing at this path."),
        ("places/1", 404, "There is nothing at this path."),
        ("communities/999999", 404, "no record 999999 among the communities"),
        ("communities/x", 400, "whole number from 1"),
        ("communities/0", 400, "whole number from 1"),
        (f"communities/{2**63}", 400, "whole number from 1"),
        ("communities?page=0", 400, "pages from 1"),
        ("communities?page=-1", 400, "'page' is a whole number"),
        ("communities?page=1&page=2", 400, "'page' may be given once"),
        ("communities?query=x", 400, "Unknown parameter 'query'"),
        ("communities?q=%00", 400, "NUL"),
    ],
)
def test_it_names_what_it_cannot_use(client: httpx.Client, path: str, status: int, told: str) -> None:
    answer = client.get(f"/api/records/{path}")
    assert (answer.status_code, told in answer.json()["error"]["message"]) == (status, True), answer.text
