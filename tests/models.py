"""One server that speaks Gemini's REST protocol and Ollama's, and does to a call what a script says.

What is in `acts` happens to the next calls, one each; then all go well. `calls` is the provider's own bill: what it was asked, and when.
"""

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Json = dict[str, Any]
ANSWER = "Port and starboard are well."
INPUT, OUTPUT = 120, 30


@dataclass(frozen=True)
class Act:
    """What happens to one call. `counts` is the usage in the provider's own words, {} for none; `body` is sent as it is.

    `cut`: the connection breaks after so many parts (0: before the first, with nothing but headers); `drip_s`: a byte each so often.
    """

    text: str = ANSWER
    status: int = 200
    headers: Json = field(default_factory=dict)
    error: Json | None = None
    body: bytes | None = None
    delay_s: float = 0.0
    gap_s: float = 0.0
    cut: int | None = None
    drip_s: float = 0.0
    counts: Json | None = None
    finish: str | None = "STOP"
    block: str | None = None


GOOD = Act()


@dataclass(frozen=True)
class Call:
    """One line of the bill; `at` by the monotonic clock."""

    path: str
    model: str
    asked: Json
    at: float
    act: Act


def gemini_error(status: int, reason: str | None = None, retry_delay: str | None = None) -> Json:
    """A google.rpc.Status as Gemini words it."""
    details: list[Json] = []
    if reason:
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": {}})
    if retry_delay:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retry_delay})
    return {"error": {"code": status, "message": "It is refused.", "status": "REFUSED", "details": details}}


def path_of_ollama(method: str) -> bool:
    """Whether a call is one of Ollama's protocol."""
    return method.startswith("/api/")


