"""Google Gemini through google-generativeai, the only module that imports it.

The library takes a second and 50 MB to import, so it is imported on first use, never at start. It is asked for no retries of its own
(they would go on for minutes, whatever the time-out) and speaks plain HTTP: its gRPC transport does not survive a fork.
"""

import json
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from types import ModuleType
from typing import Any, Literal

from services.ai.outcomes import Outcome
from services.ai.providers.spoken import Failure, Part, Prompt, Usage, Vectors, by_status, retry_after
from services.errors import Unavailable
from services.settings import settings

NAME = "gemini"
FINISHES: dict[str, Literal["stop", "length", "blocked"]] = {
    "STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "blocked", "RECITATION": "blocked", "LANGUAGE": "blocked", "BLOCKLIST": "blocked",
    "PROHIBITED_CONTENT": "blocked", "SPII": "blocked", "IMAGE_SAFETY": "blocked",
}  # fmt: skip
_latest = threading.local()  # the answer that is being read; every call has a thread of its own
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")


def reachable(timeout_s: float) -> str:
    """Name of one model this key may use, which costs no tokens; raises Unavailable with the reason when Gemini does not list it."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        for model in _library().list_models(page_size=1, request_options=_options(timeout_s)):
            return str(model.name)
    except (GoogleAPIError, GoogleAuthError) as error:
        raise Unavailable(f"Gemini answered {type(error).__name__}.") from error
    except RequestException as error:
        raise Unavailable(f"Gemini does not answer ({type(error).__name__}).") from error
    raise Unavailable("Gemini lists no model for this key.")


def ask(model: str, prompt: Prompt, *, stream: bool, timeout_s: float) -> Iterator[Part]:
    """The parts of an answer, one where it is not streamed. Raises Failure."""
    try:
        with _failures():
            yield from _asked(model, prompt, stream=stream, timeout_s=timeout_s)
    finally:
        if answer := getattr(_latest, "answer", None):
            answer.close()  # the library leaves a stream that it cannot read open


def _asked(model: str, prompt: Prompt, *, stream: bool, timeout_s: float) -> Iterator[Part]:
    library = _library()
    wished: dict[str, object] = {"max_output_tokens": prompt.max_output_tokens, "temperature": prompt.temperature}
    if prompt.schema is not None:
        # Its own response_schema knows a part of JSON Schema only; the prompt names the shape and pydantic checks the answer.
        wished["response_mime_type"] = "application/json"
    try:
        answer = library.GenerativeModel(model, system_instruction=prompt.system or None).generate_content(
            [{"role": turn.role, "parts": [turn.text]} for turn in prompt.turns],
            generation_config=wished,
            stream=stream,
            request_options=_options(timeout_s),
        )
        for chunk in answer if stream else (answer,):
            yield _part(chunk)
    except library.types.BlockedPromptException as error:
        yield Part("", _usage(error.args[0].usage_metadata), "blocked")


def load() -> None:
    """Import the library now, so that no call's time-out pays for it. Raises Failure without a key."""
    with _failures():
        _library()


def embed(model: str, texts: Sequence[str], *, timeout_s: float) -> Vectors:
    """One vector a text. The answer names no usage, so the same texts are counted, which is free. Raises Failure."""
    with _failures():
        library = _library()
        told = library.embed_content(model=f"models/{model}", content=list(texts), request_options=_options(timeout_s))
    try:
        with _failures():
            counted = library.GenerativeModel(model).count_tokens(list(texts), request_options=_options(timeout_s)).total_tokens
    except Failure:
        counted = 0
    return Vectors([[float(x) for x in vector] for vector in told["embedding"]], Usage(int(counted), 0) if counted else None)


def _part(chunk: Any) -> Part:  # noqa: ANN401 - the library has no types
    candidate = chunk.candidates[0] if chunk.candidates else None
    words = "".join(part.text for part in candidate.content.parts) if candidate else ""
    finish = FINISHES.get(candidate.finish_reason.name) if candidate else None
    if not candidate and chunk.prompt_feedback.block_reason:
        finish = "blocked"
    return Part(words, _usage(chunk.usage_metadata), finish)


