"""From one number to another in steps, as a Plotly figure: the largest part of the page's question in one glance."""

from collections.abc import Callable, Sequence

import plotly.graph_objects as go

from console.ui import formats
from console.ui.charts import COLOURS, HEIGHT
from services.changed import Step

MORE, LESS, WHOLE = COLOURS[5], COLOURS[0], COLOURS[7]


def waterfall(before: float, after: float, steps: Sequence[Step], scale: float, worded: Callable[[float], str], unit: str) -> go.Figure:
    """Bars from the top: before, a step each, after.

    `before` and `after` are in the unit of the axis, a step's amount is `scale` times as fine; `worded` writes a value.
    """
    amounts = [step.amount / scale for step in steps]
    labels = [formats.short(step.label) for step in steps]
    figure = go.Figure(
        go.Waterfall(
            orientation="h",
            y=list(range(len(steps) + 2)),
            x=[before, *amounts, after],
            measure=["absolute", *["relative"] * len(steps), "total"],
            text=[worded(before), *(signed(amount, worded) for amount in amounts), worded(after)],
            customdata=["Before", *(step.label for step in steps), "After"],
            hovertemplate="%{customdata}: %{text}<extra></extra>",
            textposition="auto",
            cliponaxis=False,
            connector={"line": {"width": 1, "dash": "dot", "color": WHOLE}},
            increasing={"marker": {"color": MORE}},
            decreasing={"marker": {"color": LESS}},
            totals={"marker": {"color": WHOLE}},
        )
    )
    figure.update_xaxes(tickprefix=unit if unit == "$" else "", ticksuffix="" if unit == "$" else unit, rangemode="tozero")
    figure.update_yaxes(tickvals=list(range(len(steps) + 2)), ticktext=["Before", *labels, "After"], autorange="reversed", automargin=True)
    figure.update_layout(
        height=max(HEIGHT, 80 + 30 * (len(steps) + 2)), margin={"l": 8, "r": 48, "t": 8, "b": 8}, showlegend=False, hovermode="closest"
    )
    return figure


def signed(amount: float, worded: Callable[[float], str]) -> str:
    """With its sign, also where it is more."""
    return f"{'+' if amount > 0 else '−' if amount < 0 else ''}{worded(abs(amount))}"
