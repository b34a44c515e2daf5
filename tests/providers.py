"""A server that speaks OpenAI's, Anthropic's and Gemini's protocols, and keeps its own bill of the calls it answered.

What a prompt says decides the answer: "fail please" is refused with 429 and "badreq" with 400; "cached please" reads from (and
writes to) the provider's cache; "think please" spends reasoning tokens. Token counts differ from call to call.
"""

import json
import secrets
import string
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Json = dict[str, Any]

ANSWERED_BY = {"gpt-5-mini": "gpt-5-mini-2025-08-07", "claude-haiku-4-5": "claude-haiku-4-5-20251001"}
CHUNK_DELAY_S = 0.01
WORDS = ("Port ", "and ", "starboard.")


@dataclass(frozen=True)
class Call:
    """One line of the bill. Input tokens include those of the cache, output tokens include those of reasoning."""

    provider: str
    model: str
    response_id: str | None
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    status: int = 200
    operation: str = "chat"
    response_model: str = ""
    streamed: bool = False
    usage_told: bool = True

    @property
    def fresh_tokens(self) -> int:
        """Input tokens that neither came from the cache nor went into it."""
        return self.input_tokens - self.cache_read_tokens - self.cache_write_tokens


@dataclass(frozen=True)
class Answer:
    """What goes back: one JSON body, or server-sent events, each with its name where the provider gives names."""

    call: Call
    body: Json | None = None
    events: tuple[tuple[str | None, Json], ...] = ()
    ends_with_done: bool = False


def chance(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    """Letters nobody has seen before."""
    return "".join(secrets.choice(letters) for _ in range(length))


def measured(number: int, prompt: str, provider: str, model: str, response_id: str, *, streamed: bool = False) -> Call:
    """The bill of the `number`th answered chat."""
    cached, thinking = "cached please" in prompt, "think please" in prompt
    cache_read, cache_write = (900 + 11 * number, 70 + number) if cached else (0, 0)
    if provider == "google":
        cache_write = 0  # Gemini bills what it keeps by the hour, not by the call
    reasoning = 200 + 13 * number if thinking else 0
    return Call(
        provider=provider,
        model=model,
        response_id=response_id,
        input_tokens=100 + 7 * number + cache_read + cache_write,
        output_tokens=20 + 3 * number + reasoning,
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
        reasoning_tokens=reasoning,
        response_model=ANSWERED_BY.get(model, model),
        streamed=streamed,
    )


def embedded(number: int, provider: str, model: str, *, usage_told: bool) -> Call:
    """The bill of the `number`th answered embedding."""
    return Call(provider, model, None, input_tokens=10 + number, operation="embeddings", response_model=model, usage_told=usage_told)


# --- OpenAI ---------------------------------------------------------------------------------------------------------------


def openai_usage(call: Call) -> Json:
    """Usage of a chat completion."""
    return {
        "prompt_tokens": call.input_tokens,
        "completion_tokens": call.output_tokens,
        "total_tokens": call.input_tokens + call.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": call.cache_read_tokens,
            "cache_write_tokens": call.cache_write_tokens,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": call.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def openai_chat(number: int, prompt: str, asked: Json) -> Answer:
    """POST /v1/chat/completions."""
    streamed = bool(asked.get("stream"))
    call = measured(number, prompt, "openai", asked["model"], f"chatcmpl-{chance(29)}", streamed=streamed)
    head: Json = {"id": call.response_id, "created": int(time.time()), "model": call.response_model, "service_tier": "default"}
    if not streamed:
        message: Json = {"role": "assistant", "content": "".join(WORDS), "refusal": None, "annotations": []}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return Answer(call, {**head, "object": "chat.completion", "choices": [choice], "usage": openai_usage(call)})
    told = bool((asked.get("stream_options") or {}).get("include_usage"))
    head |= {"object": "chat.completion.chunk"} | ({"usage": None} if told else {})
    deltas: list[Json] = [{"role": "assistant", "content": ""}, *({"content": word} for word in WORDS), {}]
    chunks = [
        {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None if delta else "stop"}]}
        for delta in deltas
    ]
    if told:
        chunks.append({**head, "choices": [], "usage": openai_usage(call)})
    call = replace(call, usage_told=told)
    return Answer(call, events=tuple((None, chunk) for chunk in chunks), ends_with_done=True)


