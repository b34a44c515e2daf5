"""A column's raw cells into a field's values, a whole chunk at a time.

Each converter takes what a CSV or JSON cell can be and gives the value, None for blank, or raises CellError with the reason.
The validation of ranges and lengths is the inbox's; here only writing becomes meaning.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from services.telemetry.importers.maps import DURATIONS, EPOCH_SECONDS, MILLISECONDS, OFFSET_SECONDS, TIMES, Map, Reject, Times, Value

Convert = Callable[[object], object]
Faults = dict[int, str]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BLANK = (None, "")
WHOLE = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "messages")
TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class CellError(ValueError):
    """A cell that means nothing in its field."""


def convert(cells: Sequence[object], one: Convert) -> tuple[list[object], Faults]:
    """The values of a column, and index → reason of the cells that mean nothing."""
    try:
        return [one(cell) for cell in cells], {}
    except CellError:
        pass
    values: list[object] = []
    faults: Faults = {}
    for index, cell in enumerate(cells):
        try:
            values.append(one(cell))
        except CellError as error:
            values.append(None)
            faults[index] = str(error)
    return values, faults


def converter(field: str, plan: Map) -> Convert:
    """How one cell of a field's column is read."""
    if field in plan.values:
        return _translate(plan.values[field])
    if field in TIMES:
        return _moment(plan.times)
    if field in DURATIONS:
        return _milliseconds(MILLISECONDS[plan.units.get(field, "ms")])
    if field in WHOLE:
        return whole
    plain: dict[str, Convert] = {"rating": number, "cost_usd": amount, "cached": truth, "topics": topics}
    return plain.get(field, text)


def text(cell: object) -> object:
    """Names and keys as text; numbers keep the digits they were written with."""
    if isinstance(cell, str):
        return cell.strip() or None
    if cell is None:
        return None
    if isinstance(cell, bool) or not isinstance(cell, (int, float)):
        raise CellError(f"{_shown(cell)} is not text")
    return str(cell)


def whole(cell: object) -> object:
    """Counts; `63.0` is 63."""
    if cell in BLANK:
        return None
    try:
        return int(cell)  # type: ignore[call-overload]
    except (ValueError, TypeError, OverflowError):
        value = number(cell)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise CellError(f"{_shown(cell)} is not a whole number")


def number(cell: object) -> object:
    if cell in BLANK:
        return None
    if isinstance(cell, bool):
        raise CellError(f"{_shown(cell)} is not a number")
    try:
        return float(cell)  # type: ignore[arg-type]
    except (ValueError, TypeError, OverflowError):
        raise CellError(f"{_shown(cell)} is not a number") from None


def amount(cell: object) -> object:
    """Money keeps its written digits: the inbox reads it as a decimal."""
    number(cell)
    return None if cell in BLANK else str(cell)


def truth(cell: object) -> object:
    if isinstance(cell, bool) or cell in BLANK:
        return cell if isinstance(cell, bool) else None
    known = TRUTHS.get(str(cell).strip().lower())
    if known is None:
        raise CellError(f"{_shown(cell)} is neither true nor false")
    return known


def topics(cell: object) -> object:
    """A list as JSON has it, or one cell with semicolons between."""
    if isinstance(cell, str):
        return [part.strip() for part in cell.split(";") if part.strip()] or None
    if cell is None or isinstance(cell, list):
        return cell
    raise CellError(f"{_shown(cell)} is not a list of topics")


def _milliseconds(factor: float) -> Convert:
    def read(cell: object) -> object:
        value = number(cell)
        return None if value is None else cast("float", value) * factor

    return read


def _translate(values: dict[str, Value]) -> Convert:
    """Only listed values pass: a status nobody thought of is refused rather than guessed. A blank cell is unknown unless listed."""

    def read(cell: object) -> object:
        written = str(cell).strip() if cell is not None else ""
        if written not in values:
            if not written:
                return None
            raise CellError(f"{_shown(cell)} is not among the values of the map ({', '.join(values)})")
        value = values[written]
        if isinstance(value, Reject):
            raise CellError(value.reject)
        return value

    return read


def _moment(times: Times) -> Convert:
    if times.format in EPOCH_SECONDS or times.format in OFFSET_SECONDS:
        return _since(times.origin or EPOCH, (EPOCH_SECONDS | OFFSET_SECONDS)[times.format])
    zone = UTC if times.zone == "UTC" else times.tzinfo
    parse = datetime.fromisoformat if times.format == "iso" else _pattern(times.format)

    def read(cell: object) -> object:
        if cell in BLANK:
            return None
        try:
            moment = parse(cast("str", cell))
        except (ValueError, TypeError):
            raise CellError(f"{_shown(cell)} is not a time written as {times.format}") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)

    return read


def _pattern(pattern: str) -> Callable[[str], datetime]:
    return lambda cell: datetime.strptime(cell, pattern)  # noqa: DTZ007 — the map's zone is added where the pattern has none


def _since(origin: datetime, seconds: float) -> Convert:
    microseconds = seconds * 1_000_000

    def read(cell: object) -> object:
        if cell in BLANK:
            return None
        try:
            return origin + timedelta(microseconds=float(cell) * microseconds)  # type: ignore[arg-type]
        except (ValueError, TypeError, OverflowError):
            raise CellError(f"{_shown(cell)} is not a time since {origin.isoformat()}") from None

    return read


def _shown(cell: object) -> str:
    written = repr(cell)
    return written if len(written) <= 80 else written[:79] + "…"
