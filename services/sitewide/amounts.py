"""Figures as sentences say them: three digits that count, and a word for the rest."""

from decimal import ROUND_HALF_EVEN, Decimal

SIGNS = {"GBP": "£", "USD": "$", "EUR": "€"}
SCALES = ((10**9, " billion"), (10**6, " million"))
DIGITS = 3


def amount(value: Decimal, currency: str | None) -> str:
    """£852 million, -£3.2 million, £12,345; without a currency 6,020."""
    sign = "" if currency is None else SIGNS.get(currency, f"{currency} ")
    minus = "-" if value < 0 else ""
    size = abs(value)
    for scale, word in SCALES:
        # 999.6 million is said as a billion: the word is chosen by what is written.
        if _rounded(size / scale) >= 1:
            return f"{minus}{sign}{_plain(_rounded(size / scale))}{word}"
    return f"{minus}{sign}{size.quantize(Decimal(1), ROUND_HALF_EVEN):,}"


def times(ratio: float) -> str:
    """5.3 times."""
    return f"{ratio:,.1f} times"


def percent(part: float) -> str:
    """45.2%."""
    return f"{part * 100:.1f}%"


def _rounded(value: Decimal) -> Decimal:
    places = max(0, DIGITS - 1 - value.adjusted()) if value >= 1 else DIGITS - 1
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)


def _plain(value: Decimal) -> str:
    return f"{value.normalize():,f}" if value == value.to_integral_value() else f"{value:,f}"
