"""A project's years as a figure: budget and forecast beside each other, the rating of each year above. No Streamlit, no data access."""

from collections.abc import Sequence

import plotly.graph_objects as go

from console.ui.amounts import SYMBOLS, amount
from console.ui.charts import COLOURS, HEIGHT
from services.records import ProjectYear

MEASURES = {"budget_minor": "Budget of the year", "forecast_minor": "Forecast of the year"}


def figure(years: Sequence[ProjectYear], currency: str | None) -> go.Figure:
    """Two bars a year; a year that nobody knows the money of has none, and still its rating."""
    drawn = go.Figure()
    labels = [str(year.year) for year in years]
    for (name, label), colour in zip(MEASURES.items(), COLOURS, strict=False):
        minors = [getattr(year, name) for year in years]
        drawn.add_bar(
            x=labels, y=[None if minor is None else minor / 100 for minor in minors], name=label, marker_color=colour,
            customdata=[amount(minor, currency) for minor in minors], hovertemplate=f"{label}: %{{customdata}}<extra></extra>",
        )  # fmt: skip
    for label, year in zip(labels, years, strict=True):
        drawn.add_annotation(x=label, y=1, yref="paper", yanchor="bottom", showarrow=False, text=year.rating or "no rating")
    drawn.update_layout(
        height=HEIGHT, margin={"l": 8, "r": 8, "t": 28, "b": 8}, barmode="group", hovermode="x unified", bargap=0.3,
        legend={"orientation": "h", "yanchor": "top", "y": -0.2, "x": 0},
    )  # fmt: skip
    drawn.update_xaxes(type="category", categoryorder="array", categoryarray=labels)
    drawn.update_yaxes(tickprefix=SYMBOLS.get(currency or "", ""), rangemode="tozero", automargin=True)
    return drawn


def alt(years: Sequence[ProjectYear], currency: str | None) -> str:
    """The same in words."""
    told = [
        f"{year.year}: budget {amount(year.budget_minor, currency)}, forecast {amount(year.forecast_minor, currency)},"
        f" {year.rating or 'no rating'}"
        for year in years
    ]
    return f"Bars: budget and forecast of each year. {'; '.join(told)}."
