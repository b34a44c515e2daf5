"""Money and days of records as people read them; what is unknown stays a word."""

from datetime import date
from decimal import Decimal

from console.ui.formats import UNKNOWN

SYMBOLS = {"GBP": "£", "USD": "$", "EUR": "€", "PHP": "₱"}
SIZES = ((10**9, "bn"), (10**6, "m"))


def amount(minor: int | None, currency: str | None) -> str:
    """Millions and billions with two places, less in full."""
    if minor is None:
        return UNKNOWN
    whole = Decimal(minor) / 100
    unit = SYMBOLS.get(currency or "", f"{currency} " if currency else "")
    sign = "−" if whole < 0 else ""
    for size, letter in SIZES:
        if abs(whole) >= size:
            return f"{sign}{unit}{abs(whole) / size:,.2f}{letter}"
    return f"{sign}{unit}{abs(whole):,.2f}"


def percent(value: Decimal | None) -> str:
    """With its sign: how far over or under."""
    return UNKNOWN if value is None else f"{value:+,.1f}%"


def day(value: date | None) -> str:
    """ISO."""
    return UNKNOWN if value is None else f"{value:%Y-%m-%d}"


def count(value: int | None) -> str:
    """In full: people look such numbers up."""
    return UNKNOWN if value is None else f"{value:,}"
