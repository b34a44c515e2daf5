"""The part of the Prices page that lays a provider's bill beside our telemetry."""

import pandas as pd
import streamlit as st

from console.ui import prices
from console.ui.quoted import quoted
from services.db import transaction
from services.errors import BadInput
from services.pricing import reconcile

COMPARED = {
    "day": "Day (UTC)", "model": "Model", "why": "Why", "their_cost_usd": "Their cost", "our_cost_usd": "Our cost",
    "difference_usd": "Difference", "their_requests": "Their calls", "our_operations": "Our calls",
    "their_input_tokens": "Their input tokens", "our_input_tokens": "Our input tokens",
    "their_output_tokens": "Their output tokens", "our_output_tokens": "Our output tokens",
}  # fmt: skip


def reconciliation() -> None:
    """Upload a provider's CSV and see it beside our telemetry."""
    with st.form("reconcile", border=False):
        file = st.file_uploader("Usage or cost export of a provider (CSV)", type=["csv", "txt", "tsv"], key="bill")
        left, right = st.columns([1, 2])
        provider = left.text_input("Provider", placeholder="those whose models it names", key="bill_provider")
        named = right.text_input(
            "Columns, where they are not recognised", placeholder="day=date, input_tokens=in+cached", key="bill_columns"
        )
        asked = st.form_submit_button("Compare", type="primary", icon=":material/balance:")
    if not asked:
        return
    if file is None:
        st.warning("Choose a file first.", icon=":material/warning:")
        return
    try:
        with transaction() as connection:
            found = reconcile.reconcile(connection, file.getvalue(), provider.strip() or None, _columns(named))
    except BadInput as problem:
        st.error(quoted(str(problem)), icon=":material/error:")
        return
    agree = found["why"].isin(["agrees", "rounding"])
    tiles = {
        "Their cost": prices.total(found["their_cost_usd"]),
        "Our cost": prices.total(found["our_cost_usd"]),
        "Lines that agree": f"{agree.sum():,} of {len(found):,}",
    }
    prices.tiles(tiles)
    prices.frame(pd.concat([found[~agree], found[agree]]), COMPARED, "The bill and our telemetry by UTC day and model, and why they differ")


def _columns(told: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in told.split(",") if part.strip()]
    return {field.strip(): name.strip() for field, _, name in pairs}
