"""The small chart of an answer. Figures go in, a figure comes out."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from console.ui.charts import COLOURS
from console.ui.formats import short

MOST_BARS = 15
HEIGHT = 260
AXIS = {"usd": {"tickprefix": "$"}, "share": {"tickformat": ".0%"}, "php": {"tickprefix": "₱"}, "ms": {"ticksuffix": " ms"}}


def drawn(data: Mapping[str, Any]) -> go.Figure:
    """The last column over the first: a line over time, otherwise bars, the first on top."""
    keys = [str(row[0]) for row in data["rows"]]
    values, unit = [row[-1] for row in data["rows"]], data["columns"][-1]["unit"]
    figure = go.Figure()
    figure.update_layout(margin={"l": 8, "r": 8, "t": 8, "b": 8}, showlegend=False, colorway=COLOURS, height=HEIGHT)
    if data["chart"] == "lines":
        figure.add_scatter(x=keys, y=values, mode="lines+markers")
        figure.update_yaxes(AXIS.get(unit, {}), rangemode="tozero", automargin=True)
        figure.update_xaxes(type="category", automargin=True)
        return figure
    keys, values = keys[:MOST_BARS][::-1], values[:MOST_BARS][::-1]
    figure.add_bar(
        x=values, y=list(range(len(keys))), orientation="h", customdata=keys, hovertemplate="%{customdata}: %{x:,}<extra></extra>"
    )
    figure.update_xaxes(AXIS.get(unit, {}), rangemode="tozero")
    figure.update_yaxes(tickvals=list(range(len(keys))), ticktext=[short(key) for key in keys], automargin=True)
    figure.update_layout(height=max(120, 50 + 24 * len(keys)))
    return figure
