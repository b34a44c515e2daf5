"""Google Gemini through google-generativeai, the only module that imports it.

The library takes a second and 50 MB to import, so it is imported on first use, never at start.
"""

import warnings
from functools import lru_cache
from types import ModuleType

from services.errors import Unavailable
from services.settings import settings


def reachable(timeout_s: float) -> str:
    """Name of one model this key may use, which costs no tokens; raises Unavailable with the reason when Gemini does not list it."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        # Without retry=None the library tries again for minutes, whatever the time-out.
        for model in _library().list_models(page_size=1, request_options={"timeout": timeout_s, "retry": None}):
            return str(model.name)
    except (GoogleAPIError, GoogleAuthError) as error:
        raise Unavailable(f"Gemini answered {type(error).__name__}.") from error
    except RequestException as error:
        raise Unavailable(f"Gemini does not answer ({type(error).__name__}).") from error
    raise Unavailable("Gemini lists no model for this key.")


@lru_cache(maxsize=1)
def _library() -> ModuleType:
    """The library, configured for plain HTTP: its gRPC transport does not survive a fork."""
    key = settings().gemini_api_key
    if key is None:
        raise Unavailable("GEMINI_API_KEY is not set.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it announces its successor at every import
        import google.generativeai as library
        from google.generativeai.client import configure
    endpoint = settings().gemini_endpoint
    configure(api_key=key.get_secret_value(), transport="rest", client_options={"api_endpoint": endpoint} if endpoint else None)
    return library
