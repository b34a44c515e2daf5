"""The real files, imported and summarised once for all tests that only read them, or that put back what they change."""

from collections.abc import Callable, Iterator

import pytest

from services.ai.providers import gemini as gemini_provider
from services.db import transaction
from services.settings import settings
from services.sitewide import reading, summaries
from tests.models import Act, Json, ModelServer
from tests.services.sitewide.files import bring_all


@pytest.fixture(scope="session")
def known() -> dict[str, str | None]:
    """The hash of the real files' data, once they were imported."""
    return {}


@pytest.fixture(scope="module")
def real(empty: Callable[[], None], known: dict[str, str | None]) -> None:
    """Every council, field and year of the real files; imported again only where another module has emptied the database."""
    settings.cache_clear()
    with transaction() as connection:
        there = reading.data_hash(connection)
    if there is None or there != known.get("hash"):
        empty()
        bring_all()
        summaries.build("ada")
        with transaction() as connection:
            known["hash"] = reading.data_hash(connection)


class Answering(ModelServer):
    """A model that reads what it is asked."""

    answering: Callable[[Json], Act] | None = None

    def begin(self, path: str, model: str, asked: Json) -> Act:
        if self.answering is not None:
            self.always = self.answering(asked)
        return super().begin(path, model, asked)


@pytest.fixture
def gemini(stack: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    """Gemini, with a key; the server keeps its own bill."""
    with Answering() as server:
        monkeypatch.setenv("GEMINI_API_KEY", "a-key-of-tests")
        monkeypatch.setenv("GEMINI_ENDPOINT", server.url)
        settings.cache_clear()
        gemini_provider._library.cache_clear()
        yield server
    settings.cache_clear()
    gemini_provider._library.cache_clear()
