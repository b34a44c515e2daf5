"""/api/records: communities and projects, searched and one by one. On the console's port only."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict
from starlette.datastructures import QueryParams
from starlette.responses import Response

from console.api.access import protected
from console.api.errors import Json
from services.db import transaction
from services.errors import BadInput
from services.records import KINDS, Kind, Record, get
from services.records.search import LONGEST_QUERY, MOST_PAGES, MOST_WORDS, search

router = protected("records", session=True)
router.tags = ["records"]
FAILURE = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}}
ID = {"name": "record_id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}}
QUERY = [
    {
        "name": "q",
        "in": "query",
        "description": f"At most {MOST_WORDS} words that names, codes or places must have; case and accents do not count.",
        "schema": {"type": "string", "maxLength": LONGEST_QUERY},
    },
    {"name": "page", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": MOST_PAGES, "default": 1}},
]


class _View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class CommunityView(_View):
    """A place. What nobody knows is null; `unknown` says why where the source does."""

    kind: Literal["communities"]
    id: int
    source: str
    psgc_id: str
    name: str
    geographic_level: str | None
    region: str | None
    province: str | None
    municipality: str | None
    city_class: str | None
    income_class: str | None
    settlement_type: str | None
    population: int | None
    barangay_status: str | None
    old_names: str | None
    narrative: str | None
    attributes: dict[str, str]
    unknown: dict[str, str]
    content_hash: str
    imported_at: datetime


class YearView(_View):
    """What one yearly report told."""

    year: int
    name: str
    department: str | None
    start: date | None
    end: date | None
    status: str | None
    rating: str | None
    budget_minor: int | None
    forecast_minor: int | None
    variance_percent: Decimal | None
    whole_life_minor: int | None
    narrative: str | None
    unknown: dict[str, str]
    imported_at: datetime


class ProjectView(_View):
    """A project. Money is in minor units of `currency`; variance_percent is forecast over budget, in exact digits."""

    kind: Literal["projects"]
    id: int
    source: str
    source_id: str | None
    name: str
    department: str | None
    category: str | None
    description: str | None
    start_planned: date | None
    start_current: date | None
    end_planned: date | None
    end_current: date | None
    status: str | None
    rating: str | None
    currency: str | None
    budget_minor: int | None
    forecast_minor: int | None
    variance_percent: Decimal | None
    whole_life_minor: int | None
    narrative: str | None
    attributes: dict[str, str]
    unknown: dict[str, str]
    years: list[YearView]
    content_hash: str
    imported_at: datetime


class ListView(BaseModel):
    """One page of a search. Long texts and years are in the records themselves."""

    kind: str
    page: int
    pages: int
    total: int
    records: list[dict[str, Any]]


VIEWS: dict[str, type[CommunityView | ProjectView]] = {"communities": CommunityView, "projects": ProjectView}
LONG = {"description", "narrative", "attributes", "unknown", "years"}


def _lister(kind: Kind) -> Callable[[Request], Response]:
    def list_records(request: Request) -> Response:
        """Fifty a page: whole names first, then the largest places or what begins with the words. Without words all, in their order."""
        query, page = _asked(request.query_params)
        with transaction() as connection:
            found = search(connection, kind, query, page)
        records = [_view(record).model_dump(mode="json", exclude=LONG) for record in found.records]
        return _answer({"kind": kind, "page": page, "pages": found.pages, "total": found.total, "records": records})

    return list_records


def _getter(kind: Kind) -> Callable[[Request], Response]:
    def get_record(request: Request) -> Response:
        """Everything that is known, and why the rest is not."""
        told = str(request.path_params["record_id"])
        if not (told.isascii() and told.isdigit() and len(told) < 20 and 0 < int(told) < 2**63):
            raise BadInput("A record's id is a whole number from 1 on.")
        with transaction() as connection:
            record = get(connection, kind, int(told))
        return _answer(_view(record).model_dump(mode="json"))

    return get_record


# A route a kind, rather than a kind in the path: another word there is no path at all, and each kind is described as what it is.
for noun in KINDS:
    router.add_api_route(
        f"/api/records/{noun}",
        _lister(noun),
        name=f"list_{noun}",
        summary=f"Search {noun}",
        responses={200: {"model": ListView}},
        openapi_extra={"parameters": QUERY},
    )
    router.add_api_route(
        f"/api/records/{noun}/{{record_id}}",
        _getter(noun),
        name=f"get_{noun}",
        summary=f"One of the {noun}",
        responses={200: {"model": VIEWS[noun]}, 404: {"description": "No such record"} | FAILURE},
        openapi_extra={"parameters": [ID]},
    )


def _asked(parameters: QueryParams) -> tuple[str, int]:
    """Words and page; a misspelt parameter that is ignored would answer another question."""
    for name, _ in parameters.multi_items():
        if name not in ("q", "page"):
            raise BadInput(f"Unknown parameter '{name[:100]}': there are q and page.")
        if len(parameters.getlist(name)) > 1:
            raise BadInput(f"The parameter '{name}' may be given once.")
    page = parameters.get("page", "1")
    if not (page.isascii() and page.isdigit() and len(page) < 10):
        raise BadInput("The parameter 'page' is a whole number from 1 on.")
    return parameters.get("q", ""), int(page)


def _view(record: Record) -> CommunityView | ProjectView:
    return VIEWS[record.kind].model_validate(record)


def _answer(content: object) -> Response:
    return Json(content, headers={"cache-control": "no-store"})
