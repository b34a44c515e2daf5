"""Tell Binnacle of an application's AI calls: one file, standard library only, made to be copied into the application.

    recorder = Recorder()  # BINNACLE_URL and BINNACLE_KEY
    with recorder.operation("answer", provider="openai", model="gpt-5-mini", user_id=user.id) as op:
        reply = client.responses.create(...)
        op.usage(input_tokens=reply.usage.input_tokens, output_tokens=reply.usage.output_tokens)

Nothing here makes the application wait for the network, and no failure of it reaches the application: it is counted in
`Recorder.counts` and logged to "binnacle.recorder". A record has its id from the start, so that sent twice it counts once.
"""

import atexit
import errno
import functools
import gzip
import inspect
import json
import logging
import os
import random
import re
import threading
import time
import zlib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from http.client import HTTPException
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast
from urllib.parse import urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request
from uuid import UUID, uuid4

try:
    import fcntl
except ImportError:  # Windows: two processes may send the same file there, and its records still count once
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger("binnacle.recorder")
BATCH_LIMIT, RECORD_LIMIT_BYTES = 500, 16 * 1024  # together they stay below the console's 10 MiB
TRY_AGAIN = (401, 403, 429, 500, 502, 503, 504)  # what is wrong with a key or a console is mended there, not in the records
FIRST_S, CEILING_S, LONGEST_S = 0.5, 60.0, 3_600.0  # of waiting for the console
DISK_S = 30.0  # between looks for batches that other processes left, and after the disk failed
REASONS_TOLD = 50
SPOOLED = re.compile(r"binnacle-\d{20}-(\d+)-[0-9a-f]{8}\.json\.gz(\.tmp|\.bad)?")

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Counts:
    """Records of this process: each one `recorded` ends as sent, refused or dropped, or still waits.

    `spooled` ones went to the disk on their way. What an earlier process left there counts as sent, refused or dropped here.
    """

    recorded: int = 0
    sent: int = 0
    refused: int = 0
    dropped: int = 0
    spooled: int = 0


class Operation:
    """One AI call while it runs, for `with` or `async with`; it is recorded when the block ends, however it ends.

    An exception passes unchanged, and its class becomes the error_type. Leaving a stream early is no error.
    """

    def __init__(self, recorder: "Recorder", fields: dict[str, object]) -> None:
        self._recorder, self._began_s = recorder, time.perf_counter()
        self._fields = {"id": uuid4().hex, "started_at": datetime.now(UTC)} | fields

    def set(self, /, **fields: object) -> None:
        """Set any fields of the record; what is set here goes before what is measured."""
        self._fields |= fields

    def usage(self, /, **tokens: int | None) -> None:
        """input_tokens (with those of the cache), output_tokens (with reasoning), cache_read_, cache_write_ and reasoning_tokens."""
        self._fields |= {name: count for name, count in tokens.items() if count is not None}

    def first_token(self) -> None:
        """The answer begins to arrive; only the first time counts."""
        self._fields.setdefault("ttft_ms", self._elapsed_ms())

    def cached(self) -> None:
        """The application's own cache answered."""
        self._fields["cached"] = True

    def cost_usd(self, dollars: Decimal | str | float) -> None:
        """What the call cost, where the application knows better than the console's price table."""
        self._fields["cost_usd"] = dollars

    def __enter__(self) -> "Operation":
        self._began_s = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._fields.setdefault("latency_ms", self._elapsed_ms())
        if kind is not None and not issubclass(kind, GeneratorExit):
            self._fields.setdefault("error_type", kind.__name__[:200])
        self._recorder.record(**self._fields)

    async def __aenter__(self) -> "Operation":
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.__exit__(kind)

    def _elapsed_ms(self) -> float:
        return round((time.perf_counter() - self._began_s) * 1_000, 3)


