"""POST /v1/traces: OTLP over HTTP, as protobuf or JSON. The hot path: a bare route, without FastAPI's layers.

200 once every good span is durable; bad ones are a partial success. Only 429 and 503 invite a sender to send again.
"""

import logging
import threading
from collections.abc import Callable

from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.api import body
from console.api.access import bearer
from console.api.errors import STATUS
from services.accounts import keys
from services.accounts.keys import Key
from services.db import transaction
from services.errors import BinnacleError
from services.telemetry import inbox, otlp
from services.telemetry.records import Rejection

PATH = "/v1/traces"
MAX_BYTES = 64 * 1024 * 1024
LARGE_BYTES = 8 * 1024 * 1024
PROTOBUF, JSON = "application/x-protobuf", "application/json"
DECODE: dict[str, Callable[[bytes], ExportTraceServiceRequest]] = {PROTOBUF: otlp.from_protobuf, JSON: otlp.from_json}
CODES = {400: 3, 401: 16, 403: 7, 405: 12, 413: 3, 415: 3, 429: 8, 503: 14}  # HTTP status → google.rpc.Code
REASONS_TOLD = 3
_LOG = logging.getLogger(__name__)
_ONE_LARGE = threading.Lock()  # a decoded request weighs many times its bytes: of large ones, one at a time


async def _post(request: Request) -> Response:
    """Every answer, failures included, in the type of the request."""
    kind = body.media_type(request)
    try:
        return _answer(kind, await _export(request, kind))
    except BinnacleError as error:
        headers = {"retry-after": str(error.retry_after_s)} if error.retry_after_s is not None else {}
        return _failure(kind, STATUS.get(type(error), 500), str(error), headers)
    except HTTPException as error:
        return _failure(kind, error.status_code, error.detail, dict(error.headers or {}))
    except Exception:  # noqa: BLE001 - logged in full; a sender must get an answer that it can read, whatever went wrong
        _LOG.exception("traces could not be taken")
        return _failure(kind, 500, "Something went wrong here, not in the request.", {})


async def _export(request: Request, kind: str) -> ExportTraceServiceResponse:
    if request.method != "POST":
        raise HTTPException(405, "Send traces with POST.", {"allow": "POST"})
    key = await run_in_threadpool(_key, request)
    if kind not in DECODE:
        raise HTTPException(415, f"The body must be {PROTOBUF} or {JSON}.")
    raw = await body.receive(request, MAX_BYTES)
    return await run_in_threadpool(_take, request, raw, DECODE[kind], key)


def _key(request: Request) -> Key:
    with transaction() as connection:
        return keys.verify(connection, bearer(request), "telemetry")


def _take(request: Request, raw: bytes, decode: Callable[[bytes], ExportTraceServiceRequest], key: Key) -> ExportTraceServiceResponse:
    unpacked = body.unpack(request, raw, MAX_BYTES)
    if len(unpacked) <= LARGE_BYTES:
        return _accept(unpacked, decode, key)
    with _ONE_LARGE:
        return _accept(unpacked, decode, key)


def _accept(unpacked: bytes, decode: Callable[[bytes], ExportTraceServiceRequest], key: Key) -> ExportTraceServiceResponse:
    """Store what a request holds, then word what became of it."""
    told = otlp.read(decode(unpacked))
    answer = ExportTraceServiceResponse()
    if not told.records and not told.ignored:
        return answer
    with transaction() as connection:
        receipt = inbox.accept(
            connection,
            "operations",
            told.records,
            source=key.source,
            environment=key.environment,
            door=PATH,
            first_position=0,
            ignored=told.ignored,
        )
    if receipt.rejections:
        answer.partial_success.rejected_spans = len(receipt.rejections)
        answer.partial_success.error_message = _told(receipt.rejections)
    return answer


def _told(rejections: list[Rejection]) -> str:
    reasons = list(dict.fromkeys(f"{r.field}: {r.reason}" for r in rejections))
    more = f"; and {len(reasons) - REASONS_TOLD} more reasons" if len(reasons) > REASONS_TOLD else ""
    return f"{len(rejections)} spans were refused and kept for inspection: " + "; ".join(reasons[:REASONS_TOLD]) + more


def _answer(kind: str, message: Message, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    if kind == PROTOBUF:
        return Response(message.SerializeToString(), status, headers, PROTOBUF)
    return Response(json_format.MessageToJson(message, indent=None), status, headers, JSON)


def _failure(kind: str, status: int, message: str, headers: dict[str, str]) -> Response:
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    safe = message.encode("utf-8", "backslashreplace").decode("utf-8")
    return _answer(kind, Status(code=CODES.get(status, 13), message=safe), status, headers)


route = Route(PATH, _post, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])  # all, so that a refusal too has its type
