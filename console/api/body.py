"""Bodies read within bounds: counted while they arrive, and again while they are unpacked; and JSON out of them."""

import json
import math
import zlib
from collections.abc import Sequence
from typing import Annotated, Never

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from services.errors import BadInput

MAX_BYTES = 10 * 1024 * 1024
ENCODINGS = ("identity", "gzip", "deflate")


async def receive(request: Request, limit: int) -> bytes:
    """The body as sent; 415 for an encoding that is not understood, 413 beyond `limit` bytes."""
    if _encoding(request) not in ENCODINGS:
        raise HTTPException(415, "The content encoding must be gzip or deflate, or left out.")
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and (len(declared) > 12 or int(declared) > limit):
        raise _too_large(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def unpack(request: Request, raw: bytes, limit: int) -> bytes:
    """The body without its content encoding, never more than `limit` bytes of it; raises BadInput, and 413 beyond the limit."""
    encoding = _encoding(request)
    if encoding == "gzip":
        return _inflate(raw, 31, "gzip", limit)
    if encoding == "deflate":
        # The standard says zlib; some senders leave its two bytes of header out.
        zlib_header = len(raw) > 1 and raw[0] & 0x0F == 8 and (raw[0] << 8 | raw[1]) % 31 == 0
        return _inflate(raw, 15 if zlib_header else -15, "deflate", limit)
    return raw


async def _raw(request: Request) -> bytes:
    """A JSON body as sent; 415 for another type."""
    content_type = media_type(request) or "application/json"
    if content_type != "application/json":
        raise HTTPException(415, "The body must be application/json.")
    return await receive(request, MAX_BYTES)


RawBody = Annotated[bytes, Depends(_raw)]


def media_type(request: Request) -> str:
    """The content type without its parameters, in small letters; empty when there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def decode(request: Request, raw: bytes) -> object:
    """The JSON value of a body; raises BadInput naming line and column. For worker threads: ten megabytes take a while."""
    raw = unpack(request, raw, MAX_BYTES)
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_without_twins)
    except json.JSONDecodeError as error:
        raise BadInput(f"The body is not JSON: {error.msg} in line {error.lineno}, column {error.colno}.") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"The body is not UTF-8: byte {error.start} cannot be read.") from error
    except RecursionError as error:
        raise BadInput("The body is nested too deeply.") from error
    except ValueError as error:  # Python refuses to read integers of thousands of digits
        raise BadInput("The body has a number with too many digits.") from error


def _encoding(request: Request) -> str:
    return request.headers.get("content-encoding", "identity").strip().lower() or "identity"


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"The body is larger than {limit} bytes; send it in parts.")


def _inflate(raw: bytes, window_bits: int, name: str, limit: int) -> bytes:
    """All members of a compressed body."""
    unpacked = bytearray()
    try:
        while raw:
            member = zlib.decompressobj(wbits=window_bits)
            unpacked += member.decompress(raw, limit + 1 - len(unpacked))
            if len(unpacked) > limit:
                raise _too_large(limit)
            if not member.eof:
                raise BadInput(f"The {name} body is cut short.")
            raw = member.unused_data
    except zlib.error as error:
        raise BadInput(f"The body is not {name}, although its content encoding says so.") from error
    return bytes(unpacked)


def _refuse_constant(name: str) -> Never:
    raise BadInput(f"{name} is not JSON; leave out what is unknown.")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise BadInput(f"The number {digits[:40]} is too large.")
    return number


def _without_twins(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """An object that names a field twice would lose one of the two without a word."""
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"An object has the field {twin[:100]!r} twice.")
    return made