class Recorder:
    """Sends records from a thread of its own, in batches, and again while the console is away.

    `environment` and `module` stand in every record that has none of its own. At most `queue_limit` records wait in memory, and
    what comes on top is dropped. With `spool_dir`, full batches go there while the console is away, and the rest at exit; beyond
    `spool_limit_bytes` the oldest are dropped. Whichever process next uses the folder sends them, so each console and key needs
    a folder of its own. A missing one is made with mode 0700; files have 0600.

    What waits is sent at exit. Processes that skip exit handlers (os._exit, children of multiprocessing) call `flush` themselves.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        environment: str | None = None,
        module: str | None = None,
        spool_dir: str | os.PathLike[str] | None = None,
        batch_size: int = 200,
        flush_interval_s: float = 1.0,
        queue_limit: int = 10_000,
        spool_limit_bytes: int = 64 * 1024 * 1024,
        timeout_s: float = 5.0,
    ) -> None:
        self._changed = threading.Condition()  # reentrant: the collector may end a stream, and so record it, at any line
        self._queue: deque[tuple[str, str]] = deque()  # (list of the body, JSON); a record leaves when it is answered or on disk
        self._counts, self._told, self._failures = Counts(), set[str](), 0
        self._thread: threading.Thread | None = None
        self._spool: _Spool | None = None
        self._due_s = self._away_until_s = self._look_s = self._spill_s = 0.0  # moments of time.monotonic()
        self._origin, self._open = {"environment": environment, "module": module}, False
        try:
            self._endpoint, self._key = _address(url or os.environ.get("BINNACLE_URL"), key or os.environ.get("BINNACLE_KEY"))
            self._queue_limit = max(1, int(queue_limit))
            self._batch_size = max(1, min(int(batch_size), self._queue_limit, BATCH_LIMIT))
            self._interval_s, self._timeout_s = _seconds(flush_interval_s), _seconds(timeout_s)
        except (TypeError, ValueError, OverflowError, AttributeError) as error:
            log.warning("Nothing is recorded: %s", error)
            return
        self._opener = OpenerDirector()  # without a handler for redirects, which would carry the key to another host
        for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler()):
            self._opener.add_handler(handler)
        self._open = True
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin_in_child)
        try:
            if spool_dir is not None:
                self._spool = _Spool(Path(spool_dir), int(spool_limit_bytes))
                self._start()
        except (OSError, TypeError, ValueError, OverflowError) as error:
            log.warning("Nothing is kept on disk: spool_dir or spool_limit_bytes is unusable (%s).", type(error).__name__)

    def operation(self, name: str, /, **fields: object) -> Operation:
        """An AI call to measure with `with`: `name` is its kind ("answer", "summarise"), `fields` are any others of the record."""
        return Operation(self, {"operation": name} | fields)

    def recorded(self, name: str, /, **fields: object) -> Callable[[Function], Function]:
        """Decorator: each call is an operation. A generator's lasts until it ends, and its first item is the first token."""

        def wrap(function: Function) -> Function:
            return cast(Function, _wrapped(function, lambda: self.operation(name, **fields)))

        return wrap

    def record(self, /, **fields: object) -> None:
        """Record an operation by its fields; `id` and `started_at` (with a zone) default to a random one and now."""
        self._take("operations", fields)

    def session(self, session_id: str, /, **fields: object) -> None:
        """Record a session: started_at (default now), ended_at, user_id, subject, cohort, messages, rating (1 to 5), topics."""
        self._take("sessions", fields | {"id": session_id})

    @property
    def counts(self) -> Counts:
        """What became of the records so far."""
        return self._counts

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Send what waits, in memory and on disk; False when some still waits after `timeout_s`."""
        try:
            with self._changed:
                self._due_s = self._look_s = 0.0
                self._changed.notify_all()
            if self._open:
                self._start()
            with self._changed:
                return self._changed.wait_for(lambda: not self._queue and not self._looks(), _seconds(timeout_s))
        except Exception as error:  # noqa: BLE001 - the application goes on, whatever it passed
            self._tell(f"flush failed ({type(error).__name__})")
            return False

    def close(self, timeout_s: float = 3.0) -> None:
        """Send what waits in memory for at most `timeout_s`, then put the rest on disk or drop it; later records are dropped."""
        try:
            with self._changed:
                self._open = False
                self._changed.notify_all()
            if self._thread is not None:
                self._thread.join(_seconds(timeout_s))
        except Exception as error:  # noqa: BLE001 - the same
            self._tell(f"close could not wait ({type(error).__name__})")
        self._put_away()
        atexit.unregister(self.close)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, noun: str, fields: dict[str, object]) -> None:
        try:
            self._count(recorded=1)
            given = {name: value for name, value in (self._origin | fields).items() if value is not None}
            text = _as_json({"id": uuid4().hex, "started_at": datetime.now(UTC)} | given)
        except Exception as error:  # noqa: BLE001 - a record may hold anything
            self._count(refused=1)
            self._tell(f"a record cannot be written as JSON ({type(error).__name__})")
            return
        if self._enqueue(noun, text):
            self._start()
            return
        self._count(dropped=1)
        if self._open:
            self._tell("the queue is full, records are dropped")

    def _enqueue(self, noun: str, text: str) -> bool:
        with self._changed:
            if not self._open or len(self._queue) >= self._queue_limit:
                return False
            if not self._queue:
                self._due_s = time.monotonic() + self._interval_s
            self._queue.append((noun, text))
            if len(self._queue) in (1, self._batch_size):
                self._changed.notify_all()
            return True

    def _start(self) -> None:
        try:
            with self._changed:
                if self._thread is None or not self._thread.is_alive():
                    thread = threading.Thread(target=self._run, name="binnacle-recorder", daemon=True)
                    thread.start()
                    self._thread = thread
        except RuntimeError:  # no more threads, or the interpreter is ending
            self._tell("no thread can be started, records wait for the next try")

    def _begin_in_child(self) -> None:
        """After a fork: the parent sends what was waiting, and neither the thread nor the lock's holder came along."""
        self._changed = threading.Condition()
        self._queue, self._counts, self._thread = deque(), Counts(), None

    def _count(self, **more: int) -> None:
        with self._changed:
            self._counts = replace(self._counts, **{name: getattr(self._counts, name) + number for name, number in more.items()})

    def _tell(self, reason: str) -> None:
        """Log a reason once, as the same one may come with every record. Never under the lock: a log handler may record."""
        if reason not in self._told and len(self._told) < REASONS_TOLD:
            self._told.add(reason)
            log.warning("Binnacle: %s. Said once; see counts.", reason)

    def _run(self) -> None:
        while self._await_work():
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - the thread outlives what nobody thought of, without spinning over it
                self._stay_away(type(error).__name__, 0.0)
        while self._queue and not (self._spool and self._is_away()) and self._send():
            pass  # what is left then is for `close`

    def _await_work(self) -> bool:
        """Wait until there is something to do; False when the recorder was closed."""
        with self._changed:
            while self._open and (pause_s := self._next_s() - time.monotonic()) > 0:
                self._changed.wait(min(pause_s, LONGEST_S))
            return self._open

    def _next_s(self) -> float:
        """The moment of the next thing to do."""
        full = len(self._queue) >= self._batch_size
        if self._is_away():
            return min(self._away_until_s, self._spill_s) if self._spool and full else self._away_until_s
        moments = [0.0 if full else self._due_s] if self._queue else []
        moments += [self._look_s] if self._spool else []
        return min(moments, default=float("inf"))

    def _work(self) -> None:
        if self._is_away():
            self._spill()
            return
        if self._queue and (len(self._queue) >= self._batch_size or time.monotonic() >= self._due_s):
            self._send()
        if self._spool and not self._is_away() and time.monotonic() >= self._look_s:
            self._send_spooled(self._spool)

    def _first_batch(self) -> list[tuple[str, str]]:
        with self._changed:
            return list(islice(self._queue, self._batch_size))

    def _remove(self, number: int) -> bool:
        """Take the first records, which were dealt with, from the queue; False when `close` has put them away meanwhile."""
        with self._changed:
            there = bool(self._queue)
            for _ in range(number if there else 0):
                self._queue.popleft()
            self._changed.notify_all()
            return there

    def _send(self) -> bool:
        """Send the first batch; False when it has to wait."""
        batch = self._first_batch()
        accepted = self._post(_packed(batch), len(batch))
        if accepted is not None and self._remove(len(batch)):
            self._count(sent=accepted, refused=len(batch) - accepted)
        return accepted is not None

    def _spill(self) -> None:
        batch = self._first_batch()
        if self._keep(batch):
            self._remove(len(batch))
        else:
            self._spill_s = time.monotonic() + DISK_S

    def _keep(self, batch: list[tuple[str, str]]) -> bool:
        """Write a batch to the disk; False when that is not possible."""
        if self._spool is None:
            return False
        body = _packed(batch)
        try:
            self._count(dropped=self._spool.make_room(len(body)))
            self._spool.write(body, len(batch))
        except OSError as error:
            self._tell(f"spool_dir cannot be written ({error.strerror})")
            return False
        self._look_s = 0.0
        self._count(spooled=len(batch))
        return True

    def _put_away(self) -> None:
        """At the end: what is left goes to the disk, or is dropped."""
        with self._changed:
            rest = list(self._queue)
            self._queue.clear()
        for start in range(0, len(rest), BATCH_LIMIT):
            batch = rest[start : start + BATCH_LIMIT]
            if not self._keep(batch):
                self._count(dropped=len(batch))
                self._tell("the console did not take the last records in time, they are dropped")

    def _looks(self) -> bool:
        """Whether a look at the disk is still to come."""
        return self._open and self._spool is not None and not self._look_s

    def _send_spooled(self, spool: "_Spool") -> None:
        look_s = time.monotonic() + DISK_S
        try:
            with spool.oldest() as found:
                if found is not None:
                    self._send_file(*found)
                    look_s = 0.0
        except OSError as error:
            self._tell(f"spool_dir cannot be read ({error.strerror})")
        with self._changed:
            self._look_s = look_s
            self._changed.notify_all()

    def _send_file(self, path: Path, body: bytes) -> None:
        try:
            records = sum(len(records) for records in json.loads(gzip.decompress(body)).values())
        except (OSError, EOFError, zlib.error, ValueError, AttributeError, TypeError):
            path.rename(f"{path}.bad")
            self._count(dropped=_records_in(path.name))
            self._tell("a batch in spool_dir was damaged and is set aside as .bad")
            return
        accepted = self._post(body, records)
        if accepted is not None:
            path.unlink(missing_ok=True)
            self._count(sent=accepted, refused=records - accepted)

    def _post(self, body: bytes, records: int) -> int | None:
        """How many of a batch's records the console accepted; None when it has to be sent again later."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json", "Content-Encoding": "gzip"}
        request = Request(self._endpoint, body, headers)  # noqa: S310 - http or https, see _address
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                status, asked, answer = response.status, response.headers.get("Retry-After", ""), response.read()
        except (OSError, HTTPException, ValueError) as error:
            self._stay_away(type(getattr(error, "reason", error)).__name__, 0.0)
            return None
        if status in TRY_AGAIN:
            self._stay_away(
                f"HTTP {status}" + (", is the key right?" if status in (401, 403) else ""),
                min(float(asked), LONGEST_S) if asked.isdecimal() else 0.0,
            )
            return None
        self._failures = 0
        return min(max(self._accepted(status, answer), 0), records)

    def _accepted(self, status: int, answer: bytes) -> int:
        if status not in (200, 422):
            self._tell(f"the console refuses with HTTP {status}")
            return 0
        try:
            receipt = json.loads(answer)
            for refused in receipt["rejections"]:
                reason = f"{refused['noun']}, {refused['field']}: {refused['reason']}".replace(self._key, "…")
                self._tell(f"records are refused ({' '.join(reason.split())[:300]})")
            return int(receipt["accepted"])
        except (ValueError, KeyError, TypeError):
            self._tell(f"something else than a console answers there (HTTP {status} without a receipt)")
            return 0

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until_s

    def _stay_away(self, reason: str, asked_s: float) -> None:
        """Wait as long as the console asks, or for a time that doubles; jitter keeps a crowd from coming back together."""
        self._failures += 1
        if self._failures == 1:
            log.warning("Binnacle does not take records now (%s); they wait.", reason)
        own_s = min(CEILING_S, FIRST_S * 2.0 ** min(self._failures - 1, 16)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        self._away_until_s = time.monotonic() + max(asked_s, own_s)


class _Spool:
    """Batches on disk, a file each, in the form in which they are posted; names sort by age. Every method may raise OSError."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder, self._limit_bytes = folder, limit_bytes
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _paths(self) -> list[Path]:
        return sorted(path for path in self._folder.iterdir() if SPOOLED.fullmatch(path.name))

    def make_room(self, size_bytes: int) -> int:
        """Delete the oldest files until `size_bytes` fit; returns how many records went with them."""
        if size_bytes > self._limit_bytes:
            raise OSError(errno.EFBIG, "a batch is larger than spool_limit_bytes")
        sizes: dict[Path, int] = {}
        for path in self._paths():
            with suppress(FileNotFoundError):  # another process has sent it meanwhile
                sizes[path] = path.stat().st_size
        excess, dropped = sum(sizes.values()) + size_bytes - self._limit_bytes, 0
        for path, size in sizes.items():
            if excess > 0:
                path.unlink(missing_ok=True)
                excess -= size
                dropped += _records_in(path.name)
        return dropped

    def write(self, body: bytes, records: int) -> None:
        """Keep a batch: it is there whole, and on the disk, or not at all."""
        path = self._folder / f"binnacle-{time.time_ns():020d}-{records}-{uuid4().hex[:8]}.json.gz"
        scratch = Path(f"{path}.tmp")
        try:
            with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            scratch.rename(path)
        except OSError:
            scratch.unlink(missing_ok=True)
            raise

    @contextmanager
    def oldest(self) -> Iterator[tuple[Path, bytes] | None]:
        """The oldest batch that nobody else is sending, locked until the block ends; None when there is none."""
        for path in self._paths():
            if path.suffix == ".gz":
                try:
                    file = path.open("rb")
                except (FileNotFoundError, PermissionError):  # sent by another process meanwhile, or another account's
                    continue
                with file:
                    body = file.read()
                    with _locked(file) as ours:
                        if ours:
                            yield path, body
                            return
        yield None


