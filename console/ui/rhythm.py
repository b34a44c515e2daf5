"""Two charts of habit: at which hours of the week people come, and in which weeks they come back. No data access."""

from collections import Counter
from datetime import date, timedelta

import pandas as pd
import plotly.graph_objects as go

from services.metrics import HOURS, WEEKDAYS

HEIGHT = 300
MOST_WEEKS = 12
# One hue from nothing to much: read without telling red from green. Clear where there is nothing, on light ground and on dark.
SCALE = [[0.0, "rgba(0, 114, 178, 0.04)"], [0.5, "rgba(0, 114, 178, 0.5)"], [1.0, "rgba(0, 114, 178, 1)"]]
OPAQUE = [[0.0, "#EAF3F9"], [0.5, "#7FB8D8"], [1.0, "#0072B2"]]  # under figures, whose colour is chosen to stand out from it


def per_hour(frame: pd.DataFrame, days: tuple[date, date]) -> pd.DataFrame:
    """WEEKDAYS × HOURS: sessions that began in such an hour on the average day of the range [start, end); NaN for weekdays outside it.

    `frame` has weekday, hour and sessions_started.
    """
    start, end = days
    there = Counter(WEEKDAYS[(start + timedelta(days=n)).weekday()] for n in range((end - start).days))
    counted = frame.assign(sessions_started=pd.to_numeric(frame["sessions_started"]).astype("float64"))
    wide = counted.pivot_table(index="weekday", columns="hour", values="sessions_started", aggfunc="sum")
    wide = wide.reindex(index=list(WEEKDAYS), columns=list(HOURS)).fillna(0.0)
    return wide.div(pd.Series({name: there[name] or float("nan") for name in WEEKDAYS}), axis=0)


def peak(grid: pd.DataFrame, zone: str) -> str:
    """The busiest hour of the week in words; empty where nobody came."""
    if not grid.to_numpy().size or not grid.max().max() > 0:
        return ""
    weekday, hour = grid.stack().idxmax()
    until = f"{(int(hour) + 1) % 24:02d}:00"
    return f"Busiest: {_name(weekday)} {hour}:00 to {until}, {grid.max().max():,.1f} sessions on average. Hours of {zone}."


def week(grid: pd.DataFrame) -> go.Figure:
    """Hour by weekday, Monday on top."""
    figure = go.Figure()
    figure.add_heatmap(
        z=grid.to_numpy(), x=list(grid.columns), y=[_name(weekday) for weekday in grid.index], colorscale=SCALE, zmin=0, xgap=2, ygap=2,
        hovertemplate="%{y} %{x}:00: %{z:,.1f} sessions on average<extra></extra>", colorbar={"thickness": 10, "title": None},
    )  # fmt: skip
    figure.update_xaxes(tickvals=list(HOURS[::3]), type="category", showgrid=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure.update_layout(height=HEIGHT, margin={"l": 8, "r": 8, "t": 8, "b": 8})


def shares(frame: pd.DataFrame, this_week: date) -> pd.DataFrame:
    """First week × weeks later: the share of its users who came again, 1 in the first column; NaN for weeks that have not begun.

    `frame` has first_week, week and users; a last column is not complete while its week runs. Column "users" is how many began.
    """
    began = {row.first_week: row.users for row in frame.itertuples() if row.first_week == row.week}
    came = {(row.first_week, row.week): row.users for row in frame.itertuples()}
    firsts = sorted(began)[-MOST_WEEKS:]
    rows = {}
    for first in firsts:
        weeks = [first + timedelta(days=7 * n) for n in range(len(firsts) and (this_week - firsts[0]).days // 7 + 1)]
        rows[first] = [came.get((first, later), 0) / began[first] if later <= this_week else float("nan") for later in weeks]
    made = pd.DataFrame.from_dict(rows, orient="index").iloc[:, :MOST_WEEKS] if rows else pd.DataFrame()
    return made.assign(users=[began[first] for first in firsts]) if rows else made


def triangle(grid: pd.DataFrame) -> go.Figure:
    """Retention: a row for each week in which users came first, a column for each week after."""
    later = grid.drop(columns="users")
    labels = [f"{first:%d %b} · {users:,}" for first, users in zip(grid.index, grid["users"], strict=True)]
    known = later.to_numpy(dtype="float64")
    figure = go.Figure()
    figure.add_heatmap(
        z=known, x=[_later(n) for n in range(later.shape[1])], y=labels, colorscale=OPAQUE, zmin=0, zmax=1, xgap=2, ygap=2, showscale=False,
        text=[["" if pd.isna(value) or not weeks else f"{value * 100:.0f}" for weeks, value in enumerate(row)] for row in known],
        texttemplate="%{text}", textfont={"size": 11},
        hovertemplate="began %{y}: %{z:.1%} came %{x}<extra></extra>", hoverongaps=False,
    )  # fmt: skip
    figure.update_xaxes(side="top", type="category", showgrid=False)
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return figure.update_layout(height=90 + 30 * len(grid), margin={"l": 8, "r": 8, "t": 8, "b": 8})


def _later(weeks: int) -> str:
    return "first" if not weeks else f"+{weeks}"


def _name(weekday: str) -> str:
    return weekday.partition(" ")[2]
