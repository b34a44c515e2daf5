"""Ollama, one host at a time, over its own HTTP protocol."""

import json
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpx2
from pydantic import BaseModel, ConfigDict, ValidationError

from services.ai.providers.spoken import Failure, Part, Prompt, Usage, Vectors, by_status, retry_after

NAME = "ollama"
CONNECT_S = 3.0


class _Message(BaseModel):
    content: str = ""


class _Line(BaseModel):
    """One answer, or one line of a stream."""

    model_config = ConfigDict(extra="ignore")

    message: _Message = _Message()
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: str | None = None


class _Embedded(BaseModel):
    embeddings: list[list[float]]
    prompt_eval_count: int | None = None


class _Model(BaseModel):
    name: str


class _Models(BaseModel):
    models: list[_Model]


def ask(host: str, model: str, prompt: Prompt, *, stream: bool, timeout_s: float) -> Iterator[Part]:
    """The parts of an answer, one where it is not streamed. Raises Failure."""
    asked: dict[str, object] = {
        "model": model,
        "messages": _messages(prompt),
        "stream": stream,
        "options": {"temperature": prompt.temperature, "num_predict": prompt.max_output_tokens},
    }
    if prompt.schema is not None:
        asked["format"] = prompt.schema
    with _failures(), httpx2.stream("POST", f"{host}/api/chat", json=asked, timeout=_timeout(timeout_s), verify=_authorities()) as answer:
        _raise_for_status(answer)
        done = False
        for line in answer.iter_lines():
            part = _Line.model_validate_json(line)
            if part.error is not None:
                raise Failure("server_error", "Ollama failed in the middle of its answer.")
            done = part.done
            yield Part(part.message.content, _usage(part.prompt_eval_count, part.eval_count), _finish(part))
        if not done:
            raise Failure("cut", "Ollama's answer broke off.")


def embed(host: str, model: str, texts: Sequence[str], *, timeout_s: float) -> Vectors:
    """One vector a text. Raises Failure."""
    asked = {"model": model, "input": list(texts)}
    with _failures():
        answer = httpx2.post(f"{host}/api/embed", json=asked, timeout=_timeout(timeout_s), verify=_authorities())
        _raise_for_status(answer)
        told = _Embedded.model_validate_json(answer.content)
    return Vectors(told.embeddings, _usage(told.prompt_eval_count, 0))


def models(host: str, timeout_s: float) -> tuple[list[str], list[str]]:
    """The models a host has, and those of them it has in memory. Raises Failure."""
    with _failures():
        found = []
        for path in ("/api/tags", "/api/ps"):
            answer = httpx2.get(f"{host}{path}", timeout=timeout_s, verify=_authorities())
            _raise_for_status(answer)
            found.append([model.name for model in _Models.model_validate_json(answer.content).models])
    return found[0], found[1]


def _messages(prompt: Prompt) -> list[dict[str, str]]:
    said = [{"role": "assistant" if turn.role == "model" else "user", "content": turn.text} for turn in prompt.turns]
    return [{"role": "system", "content": prompt.system}, *said] if prompt.system else said


def _usage(asked: int | None, answered: int | None) -> Usage | None:
    return None if asked is None or answered is None else Usage(asked, answered)


def _finish(line: _Line) -> Any:  # noqa: ANN401 - one of Part's literals
    if not line.done:
        return None
    return "length" if line.done_reason == "length" else "stop"


@cache
def _authorities() -> ssl.SSLContext:
    """Whom to trust: read once, because that takes 20 ms of a core, which each call would pay for, be it over plain HTTP."""
    return httpx2.create_ssl_context()


def _timeout(timeout_s: float) -> httpx2.Timeout:
    return httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))


def _raise_for_status(answer: httpx2.Response) -> None:
    if answer.status_code != 200:
        wait_s = retry_after(answer.headers.get("Retry-After"))
        raise by_status(answer.status_code, f"Ollama answered {answer.status_code}.", wait_s)


@contextmanager
def _failures() -> Iterator[None]:
    """Whatever HTTP or JSON raises, by its name among ours; never its text."""
    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
        raise Failure("unreachable", f"Ollama does not answer ({type(error).__name__}).") from error
    except httpx2.TimeoutException as error:
        raise Failure("timed_out", "Ollama did not answer in time.") from error
    except httpx2.HTTPError as error:
        raise Failure("cut", f"Ollama's answer broke off ({type(error).__name__}).") from error
    except (ValidationError, json.JSONDecodeError) as error:
        raise Failure("unreadable", "Ollama's answer is none of its protocol.") from error