def _usage(told: Any) -> Usage | None:  # noqa: ANN401 - the library has no types
    """Thoughts are in the total alone: the library drops their own count. Counts that contradict each other come out negative."""
    prompt, spoken, total = told.prompt_token_count, told.candidates_token_count, told.total_token_count
    if not (prompt or spoken or total):
        return None
    thought = total - prompt - spoken if total else 0
    return Usage(prompt, spoken + thought, told.cached_content_token_count, thought)


@contextmanager
def _failures() -> Iterator[None]:
    """Whatever the library raises, by its name among ours; never its text, which may quote the request."""
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import ConnectionError as NoConnection
    from requests.exceptions import ReadTimeout, RequestException

    try:
        yield
    except Failure:
        raise
    except GoogleAPICallError as error:
        raise _refusal(error) from error
    except Unavailable as error:
        raise Failure("not_set_up", str(error)) from error
    except GoogleAuthError as error:
        raise Failure("bad_key", f"Gemini does not accept the key ({type(error).__name__}).") from error
    except ReadTimeout as error:
        raise Failure("timed_out", "Gemini did not answer in time.") from error
    except NoConnection as error:
        raise _unconnected(error) from error
    except Exception as error:  # an answer that is none makes the library raise whatever it stumbles over
        broken = isinstance(error, RequestException) or "Unfinished stream" in str(error)
        raise Failure("cut" if broken else "unreadable", f"Gemini's answer is none ({type(error).__name__}).") from error


def _refusal(error: Any) -> Failure:  # noqa: ANN401 - the library has no types
    reasons = {str(detail.get("reason")) for detail in error.details if isinstance(detail, dict)}
    words = f"Gemini answered {type(error).__name__} ({error.code})."
    if error.response is None:  # raised by the library itself, at a part of a stream that is none
        return Failure("unreadable", f"Gemini's answer is none ({type(error).__name__}).")
    if "API_KEY_INVALID" in reasons:
        return Failure("bad_key", words)
    return by_status(int(error.code or 500), words, _wait(error))


def _wait(error: Any) -> float | None:  # noqa: ANN401 - the library has no types
    """How long Gemini asks to wait: in a header or among the details."""
    header = retry_after(error.response.headers.get("Retry-After")) if error.response is not None else None
    if header is not None:
        return header
    told = (_SECONDS.fullmatch(str(detail.get("retryDelay"))) for detail in error.details if isinstance(detail, dict))
    return next((float(found[1]) for found in told if found), None)


def _unconnected(error: Exception) -> Failure:
    """A connection that was made and then lost may have been billed; one that was never made was not. Where an answer has begun, requests
    calls its silence a lost connection, too."""
    if "Read timed out" in str(error):
        return Failure("timed_out", "Gemini fell silent in the middle of its answer.")
    lost = any(word in str(error) for word in ("RemoteDisconnected", "Connection aborted", "Connection broken"))
    outcome: Outcome = "cut" if lost else "unreachable"
    return Failure(outcome, f"Gemini does not answer ({type(error).__name__}).")


def _options(timeout_s: float) -> dict[str, object]:
    return {"timeout": timeout_s, "retry": None}


@lru_cache(maxsize=1)
def _library() -> ModuleType:
    key = settings().gemini_api_key
    if key is None:
        raise Unavailable("GEMINI_API_KEY is not set.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it announces its successor at every import
        import google.generativeai as library
        from google.generativeai.client import configure, get_default_generative_client
    endpoint = settings().gemini_endpoint
    configure(api_key=key.get_secret_value(), transport="rest", client_options={"api_endpoint": endpoint} if endpoint else None)
    session = get_default_generative_client().transport._session  # type: ignore[attr-defined] # noqa: SLF001 - there is no other way in
    session.hooks["response"].append(_readable)
    return library


def _readable(answer: Any, **_told: object) -> None:  # noqa: ANN401 - of requests
    """Gemini puts the errors of streams into a list, and proxies word theirs as they like: the library can read neither, so that a 429
    would pass for a mistake of ours. Give it one that it can read."""
    _latest.answer = answer
    if answer.status_code < 400:
        return
    try:
        told = json.loads(answer.content)
    except ValueError:
        told = None
    told = told[0] if isinstance(told, list) and told else told
    error = told.get("error") if isinstance(told, dict) else None
    answer._content = json.dumps({"error": error if isinstance(error, dict) else {}}).encode()  # noqa: SLF001
