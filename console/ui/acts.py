"""Doing something from a page and saying what came of it: after the next run, which shows the tables as they are then."""

from collections.abc import Callable

import streamlit as st

from services.errors import BinnacleError

DONE = "done_said"


def said() -> None:
    """What the last run did, above tables that show it."""
    if DONE in st.session_state:
        st.success(st.session_state.pop(DONE), icon=":material/check_circle:")


def do(act: Callable[[], str]) -> None:
    """Do it and say so after the next run, or say beside the button what was wrong with it."""
    try:
        words = act()
    except BinnacleError as problem:
        st.error(f"{problem}", icon=":material/error:")
    else:
        st.session_state[DONE] = words
        st.rerun()


def confirmed(label: str, icon: str, words: str, sure: str, key: str, *, disabled: bool = False) -> bool:
    """A button that first says in `words` what it will do; True in the run in which somebody was sure."""
    with st.popover(label, icon=icon, disabled=disabled):
        st.markdown(words)
        return st.button(sure, type="primary", key=key, disabled=disabled)


def live(draw: Callable[[], None], every_s: float | None) -> None:
    """Draw in a fragment that comes again by itself. It runs outside the page, so it words its failures itself, and goes on asking."""

    def guarded() -> None:
        try:
            draw()
        except BinnacleError as problem:
            st.error(f"{problem}", icon=":material/error:")

    st.fragment(guarded, run_every=every_s)()
