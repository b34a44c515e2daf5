"""Where does the money go?"""

import streamlit as st

from console.ui import cards, charts, filters, formats
from services import metrics

TILES = ["cost", "operations", "cost_per_operation", "cached_share", "priced_share"]
DETAIL = ["cost", "operations", "cost_per_operation", "input_tokens", "output_tokens", "cache_read_tokens", "unpriced"]

chosen = filters.selection()
total = metrics.query(TILES, compare=chosen.compare, **chosen.asked)
trend = metrics.query(TILES, interval=chosen.interval, **chosen.asked)
cards.trust(chosen.days, total, trend)

if not total.frame["operations"].sum():
    cards.nothing("operations")
    st.stop()

cards.tiles(total, trend, TILES, chosen.before)

by_module = metrics.query(["cost"], by=["module"], interval=chosen.interval, **chosen.asked)
by_model = metrics.query(["cost"], by=["model"], interval=chosen.interval, **chosen.asked)
models = metrics.query(["cost", "unpriced"], by=["model"], **chosen.asked)
providers = metrics.query(["cost"], by=["provider"], **chosen.asked)
unpriced = models.frame[models.frame["unpriced"] > 0].sort_values("unpriced", ascending=False)

if len(unpriced):
    named = ", ".join(f"{formats.short(row.model)} ({row.unpriced:,})" for row in unpriced.head(5).itertuples())
    st.warning(f"{unpriced['unpriced'].sum():,} operations have no known cost and are in no total: {named}.", icon=":material/money_off:")

left, right = st.columns(2)
with left:
    cards.chart("Cost by module", charts.stacked(by_module.frame, "cost", "module"), "Stacked bars: cost over time by module", by="module")
    cards.chart("Models that cost most", charts.ranked(models.frame, "cost", "model"), "Bars: the ten models that cost most", by="model")
with right:
    cards.chart("Cost by model", charts.stacked(by_model.frame, "cost", "model"), "Stacked bars: cost over time by model", by="model")
    cards.chart("Cost by provider", charts.ranked(providers.frame, "cost", "provider"), "Bars: cost of each provider", by="provider")

st.subheader("By module and model", anchor=False)
detail = metrics.query(DETAIL, by=["module", "model"], **chosen.asked)
cards.table(
    detail.frame.sort_values(["cost", "operations"], ascending=False, na_position="last"),
    "Cost, tokens and operations by module and model",
    by=["module", "model"],
)
