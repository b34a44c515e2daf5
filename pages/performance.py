"""Is AI fast, and what fails?"""

import streamlit as st

from console.ui import cards, changed, charts, filters, latency
from console.ui.once import once
from services import metrics
from services.metrics.distribution import distribution

TILES = ["latency_p50", "latency_p95", "ttft_p50", "output_speed", "error_rate"]
PERCENTILES = [name for name, _ in latency.BANDS]
SPLITS = ["model", "module", "provider", "operation"]
DETAIL = ["operations", "error_rate", "latency_avg", "latency_p50", "latency_p95", "latency_p99", "ttft_p50", "ttft_p95", "output_speed"]
SLOWEST = ["latency_p95", "latency_p50", "operations", "error_rate"]
MOST_SLOW = 10

chosen = filters.selection()
total = metrics.query(["operations", *TILES], compare=chosen.compare, **chosen.asked)
trend = metrics.query([*dict.fromkeys([*TILES, *PERCENTILES])], interval=chosen.interval, **chosen.asked)
course = metrics.query(["throughput", "error_rate", "output_speed"], interval=chosen.interval, compare=chosen.compare, **chosen.asked)
cards.trust(chosen.days, total, trend)

if not total.frame["operations"].sum():
    cards.nothing("operations")
    cards.stop()

cards.tiles(total, trend, TILES, chosen.before)

by_type = metrics.query(["errors"], by=["error_type"], **chosen.asked)
heat = once(latency.heat, distribution(interval=chosen.interval, **chosen.asked))
left, right = st.columns(2)
with left:
    cards.chart("Latency", once(latency.bands, trend.frame), "Lines: p50, p90, p95 and p99 latency over time")
    cards.chart("Throughput", once(charts.bars, course.frame, "throughput", chosen.before), "Bars: operations a minute over time")
    cards.chart(
        "Error rate", once(charts.lines, course.frame, ["error_rate"], before=chosen.before), "Line: errors over operations over time"
    )
with right:
    cards.chart("Where the latency lies", heat, "Heat map: share of operations in each band of latency over time")
    cards.chart("Tokens a second", once(charts.lines, course.frame, ["output_speed"], before=chosen.before), "Line: output tokens a second")
    cards.chart("Errors by type", once(charts.ranked, by_type.frame, "errors", "error_type"), "Bars: errors by their type")

st.subheader("What changed?", anchor=False)
changed.latency(chosen)

st.subheader("By model, module, provider or operation", anchor=False)
split = st.segmented_control("By", SPLITS, default="model", key="split", bind="query-params", required=True, label_visibility="collapsed")
detail = metrics.query(DETAIL, by=[split or "model"], **chosen.asked)
cards.table(detail.frame, "Latency, speed and errors of each", by=[split or "model"], order=["operations"])

st.subheader("Slowest operations", anchor=False)
slow = metrics.query(SLOWEST, by=["module", "operation", "model"], **chosen.asked)
cards.table(slow.frame, "The operations whose p95 is highest", by=["module", "operation", "model"], order=["latency_p95"], most=MOST_SLOW)
