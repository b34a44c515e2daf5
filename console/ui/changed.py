"""What changed? Two ranges, the difference in steps that sum to it, and who made it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from console.ui import cards, formats, waterfall
from console.ui.charts import HEIGHT
from console.ui.filters import Selection
from console.ui.once import once
from services import changed, clock, metrics
from services.changed import Between, CostChange, LatencyChange, Step
from services.metrics import DIMENSIONS, ranges
from services.metrics.totals import Range
from services.settings import settings

WEEK = timedelta(days=7)
AGAINST = ("the period before", "a week earlier", "other days")
NANO, NS_PER_S = 1e9, 1e9
MOST_MOVERS = 8
ROOM = 0.25  # of what the bars span
MEANS = (
    "**Volume**: more or fewer operations. **Model mix**: other models. **Tokens a call**: longer or shorter, at one price of "
    "each model. **Price**: what those tokens cost. **Caching**: answers and tokens from caches. **Share priced**: operations whose price "
    "became known or unknown. Each step is the mean of changing it first and changing it last; together they are the difference exactly."
)
PERCENTILES = ("latency_p50", "latency_p95", "latency_p99", "ttft_p50")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is compared, and how the ranges are called."""

    between: Between
    words: str


def cost(chosen: Selection) -> None:
    """The difference in cost between the range of the page and another."""
    asked = _asked(chosen)
    change = changed.cost(asked.between)
    before, after = (nano / NANO for nano in (change.before_nano, change.after_nano))
    st.markdown(_sentence("Cost", before, after, change.steps, NANO, _usd, asked.words))
    if any(change.unpriced):
        st.caption(f":material/info: Without operations that have no price: {change.unpriced[0]:,} before, {change.unpriced[1]:,} after.")
    left, right = st.columns(2)
    with left:
        steps = [step for step in change.steps if step.amount]
        cards.chart("Cost in steps", once(_cost_steps, change), _alt("Cost", before, after, steps, NANO, _usd))
        with st.expander("What the steps mean"):
            st.markdown(MEANS)
    with right:
        by = st.segmented_control(
            "Who made it, by", changed.ANSWERED_BY, default=changed.ANSWERED_BY[0], format_func=lambda name: DIMENSIONS[name].label,
            key="changed_by", required=True, label_visibility="collapsed",
        ) or changed.ANSWERED_BY[0]  # fmt: skip
        moved = changed.movers(asked.between, by, "cost")
        cards.chart("Who made it", once(_movers, moved, by), f"Bars: change in cost of each {by}, the largest first", by=by)


def latency(chosen: Selection) -> None:
    """The difference in mean latency between the range of the page and another."""
    asked = _asked(chosen)
    change = changed.latency(asked.between)
    if change.before_ns is None or change.after_ns is None:
        st.info(f"One of the two ranges ({asked.words}) has no operation that told its latency.", icon=":material/inbox:")
        return
    before, after = change.before_ns / NS_PER_S, change.after_ns / NS_PER_S
    st.markdown(_sentence("Mean latency", before, after, change.steps, NS_PER_S, formats.duration, asked.words))
    left, right = st.columns(2)
    with left:
        cards.chart(
            "Mean latency in steps",
            once(_latency_steps, change),
            _alt("Mean latency", before, after, change.steps, NS_PER_S, formats.duration),
        )
    with right, st.container(border=True):
        st.markdown("**The same in percentiles**")
        st.dataframe(_percentiles(asked.between), hide_index=True, alt="Percentiles of latency before and after")
        st.caption("Mixes: other modules and models were called. The rest: the same model in the same module became slower or faster.")


def _cost_steps(change: CostChange) -> go.Figure:
    before, after = (nano / NANO for nano in (change.before_nano, change.after_nano))
    return waterfall.waterfall(before, after, [step for step in change.steps if step.amount], NANO, _usd, "$")


def _latency_steps(change: LatencyChange) -> go.Figure:
    before, after = ((told or 0) / NS_PER_S for told in (change.before_ns, change.after_ns))
    return waterfall.waterfall(before, after, change.steps, NS_PER_S, formats.duration, " s")


def _asked(chosen: Selection) -> Asked:
    """The range of the page and the one to hold it against."""
    against = st.segmented_control("Against", AGAINST, default=AGAINST[0], key="against", bind="query-params", required=True)
    after: Range = (chosen.start, chosen.end)
    before = _other_days() if against == AGAINST[2] else _earlier(after, WEEK if against == AGAINST[1] else None)
    words = f"{_words(before)} against {_words(after)}"
    if _minutes(before) != _minutes(after):
        words += "; the ranges differ in length, which is part of the volume"
    return Asked(Between(before, after, chosen.where), words)


def _earlier(of: Range, by: timedelta | None) -> Range:
    """The same span earlier, as long ago as it is long without `by`; of days that are not over, as much as has passed of them."""
    start, end = of
    step = by or end - start  # type: ignore[operator]  # both ends are of one kind
    if isinstance(start, datetime) or isinstance(end, datetime):
        return start - step, end - step
    return start - step, ranges.so_far(start, end, step.days, settings().zone, clock.utc_now())


