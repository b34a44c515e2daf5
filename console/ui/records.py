"""The list of records: kind, search and page in the address, so that a link shows the same; a row opens its record."""

from typing import Any, NoReturn

import pandas as pd
import streamlit as st

from console.ui import amounts
from console.ui.formats import UNKNOWN
from services.db import transaction
from services.records import KINDS, Community, Project, Record
from services.records.communities import LEVELS
from services.records.search import LONGEST_QUERY, PAGE_ROWS, count, search

PAGE = "../pages/record.py"
ADDRESS = "records_address"


def browse(opens: str = PAGE) -> None:
    """Draw the list; a row opens its record on a page."""
    _follow_address()
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    kind = left.segmented_control("Kind", list(KINDS), key="kind", required=True, label_visibility="collapsed")
    query = right.text_input(
        "Search", key="q", type="search", max_chars=LONGEST_QUERY, label_visibility="collapsed",
        placeholder="Words of a name, code or place", icon=":material/search:",
    )  # fmt: skip
    noun, words = kind or KINDS[0], query or ""
    with transaction() as connection:
        total = count(connection, noun, words)
    if not total:
        _keep_address(noun, words, 1)
        _nothing(noun, words)
        return
    place = st.container()
    page = _page(f"page-{noun}-{words}", -(-total // PAGE_ROWS))
    _keep_address(noun, words, page)
    with transaction() as connection:
        found = search(connection, noun, words, page)
    with place:
        st.caption(
            f"{found.total:,} {noun}" + (f", page {page:,} of {found.pages:,}" if found.pages > 1 else "") + ". A row opens its record."
        )
        _table(found.records, f"{noun}-{words}-{page}", opens)


def _follow_address() -> None:
    """Choose what the address says, when it is not the one written here last: a link was followed, or somebody went back.

    Streamlit's own binding of widgets to the address does this too, but then no row could open a page: it refuses to leave a bound address.
    """
    told = st.query_params.to_dict()
    if "id" in told:  # Streamlit writes the address of a record before it goes there, so the way back leads past that
        told = st.session_state.get(ADDRESS, {})
    if told == st.session_state.get(ADDRESS) and "kind" in st.session_state:
        return
    kind, query, page = told.get("kind", ""), told.get("q", "")[:LONGEST_QUERY], told.get("page", "")
    st.session_state["kind"] = kind if kind in KINDS else KINDS[0]
    st.session_state["q"] = query
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1
    st.session_state[f"page-{st.session_state['kind']}-{query}"] = max(number, 1)


def _keep_address(kind: str, query: str, page: int) -> None:
    """Write what is shown into the address."""
    told = {"kind": kind} | ({"q": query} if query else {}) | ({"page": str(page)} if page > 1 else {})
    if st.query_params.to_dict() != told:
        st.query_params.from_dict(told)
    st.session_state[ADDRESS] = told


def _page(key: str, pages: int) -> int:
    """Which page of a search; the last where the address names one beyond it."""
    if pages < 2:
        return 1
    if key in st.session_state:
        st.session_state[key] = min(st.session_state[key], pages)
    return st.pagination(pages, key=key)


def _nothing(kind: str, query: str) -> None:
    if query:
        st.info(f"No {kind} have all of these words.", icon=":material/search_off:")
    else:
        st.info(f"There are no {kind} yet.", icon=":material/inbox:")
        st.markdown("Import a file under **Imports** of the Records page, or by `python -m services records import FILE --map MAP`.")


def _table(records: list[Record], key: str, opens: str) -> None:
    frame = pd.DataFrame([_row(record) for record in records]).fillna(UNKNOWN)
    shown: Any = st.dataframe(
        frame, hide_index=True, on_select="rerun", selection_mode="single-row", key=f"records-{key}",
        alt=f"{records[0].kind}, one a row: {', '.join(frame.columns)}",
    )  # fmt: skip
    if shown.selection.rows:
        _open(records[shown.selection.rows[0]], opens)


def _open(record: Record, page: str) -> NoReturn:
    st.switch_page(page, query_params={"kind": record.kind, "id": str(record.id)})


def _row(record: Record) -> dict[str, str | None]:
    return _community(record) if isinstance(record, Community) else _project(record)


def _community(place: Community) -> dict[str, str | None]:
    return {
        "Name": place.name,
        "Level": LEVELS.get(place.geographic_level or "", place.geographic_level),
        "In": ", ".join(part for part in (place.municipality, place.province, place.region) if part) or "—",
        "Population": amounts.count(place.population),
        "Income class": place.income_class or ("—" if "income_class" not in place.unknown else None),
        "Code": place.psgc_id,
    }


def _project(project: Project) -> dict[str, str | None]:
    return {
        "Name": project.name,
        "Department": project.department,
        "Rating": project.rating,
        "Budget": amounts.amount(project.budget_minor, project.currency),
        "Forecast": amounts.amount(project.forecast_minor, project.currency),
        "Variance": amounts.percent(project.variance_percent),
        "Ends": amounts.day(project.end_current or project.end_planned),
        "Years": ", ".join(str(year.year) for year in project.years) or "—",
        "Source": project.source,
    }
