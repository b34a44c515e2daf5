"""The API against its own description: generated requests, good and bad, with a key, with a wrong one and with none."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS
from sqlalchemy import text

from console.api import app
from services.accounts import keys
from services.db import transaction
from tests.console.conftest import Server

SCHEMA = schemathesis.openapi.from_dict(app.build(sessions=True).openapi())
# Valid by the schema is not yet true: a time in the future or more cached than input tokens is refused by rules no schema can state.
BEYOND_SCHEMAS: Any = CHECKS.get_by_names(["positive_data_acceptance"])
# A generated id may hold what makes it another path, or none; both are refused before anybody asks who calls.
NO_ROUTE, NO_PATH = "There is nothing at this path.", "This path cannot be used."
FEW = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def key(stack: None) -> Iterator[str]:
    """A key that may all, for as long as this module runs."""
    with transaction() as connection:
        made = keys.create(connection, "contract", ["admin"])
    yield made
    with transaction() as connection:
        connection.execute(text("delete from api_keys where name = 'contract'"))


@SCHEMA.parametrize()
@FEW
def test_it_keeps_its_description_with_a_key(case: "schemathesis.Case[Any]", ui: Server, key: str) -> None:
    case.call_and_validate(base_url=ui.url, headers={"Authorization": f"Bearer {key}"}, excluded_checks=BEYOND_SCHEMAS)


@SCHEMA.exclude(path_regex="^/api/ai/health").parametrize()
@settings(FEW, max_examples=5)
@pytest.mark.parametrize("presented", [{}, {"Authorization": f"Bearer bnk_{'0' * 12}_{'x' * 43}"}], ids=["nothing", "wrong key"])
def test_it_lets_nothing_generated_through_without_a_good_key(
    case: "schemathesis.Case[Any]", ui: Server, presented: dict[str, str]
) -> None:
    case.headers.pop("Authorization", None)
    case.cookies.clear()
    answer = case.call(base_url=ui.url, headers=presented)
    assert answer.status_code in (401, 405) or answer.text.find(NO_ROUTE) > 0 or NO_PATH in answer.text
