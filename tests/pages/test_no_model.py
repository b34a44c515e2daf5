"""No page waits for a model: with every provider hanging, none is even asked."""

from collections.abc import Iterator

import pytest

from services.accounts import accounts, sign_ins
from services.ai.providers import gemini as gemini_provider
from services.db import transaction
from services.settings import ROOT, settings
from tests.models import Act, ModelServer
from tests.orders import communities, project
from tests.pages.test_pages import opened

PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))


@pytest.fixture
def hanging(database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """Gemini and an Ollama host that take calls and never answer them."""
    with ModelServer() as server:
        server.always = Act(delay_s=600)
        for name, told in (("GEMINI_API_KEY", "a-key-of-tests"), ("GEMINI_ENDPOINT", server.url), ("OLLAMA_HOSTS", server.url)):
            monkeypatch.setenv(name, told)
        settings.cache_clear()
        gemini_provider._library.cache_clear()
        yield server
    settings.cache_clear()
    gemini_provider._library.cache_clear()


@pytest.mark.unmeasured
@pytest.mark.parametrize("page", PAGES)
def test_no_page_asks_a_model(hanging: ModelServer, page: str) -> None:
    communities("Adams")
    project()
    with transaction() as connection:
        session = sign_ins.begin(connection, accounts.create(connection, "ada", "admin"))
    app = opened(page, session, id="1")
    assert not app.exception
    assert hanging.calls == []


def test_starting_an_analysis_asks_no_model_either(hanging: ModelServer) -> None:
    place = communities("Adams")[0]
    with transaction() as connection:
        session = sign_ins.begin(connection, accounts.create(connection, "ada", "analyst"))
    app = opened("analyses", session, kind="communities", id=str(place))
    app.button(key="start_all").click().run()
    assert not app.exception
    assert next(button for button in app.button if (button.key or "").startswith("cancel-Validation-")).label == "Cancel"
    assert hanging.calls == []