def words(text: str) -> list[str]:
    """A text in up to four parts."""
    size = max(1, -(-len(text) // 4))
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]


def gemini_parts(act: Act, texts: Sequence[str]) -> list[Json]:
    """GenerateContentResponses; the last has the reason it ended and the usage."""
    usage = (
        act.counts
        if act.counts is not None
        else {"promptTokenCount": INPUT, "candidatesTokenCount": OUTPUT, "totalTokenCount": INPUT + OUTPUT}
    )
    if act.block:
        return [{"promptFeedback": {"blockReason": act.block}, "usageMetadata": usage}]
    parts: list[Json] = [{"candidates": [{"content": {"role": "model", "parts": [{"text": said}]}, "index": 0}]} for said in texts]
    if act.finish:
        parts[-1]["candidates"][0]["finishReason"] = act.finish
    if usage:
        parts[-1]["usageMetadata"] = usage
    return parts


def ollama_parts(act: Act, model: str, texts: Sequence[str]) -> list[Json]:
    """Lines of /api/chat; the last is done and has the usage."""
    usage = act.counts if act.counts is not None else {"prompt_eval_count": INPUT, "eval_count": OUTPUT}
    parts: list[Json] = [{"model": model, "message": {"role": "assistant", "content": said}, "done": False} for said in texts]
    if act.finish:
        parts[-1] |= {"done": True, "done_reason": act.finish.lower(), **usage}
    return parts


class ModelServer:
    """From `with` to its end; `models` are what Ollama has, the first of them in memory."""

    def __init__(self, models: Sequence[str] = ("llama3.1:8b",)) -> None:
        self.acts: deque[Act] = deque()
        self.always: Act = GOOD
        self.calls: list[Call] = []
        self.models = list(models)
        self.most_at_once = self._at_once = 0
        self._lock = threading.Lock()
        self._server = Listener(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def begin(self, path: str, model: str, asked: Json) -> Act:
        with self._lock:
            act = self.acts.popleft() if self.acts else self.always
            self.calls.append(Call(path, model, asked, time.monotonic(), act))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        return act

    def end(self) -> None:
        with self._lock:
            self._at_once -= 1


class Listener(ThreadingHTTPServer):
    """Listens for a provider; it neither waits for connections at its end nor complains about broken ones."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, provider: ModelServer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.provider = provider


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def provider(self) -> ModelServer:
        """Whose connection it is."""
        assert isinstance(self.server, Listener)
        return self.server.provider

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/api/tags":
            self.whole(200, {"models": [{"name": name} for name in self.provider.models]})
        elif path == "/api/ps":
            self.whole(200, {"models": [{"name": name} for name in self.provider.models[:1]]})
        else:
            self.whole(200, {"models": [{"name": "models/gemini-3.5-flash-lite"}]})

    def do_POST(self) -> None:
        asked: Json = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.partition("?")[0]
        method = path.rpartition(":")[2] if "/models/" in path else path
        if method == "countTokens":
            self.whole(200, {"totalTokens": INPUT})
            return
        model = str(asked.get("model") or path.partition("/models/")[2].partition(":")[0])
        act = self.provider.begin(method, model, asked)
        try:
            self.perform(act, method, model, asked)
        except OSError:
            self.close_connection = True  # whoever asked has gone
        finally:
            self.provider.end()

    def perform(self, act: Act, method: str, model: str, asked: Json) -> None:
        time.sleep(act.delay_s)
        if act.status != 200 or act.body is not None:
            refusal = {"error": "it is refused"} if path_of_ollama(method) else gemini_error(act.status)
            error = act.error or refusal
            listed = method == "streamGenerateContent" and act.body is None  # Gemini lists the errors of streams too
            self.whole(act.status, error, act.headers, json.dumps([error]).encode() if listed else act.body)
        elif method in ("batchEmbedContents", "/api/embed"):
            self.whole(200, embeddings(method, asked, act))
        elif method == "generateContent" or (method == "/api/chat" and not asked["stream"]):
            told = gemini_parts(act, [act.text]) if method == "generateContent" else ollama_parts(act, model, [act.text])
            self.whole(200, told[0], cut=act.cut is not None, drip_s=act.drip_s)
        else:
            self.streamed(act, list(stream(method, act, model)))

    def whole(
        self,
        status: int,
        told: Json,
        headers: Json | None = None,
        body: bytes | None = None,
        *,
        cut: bool = False,
        drip_s: float = 0,
    ) -> None:
        said = json.dumps(told).encode() if body is None else body
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if cut:
            self.wfile.write(said[: len(said) // 2])
            self.break_off()
        elif drip_s:
            for at in range(len(said)):
                self.wfile.write(said[at : at + 1])
                self.wfile.flush()
                time.sleep(drip_s)
        else:
            self.wfile.write(said)

    def streamed(self, act: Act, parts: list[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, part in enumerate(parts):
            if act.cut == number:
                self.break_off()
                return
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            self.wfile.flush()
            time.sleep(act.gap_s)
        self.wfile.write(b"0\r\n\r\n")

    def break_off(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
        """Say nothing."""


def stream(method: str, act: Act, model: str) -> Iterator[bytes]:
    """Gemini streams one JSON array, Ollama a line each."""
    if method == "/api/chat":
        yield from (json.dumps(part).encode() + b"\n" for part in ollama_parts(act, model, words(act.text)))
        return
    for number, part in enumerate(told := gemini_parts(act, words(act.text))):
        yield (b"[" if number == 0 else b",\r\n") + json.dumps(part).encode() + (b"]" if number == len(told) - 1 else b"")


def embeddings(method: str, asked: Json, act: Act) -> Json:
    """One vector for each text, or none where the act blocks."""
    if method == "/api/embed":
        vectors = [] if act.block else [[0.25, -0.5, float(number)] for number, _ in enumerate(asked["input"])]
        return {"embeddings": vectors, "prompt_eval_count": INPUT}
    return {"embeddings": [] if act.block else [{"values": [0.25, -0.5, float(number)]} for number, _ in enumerate(asked["requests"])]}