def openai_response(number: int, prompt: str, asked: Json) -> Answer:
    """POST /v1/responses."""
    streamed = bool(asked.get("stream"))
    call = measured(number, prompt, "openai", asked["model"], f"resp_{chance(48, string.hexdigits[:16])}", streamed=streamed)
    text = {"type": "output_text", "text": "".join(WORDS), "annotations": [], "logprobs": []}
    item_id = f"msg_{chance(48, string.hexdigits[:16])}"
    message: Json = {"id": item_id, "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    begun: Json = {
        "id": call.response_id,
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": call.response_model,
        "output": [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }
    usage = {
        "input_tokens": call.input_tokens,
        "input_tokens_details": {"cached_tokens": call.cache_read_tokens, "cache_write_tokens": call.cache_write_tokens},
        "output_tokens": call.output_tokens,
        "output_tokens_details": {"reasoning_tokens": call.reasoning_tokens},
        "total_tokens": call.input_tokens + call.output_tokens,
    }
    done = begun | {"status": "completed", "output": [message], "usage": usage}
    if not streamed:
        return Answer(call, done)
    place = {"item_id": item_id, "output_index": 0, "content_index": 0}
    events: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": message | {"status": "in_progress", "content": []}},
        {"type": "response.content_part.added", **place, "part": text | {"text": ""}},
        *({"type": "response.output_text.delta", **place, "delta": word, "logprobs": []} for word in WORDS),
        {"type": "response.output_text.done", **place, "text": text["text"], "logprobs": []},
        {"type": "response.content_part.done", **place, "part": text},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.completed", "response": done},
    ]
    return Answer(call, events=tuple((event["type"], event | {"sequence_number": at}) for at, event in enumerate(events)))


def openai_embeddings(number: int, _prompt: str, asked: Json) -> Answer:
    """POST /v1/embeddings."""
    call = embedded(number, "openai", asked["model"], usage_told=True)
    data = [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5, 0.125]}]
    usage = {"prompt_tokens": call.input_tokens, "total_tokens": call.input_tokens}
    return Answer(call, {"object": "list", "data": data, "model": call.model, "usage": usage})


# --- Anthropic ------------------------------------------------------------------------------------------------------------


def anthropic_usage(call: Call) -> Json:
    """Usage of a message: its input tokens leave out those that the cache had or took."""
    return {
        "input_tokens": call.fresh_tokens,
        "cache_creation_input_tokens": call.cache_write_tokens,
        "cache_read_input_tokens": call.cache_read_tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": call.cache_write_tokens, "ephemeral_1h_input_tokens": 0},
        "output_tokens": call.output_tokens,
        "output_tokens_details": {"thinking_tokens": call.reasoning_tokens},
        "service_tier": "standard",
    }


def anthropic_message(number: int, prompt: str, asked: Json) -> Answer:
    """POST /v1/messages; with tools it asks for the first one, once."""
    streamed = bool(asked.get("stream"))
    call = measured(number, prompt, "anthropic", asked["model"], f"msg_01{chance(22)}", streamed=streamed)
    tool = asked.get("tools") and "tool_result" not in prompt
    block: Json = {"type": "text", "text": "".join(WORDS), "citations": None}
    if tool:
        block = {"type": "tool_use", "id": f"toolu_01{chance(22)}", "name": asked["tools"][0]["name"], "input": {}}
    message: Json = {
        "id": call.response_id,
        "type": "message",
        "role": "assistant",
        "model": call.response_model,
        "content": [block],
        "stop_reason": "tool_use" if tool else "end_turn",
        "stop_sequence": None,
        "usage": anthropic_usage(call),
    }
    if not streamed:
        return Answer(call, message)
    begun = message | {"content": [], "stop_reason": None, "usage": message["usage"] | {"output_tokens": 1}}
    del begun["usage"]["output_tokens_details"]
    counts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens", "output_tokens_details")
    events: list[Json] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in WORDS),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {count: message["usage"][count] for count in counts},
        },
        {"type": "message_stop"},
    ]
    return Answer(call, events=tuple((event["type"], event) for event in events))


# --- Gemini ---------------------------------------------------------------------------------------------------------------


def gemini_usage(call: Call) -> Json:
    """Usage of generated content: the candidates' tokens leave out the thoughts', and counts of nothing are left out."""
    counts = {
        "promptTokenCount": call.input_tokens,
        "candidatesTokenCount": call.output_tokens - call.reasoning_tokens,
        "totalTokenCount": call.input_tokens + call.output_tokens,
        "cachedContentTokenCount": call.cache_read_tokens,
        "thoughtsTokenCount": call.reasoning_tokens,
    }
    return {name: count for name, count in counts.items() if count}


def gemini_chunk(call: Call, text: str, usage: Json, *, last: bool) -> Json:
    """A whole answer, or one part of a stream."""
    candidate: Json = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    return {
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": call.response_model,
        "responseId": call.response_id,
    }


def gemini_content(number: int, prompt: str, asked: Json) -> Answer:
    """POST /v1/models/MODEL (or /v1beta):generateContent."""
    call = measured(number, prompt, "google", asked["model"], chance(22))
    return Answer(call, gemini_chunk(call, "".join(WORDS), gemini_usage(call), last=True))


