"""Answers of the catalogue as Plotly figures. No Streamlit, no data access: a frame goes in, a figure comes out."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io

from console.ui import formats
from services.metrics import MEASURES

MOST_SERIES = 8
OTHER = "all others"
HEIGHT = 300
# Okabe and Ito's colours, told apart by people who do not see red and green.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8A7500", "#7A7A7A")
BEFORE_COLOUR = "#7A7A7A"
AXIS = {"usd": {"tickprefix": "$"}, "share": {"tickformat": ".1%"}, "ms": {"ticksuffix": " s"}, "per_min": {"ticksuffix": " /min"}}
HOVER = {
    "usd": "$%{y:,.4f}",
    "share": "%{y:.2%}",
    "ms": "%{y:,.2f} s",
    "per_min": "%{y:,.2f} /min",
    "rating": "%{y:.2f}",
    "s": "%{y:,.0f} s",
}


class Drawn(go.Figure):  # type: ignore[misc]  # Plotly has no types
    """A figure that is not changed any more: Streamlit writes it as JSON at every run, from plain values in a tenth of the time."""

    _plain: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """What is written, of plain values; it is shared by all who ask."""
        if self._plain is None:
            self._plain = json.loads(plotly.io.to_json(super().to_dict(), validate=False))
        return self._plain


def stacked(frame: pd.DataFrame, measure: str, by: str) -> go.Figure:
    """Bars over time, one colour a value of `by`; beyond eight the smallest are one."""
    figure = _figure(measure)
    wide = _most(frame, measure, by)
    for name in wide.columns:
        carried = [None if name == OTHER else name] * len(wide)
        figure.add_bar(x=wide.index, y=wide[name], name=formats.short(name), hovertemplate=_hover(measure, name), customdata=carried)
    figure.update_layout(barmode="stack", showlegend=len(wide.columns) > 1)
    return figure


def bars(frame: pd.DataFrame, measure: str, before: str = "") -> go.Figure:
    """One bar a bucket; where the frame was compared, a dotted line for the period that `before` names."""
    figure = _figure(measure)
    figure.add_bar(x=frame["bucket"], y=_values(frame, measure), name=formats.label(measure), hovertemplate=_hover(measure))
    _add_before(figure, frame, measure, before)
    return figure


def drawn(figure: go.Figure, *, clickable: bool) -> Drawn:
    """The same figure to be shown, where asked for with marks that can be clicked one by one."""
    told = {"hovermode": "closest", "clickmode": "event+select", "dragmode": False} if clickable else {}
    shown = Drawn(figure)
    shown.update_layout(told | _alone(shown))
    return shown


def lines(frame: pd.DataFrame, measures: Sequence[str], *, names: Mapping[str, str] | None = None, before: str = "") -> go.Figure:
    """One line a measure; where nothing is known the line has a gap. `before` as for bars, of the first measure."""
    figure = _figure(measures[0])
    for measure in measures:
        name = (names or {}).get(measure, formats.label(measure))
        figure.add_scatter(
            x=frame["bucket"], y=_values(frame, measure), name=name, mode="lines+markers" if len(frame) < 3 else "lines",
            connectgaps=False, hovertemplate=_hover(measure, name),
        )  # fmt: skip
    figure.update_layout(showlegend=len(measures) > 1)
    _add_before(figure, frame, measures[0], before)
    return figure


def ranked(frame: pd.DataFrame, measure: str, by: str, most: int = 10) -> go.Figure:
    """Horizontal bars, the largest on top; long names are shortened and whole under the pointer."""
    known = frame.assign(value=_values(frame, measure)).dropna(subset="value").nlargest(most, "value")[::-1]
    figure = _figure(measure)
    unit = MEASURES[measure].unit
    figure.add_bar(
        x=known["value"], y=list(range(len(known))), orientation="h", customdata=known[by], width=min(0.85, 0.17 * len(known)),
        text=[formats.number(value, unit) for value in known[measure]], textposition="auto", textangle=0,
        hovertemplate="%{customdata}: %{text}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(AXIS.get(unit, {}), rangemode="tozero")
    figure.update_yaxes(
        tickprefix="", ticksuffix="", tickformat="", tickvals=list(range(len(known))), ticktext=[formats.short(name) for name in known[by]]
    )
    figure.update_layout(hovermode="closest", height=max(HEIGHT, 70 + 26 * len(known)))
    return figure


def _alone(figure: go.Figure) -> dict[str, Any]:
    """The layout for a bucket that is the only one: around it Plotly marks thousandths of a second, and its bar fills the chart."""
    at = {moment for trace in figure.data for moment in (trace["x"] if "x" in trace and trace["x"] is not None else ())}
    only = at.pop() if len(at) == 1 else None
    if not isinstance(only, datetime | np.datetime64):
        return {}
    told = pd.Timestamp(only)
    form = "%b %-d<br>%Y" if told == told.normalize() else "%H:%M<br>%b %-d, %Y"
    return {"xaxis": {"tickvals": [only], "ticktext": [told.strftime(form)]}, "bargap": 0.8}


def _most(frame: pd.DataFrame, measure: str, by: str) -> pd.DataFrame:
    """Bucket × value of `by`, largest first, the rest together."""
    wide = frame.assign(value=_values(frame, measure)).pivot_table(index="bucket", columns=by, values="value", aggfunc="sum", dropna=False)
    order = wide.sum().sort_values(ascending=False).index
    if len(order) <= MOST_SERIES:
        return wide[order]
    kept = wide[order[: MOST_SERIES - 1]].copy()
    kept[OTHER] = wide[order[MOST_SERIES - 1 :]].sum(axis=1)
    return kept


def _figure(measure: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        height=HEIGHT, margin={"l": 8, "r": 8, "t": 8, "b": 8}, hovermode="x unified", showlegend=False, bargap=0.15, colorway=COLOURS,
        legend={"orientation": "h", "yanchor": "top", "y": -0.28, "x": 0, "title": None, "traceorder": "normal"},
    )  # fmt: skip
    figure.update_yaxes(AXIS.get(MEASURES[measure].unit, {}), rangemode="tozero", automargin=True)
    return figure


def _add_before(figure: go.Figure, frame: pd.DataFrame, measure: str, before: str) -> None:
    """The period before on the same axis, in a colour of its own and dotted, so that no colour needs to be told from another."""
    if not before or f"{measure}_previous" not in frame:
        return
    then = frame[[f"{measure}_previous"]].set_axis([measure], axis=1)
    figure.add_scatter(
        x=frame["bucket"], y=_values(then, measure), name=before, mode="lines", line={"dash": "dot", "color": BEFORE_COLOUR},
        connectgaps=False, hovertemplate=_hover(measure, before),
    )  # fmt: skip
    figure.update_layout(showlegend=True)


def _hover(measure: str, name: str | None = None) -> str:
    said = HOVER.get(MEASURES[measure].unit, "%{y:,.0f}")
    return f"{said}<extra>{name}</extra>" if name else f"{said}<extra></extra>"


def _values(frame: pd.DataFrame, measure: str) -> pd.Series:
    """A measure as floats, for drawing only; milliseconds are drawn as seconds."""
    values = pd.to_numeric(frame[measure], errors="coerce").astype("float64")
    return values / 1_000 if MEASURES[measure].unit == "ms" else values