@contextmanager
def _locked(file: BinaryIO) -> Iterator[bool]:
    """Whether nobody else is sending the file, or has sent it since it was listed."""
    if fcntl is None:
        file.close()  # Windows deletes no open file
        yield True
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
        return
    try:
        yield os.fstat(file.fileno()).st_nlink > 0
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)  # closing is not enough: a child forked meanwhile has the file open, too


def _records_in(name: str) -> int:
    """Records of a spooled batch by its file's name; 0 for what was only begun, and for what was set aside and counted before."""
    found = SPOOLED.fullmatch(name)
    return int(found[1]) if found and not found[2] else 0


def _address(url: str | None, key: str | None) -> tuple[str, str]:
    """Where to post, and the key; raises ValueError without repeating either, as both may hold secrets."""
    if not url or not key:
        raise ValueError("set BINNACLE_URL and BINNACLE_KEY, or pass url and key.")
    if not all(text.isascii() and text.isprintable() and " " not in text for text in (url, key)):
        raise ValueError("the url or the key holds characters that cannot be sent.")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("the url must look like https://host:port, without a user.")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/api/operations", key


def _seconds(value: float) -> float:
    if not 0 <= value <= LONGEST_S:
        raise ValueError(f"a time must lie between 0 and {LONGEST_S:.0f} seconds.")
    return max(float(value), 0.001)  # 0 would make a socket non-blocking


