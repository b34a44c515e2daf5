"""Facts in words and Markdown: money, shares, spans, days, lists and tables. Unknown is said, never shown as nothing."""

import re
from collections.abc import Iterable, Sequence
from datetime import date

UNKNOWN = "unknown"
SIGNS = {"GBP": "£", "USD": "$", "EUR": "€", "PHP": "₱"}
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def money(value: float | None, currency: str | None) -> str:
    """£12.7bn, £193.3m, £450,370."""
    if value is None:
        return UNKNOWN
    sign, size = "-" if value < 0 else "", abs(value)
    mark = SIGNS.get(currency or "", f"{currency} " if currency else "")
    for scale, word in ((1e9, "bn"), (1e6, "m")):
        if size >= scale:
            return f"{sign}{mark}{size / scale:,.2f}".rstrip("0").rstrip(".") + word
    return f"{sign}{mark}{size:,.0f}"


def percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{100 * share:,.1f}".removesuffix(".0") + " %"


def change(share: float | None) -> str:
    """A change with its direction always told."""
    if share is None:
        return UNKNOWN
    told = f"{100 * share:+,.1f}".removesuffix(".0")
    return "no change" if told in {"+0", "-0"} else f"{told} %"


def days(count: int | None) -> str:
    return UNKNOWN if count is None else f"{count:,} {'day' if abs(count) == 1 else 'days'}"


def later(count: int | None) -> str:
    """A shift of a date with its direction."""
    if count is None:
        return UNKNOWN
    return "unchanged" if count == 0 else f"{days(abs(count))} {'later' if count > 0 else 'earlier'}"


def day(told: date | None) -> str:
    return UNKNOWN if told is None else f"{told.day} {told:%B} {told.year}"


def number(value: float | None, digits: int = 0) -> str:
    return UNKNOWN if value is None else f"{value:,.{digits}f}"


def counted(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def plain(text: str | None) -> str:
    """Text of a record, which must not become markup."""
    return UNKNOWN if text is None else SPECIAL.sub(r"\\\1", text)


def joined(words: Sequence[str]) -> str:
    """ "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def document(title: str, sections: Iterable[tuple[str, str]]) -> str:
    """A whole page: what has nothing to say is left out."""
    return "\n\n".join([f"# {title}", *(f"## {head}\n\n{body}" for head, body in sections if body)]) + "\n"
