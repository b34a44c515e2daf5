"""The real files, imported and summarised once for all tests that only read them, or that put back what they change."""

import os
from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest

from services.ai.providers import gemini as gemini_provider
from services.settings import settings
from services.sitewide import summaries
from tests.models import ModelServer
from tests.services.sitewide.files import bring_all


@pytest.fixture(scope="module")
def real(empty: Callable[[], None]) -> None:
    """Every council, field and year of the real files."""
    settings.cache_clear()
    empty()
    bring_all()
    summaries.build("ada")


@pytest.fixture
def gemini(stack: None) -> Iterator[ModelServer]:
    """Gemini, with a key; the server keeps its own bill."""
    with ModelServer() as server, patch.dict(os.environ, {"GEMINI_API_KEY": "a-key-of-tests", "GEMINI_ENDPOINT": server.url}):
        settings.cache_clear()
        gemini_provider._library.cache_clear()
        yield server
    settings.cache_clear()
    gemini_provider._library.cache_clear()