def gemini_stream(number: int, prompt: str, asked: Json) -> Answer:
    """POST /v1/models/MODEL (or /v1beta):streamGenerateContent?alt=sse."""
    call = measured(number, prompt, "google", asked["model"], chance(22), streamed=True)
    so_far = {"promptTokenCount": call.input_tokens, "totalTokenCount": call.input_tokens}
    chunks = [gemini_chunk(call, word, so_far, last=False) for word in WORDS[:-1]]
    chunks.append(gemini_chunk(call, WORDS[-1], gemini_usage(call), last=True))
    return Answer(call, events=tuple((None, chunk) for chunk in chunks))


def gemini_embedding(number: int, _prompt: str, asked: Json) -> Answer:
    """POST /v1/models/MODEL (or /v1beta):embedContent; the answer names no usage."""
    return Answer(embedded(number, "google", asked["model"], usage_told=False), {"embedding": {"values": [0.25, -0.5, 0.125]}})


def gemini_embeddings(number: int, _prompt: str, asked: Json) -> Answer:
    """POST /v1/models/MODEL (or /v1beta):batchEmbedContents; the answer names no usage."""
    values = [{"values": [0.25, -0.5, 0.125]} for _ in asked["requests"]]
    return Answer(embedded(number, "google", asked["model"], usage_told=False), {"embeddings": values})


# --- refusals -------------------------------------------------------------------------------------------------------------


def refusal(provider: str, status: int) -> Json:
    """The provider's own words for 429 and 400."""
    limited = status == 429
    message = "Rate limit reached, try again later." if limited else "The request is not valid."
    if provider == "openai":
        kind, code = ("requests", "rate_limit_exceeded") if limited else ("invalid_request_error", "invalid_value")
        return {"error": {"message": message, "type": kind, "param": None, "code": code}}
    if provider == "anthropic":
        kind = "rate_limit_error" if limited else "invalid_request_error"
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": f"req_011{chance(21)}"}
    return {"error": {"code": status, "message": message, "status": "RESOURCE_EXHAUSTED" if limited else "INVALID_ARGUMENT"}}


Speak = Callable[[int, str, Json], Answer]
PATHS: dict[str, tuple[str, str, Speak]] = {
    "/v1/chat/completions": ("openai", "chat", openai_chat),
    "/v1/responses": ("openai", "chat", openai_response),
    "/v1/embeddings": ("openai", "embeddings", openai_embeddings),
    "/v1/messages": ("anthropic", "chat", anthropic_message),
    ":generateContent": ("google", "chat", gemini_content),
    ":streamGenerateContent": ("google", "chat", gemini_stream),
    ":embedContent": ("google", "embeddings", gemini_embedding),
    ":batchEmbedContents": ("google", "embeddings", gemini_embeddings),
}


def find(path: str) -> tuple[str, str, Speak, str | None] | None:
    """Who answers a path: provider, operation, how, and the model where the path names it."""
    path = path.partition("?")[0]
    model = None
    if "/models/" in path:
        model, colon, method = path.partition("/models/")[2].partition(":")
        path = colon + method
    return (*PATHS[path], model) if path in PATHS else None


def sse(answer: Answer) -> Iterator[bytes]:
    """Server-sent events, as they go over the wire."""
    for name, event in answer.events:
        yield (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(event).encode() + b"\n\n"
    if answer.ends_with_done:
        yield b"data: [DONE]\n\n"


class ProviderServer:
    """All three providers on one port, from `with` to its end; `calls` is their bill."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._lock = threading.Lock()
        self._number = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, prompt: str) -> Answer | None:
        """Answer one request and bill it; None for a path that no provider has."""
        found = find(path)
        if found is None:
            return None
        provider, operation, speak, model = found
        asked: Json = json.loads(prompt)
        asked["model"] = model or asked["model"]
        status = 429 if "fail please" in prompt else 400 if "badreq" in prompt else 200
        with self._lock:
            self._number += 1
            if status == 200:
                answer = speak(self._number, prompt, asked)
            else:
                refused = Call(provider, asked["model"], None, status=status, operation=operation, usage_told=False)
                answer = Answer(refused, refusal(provider, status))
            self.calls.append(answer.call)
        return answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider_server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                prompt = self.rfile.read(int(self.headers["Content-Length"])).decode()
                answer = provider_server.answer(self.path, prompt)
                if answer is None:
                    self.send_error(404)
                elif answer.body is None:
                    self.stream(answer)
                else:
                    self.whole(answer.call.status, json.dumps(answer.body).encode())

            def head(self, status: int, content_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                for name in ("request-id", "x-request-id"):
                    self.send_header(name, f"req_011{chance(21)}")

            def whole(self, status: int, body: bytes) -> None:
                self.head(status, "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def stream(self, answer: Answer) -> None:
                self.head(200, "text/event-stream")
                self.end_headers()
                for event in sse(answer):
                    self.wfile.write(event)
                    time.sleep(CHUNK_DELAY_S)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
                """Say nothing."""

        return Handler
