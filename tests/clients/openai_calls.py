"""The calls that every OpenAI client makes."""

from contextlib import suppress

from openai import BadRequestError, OpenAI, RateLimitError
from openai.types.chat import ChatCompletionUserMessageParam

from tests.clients.telemetry import request

MODEL = "gpt-5-mini"


def said(text: str) -> list[ChatCompletionUserMessageParam]:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


def make_calls(provider_url: str) -> None:
    """Ten calls: plain, part of a request, cached, thinking, two streams, both ways of responses, an embedding, two refusals."""
    client = OpenAI(api_key="sk-test", base_url=f"{provider_url}/v1", max_retries=0)
    chat = client.chat.completions
    chat.create(model=MODEL, messages=said("hello"))
    with request("/ask"):
        chat.create(model=MODEL, messages=said("cached please"), user="user-7")
    chat.create(model=MODEL, messages=said("think please"))
    for _ in chat.create(model=MODEL, messages=said("cached please"), stream=True, stream_options={"include_usage": True}):
        pass
    for _ in chat.create(model=MODEL, messages=said("hello"), stream=True):
        pass
    client.responses.create(model=MODEL, input="cached please, think please")
    for _ in client.responses.create(model=MODEL, input="cached please", stream=True):
        pass
    client.embeddings.create(model="text-embedding-3-small", input="hello")
    with suppress(RateLimitError):
        chat.create(model=MODEL, messages=said("fail please"))
    with suppress(BadRequestError):
        chat.create(model=MODEL, messages=said("badreq"))
