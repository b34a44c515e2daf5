"""A provider's bill or usage export: a CSV whose columns are recognised by their names, or named by whoever brings it."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import cast

import pandas as pd

from services.errors import BadInput

LARGEST_BYTES = 64 * 2**20
FIELDS = ("day", "model", "requests", "input_tokens", "output_tokens", "cost_usd")
NEEDED = ("day", "model")
NUMBERS = ("requests", "input_tokens", "output_tokens")
# Names of columns, in lower case with _ between words, the most telling first.
KNOWN: dict[str, tuple[str, ...]] = {
    "day": (
        "usage_date_utc", "usage_date", "date", "day", "start_time_iso", "start_time", "timestamp", "usage_start_time", "bucket_start_time",
    ),
    "model": (
        "model_version", "model", "model_id", "model_name", "snapshot_id", "line_item", "description", "sku_description", "sku",
    ),
    "requests": ("num_model_requests", "requests", "n_requests", "request_count", "num_requests", "calls"),
    "input_tokens": (
        "input_tokens", "usage_input_tokens", "n_context_tokens_total", "prompt_tokens", "total_input_tokens", "input_token_count",
        "tokens_in",
    ),
    "output_tokens": (
        "output_tokens", "usage_output_tokens", "n_generated_tokens_total", "completion_tokens", "total_output_tokens",
        "output_token_count", "generated_tokens", "tokens_out",
    ),
    "cost_usd": ("cost_usd", "amount_value", "amount_usd", "cost", "amount", "total_cost_usd", "total_cost", "net_cost"),
}  # fmt: skip
# Some exports tell input tokens only by how they were billed: these are added up.
INPUT_PARTS = (
    "usage_input_tokens_no_cache", "usage_input_tokens_cache_write_5m", "usage_input_tokens_cache_write_1h",
    "usage_input_tokens_cache_write", "usage_input_tokens_cache_read", "uncached_input_tokens", "input_uncached_tokens",
    "input_cached_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
)  # fmt: skip
BESIDE_INPUT = ("cache_read_input_tokens", "cache_creation_input_tokens")  # Anthropic's words: its input_tokens leave them out
CURRENCIES = ("currency", "amount_currency", "cost_currency", "currency_code")
FOREIGN = re.compile(r"(?:cost|amount|total|price)_(eur|gbp|jpy|cny|inr|cad|aud|chf|php)|[€£¥]")
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
BLANK = ("", "-", "n/a", "null", "none")
OTHER_DAYS = ("%Y%m%d", "%Y/%m/%d", "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y")
EPOCHS_S = (10**9, 10**10)


def parse(content: bytes, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The bill's lines summed by UTC day and model: day, model, lines, requests, input_tokens, output_tokens (Int64, NA where the file
    does not tell), cost_usd (Decimal or None); `attrs["cost_decimals"]` is how finely it tells cost.

    `columns` names the file's column for some of FIELDS, several joined by + where they are to be added up. Raises BadInput naming the
    column and the row (the header is row 1).
    """
    header, lines = _lines(content)
    places = _places(header, columns or {})
    currency = next((n for n, name in enumerate(header) if _plain(name) in CURRENCIES), None)
    rows: list[dict[str, object]] = []
    for number, line in enumerate(lines, start=2):
        if not any(cell.strip() for cell in line) or any(line[n].strip().lower() in ("total", "grand total") for n in _first(places)):
            continue
        if currency is not None and line[currency].strip().upper() not in ("", "USD", "$", "US$"):
            raise BadInput(f"Row {number}, column '{header[currency]}': '{line[currency]}' is not USD; only bills in USD can be compared.")
        rows.append({field: _read(field, [(header[n], line[n]) for n in at], number) for field, at in places.items()})
    if not rows:
        raise BadInput("The file has a header and nothing below it.")
    return _summed(pd.DataFrame(rows, columns=list(places)))


