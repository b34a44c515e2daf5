"""A project's years as a figure: budget and forecast beside each other, the rating under each. No Streamlit, no data access."""

from collections.abc import Sequence

import plotly.graph_objects as go

from console.ui.amounts import SYMBOLS, amount
from console.ui.charts import COLOURS, HEIGHT
from services.records import ProjectYear

MEASURES = {"budget_minor": "Budget of the year", "forecast_minor": "Forecast of the year"}


def figure(years: Sequence[ProjectYear], currency: str | None) -> go.Figure:
    """Two bars a year; a year that nobody knows the money of has none, and still its rating."""
    drawn = go.Figure()
    places = list(range(len(years)))  # years are names here: a missing one leaves no gap, and Plotly would read them as numbers
    for (name, label), colour in zip(MEASURES.items(), COLOURS, strict=False):
        minors = [getattr(year, name) for year in years]
        drawn.add_bar(
            x=places, y=[None if minor is None else minor / 100 for minor in minors], name=label, marker_color=colour,
            customdata=[f"{year.year}: {amount(minor, currency)}" for year, minor in zip(years, minors, strict=True)],
            hovertemplate=f"{label} %{{customdata}}<extra></extra>",
        )  # fmt: skip
    drawn.update_layout(
        height=HEIGHT, margin={"l": 8, "r": 8, "t": 8, "b": 8}, barmode="group", hovermode="closest", bargap=0.3,
        legend={"orientation": "h", "yanchor": "top", "y": -0.3, "x": 0},
    )  # fmt: skip
    ticks = {"tickvals": places, "ticktext": [_tick(year) for year in years], "tickangle": 0, "tickfont": {"size": 10}}
    drawn.update_xaxes(ticks, range=[-0.6, len(years) - 0.4])
    drawn.update_yaxes(tickprefix=SYMBOLS.get(currency or "", ""), rangemode="tozero", automargin=True)
    return drawn


def _tick(year: ProjectYear) -> str:
    """The year above its rating, narrow enough for a phone."""
    return f"{year.year}<br>{(year.rating or '—').replace('/', '/<br>')}"


def alt(years: Sequence[ProjectYear], currency: str | None) -> str:
    """The same in words."""
    told = [
        f"{year.year}: budget {amount(year.budget_minor, currency)}, forecast {amount(year.forecast_minor, currency)},"
        f" {year.rating or 'no rating'}"
        for year in years
    ]
    return f"Bars: budget and forecast of each year. {'; '.join(told)}."
