"""The Explore page's parts: what to measure by what, bound to the address; its answer as a table; the ways out."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from console.ui import cards, formats
from console.ui.filters import Selection
from services import metrics
from services.metrics import DIMENSIONS, MEASURES, Answer
from services.metrics.columns import columns
from services.settings import settings

# The names are the words of the address, too: Streamlit writes options to the address as it shows them.
LABELS = {measure.label: name for name, measure in MEASURES.items()}
NAMES = {dimension.label: name for name, dimension in DIMENSIONS.items()}
INTERVALS = {"Total": None, "Hour": "hour", "Day": "day", "Week": "week", "Month": "month"}
CHARTS = ("Auto", "Lines", "Bars", "Ranking", "None")
QUERY, EXPORT = "/api/metrics/query", "/api/metrics/export"
MOST_SHOWN = 5_000  # rows of the table on screen; files have all


@dataclass(frozen=True, slots=True)
class Chosen:
    """A measure, up to two dimensions, an interval, whether to compare, and how to draw it."""

    measure: str
    by: tuple[str, ...]
    interval: str | None
    compare: bool
    chart: str

    def ask(self, range_: Selection) -> Answer:
        """The catalogue's answer."""
        return metrics.query([self.measure], by=self.by, interval=self.interval, compare=self.compare, **range_.asked)

    def parameters(self, range_: Selection) -> str:
        """The same question as the API takes it."""
        asked = [("measures", self.measure), ("start", _told(range_.start)), ("end", _told(range_.end))]
        asked += [("by", ",".join(self.by))] if self.by else []
        asked += [("interval", self.interval)] if self.interval else []
        asked += [("compare", "true")] if self.compare else []
        asked += [(name, value) for name, values in range_.where.items() for value in values]
        return urlencode(asked)


def choose() -> Chosen:
    """Draw what can be chosen and return what is; dimensions that cannot split the measure are not offered."""
    wide, first, second = st.columns([2, 1, 1])
    label = wide.selectbox("Measure", list(LABELS), key="measure", bind="query-params", required=True)
    measure = LABELS.get(label or "", "operations")
    wide.caption(formats.plain(MEASURES[measure].help))
    known = [DIMENSIONS[name].label for name in metrics.splits(measure)]
    by = _dimension(first, "By", "by", known)
    then = _dimension(second, "And by", "then", [name for name in known if name != by]) if by else None
    left, middle, right = st.columns([2, 2, 1], vertical_alignment="bottom")
    interval = left.segmented_control("Interval", list(INTERVALS), default="Day", key="interval", bind="query-params", required=True)
    chart = middle.segmented_control("Chart", CHARTS, default="Auto", key="chart", bind="query-params", required=True)
    compare = right.toggle("Compare", key="compare", bind="query-params", help="Beside the period of the same length before.")
    return Chosen(
        measure, tuple(NAMES[name] for name in (by, then) if name), INTERVALS[interval or "Day"], compare, chart or "Auto"
    )  # fmt: skip


def _dimension(place: object, label: str, key: str, known: list[str]) -> str | None:
    # Another measure may not know the dimension that is chosen; it is then none, rather than a wrong answer.
    if st.session_state.get(key) not in (None, *known):
        del st.session_state[key]
    return place.selectbox(label, known, index=None, key=key, bind="query-params", placeholder="Nothing")  # type: ignore[attr-defined,no-any-return]


def title(chosen: Chosen) -> str:
    """What is measured by what."""
    by = " and ".join(DIMENSIONS[name].label.lower() for name in chosen.by)
    return MEASURES[chosen.measure].label + (f" by {by}" if by else "")


def told(chosen: Chosen) -> str:
    """The same in words for who does not see the chart."""
    return title(chosen) + (f", one value each {chosen.interval}" if chosen.interval else ", over the whole range")


def table(answer: Answer, alt: str) -> None:
    """Every row of the answer, headed by label and unit; beyond MOST_SHOWN rows the rest is in the files."""
    shown = answer.frame.head(MOST_SHOWN).copy()
    config: dict[str, Any] = {}
    for column in columns(shown.columns):
        heading = column.header(answer.zone)
        if column.unit == "time":
            config[column.name] = st.column_config.DatetimeColumn(heading, format="YYYY-MM-DD HH:mm", timezone=answer.zone)
        elif column.unit == "text":
            config[column.name] = st.column_config.TextColumn(heading)
        else:
            measure = MEASURES[column.name.removesuffix("_previous")]
            shown[column.name] = pd.to_numeric(shown[column.name], errors="coerce").astype("float64")
            form = cards.PRECISE.get(measure.name) or cards.COLUMNS.get(measure.unit, "localized")
            config[column.name] = st.column_config.NumberColumn(heading, help=measure.help, format=form)
    st.dataframe(shown, hide_index=True, column_config=config, placeholder=formats.UNKNOWN, alt=alt)
    if len(answer.frame) > MOST_SHOWN:
        st.caption(f"The first {MOST_SHOWN:,} of {len(answer.frame):,} rows; the files have all of them.")


def ways_out(chosen: Chosen, range_: Selection, *, may_export: bool) -> None:
    """A link to the page as it is, the same question to the API, and files of exactly these rows."""
    asked = chosen.parameters(range_)
    with st.container(horizontal=True, vertical_alignment="center"):
        for form, label in (("csv", "CSV"), ("parquet", "Parquet")):
            st.link_button(
                label, f"{EXPORT}?format={form}&{asked}", icon=":material/download:", disabled=not may_export,
                help=None if may_export else "Files are for analysts and stronger roles.",
            )  # fmt: skip
        with st.popover("Share", icon=":material/link:"):
            st.caption("This page as it is; a range such as 30d goes with the day.")
            st.code(f"{settings().console_url}/explore?{address()}", language=None, wrap_lines=True)
            st.caption("The same question over HTTP, with a key of the scope metrics.")
            call = f'curl -H "Authorization: Bearer $KEY" "{settings().console_url}{QUERY}?{asked}"'
            st.code(call, language="bash", wrap_lines=True)


def address() -> str:
    """The part of the page's address after the question mark: everything that is chosen."""
    return urlencode([(name, value) for name in st.query_params for value in st.query_params.get_all(name)])


def _told(moment: date | datetime) -> str:
    return moment.isoformat()