def _lines(content: bytes) -> tuple[list[str], list[list[str]]]:
    if len(content) > LARGEST_BYTES:
        raise BadInput(f"The file is larger than {LARGEST_BYTES // 2**20} MiB.")
    try:
        said = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("The file is not text in UTF-8 or UTF-16.") from None
    first = said.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        found = list(csv.reader(io.StringIO(said.lstrip(), newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise BadInput(f"The file is not CSV: {error}.") from None
    if not found or not any(found[0]):
        raise BadInput("The file is empty.")
    header = [name.strip() for name in found[0]]
    for number, line in enumerate(found[1:], start=2):
        if line and len(line) != len(header):
            raise BadInput(f"Row {number} has {len(line)} columns, the header has {len(header)}.")
    return header, [line or [""] * len(header) for line in found[1:]]


def _places(header: Sequence[str], told: Mapping[str, str]) -> dict[str, list[int]]:
    """Field → positions of its columns. Raises BadInput where a field that is needed has none."""
    plain = [_plain(name) for name in header]
    places: dict[str, list[int]] = {}
    for field, name in told.items():
        if field not in FIELDS:
            raise BadInput(f"'{field}' is no column we read; there are {', '.join(FIELDS)}.")
        places[field] = [_position(header, part.strip()) for part in name.split("+")]
    for field in FIELDS:
        found = next((plain.index(name) for name in KNOWN[field] if name in plain), None)
        if field not in places and found is not None:
            places[field] = [found]
    if "input_tokens" not in told:
        parts = [n for n, name in enumerate(plain) if name in (BESIDE_INPUT if "input_tokens" in places else INPUT_PARTS)]
        places["input_tokens"] = places.get("input_tokens", []) + parts
        places = {field: at for field, at in places.items() if at}
    foreign = next((name for name in header if FOREIGN.search(_plain(name)) or FOREIGN.search(name)), None)
    if "cost_usd" not in places and foreign:
        raise BadInput(f"Column '{foreign}': only bills in USD can be compared.")
    for field in NEEDED:
        if field not in places:
            raise BadInput(f"No column tells the {field}. The file has {', '.join(header)}: say which one it is.")
    if not {"cost_usd", "input_tokens", "output_tokens"} & set(places):
        raise BadInput(f"No column tells tokens or cost. The file has {', '.join(header)}: say which one it is.")
    return places


def _position(header: Sequence[str], name: str) -> int:
    for n, known in enumerate(header):
        if name == known or _plain(name) == _plain(known):
            return n
    raise BadInput(f"There is no column '{name}'; the file has {', '.join(header)}.")


def _first(places: Mapping[str, list[int]]) -> list[int]:
    return [places[field][0] for field in NEEDED]


def _plain(name: str) -> str:
    return re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_")


def _read(field: str, cells: Sequence[tuple[str, str]], row: int) -> object:
    """The value of one field; where several columns make it, their sum, None when all are blank."""
    read = READERS.get(field, _count)
    values = []
    for name, cell in cells:
        if cell.strip().lower() in BLANK and field not in NEEDED:
            continue
        try:
            values.append(read(cell.strip()))
        except (ValueError, InvalidOperation, OverflowError, OSError):
            raise BadInput(f"Row {row}, column '{name}': '{cell[:80]}' is no {SAYS.get(field, 'whole number')}.") from None
    if not values:
        return None
    return values[0] if len(values) == 1 else sum(cast(list[Decimal], values))


def _day(cell: str) -> date:
    """The UTC day of a date, an instant or epoch seconds; a day written like 03/04/2026 could be two and is refused."""
    if cell.isdecimal() and EPOCHS_S[0] <= int(cell) < EPOCHS_S[1]:
        return datetime.fromtimestamp(int(cell), UTC).date()
    for form in OTHER_DAYS:
        try:
            return datetime.strptime(cell, form).date()  # noqa: DTZ007 - a date
        except ValueError:
            continue
    moment = datetime.fromisoformat(cell.removesuffix(" UTC"))
    return moment.date() if moment.utcoffset() is None else moment.astimezone(UTC).date()


def _model(cell: str) -> str:
    """Line items are a model and what of it was used, as in "gpt-5-mini-2025-08-07, input"."""
    name = cell.split(",", maxsplit=1)[0].strip()
    if not name:
        raise ValueError
    return name


def _count(cell: str) -> int:
    value = _decimal(cell)
    if value != int(value) or not 0 <= value < 10**15:
        raise ValueError
    return int(value)


def _usd(cell: str) -> Decimal:
    negative = cell.startswith("(") and cell.endswith(")")
    value = _decimal(cell.strip("()").replace("US$", "").replace("$", "").removesuffix("USD").strip())
    if abs(value) >= 10**9:
        raise ValueError
    return -value if negative else value


def _decimal(cell: str) -> Decimal:
    value = Decimal(cell.replace(",", "") if THOUSANDS.fullmatch(cell) else cell)
    if not value.is_finite():
        raise ValueError
    return value


READERS: dict[str, Callable[[str], object]] = {"day": _day, "model": _model, "cost_usd": _usd}
SAYS = {"day": "day such as 2026-01-31", "model": "model", "cost_usd": "amount in USD"}


def _summed(rows: pd.DataFrame) -> pd.DataFrame:
    for field in FIELDS:
        if field not in rows:
            rows[field] = None
    rows[list(NUMBERS)] = rows[list(NUMBERS)].astype("Int64")
    grouped = rows.groupby(["day", "model"], sort=True)
    summed = grouped[list(NUMBERS)].sum(min_count=1).assign(lines=grouped.size().astype("Int64"), cost_usd=grouped["cost_usd"].agg(_total))
    found = summed.reset_index()[["day", "model", "lines", *NUMBERS, "cost_usd"]]
    found.attrs["cost_decimals"] = max((-int(value.as_tuple().exponent) for value in rows["cost_usd"] if value is not None), default=0)
    return found


def _total(values: pd.Series) -> Decimal | None:
    known = [value for value in values if value is not None]
    return sum(known, Decimal(0)) if known else None