def _minutes(of: Range) -> int:
    """Minutes of it that are over, by quarters of an hour."""
    zone, now = settings().zone, clock.utc_now()
    start, end = (moment if isinstance(moment, datetime) else clock.day_start(moment, zone) for moment in of)
    return round((min(end, ranges.same_time(now, 0, zone)) - start).total_seconds() / 60)


def _other_days() -> Range:
    today = clock.today(settings().zone)
    first, last = st.columns(2)
    start = first.date_input("Before, from", value=today - timedelta(days=13), key="before_from", bind="query-params")
    end = last.date_input("Before, to", value=today - WEEK, key="before_to", bind="query-params")
    start, end = (day if isinstance(day, date) else today for day in (start, end))
    return min(start, end), max(start, end) + timedelta(days=1)


def _words(of: Range) -> str:
    start, end = of
    if isinstance(start, datetime) and isinstance(end, datetime):
        return f"{start:%d %b %H:%M} to {end:%d %b %H:%M} UTC"
    if isinstance(end, datetime):
        local = end.astimezone(settings().zone)
        return f"{local:%d %b %Y until %H:%M}" if start == local.date() else f"{start:%d %b} to {local:%d %b %Y, %H:%M}"
    last = end - timedelta(days=1)
    return f"{start:%d %b %Y}" if start == last else f"{start:%d %b} to {last:%d %b %Y}"


def _sentence(
    what: str, before: float, after: float, steps: tuple[Step, ...], scale: float, worded: Callable[[float], str], ranges: str
) -> str:
    """From what to what, and the two steps that made most of it."""
    if before == after:
        return f"{what} is the same: {_escaped(worded(after))}. {ranges[:1].upper()}{ranges[1:]}."
    share = f", {after / before - 1:+.0%}" if before else ""
    most = [step for step in sorted(steps, key=lambda step: -abs(step.amount)) if step.amount][:2]
    made = " and ".join(f"{formats.plain(step.label)} ({_escaped(waterfall.signed(step.amount / scale, worded))})" for step in most)
    change = _escaped(waterfall.signed(after - before, worded))
    went = f"{what} went from {_escaped(worded(before))} to **{_escaped(worded(after))}** ({change}{share})"
    return f"{went}, mostly by {made}. {ranges[:1].upper()}{ranges[1:]}."


def _alt(what: str, before: float, after: float, steps: list[Step] | tuple[Step, ...], scale: float, worded: Callable[[float], str]) -> str:
    told = ", ".join(f"{step.label} {waterfall.signed(step.amount / scale, worded)}" for step in steps)
    return f"Waterfall: {what.lower()} from {worded(before)} to {worded(after)}: {told or 'no change'}"


def _escaped(words: str) -> str:
    """Two dollars in one line would be a formula."""
    return words.replace("$", r"\$")


def _usd(dollars: float) -> str:
    return formats.money(Decimal(str(dollars)))


def _movers(moved: pd.DataFrame, by: str) -> go.Figure:
    """Bars to both sides, the largest on top."""
    known = moved.dropna(subset="change").head(MOST_MOVERS)
    known = known[known["change"] != 0][::-1]
    figure = go.Figure(
        go.Bar(
            x=known["change"], y=list(range(len(known))), orientation="h", customdata=known[by],
            text=[waterfall.signed(value, _usd) for value in known["change"]], textposition="auto", cliponaxis=False,
            marker={"color": [waterfall.MORE if value > 0 else waterfall.LESS for value in known["change"]]},
            hovertemplate="%{customdata}: %{text}<extra></extra>",
        )
    )  # fmt: skip
    reach = [min(known["change"].min(), 0), max(known["change"].max(), 0)] if len(known) else [0, 1]
    room = ROOM * (reach[1] - reach[0])  # for the words beside a short bar, which would be written over its name
    figure.update_xaxes(tickprefix="$", range=[reach[0] - (room if reach[0] else 0), reach[1] + (room if reach[1] else 0)])
    figure.update_yaxes(tickvals=list(range(len(known))), ticktext=[formats.short(name) for name in known[by]], automargin=True)
    figure.update_layout(height=max(HEIGHT, 70 + 26 * len(known)), margin={"l": 8, "r": 8, "t": 8, "b": 8}, hovermode="closest")
    return figure


def _percentiles(between: Between) -> pd.DataFrame:
    rows = [
        metrics.query(PERCENTILES, start=start, end=end, where=between.where).frame.iloc[0]
        for start, end in (between.before, between.after)
    ]
    return pd.DataFrame(
        {
            "Measure": [formats.label(name) for name in PERCENTILES],
            "Before": [formats.number(rows[0][name], "ms") for name in PERCENTILES],
            "After": [formats.number(rows[1][name], "ms") for name in PERCENTILES],
            "Change": [formats.change(rows[1][name], rows[0][name], "ms") or formats.UNKNOWN for name in PERCENTILES],
        }
    )
