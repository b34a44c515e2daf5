"""The conversation of the Ask page: questions, answers with their figures, what could be asked next. The address names the conversation."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pandas as pd
import streamlit as st

from console import ask_actions
from console.auth import identity
from console.ui import ask_chart
from console.ui.quoted import quoted
from services.ask import conversation
from services.ask.asker import Asker
from services.ask.conversation import Turn
from services.ask.normalise import LONGEST
from services.db import transaction
from services.errors import BinnacleError

KEY = "conversation"
EXAMPLES = (
    "How many barangays by region?", "Top 5 provinces by population", "Needs assessments by sector this year", "Meetings by month in 2026",
    "Which department has the most projects?", "Cost by model this month", "Error rate by module", "What can you do?",
)  # fmt: skip
LONGEST_TITLE = 60
FORMS = {"share": "percent", "usd": "dollar", "count": "localized", "people": "localized", "tokens": "localized"}


def talk() -> None:
    """The turns so far, and the line to ask in; a question that came by a button is asked first."""
    told = _address()
    _choose(told)
    asked = st.chat_input("Ask about communities, needs, meetings, projects, cost, errors …", max_chars=LONGEST, key="ask_line")
    pressed = st.session_state.pop("ask_pressed", None)
    if question := asked or pressed:
        told = _ask(question, told)
    turns = _turns(told)
    if not turns:
        _welcome()
    for turn in turns:
        _turn(turn, newest=turn is turns[-1])


def _address() -> str | None:
    told = st.query_params.get(KEY)
    try:
        return str(UUID(told)) if told else None
    except ValueError:
        return None


def _ask(question: str, told: str | None) -> str | None:
    """Which conversation it was asked in; what goes wrong is said above the line."""
    try:
        reply = ask_actions.ask(question, told)
    except BinnacleError as problem:
        st.error(quoted(str(problem)), icon=":material/error:")
        return told
    st.query_params[KEY] = reply.conversation_id
    return reply.conversation_id


def _turns(told: str | None) -> list[Turn]:
    if told is None:
        return []
    asker = Asker.person(identity.current())
    with transaction() as connection:
        return conversation.turns(connection, told, asker)


def _choose(told: str | None) -> None:
    """Earlier conversations, and a new one."""
    asker = Asker.person(identity.current())
    with transaction() as connection:
        earlier = conversation.listing(connection, asker)
    if not earlier:
        return
    with st.popover("Conversations", icon=":material/history:"):
        st.button("New conversation", icon=":material/add:", key="ask_new", on_click=_open, args=(None,), disabled=told is None)
        for known, started_at, first in earlier:
            title = f"{started_at:%Y-%m-%d %H:%M} UTC · {quoted(first[:LONGEST_TITLE])}"
            st.button(title, key=f"ask_open_{known}", type="tertiary", on_click=_open, args=(known,), disabled=known == told)


def _open(known: str | None) -> None:
    if known is None:
        st.query_params.pop(KEY, None)
    else:
        st.query_params[KEY] = known


def _welcome() -> None:
    st.markdown("Questions are answered from the data, without AI: from what every word means, or not at all. Try one of these:")
    _buttons(EXAMPLES, "example")


def _turn(turn: Turn, *, newest: bool) -> None:
    with st.chat_message("user"):
        st.markdown(quoted(turn.message))
    with st.chat_message("assistant", avatar=":material/explore:"):
        st.markdown(quoted(str(turn.reply["answer"])))
        if data := turn.reply["data"]:
            _figures(turn.id, data, str(turn.reply["answer"]))
        _source(turn)
        if newest:
            _buttons(tuple(turn.reply["suggestions"]), f"next_{turn.id}")


def _figures(turn_id: int, data: Mapping[str, Any], said: str) -> None:
    labels = [column["label"] for column in data["columns"]]
    if not data["rows"] or len(labels) < 2:
        return
    names = [f"{label} {place}" if labels.count(label) > 1 else label for place, label in enumerate(labels)]
    frame = pd.DataFrame(data["rows"], columns=names)
    if data["chart"]:
        st.plotly_chart(ask_chart.drawn(data), key=f"ask_chart_{turn_id}", alt=said, config={"displayModeBar": False})
    config = {
        name: st.column_config.NumberColumn(format=FORMS[column["unit"]])
        for name, column in zip(names, data["columns"], strict=True)
        if column["unit"] in FORMS
    }
    with st.expander(f"Table, {len(frame):,} rows", expanded=not data["chart"]):
        st.dataframe(frame, hide_index=True, column_config=config, placeholder="unknown", key=f"ask_table_{turn_id}", alt=said)


def _source(turn: Turn) -> None:
    """How it was read, where it comes from, whether it helped."""
    where = {"faq": "FAQ", "template": "computed from the data", "clarification": "a question back", "fallback": "not answered"}[
        turn.source
    ]
    said = [where, f"{turn.response_ms:.0f} ms"]
    if turn.source == "template":
        said.insert(0, f"Read as: {quoted(str(turn.reply['interpretation']))}")
    data = turn.reply["data"]
    if data and data["as_of"]:
        said.append(f"as of {data['as_of'].replace('T', ' ').replace('+00:00', ' UTC')}")
    st.caption(" · ".join(said))
    left, right = st.columns([1, 3], vertical_alignment="center")
    with left:
        rating = st.feedback("thumbs", default=turn.rating, key=f"ask_rate_{turn.id}")
        if rating is not None and rating != turn.rating:
            _rate(turn.id, rating)
    if data and data["link"]:
        right.link_button("Open the page with these filters", data["link"], icon=":material/open_in_new:")


def _rate(turn_id: int, rating: int) -> None:
    try:
        ask_actions.rate(turn_id, rating)
    except BinnacleError as problem:
        st.error(quoted(str(problem)), icon=":material/error:")


def _buttons(questions: tuple[str, ...], prefix: str) -> None:
    for row in range(0, len(questions), 2):
        for place, question in zip(st.columns(2), questions[row : row + 2], strict=False):
            key = f"ask_{prefix}_{question}"
            place.button(quoted(question), key=key, on_click=_press, args=(question,), width="stretch")


def _press(question: str) -> None:
    st.session_state["ask_pressed"] = question
