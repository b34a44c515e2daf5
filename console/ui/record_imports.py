"""The part of the Records page that brings files in: the form, how far each import is, what could not be used and why."""

import pandas as pd
import streamlit as st

from console import record_actions
from console.ui import acts, instants
from console.ui.quoted import quoted
from services.db import transaction
from services.records import findings, imports, maps
from services.records.imports import Import

EVERY_S = 2
MOST_SHOWN = 200
RAW_SHOWN = 500
STATES = {"waiting": "○ waiting for a worker", "running": "◐ running", "done": "● done", "broken": "▲ broken"}


def form() -> None:
    """Choose a file and what its columns mean; a worker does the rest."""
    with st.form("import_records", border=False, clear_on_submit=True):
        left, right = st.columns([2, 1], vertical_alignment="bottom")
        file = left.file_uploader(
            "CSV file, plain or gzipped", type=["csv", "gz", "txt"], key="records_file", max_upload_size=imports.LARGEST_FILE // 2**20
        )
        plan = right.selectbox("What it is", maps.shipped(), key="records_map", help="Maps of your own: python -m services records import")
        asked = st.form_submit_button("Import", type="primary", icon=":material/upload_file:")
    if asked and file is None:
        st.warning("Choose a file first.", icon=":material/warning:")
    elif asked and file is not None:
        acts.do(lambda: f"Import {record_actions.bring(file.name, file.getvalue(), plan)} of {file.name} has begun.")


def progress() -> None:
    """The latest imports, looked at again by itself while one is under way."""
    with transaction() as connection:
        busy = any(_open(one) for one in imports.listing(connection))
    acts.live(_draw, EVERY_S if busy else None)


def report() -> None:
    """What one import could not use, on the page and as a file."""
    with transaction() as connection:
        told = [one for one in imports.listing(connection) if one.rejected or one.unknown or one.doubtful]
    if not told:
        return
    names = {one.id: f"{one.id} · {one.file_name}" for one in told}
    chosen = st.selectbox("Report of import", list(names), format_func=lambda import_id: names[import_id], key="records_report")
    with transaction() as connection:
        found = [finding for _, finding in findings.listing(connection, chosen, most=MOST_SHOWN + 1)]
        whole = "".join(findings.report(connection, chosen))
    rows = [
        {"Row": one.position, "What": one.what, "Field": one.field, "Reason": one.reason, "As written": one.raw[:RAW_SHOWN]}
        for one in found[:MOST_SHOWN]
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Rows and fields that could not be used as they were written, and why")
    if len(found) > MOST_SHOWN:
        st.caption(f"These are the first {MOST_SHOWN}; the file has all.")
    st.download_button("Report as CSV", whole, f"import-{chosen}-findings.csv", "text/csv", icon=":material/download:", on_click="ignore")


def _draw() -> None:
    with transaction() as connection:
        found = imports.listing(connection)
    if not found:
        st.caption("Nothing has been imported yet.")
        return
    for one in found:
        if _open(one):
            share = min(one.consumed / one.bytes, 1.0) if one.bytes else 0.0
            st.progress(share, f"{STATES[one.state]}: import {one.id}, {quoted(one.file_name)}, {one.read:,} rows")
        elif one.fault:
            st.warning(f"Import {one.id}, {quoted(one.file_name)}: {quoted(one.fault)}", icon=":material/warning:")
    st.dataframe(_table(found), hide_index=True, column_config={"Begun": instants.shown("Begun")}, alt="The latest imports")


def _table(found: list[Import]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Import": [one.id for one in found],
            "File": [one.file_name for one in found],
            "Map": [one.map_name for one in found],
            "State": [STATES[one.state] for one in found],
            "Rows": [one.read for one in found],
            "New": [one.new for one in found],
            "Changed": [one.changed for one in found],
            "Unchanged": [one.unchanged for one in found],
            "Rejected": [one.rejected for one in found],
            "Fields unknown": [one.unknown for one in found],
            "Doubts": [one.doubtful for one in found],
            "By": [one.actor for one in found],
            "Begun": instants.column([one.created_at for one in found]),
        }
    )


def _open(one: Import) -> bool:
    return one.state in ("waiting", "running")
