"""JSON bodies, read within bounds: counted while they arrive, and again while they are unpacked."""

import json
import math
import zlib
from collections.abc import Sequence
from typing import Annotated, Never

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from services.errors import BadInput

MAX_BYTES = 10 * 1024 * 1024
_TOO_LARGE = f"The body is larger than {MAX_BYTES} bytes; send it in parts."


async def _raw(request: Request) -> bytes:
    """The body as sent; 415 for a type or encoding that is not understood, 413 beyond the limit."""
    content_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise HTTPException(415, "The body must be application/json.")
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("identity", "gzip"):
        raise HTTPException(415, "The content encoding must be gzip or left out.")
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and (len(declared) > 12 or int(declared) > MAX_BYTES):
        raise HTTPException(413, _TOO_LARGE)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise HTTPException(413, _TOO_LARGE)
    return bytes(body)


RawBody = Annotated[bytes, Depends(_raw)]


def decode(request: Request, raw: bytes) -> object:
    """The JSON value of a body; raises BadInput naming line and column. For worker threads: ten megabytes take a while."""
    if request.headers.get("content-encoding", "").strip().lower() == "gzip":
        raw = _gunzip(raw)
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


def _gunzip(raw: bytes) -> bytes:
    """All members of a gzip body, never unpacking more than the limit."""
    unpacked = bytearray()
    try:
        while raw:
            member = zlib.decompressobj(wbits=31)
            unpacked += member.decompress(raw, MAX_BYTES + 1 - len(unpacked))
            if len(unpacked) > MAX_BYTES:
                raise HTTPException(413, _TOO_LARGE)
            if not member.eof:
                raise BadInput("The gzip body is cut short.")
            raw = member.unused_data
    except zlib.error as error:
        raise BadInput("The body is not gzip, although its content encoding says so.") from error
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
