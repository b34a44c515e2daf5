"""Numbers as people read them: unknown is a word, never a zero."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd

from services.metrics import MEASURES, Measure

UNKNOWN = "unknown"
SAME = "±"  # before a change that rounds to nothing
LONGEST_NAME = 28
_MARKDOWN = re.compile(r"([\\`*_\[\]<>~$:#|&])")


def is_unknown(value: object) -> bool:
    """None, NaN and NA all say that nobody knows."""
    return bool(pd.isna(value))


def number(value: Any, unit: str) -> str:  # noqa: ANN401 - frames hold many kinds of numbers
    """A value of a measure in its unit, short enough for a tile."""
    return UNKNOWN if is_unknown(value) else WORDS.get(unit, count)(value)


def share(part: float) -> str:
    """Per cent, with a second place where one would say nothing."""
    return f"{part:.1%}" if 0.001 <= part <= 0.999 or part in (0, 1) else f"{part:.2%}"


def rate(per_minute: float) -> str:
    """Per minute."""
    return f"{per_minute:,.2f} /min" if per_minute < 10 else f"{per_minute:,.0f} /min"


def money(dollars: Decimal) -> str:
    """Cents from a dollar up, four significant digits below it."""
    if dollars == 0 or abs(dollars) >= 1:
        return f"${dollars:,.2f}"
    places = max(2, 3 - dollars.copy_abs().adjusted() - 1) if abs(dollars) < Decimal("0.01") else 4
    return f"${dollars:.{places}f}"


def duration(seconds: float) -> str:
    """Milliseconds below a second, then seconds, minutes, hours."""
    if seconds < 1:
        return f"{seconds * 1_000:.0f} ms"
    if seconds < 100:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def count(value: float) -> str:
    """Whole up to ten thousand, then thousands and millions."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):,.{1 if letter == 'k' else 2}f}{letter}"
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:,.1f}"


WORDS: dict[str, Callable[[Any], str]] = {
    "usd": lambda value: money(Decimal(str(value))),
    "share": share,
    "ms": lambda value: duration(value / 1_000),
    "s": duration,
    "per_min": rate,
    "rating": lambda value: f"{value:.2f} of 5",
}


def change(now: Any, before: Any, unit: str) -> str | None:  # noqa: ANN401
    """The change against the period before: percentage points for shares, per cent for the rest; None where it means nothing.

    What rounds to nothing has no direction: it begins with ±.
    """
    if is_unknown(now) or is_unknown(before):
        return None
    new, old = float(now), float(before)
    if unit == "share":
        said = f"{(new - old) * 100:+.1f} points"
    elif old == 0:
        return None
    else:
        said = f"{new / old - 1:+.1%}" if new / old < 10 else f"{new / old:+,.0f}×"
    return f"{SAME}{said[1:]}" if said[1:].startswith("0.0") else said


def colour(measure: Measure) -> str:
    """How a tile colours growth: green when it is good news, red when it is bad, grey when it is neither."""
    return {"up": "normal", "down": "inverse", None: "off"}[measure.better]


def label(name: str) -> str:
    """What a column of an answer is called on screen."""
    return MEASURES[name].label if name in MEASURES else name.replace("_", " ").capitalize()


def short(name: str) -> str:
    """A name that fits an axis: the middle is left out of long ones."""
    if len(name) <= LONGEST_NAME:
        return name
    half = (LONGEST_NAME - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def plain(words: str) -> str:
    """Words from elsewhere in the middle of ours: they mean themselves, and are no Markdown."""
    return _MARKDOWN.sub(r"\\\1", " ".join(words.split()))
