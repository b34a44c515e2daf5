"""What was spent and what of it: the month, the course with its budget, the parts by any dimension, what has no price."""

from decimal import Decimal
from typing import Literal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from console.ui import budgets, cards, charts, formats
from console.ui.filters import DIMENSIONS, Selection
from console.ui.once import once
from services import metrics
from services.costs import outlook, savings
from services.costs.outlook import Outlook

SHAPES = ("bars", "treemap")
LINE_WITHIN = 3.0  # times the dearest day: a budget line above that would flatten the bars
MOST_NAMED = 5
OF_SESSIONS = frozenset(("environment", "source", "module"))


def month(chosen: Selection, now: outlook.Month) -> None:
    """Today, this month and its end, a session, and what caches saved: with the filters of the page."""
    course = pd.to_numeric(now.by_day["cost"]).astype("float64").fillna(0).tail(30).tolist()
    each = _per_session(chosen)
    saved = savings.saved((chosen.start, chosen.end), chosen.where)
    today, so_far, end, session, caches = st.columns(5)
    today.metric("Today", _money(now.today), border=True, height="stretch", chart_data=course if any(course) else None, chart_type="area")
    so_far.metric("Month to date", _money(now.so_far), border=True, height="stretch")
    with end:
        _month_end(now)
    session.metric(
        "Cost per session", _money(each), border=True, height="stretch",
        help="Cost of the range over the sessions that began in it; operations outside sessions are in the cost too. Unknown under filters "
        "that sessions do not have: one session may use many models.",
    )  # fmt: skip
    caches.metric(
        "Saved by caches", _money(saved.answers + saved.tokens), border=True, height="stretch",
        help=f"An estimate for the range: answers that were not asked for again {formats.money(saved.answers)}, tokens that providers read "
        f"from their caches {formats.money(saved.tokens)} (less what writing them cost).".replace("$", r"\$"),
    )  # fmt: skip


def breakdown(chosen: Selection, budgeted: list[Outlook]) -> None:
    """Cost over time beside cost in all, split by a dimension of choice."""
    with st.container(horizontal=True, vertical_alignment="center"):
        by = st.segmented_control(
            "Split by", DIMENSIONS, default="module", key="split", bind="query-params", required=True, label_visibility="collapsed",
        ) or "module"  # fmt: skip
        shape = st.segmented_control("Shape", SHAPES, default=SHAPES[0], key="shape", bind="query-params", required=True,
                                     label_visibility="collapsed")  # fmt: skip
    over_time = metrics.query(["cost"], by=[by], interval=chosen.interval, **chosen.asked).frame
    parts = metrics.query(["cost"], by=[by], **chosen.asked).frame
    left, right = st.columns(2)
    with left:
        level, note = _budget_line(over_time, chosen, budgeted)
        cards.chart(f"Cost by {by}", once(_over_time, over_time, by, level), f"Stacked bars: cost over time by {by}", by=by)
        if note:
            st.caption(note)
    with right:
        if shape == "treemap":
            cards.chart(f"Parts by {by}", once(treemap, parts, by), f"Treemap: cost of each {by}")
        else:
            cards.chart(f"Parts by {by}", once(charts.ranked, parts, "cost", by), f"Bars: cost of each {by}, the largest first", by=by)


def treemap(frame: pd.DataFrame, by: str) -> go.Figure:
    """An area a value, as large as its cost."""
    costs = pd.to_numeric(frame["cost"]).astype("float64")
    known = frame.assign(value=costs)[costs > 0].sort_values("value", ascending=False)
    figure = go.Figure(
        go.Treemap(
            labels=[formats.short(name) for name in known[by]], ids=known[by], parents=[""] * len(known), values=known["value"],
            text=[formats.money(cost) for cost in known["cost"]], customdata=known[by], textinfo="label+text+percent root",
            hovertemplate="%{customdata}: %{text}, %{percentRoot:.1%}<extra></extra>", root_color="rgba(0,0,0,0)", sort=False,
        )
    )  # fmt: skip
    figure.update_layout(height=charts.HEIGHT, margin={"l": 8, "r": 8, "t": 8, "b": 8}, treemapcolorway=charts.COLOURS)
    return figure


def unpriced(chosen: Selection) -> None:
    """How much has no price, and which models."""
    frame = metrics.query(["operations", "unpriced"], by=["model"], **chosen.asked).frame
    without = frame[frame["unpriced"] > 0].sort_values("unpriced", ascending=False)
    if without.empty:
        return
    number, share = int(without["unpriced"].sum()), without["unpriced"].sum() / frame["operations"].sum()
    named = ", ".join(f"{formats.plain(formats.short(row.model))} ({row.unpriced:,})" for row in without.head(MOST_NAMED).itertuples())
    more = f" and {len(without) - MOST_NAMED} other models" if len(without) > MOST_NAMED else ""
    st.warning(
        f"{number:,} operations have no known cost and are in no total, {formats.share(share)} of all: {named}{more}.",
        icon=":material/money_off:",
    )


def _per_session(chosen: Selection) -> Decimal | None:
    if not OF_SESSIONS.issuperset(chosen.where):
        return None
    row = metrics.query(["cost", "sessions_started"], **chosen.by_days.asked).frame.iloc[0]
    return row["cost"] / int(row["sessions_started"]) if row["cost"] and row["sessions_started"] else None


def _month_end(now: outlook.Month) -> None:
    made = now.forecast
    held = None if made is None or made.low is None or made.high is None else f"{_money(made.low)} to {_money(made.high)}"
    trial = "" if made is None else f" Of five months, four end within what is below; {budgets.trial(made)}."
    st.metric(
        "Month's end", "unknown" if made is None else formats.money(Decimal(str(made.expected))), held, border=True,
        height="stretch", delta_color="off", delta_arrow="off",
        help=f"This month so far and the days to come as the same weekdays of the last four weeks went.{trial}",
    )  # fmt: skip


def _over_time(frame: pd.DataFrame, by: str, level: float | None) -> go.Figure:
    """A bar a bucket in a colour a value, and a day's budget as a line."""
    figure = charts.stacked(frame, "cost", by)
    if level is not None:
        at = sorted(set(frame["bucket"]))
        figure.add_scatter(
            x=at, y=[level] * len(at), mode="lines", name="a day's budget", line={"dash": "dash", "color": charts.COLOURS[5]},
            hovertemplate="$%{y:,.2f}<extra>a day's budget</extra>",
        )  # fmt: skip
        figure.update_layout(showlegend=True)
    return figure


def _budget_line(frame: pd.DataFrame, chosen: Selection, budgeted: list[Outlook]) -> tuple[float | None, str]:
    """A day's budget over everything where it is to be seen, and what to say about it."""
    cap = next((one.cap for one in budgeted if (one.budget.scope, one.budget.period) == ("all", "day")), None)
    if cap is None or chosen.interval != "day" or chosen.where:
        return None, ""
    said = f"A day's budget is {formats.money(cap)}; it holds back our own calls only.".replace("$", r"\$")
    sums = frame.assign(cost=pd.to_numeric(frame["cost"]).astype("float64")).groupby("bucket")["cost"].sum()
    if float(cap) > LINE_WITHIN * sums.max():
        return None, f"{said} It lies above this chart."
    return float(cap), said


def _money(dollars: Decimal | float | None) -> Literal["unknown"] | str:
    return formats.UNKNOWN if dollars is None else formats.money(Decimal(str(dollars)))
