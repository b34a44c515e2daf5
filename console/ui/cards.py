"""What every page is made of: tiles, framed charts, tables, the trust line, the empty state."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, NoReturn

import pandas as pd
import plotly.graph_objects as go
import pyarrow as pa
import streamlit as st
from streamlit.runtime.scriptrunner import StopException

from console.ui import charts, filters, formats
from console.ui.once import once
from services import metrics
from services.metrics import MEASURES, Answer

QUIET = {"displayModeBar": False, "responsive": True}
PRECISE = {"cost_per_operation": "$%.5f", "cost_per_success": "$%.5f", "session_messages": "%.1f", "output_speed": "%.1f"}
COLUMNS = {"usd": "dollar", "share": "percent", "ms": "%,.0f ms", "s": "%,.0f s", "per_min": "%.2f /min", "rating": "%.2f"}


def tiles(total: Answer, trend: Answer, measures: Sequence[str], before: str) -> None:
    """One tile a measure: its value, its change, its course; `before` says in a few words against what."""
    for place, name in zip(st.columns(len(measures)), measures, strict=True):
        with place:
            tile(name, total, trend, before)


def tile(name: str, total: Answer, trend: Answer, before: str, label: str | None = None) -> None:
    """A measure of the only row of `total`, with its course in `trend`."""
    measure, row = MEASURES[name], total.frame.iloc[0]
    delta = formats.change(row[name], row.get(f"{name}_previous"), measure.unit)
    same = delta is not None and delta.startswith(formats.SAME)
    course = once(_course, trend.frame, name)
    st.metric(
        label or measure.label,
        formats.number(row[name], measure.unit),
        delta,
        delta_color="off" if same else formats.colour(measure),  # type: ignore[arg-type]
        delta_arrow="off" if same else "auto",
        delta_description=before if delta else None,
        help=measure.help,
        border=True,
        chart_data=course if len(course) > 1 and any(course) else None,
        chart_type="area",
        height="stretch",
    )


def _course(frame: pd.DataFrame, name: str) -> list[float]:
    return list(pd.to_numeric(frame[name], errors="coerce").dropna().astype("float64"))


def chart(title: str, figure: go.Figure, alt: str, by: str | None = None) -> None:
    """A framed figure under its title; `alt` says in words what it shows.

    With `by`, a dimension of the filter row, a click on a mark keeps only the value that the mark carries as its customdata.
    """
    with st.container(border=True):
        st.markdown(f"**{title}**")
        shown = once(charts.drawn, figure, clickable=by is not None)
        if by is None:
            st.plotly_chart(shown, config=QUIET, alt=alt, key=title)
            return
        alt = f"{alt}. A click on a mark keeps only its {formats.label(by).lower()}; the filters do the same."
        st.plotly_chart(shown, config=QUIET, alt=alt, key=title, selection_mode="points", on_select=_keep_mark(title, by))


def table(frame: pd.DataFrame, alt: str, by: Sequence[str] = (), *, order: Sequence[str], most: int | None = None) -> None:
    """An answer as a table with labels and units, largest first by `order`, unknown last, of at most `most` rows.

    With `by`, a click on a cell of these dimensions keeps only its value.
    """
    shown = once(_shown, frame, order, most)
    config, cells = once(_config, frame), once(_cells, shown)
    if not by:
        st.dataframe(cells, hide_index=True, column_config=config, placeholder=formats.UNKNOWN, alt=alt)
        return
    st.dataframe(
        cells, hide_index=True, column_config=config, placeholder=formats.UNKNOWN, alt=alt, key=alt, selection_mode="single-cell",
        on_select=_keep_cell(alt, shown, by),
    )  # fmt: skip


def _shown(frame: pd.DataFrame, order: Sequence[str], most: int | None) -> pd.DataFrame:
    first = frame.sort_values(list(order), ascending=False, na_position="last", ignore_index=True).head(most)
    return first.assign(
        **{name: pd.to_numeric(first[name], errors="coerce").astype("float64") for name in first.columns if name in MEASURES}
    )


def _cells(shown: pd.DataFrame) -> pa.Table:
    """As Streamlit sends it, so that it need not be converted at every run."""
    return pa.Table.from_pandas(shown, preserve_index=False)


def _config(frame: pd.DataFrame) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for name in frame.columns:
        measure = MEASURES.get(name)
        if measure is None:
            config[name] = st.column_config.TextColumn(formats.label(name))
            continue
        form = PRECISE.get(name) or COLUMNS.get(measure.unit, "localized")
        config[name] = st.column_config.NumberColumn(measure.label, help=measure.help, format=form)
    return config


def _keep_mark(key: str, by: str) -> Callable[[], None]:
    def keep() -> None:
        for point in st.session_state[key]["selection"]["points"]:
            carried = point.get("customdata")
            value = carried[0] if isinstance(carried, list | tuple) and carried else carried
            if isinstance(value, str) and value:
                filters.add(by, value)

    return keep


def _keep_cell(key: str, shown: pd.DataFrame, by: Sequence[str]) -> Callable[[], None]:
    def keep() -> None:
        for row, column in st.session_state[key]["selection"]["cells"]:
            if column in by and shown[column][row]:
                filters.add(column, shown[column][row])

    return keep


def trust(days: tuple[date, date], *answers: Answer) -> None:
    """One line: as of when, in which zone, how much is priced, what waits, what was refused; and every note of the answers."""
    line = metrics.trust(*days)
    said = [f"As of {line.as_of:%Y-%m-%d %H:%M:%S} UTC", f"days of {line.zone}"]
    shares = [answer.priced_share for answer in answers if answer.priced_share is not None]
    if shares:
        said.append(f"{formats.number(shares[0], 'share')} of operations priced")
    if not line.complete:
        said.append(f"{line.waiting_rows:,} received and not yet counted, the oldest for {formats.duration(line.oldest_waiting_s)}")
    said += [
        f"{number:,} {what}"
        for number, what in ((line.rejected, "rejected"), (line.late, "late"), (line.duplicates, "told twice"))
        if number
    ]
    st.caption(" · ".join(said))
    if line.zone != line.zone_wanted:
        st.info(f"Days are being cut anew for {line.zone_wanted}; until then they are days of {line.zone}.", icon=":material/schedule:")
    if line.old_zone:
        st.caption(
            f":material/schedule: Days before {line.old_zone_before} are days of {line.old_zone}: their operations are no longer kept."
        )
    if line.sample_arriving:
        st.info("Sample traffic is still arriving: these numbers grow.", icon=":material/hourglass_top:")
    for note in dict.fromkeys(note for answer in answers for note in answer.notes):
        st.caption(f":material/info: {note}")


def stop() -> NoReturn:
    """End the page here. Streamlit's own stop would also keep the skeleton from being cleared."""
    raise StopException


def nothing(what: str) -> None:
    """The empty state: what is missing and what to do next."""
    st.info(f"No {what} in this range.", icon=":material/inbox:")
    st.markdown(
        "Choose a longer range or fewer filters. If nothing has arrived yet, make a key and send some:\n\n"
        "```\npython -m services keys create --name my-app --scope telemetry\n"
        'curl -H "Authorization: Bearer KEY" -H "Content-Type: application/json" '
        '-d \'{"operations": [{"id": "1", "started_at": "2026-01-31T12:00:00Z", "model": "gpt-5-mini"}]}\' '
        "…/api/operations\n```\n\nor import a file: `python -m services import FILE --map MAP`."
    )
