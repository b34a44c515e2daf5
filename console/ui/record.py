"""One record's page: its facts and where each came from, its years, its texts, the row as it was."""

import pandas as pd
import streamlit as st

from console.ui import amounts, cards, histories, instants
from console.ui.formats import UNKNOWN
from console.ui.quoted import quoted
from services.db import transaction
from services.errors import BadInput, NotFound
from services.records import Community, Project, Record, get
from services.records.communities import LEVELS
from services.records.origins import Origin, origins

LIST = "../pages/records.py"
ANALYSES = "../pages/analyses.py"
TEXT_SHOWN = 10_000
COMMUNITY = {
    "psgc_id": "Code", "geographic_level": "Level", "region": "Region", "province": "Province", "municipality": "City or municipality",
    "population": "Population", "income_class": "Income class", "city_class": "City class", "settlement_type": "Urban or rural",
    "barangay_status": "Status", "old_names": "Old names",
}  # fmt: skip
PROJECT = {
    "source_id": "Id at its source", "department": "Department", "category": "Category", "status": "Status", "rating": "Rating",
    "start_planned": "Start, planned", "start_current": "Start, current", "end_planned": "End, planned", "end_current": "End, current",
    "budget_minor": "Budget", "forecast_minor": "Forecast", "variance_percent": "Variance", "whole_life_minor": "Whole-life cost",
}  # fmt: skip
LABELS = {"communities": COMMUNITY, "projects": PROJECT}
WHY = "Why unknown"
BY_CODE, CODED = ("region", "province", "municipality", "attributes.submunicipality"), "the digits of its code"
WORDS = {"U": "urban", "R": "rural", "Pob.": "poblacion"}
TEXTS = {"description": "Description", "narrative": "Narrative"}


def show() -> None:
    """The record that the address names."""
    record, told = _asked()
    back, _ = st.columns([1, 4])
    back.page_link(LIST, label=f"All {record.kind}", icon=":material/arrow_back:", query_params={"kind": record.kind})
    st.header(quoted(record.name), anchor=False)
    st.caption(f"{record.source} · read from {quoted(told[0].file_name)}, row {told[0].position:,}, {instants.at(record.imported_at)}")
    _facts(record, told[0])
    if isinstance(record, Project) and record.years:
        _years(record, told[1:])
    for name, label in TEXTS.items():
        if body := getattr(record, name, None):
            _text(record, name, label, body)
    _analyses(record)
    _raw(told)


def _asked() -> tuple[Record, list[Origin]]:
    kind, told = st.query_params.get("kind", ""), st.query_params.get("id", "")
    if not kind and not told:
        raise NotFound("Choose a record on the Records page.")
    if not (told.isascii() and told.isdigit() and len(told) < 19):
        raise BadInput("The address names no record: its id is a whole number.")
    with transaction() as connection:
        record = get(connection, kind, int(told))
        return record, origins(connection, record)


def _facts(record: Record, origin: Origin) -> None:
    labels = {name: label for name, label in LABELS[record.kind].items() if name != "source_id" or getattr(record, name) is not None}
    rows = [
        {"What": label, "Value": _value(record, name), "From": _from(record, name, origin), WHY: record.unknown.get(name, "")}
        for name, label in labels.items()
    ]
    rows += [
        {"What": name.replace("_", " ").capitalize(), "Value": told, "From": _from(record, f"attributes.{name}", origin), WHY: ""}
        for name, told in record.attributes.items()
    ]
    frame = pd.DataFrame(rows)
    shown = frame if frame[WHY].any() else frame.drop(columns=WHY)
    st.dataframe(shown, hide_index=True, height="content", alt=f"Facts of {record.name}, and where each came from")


def _value(record: Record, name: str) -> str:
    value = getattr(record, name)
    if value is None:
        return UNKNOWN if name in record.unknown or isinstance(record, Project) else "—"
    if isinstance(record, Project):
        if name.endswith("_minor"):
            return amounts.amount(value, record.currency)
        if name == "variance_percent":
            return f"{amounts.percent(value)} of forecast over budget"
    elif name == "population":
        return amounts.count(value)
    elif name == "geographic_level":
        return LEVELS.get(str(value), str(value))
    return WORDS.get(str(value), str(value))


def _from(record: Record, name: str, origin: Origin) -> str:
    """The column a value was read from; what follows from something else says from what."""
    if isinstance(record, Project) and record.years and name in ("start_planned", "end_planned"):
        return "the first yearly report that tells it"
    if isinstance(record, Community) and name in BY_CODE and name not in origin.columns:
        return CODED
    return origin.columns.get(name, "not told by this source")


def _years(project: Project, told: list[Origin]) -> None:
    st.subheader("By year", anchor=False)
    cards.chart(
        "Budget, forecast and rating", histories.figure(project.years, project.currency), histories.alt(project.years, project.currency)
    )
    files = {origin.year: f"{origin.file_name}, row {origin.position:,}" for origin in told}
    rows = [
        {
            "Year": str(year.year),
            "Rating": year.rating or year.unknown.get("rating", UNKNOWN),
            "Budget": amounts.amount(year.budget_minor, project.currency),
            "Forecast": amounts.amount(year.forecast_minor, project.currency),
            "Variance": amounts.percent(year.variance_percent),
            "Whole-life cost": amounts.amount(year.whole_life_minor, project.currency),
            "Start": amounts.day(year.start),
            "End": amounts.day(year.end),
            "Department": year.department or UNKNOWN,
            "Name": year.name,
            "From": files[year.year],
        }
        for year in reversed(project.years)
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="What each yearly report told")


def _text(record: Record, name: str, label: str, body: str) -> None:
    """As it is written, never as Markdown; the whole of a long one is a file."""
    st.subheader(label, anchor=False)
    st.text(body[:TEXT_SHOWN], width="stretch")
    if len(body) > TEXT_SHOWN:
        st.caption(f"The first {TEXT_SHOWN:,} of {len(body):,} characters.")
        st.download_button(
            "The whole text", body, f"{record.kind}-{record.id}-{name}.txt", "text/plain", on_click="ignore", key=f"whole_{name}"
        )


def _analyses(record: Record) -> None:
    st.subheader("Analyses", anchor=False)
    st.page_link(ANALYSES, label="Analyses of this record", icon=":material/insights:", query_params=_address(record))
    st.caption(f"They stand on these facts (version {record.content_hash[:12]}) and are stale as soon as one of them changes.")


def _address(record: Record) -> dict[str, str]:
    return {"kind": record.kind, "id": str(record.id)}


def _raw(told: list[Origin]) -> None:
    with st.expander("The row as it was"):
        for origin in told if len(told) == 1 else told[1:]:
            st.caption(f"{quoted(origin.file_name)}, row {origin.position:,}, by the map {quoted(origin.map_name)}")
            rows = [{"Column": " ".join(name.split()) or "(no heading)", "Cell": cell[:TEXT_SHOWN]} for name, cell in origin.raw.items()]
            st.dataframe(pd.DataFrame(rows), hide_index=True, alt="The row of the file, column by column")
