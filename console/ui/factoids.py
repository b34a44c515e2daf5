"""The factoids of this slot as readers get them: how far they hold, whose words they are, and the way to the summaries behind them."""

import streamlit as st

from console.ui import formats, instants
from console.ui.quoted import quoted
from services.sitewide import serving
from services.sitewide.editions import Factoid
from services.sitewide.names import year_label
from services.sitewide.serving import Served

VIEW, FIELD, YEAR = "view", "field", "year"
VIEWS = SUMMARIES, SLOTS, CHANGES, COMPLETENESS = ("Summaries", "Slots", "Changes", "Completeness")
BY = {
    "model": "worded by the model, every number checked",
    "template": "in the template's words: no model is set up",
    "replaced": "in the template's words: the model said what is no fact",
    "waiting": "in the template's words until a model answers",
}


def draw() -> None:
    """The state in one line, then each factoid with its sources."""
    served = serving.current()
    _state(served)
    for sentence in served.curated:
        st.markdown(f"- {quoted(sentence)}")
    for number, one in enumerate(served.factoids):
        _factoid(one, number)


def _state(served: Served) -> None:
    when = f"{instants.at(served.as_of)}, {formats.duration(served.age_s or 0.0)} ago" if served.as_of else ""
    if served.source == "primary":
        st.success(
            f"**Fresh**: compared with the data at {when}. Others of this edition come at the next slot.", icon=":material/check_circle:"
        )
    elif served.source == "stale":
        st.warning(f"**Stale**: they held at {when}. {served.reason}", icon=":material/schedule:")
    else:
        st.info(f"**Curated**: these hold whatever the data. {served.reason}", icon=":material/inventory_2:")
        st.markdown("To bring figures in: `python -m services sitewide import FILE --map revenue-outturn`.")


def _factoid(one: Factoid, number: int) -> None:
    with st.container(border=True):
        said, behind = st.columns([5, 2], vertical_alignment="center")
        said.markdown(quoted(one.text))
        said.caption(f"{one.kind} · {BY[one.by]}")
        for slug, year, sha256 in one.sources:
            behind.button(
                f"{formats.short(one.field)}, {year_label(year)}", key=f"source-{number}-{year}", icon=":material/table_chart:",
                type="tertiary", help=f"The summary and the councils behind it; figures {sha256[:12]}", on_click=_open, args=(slug, year),
            )  # fmt: skip


def _open(slug: str, year: int) -> None:
    """Before the page runs again, so that its widgets begin with it."""
    st.session_state[VIEW], st.session_state[FIELD], st.session_state[YEAR] = SUMMARIES, slug, year
