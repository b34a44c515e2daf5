"""Is AI fast, and what fails?"""

import streamlit as st

from console.ui import cards, charts, filters
from services import metrics

TILES = ["latency_p50", "latency_p95", "ttft_p50", "error_rate", "throughput"]
PERCENTILES = {"latency_p50": "p50", "latency_p90": "p90", "latency_p95": "p95", "latency_p99": "p99"}
DETAIL = ["operations", "error_rate", "latency_avg", "latency_p50", "latency_p95", "latency_p99", "ttft_p50", "ttft_p95", "cached_share"]

chosen = filters.selection()
total = metrics.query(["operations", *TILES], compare=chosen.compare, **chosen.asked)
trend = metrics.query([*TILES, *PERCENTILES, "operations"], interval=chosen.interval, **chosen.asked)
cards.trust(chosen.days, total, trend)

if not total.frame["operations"].sum():
    cards.nothing("operations")
    cards.stop()

cards.tiles(total, trend, TILES, chosen.before)

by_type = metrics.query(["errors"], by=["error_type"], **chosen.asked)
detail = metrics.query(DETAIL, by=["provider", "model"], **chosen.asked)

left, right = st.columns(2)
with left:
    cards.chart(
        "Latency", charts.lines(trend.frame, list(PERCENTILES), names=PERCENTILES), "Lines: p50, p90, p95 and p99 latency over time"
    )
    cards.chart("Error rate", charts.lines(trend.frame, ["error_rate"]), "Line: errors over operations over time")
with right:
    cards.chart("Throughput", charts.bars(trend.frame, "throughput"), "Bars: operations a minute over time")
    cards.chart("Errors by type", charts.ranked(by_type.frame, "errors", "error_type"), "Bars: errors by their type")

st.subheader("By model", anchor=False)
cards.table(
    detail.frame.sort_values("operations", ascending=False),
    "Latency, errors and cached share by provider and model",
    by=["provider", "model"],
)
