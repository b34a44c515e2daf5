"""GET /api/metrics/query: the metrics catalogue as JSON, the same numbers as on the pages."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, TypedDict

from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import QueryParams
from starlette.responses import Response

from console.api import encode
from console.api.access import protected
from services import metrics
from services.errors import BadInput
from services.metrics.columns import WHOLE, columns

router = protected("metrics", session=True)
router.tags = ["metrics"]
SINGLE = ("interval", "start", "end", "compare")
LISTS = ("measures", "by")
INTERVALS = ("15min", "hour", "day", "week", "month")
BOOLS = {"true": True, "1": True, "false": False, "0": False}


class Column(BaseModel):
    """One column of the rows; `unit` is "time" for the bucket and "text" for a dimension."""

    name: str
    label: str
    unit: str


class Table(BaseModel):
    """Rows, and how far they can be trusted."""

    columns: list[Column]
    rows: list[dict[str, str | float | bool | None]]
    as_of: str
    complete: bool
    priced_share: float | None
    zone: str
    notes: list[str]


def parameters() -> list[dict[str, Any]]:
    """The query parameters for the OpenAPI page, straight from the catalogue."""

    def listed(name: str, items: Sequence[str], description: str, required: bool = False) -> dict[str, Any]:
        schema = {"type": "array", "items": {"type": "string", "enum": list(items)}, "uniqueItems": True, "minItems": 1}
        return {
            "name": name,
            "in": "query",
            "required": required,
            "description": description,
            "schema": schema,
            "style": "form",
            "explode": False,
        }

    def single(name: str, schema: dict[str, Any], description: str, required: bool = False) -> dict[str, Any]:
        return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}

    moment = {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}
    dimensions = list(metrics.DIMENSIONS)
    return [
        listed("measures", list(metrics.MEASURES), "Which numbers.", required=True),
        single("start", moment, "First day in the reporting zone, or an instant with its offset.", required=True),
        single("end", moment, "The day or instant after the last.", required=True),
        listed("by", dimensions, "One row for each value of these."),
        single("interval", {"type": "string", "enum": list(INTERVALS)}, "One row for each bucket of time."),
        single("compare", {"type": "boolean"}, "Add each measure of the period of the same length before."),
        *(
            {
                "name": name,
                "in": "query",
                "description": f"Only this {metrics.DIMENSIONS[name].label.lower()}; may be given several times.",
                "schema": {"type": "array", "items": {"type": "string"}},
                "style": "form",
                "explode": True,
            }
            for name in dimensions
        ),
    ]


@router.get(
    "/api/metrics/query",
    summary="Ask the metrics catalogue",
    responses={200: {"model": Table}},
    openapi_extra={"parameters": parameters()},
)
def query(request: Request) -> Response:
    """Unknown is null, never 0; empty buckets are rows of their own."""
    answer = metrics.query(**question(request.query_params))
    told = columns(answer.frame.columns)
    head = {
        "columns": [asdict(column) for column in told],
        "as_of": answer.as_of.isoformat(),
        "complete": bool(answer.complete),
        "priced_share": None if answer.priced_share is None else float(answer.priced_share),
        "zone": answer.zone,
        "notes": list(answer.notes),
    }
    whole = frozenset(column.name for column in told if column.unit in WHOLE)
    body = json.dumps(head, allow_nan=False)[:-1] + ', "rows": ' + encode.rows(answer.frame, whole) + "}"
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})


class Question(TypedDict):
    """The arguments of metrics.query."""

    measures: list[str]
    start: date | datetime
    end: date | datetime
    by: list[str]
    where: dict[str, list[str]]
    interval: str | None
    compare: bool


def question(asked: QueryParams, besides: Sequence[str] = ()) -> Question:
    """What the parameters ask, `besides` being known to the route; raises BadInput naming the first that cannot be used."""
    _refuse_strangers(asked, besides)
    return {
        "measures": _listed(asked, "measures"),
        "start": _moment(asked, "start"),
        "end": _moment(asked, "end"),
        "by": _listed(asked, "by"),
        "where": {name: asked.getlist(name) for name in metrics.DIMENSIONS if name in asked},
        "interval": asked.get("interval"),
        "compare": _flag(asked, "compare"),
    }


def _refuse_strangers(asked: QueryParams, besides: Sequence[str]) -> None:
    """A misspelt filter that is ignored would answer another question."""
    for name, value in asked.multi_items():
        if "\0" in value:
            raise BadInput(f"The parameter '{name[:100]}' holds a NUL character.")
        if name not in (*LISTS, *SINGLE, *besides) and name not in metrics.DIMENSIONS:
            raise BadInput(f"Unknown parameter '{name[:100]}': there are {', '.join((*LISTS, *SINGLE, *besides, *metrics.DIMENSIONS))}.")
        if name in (*SINGLE, *besides) and len(asked.getlist(name)) > 1:
            raise BadInput(f"The parameter '{name}' may be given once.")


def _listed(asked: QueryParams, name: str) -> list[str]:
    """Comma-separated, repeated or both, each name once."""
    names = [part for value in asked.getlist(name) for part in value.split(",")]
    if "" in names or len(set(names)) != len(names):
        raise BadInput(f"The parameter '{name}' has an empty name or one twice.")
    return names


def _moment(asked: QueryParams, name: str) -> date | datetime:
    text = asked.get(name)
    if text is None:
        raise BadInput(f"The parameter '{name}' is missing.")
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"The parameter '{name}' is not a date such as 2026-01-31 or an instant (write + as %2B).") from error
    if moment.tzinfo is None:
        raise BadInput(f"The parameter '{name}' needs an offset, such as 2026-01-31T00:00:00Z.")
    return moment


def _flag(asked: QueryParams, name: str) -> bool:
    text = asked.get(name, "false")
    if text not in BOOLS:
        raise BadInput(f"The parameter '{name}' is true or false.")
    return BOOLS[text]
