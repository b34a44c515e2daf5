"""Small forms, read within bounds."""

from urllib.parse import parse_qsl

from starlette.requests import Request

from services.errors import BadInput

MAX_BYTES = 16_384


async def read(request: Request) -> dict[str, str]:
    """The fields of a URL-encoded form; raises BadInput when it is no such form, too large or has a field twice."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise BadInput("This is not the form that was expected.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise BadInput("The form is too large.")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=10, errors="strict")
    except ValueError as error:  # UnicodeDecodeError is one
        raise BadInput("The form cannot be read.") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadInput("The form has a field twice.")
    return fields
