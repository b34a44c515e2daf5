"""The calls that every Anthropic client makes."""

from contextlib import suppress

from anthropic import Anthropic, BadRequestError, RateLimitError, beta_tool
from anthropic.types import MessageParam
from anthropic.types.beta import BetaMessageParam

from tests.clients.telemetry import request

MODEL = "claude-haiku-4-5"


def said(text: str) -> list[MessageParam]:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


@beta_tool
def depth() -> str:
    """Sound the depth below the keel."""
    return "twelve fathoms"


def make_calls(provider_url: str) -> None:
    """Nine calls: plain, part of a request, thinking, two streams, two for a tool, two refusals."""
    client = Anthropic(api_key="sk-ant-test", base_url=provider_url, max_retries=0)
    messages = client.messages
    messages.create(model=MODEL, max_tokens=500, messages=said("hello"))
    with request("/ask"):
        messages.create(model=MODEL, max_tokens=500, messages=said("cached please"), metadata={"user_id": "user-7"})
    messages.create(model=MODEL, max_tokens=500, messages=said("think please"))
    for _ in messages.create(model=MODEL, max_tokens=500, messages=said("cached please"), stream=True):
        pass
    with messages.stream(model=MODEL, max_tokens=500, messages=said("hello")) as stream:
        stream.until_done()
    asked: list[BetaMessageParam] = [{"role": "user", "content": "How deep is it?"}]
    client.beta.messages.tool_runner(model=MODEL, max_tokens=500, messages=asked, tools=[depth]).until_done()
    with suppress(RateLimitError):
        messages.create(model=MODEL, max_tokens=500, messages=said("fail please"))
    with suppress(BadRequestError):
        messages.create(model=MODEL, max_tokens=500, messages=said("badreq"))
