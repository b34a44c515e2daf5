"""What could not be answered and why, for admins; and the words that they teach."""

import pandas as pd
import streamlit as st

from console import lexicon_actions
from console.ui import acts
from console.ui.quoted import quoted
from services.ask import learning
from services.ask.learning import Synonym
from services.db import transaction


def unanswered() -> None:
    """Groups by the words that blocked them, the form to teach a synonym, and those that were taught."""
    with transaction() as connection:
        groups, synonyms = learning.unanswered(connection), learning.synonyms(connection)
    if groups:
        frame = pd.DataFrame(
            [
                {
                    "Words that mean nothing": ", ".join(group.words) or "(nothing to count)",
                    "Questions": group.n,
                    "Last": f"{group.last_at:%Y-%m-%d %H:%M}",
                    "Examples": " | ".join(group.examples),
                }
                for group in groups
            ]
        )
        st.dataframe(frame, hide_index=True, alt="Questions that were not answered, by the words that blocked them")
    else:
        st.info("Every question so far was answered or asked back.", icon=":material/check_circle:")
    _teach()
    _taught(synonyms)


def _teach() -> None:
    with st.form(acts.fresh("ask_teach")):
        st.markdown("**Teach a word.** Every example and every question answered so far is asked again first; none may change.")
        left, right = st.columns(2)
        phrase = left.text_input("The word or phrase", max_chars=100)
        means = right.text_input("Means the same as", max_chars=100, help="A phrase that works in questions, such as barangays.")
        wanted = st.form_submit_button("Teach", icon=":material/school:")
    if wanted:
        acts.do(lambda: _done(phrase, means))


def _done(phrase: str, means: str) -> str:
    checked = lexicon_actions.teach(phrase, means)
    return f"“{quoted(phrase)}” now means “{quoted(means)}”; {checked:,} questions asked again, none changed."


def _taught(synonyms: list[Synonym]) -> None:
    if not synonyms:
        return
    st.markdown("**Taught so far**")
    frame = pd.DataFrame(
        [{"Phrase": one.phrase, "Means": one.means, "By": one.created_by, "Since": f"{one.created_at:%Y-%m-%d}"} for one in synonyms]
    )
    st.dataframe(frame, hide_index=True, alt="Synonyms that were taught")
    chosen = acts.choose("Forget", [one.phrase for one in synonyms], key="ask_forget")
    if chosen is not None and st.button("Forget it", key=acts.fresh("ask_forget_it", chosen)):
        acts.do(lambda: _forgotten(chosen))


def _forgotten(phrase: str) -> str:
    lexicon_actions.forget(phrase)
    return f"“{quoted(phrase)}” means nothing any more."
