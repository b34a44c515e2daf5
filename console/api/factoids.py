"""GET /api/factoids: what the site-wide summaries have to tell, served always and never made while somebody waits."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from console.api.access import protected
from console.api.errors import Json
from services.errors import BadInput
from services.sitewide import serving
from services.sitewide.editions import Factoid
from services.sitewide.serving import Served

router = protected("metrics", session=True)
router.tags = ["factoids"]


class SourceView(BaseModel):
    """A summary: its field and the year in which its financial year begins, and the SHA-256 of the figures it was made from."""

    field: str
    year: int
    sha256: str


class FactoidView(BaseModel):
    """One sentence. `by` is whose words they are: model, template, replaced (the template's, for the model's were no fact) or waiting (for
    a model to be asked); null of a curated one, which has no field, year or sources."""

    text: str
    kind: str
    by: Literal["model", "template", "replaced", "waiting"] | None
    field: str | None
    field_name: str | None
    year: int | None
    facts: dict[str, Any]
    councils: list[str]
    sources: list[SourceView]


class FactoidsView(BaseModel):
    """`source` is primary (compared with the data at `as_of`, at most six hours ago), stale (at most thirty days ago) or static (curated).

    `reason` says why it is not primary."""

    source: Literal["primary", "stale", "static"]
    as_of: datetime | None
    age_s: float | None
    reason: str | None
    factoids: list[FactoidView]


@router.get("/api/factoids", summary="The factoids of this slot", responses={200: {"model": FactoidsView}})
def get_factoids(request: Request) -> Response:
    """Five at a time, others at each slot. Says how old they are."""
    for name in request.query_params:
        raise BadInput(f"Unknown parameter '{name[:100]}': there are none.")
    return Json(_view(serving.current()).model_dump(mode="json"), headers={"cache-control": "no-store"})


def _view(served: Served) -> FactoidsView:
    curated = [
        FactoidView(text=said, kind="curated", by=None, field=None, field_name=None, year=None, facts={}, councils=[], sources=[])
        for said in served.curated
    ]
    return FactoidsView(
        source=served.source, as_of=served.as_of, age_s=served.age_s, reason=served.reason,
        factoids=[_factoid(one) for one in served.factoids] + curated,
    )  # fmt: skip


def _factoid(one: Factoid) -> FactoidView:
    told = asdict(one)
    return FactoidView.model_validate(
        {name: told[name] for name in ("text", "kind", "by", "year", "facts")}
        | {"field": one.slug, "field_name": one.field, "councils": list(one.codes)}
        | {"sources": [{"field": slug, "year": year, "sha256": sha256} for slug, year, sha256 in one.sources]}
    )