def _as_json(record: dict[str, object]) -> str:
    """Raises TypeError or ValueError for what the console could not read either."""
    numbered = {name: str(record[name]) for name in ("id", "user_id", "session_id") if isinstance(record.get(name), int)}
    text = json.dumps(record | numbered, default=_plain, allow_nan=False, separators=(",", ":"))
    if len(text) > RECORD_LIMIT_BYTES:
        raise ValueError(f"A record has more than {RECORD_LIMIT_BYTES} bytes.")
    return text


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON.")


def _packed(batch: list[tuple[str, str]]) -> bytes:
    lists = {noun: ",".join(text for own, text in batch if own == noun) for noun in ("operations", "sessions")}
    return gzip.compress(("{" + ",".join(f'"{noun}":[{texts}]' for noun, texts in lists.items() if texts) + "}").encode("ascii"))


def _wrapped(function: Callable[..., Any], begin: Callable[[], Operation]) -> Callable[..., object]:
    """The function, still of its kind, with each call inside an operation."""

    def call(*args: object, **kwargs: object) -> object:
        with begin():
            return function(*args, **kwargs)

    async def call_async(*args: object, **kwargs: object) -> object:
        with begin():
            return await function(*args, **kwargs)

    def stream(*args: object, **kwargs: object) -> Generator[object, object, object]:
        with begin() as op:
            return (yield from _marked(function(*args, **kwargs), op))

    async def stream_async(*args: object, **kwargs: object) -> AsyncGenerator[object, object]:
        with begin() as op, suppress(StopAsyncIteration):
            inner = function(*args, **kwargs)
            step = anext(inner)
            while True:
                item = await step
                op.first_token()
                try:
                    step = inner.asend((yield item))
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - the same
                    step = inner.athrow(error)

    kinds = ((inspect.isasyncgenfunction, stream_async), (inspect.isgeneratorfunction, stream), (inspect.iscoroutinefunction, call_async))
    wrapper: Callable[..., object] = next((wrapper for is_kind, wrapper in kinds if is_kind(function)), call)
    return functools.wraps(function)(wrapper)


def _marked(inner: Generator[object, object, object], op: Operation) -> Generator[object, object, object]:
    """The generator, with its first item marked as the operation's first token."""
    step = functools.partial(next, inner)
    while True:
        try:
            item = step()
        except StopIteration as end:
            return end.value
        op.first_token()
        try:
            step = functools.partial(inner.send, (yield item))
        except GeneratorExit:
            inner.close()
            raise
        except BaseException as error:  # noqa: BLE001 - for the stream to deal with
            step = functools.partial(inner.throw, error)
