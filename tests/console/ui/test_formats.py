"""Numbers as people read them."""

from decimal import Decimal

import pandas as pd
import pytest

from console.ui import formats
from services.metrics import MEASURES


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (None, "usd", "unknown"),
        (float("nan"), "ms", "unknown"),
        (pd.NA, "count", "unknown"),
        (Decimal(0), "usd", "$0.00"),
        (Decimal("1234.567"), "usd", "$1,234.57"),
        (Decimal("0.1234567"), "usd", "$0.1235"),
        (Decimal("0.0042"), "usd", "$0.00420"),
        (Decimal("0.0000042"), "usd", "$0.00000420"),
        (Decimal(-3), "usd", "$-3.00"),
        (0.0, "share", "0.0%"),
        (1.0, "share", "100.0%"),
        (0.1234, "share", "12.3%"),
        (0.00012, "share", "0.01%"),
        (0.99987, "share", "99.99%"),
        (12.4, "ms", "12 ms"),
        (1_234, "ms", "1.23 s"),
        (45_678, "ms", "45.7 s"),
        (200_000, "ms", "3 min 20 s"),
        (7_500, "s", "2 h 05 min"),
        (0.5, "per_min", "0.50 /min"),
        (1_234, "per_min", "1,234 /min"),
        (4.1489, "rating", "4.15 of 5"),
        (7, "count", "7"),
        (9_999, "count", "9,999"),
        (119_507, "count", "119.5k"),
        (12_345_678, "tokens", "12.35M"),
        (3.2e9, "tokens", "3.20B"),
        (10.24, "count", "10.2"),
    ],
)
def test_it_writes_a_number_in_its_unit(value: object, unit: str, said: str) -> None:
    assert formats.number(value, unit) == said


@pytest.mark.parametrize(
    ("now", "before", "unit", "said"),
    [
        (110, 100, "count", "+10.0%"),
        (Decimal(50), Decimal(100), "usd", "-50.0%"),
        (5_000, 100, "count", "+50×"),
        (0.12, 0.10, "share", "+2.0 points"),
        (0.1001, 0.1, "share", "±0.0 points"),
        (9_999, 10_000, "count", "±0.0%"),
        (9_990, 10_000, "count", "-0.1%"),
        (5, 0, "count", None),
        (None, 5, "count", None),
        (5, float("nan"), "ms", None),
    ],
)
def test_it_writes_a_change(now: object, before: object, unit: str, said: str | None) -> None:
    assert formats.change(now, before, unit) == said


def test_it_knows_which_way_is_good_news() -> None:
    assert [formats.colour(MEASURES[name]) for name in ("cached_share", "error_rate", "operations")] == ["normal", "inverse", "off"]


def test_it_shortens_long_names_in_the_middle() -> None:
    assert formats.short("gpt-5-mini") == "gpt-5-mini"
    assert formats.short("a" * 30 + "b" * 30) == "a" * 13 + "…" + "b" * 13


def test_it_labels_measures_and_dimensions() -> None:
    assert (formats.label("latency_p95"), formats.label("error_type")) == ("Latency p95", "Error type")


def test_it_lets_words_from_elsewhere_mean_themselves() -> None:
    assert formats.plain("plain words, 1.5 (of two)") == "plain words, 1.5 (of two)"
    assert formats.plain("*a* [b](http://c)\n# `d` $e$ <f> \\") == r"\*a\* \[b\](http\://c) \# \`d\` \$e\$ \<f\> \\"
